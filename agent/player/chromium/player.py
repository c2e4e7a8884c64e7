"""The daemon's end of a Chromium process: one page in one window, and whether it still draws."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from agent.config.logins import BoundLogin
from agent.config.web import WebSettings
from agent.errors import MediaError, PlayerTimeoutError, PlayerUnavailableError
from agent.page_options import PageOptions
from agent.player.base import Adoption, Media, Opened, Report
from agent.player.child import DONE_TIMEOUT_S, ChildPlayer
from agent.player.chromium.age import bytes_of, until_old
from agent.player.chromium.cdp import END, Cdp
from agent.player.chromium.command import FD
from agent.player.chromium.companion import Companion
from agent.player.chromium.cut import tail_of, waiting
from agent.player.chromium.login_secrets import Login, read_logins, socket_headers
from agent.player.chromium.page import Page
from agent.player.chromium.processes import Processes
from agent.player.chromium.reasons import crashed, hung, login_renewed
from agent.player.spawn import Child
from agent.player.tally import Tally
from agent.types import Failure, MediaType, StreamType
from agent.util.futures import new_future, resolve
from agent.util.threads import in_thread
from agent.util.waiting import first_of

DRAW_EVERY_S = 0.5
"""The pause between two pictures that a page is asked for to prove that it lives; each takes 33 ms, and next to no
processor."""

HUNG_AFTER_S = 5.0
"""The longest time without a picture. Large pages work for a second or two at a time on a small box; after this time,
people see that the page stands."""

CLEANED_WITHIN_S = 2.0
"""The longest wait for the 3-6 MB of a profile; a card that does not answer is left to the next start."""

log = structlog.get_logger(__name__)


class ChromiumPlayer(ChildPlayer):
    """A player that is a browser; see `agent.player.base.Player` for the contract. Pages do not end and have no
    position."""

    def __init__(self, child: Child, tally: Tally) -> None:
        super().__init__(child, tally)
        self._cdp = Cdp(self._tell, on_event=self._on_event)
        self._companion = Companion(self._cdp)
        self._page = Page(
            self._cdp,
            painted=self._on_painted,
            failed=self._fail,
            refused=self._on_refused,
            crashed=self._on_crashed,
            denied=tally.refused,
        )
        self._processes = Processes(self._cdp, ask=self._page.ask, crashed=self._on_crashed)
        self._entries: Sequence[BoundLogin] = ()
        self._logins: Sequence[Login] = ()
        self._adoption: Adoption | None = None
        self._refresh: float | None = None
        self._old: asyncio.Future[None] = new_future()
        self._version = self._user_agent = self._confinement = self._home = ""
        self._web = WebSettings()
        self._has_sound = False
        self._is_muted = False
        self._has_sandbox = True

    @property
    def engine(self) -> str:
        return "chromium"

    @property
    def progress(self) -> Report:
        return replace(self._progress, silence=self._page.silence)

    @property
    def features(self) -> Mapping[str, bool | str]:
        found: dict[str, bool | str] = {"sandbox": self._has_sandbox}
        return found | ({"confinement": self._confinement} if self._confinement else {})

    @property
    def version(self) -> str:
        """The version; empty until the browser has told it, some 0.5 s after its start."""
        return self._version

    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """Wait until the browser has an empty page, which is drawn in a window of its own."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_ready()
        except TimeoutError as e:
            raise PlayerTimeoutError(f"The browser had no page within {timeout_s:.0f} s.") from e
        return False

    async def load(self, media: Media, xid: int) -> None:
        if self._adoption is None:
            raise PlayerUnavailableError("A browser without a stage shows nothing.")
        await self._is_ready()
        await first_of(self._adoption.place(xid), self._until_gone())
        self._refresh, self._web = media.refresh, media.web
        self._is_muted = media.muted or not media.volume
        self._entries = media.logins
        self._logins = await read_logins(media.logins)
        if headers := socket_headers(self._logins):
            await self._unless_gone(self._companion.add_headers(headers))
        options = media.page or PageOptions()
        self._page.open(media.url, options, user_agent=self._user_agent, web=media.web, logins=self._logins)

    async def outdated(self) -> None:
        await asyncio.shield(self._old)

    async def go_to(self, media: Media) -> bool:
        """Go to another view of Home Assistant. An old browser does not, and its successor is a new one; nor does one
        that has scrolled, because Home Assistant begins each view at its top."""
        if self._old.done() or (media.page is not None and media.page.scroll is not None):
            return False
        has_gone: bool = await self._until_done(lambda then: self._page.go_to(media.url, then))
        return has_gone

    async def set_sound(self, on: bool) -> None:
        self._has_sound = on
        if self._web.input and self._adoption is not None:  # who is heard is what people look at
            self._page.allow_input(on)
            self._adoption.focus(on)
        await self._silence()

    async def set_volume(self, volume: float, muted: bool) -> None:
        """Mute or unmute the page. A page sets its own volume, so no other value has an effect."""
        self._is_muted = muted or not volume
        await self._silence()

    async def pause(self, on: bool) -> None:
        """Do nothing: a page has no pause."""

    async def seek(self, position: float) -> None:
        """Do nothing: a page has no position."""

    async def _is_ready(self) -> None:
        """Return when the browser has a page, which is silent."""
        await self._unless_gone(self._page.is_ready)
        await self._unless_gone(self._companion.is_ready)

    async def _silence(self) -> None:
        is_silent = not self._has_sound or self._is_muted
        await self._until_done(lambda then: self._companion.mute(is_silent, then=then))

    async def _until_done(self, begin: Callable[[Callable[[Any], None]], None]) -> Any:
        """The result that the callback was called with which `begin` gets. Raises PlayerTimeoutError."""
        done: asyncio.Future[Any] = new_future()
        begin(lambda result: resolve(done, result))
        try:
            async with asyncio.timeout(DONE_TIMEOUT_S):
                return await self._unless_gone(done)
        except TimeoutError as e:
            raise PlayerTimeoutError(f"The browser did not answer within {DONE_TIMEOUT_S:.0f} s.") from e

    # --- what every player process has ---

    @staticmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        return [part.replace(FD, str(fd)) for part in command]

    async def _begin(self) -> None:
        if self._adopt is not None:  # its window comes 0.3 s after its start at the earliest
            self._adoption = await self._adopt(self.pid)
        # Not waited for: what is said meanwhile waits in the socket.
        self._cdp.say("Browser.getVersion", then=self._on_version)
        self._page.find()

    def _ping(self) -> None:
        self._cdp.say("Browser.getVersion")

    async def _read_line(self) -> bytes:
        reader = self._child.reader
        while True:
            try:
                return await reader.readuntil(END)
            except asyncio.IncompleteReadError:
                return b""
            except asyncio.LimitOverrunError as e:  # an address or a body of megabytes, which is not needed
                head = await reader.readexactly(e.consumed)
                if waits := waiting(head, await tail_of(reader, head)):
                    self._page.hear(*waits)

    def _hear(self, line: bytes) -> None:
        self._cdp.hear(line)

    async def _clean_up(self) -> None:
        await super()._clean_up()
        self._processes.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # what was stopped when its browser died
            os.killpg(self.pid, signal.SIGKILL)
        if self._adoption is not None:
            await self._adoption.release()
        if home := self._home:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEANED_WITHIN_S):
                    await in_thread(lambda: shutil.rmtree(home, ignore_errors=True), name="page files")

    # --- what it says ---

    def _tell(self, message: bytes) -> None:
        if not self._gone.done():  # it may say more before its death is known
            self._write(message)

    def _on_event(self, event: str, about: Mapping[str, Any], session: str) -> None:
        if event == "launched":  # the launcher's only word, said before it became the browser
            self._confinement, self._home = str(about.get("confinement", "")), str(about.get("home", ""))
            self._has_sandbox = bool(about.get("sandbox"))
            if not self._has_sandbox:
                log.warning("page_sandbox_disabled", pid=self.pid)
            self._companion.load(str(about.get("extensions", "")))
        else:
            self._companion.hear(event, about, session)
            self._page.hear(event, about, session)
            self._processes.hear(event, about)

    def _on_version(self, result: Mapping[str, Any]) -> None:
        self._version = str(result.get("product", "")).rpartition("/")[2]
        self._user_agent = str(result.get("userAgent", ""))
        resolve(self._greeted, None)

    def _on_painted(self) -> None:
        if self._gone.done():
            return
        log.debug("page_painted", pid=self.pid)
        self._progress = Report(stream_type=StreamType.LIVE, at=asyncio.get_running_loop().time())
        resolve(self._opened, Opened(MediaType.WEB, has_audio=False))
        self._keep(self._watch_pictures(), "pictures")
        self._keep(self._grow_old(), "age")
        if self._refresh is not None:
            self._keep(self._reload(self._refresh), "reload")
        self._processes.look()

    def _on_crashed(self) -> None:
        """Kill the browser at once, before it paints that the page has crashed."""
        if not self._gone.done():
            self._child.strike()
            log.warning("page_crashed", pid=self.pid)
            self._is_gone(PlayerUnavailableError(crashed()))

    def _fail(self, failure: Failure) -> None:
        self._failed(MediaError(failure.code, failure.message, is_full=failure.is_full))

    def _on_refused(self, failure: Failure) -> None:
        self._keep(self._tell_refusal(failure), "login")

    async def _tell_refusal(self, failure: Failure) -> None:
        """Tell of the refusal, unless there is a new secret: the next attempt takes that."""
        is_renewed = await read_logins(self._entries) != self._logins
        self._fail(login_renewed(failure.message) if is_renewed else failure)

    async def _watch_pictures(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._gone.done():
            drawn = asyncio.Event()
            self._page.fit()
            self._page.draw(drawn.set)
            try:
                async with asyncio.timeout(HUNG_AFTER_S):
                    await drawn.wait()
            except TimeoutError:
                if not self._gone.done():
                    log.warning("page_stalled", pid=self.pid)
                self._is_gone(PlayerTimeoutError(hung(HUNG_AFTER_S)))
                return
            # The first one counts in any case: on a busy machine the white of before is seen until then.
            counts = self._page.is_connected or not self._progress.pictures
            self._progress = replace(self._progress, pictures=self._progress.pictures + counts, at=loop.time())
            await asyncio.sleep(DRAW_EVERY_S)

    async def _grow_old(self) -> None:
        why = await until_old(self._web.renew_at, lambda: bytes_of(self._processes.pids))
        log.info("page_outdated", pid=self.pid, why=why)
        resolve(self._old, None)

    async def _reload(self, every_s: float) -> None:
        while not self._gone.done():
            await asyncio.sleep(every_s)
            self._page.reload()

    async def _until_gone(self) -> None:
        raise await self.gone()
