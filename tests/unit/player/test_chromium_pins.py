"""Pinned keys of pages: each counts for its own origin, and no server may show that of another one."""

from __future__ import annotations

import base64
import ssl

import pytest

from agent.config.web import WebSettings
from agent.host.trust import pin_of
from agent.page_options import PageOptions
from agent.player.chromium.reasons import not_loaded
from agent.types import ErrorCode
from tests.support.scripted_browser import MAIN, ScriptedBrowser
from tests.support.tls import make_certificate

OWN, OTHER = "https://nas.lan:5001", "https://board.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The certificate of the server with the pinned key, in DER."""
    return ssl.PEM_cert_to_DER_cert(make_certificate(tmp_path_factory.mktemp("pinned")).file.read_text())


@pytest.fixture
async def browser(certificate: bytes) -> ScriptedBrowser:
    """A browser in which every server shows that certificate."""
    made = ScriptedBrowser.with_page()
    web = WebSettings(pins={OWN: pin_of(certificate), "https://x.lan": f"sha256/{'A' * 43}="})
    made.page.open(f"{OWN}/wall", PageOptions(), user_agent="Chrome/1", web=web)
    made.results["Network.getCertificate"] = {"tableNames": [base64.b64encode(certificate).decode()]}
    made.answer()
    return made


def asked(browser: ScriptedBrowser) -> list[str]:
    """The origins whose certificates are asked for; all is answered."""
    found = [said["params"]["origin"] for said in browser.said if said["method"] == "Network.getCertificate"]
    browser.answer()
    return found


def answer_from(browser: ScriptedBrowser, url: str, *, kind: str = "Image") -> None:
    browser.tell(
        "Network.responseReceived", requestId=url, type=kind, frameId=MAIN, response={"url": url, "status": 200}
    )


async def test_a_pinned_key_is_good_at_its_own_origin_alone(browser: ScriptedBrowser) -> None:
    """Each origin is asked about once for each document, and when that is there; without TLS there is no key."""
    answer_from(browser, f"{OWN}/wall", kind="Document")
    assert asked(browser) == []
    browser.commit("L1", f"{OWN}/wall")
    answer_from(browser, f"{OWN}/picture")
    answer_from(browser, "http://board.example/picture")
    assert asked(browser) == [OWN]
    assert browser.failures == []
    answer_from(browser, f"{OTHER}/picture")
    answer_from(browser, f"{OTHER}/other")
    assert asked(browser) == [OTHER]
    assert [(one.code, OTHER in one.message) for one in browser.failures] == [(ErrorCode.MEDIA_FORBIDDEN, True)]
    browser.commit("L2", f"{OWN}/wall")
    assert asked(browser) == [OWN]


async def test_a_pinned_origin_may_not_show_the_key_of_another_one(browser: ScriptedBrowser) -> None:
    browser.commit("L1", "https://x.lan/")
    asked(browser)
    assert [one.code for one in browser.failures] == [ErrorCode.MEDIA_FORBIDDEN]


async def test_an_answer_without_a_certificate_is_no_answer(browser: ScriptedBrowser) -> None:
    """It may have come from no network: the next one is asked about."""
    browser.results["Network.getCertificate"] = {"tableNames": []}
    browser.commit("L1", f"{OTHER}/")
    assert asked(browser) == [OTHER]
    answer_from(browser, f"{OTHER}/picture")
    assert asked(browser) == [OTHER]
    assert browser.failures == []


@pytest.mark.parametrize(("is_pinned", "says"), [(True, "has a new key"), (False, "put the pin of its key")])
def test_a_certificate_that_is_not_trusted_says_what_to_do(*, is_pinned: bool, says: str) -> None:
    """A certificate for another name is told of, too, if its origin has a pin."""
    error = "net::ERR_CERT_COMMON_NAME_INVALID" if is_pinned else "net::ERR_CERT_AUTHORITY_INVALID"
    failure = not_loaded(error, f"{OWN}/wall", is_pinned=is_pinned)
    assert (failure.code, says in failure.message) == (ErrorCode.MEDIA_FORBIDDEN, True)
