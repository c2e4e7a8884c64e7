"""The recipients of events."""

from __future__ import annotations

from agent.builders.casting import Casting
from agent.builders.platform import Platform
from agent.config.reload import Current
from agent.player.engines import Engines
from agent.player.registry import ENGINES
from agent.reporting.central.state import ReportedEngine, View
from agent.reporting.reporter import ReportedBox, Reporter


def build_reporter(current: Current, platform: Platform, players: Engines, casting: Casting) -> Reporter:
    """The central API and the webhooks."""
    settings, device, tracker = current.settings, platform.device, casting.tracker
    return Reporter(
        ReportedBox(
            device,
            restores=settings.stream.restore,
            view=lambda: View(
                device.name,
                tracker.snapshot(),
                tracker.volume,
                problems_of(platform, players, casting),
                engines_of(platform, players),
            ),
            bus=casting.bus,
        ),
        folder=settings.state.directory(),
        runtime=settings.state.runtime_directory(),
        settings=settings.central,
        webhooks=lambda: current.settings.webhook,
        find_local=casting.local_names.address,
        supervisor=platform.supervisor,
    )


def engines_of(platform: Platform, players: Engines) -> tuple[ReportedEngine, ...]:
    """The engines that are installed. Those that are made for other media than films decode none."""
    healths = players.health.engines
    return tuple(
        ReportedEngine(spec.name, healths[spec.name].version, () if spec.kinds else platform.decoders.codecs)
        for spec in ENGINES
        if not spec.missing
    )


def problems_of(platform: Platform, players: Engines, casting: Casting) -> tuple[str, ...]:
    """The reasons why a start would not work; sentences for people."""
    display = platform.stage.health
    parts = (players.health, platform.supervisor.health, casting.storage.health)
    unseen = () if display.is_well else (display.message,)
    return (*unseen, *(health.message for health in parts if not health.available))
