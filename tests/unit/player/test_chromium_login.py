"""The log-in of a page, as the browser tells of it: the headers of each request, and the answers that count as a
refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.config.logins import BoundLogin, LoginKind, LoginSettings
from agent.config.web import WebSettings
from agent.errors import PlayerUnavailableError
from agent.page_options import PageOptions
from agent.player.chromium import home_assistant as home_module
from agent.player.chromium import login as login_module
from agent.player.chromium.cut import TAIL_BYTES, waiting
from agent.player.chromium.login import QUESTIONS_KEPT
from agent.player.chromium.login_secrets import Login, read_logins, socket_headers
from agent.types import ErrorCode
from tests.support.scripted_browser import MAIN, SESSION, ScriptedBrowser
from tests.support.virtual_time import in_virtual_time

SECRET = "geheim-1234"
HOME, PANEL, SIBLING = "http://ha.local:8123", "https://panel.lan", "https://panel.lan:8443"
FRAME = "F1"


def opened(*logins: Login, url: str = f"{PANEL}/wall") -> ScriptedBrowser:
    """Its page, which goes to `url` as soon as all is there."""
    browser = ScriptedBrowser.with_page()
    browser.page.open(url, PageOptions(), user_agent="Chrome/1", web=WebSettings(), logins=logins)
    return browser


def login(kind: LoginKind = LoginKind.HEADER, origin: str = PANEL, **more: str) -> Login:
    return Login(kind, origin, origin, secret=SECRET, **more)


def asked(browser: ScriptedBrowser, url: str, *, session: str = "S1", **headers: str) -> Mapping[str, Any]:
    """The browser's event for a request of the page."""
    browser.said.clear()
    browser.tell("Fetch.requestPaused", session, requestId="R", request={"url": url, "headers": headers})
    [command] = browser.said
    assert command["params"]["requestId"] == "R"
    assert command["sessionId"] == session
    return command


def answered(browser: ScriptedBrowser, url: str, status: int, kind: str = "XHR") -> None:
    browser.tell("Network.responseReceived", type=kind, requestId="R", response={"status": status, "url": url})


async def test_a_header_is_for_its_origin_alone() -> None:
    """Another origin does not get it, even if the page itself sets it: neither another port, nor another scheme, nor a
    name that begins alike."""
    browser = opened(login())
    for url in (f"{PANEL}/x", f"{PANEL}:443/y", "HTTPS://PANEL.lan/z"):
        headers = asked(browser, url, Accept="*/*", authorization="mine")["params"]["headers"]
        assert headers == [
            {"name": "Accept", "value": "*/*"},
            {"name": "Authorization", "value": f"Bearer {SECRET}"},
        ]
    for url in (f"{SIBLING}/x", "http://panel.lan/x", f"{PANEL}.example.org/x", "https://panel.lan@b.example/", "x:"):
        command = asked(browser, url, Accept="*/*")
        assert command["method"] == "Fetch.continueRequest"
        assert SECRET not in json.dumps(command)


async def test_websockets_have_their_headers_before_the_page_is_opened() -> None:
    """Each at its own origin, for pages of that host; of one that the browser refuses, the secret is not told."""
    browser = ScriptedBrowser()
    headers = socket_headers([login(), login(origin=HOME, name="X-Token"), login(LoginKind.COOKIE, name="x")])
    assert headers == [
        {"host": "panel.lan", "filter": "|wss://panel.lan/", "name": "Authorization", "value": f"Bearer {SECRET}"},
        {"host": "ha.local", "filter": "|ws://ha.local:8123/", "name": "X-Token", "value": SECRET},
    ]
    browser.results["Extensions.loadUnpacked"] = {"id": "abc"}
    browser.results["Runtime.evaluate"] = {"exceptionDetails": {"text": SECRET}}
    added = browser.companion.add_headers(headers)
    browser.answer()
    worker = {"targetId": "W1", "type": "service_worker", "url": "chrome-extension://abc/worker.js"}
    browser.companion.hear("Target.targetCreated", {"targetInfo": worker}, "")
    browser.answer()
    browser.companion.hear("Runtime.bindingCalled", {"name": "ready"}, SESSION)
    assert browser.said[-1]["params"]["expression"] == f"addHeaders({json.dumps(headers)})"
    assert not added.done()
    browser.answer()
    with pytest.raises(PlayerUnavailableError) as raised:
        await added
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "secret", "value"),
    [("", "a", "Bearer a"), ("authorization", "Basic YTpi", "Basic YTpi"), ("X-Api-Key", "a", "a")],
)
def test_a_bare_token_is_a_bearer_token(name: str, secret: str, value: str) -> None:
    assert Login(LoginKind.HEADER, PANEL, PANEL, name=name, secret=secret).header == (name or "Authorization", value)


