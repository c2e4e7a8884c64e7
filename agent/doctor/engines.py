"""Which engines start, what they can do, and what keeps them in. They are asked, and draw nothing."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.config.loader import Settings
from agent.doctor.bounds import CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.doctor.machine import user_name
from agent.errors import AgentError
from agent.player.confine import NONE, Confinement
from agent.player.engines import DEFAULT
from agent.player.mpv.options import MPV_ADVICE, mpv_command, mpv_missing
from agent.player.mpv.player import MpvPlayer
from agent.player.pillow.command import ADVICE as PILLOW_ADVICE
from agent.player.pillow.command import pillow_command
from agent.player.pool import LIBVLC_ADVICE
from agent.player.spawn import vlc_command, worker_environment
from agent.player.vlc.client import WorkerPlayer

_NOT_INSTALLED = "It is not installed."


@dataclass(frozen=True, slots=True)
class _Engine:
    """What a player process said of itself, or why it did not."""

    version: str = ""
    features: Mapping[str, bool | str] = field(default_factory=dict)
    problem: str = ""


async def players(settings: Settings) -> list[Finding]:
    """Start one process of each engine, as the agent would, and hear what it says."""
    audio = settings.audio
    with tempfile.TemporaryDirectory(prefix="cast-agent-doctor-") as folder:  # the agent's own may be another user's
        confinement = Confinement(folder=folder, media_folders=tuple(map(str, settings.player.media_folders)))
        vlc_starts = vlc_command(audio_output=audio.output, audio_device=audio.device, confinement=confinement)
        mpv_starts = mpv_command(audio_output=audio.output, audio_device=audio.device, confinement=confinement)
        pillow_starts = pillow_command(confinement=confinement)
        vlc, pillow, mpv = await asyncio.gather(
            _ask_engine(_meet_worker(vlc_starts())),
            _ask_engine(_meet_worker(pillow_starts())),
            _ask_engine(_meet_mpv(mpv_starts())),
        )
    table = settings.player.engines
    return [
        _vlc(vlc),
        *_plugin_cache(vlc),
        _pillow(pillow),
        _mpv(mpv, table),
        _rtsp(vlc, mpv, table),
        _confinement({"vlc": vlc, "pillow": pillow, "mpv": mpv}),
    ]


async def _ask_engine(meeting: Coroutine[Any, Any, _Engine]) -> _Engine:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await meeting
    except TimeoutError:
        return _Engine(problem=f"It said nothing for {CHECK_TIMEOUT_S:.0f} s.")
    except AgentError as e:
        return _Engine(problem=str(e))


async def _meet_worker(command: list[str]) -> _Engine:
    player = await WorkerPlayer.spawn(command, environment=worker_environment("", base=os.environ))
    try:
        own = {"confinement": player.features.get(f"{player.engine}_confinement", NONE)}
        return _Engine(player.version, {**own, **player.features})
    finally:
        await player.kill()


async def _meet_mpv(command: list[str]) -> _Engine:
    if mpv_missing():
        return _Engine(problem=_NOT_INSTALLED)
    player = await MpvPlayer.spawn(command, environment=worker_environment("", base=os.environ))
    try:
        await player.warm(0, timeout_s=CHECK_TIMEOUT_S)  # it has a version from then on, and draws nothing
        return _Engine(player.version, {"confinement": player.features.get("mpv_confinement", NONE)})
    finally:
        await player.kill()


def _vlc(vlc: _Engine) -> Finding:
    if vlc.problem:
        return Finding(Level.FAIL, "vlc", f"{vlc.problem.rstrip('.')}.", LIBVLC_ADVICE)
    return Finding(Level.OK, "vlc", f"libVLC {vlc.version} starts.")


def _pillow(pillow: _Engine) -> Finding:
    if pillow.problem:
        return Finding(
            Level.WARN, "pictures", f"{pillow.problem.rstrip('.')}. Pictures cannot be shown.", PILLOW_ADVICE
        )
    return Finding(Level.OK, "pictures", f"Pillow {pillow.version} starts.")


def _plugin_cache(vlc: _Engine) -> list[Finding]:
    name = "plug-in cache"
    if vlc.problem:
        return []
    if vlc.features.get("plugin_cache"):
        return [Finding(Level.OK, name, "libVLC has the list of its plug-ins.")]
    found = "libVLC has no list of its plug-ins, so every player starts later (0.2 s; seconds from a slow card)."
    advice = "Debian: apt install --reinstall libvlc-bin makes it anew."
    return [Finding(Level.WARN, name, found, advice)]


def _mpv(mpv: _Engine, table: Mapping[str, str]) -> Finding:
    if not mpv.problem:
        return Finding(Level.OK, "mpv", f"mpv {mpv.version} starts.")
    schemes = sorted(scheme for scheme, engine in table.items() if engine == "mpv")
    if not schemes:
        return Finding(Level.OK, "mpv", f"{mpv.problem} Nothing in [player] engines needs it.")
    advice = "Debian: apt install mpv." if mpv.problem == _NOT_INSTALLED else MPV_ADVICE
    return Finding(Level.WARN, "mpv", f"{mpv.problem.rstrip('.')}. It is to play {', '.join(schemes)}.", advice)


def _rtsp(vlc: _Engine, mpv: _Engine, table: Mapping[str, str]) -> Finding:
    engine = table.get("rtsp", DEFAULT)
    if engine == "mpv" and mpv.problem:
        return Finding(Level.WARN, "rtsp", "Cameras cannot be played.", "Make mpv work (see the line above).")
    if engine == "vlc" and not vlc.problem and not vlc.features.get("rtsp"):
        found = "Cameras cannot be played: [player] engines gives rtsp to vlc, and this libVLC was built without it."
        return Finding(Level.WARN, "rtsp", found, 'Say rtsp = "mpv" there, and apt install mpv.')
    if engine == "vlc" and vlc.problem:
        return Finding(Level.WARN, "rtsp", "Cameras cannot be played.", "Make vlc work (see above).")
    return Finding(Level.OK, "rtsp", f"Cameras are played by {engine}.")


def _confinement(engines: Mapping[str, _Engine]) -> Finding:
    name = "confinement"
    means = {engine: str(e.features.get("confinement", NONE)) for engine, e in engines.items() if not e.problem}
    if not means:
        return Finding(Level.WARN, name, "No player started, so it is not known what would keep it in.")
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
