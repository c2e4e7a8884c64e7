"""The secrets: tokens that are shown once and kept as hashes only, and join codes that people read aloud."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import Final


class TokenKind(StrEnum):
    """The prefix of a token, by which people (and the log) recognise its kind."""

    ADMIN = "ak"
    DEVICE = "dt"
    ENROLMENT = "et"
    SESSION = "ps"
    STREAM_KEY = "sk"
    UPLOAD = "uk"


TOKEN_BYTES: Final = 32
"""256 random bits, 43 characters in URL-safe base64: not to be guessed, so a plain SHA-256 at rest is enough."""

TOKEN_PATTERN: Final = re.compile(r"(ak|dt|et|ps|sk|uk)_[A-Za-z0-9_-]{43}")
TOKEN_LENGTH: Final = 46

SESSION_COOKIE: Final = "cast_central"
"""The name of the cookie with the token of a page: one for all instances behind one address."""

DIGEST_PATTERN: Final = r"^[0-9a-f]{64}$"
"""A SHA-256 as it is written."""

CODE_ALPHABET: Final = "23456789BCDFGHJKMNPQRSTVWXYZ"
"""Without 0 and O, 1, I and L, which are taken for each other, and without vowels, so that no code is a word."""

CODE_LENGTH: Final = 6
"""28^6 is 480 million: with 20 wrong guesses a minute allowed, finding one of 1,000 codes takes two weeks."""

_CODE = re.compile(f"[{CODE_ALPHABET}]{{{CODE_LENGTH}}}")


def new_token(kind: TokenKind) -> str:
    return f"{kind}_{secrets.token_urlsafe(TOKEN_BYTES)}"


def kind_of(token: str) -> TokenKind | None:
    """The kind of a token; None for other texts."""
    return TokenKind(token[:2]) if TOKEN_PATTERN.fullmatch(token) else None


def digest(token: str) -> str:
    """The hash that is stored in place of a token. A lookup by hash leaks no timing of the token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(given: str, expected: str) -> bool:
    """Return True if two secrets are equal. Takes constant time."""
    return hmac.compare_digest(digest(given), digest(expected))


def new_code() -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def as_code(text: str) -> str | None:
    """The join code that a person may have meant (`k7q-f2m`, `K7Q F2M`); None when it cannot be one."""
    code = re.sub(r"[\s_-]", "", text).upper()
    return code if _CODE.fullmatch(code) else None
