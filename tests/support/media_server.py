"""A media server on loopback with every way to fail that the field knows, controllable while it serves.

It runs in a thread and an event loop of its own, so a busy test does not slow it and blocking test code may use it.
What it serves is in `media_routes`; how each answer can go wrong is in `behaviour`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from tests.support.behaviour import GOOD, LOOK_AGAIN_S, WRITER, Behaviour, BodyWriter, Record
from tests.support.clips import Clips
from tests.support.media_routes import MediaRoutes
from tests.support.running import Started

START_S = 5.0
"""Binding a port takes milliseconds; the rest is for a loaded machine."""
STOP_S = 5.0


class MediaServer(Started):
    """`with MediaServer(clips) as server: server.url("/live.ts")`. All methods may be called from any thread."""

    def __init__(self, clips: Clips, *, port: int = 0) -> None:
        self.clips = clips
        self.routes = MediaRoutes(clips)
        self.port = port
        self._behaviours: dict[str, Behaviour] = {}
        self._records: list[Record] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._turn, name="media-server", daemon=True)

    def start(self) -> None:
        """Serve on its port of 127.0.0.1, or on a free one if that is 0. Raises what went wrong."""
        self._thread.start()
        self._call(self._open(), START_S)

    def stop(self) -> None:
        """Break every connection and end the thread. Idempotent."""
        if not self._loop.is_closed() and self._thread.is_alive():
            self._call(self._close(), STOP_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_S)
        if not self._loop.is_running() and not self._loop.is_closed():
            self._loop.close()

    def url(self, path: str = "/", *, userinfo: str = "") -> str:
        """The URL of a path; `userinfo` is `user:password`."""
        at = f"{userinfo}@" if userinfo else ""
        return f"http://{at}127.0.0.1:{self.port}{path}"

    def file_url(self, file: Path) -> str:
        """The URL of a file of the clips' cache, such as `server.file_url(clips.film_mp4("red"))`."""
        return self.url(f"/media/{quote(str(file.relative_to(self.clips.folder)))}")

    def behave(self, path: str, behaviour: Behaviour) -> None:
        """Give everything whose path begins with `path` this behaviour from now on, also bodies that are being sent
        already.

        The longest beginning wins; `behave(path, GOOD)` mends it.
        """
        with self._changed:
            self._behaviours[path] = behaviour

    def reset(self) -> None:
        """Forget every behaviour and every request, and let the live HLS go on: as good as new."""
        with self._changed:
            self._behaviours.clear()
            self._records.clear()
        self.routes.resume_live_hls()

    def requests(self, path: str = "") -> list[Record]:
        """The requests so far whose path begins with `path`, oldest first."""
        with self._changed:
            return [record for record in self._records if record.path.startswith(path)]

    def wait_request(self, path: str, *, timeout_s: float, count: int = 1) -> Record:
        """The `count`-th request whose path begins with `path`. Raises TimeoutError. Blocks: not for a loop."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._matching(path)) >= count, timeout_s):
                raise TimeoutError(f"No request number {count} for {path} within {timeout_s} s")
            return self._matching(path)[count - 1]

    async def request_seen(self, path: str, *, timeout_s: float, count: int = 1) -> Record:
        """`wait_request` for a test on an event loop."""
        return await asyncio.to_thread(self.wait_request, path, timeout_s=timeout_s, count=count)

    def sockets(self) -> set[str]:
        """The server's own descriptors as /proc/self/fd names them: no leak check may complain about them."""
        if self._runner is None or self._runner.server is None:
            return set()
        names = set()
        for connection in list(self._runner.server.connections):
            if connection.transport is None:
                continue
            raw = connection.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it may be closed at this moment
                names.add(os.readlink(f"/proc/self/fd/{raw.fileno()}"))
        return names

    def _matching(self, path: str) -> list[Record]:
        return [record for record in self._records if record.path.startswith(path)]

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None], timeout_s: float) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    async def _open(self) -> None:
        app = web.Application(middlewares=[self._front])
        self.routes.add_to(app)
        # Held answers would otherwise keep the clean-up waiting for a minute.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    def _behaviour_of(self, request: web.Request) -> Behaviour:
        with self._changed:
            fitting = [path for path in self._behaviours if request.path.startswith(path)]
            set_ = self._behaviours[max(fitting, key=len)] if fitting else GOOD
        return set_.with_query(request)

    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        record = Record(
            path=request.path,
            query=request.query_string,
            method=request.method,
            headers={name.lower(): value for name, value in request.headers.items()},
            at=time.monotonic(),
        )
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()
        request[WRITER] = BodyWriter(request, record, lambda: self._behaviour_of(request))
        try:
            behaviour = self._behaviour_of(request)
            await asyncio.sleep(behaviour.delay_s)
            while self._behaviour_of(request).never:
                await asyncio.sleep(LOOK_AGAIN_S)
            if behaviour.status is not None:
                response: web.StreamResponse = web.Response(status=behaviour.status, text="As the test wants it\n")
            else:
                response = await handler(request)
            record.status = response.status
            return response
        except web.HTTPException as answer:
            record.status = answer.status
            raise
        finally:
            record.finished_at = time.monotonic()
