"""Makes docs/screen.png: the agent's screen, a virtual one, with the first picture on it."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "first-picture.mp4"
PICTURE = ROOT / "docs" / "screen.png"
SIZE = (640, 360)
COLOURS = 128
"""Enough that nobody sees the difference, and a third of the bytes."""
MOMENT_S = 2.0
"""A picture out of the middle is nicer than the first."""

sys.path.insert(0, str(ROOT))

from tests.support.agent import Agent  # noqa: E402
from tests.support.xserver import XServer  # noqa: E402


def main() -> None:
    with XServer((1280, 720)) as screen, tempfile.TemporaryDirectory() as quiet:
        silence = {"PULSE_SERVER": f"unix:{quiet}/nobody"}
        folders = [str(CLIP.parent)]
        with Agent(screen.display, env=silence, player__media_folders=folders, audio__output="none") as agent:
            agent.start(CLIP.as_uri())
            time.sleep(MOMENT_S)
            snapshot = agent.call("GET", "/snapshot").content
    with Image.open(io.BytesIO(snapshot)) as picture:
        small = picture.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    PICTURE.parent.mkdir(exist_ok=True)
    small.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(PICTURE, "png", optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
