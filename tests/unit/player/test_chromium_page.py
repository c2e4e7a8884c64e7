"""One page, as the browser tells of it: which events mean that it has painted, failed or lost its server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.config.web import WebSettings
from agent.errors import PlayerUnavailableError
from agent.page_options import PageOptions
from agent.player.base import PageRefusal
from agent.player.chromium import content as content_module
from agent.player.chromium.contact import REQUESTS_KEPT, Contact
from agent.player.chromium.reasons import answered, blank, disconnected, not_loaded, unanswered
from agent.player.chromium.refusals import LOGGED
from agent.types import ErrorCode
from tests.support.scripted_browser import MAIN, SESSION, URL, ScriptedBrowser


@pytest.fixture
async def browser() -> ScriptedBrowser:
    """A browser whose page is ready, with an address opened."""
    return opened(PageOptions())


def opened(options: PageOptions, *, refusing: str = "", web: WebSettings | None = None) -> ScriptedBrowser:
    made = ScriptedBrowser.with_page(refusing=refusing)
    made.page.open(URL, options, user_agent="Chrome/1", web=web or WebSettings())
    if refusing:
        made.answer()
    return made


async def test_the_first_contentful_paint_of_what_was_opened_counts(browser: ScriptedBrowser) -> None:
    """The paint of a frame inside it does not count, nor does that of a page that it has left."""
    browser.commit("L1")
    browser.commit("L2")
    browser.sign("firstContentfulPaint", "L1")
    browser.sign("firstContentfulPaint", "L2", frame="inside")
    browser.sign("firstPaint", "L2")
    assert browser.painted == 0
    browser.sign("firstContentfulPaint", "L2")
    assert browser.painted == 1


async def test_a_page_without_content_is_there_when_it_rests(
    browser: ScriptedBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colour alone is no content to the browser."""
    monkeypatch.setattr(content_module, "BARE_AFTER_S", 0.0)
    browser.commit("L1")
    browser.sign("networkIdle", "L1")
    await asyncio.sleep(0.01)
    assert browser.painted == 0
    browser.sign("firstPaint", "L1")
    await asyncio.sleep(0.01)
    assert browser.painted == 1


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"errorText": "net::ERR_NAME_NOT_RESOLVED"}, ErrorCode.MEDIA_NETWORK),
        ({"errorText": "net::ERR_CERT_AUTHORITY_INVALID"}, ErrorCode.MEDIA_FORBIDDEN),
        ({"errorText": "net::ERR_ABORTED", "isDownload": True}, ErrorCode.MEDIA_UNSUPPORTED),
    ],
)
async def test_what_cannot_be_opened_has_a_code(
    browser: ScriptedBrowser, result: Mapping[str, Any], code: ErrorCode
) -> None:
    browser.results["Page.navigate"] = result
    browser.answer()
    assert [failure.code for failure in browser.failures] == [code]


async def test_only_the_answer_to_the_page_itself_counts(browser: ScriptedBrowser) -> None:
    """A picture in it may be missing."""
    missing = {"status": 404, "url": URL}
    browser.tell("Network.responseReceived", requestId="R2", type="Image", frameId=MAIN, response=missing)
    browser.tell("Network.responseReceived", requestId="R3", type="Document", frameId="inside", response=missing)
    assert browser.failures == []
    browser.tell("Network.responseReceived", requestId="R1", type="Document", frameId=MAIN, response=missing)
    assert [failure.code for failure in browser.failures] == [ErrorCode.MEDIA_NOT_FOUND]
    assert "secret" not in browser.failures[0].message


