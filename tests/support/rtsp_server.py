"""Cameras: a real RTSP server (GStreamer's) in a process of its own. Those that misbehave are in `broken_camera`.

GStreamer's bindings belong to the system's Python (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0), so this file runs
as its program too. What it sends was encoded before, with a key frame each second.
"""

from __future__ import annotations

import json
import math
import select
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path
from types import TracebackType
from typing import Any

if __name__ != "__main__":
    from tests.support.clips import Clips
    from tests.support.tools import end, last_words

SYSTEM_PYTHON = "/usr/bin/python3"

START_S = 15.0
"""GStreamer scans its plug-ins at the very first start, which takes some seconds."""

RATE_HZ = 25
SPARSE_S = 4
"""Between two key frames of /sparse: what many cameras are set to."""
SOUND_HZ = 8000
TONE_HZ = 440

_PARAMETER_SETS = (7, 8)
"""Types of H.264's units (H.264, table 7-1)."""

USER, PASSWORD = "viewer", "s3cret"

COLOURS = ("red", "green", "blue")

MOUNTS: dict[str, dict[str, object]] = {
    "": {},
    "/sound": {"sound": True},
    "/h265": {"codec": "h265"},
    "/private": {"private": True},
    "/udp": {"transport": "udp"},
    "/tcp": {"transport": "tcp"},
    "/unknown": {"codec": "unknown"},
    "/running": {"running": True},
    "/sparse": {"running": True, "pictures": "sparse"},
    "/sparse/sound": {"running": True, "pictures": "sparse", "sound": True},
    "/slow": {"rate_hz": 0.5},
}
"""The streams below each colour, such as /red/h265; /red itself is H.264 without sound, over TCP or UDP. It begins with
a key frame for every client; /running has one at each full second of the monotonic clock, and nothing that can be shown
to a new client before; /sparse has one each 4 s; /slow sends a picture each 2 s."""


