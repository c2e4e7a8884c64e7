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
from agent.discovery.interfaces import lan_interfaces
from agent.discovery.records import model
from agent.events.bus import Event
from agent.frontends.http.app import create_app, runner_of
from agent.player.engines import Engines
from agent.reporting.reporter import Reporter
from agent.stage.nameplate import Nameplate
from cast_wire.kinds import EventKind

if TYPE_CHECKING:
    from agent.frontends.dlna.face import DlnaFace
    from agent.frontends.esphome.face import EspHomeFace
    from agent.stage.idle import IdleScreen


def build_idle_screen(settings: Settings, platform: Platform, gate: Gate) -> IdleScreen | None:
    """The screen for the time when nothing is on; None if the agent shows nothing then."""
    if settings.display.idle != "card":
        return None
    from agent.stage.idle import IdleScreen  # with its fonts and QR codes 2 MB of memory, for boxes that show it

    return IdleScreen(
        platform.stage, name=platform.device.name, pairing_url=gate.pairing_url, supervisor=platform.supervisor
    )


@dataclass(slots=True)
class Frontends:
    """The HTTP application, its gate, its announcement on the network, and the faces for Home Assistant and DLNA
    controllers."""

    app: web.Application
    gate: Gate
    advertiser: Advertiser
    dlna: DlnaFace | None
    esphome: EspHomeFace | None = None
    """Made later; None as well where it is switched off."""


def build_frontends(
    current: Current, platform: Platform, players: Engines, casting: Casting, reporter: Reporter
) -> Frontends:
    """The gate reports the required credentials to the advertiser and to those who follow events."""
    settings, supervisor = current.settings, platform.supervisor
    hooks = Hooks(HookFile(settings.state.directory()))
    gate = Gate(
        KeyFile(settings.state.directory()),
        settings=lambda: current.settings.api,
        supervisor=supervisor,
        uses=(hooks.uses,),
    )
    dlna = _dlna(current, platform, casting)
    app = create_app(
        settings=lambda: current.settings.api,
        gate=gate,
        hooks=hooks,
        device=platform.device,
        casting=casting.service,
        cache=casting.cache,
        bus=casting.bus,
        stage=platform.stage,
        snapshots=platform.snapshots,
        players=players,
        reporting=lambda: reporter.status,
        told=lambda: reporter.webhooks,
        supervisor=supervisor,
        esphome=lambda: None if frontends.esphome is None else frontends.esphome.status,
        dlna=lambda: None if dlna is None else dlna.status,
        cameras=lambda: casting.cameras.health,
        storage=lambda: casting.storage.health,
        in_force=lambda: shown(current.settings),
    )
    advertiser = Advertiser(
        device=platform.device,
        settings=settings.discovery,
        auth=lambda: gate.auth,
        others=lambda: () if frontends.esphome is None else frontends.esphome.announced(),
        supervisor=supervisor,
    )

    def heard(event: Event) -> None:
        if event.kind is EventKind.ACCESS_CHANGED:
            advertiser.look_again()

    casting.bus.listen(heard)
    gate.on_change = lambda: casting.bus.publish(EventKind.ACCESS_CHANGED, auth=gate.auth)
    frontends = Frontends(app, gate, advertiser, dlna)
    return frontends


def build_esphome(
    settings: Settings,
    platform: Platform,
    players: Engines,
    casting: Casting,
    reporter: Reporter,
    restart: Callable[[], None] | None,
) -> EspHomeFace | None:
    """None where it is switched off. `restart` is None where nothing would start the agent again. Blocks for what it
    imports: 0.3 s, on a small box a second."""
    if not settings.esphome.enabled:
        return None
    from agent.frontends.esphome.cast_box import CastBox  # with protobuf and the encryption 15 MB
    from agent.frontends.esphome.commands import Buttons
    from agent.frontends.esphome.face import EspHomeFace
    from agent.frontends.esphome.server import About

    box = CastBox(
        casting.service,
        casting.bus,
        snapshots=platform.snapshots,
        problems=lambda: problems_of(platform, players, casting),
        reporting=lambda: reporter.status,
        buttons=Buttons(Nameplate(platform.stage, name=platform.device.name).show, restart),
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


def _dlna(current: Current, platform: Platform, casting: Casting) -> DlnaFace | None:
    settings = current.settings
    if not settings.dlna.enabled:
        return None
    from agent.frontends.dlna.face import DlnaFace, Reach  # what reads XML, for boxes that need it

    def addresses() -> list[list[str]]:
        interfaces = lan_interfaces(settings.discovery.interfaces)
        return [[str(each) for each in interface.announced if each.version == 4] for interface in interfaces]

    return DlnaFace(
        casting.service,
        casting.bus,
        Reach(settings.api.host, addresses, runner_of),
        settings=lambda: current.settings.dlna,
        device=platform.device,
        supervisor=platform.supervisor,
    )
