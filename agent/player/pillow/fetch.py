"""The bytes of a picture, from a web server or a media folder, or why there are none."""

from __future__ import annotations

import os
import socket
import ssl
from functools import cache
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

import httpx

from agent.host import trust
from agent.player import reasons
from agent.types import ErrorCode, Failure

SIZE_LIMIT = 128 * 1024 * 1024
"""Bytes. A photograph of 100 megapixels takes 60 MB at the most."""

SILENCE_S = 15.0
"""Without a byte. How long a whole start may take is the daemon's affair."""

REDIRECTS_LIMIT = 10

_PIECE = 256 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "cast-agent", "Accept": "image/*, */*;q=0.5"}
_STREAMS = ("multipart/", "video/", "audio/")
"""Answers that are no picture, whatever comes: some of them never end."""
_PAGE = "text/html"


class NoPictureError(Exception):
    """There is no picture to show."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


trusted = cache(trust.trusted)
"""The certificates of this box. It takes 50 ms, so it is called before they are needed."""


def fetch(url: str) -> bytes:
    """The content of this http, https or file address. Blocks. Raises NoPictureError."""
    try:
        return _read_file(url) if url.startswith("file:") else _get(url)
    except (httpx.HTTPError, OSError) as error:
        raise NoPictureError(_reason(error, url)) from error


def _read_file(url: str) -> bytes:
    path = Path(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    _check_size(len(data))
    return data


def _get(url: str) -> bytes:
    address, login = _without_login(url)
    auth: httpx.Auth | None = None
    with httpx.Client(verify=trusted(), timeout=SILENCE_S, headers=_HEADERS) as client:
        for _ in range(REDIRECTS_LIMIT):
            with client.stream("GET", address, auth=auth) as answer:
                if answer.status_code == 401 and login and auth is None and _origin(address) == _origin(url):
                    auth = _auth(login, answer.headers.get_list("WWW-Authenticate"))
                    continue
                if answer.status_code in _REDIRECTS and (to := answer.headers.get("Location")):
                    address, auth = urljoin(address, to), None
                    if urlsplit(address).scheme not in ("http", "https"):
                        leads = "The address leads to one that is neither http nor https, which is not followed."
                        raise NoPictureError(Failure(ErrorCode.MEDIA_FORBIDDEN, leads))
                    continue
                return _body(answer, url)
    raise NoPictureError(_explained("redirection loop", url))


def _auth(login: tuple[str, str], challenges: list[str]) -> httpx.Auth:
    """The method that the server asks for; Basic, which sends the password in clear, only where it offers no other. A
    password that is refused is not sent again, because that locks accounts."""
    methods = {challenge.split(" ", 1)[0].lower() for challenge in challenges}
    return httpx.DigestAuth(*login) if "digest" in methods else httpx.BasicAuth(*login)


def _body(answer: httpx.Response, url: str) -> bytes:
    if answer.status_code != 200:
        raise NoPictureError(_explained(f"HTTP {answer.status_code} error", url))
    kind = answer.headers.get("Content-Type", "").lower()
    if kind.startswith(_PAGE):
        raise NoPictureError(reasons.web_page(url))
    if kind.startswith(_STREAMS):
        raise NoPictureError(reasons.nothing_shown(url))
    data = bytearray()
    for piece in answer.iter_bytes(_PIECE):
        data += piece
        _check_size(len(data))
    return bytes(data)


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _check_size(size: int) -> None:
    if size > SIZE_LIMIT:
        limit = f"A picture may have {SIZE_LIMIT // 2**20} MiB, and this one has more. Make it smaller."
        raise NoPictureError(Failure(ErrorCode.MEDIA_UNSUPPORTED, limit))


def _reason(error: httpx.HTTPError | OSError, url: str) -> Failure:
    """The same sentences as of the other engines."""
    first: BaseException = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause  # httpx has the error of the system at the bottom of its own
    if isinstance(first, ssl.SSLCertVerificationError):
        return _explained(f"certificate {first.verify_message}", url)
    if isinstance(first, ssl.SSLError):
        return _explained(f"TLS handshake: {first}", url)
    if isinstance(first, socket.gaierror):
        return _explained(f"cannot resolve {urlsplit(url).hostname} : ", url)
    if isinstance(error, httpx.TimeoutException):
        return _explained("Connection timed out", url)
    if isinstance(first, OSError) and first.errno:
        what = os.strerror(first.errno)
        return _explained(f"cannot open file x ({what})" if url.startswith("file:") else what, url)
    return _explained("Connection reset", url)


def _explained(line: str, url: str) -> Failure:
    return reasons.explain([line], url) or Failure(ErrorCode.MEDIA_NETWORK, f"The picture cannot be fetched: {line}.")
