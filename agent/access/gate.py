"""The gate: whether a key is needed, whose key a request brings, and what those are told who are not let in."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import structlog

from agent.access.key_ring import KeyRing
from agent.access.keys import KeyFile, KeysError
from agent.access.pairing import Pairing, link_to
from agent.access.throttle import Refusals
from agent.access.uses import UseLog
from agent.config.settings import ApiSettings
from agent.errors import AgentError, StorageError
from agent.types import Auth, ErrorCode, Failure
from agent.util.threads import Threads
from cast_util.tasks import Supervisor

WATCH_EVERY_S: Final = 2.0
"""Every request looks for itself; this is for those who want to be told, such as mDNS."""

T = TypeVar("T")

PAGE_PREFIX: Final = "page-"
"""Begins the name of each key of a signed-in page."""

MAKE_KEY_TIMEOUT_S: Final = 10.0
"""Another command may hold the file for 5 s, and a slow card takes half a second."""

CHANGES_AT_ONCE: Final = 8
"""Pages that sign in: strangers who try links meanwhile are to fill no memory while a disk hangs."""

log = structlog.get_logger(__name__)


class PageKey(NamedTuple):
    """A key of its own for the page on one device."""

    name: str
    key: str


class GateError(AgentError):
    """The caller is not let in; the text says what to do."""

    def __init__(self, code: ErrorCode, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self._code = code
        self.headers: Final = headers or {}
        """Additional headers of the answer."""
        self.first = False
        """True if this address was not refused for the same reason shortly before."""

    @property
    def failure(self) -> Failure:
        return Failure(self._code, str(self))


class Gate:
    """Decides who gets in. `settings` returns the [api] section in force."""

    def __init__(
        self,
        file: KeyFile,
        *,
        settings: Callable[[], ApiSettings],
        supervisor: Supervisor | None = None,
        uses: Iterable[UseLog] = (),
    ) -> None:
        """The last uses are written to `uses`, beside those of the keys."""
        self._supervisor = supervisor or Supervisor()
        self._file = file
        self._ring = KeyRing(file)
        self._pairing = Pairing(file.path.parent)
        self._threads = Threads("keys", limit=CHANGES_AT_ONCE)
        self._settings = settings
        self.on_change: Callable[[], None] = lambda: None
        """Called when `auth` is another one, within 2 s."""
        self._refusals = Refusals()
        self._task: asyncio.Task[None] | None = None
        self._uses = UseLog(file)
        self._other_uses = tuple(uses)
        self._told: Auth | None = None

    @property
    def auth(self) -> Auth:
        """The credentials that a caller from the network needs now."""
        self._ring.look()
        if self._settings().auth == "none":
            return Auth.NONE
        return Auth.KEY if self._ring.needed else Auth.CLOSED

    def start(self) -> None:
        """Begin to watch, and to keep when keys were used."""
        self._task = self._supervisor.start(self._watch, name="gate")

    async def stop(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def admit(
        self, keys: Sequence[str], *, peer: str, port: int, proxied: bool = False, local_without_key: bool = False
    ) -> str | None:
        """The name of the one of these keys that is known, None where none is needed. Raises GateError.

        `peer` is the caller's address, empty when it is gone; `port` is ours. `proxied`: the peer only passes it on.
        With `local_without_key` this machine needs none.
        """
        match self.auth:
            case Auth.NONE:
                return None
            case Auth.CLOSED:
                _check_loopback("" if proxied else peer, port=port)
                return None
        if not keys:
            if local_without_key and not proxied and _is_loopback(peer):
                return None
            raise _no_key()
        for key in map(self._ring.find, keys):
            if key is not None:  # whatever others behind the same address have sent
                self._uses.note(key)
                return key.name
        raise self._refused(peer, _wrong_key())

    async def sign_in(self, key: str, *, device: str, peer: str, port: int, proxied: bool = False) -> PageKey | None:
        """Make a key for the page on a device of this kind (such as `android`) if `key` is known; None where no key is
        needed. Raises GateError, StorageError."""
        if self.admit([key], peer=peer, port=port, proxied=proxied) is None:
            return None
        return await self._make_page_key(device)

    async def pair(self, token: str, *, device: str, peer: str) -> PageKey:
        """Make a key for the page on a device of this kind, which has the token of a pairing link. Raises GateError,
        StorageError."""
        if not (self._pairing.take_shown(token) or await self._change(partial(self._pairing.take, token))):
            raise self._refused(peer, _wrong_link())
        return await self._make_page_key(device)

    def pairing_url(self, base: str) -> str | None:
        """The link to be shown on the screen of the box at `base`, such as `http://192.168.1.20:8090`; None where
        nobody needs a key, and in protected mode, which a passer-by is not to end."""
        return link_to(base, self._pairing.screen_token()) if self.auth is Auth.KEY else None

    async def sign_out(self, name: str) -> None:
        """Revoke the key of a page. Raises StorageError."""
        await self._change(partial(self._file.revoke, name))
        log.info("page_signed_out", name=name)

    async def _make_page_key(self, device: str) -> PageKey:
        name = f"{PAGE_PREFIX}{device}-{secrets.token_hex(3)}"
        key = await self._change(partial(self._file.add, name))
        log.info("page_signed_in", name=name)
        return PageKey(name, key)

    async def _change(self, work: Callable[[], T]) -> T:
        try:
            return await self._threads.call(work, timeout_s=MAKE_KEY_TIMEOUT_S)
        except (TimeoutError, RuntimeError) as error:
            raise StorageError("The disk with the keys does not answer. Look at the state directory.") from error
        except KeysError as error:
            raise StorageError(str(error)) from error

    def _refused(self, peer: str, error: GateError) -> GateError:
        """Return this error, or the one for an address from which too many wrong keys came."""
        wait_s = self._refusals.wrong_key(peer)
        return _too_many(wait_s) if wait_s else error

    def is_first(self, peer: str, code: ErrorCode) -> bool:
        """Return True if this caller was not refused with this code lately, so the log reports it."""
        return self._refusals.is_first(peer, code)

    def look(self) -> None:
        """See whether something else is needed to get in, and tell."""
        auth = self.auth
        if auth is self._told:
            return
        level = log.warning if auth is Auth.NONE else log.info
        level("access_mode_changed", auth=auth, hint=_HINTS[auth])
        self._told = auth
        self.on_change()

    async def _watch(self) -> None:
        while True:
            self.look()
            for uses in (self._uses, *self._other_uses):
                await uses.write()
            await asyncio.sleep(WATCH_EVERY_S)


_HINTS: Final = {
    Auth.NONE: 'auth = "none" under [api]: anyone who can reach the port can put anything on the screen.',
    Auth.KEY: "Callers need a key; cast-agent key list shows them.",
    Auth.CLOSED: "Protected mode: only this machine is answered until cast-agent key add NAME has made a key.",
}


def _check_loopback(peer: str, *, port: int) -> None:
    """Raise GateError (`protected_mode`) unless the peer address is of this box's own loopback."""
    if not _is_loopback(peer):
        raise GateError(
            ErrorCode.PROTECTED_MODE,
            "This box is in protected mode and answers only itself. Make a key on it (cast-agent key add NAME) and "
            "send that as `Authorization: Bearer KEY`; until then it can be called from the box itself, and not "
            f"through a proxy, as http://127.0.0.1:{port}.",
        )


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _no_key() -> GateError:
    return GateError(
        ErrorCode.UNAUTHORIZED,
        "This box asks for a key. Send one as `Authorization: Bearer KEY` or as `X-API-Key: KEY`; to get one, run "
        "cast-agent key add NAME on the box.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _wrong_key() -> GateError:
    return GateError(
        ErrorCode.UNAUTHORIZED,
        "This box does not know the key that was sent: it was revoked, or it was not copied whole. Run "
        "cast-agent key add NAME on the box to get a new one.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _wrong_link() -> GateError:
    return GateError(
        ErrorCode.UNAUTHORIZED,
        "This pairing link is not valid any more: it was used, or it is older than 5 minutes. Run cast-agent pair on "
        "the box to get a new one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _too_many(wait_s: float) -> GateError:
    seconds = math.ceil(wait_s)
    return GateError(
        ErrorCode.TOO_MANY_REQUESTS,
        f"Too many wrong keys came from this address: send the next one in {seconds} s. A right key is let in at any "
        "time; cast-agent key list on the box shows which there are.",
        headers={"Retry-After": str(seconds)},
    )
