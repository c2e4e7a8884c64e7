"""The faces, and how the network finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from agent.access.gate import Gate
from agent.access.hooks import HookFile, Hooks
from agent.access.keys import KeyFile
from agent.builders.casting import Casting
from agent.builders.platform import Platform
from agent.builders.reporting import problems_of
from agent.config.loader import Settings
from agent.config.reload import Current, shown
from agent.discovery.advertiser import Advertiser
from agent.discovery.records import model
from agent.events.bus import Event
from agent.frontends.http.app import create_app
from agent.player.engines import Engines
from agent.reporting.reporter import Reporter
from agent.stage.nameplate import Nameplate
from cast_wire.kinds import EventKind

if TYPE_CHECKING:
    from agent.frontends.esphome.face import EspHomeFace
    from agent.stage.idle import IdleScreen


def build_idle_screen(settings: Settings, platform: Platform, gate: Gate) -> IdleScreen | None:
    """What is seen while nothing is on; None when that is nothing of ours."""
    if settings.display.idle != "card":
        return None
    from agent.stage.idle import IdleScreen  # with its fonts and QR codes 2 MB of memory, for boxes that show it

    return IdleScreen(
        platform.stage, name=platform.device.name, pairing_url=gate.pairing_url, supervisor=platform.supervisor
    )


@dataclass(frozen=True, slots=True)
class Frontends:
    """The HTTP application, who may use it, how the network finds it, and what Home Assistant connects to."""

    app: web.Application
    gate: Gate
    advertiser: Advertiser
    esphome: EspHomeFace | None


def build_frontends(
    current: Current,
    platform: Platform,
    players: Engines,
    casting: Casting,
    reporter: Reporter,
    restart: Callable[[], None] | None,
) -> Frontends:
    """The gate tells the advertiser, and whoever follows the events, what a caller needs. `restart` is None where
    nothing would start the agent again."""
    settings, supervisor = current.settings, platform.supervisor
    hooks = Hooks(HookFile(settings.state.directory()))
    gate = Gate(
        KeyFile(settings.state.directory()),
        settings=lambda: current.settings.api,
        supervisor=supervisor,
        uses=(hooks.uses,),
    )
    esphome = _esphome(settings, platform, players, casting, reporter, restart)
    app = create_app(
        settings=lambda: current.settings.api,
        gate=gate,
        hooks=hooks,
        device=platform.device,
        casting=casting.service,
        bus=casting.bus,
        stage=platform.stage,
        snapshots=platform.snapshots,
        players=players,
        reporting=lambda: reporter.status,
        told=lambda: reporter.webhooks,
        supervisor=supervisor,
        esphome=lambda: None if esphome is None else esphome.status,
        storage=lambda: casting.storage.health,
        in_force=lambda: shown(current.settings),
    )
    advertiser = Advertiser(
        device=platform.device,
        settings=settings.discovery,
        auth=lambda: gate.auth,
        others=lambda: () if esphome is None else esphome.announced(),
        supervisor=supervisor,
    )

    def heard(event: Event) -> None:
        if event.kind is EventKind.ACCESS_CHANGED:
            advertiser.look_again()

    casting.bus.listen(heard)
    gate.on_change = lambda: casting.bus.publish(EventKind.ACCESS_CHANGED, auth=gate.auth)
    return Frontends(app, gate, advertiser, esphome)


def _esphome(
    settings: Settings,
    platform: Platform,
    players: Engines,
    casting: Casting,
    reporter: Reporter,
    restart: Callable[[], None] | None,
) -> EspHomeFace | None:
    if not settings.esphome.enabled:
        return None
    from agent.frontends.esphome.cast_box import CastBox  # with protobuf and the encryption 15 MB, and 0.2 s
    from agent.frontends.esphome.face import EspHomeFace
    from agent.frontends.esphome.server import About

    box = CastBox(
        casting.service,
        casting.bus,
        snapshots=platform.snapshots,
        problems=lambda: problems_of(platform, players, casting),
        reporting=lambda: reporter.status,
        identify=Nameplate(platform.stage, name=platform.device.name).show,
        restart=restart,
        supervisor=platform.supervisor,
    )
    return EspHomeFace(
        box,
        settings=settings.esphome,
        host=settings.api.host,
        folder=settings.state.directory(),
        about=About(platform.device, model()),
        supervisor=platform.supervisor,
    )
