"""Digest authentication as servers of cameras do it (RFC 7616, RFC 2069), for HTTP and RTSP."""

from __future__ import annotations

import hashlib
import re

USER, PASSWORD = "viewer", "s3cret"
REALM, NONCE = "camera", "0123456789abcdef"

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def challenge(method: str) -> str:
    """The value of WWW-Authenticate; `method` is MD5, SHA-256 or Basic."""
    if method == "Basic":
        return f'Basic realm="{REALM}"'
    return f'Digest realm="{REALM}", nonce="{NONCE}", algorithm={method}'


def lets_in(authorization: str, request_method: str, offered: list[str]) -> bool:
    """Return True if this header proves the password by one of the methods that were offered."""
    if not authorization.startswith("Digest "):
        return False
    fields = {name: quoted or bare for name, quoted, bare in _FIELD.findall(authorization)}
    algorithm = fields.get("algorithm", "MD5")
    if algorithm not in offered or fields.get("nonce") != NONCE or fields.get("username") != USER:
        return False

    def hashed(text: str) -> str:
        return _HASHES[algorithm](text.encode()).hexdigest()

    secret, asked = hashed(f"{USER}:{REALM}:{PASSWORD}"), hashed(f"{request_method}:{fields.get('uri')}")
    return fields.get("response") == hashed(f"{secret}:{NONCE}:{asked}")