async def test_a_token_that_is_refused_is_not_sent_again() -> None:
    """An error once, whatever comes later. A preflight request has no token, so its status tells nothing."""
    browser = opened(login())
    answered(browser, f"{PANEL}/data", 401, "Preflight")
    answered(browser, f"{SIBLING}/data", 401)
    answered(browser, f"{PANEL}/data", 403)
    assert browser.refusals == []
    answered(browser, f"{PANEL}/data", 401)
    answered(browser, f"{PANEL}/data", 401)
    [failure] = browser.refusals
    assert failure.code is ErrorCode.PAGE_LOGIN
    assert f"[[login]] for {PANEL}" in failure.message
    assert SECRET not in failure.message
    assert asked(browser, f"{PANEL}/data")["method"] == "Fetch.failRequest"
    assert asked(browser, f"{SIBLING}/data")["method"] == "Fetch.continueRequest"


async def test_a_refusal_names_the_entry_as_it_is_written() -> None:
    """The page is opened by the address of a name that players do not know."""
    origin = "http://192.168.1.5"
    browser = opened(Login(LoginKind.HEADER, origin, HOME, secret=SECRET), url=f"{origin}/wall")
    answered(browser, f"{origin}/data", 401)
    assert browser.refusals[0].message.startswith("ha.local:8123 refuses the secret")
    assert f"[[login]] for {HOME}" in browser.refusals[0].message


def challenge(browser: ScriptedBrowser, request: str, origin: str = PANEL) -> Mapping[str, str]:
    browser.said.clear()
    browser.tell("Fetch.authRequired", requestId=request, authChallenge={"source": "Server", "origin": origin})
    [command] = browser.said
    answer: Mapping[str, str] = command["params"]["authChallengeResponse"]
    return answer


async def test_a_password_is_given_once_for_each_request() -> None:
    """Whoever asks again for the same one refuses it; neither another server nor a proxy gets it."""
    browser = opened(login(LoginKind.BASIC, user="me"))
    given = {"response": "ProvideCredentials", "username": "me", "password": SECRET}
    refused = {"response": "CancelAuth"}
    assert challenge(browser, "1", SIBLING) == refused
    assert challenge(browser, "1") == challenge(browser, "2") == given
    assert browser.refusals == []
    assert challenge(browser, "1") == refused
    assert [failure.code for failure in browser.refusals] == [ErrorCode.PAGE_LOGIN]
    assert challenge(browser, "3") == refused


async def test_questions_are_not_kept_without_end() -> None:
    browser = opened(login(LoginKind.BASIC, user="me"))
    for number in range(QUESTIONS_KEPT + 1):
        challenge(browser, str(number))
    challenge(browser, "0")
    assert browser.refusals == []
    challenge(browser, str(QUESTIONS_KEPT))
    assert len(browser.refusals) == 1


@pytest.mark.parametrize("kind", [LoginKind.COOKIE, LoginKind.LOCAL_STORAGE])
async def test_the_page_is_opened_when_all_is_there(kind: LoginKind) -> None:
    browser = opened(login(kind, name="token"))
    assert "Page.navigate" not in browser.methods
    said = browser.said[:]
    browser.answer()
    assert browser.methods == ["Page.navigate"]
    if kind is LoginKind.COOKIE:
        [command] = [command for command in said if command["method"] == "Network.setCookies"]
        [cookie] = command["params"]["cookies"]
        assert (cookie["url"], cookie["sourcePort"], cookie["sourceScheme"]) == (f"{PANEL}/", 443, "Secure")
        assert (cookie["httpOnly"], cookie["secure"]) == (True, True)
    else:
        scripts = [command["params"] for command in said if "script" in command["method"].lower()]
        [script] = [script for script in scripts if SECRET in script["source"]]
        assert script["worldName"] == login_module._WORLD
        assert f'location.origin === "{PANEL}"' in script["source"]


