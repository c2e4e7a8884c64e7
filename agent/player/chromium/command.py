"""The command line of Chromium. The address of a page comes over the pipe, and never on the command line, where it
could become an option."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from agent.config.settings import AudioSettings
from agent.player.confine import Confinement
from agent.player.machine import INSTALLED_FOR_S, has_gpu
from agent.util.remembering import remembered

FD = "%FD"
"""In a command: the descriptor of Chromium's end of the socket pair."""

SCHEMES = frozenset({"http", "https"})
"""The schemes of a page. Chromium would also show `file:`, `chrome:` and `view-source:` when it is told to."""

_PROGRAMS = (
    "/usr/lib/chromium/chromium",  # Debian; its /usr/bin/chromium is a script with options of its own
    "/usr/lib/chromium-browser/chromium-browser",  # Raspberry Pi OS 11
    "/usr/lib64/chromium-browser/chromium-browser",  # Fedora
)
_NAMES = ("chromium", "google-chrome-stable", "google-chrome")

_LAUNCHER = Path(__file__).with_name("launch.py")

_DISK_CACHE_BYTES = 32 * 1024 * 1024
"""The cache of one page, which ends with it: cards have few gigabytes, and wear out."""

_FEATURES_OFF = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "Translate", "MediaRouter", "OptimizationHints")
"""The first two would start a renderer of 80 MB each, and nobody sees what those draw."""

_FEATURES_ON = ("EnablePortBoundCookies", "EnableSchemeBoundCookies")
"""With it, a cookie that logs in to one server is not sent to another one on the same host."""


def program() -> str | None:
    """The browser itself; None where there is none."""
    known = next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)
    return known or next((os.path.realpath(path) for name in _NAMES if (path := shutil.which(name))), None)


@remembered(for_s=INSTALLED_FOR_S)
def is_installed() -> bool:
    """Return True if there was a browser a second ago."""
    return program() is not None


def chromium_command(
    audio: AudioSettings, *, confinement: Confinement, pins: Collection[str] = ()
) -> Callable[[], list[str]]:
    """The command that starts Chromium, on an empty page; FD stands where the descriptor of its end of the socket pair
    belongs. Certificates with the keys of `pins` are accepted."""

    def command() -> list[str]:
        browser = program() or _PROGRAMS[0]
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), "--parent", str(os.getpid()), "--fd", FD]
        launcher += ["--folder", os.path.join(confinement.folder, "pages")]
        reach = Confinement(folder=confinement.folder, programs=(browser,))
        return [
            *_environment(audio),
            *launcher,
            *reach.arguments(),
            "--",
            browser,
            *chromium_arguments(audio, pins=pins),
        ]

    return command


def chromium_arguments(audio: AudioSettings, *, pins: Collection[str] = (), dev: Path = Path("/dev")) -> list[str]:
    """The options. Chromium 120 and newer know all of these; an unknown one is ignored."""
    return [
        "--remote-debugging-pipe",
        "--ozone-platform=x11",
        "--kiosk",
        "--no-first-run",
        "--no-default-browser-check",
        "--noerrdialogs",
        "--deny-permission-prompts",
        "--enable-unsafe-extension-debugging",  # over the pipe only: it lets us add the companion
        "--disable-component-update",
        "--disable-background-networking",
        "--disable-domain-reliability",
        "--disable-sync",
        "--disable-breakpad",
        "--no-pings",
        "--password-store=basic",
        "--autoplay-policy=no-user-gesture-required",  # there is no user to make one
        *_sound(audio),
        *_pinned(pins),
        f"--disk-cache-size={_DISK_CACHE_BYTES}",
        f"--enable-features={','.join(_FEATURES_ON)}",
        f"--disable-features={','.join(_FEATURES_OFF)}",
        # The search for a missing one costs 20-45 MB.
        *([] if has_gpu(dev) else ["--disable-gpu"]),
        "about:blank",
    ]


def _environment(audio: AudioSettings) -> list[str]:
    """The environment, with the sound server for libpulse: Chromium has no option for a loudspeaker of it."""
    return ["/usr/bin/env", f"PULSE_SINK={audio.device}"] if audio.output == "pulse" and audio.device else []


def _sound(audio: AudioSettings) -> list[str]:
    """The output for the sound. A sound server is preferred if the configuration names none."""
    if audio.output == "none":
        return ["--mute-audio"]
    return [f"--alsa-output-device={audio.device}"] if audio.output == "alsa" and audio.device else []


def _pinned(pins: Collection[str]) -> list[str]:
    """The pins as an option. `agent.player.chromium.pins` makes sure that each counts for its own origin."""
    keys = ",".join(sorted(pin.removeprefix("sha256/") for pin in pins))
    return [f"--ignore-certificate-errors-spki-list={keys}"] if keys else []
