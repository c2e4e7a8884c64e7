"""One connection to an X server, on one thread of its own, with every call bounded in time."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agent.errors import PlayerUnavailableError
from agent.stage.displays import DisplayAddress
from agent.stage.guests import REQUESTS, Guests
from agent.stage.handshake import connect
from agent.stage.xcb import Xcb, xcffib, xproto
from agent.util.waiting import to_the_end

T = TypeVar("T")

CALL_LIMIT_S = 2.0
"""The slowest call, the pixels of a 4K screen, takes 33 ms here: a server that needs longer than this hangs."""
OPEN_LIMIT_S = 2.5
"""All displays that are tried at one attempt, together; each has a second of its own."""
CLOSE_LIMIT_S = 1.5
"""The thread is free as soon as its socket is shut down; only connect() to a full backlog waits out its second."""

_log = structlog.get_logger(__name__)


class Connection:
    """One-shot: opened once, lost once, never used again. All methods but `tell` are for the event loop's thread."""

    def __init__(self, *, on_event: Callable[[Any], None], on_lost: Callable[[], None]) -> None:
        self._on_event = on_event
        self.guests = Guests()
        """Those inside the windows of this connection; for its thread."""
        self._on_lost = on_lost
        self.on_event_here: Callable[[Xcb, Any], None] | None = None
        """Called first with each event, on the connection's thread: for what cannot wait until the loop has its turn.
        Raises no protocol errors."""
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._reason = ""
        self._addresses: Sequence[DisplayAddress] = ()
        self._address: DisplayAddress | None = None
        self._socket: socket.socket | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._jobs: deque[tuple[Callable[[Xcb], Any], asyncio.Future[Any]]] = deque()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._opened: asyncio.Future[DisplayAddress] = self._expect()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread: threading.Thread | None = None

    @property
    def reason(self) -> str:
        """The reason why the connection was lost, as a sentence; empty while it lives."""
        return self._reason

    async def open(
        self, addresses: Sequence[DisplayAddress], environ: Mapping[str, str], *, authority: Path | None = None
    ) -> DisplayAddress:
        """Connect to the first display that answers, and return which one that was; `authority` as in `connect`.

        Raises PlayerUnavailableError, with the reason of the first display that did not answer.
        """
        # A thread of our own, and not an executor's: the interpreter must be able to exit while X hangs.
        self._addresses = addresses
        thread = threading.Thread(target=self._run, args=(environ, authority), name="x11", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # out of threads: that passes
            raise PlayerUnavailableError(
                f"cast-agent cannot connect to a display ({error}); it tries again."
            ) from error
        self._thread = thread
        self._address = await self._bounded(self._opened, OPEN_LIMIT_S)
        return self._address

    async def call(self, work: Callable[[Xcb], T]) -> T:
        """Run `work` on the connection's thread, after all that was submitted before.

        Raises PlayerUnavailableError when the connection is or gets lost, or when the call takes over 2 s, after
        which the connection counts as lost; and what `work` raises, such as xcffib's protocol errors.
        """
        return await self._bounded(self.post(work), CALL_LIMIT_S)

    def post(self, work: Callable[[Xcb], T]) -> asyncio.Future[T]:
        """Have `work` run on the connection's thread; nobody has to wait for it, and a failure may be ignored."""
        future: asyncio.Future[T] = self._expect()
        if self._lost.is_set():
            future.set_exception(PlayerUnavailableError(self._reason))
        else:
            self._jobs.append((work, future))
            os.eventfd_write(self._wake, 1)
        return future

    async def lost(self) -> None:
        """Return when the connection is lost or closed."""
        await self._lost.wait()

    async def close(self) -> None:
        """End the connection, and with it everything that was made through it, also when the caller is cancelled
        meanwhile. Idempotent; 1.5 s at most."""
        self._lose("The display was released.")
        if self._thread is not None:
            await to_the_end(self._wait_ended())

    async def _wait_ended(self) -> None:
        await asyncio.wait([self._ended], timeout=CLOSE_LIMIT_S)

    async def _bounded(self, future: asyncio.Future[T], limit_s: float) -> T:
        # asyncio.wait, and not wait_for: an answer that came while the loop itself was late still counts.
        await asyncio.wait([future], timeout=limit_s)
        if not future.done():
            address = self._address or self._addresses[0]
            self._lose(
                f"The X server of the display {address.name} does not answer: it hangs or is stopped. Restart it "
                f"({address.restart}); cast-agent takes the screen as soon as it answers."
            )
        return future.result()

    def _expect(self) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        future.add_done_callback(_look_at)
        return future

    def _lose(self, reason: str) -> None:
        if self._lost.is_set():
            return
        self._reason = reason
        self._lost.set()
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(PlayerUnavailableError(reason))
        if self._thread is None or self._ended.done():
            self._finish()
        else:
            os.eventfd_write(self._wake, 1)
            self._hang_up()
        self._on_lost()

    def _hang_up(self) -> None:
        """Shut the socket down: whatever the thread waits for in libxcb then returns with an error."""
        if self._socket is not None:
            with suppress(OSError):  # it is closed, or the server was first
                self._socket.shutdown(socket.SHUT_RDWR)

    def _finish(self) -> None:
        """Finish once the thread is gone, or if it never was."""
        if self._socket is not None:
            self._socket.close()
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1

    # Below here runs on the connection's thread.

    def _run(self, environ: Mapping[str, str], authority: Path | None) -> None:
        xcb: Xcb = None
        reason = ""
        try:
            address, xcb = self._first(environ, authority)
            self.tell(_resolve, self._opened, address, None)
            name = address.name
            reason = (
                f"The X server of the display {name} went away. cast-agent takes the screen again as soon as it is "
                f"back; if it stays away, start it ({address.restart})."
            )
            self._serve(xcb)
        except PlayerUnavailableError as error:
            reason = str(error)
            self.tell(_resolve, self._opened, None, error)
        except xcffib.ConnectionException:
            pass  # the server went away, or we hung up: `reason` says the one, and `_lose` knows the other
        except Exception as error:
            _log.exception("display_thread_failed")
            reason = f"The display failed unexpectedly ({error}). Please report this."
        finally:
            if xcb is not None:
                xcb.disconnect()
            self.tell(self._over, reason)

    def _first(self, environ: Mapping[str, str], authority: Path | None) -> tuple[DisplayAddress, Xcb]:
        refusal: PlayerUnavailableError | None = None
        for address in self._addresses:
            if self._lost.is_set():
                break
            try:
                return address, connect(address, environ, announce=self._announce, authority=authority)
            except PlayerUnavailableError as error:
                refusal = refusal or error
            except OSError as error:  # out of descriptors: that passes
                text = f"cast-agent cannot connect to the display {address.name} ({error.strerror}); it tries again."
                refusal = refusal or PlayerUnavailableError(text)
            except xcffib.XcffibException as error:  # it went away between the greeting and the first request
                text = f"The X server of the display {address.name} closed the connection. Look at its log."
                refusal = refusal or PlayerUnavailableError(text)
                refusal.__cause__ = refusal.__cause__ or error
        raise refusal or PlayerUnavailableError("The display was released.")

    def _announce(self, line: socket.socket) -> None:
        self._socket = line
        if self._lost.is_set():  # lost while there was nothing yet to hang up
            self._hang_up()

    def _serve(self, xcb: Xcb) -> None:
        poller = select.poll()
        poller.register(xcb.get_file_descriptor(), select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while not self._lost.is_set():
            self._take_events(xcb)
            poller.poll()  # ends with every job, every event, the server's end and `_lose`
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            while self._jobs and not self._lost.is_set():
                self._do(xcb, *self._jobs.popleft())

    def _do(self, xcb: Xcb, work: Callable[[Xcb], Any], future: asyncio.Future[Any]) -> None:
        try:
            result = work(xcb)
            xcb.flush()
        except xcffib.ConnectionException:
            raise
        except Exception as error:
            self.tell(_resolve, future, None, error)
        else:
            self.tell(_resolve, future, result, None)

    def _take_events(self, xcb: Xcb) -> None:
        while True:
            try:
                event = xcb.poll_for_event()
            except xcffib.ConnectionException:
                raise
            except (xcffib.XcffibException, LookupError, StopIteration) as error:
                # An unchecked request failed (a player's window died first), or an event that xcffib does not know.
                _log.debug("display_event_skipped", error=repr(error))
                continue
            if event is None:
                return
            if isinstance(event, xproto.DestroyNotifyEvent):
                self.guests.forget(xcb, event.window)
            if isinstance(event, REQUESTS):
                self.guests.obey(xcb, event)
                continue
            if self.on_event_here is not None:
                self.on_event_here(xcb, event)
            self.tell(self._on_event, event)

    def _over(self, reason: str) -> None:
        self._ended.set_result(None)
        if self._lost.is_set():
            self._finish()
        else:
            self._lose(reason)

    def tell(self, tell: Callable[..., None], *arguments: Any) -> None:
        """Have `tell` called on the event loop."""
        with suppress(RuntimeError):  # the loop is closed, so no caller waits
            self._loop.call_soon_threadsafe(tell, *arguments)


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _look_at(future: asyncio.Future[Any]) -> None:
    """Mark the outcome as seen: whoever waited may have been cancelled, and asyncio would complain."""
    if not future.cancelled():
        future.exception()
