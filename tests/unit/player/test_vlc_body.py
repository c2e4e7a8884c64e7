"""The check that libVLC got all that a web server announced."""

from __future__ import annotations

import pytest

from agent.player.vlc.body import Body

REFUSED = "cannot seek (to offset 602)"


def answer(status: int = 200, length: int | None = 1000) -> str:
    said = "" if length is None else f"content-length: {length}\r\n"
    return f"incoming response:\nHTTP/1.1 {status} OK\r\nServer: nas\r\n{said}\r\n"


@pytest.mark.parametrize(
    ("lines", "read", "whole"),
    [
        ([answer()], 1000, True),
        ([answer()], 999, False),
        ([answer(), answer(206, 920)], 1920, True),
        ([answer(), answer(206, 600)], 1000, False),  # it broke off at 400, and once more at once
        ([answer(), answer(416, 0)], 1000, True),
        ([answer(302, 5), answer()], 1000, True),
        ([answer(), answer(), REFUSED], 1000, True),  # the server has no ranges: its second answer is not read
        ([answer(), answer(), REFUSED], 999, False),
        ([answer(), answer(), REFUSED, answer(), REFUSED, answer()], 1500, False),
        ([answer(), answer(), REFUSED, answer(), REFUSED, answer()], 2000, True),
        ([answer(length=None)], 1_000_000, False),
        ([], 1000, False),
        (["using access module file"], 1000, False),
    ],
)
def test_what_came_is_compared_with_what_was_announced(lines: list[str], read: int, whole: bool) -> None:
    body = Body()
    for line in lines:
        body.read(line)
    assert body.is_whole(read) is whole
