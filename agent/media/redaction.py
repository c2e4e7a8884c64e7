"""Credentials in texts for people: hidden, so that one sees there were some."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from agent.media.urls import authority_of

HIDDEN = "***"
"""Stands where a secret was."""

NAMES_KEPT = 512
"""The names, of 200 characters at most, whose meaning is remembered: each line of the log has ten, and there are some
hundred in all."""


def redact(text: str) -> str:
    """The text with the credentials of every URL in it replaced by `***`, so that one sees there were some.

    Hides user names and passwords, also those holding raw `@ / : #`, query values with a secret's name, and API keys
    of ours.
    Where a password cannot be told from a path it hides too much rather than too little. Linear, idempotent.
    """
    if "ca" in text:
        text = _OUR_KEY.sub(rf"\1{HIDDEN}", text)
    if "=" in text:  # before the next: a value with an @ in it would be taken for the end of a password
        text = _hide_query_secrets(text, nested=False)
    return _hide_userinfo(text) if "://" in text else text


def names_secret(name: str) -> bool:
    """Return True if a key called `name` (`api_key`, `accessToken`, `Set-Cookie`) holds a secret."""
    return _names_secret(name[:200])


@lru_cache(maxsize=NAMES_KEPT)
def _names_secret(name: str) -> bool:
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return not _SECRET_WORDS.isdisjoint(words) and words[-1] not in _HARMLESS_ENDINGS


# fmt: off
_SECRET_WORDS = frozenset({
    "accesskey", "apikey", "authorization", "cookie", "cookies", "credential", "credentials", "jwt", "key",
    "passphrase", "passwd", "password", "passwords", "pwd", "secret", "secrets", "streamkey", "token",
    "tokens",
})
# `key_name` and `token_count` tell nothing; `password_hash` does.
_HARMLESS_ENDINGS = frozenset({"count", "id", "name"})
# Names that are secrets in the query of a URL only: signed addresses, and what cameras call a password.
_QUERY_SECRETS = frozenset({
    "auth", "awsaccesskeyid", "hash", "hdnea", "hdnts", "hmac", "loginpas", "md5", "pass", "policy", "psw",
    "sessionid", "sid", "sig", "sign", "st", "ticket", "wmsauthsign",
})
_QUERY_SECRET_ENDINGS = ("password", "secret", "signature", "token")
# fmt: on

# Keys and hooks as the access room makes them, or a part that was copied.
_OUR_KEY = re.compile(r"(ca[kh]_)[A-Za-z0-9_-]{8,128}")
# A URL ends at a blank, or where a separator is followed by the next URL. Lengths are bounded to stay linear.
_URL_END = re.compile(r"\s|[,;|\"'<>()\[\]{}=&?](?=[A-Za-z][A-Za-z0-9+.-]{0,30}://)")
_LINE_OR_NEXT_URL = re.compile(r"\n|://")
_CLOSING = r"[\"'<>()\[\]{},.;:!]*"
_PLAIN_HOST = re.compile(rf"([^:@]*:[0-9]{{0,5}}|\[[0-9A-Za-z:.%_-]*\](:[0-9]{{0,5}})?){_CLOSING}")
_IP_HOST = re.compile(r"(([0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\])(:[0-9]{0,5})?")
_QUERY_KEY = re.compile(r"[?&;#]([^=&?#;\s]{1,64})=")
_SECRET_END = re.compile(r"[&\s]")
_VALUE_END = re.compile(r"[&?#;\s]")


def _hide_userinfo(text: str) -> str:
    shown, done = [], 0
    while (separator := text.find("://", done)) >= 0:
        start = separator + 3
        end = _end_of(_URL_END, text, start)
        token = text[start:end]
        hidden = _hide_in_token(token)
        if hidden == HIDDEN and token != HIDDEN:
            # Credentials without their host: the password may hold a blank and go on to an @ in this line.
            end = max(end, text.rfind("@", end, _end_of(_LINE_OR_NEXT_URL, text, end)))
        shown += [text[done:start], hidden]
        done = end
    return "".join([*shown, text[done:]])


def _hide_in_token(token: str) -> str:
    """The text after `://` with everything up to the last @ hidden, unless that is certainly no password."""
    authority = authority_of(token)
    nested = "://" in token
    userinfo, at, rest = token.rpartition("@")
    if not at:
        # `user:passw` of a URL that was cut off; a host is followed by a port at most.
        return HIDDEN if ":" in authority and _PLAIN_HOST.fullmatch(authority) is None else token
    if not userinfo:  # udp://@239.0.0.1:1234
        return token
    if "@" in authority:
        # udp://192.168.1.5@239.0.0.1:1234 is a sender and a group.
        return token if _IP_HOST.fullmatch(userinfo) else f"{HIDDEN}@{rest}"
    if not nested and (":" not in userinfo or not authority or _IP_HOST.fullmatch(authority)):
        return token  # https://social.example/@user, http://192.168.1.5:8080/@user
    return f"{HIDDEN}@{rest}"


def _hide_query_secrets(text: str, *, nested: bool) -> str:
    shown, done, position = [], 0, 0
    while match := _QUERY_KEY.search(text, position):
        position = match.end()
        if _is_query_secret(unquote(match[1])):
            end = _end_of(_SECRET_END, text, position)
        else:
            end = _end_of(_VALUE_END, text, position)
            if nested or not _hides_credentials(text[position:end]):
                continue
        shown += [text[done:position], HIDDEN]
        done = position = end
    return "".join([*shown, text[done:]])


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.search(text, start)
    return match.start() if match else len(text)


def _is_query_secret(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return names_secret(name) or plain in _QUERY_SECRETS or plain.endswith(_QUERY_SECRET_ENDINGS)


def _hides_credentials(value: str) -> bool:
    """Return True if a query value is a percent-encoded URL with credentials, as media proxies take them."""
    if "%" not in value:
        return False
    decoded = unquote(unquote(value))
    return _hide_userinfo(_hide_query_secrets(decoded, nested=True)) != decoded
