"""Whom a box trusts over TLS: the same certificates with every Python."""

from __future__ import annotations

import ssl

from agent.host.trust import trusted


def test_an_old_certificate_is_enough() -> None:
    """The fields that Python 3.13 insists on, and that certificates of cameras lack, are not needed; all others are."""
    context = trusted()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
