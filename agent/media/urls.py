"""URLs: what they are made of, which the agent may call, and which may be played."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import idna

from agent.errors import FieldError, FileAwayError, InvalidRequestError

NETWORK_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms", "mmsh")
"""Every network scheme that can be allowed. Files are another matter: media folders govern them."""

_HOME_ASSISTANT_PATHS = ("/api/", "/local/", "/media/local/")
_HOME_ASSISTANT_ADVICE = (
    "Send the whole address, such as http://homeassistant.local:8123/api/tts_proxy/message.mp3; docs/home-assistant.md "
    'says how to get it for messages and media ("Spoken messages, and the media browser").'
)

MAX_URL_LENGTH = 2048
"""Characters. What browsers, proxies and media servers take without trouble."""


def with_code(url: str, code: str) -> str:
    """The URL with what lets a viewer in at a media server that asks for the join code of a stream.

    RTSP sends it as a password, when it is asked. A player of HLS does not send a password with every segment, so there
    it stands in the query, which MediaMTX carries through its playlists. Other URLs, and those with credentials, are
    left alone.
    """
    scheme, _, rest = url.partition("://")
    if "@" in authority_of(rest):
        return url
    if scheme in ("rtsp", "rtsps"):
        return f"{scheme}://code:{code}@{rest}"
    if scheme in ("http", "https"):
        address, _, query = rest.partition("?")
        return f"{scheme}://{address}?{query}{'&' if query else ''}code={code}"
    return url


def check_central_url(url: str) -> str:
    """The address of a central API, without a slash at its end.

    https, or http to an address of this machine or of a private network; a host name is looked at when it is resolved
    (`is_private`). Raises ValueError that says what it should be.
    """
    scheme, rest = _check_http(url.strip().rstrip("/"), at_stake="read the token")
    if "@" in rest:
        raise ValueError("should hold no user name and no password; the token is kept apart")
    if "?" in rest or "#" in rest:
        raise ValueError("should end with the host, a port or a path")
    return f"{scheme}://{rest}"


def check_webhook_url(url: str) -> str:
    """The address that a webhook is sent to; by the rules of `check_central_url`, but with credentials and a query if
    it has any. Raises ValueError that says what it should be."""
    url = url.strip()
    if len(url) > MAX_URL_LENGTH or not url.isprintable() or "#" in url or " " in url:
        raise ValueError(f"should be at most {MAX_URL_LENGTH:,} characters long, without blanks and #")
    scheme, rest = _check_http(url, at_stake="read what it is sent")
    return f"{scheme}://{rest}"


def origin(url: str) -> str:
    """Its scheme and its host with the port: what may be told of an address whose path is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def authority_of(rest: str) -> str:
    """The part of a URL between `://` and the path."""
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def is_address(host: str) -> bool:
    """Return True if the host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_private(address: str) -> bool:
    """Return True if an IP address belongs to this machine or to a private network."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in _PRIVATE)


_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
            # For tests and documentation: routers do not forward them.
            *("192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
        ),
    )
)
"""The private networks. Python calls others private in `ipaddress`, and changes those from one version to the next."""


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """The rules on what may be played. `file` URLs are governed by the folders alone, whatever the schemes are."""

    allowed_schemes: tuple[str, ...] = NETWORK_SCHEMES
    media_folders: tuple[Path, ...] = ()
    """Absolute."""

    def check(self, url: str) -> str:
        """The URL to play: trimmed, scheme in lower case, host and path in ASCII, a file by its real path.

        For a `file` URL it reads the file system, which can block: call it from a thread.
        Raises InvalidRequestError, field `url`: a sentence that says what to do and holds no credentials. It is a
        FileAwayError where the same URL may be played another time.
        """
        url = url.strip(" \t\r\n")
        if not url:
            _refuse("The url is empty. Give the address of what to play, such as http://nas.local/film.mp4.")
        if len(url) > MAX_URL_LENGTH:
            _refuse(f"The url is longer than {MAX_URL_LENGTH:,} characters. Give a shorter address.")
        if any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in url):
            _refuse("The url holds a control character or a broken one. Copy the address again, in one line.")
        match = _SCHEME.match(url)
        if url.startswith(_HOME_ASSISTANT_PATHS):
            _refuse(f"This is a path inside Home Assistant: put its address before it. {_HOME_ASSISTANT_ADVICE}")
        if match is None:
            example = f"{self.allowed_schemes[0]}://nas.local/film.mp4"
            _refuse(f"The url must be absolute and begin with one of {self._schemes()}. Give it whole: {example}")
        scheme, rest = match[1].lower(), url[match.end() :]
        if scheme == "file":
            return self._check_file(rest)
        if scheme == "media-source":
            _refuse(f"Only Home Assistant knows what a media-source:// address leads to. {_HOME_ASSISTANT_ADVICE}")
        if scheme not in self.allowed_schemes:
            _refuse(self._about_scheme(scheme))
        return f"{scheme}://{_check_network(scheme, rest)}"

    @staticmethod
    def is_file(url: str) -> bool:
        """Return True if the check of this URL reads the file system."""
        return url.strip().lower().startswith("file:")

    def folder_of(self, url: str) -> Path | None:
        """The media folder that a `file` URL names, without a look at the disk; None for one that names none."""
        path = "/" + url.strip().partition("://")[2].partition("/")[2]
        named = Path(os.path.normpath(os.fsdecode(unquote_to_bytes(path.encode(errors="replace")))))
        return next((folder for folder in self.media_folders if named.is_relative_to(folder)), None)

    def _schemes(self) -> str:
        schemes = (*self.allowed_schemes, "file") if self.media_folders else self.allowed_schemes
        return ", ".join(f"{scheme}://" for scheme in schemes) or "nothing (allowed_schemes is empty)"

    def _about_scheme(self, scheme: str) -> str:
        if scheme in NETWORK_SCHEMES:
            return (
                f"{scheme}:// is switched off on this device. To allow it, add it to allowed_schemes in the "
                "section [player] of the configuration and restart cast-agent."
            )
        close = difflib.get_close_matches(scheme, self.allowed_schemes, n=1)
        hint = f" Did you mean {close[0]}://?" if close else ""
        return f"The url must begin with one of {self._schemes()}.{hint}"

    def _check_file(self, rest: str) -> str:
        host, slash, path = rest.partition("/")
        if host.lower() not in ("", "localhost"):
            _refuse("A file url names no host: write file:///folder/film.mp4, with three slashes.")
        if not slash or "?" in path or "#" in path:
            _refuse("A file url is file:///folder/film.mp4; in file names write ? as %3F and # as %23.")
        try:
            # The real path, or a link below a media folder would lead anywhere.
            real = _real(Path(os.fsdecode(b"/" + unquote_to_bytes(path))))
            # Other folders are looked at only where no folder holds it by its name: their disks may hang.
            allowed = any(real.is_relative_to(folder) for folder in self.media_folders) or any(
                real.is_relative_to(_real(folder)) for folder in self.media_folders
            )
            # Outside the folders the answer does not reveal whether a file exists.
            found = allowed and _is_file(real)
        except (OSError, ValueError):  # too long, no permission, a circle of links; a NUL byte
            _refuse("The path of the file cannot be followed. Check the url.")
        if not allowed:
            _refuse(
                "Files are played only from the media folders. Add the file's folder to media_folders in the "
                "section [player] of the configuration and restart cast-agent."
            )
        if not found:
            _refuse(
                "There is no such file in the media folders. Check its name and that the disk is mounted.",
                FileAwayError,
            )
        return real.as_uri()


