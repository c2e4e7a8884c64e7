"""The checks of the machine besides the players: a folder for state, a screen, hardware decoding, sound."""

from __future__ import annotations

import asyncio
import errno
import grp
import os
import pwd
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.config.loader import Settings
from agent.doctor.bounds import ANSWER_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
from agent.player.machine import has_gpu
from agent.stage.chosen import ChosenScreen
from agent.stage.screen import FULL_DEPTH
from agent.stage.x11 import X11Stage
from agent.util.threads import in_thread


async def state(settings: Settings) -> Finding:
    """Check whether state that must outlive a restart can be stored."""
    try:
        folder = settings.state.directory()
    except ConfigError as e:
        return Finding(Level.FAIL, "state folder", str(e))
    return await in_thread(lambda: _try_folder(folder))


def _try_folder(folder: Path) -> Finding:
    name = "state folder"
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        if place != folder and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise PermissionError(errno.EACCES, f"{place} may not be written to")
        if place == folder:
            with tempfile.TemporaryFile(dir=folder) as file:  # it never has a name, so nothing is left of it
                file.write(bytes(64 * 1024))  # a full disk takes empty files
                file.flush()
                os.fsync(file.fileno())
    except OSError as e:
        return Finding(
            Level.FAIL,
            name,
            f"{folder} cannot be used by {user_name(os.geteuid())} ({e.strerror}): the current streams would not "
            "come back after a restart.",
            "Let the user who runs cast-agent write to it, free some space if the disk is full, or set [state] dir.",
        )
    if place != folder:
        return Finding(Level.OK, name, f"{folder} is not there yet; it is made at the first start.")
    if (owner := folder.stat().st_uid) != os.geteuid():
        found = f"{folder} belongs to {user_name(owner)}, and you are {user_name(os.geteuid())}."
        advice = (
            f"Give the folder to that user: chown -R {user_name(os.geteuid())}: {folder}"
            if as_service()
            else f"Run the doctor as the user who runs cast-agent ({user_name(owner)}): results differ between users."
        )
        return Finding(Level.WARN, name, found, advice)
    return Finding(Level.OK, name, f"{folder} can be written to.")


def as_service() -> bool:
    """Return True if this process is, or stands for, the installed service: systemd names its state directory."""
    return bool(os.environ.get("STATE_DIRECTORY"))


def user_group() -> str:
    """The group of this process, for a person."""
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


def user_name(uid: int) -> str:
    """The user's name for people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


async def display(settings: Settings) -> Finding:
    """Check whether there is a screen."""
    chosen = ChosenScreen.of_this_installation()
    stage = X11Stage(settings.display.display, "desktop", chosen=chosen)  # nothing is drawn then
    try:
        await stage.start()
        health = stage.health
    finally:
        await stage.stop()
    if health.available:
        found = f"{health.display} answers, {health.width}x{health.height}."
        if health.depth < FULL_DEPTH:
            advice = "Pictures have fewer colours at this depth: configure a depth of 24 (DefaultDepth in xorg.conf)."
            return Finding(Level.OK, "display", f"{found} It shows {health.depth} bits of colour.", advice)
        return Finding(Level.OK, "display", found)
    return Finding(Level.FAIL, "display", health.message)


def hardware(dev: Path) -> Finding:
    """Check whether the machine can decode video in hardware. Blocks for the file system."""
    nodes = sorted(str(node) for node in dev.glob("dri/renderD*"))
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        advice = "Add that user to the groups video and render, and log in again."
        found = f"{user_name(os.geteuid())} may not use {', '.join(closed)}, so the processor decodes everything."
        return Finding(Level.WARN, "hardware", found, advice)
    if has_gpu(dev):
        found = ", ".join(nodes) or "a decoder"
        return Finding(Level.OK, "hardware", f"There is {found}: video may be decoded in hardware.")
    found = "There is no hardware video decoder: the processor decodes everything."
    return Finding(Level.OK, "hardware", found, 'If pictures stutter, start with "quality": "720p".')


async def sound(settings: Settings, dev: Path) -> Finding:
    """Check whether sound would be heard."""
    wish = settings.audio.output
    if wish == "none":
        return Finding(Level.OK, "sound", 'It is switched off ([audio] output = "none").')
    if wish != "alsa":
        for path in _sound_servers(os.environ):
            if not path.startswith("/"):
                return Finding(Level.OK, "sound", f"The sound server is {path}; it was not asked.")
            if await _answers(path):
                return Finding(Level.OK, "sound", f"The sound server answers ({path}).")
    if wish != "pulse" and (card := _sound_card(dev)) is not None:
        return card
    missing = {"pulse": "no sound server answers", "alsa": "there is no sound card"}
    what = missing.get(wish, "no sound server answers, and there is no sound card")
    advice = (
        "PulseAudio and PipeWire are per user: on a machine with a desktop let the service run as the user who is "
        "logged in there (make install INSTALL_ARGS='--desktop USER')"
        if as_service()
        else "PulseAudio and PipeWire are per user: run the doctor in the session that has the sound, without sudo"
    )
    advice += '; without a loudspeaker set [audio] output = "none".'
    return Finding(Level.WARN, "sound", f"Streams play without sound: {what}.", advice)


def _sound_card(dev: Path) -> Finding | None:
    cards = sorted(dev.glob("snd/pcm*p"))
    usable = [card for card in cards if os.access(card, os.R_OK | os.W_OK)]
    if usable:
        return Finding(Level.OK, "sound", f"ALSA has {len(usable)} outputs.")
    if cards:
        found = f"There is a sound card, but {user_name(os.geteuid())} may not use it."
        return Finding(Level.WARN, "sound", found, "Add that user to the group audio, and log in again.")
    return None


def _sound_servers(environ: Mapping[str, str]) -> list[str]:
    """The sockets at which PulseAudio's clients look (pulse-client.conf(5)). An entry that is no path is on another
    machine."""
    if named := environ.get("PULSE_SERVER", "").split():
        return [server.rpartition("}")[2].removeprefix("unix:") for server in named]
    folders = (environ.get("PULSE_RUNTIME_PATH"), f"{environ.get('XDG_RUNTIME_DIR', '')}/pulse", "/run/pulse")
    return [f"{folder}/native" for folder in folders if folder and folder.startswith("/")]


async def _answers(path: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            _, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
