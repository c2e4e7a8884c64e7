"""The doctor's look at pinned keys, and the command of the documentation that prints them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from agent.config.loader import Settings
from agent.doctor.findings import Finding, Level
from agent.doctor.pins import pins
from agent.host.trust import pin_of
from tests.support.documentation import ROOT, blocks
from tests.support.sockets import free_port
from tests.support.tls import Certificate, TlsFront, make_certificate
from tests.support.tools import run


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("pinned"))


@pytest.fixture(scope="module")
def pin(certificate: Certificate) -> str:
    return pin_of(ssl.PEM_cert_to_DER_cert(certificate.file.read_text()))


@pytest.fixture(scope="module")
def front(certificate: Certificate) -> Iterator[TlsFront]:
    with TlsFront(certificate, before=free_port()) as front:
        yield front


async def look(port: int, pin: str) -> Finding:
    (finding,) = await pins(Settings.model_validate({"web": {"pins": {f"https://localhost:{port}": pin}}}))
    return finding


async def test_a_key_is_the_pinned_one_or_not(front: TlsFront, pin: str) -> None:
    """Another one fails with the key that is there; a server that is away only warns."""
    assert (await look(front.port, pin)).level is Level.OK
    other = await look(front.port, f"sha256/{'A' * 43}=")
    assert (other.level, pin in other.advice) == (Level.FAIL, True)
    away = await look(free_port(), pin)
    assert (away.level, "could not be looked at" in away.found) == (Level.WARN, True)
    assert await pins(Settings()) == []


def test_the_documented_command_prints_the_pin(front: TlsFront, pin: str) -> None:
    (block,) = [block for block in blocks(ROOT / "docs" / "pages.md", kind="sh") if "openssl" in block.text]
    command = block.text.replace("nas.lan:5001", f"localhost:{front.port}")
    assert run(["bash", "-c", command], timeout_s=20).strip() == pin
