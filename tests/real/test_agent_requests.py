"""Bad requests and secrets, while a film is on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__start_timeout=2) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@dataclass(frozen=True)
class Bad:
    status: int
    code: str
    body: object = None
    field: str | None = None
    """The field that the answer names."""
    method: str = "POST"
    path: str = "/start"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


FILM = "http://nas.local/film.mp4"

BAD = [
    Bad(422, "invalid_request", b"{url:", ""),
    Bad(422, "invalid_request", b"\xff\xfe\x00", ""),
    Bad(422, "invalid_request", b"[" * 30_000, ""),
    Bad(422, "invalid_request", b"[]", ""),
    Bad(422, "invalid_request", b"", "url"),
    Bad(422, "invalid_request", {}, "url"),
    Bad(422, "invalid_request", {"url": 5}, "url"),
    Bad(422, "invalid_request", {"url": ""}, "url"),
    Bad(422, "invalid_request", {"url": "/srv/film.mp4"}, "url"),
    Bad(422, "invalid_request", {"url": "film.mp4"}, "url"),
    Bad(422, "invalid_request", {"url": "http/dump://nas.local/film.mp4"}, "url"),
    Bad(422, "invalid_request", {"url": "javascript://x/"}, "url"),
    Bad(422, "invalid_request", {"url": "dvd:///dev/sr0"}, "url"),
    Bad(422, "invalid_request", {"url": "v4l2:///dev/video0"}, "url"),
    Bad(422, "invalid_request", {"url": "file:///etc/passwd"}, "url"),
    Bad(422, "invalid_request", {"url": "http://nas.local/" + "a" * 2100}, "url"),
    Bad(422, "invalid_request", {"url": "http://nas.local/a\nb"}, "url"),
    Bad(422, "invalid_request", {"url": "http://nas.local/\x00"}, "url"),
    Bad(422, "invalid_request", {"url": "http://nas.local/\ud800"}, "url"),
    Bad(422, "invalid_request", {"url": "http://nas.local:99999/"}, "url"),
    Bad(422, "invalid_request", {"url": "http:///film.mp4"}, "url"),
    Bad(422, "invalid_request", {"url": FILM, "quality": "8k"}, "quality"),
    Bad(422, "invalid_request", {"url": FILM, "duration": -1}, "duration"),
    Bad(422, "invalid_request", {"url": FILM, "duration": "soon"}, "duration"),
    Bad(422, "invalid_request", b'{"url": "http://nas.local/x", "duration": NaN}', ""),
    Bad(422, "invalid_request", {"url": FILM, "volume": 11}, "volume"),
    Bad(422, "invalid_request", {"url": FILM, "title": "x" * 201}, "title"),
    Bad(422, "invalid_request", {"url": FILM, "titel": "Door"}, "titel"),
    Bad(422, "invalid_request", {"url": FILM}, "wait", path="/start?wait=-1"),
    Bad(422, "invalid_request", {"session_id": 7}, "session_id", path="/stop"),
    Bad(413, "payload_too_large", b'{"url": "http://x/", "title": "' + b"x" * 70_000 + b'"}'),
    Bad(405, "method_not_allowed", method="GET"),
    Bad(405, "method_not_allowed", {"url": FILM}, method="PUT"),
    Bad(404, "not_found", {"url": FILM}, path="/begin"),
    Bad(403, "forbidden_origin", {"url": FILM}, headers={"Origin": "http://evil.example"}),
    Bad(403, "forbidden_host", {"url": FILM}, headers={"Host": "evil.example"}),
]


def test_bad_requests_leave_the_film_on(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """Each request is answered 4xx with its code and the field, and after each the film still moves on the screen."""
    film = agent.start(media_server.file_url(media_server.clips.film_mp4("red", 60)))["session_id"]
    for bad in BAD:
        answer = agent.call(bad.method, bad.path, bad.body, headers=bad.headers)
        problem = answer.json
        assert (answer.status, problem["code"]) == (bad.status, bad.code), (bad, problem)
        assert {"type", "title", "status", "detail", "instance"} <= problem.keys()
        if bad.field is not None:
            assert bad.field in [error["field"] for error in problem["errors"]], (bad, problem)
        wait_moves(screen, "red")
    status = agent.status()
    assert (status["stream"]["session_id"], status["on_screen"], status["last"]) == (film, film, None)
    assert len(agent.log("start_accepted")) == 1
    assert [e for e in agent.log() if e["level"] in ("error", "critical")] == []


PASSWORD, TOKEN = "hunter2Correct", "tok5ecretHorse"


def test_credentials_are_shown_nowhere(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A password and a token in the URL of a stream that plays, fails, breaks or is refused are used, and are in no
    answer and in no line of the log."""
    said = []

    def start(path: str, *, userinfo: str = f"admin:{PASSWORD}", expect: int = 200) -> None:
        said.append(json.dumps(agent.start(media_server.url(path, userinfo=userinfo), expect=expect)))
        said.append(json.dumps(agent.status()))
        said.append(json.dumps(agent.health()))

    start(f"/film/red.mp4?token={TOKEN}")
    wait_moves(screen, "red")
    start(f"/basic-auth/film.mp4?token={TOKEN}", userinfo="user:pass")
    wait_moves(screen, "red")
    assert media_server.requests("/basic-auth")[-1].headers["authorization"].startswith("Basic ")
    assert media_server.requests("/basic-auth")[-1].query == f"token={TOKEN}"
    for path in ("/basic-auth/film.mp4", "/status/404", "/status/500", "/garbage", "/page.html"):
        start(f"{path}?token={TOKEN}", expect=502)
    start(f"/list.m3u?entry=file://admin:{PASSWORD}@nas/film.mp4&token={TOKEN}", expect=502)
    start(f"/status/401?access_token={TOKEN}&password={PASSWORD}", expect=502)
    inner = media_server.url("/status/403", userinfo=f"admin:{PASSWORD}")
    start(f"/redirect?to={inner}&token={TOKEN}", expect=502)
    start(f"/never?token={TOKEN}", expect=502)
    for url in (
        f"rtsp://admin:{PASSWORD}@127.0.0.1:1/cam?token={TOKEN}",
        f"http://admin:{PASSWORD}@no-such-host.invalid/?key={TOKEN}",
    ):
        said.append(json.dumps(agent.start(url, expect=502)))
    for url in (
        f"http://admin:{PASSWORD}@127.0.0.1:99999/?token={TOKEN}",
        f"htp://admin:{PASSWORD}@nas.local/?token={TOKEN}",
        f"http://admin:{PASSWORD}@na s.local/?token={TOKEN}",
        f"file://admin:{PASSWORD}@/?token={TOKEN}",
    ):
        said.append(json.dumps(agent.start(url, expect=422)))
    said.append(agent.call("POST", f"/start?token={TOKEN}", {"url": FILM}).content.decode())
    everything = "\n".join([*said, json.dumps(agent.status()), (agent.folder / "log").read_text()])
    assert "start_accepted" in everything
    for secret in (PASSWORD, TOKEN, "user:pass"):
        assert [line for line in everything.splitlines() if secret in line] == []
