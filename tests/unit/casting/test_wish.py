"""A wish over a stored one: which fields of a preset are left when a caller has its own."""

from __future__ import annotations

import pytest

from agent.casting.wish import Wish, over
from agent.page_options import PageOptions, PageTurn
from agent.types import ShownAs

STORED = Wish(
    url="http://panel.lan/a",
    title="Wall",
    shown_as=ShownAs.PAGE,
    page=PageOptions(zoom=2.0, seconds=10.0, then=(PageTurn("http://panel.lan/b"),)),
)


@pytest.mark.parametrize(
    ("wish", "page"),
    [
        (Wish(title="Wall"), STORED.page),
        (Wish(page=PageOptions(dark=True)), PageOptions(dark=True)),
        (Wish(url=" HTTP://panel.lan/c"), PageOptions(zoom=2.0)),
        (Wish(url="http://panel.lan/c", page=PageOptions(dark=True)), PageOptions(dark=True)),
        (Wish(url="http://panel.lan/c", shown_as=ShownAs.PAGE), PageOptions(zoom=2.0)),
    ],
)
def test_another_page_is_shown_as_the_stored_one_was(wish: Wish, page: PageOptions | None) -> None:
    """The pages that followed went with the address."""
    found = over(STORED, wish)
    assert (found.shown_as, found.page, found.title) == (ShownAs.PAGE, page, "Wall")
    assert found.url == (wish.url or STORED.url)


@pytest.mark.parametrize("wish", [Wish(url="rtsp://camera/1"), Wish(code="K7QF2M"), Wish(video_id="1")])
def test_what_can_be_no_page_is_played_as_a_stream(wish: Wish) -> None:
    found = over(STORED, wish)
    assert (found.shown_as, found.page, found.url, found.code) == (None, None, wish.url, wish.code)


def test_a_page_in_place_of_a_film_says_so_itself() -> None:
    film = Wish(url="http://nas.lan/film.mp4", volume=0.5)
    assert over(film, Wish(url="http://panel.lan/c")) == Wish(url="http://panel.lan/c", volume=0.5)
