"""The reasons why a call failed, the consequence for the next one, and the advice for a person."""

from __future__ import annotations

import json
import math
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientPayloadError,
    ClientResponseError,
    ClientSSLError,
)

from agent.errors import AgentError
from agent.media.redaction import redact
from agent.reporting.http.resolver import PublicAddressError

RETRY_AFTER_MOST_S: Final = 3600.0

DETAIL_LIMIT: Final = 200
"""Characters that are repeated of what the other side says."""


class Trouble(StrEnum):
    """The meaning of a failure."""

    PASSING = "passing"
    """The same call may work later: the network, 408, 425, 429, 5xx, or something else answers there."""
    LIMITED = "limited"
    """The other side is there, and has had enough of this kind for now."""
    REFUSED = "refused"
    """The other side takes nothing until somebody changes something, such as a token (401, 403): everything is kept."""
    GONE = "gone"
    """410: nothing is wanted there any more."""
    REJECTED = "rejected"
    """Any other 4xx: it will never be taken like this."""


class CallFailedError(AgentError):
    """A call that failed; the text says why, and what to do."""

    def __init__(
        self,
        trouble: Trouble,
        fact: str,
        *,
        is_retried: bool = False,
        retry_after_s: float | None = None,
        status: int = 0,
        reason: str = "",
    ) -> None:
        """With `is_retried` another try is all there is to do, which the text adds to the fact. `retry_after_s` is the
        server's request, within RETRY_AFTER_MOST_S; `reason` is the code in its answer."""
        super().__init__(f"{fact} The agent tries again." if is_retried else fact)
        self.trouble = trouble
        self.fact = fact
        self.is_retried = is_retried
        self.retry_after_s = retry_after_s
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Peer:
    """The server that is called, in words for people."""

    url: str
    """The address, never told whole: it may hold a secret."""
    when_silent: str
    """The advice for when nothing answers."""
    when_wrong: str
    """The advice for when something else answers."""
    at_stake: str
    """The things that anybody on the way could do without TLS."""

    @property
    def host(self) -> str:
        """The host, with its port if that is not the usual one."""
        return host_of(self.url)


def central_at(url: str) -> Peer:
    """A central API."""
    return Peer(url, "Check that cast-central runs, and the network to it.", _CHECK_URL, "read the token")