class RtspServer:
    """`with RtspServer(clips) as cameras: cameras.url("/red/sound")`. Paths are a colour and one of MOUNTS."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="rtsp-")
        self.port = 0

    def __enter__(self) -> RtspServer:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> set[int]:
        return set() if self._process is None else {self._process.pid}

    def start(self, *, port: int = 0, viewers: dict[str, str] | None = None) -> None:
        """Serve on a free port, or on `port`; `viewers` are names and passwords that are let in beside the usual one.
        Raises RuntimeError with what the program said last."""
        files = {f"{colour}.{codec}": str(self._elementary(colour, codec)) for colour, codec in _WANTED}
        log = Path(self._folder.name) / "log"
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [SYSTEM_PYTHON, __file__, json.dumps({"port": port, "files": files, "viewers": viewers or {}})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
            )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline() if ready else b""
        if not line.strip().isdigit():
            raise RuntimeError(f"The RTSP server did not start: {last_words(log)}")
        self.port = int(line)

    def stop(self) -> None:
        """End it. Idempotent."""
        self.kill()
        self._folder.cleanup()

    def kill(self) -> None:
        """All cameras lose their power; `start(port=...)` gives it back."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            end(process)

    def url(self, path: str, *, userinfo: str = "") -> str:
        at = f"{userinfo}@" if userinfo else ""
        return f"rtsp://{at}127.0.0.1:{self.port}{path}"

    def silence(self, path: str, silent: bool = True) -> None:
        """The camera of this path stops sending, or goes on; its connections stay."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"path": path, "silent": silent}).encode() + b"\n")
        self._process.stdin.flush()

    def reset(self) -> None:
        """Every camera sends."""
        for colour in COLOURS:
            for mount in MOUNTS:
                self.silence(f"/{colour}{mount}", False)

    def _elementary(self, colour: str, codec: str) -> Path:
        """Pictures with an access unit delimiter before each, which is how the program tells them apart."""
        source = ["-i", str(self._clips.live_ts(colour)), "-an"]
        if codec == "sparse":
            making = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", str(SPARSE_S * RATE_HZ)]
            making += ["-bsf:v", "h264_metadata=aud=insert", "-f", "h264"]
        elif codec == "h264":
            making = ["-c:v", "copy", "-bsf:v", "h264_metadata=aud=insert", "-f", "h264"]
        else:
            tuned = ["-preset", "ultrafast", "-tune", "zerolatency"]
            making = ["-c:v", "libx265", *tuned, "-x265-params", "keyint=25:aud=1:repeat-headers=1:log-level=none"]
            making += ["-f", "hevc"]
        return self._clips._ffmpeg(f"camera-{colour}.{codec}", [*source, *making])


_WANTED = [*((colour, "h264") for colour in COLOURS), ("red", "h265"), ("red", "sparse")]


# --- the program, under the system's Python ---


def serve(port: int, files: dict[str, str], viewers: dict[str, str]) -> None:
    """Print the port, then serve until it is killed or its standard input is closed."""
    import gi

    for name in ("Gst", "GstRtsp", "GstRtspServer"):
        gi.require_version(name, "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

    Gst.init(None)
    silent: set[str] = set()
    pictures = {name: _split(Path(file).read_bytes(), name) for name, file in files.items()}
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    auth = GstRtspServer.RTSPAuth.new()
    watching, nobody = GstRtspServer.RTSPToken.new(), GstRtspServer.RTSPToken.new()
    for token, role in ((watching, "viewer"), (nobody, "nobody")):
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, role)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    for user, password in ({USER: PASSWORD} | viewers).items():
        auth.add_digest(user, password, watching)
    auth.set_default_token(nobody)
    server.set_auth(auth)
    mounts = server.get_mount_points()
    for colour in COLOURS:
        for suffix, kind in MOUNTS.items():
            codec = str(kind.get("codec", "h264"))
            encoded = pictures.get(f"{colour}.{kind.get('pictures', codec)}", pictures[f"{colour}.h264"])
            factory = GstRtspServer.RTSPMediaFactory.new()
            factory.set_launch(_pipeline(codec, sound=bool(kind.get("sound"))))
            factory.set_latency(0)
            match kind.get("transport"):
                case "tcp":
                    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
                case "udp":
                    factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
            for role in ("viewer", "nobody"):
                allowed = str(role == "viewer" or not kind.get("private")).lower()
                rights = f"{role}, media.factory.access=(boolean)true, media.factory.construct=(boolean){allowed}"
                factory.add_role_from_structure(Gst.Structure.new_from_string(rights))
            path = f"/{colour}{suffix}"
            running = bool(kind.get("running"))
            rate_hz = float(str(kind.get("rate_hz", RATE_HZ)))
            factory.connect("media-configure", _feed, encoded, path, running, silent, Gst, rate_hz)
            mounts.add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=_obey, args=(silent, loop), daemon=True).start()
    loop.run()


def _pipeline(codec: str, *, sound: bool) -> str:
    caps = {"h264": "video/x-h264", "h265": "video/x-h265", "unknown": "video/x-h264"}[codec]
    pay = {"h264": "h264parse ! rtph264pay config-interval=-1", "h265": "h265parse ! rtph265pay config-interval=-1"}
    video = (
        f"appsrc name=pictures is-live=true format=time do-timestamp=true caps={caps},stream-format=byte-stream,"
        f"alignment=au,framerate={RATE_HZ}/1 ! {pay.get(codec, 'rtpgstpay')} name=pay0 pt=96"
    )
    sound_ = (
        "appsrc name=sound is-live=true format=time do-timestamp=true caps=audio/x-raw,format=S16LE,layout=interleaved"
    )
    tone = f"{sound_},rate={SOUND_HZ},channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8"
    return f"( {video} {tone if sound else ''} )"


def _split(data: bytes, name: str) -> list[bytes]:
    mark = b"\x00\x00\x00\x01\x46\x01" if name.endswith("h265") else b"\x00\x00\x00\x01\x09"
    return [mark + picture for picture in data.split(mark)[1:]]


def _joined(encoded: list[bytes], number: int) -> bytes:
    """Picture `number` for who comes now: with the parameter sets, which a camera tells in its description."""
    _, *units = encoded[0].split(b"\x00\x00\x01")
    sets = [b"\x00\x00\x01" + unit for unit in units if unit[0] & 0x1F in _PARAMETER_SETS]
    return b"".join(sets) + encoded[number % len(encoded)]


def _feed(
    _factory: Any,
    media: Any,
    encoded: list[bytes],
    path: str,
    running: bool,
    silent: set[str],
    gst: Any,
    rate_hz: float,
) -> None:
    pictures, sound = (media.get_element().get_child_by_name(name) for name in ("pictures", "sound"))
    count = SOUND_HZ // RATE_HZ

    def send() -> None:
        began = 0.0 if running else time.monotonic()
        first = number = int((time.monotonic() - began) * rate_hz)
        while True:
            if path not in silent:
                picture = _joined(encoded, number) if running and number == first else encoded[number % len(encoded)]
                flow = pictures.emit("push-buffer", gst.Buffer.new_wrapped(picture))
                if flow != gst.FlowReturn.OK and number > first + RATE_HZ:
                    return  # nobody watches any more
                if sound is not None:
                    sound.emit("push-buffer", gst.Buffer.new_wrapped(_tone(number * count, count)))
            number += 1
            time.sleep(max(0.0, began + number / rate_hz - time.monotonic()))

    threading.Thread(target=send, daemon=True).start()


def _tone(first: int, count: int) -> bytes:
    samples = (math.sin(math.tau * TONE_HZ * n / SOUND_HZ) for n in range(first, first + count))
    return array("h", [round(16000 * sample) for sample in samples]).tobytes()


def _obey(silent: set[str], loop: Any) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        (silent.add if order["silent"] else silent.discard)(order["path"])
    loop.quit()


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    serve(options["port"], options["files"], options["viewers"])
