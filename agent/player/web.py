"""Requests of players that are ours to web servers: certificates are checked, redirects are followed within HTTP, and a
password is sent only to the server that it is for, once that has asked for it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from types import TracebackType
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import httpx

from agent.host import trust
from agent.player import reasons
from agent.types import ErrorCode, Failure

SILENCE_S = 15.0
"""Without a byte. How long a whole start may take is the daemon's affair."""

REDIRECTS_LIMIT = 10

_REDIRECTS = (301, 302, 303, 307, 308)
_GOOD = (200, 206)


class WebError(Exception):
    """The address cannot be read."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


trusted = cache(trust.trusted)
"""The certificates of this box. It takes 50 ms, so it is called before they are needed."""


class Web:
    """The requests for one address, and for those that it leads to. A context manager; one thread uses it."""

    def __init__(self, url: str, *, accept: str = "*/*") -> None:
        self._url = url
        _, self._login = _without_login(url)
        self._auths: dict[_Origin, httpx.Auth] = {}
        """What the servers that have asked for a password get."""
        headers = {"User-Agent": "cast-agent", "Accept": accept}
        self._client = httpx.Client(verify=trusted(), timeout=SILENCE_S, headers=headers)

    def __enter__(self) -> Web:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._client.close()

    def ask(self, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The good answer of this http or https address; its body is still to be read, and it is to be closed. Blocks,
        SILENCE_S for each step. Raises WebError."""
        try:
            return self._ask(url, headers or {})
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise WebError(reason(error, url)) from error

    def _ask(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        address, login = _without_login(url)
        if login is None and _origin(address) == _origin(self._url):
            login = self._login
        first = _origin(address)
        for _ in range(REDIRECTS_LIMIT):
            origin = _origin(address)
            auth = self._auths.get(origin)
            answer = self._client.send(
                self._client.build_request("GET", address, headers=headers), auth=auth, stream=True
            )
            if answer.status_code in _GOOD:
                return answer
            answer.close()
            if answer.status_code == 401 and login and auth is None and origin == first:
                self._auths[origin] = _auth(login, answer.headers.get_list("WWW-Authenticate"))
            elif answer.status_code in _REDIRECTS and (to := answer.headers.get("Location")):
                address = urljoin(address, to)
                if urlsplit(address).scheme not in ("http", "https"):
                    leads = "The address leads to one that is neither http nor https, which is not followed."
                    raise WebError(Failure(ErrorCode.MEDIA_FORBIDDEN, leads))
            else:
                raise WebError(explained(f"HTTP {answer.status_code} error", url))
        raise WebError(explained("redirection loop", url))


_Origin = tuple[str, str | None, int | None]


def reason(error: httpx.HTTPError | httpx.InvalidURL | OSError, url: str) -> Failure:
    """The same sentences as of the other engines."""
    first: BaseException = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause  # httpx has the error of the system at the bottom of its own
    if isinstance(first, ssl.SSLCertVerificationError):
        return explained(f"certificate {first.verify_message}", url)
    if isinstance(first, ssl.SSLError):
        return explained(f"TLS handshake: {first}", url)
    if isinstance(first, socket.gaierror):
        return explained(f"cannot resolve {urlsplit(url).hostname} : ", url)
    if isinstance(error, httpx.TimeoutException):
        return explained("Connection timed out", url)
    if isinstance(first, OSError) and first.errno:
        what = os.strerror(first.errno)
        return explained(f"cannot open file x ({what})" if url.startswith("file:") else what, url)
    return explained("Connection reset", url)


def explained(line: str, url: str) -> Failure:
    """The failure that this line of a log stands for."""
    return reasons.explain([line], url) or Failure(ErrorCode.MEDIA_NETWORK, f"The address cannot be read: {line}.")


def _auth(login: tuple[str, str], challenges: list[str]) -> httpx.Auth:
    """The method that the server asks for; Basic, which sends the password in clear, only where it offers no other. A
    password that is refused is not sent again, because that locks accounts."""
    methods = {challenge.split(" ", 1)[0].lower() for challenge in challenges}
    return httpx.DigestAuth(*login) if "digest" in methods else httpx.BasicAuth(*login)


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
