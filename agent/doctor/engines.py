"""The check of the engines: which ones start, their features, and their confinement. They are asked, and draw
nothing."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.config.loader import Settings
from agent.doctor.bounds import CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.doctor.machine import user_name
from agent.errors import AgentError
from agent.player.base import KillReason
from agent.player.confine import NONE, Confinement
from agent.player.registry import DEFAULT, ENGINES, PLURALS, EngineOptions, EngineSpec, table_of
from agent.player.spawn import worker_environment

_CAMERA = "rtsp"
_CAMERAS_LOST = "Cameras cannot be played"


@dataclass(frozen=True, slots=True)
class _Engine:
    """The report of a player process about itself, or the reason why there is none."""

    spec: EngineSpec
    version: str = ""
    features: Mapping[str, bool | str] = field(default_factory=dict)
    problem: str = ""


async def players(settings: Settings, specs: Sequence[EngineSpec] = ENGINES) -> list[Finding]:
    """Start one process of each engine, as the agent would, and read its report."""
    table = table_of(specs, settings.player.engines)
    with tempfile.TemporaryDirectory(prefix="cast-agent-doctor-") as folder:  # the agent's own may be another user's
        confinement = Confinement(folder=folder, media_folders=tuple(map(str, settings.player.media_folders)))
        options = EngineOptions(settings.audio, settings.player.output, confinement, table)
        engines = await asyncio.gather(*(_ask_engine(spec, options) for spec in specs))
    return [
        *(finding for engine in engines for finding in (_starts(engine, table), *_features(engine))),
        _cameras({engine.spec.name: engine for engine in engines}, table),
        _confinement(engines),
    ]


async def _ask_engine(spec: EngineSpec, options: EngineOptions) -> _Engine:
    if not spec.is_installed():
        return _Engine(spec, problem="It is not installed.")
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await _meet(spec, options)
    except TimeoutError:
        return _Engine(spec, problem=f"It sent nothing for {CHECK_TIMEOUT_S:.0f} s.")
    except AgentError as e:
        return _Engine(spec, problem=f"{str(e).rstrip('.')}.")


async def _meet(spec: EngineSpec, options: EngineOptions) -> _Engine:
    player = await spec.client.spawn(spec.command(options)(), environment=worker_environment("", base=os.environ))
    try:
        await player.greeted()  # it has a version from then on
        return _Engine(spec, player.version, player.features)
    finally:
        await player.kill(KillReason.SPARE)


def _starts(engine: _Engine, table: Mapping[str, str]) -> Finding:
    spec = engine.spec
    if not engine.problem:
        return Finding(Level.OK, spec.name, f"{spec.title} {engine.version} starts.")
    advice = spec.advice if spec.is_installed() else spec.install
    if spec.name == DEFAULT:
        return Finding(Level.FAIL, spec.name, engine.problem, advice)
    required_for = sorted(key for key, name in table.items() if name == spec.name)
    if not required_for:
        return Finding(Level.OK, spec.name, f"{engine.problem} Nothing in [player] engines needs it.")
    named = ", ".join(PLURALS.get(key, key) for key in required_for)
    if spec.is_optional and not spec.is_installed():
        return Finding(Level.OK, spec.name, f"{engine.problem} It is required for {named} only. {advice}")
    return Finding(Level.WARN, spec.name, f"{engine.problem} It is required for {named}.", advice)


def _features(engine: _Engine) -> list[Finding]:
    if engine.problem:
        return []
    return [
        Finding(Level.OK, feature.label, feature.present)
        if engine.features.get(name)
        else Finding(Level.WARN, feature.label, feature.absent, feature.advice)
        for name, feature in engine.spec.features.items()
    ]


def _cameras(engines: Mapping[str, _Engine], table: Mapping[str, str]) -> Finding:
    engine = engines[table.get(_CAMERA, DEFAULT)]
    name = engine.spec.name
    if engine.problem:
        return Finding(Level.WARN, _CAMERA, f"{_CAMERAS_LOST}.", f"Fix {name} (see its line above).")
    if not engine.features.get(_CAMERA, True):
        found = f"{_CAMERAS_LOST}: [player] engines gives rtsp to {name}, and {engine.spec.title} was built without it."
        usual = next(each.spec for each in engines.values() if _CAMERA in each.spec.default_for)
        return Finding(Level.WARN, _CAMERA, found, f'Set rtsp = "{usual.name}" there. {usual.install}')
    return Finding(Level.OK, _CAMERA, f"Cameras are played by {name}.")


def _confinement(engines: Sequence[_Engine]) -> Finding:
    name = "confinement"
    means = {each.spec.name: str(each.features.get(name, NONE)) for each in engines if not each.problem}
    if not means:
        return Finding(Level.WARN, name, "No player started, so its confinement cannot be checked.")
    free = [engine for engine, by in means.items() if by == NONE]
    if free:
        return Finding(
            Level.WARN,
            name,
            f"None for {' and '.join(free)}: a hostile stream could read whatever {user_name(os.geteuid())} may read.",
            "Use a kernel with Landlock switched on (see /sys/kernel/security/lsm), or allow user namespaces "
            "(sysctl user.max_user_namespaces; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in a systemd "
            "unit RestrictNamespaces=user mnt, and @mount in its SystemCallFilter).",
        )
    by = ", ".join(dict.fromkeys(means.values()))
    return Finding(Level.OK, name, f"{by}: players reach what playing needs and the media folders, no other files.")