def _real(path: Path) -> Path:
    """The path without links. Unlike Path.resolve, which does so before Python 3.13 only, it never raises for a
    circle."""
    return Path(os.path.realpath(path))


def _is_file(path: Path) -> bool:
    """Return False if there is no such file. Raises OSError if that cannot be seen, which Path.is_file does or not,
    by the Python."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")
# Control characters, line and paragraph separators, and halves of surrogate pairs (JSON can carry those).
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Zl", "Zp", "Cs"})
# These listen as well as connect: `udp://@:5004`, `srt://:9000`. With a port they need no host.
_LISTENING_SCHEMES = frozenset({"udp", "rtp", "srt"})
_CREDENTIALS_HINT = " If the user name or the password holds : / ? # or @, write %3A %2F %3F %23 or %40."
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:[0-9]*)?")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_USERINFO_SAFE = "!$&'()*+,;=:%~|^{}"
_PATH_SAFE = _USERINFO_SAFE + "/?#@[]\\"


def _check_http(url: str, *, at_stake: str) -> tuple[str, str]:
    """The scheme, and the rest of the URL. Raises ValueError that says what it should be."""
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in ("https", "http") or not separator:
        raise ValueError("should begin with https:// (or http:// within your own network)")
    try:
        checked = _check_network(scheme, rest)
        host = urlsplit(f"{scheme}://{checked}").hostname or ""
    except (InvalidRequestError, ValueError):
        raise ValueError("should be an address such as https://receiver.example.org") from None
    if scheme == "http" and is_address(host) and not is_private(host):
        raise ValueError(f"should begin with https://, because on its way there anybody could {at_stake}")
    return scheme, checked


def _check_network(scheme: str, rest: str) -> str:
    authority = authority_of(rest)
    userinfo, at, address = authority.rpartition("@")
    hint = _CREDENTIALS_HINT if "@" in rest else ""
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        _refuse(f"The host or the port in the url cannot be understood.{hint}")
    host, port = match[1], match[2] or ""
    if len(port) > 1 and not 1 <= int(port[1:]) <= 65535:
        _refuse(f"The port in the url must be a number from 1 to 65535.{hint}")
    if host or scheme not in _LISTENING_SCHEMES or len(port) < 2:
        host = _check_host(host, hint)
    path = quote(rest[len(authority) :], safe=_PATH_SAFE)
    return f"{quote(userinfo, safe=_USERINFO_SAFE)}{at}{host}{port}{path}"


def _check_host(host: str, hint: str) -> str:
    if not host:
        _refuse(f"The url has no host. Write it after the two slashes, such as http://nas.local/film.mp4.{hint}")
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(unquote(host[1:-1]))
            return host
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode("ascii")
    except ValueError:  # IDNAError and AddressValueError are ValueErrors
        _refuse(f"The host name in the url is not a valid one. Check the spelling.{hint}")
    if len(host) > 253 or _HOST_NAME.fullmatch(host) is None:
        _refuse(f"The host name in the url is not a valid one. Check the spelling.{hint}")
    return host


def _refuse(message: str, kind: type[InvalidRequestError] = InvalidRequestError) -> NoReturn:
    # `from None`: the error underneath would show what was asked for, credentials included.
    raise kind(message, (FieldError("url", message),)) from None
