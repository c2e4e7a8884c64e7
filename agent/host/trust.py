"""Whom this box trusts over TLS."""

from __future__ import annotations

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
