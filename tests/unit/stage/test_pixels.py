"""Pictures of the screen on their way into a file."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from agent.stage import pixels
from agent.stage.base import ImageFormat
from agent.stage.pixels import LESS_PRIORITY, Picture, encode
from agent.stage.screen import PixelFormat

WIDTH, HEIGHT = 1920, 1080


@pytest.fixture(scope="module")
def picture() -> Picture:
    """Orange on the left and blue on the right, and rough enough to keep an encoder busy."""
    rough = Image.effect_noise((WIDTH, HEIGHT), 12).convert("RGB")
    plain = Image.new("RGB", (WIDTH, HEIGHT), (255, 128, 0))
    plain.paste((0, 0, 255), (WIDTH // 2, 0, WIDTH, HEIGHT))
    red, green, blue = Image.blend(plain, rough, 0.2).split()
    stored = PixelFormat(depth=24, bits=32, byte_order="little", red=0xFF0000, green=0xFF00, blue=0xFF)
    return Picture(WIDTH, HEIGHT, stored, Image.merge("RGBA", (blue, green, red, red)).tobytes())


@pytest.mark.parametrize("width", [None, 1280, 640, 400])
@pytest.mark.parametrize("image_format", ["png", "jpeg"])
async def test_it_is_the_same_picture(picture: Picture, image_format: ImageFormat, width: int | None) -> None:
    file = Image.open(io.BytesIO(await encode(picture, image_format, width)))
    assert file.format == image_format.upper()
    assert file.size == ((width, width * HEIGHT // WIDTH) if width else (WIDTH, HEIGHT))
    left, right = (file.crop((x, 0, x + 40, 40)).resize((1, 1)).getpixel((0, 0)) for x in (0, file.width - 40))
    assert left == pytest.approx((230, 128, 26), abs=6)
    assert right == pytest.approx((26, 26, 230), abs=6)


async def test_players_go_first(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder of this test alone: another one may have begun when this process had another priority."""
    with ThreadPoolExecutor(1, thread_name_prefix="own", initializer=pixels._step_back) as executor:
        monkeypatch.setattr(pixels, "_ENCODER", executor)
        await encode(picture, "jpeg")
        [encoder] = [thread for thread in threading.enumerate() if thread.name.startswith("own")]
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert encoder.native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, encoder.native_id) == min(own + LESS_PRIORITY, 19)
