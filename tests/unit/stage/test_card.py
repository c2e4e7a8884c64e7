"""The card of the idle screen as a picture."""

from __future__ import annotations

import pytest
import segno
from PIL import Image

from agent.stage.card import Card, draw

LINK = "http://192.168.1.20:8090/pair#" + "Zk3_" * 10
SCREENS = [(640, 360), (1920, 1080), (1080, 1920)]


def is_black(picture: Image.Image) -> bool:
    return picture.getbbox() is None


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_it_fits_and_is_drawn_on_any_screen(width: int, height: int) -> None:
    """The card fits with everything on it, and a name of the greatest length."""
    picture = draw(Card("W" * 63, "http://192.168.1.20:8090", LINK), width, height)
    assert picture.width <= width
    assert picture.height <= height
    assert picture.mode == "RGB"
    assert not is_black(picture)


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_code_holds_the_link(width: int, height: int) -> None:
    """Module by module, with the white border that scanners need."""
    without, whole = draw(Card("Kitchen", None), width, height), draw(Card("Kitchen", None, LINK), width, height)
    wanted = [list(row) for row in segno.make_qr(LINK).matrix_iter(border=4)]
    white = [x for x in range(whole.width) if whole.getpixel((x, without.height * 2)) == (255, 255, 255)]
    left, right = white[0], white[-1] + 1
    scale, rest = divmod(right - left, len(wanted))
    assert rest == 0
    top = next(y for y in range(without.height, whole.height) if whole.getpixel((left, y)) == (255, 255, 255))
    seen = [
        [
            int(whole.getpixel((left + scale * x + scale // 2, top + scale * y + scale // 2)) == (0, 0, 0))
            for x in range(len(wanted))
        ]
        for y in range(len(wanted))
    ]
    assert seen == [[int(bool(module)) for module in row] for row in wanted]


@pytest.mark.parametrize("name", ["Küche", "Кухня", "غرفة المعيشة", "厨房", "\N{COOKING}"])
def test_names_in_any_script_are_drawn(name: str) -> None:
    """A script without a font has boxes in its place."""
    assert not is_black(draw(Card(name), 1280, 720))


def test_a_box_without_fontconfig_has_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow brings a font of its own."""
    monkeypatch.setenv("PATH", "")
    assert not is_black(draw(Card("Kitchen", "http://192.168.1.20:8090"), 1280, 720))


def test_a_longer_name_is_written_smaller() -> None:
    """It takes 90 % of the width at most."""
    short, long = draw(Card("Kitchen"), 1920, 1080), draw(Card("Kitchen " * 7), 1920, 1080)
    assert long.height < short.height
    assert long.width <= 0.9 * 1920 + 1
