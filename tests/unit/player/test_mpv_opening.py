"""The ways in which mpv opens an address, and what its end means: its log decides, no mpv is needed."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

import pytest

from agent.player.base import Media
from agent.player.mpv.ending import failure_at_end
from agent.player.mpv.facts import Facts
from agent.player.mpv.json_ipc import JsonIpc
from agent.player.mpv.log_reader import LogReader
from agent.player.mpv.opening import Opening, Way
from agent.types import ErrorCode, MediaType, Quality

CAMERA = "rtsp://admin:secret@cam.local/live"
NO_TCP = "method SETUP failed: 461 Unsupported Transport"
NO_STREAMS = "No video or audio streams selected."
WRONG_PASSWORD = "method DESCRIBE failed: 401 Unauthorized"


class Bench:
    def __init__(self, url: str = CAMERA) -> None:
        self.said: list[list[Any]] = []
        self.relays: list[str] = []
        self.log = LogReader(lambda: 0.0)
        line = JsonIpc(self._write, on_event=lambda _: None)
        self.opening = Opening(line, self.log, keep=self._keep, failed=lambda _: None)
        self.opening.url = url

    def _write(self, line: bytes) -> None:
        self.said.append(json.loads(line)["command"])

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        work.close()
        self.relays.append(name)

    def fails(self, *lines: str) -> bool:
        """Return True if mpv is made to open the media again after it has logged these lines."""
        for line in lines:
            self.log.read(line)
        return self.opening.try_again(None)


def test_each_way_is_tried_once_and_none_before_it_again() -> None:
    """The ways are TCP, then UDP, then the password told in another way, then sound alone; then it has failed."""
    bench = Bench()
    assert bench.fails(NO_TCP)
    assert (bench.opening.way, bench.said[0]) == (Way.UDP, ["set_property", "rtsp-transport", "udp"])
    assert bench.said[-1][0] == "loadfile"
    assert not bench.fails(NO_TCP)
    assert bench.fails(WRONG_PASSWORD)
    assert (bench.opening.way, bench.relays) == (Way.RELAY, ["relayed"])
    assert not bench.fails(WRONG_PASSWORD)
    assert bench.fails(NO_STREAMS)
    assert bench.opening.way is Way.PROBE
    assert ["set_property", "ao", "null"] in bench.said
    assert not bench.fails(NO_STREAMS, NO_TCP, WRONG_PASSWORD)


def test_an_address_without_a_password_has_none_to_tell_in_another_way() -> None:
    """The camera wants one, and the caller has to give it."""
    assert not Bench("rtsp://cam.local/live").fails(WRONG_PASSWORD)


async def test_a_height_is_chosen_here_but_not_of_a_camera() -> None:
    """A camera has one picture, and mpv would wait for a list of tracks."""
    film, camera = Bench(), Bench()
    await film.opening.begin(Media("http://nas.local/a.m3u8", Quality.HD, volume=1.0, muted=False, position=7.0))
    await camera.opening.begin(Media(CAMERA, Quality.HD, volume=1.0, muted=False))
    assert (film.opening.chooses_rendition, camera.opening.chooses_rendition) == (True, False)
    assert film.said[-2:] == [["set_property", "start", "7.000"], ["loadfile", "http://nas.local/a.m3u8"]]


@pytest.mark.parametrize(
    ("file_format", "at", "size", "line", "whole"),
    [
        ("mp4", 99.0, None, "", True),
        ("mp4", 40.0, None, "", False),
        ("mp4", 40.0, 5000, "", True),
        ("mp4", 40.0, 5000, "Stream ends prematurely at 4000, should be 5000", False),
        ("hls", 40.0, None, "", True),
        ("hls", 40.0, 300, "HTTP error 404 Not Found", False),
    ],
)
def test_a_film_has_finished_near_its_end_or_when_all_of_it_came(
    file_format: str, at: float, size: int | None, line: str, whole: bool
) -> None:
    """Its length is only a claim: of 100 s it was shown `at`, and `size` bytes were announced."""
    facts, log = Facts(lambda: 0.0), LogReader(lambda: 0.0)
    facts.kind, facts.duration = MediaType.VIDEO, 100.0
    facts.observed("seekable", True)
    facts.observed("time-pos", at)
    log.read(line)
    failure = failure_at_end(facts, log, "http://nas.local/film.mp4", file_format=file_format, size=size)
    assert (failure is None) is whole
    assert failure is None or failure.code is ErrorCode.MEDIA_NETWORK
