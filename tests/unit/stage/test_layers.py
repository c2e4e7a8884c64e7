"""The order of windows by layer, and places as parts of a screen."""

from __future__ import annotations

import pytest

from agent.stage.base import Layer, Place
from agent.stage.layers import Layers
from agent.stage.screen import Area


def test_what_is_above_is_told_from_the_top_down() -> None:
    """Of each layer the window that was shown last is the topmost."""
    layers = Layers()
    assert layers.put(1, Layer.OVERLAY) == []
    assert layers.put(2, Layer.TOP) == []
    assert layers.put(3, Layer.OVERLAY) == [2]
    assert layers.put(4, Layer.STREAM) == [2, 3, 1]
    assert layers.put(5, Layer.STREAM) == [2, 3, 1], "windows of the same layer are below it"
    assert layers.put(1, Layer.OVERLAY) == [2], "one that is shown again is the topmost of its layer"
    assert layers.put(4, Layer.STREAM) == [2, 1, 3]
    layers.drop(2)
    layers.drop(2)
    assert layers.put(5, Layer.STREAM) == [1, 3]


def test_places_side_by_side_leave_no_gap() -> None:
    """Whatever the number of pixels, three thirds fill the screen."""
    screen = Area(10, 20, 1919, 1079)
    thirds = [screen.part(Place(x=n / 3, width=1 / 3)) for n in range(3)]
    assert thirds[0].x == 10
    assert [a.x + a.width for a in thirds] == [thirds[1].x, thirds[2].x, 10 + 1919]
    assert {(a.y, a.height) for a in thirds} == {(20, 1079)}


@pytest.mark.parametrize("place", [Place(), Place(0.5, 0.25, 0.5, 0.75), Place(0.9999, 0.9999, 0.0001, 0.0001)])
def test_a_place_stays_on_the_screen(place: Place) -> None:
    """It has a pixel at least, and none beyond the edge."""
    area = Area(0, 0, 640, 360).part(place)
    assert 0 <= area.x < area.x + area.width <= 640
    assert 0 <= area.y < area.y + area.height <= 360


@pytest.mark.parametrize("bad", [{"x": -0.1}, {"x": 0.6, "width": 0.5}, {"width": 0.0}, {"y": 1.0, "height": 0.1}])
def test_a_place_beyond_the_screen_is_refused(bad: dict[str, float]) -> None:
    """The sentence says what a place may be."""
    with pytest.raises(ValueError, match=r"between 0\.0 and 1\.0"):
        Place(**bad)