@pytest.mark.parametrize(("status", "says"), [(401, "refuses the secret"), (403, "may not see this page")])
async def test_a_page_that_its_log_in_may_not_see_is_not_logged_in(status: int, says: str) -> None:
    """One that has no entry fails as any stream does."""
    for url, refusals, failures in ((f"{PANEL}/wall", 1, 0), (f"{SIBLING}/wall", 0, 1)):
        browser = opened(login(LoginKind.COOKIE, name="token"), url=url)
        browser.tell("Network.responseReceived", type="Document", frameId=MAIN, response={"status": status, "url": url})
        assert (len(browser.refusals), len(browser.failures)) == (refusals, failures)
        assert all(says in failure.message for failure in browser.refusals)


async def test_a_form_that_asks_for_a_password_is_an_error() -> None:
    """The script that looks for one is in no page that has no entry."""
    browser = opened(login(LoginKind.COOKIE, name="token"))
    browser.tell("Runtime.bindingCalled", name="castAgentForm", payload="https://auth.example", executionContextId=3)
    [failure] = browser.refusals
    assert failure.message.startswith("auth.example asks for a password instead of showing the page.")
    held = opened(login(LoginKind.COOKIE, name="token"))
    held.said.clear()
    held.tell("Fetch.requestPaused", requestId="R", request={"url": PANEL + held.page._login._hold})
    assert (len(held.refusals), held.said) == (1, [])
    assert "Runtime.addBinding" not in opened(login(), url="http://elsewhere.lan/").methods


async def test_a_frame_of_another_site_waits_until_it_is_prepared() -> None:
    """Its requests are asked about as those of the page are, and its frames as well."""
    browser = opened(login(LoginKind.LOCAL_STORAGE, name="token"), login(LoginKind.HEADER, SIBLING))
    browser.said.clear()
    frame = {"targetId": "T7", "type": "iframe", "url": f"{SIBLING}/frame"}
    browser.tell("Target.attachedToTarget", sessionId=FRAME, targetInfo=frame, waitingForDebugger=True)
    assert {command["sessionId"] for command in browser.said} == {FRAME}
    assert browser.methods[-1] == "Runtime.runIfWaitingForDebugger"
    assert {"Fetch.enable", "Target.setAutoAttach", "Page.addScriptToEvaluateOnNewDocument"} <= set(browser.methods)
    assert SECRET in json.dumps(asked(browser, f"{SIBLING}/x", session=FRAME))
    browser.tell("Network.responseReceived", FRAME, type="XHR", response={"status": 401, "url": f"{SIBLING}/x"})
    assert f"[[login]] for {SIBLING}" in browser.refusals[0].message
    browser.tell("Target.detachedFromTarget", sessionId=FRAME)
    browser.said.clear()
    browser.tell("Fetch.requestPaused", FRAME, requestId="R", request={"url": SIBLING})
    assert browser.said == []


async def test_a_secret_that_cannot_be_read_matters_to_its_own_pages_only() -> None:
    lost = Login(LoginKind.HEADER, PANEL, PANEL, problem="The file /x cannot be read.")
    browser = opened(lost)
    browser.answer()
    assert [failure.message for failure in browser.refusals] == ["The file /x cannot be read."]
    assert "Page.navigate" not in browser.methods
    other = opened(lost, url=f"{SIBLING}/")
    other.answer()
    assert other.methods == ["Page.navigate"]
    assert asked(other, f"{PANEL}/image")["params"].keys() == {"requestId"}


# --- Home Assistant ---


