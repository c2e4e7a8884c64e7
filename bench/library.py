"""A film of the library of a central API: from the last byte of its upload to the screen, and from the box's cache."""

from __future__ import annotations

import json
import struct
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from agent.reporting.central.enrol import enrol_now
from bench.agent import Agent
from bench.calls import Call
from bench.first_pixel import REST_S
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.central.support.process import CentralProcess, central_process
from tests.support.clips import Clips
from tests.support.tools import wait_until

COLOUR, FILM_S = "green", 10
ON_SCREEN_S, RATIO = 3.0, 1.1
CHECKED_S, KEPT_S = 30.0, 30.0
"""A check takes 0.2 s here, and so does a fetch, which begins within a second."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a film is not shown or not kept, OSError when a call is refused."""
    film = Clips().film_mp4(COLOUR, FILM_S)
    with tempfile.TemporaryDirectory(prefix="bench-library-") as name:
        folder = Path(name)
        shelf_folder = str(folder / "library")
        with central_process(f"sqlite:///{folder / 'central.db'}", CAST_CENTRAL_LIBRARY__DIR=shelf_folder) as central:
            shelf = _Shelf(central)
            enrol_now(central.url, central.command("enrol"), folder=folder / "state", name="bench")
            told = {
                "CAST_AGENT_STATE__DIR": str(folder / "state"),
                "CAST_AGENT_PLAYER__MEDIA_FOLDERS": json.dumps([str(film.parent)]),
            }
            with Agent(lab.agent_eye.display, lab.env, told) as agent:
                uploads = _uploads(lab, agent, shelf, film)
                cached, local = _cached(lab, agent, shelf, film)
    ratio = cached.over(local)
    rows = (
        ("uploaded: from its last byte to the screen", Series.of([s * 1000 for s in uploads.values]).text(), ""),
        ("from the cache of the box: first pixel", Series.of([s * 1000 for s in cached.values]).text(), ratio.text(2)),
        ("from a local file: first pixel", Series.of([s * 1000 for s in local.values]).text(), ""),
    )
    on_screen = f"an uploaded film is on the screen within {ON_SCREEN_S:g} s"
    return Point(
        name="library",
        title="A film of the central API's library, ms",
        table=Table(("film", "ms: median [quartiles] range", "cache / local file"), rows),
        bars=(
            Bar(on_screen, uploads.high <= ON_SCREEN_S, f"longest {uploads.high:.2f} s"),
            Bar(f"from the cache at most {RATIO} x a local file", ratio.median <= RATIO, f"{ratio.median:.2f}"),
        ),
        notes=(
            f"{lab.scale.pixel_rounds} rounds over loopback; ratios are taken within a round. The central API, on",
            "SQLite and a folder, looks at each upload (size, hash, ffprobe) first; nothing is transcoded.",
        ),
        raw={"uploads_s": uploads.values, "cached_s": cached.values, "local_s": local.values},
    )


def _uploads(lab: Lab, agent: Agent, shelf: _Shelf, film: Path) -> Series:
    """Seconds from the last byte of films that the box has never seen to their first pixel."""
    seconds = []
    for number in range(lab.scale.pixel_rounds):
        lab.say(f"uploaded films, {number + 1} of {lab.scale.pixel_rounds}")
        _rest(agent)
        video_id = shelf.upload(_with_another_hash(film, number))
        began = time.perf_counter()
        shelf.check(video_id)
        seconds.append(_seen(lab, agent, {"video_id": video_id}) - began)
    return Series.of(seconds)


def _cached(lab: Lab, agent: Agent, shelf: _Shelf, film: Path) -> tuple[Series, Series]:
    """Seconds from the command to the first pixel: from the cache, and from a local file."""
    video_id = shelf.upload(film.read_bytes())
    shelf.check(video_id)
    _rest(agent)
    _seen(lab, agent, {"video_id": video_id})
    wait_until(lambda: _is_kept(agent, video_id), timeout_s=KEPT_S, what="the film to be kept")
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(lab.scale.pixel_rounds):
        lab.say(f"films from the cache, {number + 1} of {lab.scale.pixel_rounds}")
        for asked, seconds in zip(({"video_id": video_id}, {"url": film.as_uri()}), times, strict=True):
            _rest(agent)
            began = time.perf_counter()
            seconds.append(_seen(lab, agent, asked) - began)
    return Series.of(times[0]), Series.of(times[1])


def _rest(agent: Agent) -> None:
    agent.stop()
    agent.wait_spare()
    time.sleep(REST_S)


def _seen(lab: Lab, agent: Agent, asked: dict[str, Any]) -> float:
    """The time at which the film is on the screen."""
    call = Call(agent.port, "POST", "/start", asked)
    seen = lab.agent_eye.first_seen(COLOUR, timeout_s=SEEN_S)
    if (answer := call.answer()).status != 200:
        raise RuntimeError(f"/start was answered {answer.status}: {answer.body}")
    return seen


def _is_kept(agent: Agent, video_id: str) -> bool:
    videos = agent.call("GET", "/cache").body["videos"]
    return any(video["id"] == video_id and video["complete"] for video in videos)


def _with_another_hash(film: Path, number: int) -> bytes:
    """The film with a box at its end that players leave out (ISO/IEC 14496-12, 8.1.2)."""
    return film.read_bytes() + struct.pack(">I4sQ", 16, b"free", number)


class _Shelf:
    """The library, as an admin fills it."""

    def __init__(self, central: CentralProcess) -> None:
        self._url = central.url
        self._key = central.command("key", "add", "bench")

    def upload(self, content: bytes) -> str:
        """Upload a film. Returns its id once its last byte was taken."""
        body = json.dumps({"title": "A film", "type": "video/mp4", "size": len(content)}).encode()
        video_id = str(self._call("POST", "", body)["id"])
        self._call("PUT", f"/{video_id}/content?offset=0", content)
        return video_id

    def check(self, video_id: str) -> None:
        """Have it checked, and return when it can be played. Raises TimeoutError."""
        self._call("POST", f"/{video_id}/complete", b"")
        wait_until(
            lambda: self._call("GET", f"/{video_id}")["state"] == "ready",
            timeout_s=CHECKED_S,
            what="the check of a film",
        )

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        asked = urllib.request.Request(f"{self._url}/api/v1/videos{path}", data=body, method=method)  # noqa: S310
        asked.add_header("Authorization", f"Bearer {self._key}")
        with urllib.request.urlopen(asked, timeout=CHECKED_S) as answer:  # noqa: S310 - the address is ours
            return json.loads(answer.read() or b"null")