def host_of(url: str) -> str:
    """The host of a URL, with the port if there is one, and without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]


def of_error(peer: Peer, error: Exception, *, timeout_s: float) -> CallFailedError:
    """The failure of a call without an answer, or without one that is HTTP."""
    if (sentence := _sentence(peer, error, timeout_s)) is not None:
        return CallFailedError(Trouble.PASSING, sentence)
    broke_off = isinstance(error, ClientConnectionError | ClientPayloadError | OSError)
    what = "broke the connection off" if broke_off else f"could not be asked ({type(error).__name__})"
    return CallFailedError(Trouble.PASSING, f"{peer.host} {what}.", is_retried=True)


def of_busy(
    host: str, status: int, headers: Mapping[str, str], *, said: str = ".", code: str = ""
) -> CallFailedError | None:
    """The failure of a call whose answer may soon be another one; None for other answers."""
    if status not in (408, 425, 429) and status < 500:
        return None
    retry_after_s = _retry_after_s(headers.get("Retry-After", ""))
    return CallFailedError(
        Trouble.PASSING,
        f"{host} answered {status}{said}",
        is_retried=True,
        retry_after_s=retry_after_s,
        status=status,
        reason=code,
    )


def of_answer(
    url: str, status: int, headers: Mapping[str, str], content: bytes, *, why: str | None = None
) -> CallFailedError:
    """The failure of a call that the central API refused; `why` is the reason if not its status."""
    host = host_of(url)
    code, detail = _problem(content)
    said = f": {detail}" if detail else "."
    if why is not None or status < 300:
        what = why or "its answer cannot be understood"
        return CallFailedError(Trouble.PASSING, f"The server at {host} is not a central API ({what}). {_CHECK_URL}")
    if status in (401, 403) or (status == 404 and code == "device_not_found"):
        advice = f"Register this box again: {ENROL_COMMAND.format(url=url)}"
        return CallFailedError(
            Trouble.REFUSED, f"{host} does not know this box (any more){said} {advice}", status=status, reason=code
        )
    if status == 410:
        advice = f"Register this box again: {ENROL_COMMAND.format(url=url)} Or end it: cast-agent enrol --forget"
        message = f"{host} says that this box is gone for good, so it is not asked again{said} {advice}"
        return CallFailedError(Trouble.GONE, message, status=status, reason=code)
    if (busy := of_busy(host, status, headers, said=said, code=code)) is not None:
        if code == "quota_exceeded":
            busy.trouble = Trouble.LIMITED
        return busy
    if 300 <= status < 400:
        to = redact(headers.get("Location", "elsewhere"))[:DETAIL_LIMIT]
        message = f"{host} redirects to {to}. Set [central] url to the final address."
        return CallFailedError(Trouble.PASSING, message, status=status)
    # One of ours that is not this one, such as an agent, does not know the call; nor does ours below another path.
    knows_no_such_call = code in ("not_found", "method_not_allowed")
    if knows_no_such_call or (not code and status not in (400, 413, 415, 422)):
        message = f"The server at {host} is not a central API (it said {status}). {_CHECK_URL}"
        return CallFailedError(Trouble.PASSING, message, status=status)
    return CallFailedError(Trouble.REJECTED, f"{host} answered {status}{said}", status=status, reason=code)


ENROL_COMMAND: Final = "cast-agent enrol --central {url} --enrol TOKEN (`cast-central enrol` prints a TOKEN)."

_CHECK_URL: Final = "Check the address: [central] url, or that of `cast-agent enrol`."

_TRUST: Final = (
    "Add the authority that signed it to this box (/usr/local/share/ca-certificates, then update-ca-certificates)."
)
_CERTIFICATE: Final = {
    10: "has expired: renew it there, or set the clock of this box",
    9: "is not valid yet: set the clock of this box",
    18: f"is self-signed. {_TRUST}",
    19: f"is signed by an authority that this box does not trust. {_TRUST}",
    20: f"is signed by an authority that this box does not trust. {_TRUST}",
    62: "is made for another name: use that name in the address, or renew the certificate there",
    64: "is made for another name: use that name in the address, or renew the certificate there",
}
"""The reasons by the codes of X509_verify_cert(3)."""


def _sentence(peer: Peer, error: Exception, timeout_s: float) -> str | None:
    """The advice on what to do; None if another try is all there is to do."""
    host = peer.host
    match error:
        case TimeoutError():
            return f"{host} did not answer within {timeout_s:g} s. {peer.when_silent}"
        case ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as bad):
            what = _CERTIFICATE.get(bad.verify_code, f"cannot be trusted ({bad.verify_message})")
            return f"The certificate of {host} {what.rstrip('.')}."
        case ClientSSLError() | ssl.SSLError():
            return (
                f"{host} does not speak TLS as it should. If it speaks plain HTTP there, write http:// in the address."
            )
        case ClientConnectorDNSError(os_error=PublicAddressError() as public):
            return f"{public.strerror}. Write https:// in the address: else anybody on the way could {peer.at_stake}."
        case ClientConnectorDNSError(os_error=failure):
            return (
                f"The name {host} cannot be resolved ({failure.strerror}). Check the address, and the DNS of this box."
            )
        case ClientConnectorError(os_error=failure):
            return f"{host} cannot be reached ({_why(failure)}). {peer.when_silent}"
        case ClientResponseError() | ValueError():
            return f"The server at {host} does not speak HTTP. {peer.when_wrong}"
    return None


def _why(failure: OSError) -> str:
    """The reason in the system's words; asyncio's own words repeat the address."""
    if failure.errno is not None and failure.errno > 0:
        return os.strerror(failure.errno)
    return failure.strerror or str(failure)  # of a name, or of an interface in an address: getaddrinfo(3) counts down


def _problem(content: bytes) -> tuple[str, str]:
    """The `code` and `detail` of an RFC 9457 answer; empty where there is none."""
    try:
        problem = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(problem, dict) or not isinstance(problem.get("code"), str):
        return "", ""
    detail = problem.get("detail")
    text = redact(detail) if isinstance(detail, str) else ""
    return problem["code"][:64], "".join(c if c.isprintable() else " " for c in text)[:DETAIL_LIMIT]


def _retry_after_s(text: str) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3), within reason; None when it says neither."""
    try:
        seconds = float(text) if text.strip().isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_MOST_S) if math.isfinite(seconds) else RETRY_AFTER_MOST_S
