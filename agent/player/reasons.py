"""The reasons why a source could not be played: log lines, made into a code and a sentence for a person.

The wordings are those of libVLC 3.0 (modules/access/http, modules/access/http.c, src/network, modules/misc/gnutls.c,
src/input/decoder.c); other engines put theirs into these, so that people read the same sentences. `libvlc_errmsg` is
useless; the log has the reason before the error event comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from agent.types import ErrorCode, Failure

_HTTP_STATUS = re.compile(r"HTTP (\d{3}) error|error: HTTP/\S+ (\d{3})|Failed reading \S+: HTTP/\S+ (\d{3})")
_NO_SUCH_FILE = re.compile(r"cannot open file .*\((.+)\)")
_RESOLVE = re.compile(r"cannot resolve (\S+?)(?: port \d+)? ?: ")
_NO_PLACE = {429, 453, 458}
"""Too many requests; RTSP's "not enough bandwidth"; what panels of IPTV answer beyond the connections they sell."""
_CODEC = re.compile(r"[Cc]odec [`'\"](\w+)[`'\"]? \(?([^)]*)\)? is not supported|could not decode the format \"(\w+)")

_AS_PAGE = 'add "as": "page" to the start (on the command line --as page).'


def explain(lines: Iterable[str], url: str) -> Failure | None:
    """The most telling reason in these log lines (oldest first), or None when they hold none."""
    text = "\n".join(lines)
    where = source_name(url)
    if m := _HTTP_STATUS.search(text):
        return _http(int(next(g for g in m.groups() if g)), where)
    if m := _RESOLVE.search(text):
        return failure(ErrorCode.MEDIA_NETWORK, _unresolved(m[1], is_silent="Temporary failure" in text))
    for needle, sentence in (
        ("Connection refused", "{} refused the connection: is the server running, and is the port right?"),
        ("No route to host", "There is no route to {}: is it switched on and in the same network?"),
        ("Network is unreachable", "The network of {} cannot be reached: is this box connected?"),
        ("Connection timed out", "{} does not answer: is it switched on, and is the address right?"),
        ("Connection reset", "{} closed the connection."),
    ):
        if needle in text:
            return failure(ErrorCode.MEDIA_NETWORK, sentence.format(where))
    if "redirection loop" in text:
        return failure(ErrorCode.MEDIA_NETWORK, f"{where} redirects in a loop: use the final address.")
    if "ertificate" in text:
        return _certificate(text, where)
    if re.search(r"TLS (session )?handshake|Failed to open rtmps:", text):
        return failure(
            ErrorCode.MEDIA_NETWORK,
            f"No secure connection to {where}: it does not speak TLS there, or only a kind that is out of date, or its "
            "certificate is not trusted. Check the port and the certificate, or use the plain scheme.",
        )
    if m := _NO_SUCH_FILE.search(text):
        return failure(ErrorCode.MEDIA_NOT_FOUND, f"The file cannot be opened: {m[1]}.")
    if "only real/helix rtsp servers supported" in text or "Failed to setup RTSP session" in text:
        return failure(
            ErrorCode.MEDIA_UNSUPPORTED,
            "This libVLC was built without RTSP (Debian's and Raspberry Pi OS's are): "
            "use an HLS or HTTP address of the camera.",
        )
    if m := _CODEC.search(text):
        name = next(g for g in (m[2], m[1], m[3]) if g and not g.startswith("No description"))
        return failure(ErrorCode.MEDIA_DECODE, f"This libVLC has no decoder for {name.strip()}.")
    if "no more data" in text or "cannot peek" in text:
        return failure(ErrorCode.MEDIA_UNSUPPORTED, f"{where} sent an empty answer: there is nothing to play.")
    if "Failed to create demuxer" in text:
        return failure(
            ErrorCode.MEDIA_NOT_FOUND,
            f"The playlist of {where} can be read, but its segments cannot: they are missing or no media.",
        )
    if "Could not update" in text or "Failed to update" in text:
        return failure(ErrorCode.MEDIA_NETWORK, f"{where} no longer sends the playlist of the live stream.")
    if "unable to open the MRL" in text and _scheme(url) in ("http", "https"):  # this kind it can open
        return failure(
            ErrorCode.MEDIA_UNSUPPORTED, f"{where} sent nothing that libVLC can read: an empty answer, perhaps."
        )
    if "unable to open the MRL" in text or "Your input can't be opened" in text:
        return failure(ErrorCode.MEDIA_UNSUPPORTED, f"libVLC cannot open this kind of address ({_scheme(url)}).")
    return None


def no_decoder(line: str) -> Failure | None:
    """The failure of a track that cannot be decoded, if this log line reports one."""
    if "is not supported" not in line:
        return None
    found = explain([line], "")
    return found if found and found.code is ErrorCode.MEDIA_DECODE else None


def not_heard() -> Failure:
    """The failure of media with only sound on a box without sound."""
    return failure(
        ErrorCode.NOT_SUPPORTED,
        'This is sound without a picture, and this box plays no sound: its configuration says [audio] output = "none".',
    )