async def test_a_page_that_shows_nothing_says_why(browser: ScriptedBrowser) -> None:
    """Each sentence names the server that the page is from by then, and never a password."""
    assert ScriptedBrowser.with_page().page.silence is None
    document, other = {"type": "Document", "frameId": MAIN, "requestId": "R1"}, "http://other.lan/"
    for event, about, known in (
        ("Network.requestWillBeSent", document | {"request": {"url": URL}}, unanswered(URL)),
        ("Network.responseReceived", document | {"response": {"status": 200}}, blank(URL)),
        ("Network.requestWillBeSent", document | {"request": {"url": other}}, unanswered(other)),
        ("Network.responseReceived", document | {"response": {"status": 200}}, blank(other)),
        ("Page.frameNavigated", {"frame": {"id": MAIN, "loaderId": "L1", "url": other}}, blank(other)),
        ("Network.requestWillBeSent", {"requestId": "R2", "request": {"url": f"{other}data"}}, blank(other)),
        ("Network.loadingFailed", {"requestId": "R2", "errorText": "net::ERR_TIMED_OUT"}, disconnected(other)),
    ):
        browser.tell(event, **about)
        assert browser.page.silence == known
    for failure in (unanswered(URL), blank(URL), disconnected(URL)):
        assert "panel.lan:3000" in failure.message
        assert "secret" not in failure.message


async def test_a_page_that_leads_nowhere_later_fails(browser: ScriptedBrowser) -> None:
    """Before the browser paints a page of its own about it."""
    browser.commit("L1")
    browser.sign("firstContentfulPaint", "L1")
    request = {"url": "http://panel.lan:3000/next"}
    browser.tell("Network.requestWillBeSent", requestId="R9", type="Document", frameId=MAIN, request=request)
    browser.tell("Network.loadingFailed", requestId="R9", errorText="net::ERR_CONNECTION_REFUSED", canceled=False)
    assert [failure.code for failure in browser.failures] == [ErrorCode.MEDIA_NETWORK]
    assert "panel.lan:3000 refused the connection" in browser.failures[0].message


async def test_nobody_is_asked_anything(browser: ScriptedBrowser) -> None:
    """Dialogs are dismissed, passwords are not asked for, and windows of its own are closed."""
    browser.said.clear()
    browser.tell("Page.javascriptDialogOpening", type="confirm")
    browser.tell("Page.javascriptDialogOpening", type="beforeunload")
    browser.tell("Fetch.authRequired", requestId="F1")
    browser.tell("Fetch.requestPaused", requestId="F2")
    browser.tell("Target.targetCreated", "", targetInfo={"targetId": "T2", "type": "page"})
    assert [command["params"] for command in browser.said] == [
        {"accept": False},
        {"accept": True},
        {"requestId": "F1", "authChallengeResponse": {"response": "CancelAuth"}},
        {"requestId": "F2"},
        {"targetId": "T2"},
    ]


async def test_a_page_that_asks_without_end_does_not_fill_the_log(browser: ScriptedBrowser) -> None:
    """All is counted."""
    with capture_logs() as logs:
        for _ in range(3 * LOGGED):
            browser.tell("Page.javascriptDialogOpening", type="alert")
    assert len(logs) == LOGGED
    assert browser.denials == [PageRefusal.DIALOG] * 3 * LOGGED


def entry(text: str) -> dict[str, Any]:
    return {"entry": {"source": "security", "level": "error", "text": text}}


