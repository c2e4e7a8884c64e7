"""A Debian in a folder, made with debootstrap: once, and copied from then on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

BOOTSTRAP_S = 900


def bootstrap(suite: str, folder: Path, *, packages: str = "", finish: Callable[[Path], None]) -> None:
    """Make it, unless it is there. `packages` are more than the least, with commas between them. `finish` gets the
    folder before it appears under its name."""
    if folder.exists():
        return
    print(f"Making a Debian {suite} for these tests; this takes about a minute, once.", flush=True)
    folder.parent.mkdir(exist_ok=True)
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    more = [f"--include={packages}"] if packages else []
    subprocess.run(
        ["debootstrap", "--variant=minbase", *more, suite, half],
        check=True,
        timeout=BOOTSTRAP_S,
        stdout=subprocess.DEVNULL,
    )
    finish(half)
    half.rename(folder)
