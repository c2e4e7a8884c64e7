"""`make run`: starts the agent on the screen there is, or on a virtual one, and casts a first picture."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "first-picture.mp4"
PICTURE = ROOT / ".cache" / "first-picture.png"
PORT = int(os.environ.get("CAST_AGENT_API__PORT") or 8090)
BASE = f"http://127.0.0.1:{PORT}"
READY_TIMEOUT_S = 15.0
ASK_EVERY_S = 0.1
"""Nobody sees that it took so much longer, and a connection that is refused costs next to nothing."""
MOMENT_S = 1.0
"""A picture out of the middle is nicer than the first."""


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `make run` in a script is ended like by Ctrl-C
    with contextlib.ExitStack() as running:
        environment = dict(os.environ)
        virtual = not _display_answers(environment.get("DISPLAY"))
        if virtual:
            display = running.enter_context(_virtual_screen())
            environment["DISPLAY"] = display
            print(f"==> There is no screen here, so this is a virtual one of 1280x720: {display}")
        else:
            print(f"==> Using the screen {environment['DISPLAY']}")
        environment.setdefault("CAST_AGENT_PLAYER__MEDIA_FOLDERS", json.dumps([str(CLIP.parent)]))
        print(f"==> Starting the agent: .venv/bin/cast-agent run (port {PORT})")
        agent = subprocess.Popen([ROOT / ".venv" / "bin" / "cast-agent", "run"], env=environment)
        running.callback(_end, agent)
        try:
            if not _wait_until_alive(agent):
                return agent.wait()
            _show_first_picture(virtual)
            return agent.wait()
        except KeyboardInterrupt:
            print("\n==> Stopping")
            agent.send_signal(signal.SIGTERM)
            agent.wait(timeout=10)
            return 0


def _show_first_picture(virtual: bool) -> None:
    health = _call("GET", "/health")
    if health["display"] != "available":
        print(f"==> No picture yet: {health['checks']['display']['message']}")
        return
    answer = _call("POST", "/start?wait=20", {"url": CLIP.as_uri(), "title": "A first picture"})
    if answer.get("status") != "success":
        print(f"==> The clip could not be shown: {answer.get('detail', answer)}")
        return
    time.sleep(MOMENT_S)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(_fetch(urllib.request.Request(f"{BASE}/snapshot")))
    where = f"open {PICTURE.relative_to(ROOT)} to see it" if virtual else "look at the screen"
    print(f"""
==> The picture was on the screen after {answer["time_to_first_frame"]:.2f} s: {where}
    (at any time: curl -so screen.png {BASE}/snapshot)

    Try, in another terminal:
      curl {BASE}/status
      curl -X POST {BASE}/stop
      curl -X POST {BASE}/start -d '{{"url": "http://.../film.mp4"}}'

    Ctrl-C ends the agent.
""")


def _wait_until_alive(agent: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until and agent.poll() is None:
        with contextlib.suppress(OSError):
            _call("GET", "/health/live")
            return True
        time.sleep(ASK_EVERY_S)
    return False


def _call(method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
    data = json.dumps(body).encode() if body is not None else None
    return json.loads(_fetch(urllib.request.Request(BASE + path, data=data, method=method)))


def _fetch(request: urllib.request.Request) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as e:
        return e.read()


def _display_answers(display: str | None) -> bool:
    if not display:
        return False
    import xcffib

    try:
        xcffib.connect(display).disconnect()
    except xcffib.ConnectionException:
        return False
    return True


@contextlib.contextmanager
def _virtual_screen() -> Iterator[str]:
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        sys.exit("There is no screen and no Xvfb: apt install xvfb")
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        server = subprocess.Popen(
            [xvfb, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp"],
            pass_fds=[writing],
            stderr=errors,
        )
        os.close(writing)
        try:
            with os.fdopen(reading) as numbers:
                number = numbers.readline().strip()
            if not number:
                errors.seek(0)
                sys.exit(f"Xvfb did not start: {errors.read().decode(errors='replace').strip()}")
            yield f":{number}"
        finally:
            _end(server)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