@pytest.mark.parametrize(
    ("event", "about", "kind"),
    [
        ("Page.windowOpen", {"url": "http://panel.lan/ad", "windowName": ""}, PageRefusal.POP_UP),
        ("Target.targetCreated", {"targetInfo": {"targetId": "T2", "type": "page"}}, PageRefusal.POP_UP),
        ("Browser.downloadWillBegin", {"guid": "D1"}, PageRefusal.DOWNLOAD),
        ("Page.javascriptDialogOpening", {"type": "alert", "message": "Hello"}, PageRefusal.DIALOG),
        ("Page.fileChooserOpened", {"mode": "selectSingle"}, PageRefusal.FILE),
        ("Page.frameRequestedNavigation", {"url": "mailto:a@b.c"}, PageRefusal.PROGRAM),
        ("Page.frameRequestedNavigation", {"url": "https://panel.lan/"}, None),
        ("Log.entryAdded", entry("Not allowed to load local resource: file:///x"), PageRefusal.LOCAL),
        ("Log.entryAdded", entry("Not allowed to load local resource: file:///cast-agent/print"), PageRefusal.PRINT),
        ("Log.entryAdded", entry("Loading 'file:///cast-agent/print' violates the policy"), PageRefusal.PRINT),
        ("Log.entryAdded", entry("Not allowed to load local resource: file:///cast-agent/tea"), PageRefusal.LOCAL),
        ("Log.entryAdded", entry("[Report Only] Loading 'file:///cast-agent/print' violates a rule"), None),
        ("Log.entryAdded", entry("'file:///cast-agent/print' violates a rule. The policy is report-only."), None),
        ("Log.entryAdded", entry("Failed to load resource"), None),
        (
            "Network.loadingFailed",
            {"requestId": "R9", "corsErrorStatus": {"corsError": "LocalNetworkAccessPermissionDenied"}},
            PageRefusal.LAN,
        ),
        (
            "Network.loadingFailed",
            {"requestId": "R9", "corsErrorStatus": {"corsError": "MissingAllowOriginHeader"}},
            None,
        ),
    ],
)
async def test_what_a_page_may_not_have_is_counted(
    browser: ScriptedBrowser, event: str, about: Mapping[str, Any], kind: PageRefusal | None
) -> None:
    browser.tell(event, "" if event.startswith(("Target", "Browser")) else SESSION, **about)
    assert browser.denials == ([kind] if kind else [])


async def test_a_pop_up_is_counted_once(browser: ScriptedBrowser) -> None:
    """The browser tells that the page asks for one, and that there is one."""
    for number in range(2):
        browser.tell("Page.windowOpen", url="http://panel.lan/ad", windowName="")
        browser.tell("Target.targetCreated", "", targetInfo={"targetId": f"T{number}", "type": "page"})
    assert browser.denials == [PageRefusal.POP_UP] * 2


async def test_a_page_that_begins_a_download_stays(browser: ScriptedBrowser) -> None:
    request = {"url": "http://panel.lan:3000/file"}
    browser.commit("L1")
    browser.tell("Network.requestWillBeSent", requestId="R9", type="Document", frameId=MAIN, request=request)
    browser.tell("Network.loadingFailed", requestId="R9", errorText="net::ERR_ABORTED", canceled=False)
    assert browser.failures == []


@pytest.mark.parametrize(
    ("event", "session", "about"),
    [
        ("Inspector.targetCrashed", SESSION, {}),
        ("Target.targetCrashed", "", {"targetId": MAIN}),
        ("Target.targetDestroyed", "", {"targetId": MAIN}),
    ],
)
async def test_a_crash_is_told(browser: ScriptedBrowser, event: str, session: str, about: Mapping[str, Any]) -> None:
    browser.tell(event, session, **about)
    assert browser.crashed == 1


def test_its_own_server_tells_whether_it_can_be_reached() -> None:
    """Other servers do not count, nor does an answer that somebody gave up."""
    contact = Contact()
    contact.moved(URL)
    own, other = {"url": "http://panel.lan:3000/data"}, {"url": "http://ads.example/"}
    contact.take("requestWillBeSent", {"requestId": "1", "request": other})
    contact.take("loadingFailed", {"requestId": "1", "errorText": "net::ERR_CONNECTION_REFUSED"})
    contact.take("requestWillBeSent", {"requestId": "2", "request": own})
    contact.take("loadingFailed", {"requestId": "2", "errorText": "net::ERR_ABORTED"})
    assert contact.reachable
    contact.take("webSocketCreated", {"requestId": "3", "url": "ws://panel.lan:3000/live"})
    error = "Error in connection establishment: net::ERR_CONNECTION_REFUSED"
    contact.take("webSocketFrameError", {"requestId": "3", "errorMessage": error})
    contact.take("webSocketClosed", {"requestId": "3"})
    assert not contact.reachable
    contact.take("webSocketCreated", {"requestId": "4", "url": "ws://panel.lan:3000/live"})
    assert not contact.reachable
    contact.take("webSocketHandshakeResponseReceived", {"requestId": "4"})
    assert contact.reachable


