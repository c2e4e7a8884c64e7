"""The time after which fifty open pages know of a change on the screen, and their cost."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from types import TracebackType

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.processes import cpu_s
from bench.report import Bar, Point, Table
from tests.support.tools import wait_until

CLIENTS = 50
LATE_S = 0.300
CPU_LIMIT = 0.02
"""The limit for all of them, as a part of one core."""


class Followers:
    """Open connections to /events, read by one thread; `arrivals` has the moments at which each event came."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets = [_follow(port) for _ in range(count)]
        self._rests = dict.fromkeys(self._sockets, b"")
        self.arrivals: dict[bytes, list[float]] = {}
        for connection in self._sockets:
            self._selector.register(connection, selectors.EVENT_READ)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Followers:
        self._thread.start()
        wait_until(lambda: self.count(b"snapshot") == len(self._sockets), timeout_s=SEEN_S, what="every client")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
        for connection in self._sockets:
            connection.close()
        self._selector.close()

    def count(self, kind: bytes) -> int:
        return len(self.arrivals.get(kind, ()))

    def _read(self) -> None:
        while not self._closing.is_set():
            for key, _ in self._selector.select(0.2):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                data = connection.recv(1 << 16)
                now = time.perf_counter()
                if not data:
                    self._selector.unregister(connection)
                *lines, self._rests[connection] = (self._rests[connection] + data).split(b"\r\n")
                for line in lines:
                    if line.startswith(b"event: "):
                        self.arrivals.setdefault(line.removeprefix(b"event: "), []).append(now)


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when an event does not come or nothing is shown."""
    lateness: list[float] = []
    pair = (lab.media.mp4, lab.media.hls)
    with Agent(lab.agent_eye.display, lab.env) as agent:
        lab.say("what the daemon uses without clients of /events")
        alone = _cpu(lab, agent)
        with Followers(agent.port, CLIENTS) as followers:
            lab.say(f"what it uses with {CLIENTS}")
            followed = _cpu(lab, agent)
            for number in range(max(lab.scale.pixel_rounds, 2)):
                lab.say(f"a change on the screen in {CLIENTS} clients, round {number + 1}")
                agent.wait_spare()
                followers.arrivals.clear()
                stream = pair[number % 2]
                agent.start(stream.url)
                seen = lab.agent_eye.first_seen(stream.colour, timeout_s=SEEN_S)
                wait_until(lambda: followers.count(b"first_frame") == CLIENTS, timeout_s=SEEN_S, what="first_frame")
                lateness += [max(0.0, arrival - seen) for arrival in followers.arrivals[b"first_frame"]]
            agent.stop()
    late, cost = Series.of(lateness), max(0.0, followed - alone)
    rows = (
        ("event after the picture, ms", *(f"{s * 1000:.1f}" for s in (late.median, late.percentile(95), late.high))),
    )
    return Point(
        name="followers",
        title=f"{CLIENTS} clients of /events",
        table=Table(("what", "p50", "p95", "longest"), rows),
        bars=(
            Bar(
                f"a change on the screen in {CLIENTS} clients within {LATE_S * 1000:.0f} ms at the 95th percentile",
                late.percentile(95) <= LATE_S,
                f"{late.percentile(95) * 1000:.1f} ms of {len(late.values)}",
            ),
            Bar(
                f"{CLIENTS} clients cost under {CPU_LIMIT * 100:.0f} % of a core while nothing happens",
                cost < CPU_LIMIT,
                f"{cost * 100:.2f} % (daemon {alone * 100:.2f} % without, {followed * 100:.2f} % with them)",
            ),
        ),
        notes=("0 ms is an event that was there before the picture was seen.",),
        raw={"lateness_s": lateness, "cpu_of_core": {"alone": alone, "followed": followed}},
    )


def _cpu(lab: Lab, agent: Agent) -> float:
    began, before = time.monotonic(), cpu_s(agent.pid)
    time.sleep(lab.scale.usage_s)
    return (cpu_s(agent.pid) - before) / (time.monotonic() - began)


def _follow(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=SEEN_S)
    connection.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection
