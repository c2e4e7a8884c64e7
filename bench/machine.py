"""The machine of a measurement: figures without it mean nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
from pathlib import Path

from bench.lab import Lab
from bench.players import VLC, FreshProgram
from tests.support.tools import run, wait_until

SAYS_OUTPUT_S = 10.0
VERSION_S = 10.0
LOG_S = 1.0
"""vlc writes it in a thread of its own."""

_OUTPUT = re.compile(r'using vout display module "(\w+)"')


def describe(lab: Lab) -> list[tuple[str, str]]:
    """Names and values, in the order in which they are worth reading."""
    return [
        ("processor", f"{processor()}, {os.cpu_count()} cores"),
        ("load before", load()),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("GPU", ", ".join(sorted(str(p) for p in Path("/dev/dri").glob("render*"))) or "none: GL is in software"),
        ("libVLC", _libvlc()),
        ("mpv", _version(["mpv", "--version"], r"mpv (\S+)")),
        ("video output", f"libVLC chose {_vlc_output(lab)}; mpv was told x11"),
        ("Python", platform.python_version()),
        ("screen", "Xvfb 1280x720x24"),
    ]


def load() -> str:
    """Ratios hold on a busy machine only as far as both sides suffer alike: a fresh process waits more for its core,
    a pre-rolled one for its picture."""
    loads, cores = os.getloadavg(), os.cpu_count() or 1
    busy = "; something else is running: measure again when it is over" if loads[0] > cores / 2 else ""
    return " ".join(f"{load:.2f}" for load in loads) + busy


def processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^(?:model name|Model)\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _libvlc() -> str:
    import vlc

    return str(vlc.libvlc_get_version().decode())


def _version(command: list[str], pattern: str) -> str:
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        found = re.search(pattern, run(command, timeout_s=VERSION_S))
        if found:
            return found[1]
    return "unknown"


def _vlc_output(lab: Lab) -> str:
    """Ask libVLC by playing a film with its log in a file."""
    command = [*VLC, "--no-audio", "--drawable-xid=%XID", "--verbose=2", "--file-logging", "--logfile=%HOME/log"]
    program = FreshProgram("vlc that talks", command, lab.other_eye, lab.env, as_nobody=True)
    program.prepare()
    try:
        program.go(lab.media.mp4.url)
        lab.other_eye.first_seen(lab.media.mp4.colour, timeout_s=SAYS_OUTPUT_S)
        wait_until(lambda: bool(_outputs(program.home)), timeout_s=LOG_S, what="the log that names the output")
        return _outputs(program.home)[-1]
    except (OSError, TimeoutError):
        return "an unknown output"
    finally:
        program.finish()


def _outputs(home: Path) -> list[str]:
    return _OUTPUT.findall((home / "log").read_text(errors="replace"))