@pytest.mark.parametrize(("status", "is_reachable"), [(404, True), (502, False), (503, False)])
def test_a_proxy_says_that_the_server_of_a_websocket_is_away(status: int, is_reachable: bool) -> None:
    contact = Contact()
    contact.moved(URL)
    contact.take("webSocketCreated", {"requestId": "1", "url": "ws://panel.lan:3000/live"})
    error = f"Error during WebSocket handshake: Unexpected response code: {status}"
    contact.take("webSocketFrameError", {"requestId": "1", "errorMessage": error})
    assert contact.reachable is is_reachable


def test_a_websocket_without_a_connection_tells_so_without_words() -> None:
    """Where it has headers of ours, Chromium does not say why it failed: one that had a connection was refused."""
    contact = Contact()
    contact.moved(URL)
    for request, is_sent in (("1", True), ("2", False)):
        contact.take("webSocketCreated", {"requestId": request, "url": "ws://panel.lan:3000/live"})
        if is_sent:
            contact.take("webSocketWillSendHandshakeRequest", {"requestId": request})
        contact.take("webSocketFrameError", {"requestId": request, "errorMessage": ""})
        assert contact.reachable is is_sent
        contact.take("webSocketClosed", {"requestId": request})
    assert not contact._connected


def test_a_page_that_never_ends_its_requests_is_not_counted_for_ever() -> None:
    contact = Contact()
    contact.moved(URL)
    for number in range(2 * REQUESTS_KEPT):
        contact.take("requestWillBeSent", {"requestId": str(number), "request": {"url": URL}})
    assert len(contact._open) == REQUESTS_KEPT


REASONS = [
    ("net::ERR_NAME_NOT_RESOLVED", ErrorCode.MEDIA_NETWORK, "'panel.lan' cannot be resolved"),
    ("net::ERR_CONNECTION_REFUSED", ErrorCode.MEDIA_NETWORK, "refused the connection"),
    ("net::ERR_CONNECTION_TIMED_OUT", ErrorCode.MEDIA_NETWORK, "does not answer"),
    ("net::ERR_INTERNET_DISCONNECTED", ErrorCode.MEDIA_NETWORK, "is this box connected"),
    ("net::ERR_TOO_MANY_REDIRECTS", ErrorCode.MEDIA_NETWORK, "in a loop"),
    ("net::ERR_CERT_COMMON_NAME_INVALID", ErrorCode.MEDIA_FORBIDDEN, "for another name"),
    ("net::ERR_CERT_DATE_INVALID", ErrorCode.MEDIA_NETWORK, "not valid today"),
    ("net::ERR_SSL_PROTOCOL_ERROR", ErrorCode.MEDIA_NETWORK, "does not speak TLS"),
    ("net::ERR_ABORTED", ErrorCode.MEDIA_UNSUPPORTED, "sent no page"),
    ("net::ERR_UNSAFE_PORT", ErrorCode.MEDIA_FORBIDDEN, "no page at panel.lan:3000, because this port"),
    ("net::ERR_BLOCKED_BY_CLIENT", ErrorCode.MEDIA_FORBIDDEN, "may not be shown"),
    ("net::ERR_HTTP2_PROTOCOL_ERROR", ErrorCode.MEDIA_NETWORK, "could not be loaded (ERR_HTTP2_PROTOCOL_ERROR)"),
]


@pytest.mark.parametrize(("error", "code", "says"), REASONS)
def test_each_error_has_a_sentence(error: str, code: ErrorCode, says: str) -> None:
    """No sentence has the password of the address."""
    failure = not_loaded(error, URL)
    assert failure.code is code
    assert says in failure.message
    assert "secret" not in failure.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 500, 503])
def test_each_status_has_a_sentence(status: int) -> None:
    assert str(status) in answered(status, URL).message


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_lets_nobody_in_asks_for_a_log_in(status: int) -> None:
    """Not for the password of a camera, nor for room at it."""
    failure = answered(status, URL)
    assert (failure.code, "[[login]]" in failure.message) == (ErrorCode.MEDIA_UNAUTHORIZED, True)
    assert "viewer" not in failure.message


