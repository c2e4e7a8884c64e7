"""Whom this box trusts over TLS."""

from __future__ import annotations

import base64
import hashlib
import ssl


def trusted() -> ssl.SSLContext:
    """A context that trusts the certificates of this box, and the same ones with every Python. Takes 20-50 ms: it reads
    a file of 200 KB.

    From 3.13 on Python's own is strict about extensions that the certificates of many cameras and of small authorities
    lack, and takes any certificate that the box was told to trust for the end of a chain. Here only the second holds.
    """
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def prepare_pins() -> None:
    """Have `pin_of` ready for an event loop that has other things to do. Takes 25 ms, on a small box ten times that,
    and memory that only boxes with pins are to spend."""
    from cryptography import x509  # noqa: F401
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: F401


def pin_of(certificate: bytes) -> str:
    """The pin of the key of a certificate in DER: "sha256/" and the base64 of the hash of its SubjectPublicKeyInfo
    (RFC 7469, 2.4). Raises ValueError for what is no certificate."""
    from cryptography import x509  # see `prepare_pins`
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_der_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"sha256/{base64.b64encode(digest).decode()}"
