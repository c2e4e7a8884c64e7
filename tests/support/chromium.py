"""A headless Chromium for the tests of the page, spoken to in the DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.running import Started
from tests.support.tools import LOOK_EVERY_S

PROGRAMS: Final = ("chromium", "chromium-headless-shell", "google-chrome")

ANSWER_S: Final = 20.0
"""A page is there within 1 s; a first start on a busy machine takes 8."""

AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"

LIVE: Final = "document.body.dataset.connection == 'live'"
"""True in the page of an agent that is connected."""

WHOLE: Final = (
    "['health', 'session', 'presets', 'recent'].every(name => "
    "performance.getEntriesByType('resource').some(asked => asked.name.endsWith('/' + name)))"
)
"""True in the page of an agent once it has all that it asks for at its start. What comes later moves what a click is
meant for: on a busy machine that is after two looks at the place."""

SENT: Final = "Network.requestWillBeSent"

_READ_BYTES: Final = 1 << 16


def chromium_program() -> str:
    """The browser of this machine; skips the test where there is none."""
    for name in PROGRAMS:
        if (program := shutil.which(name)) is not None:
            return program
    pytest.skip(f"NOT TRIED: no browser here; install one of: {', '.join(PROGRAMS)}")


class BrowserError(AssertionError):
    """The browser refused a command, or a script threw."""


class Chromium(Started):
    """`with Chromium() as browser: page = browser.page("http://127.0.0.1:8090/")`."""

    def __init__(self) -> None:
        self._program = chromium_program()
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        """All that the browser has told so far."""

    @property
    def pids(self) -> set[int]:
        return set() if self._process is None else {self._process.pid}

    def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        folder = self._folder.name
        flags = [
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",  # pages may use the camera that it makes up
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}/profile",
        ]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # the browser refuses to run as root with one
        # The pipes have to be descriptors 3 and 4; a shell moves them without a fork in a process with threads.
        move = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", move, "chromium", self._program, *flags],
            pass_fds=(theirs_in, theirs_out),
            env={**os.environ, "HOME": folder, "TMPDIR": folder, "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.send("Browser.getVersion")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.close(self._to)
        os.close(self._from)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._folder.cleanup()

    def page(self, address: str, *, width: int = 390, height: int = 844, scale: float = 1.0) -> Page:
        """A page in a window of its own, with cookies of its own, opened at this address."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target, context)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.send(f"{domain}.enable")
        page.resize(width, height, scale=scale)
        page.open(address)
        return page

    def send(self, method: str, *, session: str | None = None, **parameters: object) -> Any:
        """The result of a command. Raises BrowserError."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_S
        while True:
            answer = self._read(deadline, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self, deadline: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the browser does not answer: {what}"
            data = os.read(self._from, _READ_BYTES)
            assert data, f"the browser has ended: {what}"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed


class Page:
    """A page in the browser."""

    def __init__(self, browser: Chromium, session: str, target: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self._context = context

    def send(self, method: str, **parameters: object) -> Any:
        return self._browser.send(method, session=self._session, **parameters)

    def open(self, address: str) -> None:
        """Go to another address."""
        answer = self.send("Page.navigate", url=address)
        assert "errorText" not in answer, answer

    def close(self) -> None:
        """Close it, and forget its cookies."""
        self._browser.send("Target.disposeBrowserContext", browserContextId=self._context)

    def resize(self, width: int, height: int, *, scale: float = 1.0) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 700,
        )

    def prefer(self, **features: str) -> None:
        """Set what the person prefers, such as `prefers_color_scheme="dark"`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)

    def run(self, script: str) -> Any:
        """The value of an expression, or of the promise that it is."""
        done = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in done:
            raise BrowserError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, condition: str, timeout_s: float = 10.0) -> Any:
        """Wait until this expression is true; its value."""
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(BrowserError):  # between two pages there is none
                if value := self.run(condition):
                    return value
            shown = self.run("document.body.innerText") if time.monotonic() > deadline else ""
            assert time.monotonic() < deadline, f"did not come about within {timeout_s} s: {condition}\n{shown}"
            time.sleep(LOOK_EVERY_S)

    def wait_text(self, selector: str, text: str) -> None:
        """Wait until this is to be read there."""
        self.wait(
            f"(place => place?.checkVisibility({{checkVisibilityCSS: true}}) && place.textContent.includes("
            f"{json.dumps(text)}))(document.querySelector({json.dumps(selector)}))"
        )

    def press(self, key: str) -> None:
        """Press a key, such as `Enter`."""
        code = {"Enter": 13, "Escape": 27, "End": 35, "ArrowDown": 40}[key]
        for kind in ("keyDown", "keyUp"):
            text = "\r" if (key, kind) == ("Enter", "keyDown") else ""
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def violations(self) -> list[str]:
        """The violations that axe finds on the page as it is now, in the light and in the dark, where only the colours
        are others."""
        if not self.run("!!window.axe"):
            self.run(AXE.read_text() + ";0")
        wrong = []
        for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})):
            self.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            found = self.run(f"axe.run(document, {json.dumps(rules)}).then(done => done.violations)")
            wrong += [f"{scheme}: {rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]
        return wrong

    def click(self, selector: str) -> None:
        """Press where this element is, as a finger does: not while what is loaded above it still moves it."""
        find = f"document.querySelector({json.dumps(selector)})"
        look = (
            f"(e => (e.scrollIntoView({{block: 'center'}}), (r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(e.getBoundingClientRect())))({find})"
        )
        before, place = None, self.run(look)
        deadline = time.monotonic() + ANSWER_S
        while place != before and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            before, place = place, self.run(look)
        x, y = place
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str, part: float = 0.5) -> None:
        """Move the mouse over this element, to that part of its width."""
        look = f"(r => [r.x + r.width * {part}, r.y + r.height / 2])(document.querySelector({json.dumps(selector)})"
        x, y = self.run(f"{look}.getBoundingClientRect())")
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def type(self, selector: str, text: str) -> None:
        """Type into this field."""
        self.click(selector)
        self.send("Input.insertText", text=text)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in this field."""
        found = self.send("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        paths = [str(file) for file in files]
        self.send("DOM.setFileInputFiles", files=paths, objectId=found["result"]["objectId"])

    def drop(self, selector: str, *files: Path) -> None:
        """Drag files from elsewhere to this element, and let go of them."""
        look = f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({json.dumps(selector)})"
        x, y = self.run(f"{look}.getBoundingClientRect())")
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def hurry(self, times: int) -> None:
        """Let the timers of what is opened next run so many times as fast."""
        source = f"(wait => window.setTimeout = (work, ms, ...rest) => wait(work, ms / {times}, ...rest))(setTimeout)"
        self.send("Page.addScriptToEvaluateOnNewDocument", source=source)

    def upload_at(self, bps: int) -> None:
        """Bound what the page sends to so many bytes a second; 0 for no bound."""
        bound = bps or -1
        self.send(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=bound
        )

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def cookies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.send("Network.getCookies")["cookies"]
        return found

    def requests(self) -> list[str]:
        """The paths of all requests of the page so far, with their queries."""
        urls = [event["params"]["request"]["url"] for event in self._told() if event["method"] == SENT]
        return [url.split("/", 3)[-1] for url in urls]

    def _told(self) -> list[dict[str, Any]]:
        """All that the browser has told of this page so far."""
        self.run("0")  # what was told before has been heard then
        return [event for event in self._browser.events if event.get("sessionId") == self._session]

    def complaints(self) -> list[str]:
        """The complaints of the browser so far: errors of scripts, refusals of the content policy. Answers of the agent
        are not among them."""
        mine = self._told()
        thrown = [event["params"]["exceptionDetails"] for event in mine if event["method"] == "Runtime.exceptionThrown"]
        logged = [event["params"]["entry"] for event in mine if event["method"] == "Log.entryAdded"]
        wrong = [entry for entry in logged if entry["level"] == "error" and entry["source"] != "network"]
        return [str(error) for error in thrown] + [f"{entry['text']} ({entry.get('url', '')})" for entry in wrong]

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Save a PNG of what the page looks like; `whole`: also of what has to be scrolled to."""
        picture = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(picture["data"]))