WINDOW = "Browser.getWindowForTarget"
ZOOMED = "Emulation.setDeviceMetricsOverride"


def zoomed(browser: ScriptedBrowser) -> list[tuple[int, int, float]]:
    """Width, height and scale of the screens that the page was told of and the browser has not answered."""
    told = [command["params"] for command in browser.said if command["method"] == ZOOMED]
    return [(one["width"], one["height"], one["scale"]) for one in told]


async def test_a_page_is_zoomed_before_it_is_opened() -> None:
    """It is told of a screen that fills the window, rounded up: an edge without the page would be seen."""
    browser = ScriptedBrowser.with_page()
    browser.results[WINDOW] = {"bounds": {"width": 1280, "height": 720}}
    browser.page.open(URL, PageOptions(zoom=1.5), user_agent="", web=WebSettings())
    assert "Page.navigate" not in browser.methods
    browser.answer()
    assert zoomed(browser) == [(854, 480, 1.5)]
    assert browser.methods.index(ZOOMED) < browser.methods.index("Page.navigate")


async def test_a_page_whose_window_was_resized_is_seen_with_its_zoom() -> None:
    browser = ScriptedBrowser.with_page()
    browser.results[WINDOW] = {"bounds": {"width": 1280, "height": 720}}
    browser.page.open(URL, PageOptions(zoom=2), user_agent="", web=WebSettings())
    browser.answer()
    browser.answer()
    browser.results[WINDOW] = {"bounds": {"width": 640, "height": 360}}
    browser.commit("L1")
    browser.sign("firstContentfulPaint", "L1")
    browser.answer()
    assert zoomed(browser) == [(320, 180, 2)]
    assert browser.painted == 0, "the page is to draw with its new size"
    browser.answer()
    assert browser.painted == 1
    browser.page.fit()
    browser.answer()
    assert zoomed(browser) == []


async def test_what_the_browser_does_not_know_is_said() -> None:
    browser = opened(PageOptions(time_zone="Mars/One"), refusing="Emulation.setTimezoneOverride")
    assert [failure.code for failure in browser.failures] == [ErrorCode.MEDIA_UNSUPPORTED]
    assert "no such time zone" in browser.failures[0].message


async def test_a_page_is_silent_before_it_is_opened() -> None:
    """Its companion is known by the name that the browser gave it, whichever of both is told first."""
    browser = ScriptedBrowser()
    worker = {"targetId": "W1", "type": "service_worker", "url": "chrome-extension://abc/worker.js"}
    browser.companion.hear("Target.targetCreated", {"targetInfo": {**worker, "url": "chrome-extension://b/x.js"}}, "")
    browser.companion.hear("Target.targetCreated", {"targetInfo": worker}, "")
    browser.results["Extensions.loadUnpacked"] = {"id": "abc"}
    browser.companion.load("/folder")
    assert browser.said[-1]["params"] == {"path": "/folder/tab"}
    browser.answer()
    assert [command["params"].get("targetId") for command in browser.said] == ["W1"]
    browser.answer()
    browser.companion.hear("Runtime.executionContextCreated", {}, SESSION)
    assert "mute" not in str(browser.said), "its script may not have run yet"
    browser.companion.hear("Runtime.bindingCalled", {"name": "ready"}, SESSION)
    assert browser.said[-1]["params"]["expression"] == "mute(true)"
    assert not browser.companion.is_ready.done()
    browser.answer()
    assert browser.companion.is_ready.done()


async def test_a_browser_without_extensions_is_too_old() -> None:
    browser = ScriptedBrowser()
    browser.refuses = "Extensions.loadUnpacked"
    browser.companion.load("/folder")
    browser.answer()
    with pytest.raises(PlayerUnavailableError, match="too old"):
        await browser.companion.is_ready


