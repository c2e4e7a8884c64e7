"""The reasons why a page could not be shown: Chromium's names of errors (net/base/net_error_list.h), made into a code
and a sentence for a person. Where libVLC has the same reason, people read the same sentence."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from agent.player import reasons as shared
from agent.types import ErrorCode, Failure

_SAME_AS = {
    "ERR_CONNECTION_REFUSED": "Connection refused",
    "ERR_ADDRESS_UNREACHABLE": "No route to host",
    "ERR_INTERNET_DISCONNECTED": "Network is unreachable",
    "ERR_NETWORK_CHANGED": "Network is unreachable",
    "ERR_CONNECTION_TIMED_OUT": "Connection timed out",
    "ERR_TIMED_OUT": "Connection timed out",
    "ERR_CONNECTION_RESET": "Connection reset",
    "ERR_CONNECTION_CLOSED": "Connection reset",
    "ERR_EMPTY_RESPONSE": "Connection reset",
    "ERR_TOO_MANY_REDIRECTS": "redirection loop",
    "ERR_CERT_COMMON_NAME_INVALID": "certificate: does not match",
    "ERR_CERT_DATE_INVALID": "certificate: expired",
}
"""The words of libVLC's log."""

UNREACHABLE = (
    *("ERR_CONNECTION_", "ERR_ADDRESS_", "ERR_NAME_", "ERR_INTERNET_", "ERR_NETWORK_", "ERR_TIMED_OUT"),
    *("ERR_EMPTY_", "ERR_PROXY_", "ERR_TUNNEL_"),
)
"""The beginnings of the names of errors while a server is away, or the network to it."""


_NOT_LET_IN = {
    401: "the page needs a log-in. Put it under [[login]] (docs/pages.md#logged-in), or put the right user name and "
    "password into the address.",
    403: "this box may not see the page. If a log-in opens it, put that under [[login]] (docs/pages.md#logged-in); "
    "otherwise have the server let this box in.",
}
"""What a page needs that answers with this status."""


def not_loaded(error: str, url: str, *, is_pinned: bool = False) -> Failure:
    """The failure for the `errorText` of a navigation, such as `net::ERR_NAME_NOT_RESOLVED`; `is_pinned` if the
    configuration has a pin for that origin."""
    name, where = error.removeprefix("net::"), shared.source_name(url)
    if name.startswith("ERR_CERT_") and (is_pinned or name not in _SAME_AS):
        return _not_trusted(where, is_pinned=is_pinned)
    if name.startswith("ERR_NAME_"):
        line = f"cannot resolve {urlsplit(url).hostname} : "
    elif name.startswith(("ERR_SSL_", "ERR_BAD_SSL_")):
        line = "TLS handshake"
    else:
        line = _SAME_AS.get(name, "")
    known = shared.explain([line], url) if line else None
    if known is not None:
        return known
    if name == "ERR_UNSAFE_PORT":
        return shared.failure(
            ErrorCode.MEDIA_FORBIDDEN,
            f"Browsers open no page at {where}, because this port belongs to another service: have the server use "
            "another one, such as 8080.",
        )
    if name == "ERR_ABORTED":
        return shared.failure(ErrorCode.MEDIA_UNSUPPORTED, f"{where} sent no page: an empty answer, or a file to keep.")
    if name.startswith(("ERR_ACCESS_DENIED", "ERR_BLOCKED_", "ERR_UNSAFE_", "ERR_DISALLOWED_", "ERR_UNKNOWN_URL_")):
        return shared.failure(
            ErrorCode.MEDIA_FORBIDDEN, f"The page at {where} leads to what may not be shown ({name})."
        )
    return shared.failure(ErrorCode.MEDIA_NETWORK, f"The page at {where} could not be loaded ({name}).")


def answered(status: int, url: str) -> Failure:
    """The failure for the status of the page itself, from 400 on."""
    failure = shared.explain([f"HTTP {status} error"], url)
    assert failure is not None, "libVLC's reasons know every status"
    if status not in _NOT_LET_IN:
        return failure
    return replace(failure, message=f"{shared.source_name(url)} answered {status}: {_NOT_LET_IN[status]}")


def unanswered(url: str) -> Failure:
    """The failure of a page whose server has said nothing until the time was over."""
    return shared.failure(
        ErrorCode.MEDIA_NETWORK,
        f"{shared.source_name(url)} has not answered in time: is the web server there running, and are address and "
        "port right? A slow one needs a longer [player] start_timeout.",
    )


def blank(url: str) -> Failure:
    """The failure of a page that came, and drew nothing until the time was over."""
    return shared.failure(
        ErrorCode.MEDIA_DECODE,
        f"{shared.source_name(url)} answered, but its page has painted nothing in time: open it in a browser to see "
        "whether it is empty, or a script of it fails or never ends. A slow one needs a longer [player] start_timeout.",
    )


def disconnected(url: str) -> Failure:
    """The failure of a page that came, and has no connection to its server."""
    return shared.failure(
        ErrorCode.MEDIA_NETWORK,
        f"The page has no connection to its server {shared.source_name(url)}: is that running, and in the network?",
    )


def is_download(url: str) -> Failure:
    """The failure for an address that leads to a file."""
    where = shared.source_name(url)
    return shared.failure(
        ErrorCode.MEDIA_UNSUPPORTED, f"{where} sent a file to keep, and no page: leave out as to play it as a stream."
    )


def login_renewed(refusal: str) -> Failure:
    """The failure of a server that refused a secret although there is a newer one: the next attempt has that."""
    return shared.failure(ErrorCode.MEDIA_NETWORK, f"{refusal} There is a new one already, which is tried next.")


def key_misused(origin: str) -> Failure:
    """The failure of a server that has the key of another one."""
    return shared.failure(
        ErrorCode.MEDIA_FORBIDDEN,
        f"{origin} shows a key that [web] pins has for another address: somebody may pose as it. If both are the same "
        "server, use the pinned address, or pin the key for both.",
    )


def _not_trusted(where: str, *, is_pinned: bool) -> Failure:
    """The failure for a certificate of an authority that the system alone trusts: Chromium does not ask the system."""
    advice = "if it is your own server, put the pin of its key under [web] pins (docs/pages.md)."
    if is_pinned:
        advice = "and its key is not the one under [web] pins: if that server has a new key, pin that one."
    sentence = f"The certificate of {where} is not trusted{',' if is_pinned else ':'} {advice}"
    return shared.failure(ErrorCode.MEDIA_FORBIDDEN, sentence)


def crashed() -> str:
    """The failure of a page whose process has died."""
    return "The page crashed, or needed more memory than a page may have (1 GB)."


def hung(seconds: float) -> str:
    """The failure of a page that draws nothing any more."""
    return f"The page hung: it has drawn nothing for {seconds:.0f} s, although it was asked to."