class Home:
    """Its front-end in a scripted browser."""

    def __init__(self) -> None:
        self.browser = opened(login(LoginKind.HOME_ASSISTANT, HOME), url=f"{HOME}/wall?kiosk")
        self.browser.answer()
        [command] = self.browser.said
        self.address = command["params"]["url"]
        self.browser.commit("L1", self.address)
        self.begin(5)
        self.browser.sign("firstContentfulPaint", "L1")
        self.browser.said.clear()

    def begin(self, context: int, *, frame: str = MAIN, is_default: bool = True) -> None:
        """Scripts can run."""
        where = {"frameId": frame, "isDefault": is_default}
        self.browser.tell("Runtime.executionContextCreated", context={"id": context, "auxData": where})

    def call(self, call: str, payload: object, *, context: int = 5) -> list[str]:
        """The scripts that are run in its page upon a call."""
        self.browser.said.clear()
        text = json.dumps({"call": call, "payload": json.dumps(payload)})
        self.browser.tell("Runtime.bindingCalled", name=home_module.BINDING, payload=text, executionContextId=context)
        run = [command["params"] for command in self.browser.said if command["method"] == "Runtime.evaluate"]
        assert all(parameters["contextId"] == context for parameters in run)
        return [parameters["expression"] for parameters in run]

    def status(self, event: str) -> None:
        self.call("bus", {"id": 2, "type": "connection-status", "payload": {"event": event}})

    def token(self, **more: object) -> list[str]:
        return self.call("token", {"callback": "externalAuthSetToken", **more})


async def test_home_assistant_gets_its_token_and_is_seen_when_it_is_connected() -> None:
    """Its logo is its first paint; what counts are its cards. It buffers while it says that it is disconnected."""
    home = Home()
    assert home.address == f"{HOME}/wall?kiosk&external_auth=1"
    [given] = home.token()
    assert given.startswith(
        f'if (window === window.top && location.origin === "{HOME}") window.externalAuthSetToken(true'
    )
    assert SECRET in given
    [config] = home.call("bus", {"id": 7, "type": "config/get"})
    assert '"id": 7' in config
    assert (home.browser.painted, home.browser.page.is_connected) == (0, False)
    home.status("connected")
    assert (home.browser.painted, home.browser.page.is_connected) == (0, True)
    home.call("bus", {"id": 3, "type": "frontend/loaded"})
    assert home.browser.painted == 1
    home.status("disconnected")
    assert not home.browser.page.is_connected
    home.status("connected")
    assert home.browser.page.is_connected
    assert (home.browser.painted, home.browser.refusals) == (1, [])


async def test_a_version_that_does_not_tell_of_its_cards_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "LOADED_WITHIN_S", 0.01)
    home = Home()
    home.status("connected")
    assert home.browser.painted == 0
    async with asyncio.timeout(5):
        while not home.browser.painted:
            await asyncio.sleep(0.005)


@in_virtual_time
async def test_a_page_that_it_leads_to_has_its_own_time() -> None:
    """The time that is left of the page before does not count for it."""
    home = Home()
    home.status("connected")
    await asyncio.sleep(home_module.LOADED_WITHIN_S - 1)
    home.browser.commit("L2", home.address)
    home.begin(6)
    home.browser.sign("firstContentfulPaint", "L2")
    home.call("bus", {"id": 2, "type": "connection-status", "payload": {"event": "connected"}}, context=6)
    await asyncio.sleep(2)
    assert home.browser.painted == 0
    await asyncio.sleep(home_module.LOADED_WITHIN_S)
    assert home.browser.painted == 1


async def test_its_cards_are_there_when_its_launch_screen_has_gone() -> None:
    """Versions before 2026.11 tell nothing of them."""
    home = Home()
    home.call("launched", {})
    assert home.browser.painted == 0
    home.status("connected")
    home.call("launched", {})
    assert home.browser.painted == 1


@pytest.mark.parametrize("told", ["event", "force", "form"])
async def test_a_token_that_home_assistant_refuses_is_not_given_again(told: str) -> None:
    """Each attempt counts towards a ban."""
    home = Home()
    assert home.token()
    if told == "event":
        home.status("connected")
        home.status("disconnected")
        home.status("auth-invalid")
    elif told == "force":
        assert home.token(force=True) == []
    else:
        home.browser.commit("L2", f"{HOME}/auth/authorize?response_type=code")
    assert [failure.code for failure in home.browser.refusals] == [ErrorCode.PAGE_LOGIN]
    assert home.token() == home.token(force=True) == []
    assert len(home.browser.refusals) == 1