def came_from(url: str, address: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "remoteIPAddress": address, "status": 200, **more}


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("http://192.168.1.1/reboot", False),
        ("http://127.0.0.1:8090/stop", False),
        ("http://[fd00::1]/", False),
        ("http://nas.local/", False),
        ("http://router/", False),
        ("http://router./", False),
        ("http://nas.local.:8080/", False),
        ("https://elsewhere.example/", True),
        ("http://93.184.216.34/", True),
    ],
)
async def test_a_page_of_the_internet_does_not_lead_into_the_lan(url: str, goes: bool) -> None:
    """It stays where it is then. A page of the LAN goes where it likes."""
    for address, follows in (("93.184.216.34", goes), ("192.168.1.5", True)):
        browser = opened(PageOptions())
        browser.commit("L1", "https://board.example/")
        about = {"requestId": "R1", "type": "Document", "frameId": MAIN}
        browser.tell("Network.responseReceived", **about, response=came_from("https://board.example/", address))
        browser.sign("firstContentfulPaint", "L1")
        browser.tell("Fetch.requestPaused", requestId="F1", request={"url": url})
        refusal = ("Fetch.failRequest", {"requestId": "F1", "errorReason": "Aborted"})
        last = browser.said[-1]
        assert ((last["method"], last["params"]) == refusal) is not follows
        assert browser.failures == []


async def test_a_redirect_into_the_lan_is_an_error() -> None:
    """The redirect is an error even if only the answer tells that it came from there."""
    for first in (True, False):
        browser = opened(PageOptions())
        outside = came_from("https://board.example/", "93.184.216.34")
        about = {"type": "Document", "frameId": MAIN, "requestId": "R1"}
        target = "http://10.0.0.1/" if first else "http://printer.example/"
        browser.tell("Network.requestWillBeSent", **about, request={"url": target}, redirectResponse=outside)
        browser.tell("Fetch.requestPaused", requestId="F1", request={"url": target})
        if first:
            assert browser.said[-1]["params"]["errorReason"] == "BlockedByClient"
        else:
            browser.tell("Network.responseReceived", **about, response=came_from(target, "10.0.0.1"))
            assert [failure.code for failure in browser.failures] == [ErrorCode.MEDIA_FORBIDDEN]


async def test_a_guest_may_lead_into_the_lan() -> None:
    """The browser is told so, too, for its scripts and frames."""
    browser = opened(PageOptions(), web=WebSettings(lan_guests=("https://Board.example",)))
    granted = [command["params"] for command in browser.said if command["method"] == "Browser.setPermission"]
    assert {grant["origin"] for grant in granted} == {"https://board.example"}
    response = came_from("https://board.example/wall", "93.184.216.34")
    browser.tell("Network.responseReceived", requestId="R1", type="Document", frameId=MAIN, response=response)
    browser.tell("Fetch.requestPaused", requestId="F1", request={"url": "http://192.168.1.1/"})
    assert browser.said[-1]["method"] == "Fetch.continueRequest"


@pytest.mark.parametrize(
    ("headers", "asks_for_pictures"),
    [
        ({}, True),
        ({"Content-Security-Policy": "default-src 'self'"}, True),
        ({"Content-Security-Policy": "default-src 'self'; sandbox allow-scripts"}, True),
        ({"content-security-policy": "default-src 'self'; Sandbox allow-forms"}, False),
        ({"Content-Security-Policy": "default-src 'self', sandbox"}, False),
    ],
)
async def test_a_page_that_may_run_no_scripts_tells_of_no_pictures(
    browser: ScriptedBrowser, headers: dict[str, str], asks_for_pictures: bool
) -> None:
    """It would count as hung."""
    about = {"requestId": "R1", "type": "Document", "frameId": MAIN}
    browser.tell("Network.requestWillBeSent", request={"url": URL}, **about)
    browser.tell("Network.responseReceived", response={"status": 200, "url": URL, "headers": headers}, **about)
    browser.said.clear()
    browser.page.draw(lambda: None)
    [command] = browser.said
    assert (command["params"]["expression"] != "1") == asks_for_pictures
