"""The cameras that are to be kept ready, where none can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.player.camera.keeper import MEMORY_NEEDED, ReadyCameras
from agent.player.camera.messages import CAMERAS_LIMIT, WANTED_LIMIT, decode_wanted, encode_wanted
from agent.player.confine import Confinement
from cast_util.tasks import Supervisor
from tests.support.tools import until

CAMERA = "rtsp://me:hunter2@camera/1"


def make(*, is_installed: bool = True, missing: str = "", memory: Callable[[], int] = lambda: 0) -> ReadyCameras:
    async def locate(url: str) -> str:
        return url

    return ReadyCameras(
        confinement=Confinement(folder="/nowhere"),
        locate=locate,
        supervisor=Supervisor(),
        is_installed=lambda: is_installed,
        player_missing=lambda: missing,
        memory=memory,
    )


@pytest.mark.parametrize(
    ("is_installed", "missing", "says"),
    [
        (False, "", "PyAV is not installed"),
        (True, "mpv is not installed.", "mpv is not installed"),
        (True, "", "Memory is short"),
    ],
)
async def test_what_keeps_it_from_them_is_told_of_each(is_installed: bool, missing: str, says: str) -> None:
    cameras = make(is_installed=is_installed, missing=missing, memory=lambda: MEMORY_NEEDED - 1)
    running = asyncio.create_task(cameras.run())
    cameras.keep({CAMERA: "door", "rtsp://garden": "garden"})
    await until(lambda: all(camera.problem for camera in cameras.health), what="the reason")
    assert [(camera.preset, camera.url) for camera in cameras.health] == [
        ("door", "rtsp://***@camera/1"),
        ("garden", "rtsp://garden"),
    ]
    for camera in cameras.health:
        assert says in (camera.problem or "")
        assert "start goes to the camera itself" in (camera.problem or "")
    assert cameras.address(CAMERA) is None
    running.cancel()


async def test_the_first_ones_are_kept_and_the_others_say_why_not() -> None:
    cameras = make()
    cameras.keep({f"rtsp://camera/{number}": f"door-{number}" for number in range(CAMERAS_LIMIT + 2)})
    problems = [camera.problem for camera in cameras.health]
    assert problems[:CAMERAS_LIMIT] == [None] * CAMERAS_LIMIT
    assert all("the most there may be" in (problem or "") for problem in problems[CAMERAS_LIMIT:])
    assert len(problems) == CAMERAS_LIMIT + 2


def test_the_longest_addresses_fit_into_one_line() -> None:
    wanted = {f"{number:016x}": "rtsp://" + "\u4e2d" * 2041 for number in range(CAMERAS_LIMIT)}
    line = encode_wanted(wanted)
    assert len(line) <= WANTED_LIMIT
    assert decode_wanted(line) == wanted