async def test_a_card_that_its_user_may_not_have_is_no_refusal() -> None:
    """The front-end then wants another token, although it is connected with this one."""
    home = Home()
    home.status("connected")
    [answer] = home.token(force=True)
    assert "externalAuthSetToken(false)" in answer
    assert home.browser.refusals == []


async def test_another_page_than_home_assistant_gets_no_token() -> None:
    """It gets none wherever the main frame has gone, and whatever a frame in it says; nor does nonsense stop
    anything."""
    home = Home()
    home.begin(6, frame="inside")
    home.begin(7, is_default=False)
    for context in (6, 7):
        assert home.call("token", {"force": True}, context=context) == home.call("token", {}, context=context) == []
    assert home.browser.refusals == []
    home.browser.commit("L2", "http://elsewhere.lan/")
    assert home.token() == []
    home.browser.commit("L3", home.address)
    for nonsense in (
        "",
        "[]",
        "{}",
        '{"call": "token"}',
        '{"call": "bus", "payload": "3"}',
        '{"call": 1, "payload": "{',
        "[" * 4000,
    ):
        home.browser.tell("Runtime.bindingCalled", name=home_module.BINDING, payload=nonsense, executionContextId=5)
    assert home.token()


# --- what it is made of ---


async def test_secrets_are_read_anew_each_time(tmp_path: Path) -> None:
    """A file with a mistake is reported in a sentence."""
    file = tmp_path / "token"
    entry = BoundLogin(LoginSettings(origin=PANEL, kind=LoginKind.HEADER, secret_file=file), PANEL)
    problems = []
    for content in (None, b"", b"\xff", b"x" * 20_000, b"two\nlines"):
        if content is not None:
            file.write_bytes(content)
        [found] = await read_logins([entry])
        assert found.secret == ""
        problems.append(found.problem)
    says = ("cannot be read (No such file", "is empty", "is not text", "is too large", "HTTP does not allow")
    assert all(word in problem for word, problem in zip(says, problems, strict=True))
    for secret in ("one", "two"):
        file.write_text(f"{secret}\n")
        [found] = await read_logins([entry])
        assert (found.secret, found.problem) == (secret, "")
        assert secret not in repr(found)


async def test_of_a_message_that_is_too_long_what_matters_is_known() -> None:
    """A page that sends a file is logged in, too."""
    request = {"url": f'{PANEL}/up"load', "method": "POST", "headers": {"Accept": '}"'}, "postData": "x" * 100_000}
    about = {"requestId": "R", "request": request, "frameId": "F"}
    asks = {"source": "Server", "origin": PANEL, "scheme": "basic", "realm": "x"}
    for name, more in (("Fetch.requestPaused", {}), ("Fetch.authRequired", {"authChallenge": asks})):
        message = {"method": name, "params": about | more, "sessionId": "S1"}
        text = json.dumps(message, separators=(",", ":")).encode() + b"\0"
        known = waiting(text[: 64 * 1024], text[-TAIL_BYTES:])
        wanted = {"requestId": "R", "request": {key: request[key] for key in ("url", "headers")}}
        assert known == (name, wanted | more, "S1")
    braces = b'"x"},"authChallenge":{"source":"Server","origin":"https://panel.lan","realm":"}"}},"sessionId":"S1"}\0'
    assert waiting(b'{"method":"Fetch.authRequired","params":{"requestId":"R"', braces) == (
        "Fetch.authRequired",
        {"requestId": "R"},
        "S1",
    )
    for head in (b'{"method":"Network.requestWillBeSent"', b'{"method":"Fetch.requestPaused","params":{"x":1'):
        assert waiting(head + b"x" * 70_000, b'x"},"sessionId":"S1"}\0') is None
    endless = b'{"method":"Fetch.requestPaused","params":{"requestId":"R","request":{"url":"data:' + b"x" * 70_000
    assert waiting(endless, b'x"},"sessionId":"S1"}\0') == ("Fetch.requestPaused", {"requestId": "R"}, "S1")