def nothing_shown(url: str) -> Failure:
    """The failure of media that "played" to its end, with nothing to see or hear."""
    what = f"{source_name(url)} sent data that is not video, audio or a picture"
    if _scheme(url) in ("http", "https"):
        return failure(ErrorCode.MEDIA_UNSUPPORTED, f"{what}. If it is a web page, {_AS_PAGE}")
    return failure(ErrorCode.MEDIA_UNSUPPORTED, f"{what}: check what is at this address.")


def web_page(url: str) -> Failure:
    """The failure of an address that its server says is a web page, and that was to be played as a stream."""
    return failure(ErrorCode.MEDIA_UNSUPPORTED, f"{source_name(url)} sent a web page: to show it, {_AS_PAGE}")


def broke_off(url: str, *, position: float, duration: float) -> Failure:
    """The failure of media that ended well before its end."""
    return failure(
        ErrorCode.MEDIA_NETWORK,
        f"{source_name(url)} broke off the stream at {position:.0f} s of {duration:.0f} s.",
    )


def method_unknown(url: str, algorithm: str) -> Failure:
    """The failure of a source that asks for the password in a way that no engine supports; `algorithm` is that of its
    digest."""
    return failure(
        ErrorCode.MEDIA_UNAUTHORIZED,
        f"{source_name(url)} asks for the password by {algorithm} digest only, which the players here do not know: "
        "choose MD5 (or digest and basic) for its authentication in its settings.",
    )


def _unresolved(name: str, *, is_silent: bool) -> str:
    """The failure of a name that players cannot look up; `is_silent` if the C library had no answer (EAI_AGAIN)."""
    if name.lower().endswith(".local"):  # the one in the url itself is looked up by the daemon before
        return (
            f"The name {name!r} cannot be resolved by players here, and the stream leads to it: install libnss-mdns on "
            "this box (Debian: apt install libnss-mdns), or have the server use its IP address."
        )
    if is_silent:
        return (
            f"The name {name!r} could not be looked up: the DNS server of this box does not answer, or cannot ask any "
            "further. Check the network and the DNS server (`cast-agent doctor` looks at it), or use the IP address."
        )
    return f"The name {name!r} cannot be resolved: check the spelling, and the DNS server of this box."


def _certificate(text: str, where: str) -> Failure:
    """The certificate failures of GnuTLS (libVLC, Debian's FFmpeg) and OpenSSL."""
    if re.search(r"does not match|mismatch", text):
        return failure(
            ErrorCode.MEDIA_FORBIDDEN,
            f"The certificate of {where} is for another name: use the name in the certificate, or the plain scheme.",
        )
    if re.search(r"expired|not yet (valid|activated)", text) and "issuer is unknown" not in text:
        return failure(  # it passes once the clock of a box without a battery is set
            ErrorCode.MEDIA_NETWORK,
            f"The certificate of {where} is not valid today: check the clock of this box, or renew the certificate.",
        )
    return failure(
        # FFmpeg says no more than this, also when it is only the clock.
        ErrorCode.MEDIA_NETWORK if "failed verification" in text else ErrorCode.MEDIA_FORBIDDEN,
        f"The certificate of {where} is not trusted: if it is your own, put it into /usr/local/share/ca-certificates "
        "as a .crt file and run update-ca-certificates on this box, or use the plain scheme.",
    )


def _http(status: int, where: str) -> Failure:
    match status:
        case 401 | 407:
            return failure(ErrorCode.MEDIA_UNAUTHORIZED, f"{where} answered {status}: check user name and password.")
        case 403:
            return failure(
                ErrorCode.MEDIA_UNAUTHORIZED,
                f"{where} answered 403: it does not allow this box to watch, or no other viewer beside the one it has.",
                is_full=True,
            )
        case 404 | 410:
            return failure(
                ErrorCode.MEDIA_NOT_FOUND,
                f"{where} answered {status}: there is nothing at this address; check the path.",
            )
        case _ if status >= 500:
            return failure(
                ErrorCode.MEDIA_NETWORK,
                f"{where} answered {status}: the server has an error; try again later.",
                is_full=status == 503,
            )
        case _:
            return failure(
                ErrorCode.MEDIA_NETWORK,
                f"{where} answered {status} instead of sending the stream.",
                is_full=status in _NO_PLACE,
            )


def failure(code: ErrorCode, sentence: str, *, is_full: bool = False) -> Failure:
    """A failure whose sentence may begin with the name of its source."""
    if sentence.startswith("the "):  # a host name stays as it is
        sentence = "T" + sentence[1:]
    return Failure(code, sentence, is_full=is_full)


def source_name(url: str) -> str:
    """The host and port of an address, or a replacement for a sentence."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the server"
    if not host:
        return "the source"
    return f"{host}:{port}" if port else host


def _scheme(url: str) -> str:
    return url.partition(":")[0]
