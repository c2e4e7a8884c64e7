"""The routes of the media server.

    /media/<file of the clips' cache>   with Range; hls, hls-variants and dash folders included
    /plain/<file of the clips' cache>   the same without Range
    /film.mp4 /film/<colour>.mp4        10 s; also /stall.mp4 (holds at 70 %) and /cut.mp4 (breaks off at 40 %)
    /live.ts /live/<colour>.ts          endless MPEG-TS in real time, from the latest key frame on
    /live-stall.ts /live-trickle.ts /live-close.ts /live-reset.ts    the same for 3 s, then what the name says
    /live-hls/index.m3u8                sliding playlist, segments of 2 s; `routes.end_live_hls()` ends it
    /trickle-hls/index.m3u8             the same, and its segments come with a few bytes a second
    /hls-missing/index.m3u8             a playlist whose segments are 404
    /live-fmp4/index.m3u8               live HLS in fragmented MP4, three segments of 2 s
    /sparse/<colour>.ts /sparse/<colour>/index.m3u8    with few key frames: `sparse_live`
    /gap-hls/index.m3u8                 a live stream that has just begun, as MediaMTX 1.20 tells its first viewer of
                                        it: six segments that never were (EXT-X-GAP, 404), then what there is
    /one-viewer/<refusal>/<colour>.ts   as /live/<colour>.ts, for one viewer of all of them at a time: another one gets
                                        that status, or waits (`wait`)
    /radio.mp3                          endless MP3 with icy headers (and StreamTitle when it is asked for)
    /spoken/chunked|length|until-closed/<file of the clips' cache>    without Range
    /mjpeg                              multipart/x-mixed-replace, 10 pictures a second, or one each `?every=<s>`
    /image.png /image.jpeg /image.webp /tone.mp3 /tone.ogg /covered.mp3 /truncated.mp4 /undecodable.mp4
    /garbage /page.html /list.m3u       the list holds /film.mp4, or what `?entry=` says
    /text/<name>?text=                  that text, with the type of the name's ending
    /status/<code> /never /redirect?to=<url>&code=302 /redirect-loop
    /digest/<methods>/mjpeg|film.mp4    behind MD5, SHA-256, Basic, or several of them with commas between
    /basic-auth/film.mp4 (user:pass)    /cookie/film.mp4 (a redirect that sets the cookie needed behind it)

Each takes `?then=hold|trickle|end|close|reset&after=<s>&after_bytes=<n>&delay=<s>&rate=<bytes/s>`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from tests.support import digest, gap_hls, live_fmp4
from tests.support.behaviour import GOOD, WRITER, Behaviour, Then
from tests.support.clips import LIVE_LOOP_S, Clips
from tests.support.colours import PALETTE
from tests.support.sparse_live import SparseLive
from tests.support.ts import FPS, EndlessTs

HLS_SEGMENT_S = 2
HLS_WINDOW = 5
BREAK_AFTER_S = 3.0
RADIO_RATE = 8_000
"""Bytes a second at 64 kbit/s."""
RADIO_BURST_S = 2.0
"""Sent at once at the beginning, as Icecast does."""
ICY_INTERVAL = 8_000
JPEG_RATE_HZ = 10
"""The rate of a camera that sends one picture after the other."""
PICTURE_BYTES = 40_000
"""The least that such a camera sends of a picture: players look at the first thousands of bytes before they begin."""
USER_PASS = b"user:pass"
PITCHES = {"red": 440, "green": 880, "blue": 660, "yellow": 520, "magenta": 760, "cyan": 1000}
"""The tone of each film and live stream; all others have 440. All are multiples of 20 Hz (see `sound.pitches`)."""

_TYPES = {
    ".mp4": "video/mp4",
    ".ts": "video/mp2t",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".png": "image/png",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


class MediaRoutes:
    """The handlers. The public methods may be called from any thread."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        self._streams: dict[str, EndlessTs] = {}
        # A live stream that has been on for a while: a sliding playlist is full from the first request on.
        self._live_since = time.monotonic() - HLS_SEGMENT_S * HLS_WINDOW
        self._hls_ended_at: float | None = None
        self._loses_segment = False
        self._place = asyncio.Lock()

    def stream(self, colour: str = "red") -> EndlessTs:
        """The endless stream of a colour; blocks while its clip is made."""
        if colour not in self._streams:
            path = self._clips.live_ts(colour, _pitch(colour))
            self._streams[colour] = EndlessTs(path, length_s=LIVE_LOOP_S)
        return self._streams[colour]

    def end_live_hls(self) -> None:
        """The live playlists get their end mark and slide no more."""
        self._hls_ended_at = time.monotonic()

    def lose_segment(self) -> None:
        """The next segment that is asked for of the live playlist is not there, once."""
        self._loses_segment = True

    def resume_live_hls(self) -> None:
        self._hls_ended_at = None

    def add_to(self, app: web.Application) -> None:
        clips = self._clips
        files: dict[str, Callable[[], Path]] = {
            "/film.mp4": clips.film_mp4,
            "/tone.mp3": clips.audio_mp3,
            "/tone.ogg": clips.audio_ogg,
            "/covered.mp3": clips.covered_mp3,
            "/truncated.mp4": clips.truncated_mp4,
            "/undecodable.mp4": clips.undecodable_mp4,
            "/image.png": lambda: clips.image("png"),
            "/image.jpeg": lambda: clips.image("jpeg"),
            "/image.webp": lambda: clips.image("webp"),
        }
        for path, clip in files.items():
            app.router.add_get(path, partial(self._clip, clip=clip))
        for end in ("stall", "trickle", "close", "reset"):
            then = Then.HOLD if end == "stall" else Then(end)
            broken = Behaviour(then=then, after_s=BREAK_AFTER_S)
            app.router.add_get(f"/live-{end}.ts", partial(self._live, usual=broken))
        app.router.add_get("/media/{path:.+}", self._media)
        app.router.add_get("/plain/{path:.+}", self._plain)
        app.router.add_get("/spoken/{way}/{name}", self._spoken)
        app.router.add_get("/film/{colour}.mp4", self._film)
        app.router.add_get("/stall.mp4", partial(self._broken_film, part=0.7, then=Then.HOLD))
        app.router.add_get("/cut.mp4", partial(self._broken_film, part=0.4, then=Then.CLOSE))
        app.router.add_get("/live.ts", self._live)
        app.router.add_get("/live/{colour}.ts", self._live)
        for folder in ("live-hls", "trickle-hls", "hls-missing"):
            app.router.add_get(f"/{folder}/index.m3u8", self._playlist)
        app.router.add_get("/one-viewer/{refusal}/{colour}.ts", self._one_viewer)
        app.router.add_get("/live-hls/seg{number}.ts", self._segment)
        SparseLive(self._clips).add_to(app)
        gap_hls.add_to(app, self._clips)
        live_fmp4.add_to(app, self._clips)
        app.router.add_get("/trickle-hls/seg{number}.ts", self._trickling_segment)
        app.router.add_get("/radio.mp3", self._radio)
        app.router.add_get("/mjpeg", self._mjpeg)
        app.router.add_get("/digest/{methods}/{what}", self._guarded)
        app.router.add_get("/garbage", self._garbage)
        app.router.add_get("/page.html", _page)
        app.router.add_get("/list.m3u", _list)
        app.router.add_get("/text/{name}", _text)
        app.router.add_get("/status/{code}", _status)
        app.router.add_get("/never", _never)
        app.router.add_get("/redirect", _redirect)
        app.router.add_get("/redirect-loop", _redirect_loop)
        app.router.add_get("/basic-auth/film.mp4", self._guarded_film)
        app.router.add_get("/cookie/film.mp4", _cookie_gate)
        app.router.add_get("/cookie/inside.mp4", self._cookie_film)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        path = (self._clips.folder / request.match_info["path"]).resolve()
        if not path.is_relative_to(self._clips.folder.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return await _file(request, path)

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        data = (self._clips.folder / request.match_info["path"]).read_bytes()
        return await request[WRITER].send(_whole(data), content_type="video/x-matroska", length=len(data))

    async def _spoken(self, request: web.Request) -> web.StreamResponse:
        data = (self._clips.folder / request.match_info["name"]).read_bytes()
        content_type = _TYPES.get(Path(request.match_info["name"]).suffix, "application/octet-stream")
        way = request.match_info["way"]
        if way == "until-closed":
            # Neither a length nor chunks, as servers of HTTP/1.0 answer; aiohttp's own answers have one of them.
            assert request.transport is not None
            request.transport.write(f"HTTP/1.0 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode() + data)
            request.transport.close()
            await asyncio.sleep(5.0)  # the closed connection cancels this handler
            raise ConnectionAbortedError
        return await request[WRITER].send(
            _whole(data), content_type=content_type, length=len(data) if way == "length" else None
        )

    async def _clip(self, request: web.Request, clip: Callable[[], Path]) -> web.StreamResponse:
        return await _file(request, await asyncio.to_thread(clip))

    async def _film(self, request: web.Request) -> web.StreamResponse:
        colour = request.match_info["colour"]
        if colour not in PALETTE:
            raise web.HTTPNotFound
        return await _file(request, await asyncio.to_thread(self._clips.film_mp4, colour, 10, _pitch(colour)))

    async def _broken_film(self, request: web.Request, part: float, then: Then) -> web.StreamResponse:
        path = await asyncio.to_thread(self._clips.film_mp4)
        return await _file(request, path, break_at=round(path.stat().st_size * part), then=then)

    async def _live(self, request: web.Request, usual: Behaviour = GOOD) -> web.StreamResponse:
        colour = request.match_info.get("colour", "red")
        if colour not in PALETTE:
            raise web.HTTPNotFound
        stream = await asyncio.to_thread(self.stream, colour)
        first = int(time.monotonic() - self._live_since) * FPS  # the latest key frame: there is one a second
        return await request[WRITER].send(_paced(stream, first), content_type="video/mp2t", usual=usual)

    async def _playlist(self, request: web.Request) -> web.StreamResponse:
        ended = self._hls_ended_at
        now = time.monotonic() if ended is None else ended
        first = int((now - self._live_since) / HLS_SEGMENT_S) - HLS_WINDOW
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{HLS_SEGMENT_S}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for number in range(first, first + HLS_WINDOW):
            lines += [f"#EXTINF:{HLS_SEGMENT_S}.0,", f"seg{number}.ts"]
        if ended is not None or request.path.startswith("/hls-missing"):
            lines.append("#EXT-X-ENDLIST")
        body = "\n".join([*lines, ""]).encode()
        headers = {"Cache-Control": "no-cache"}
        return await request[WRITER].send(_whole(body), content_type=_TYPES[".m3u8"], length=len(body), headers=headers)

    async def _segment(self, request: web.Request, usual: Behaviour = GOOD) -> web.StreamResponse:
        number = int(request.match_info["number"])
        if self._loses_segment:
            self._loses_segment = False
            raise web.HTTPNotFound
        if (number + 1) * HLS_SEGMENT_S > time.monotonic() - self._live_since:
            raise web.HTTPNotFound  # it has not happened yet
        stream = await asyncio.to_thread(self.stream, "red")
        first = number * HLS_SEGMENT_S
        body = b"".join(stream.second(second) for second in range(first, first + HLS_SEGMENT_S))
        return await request[WRITER].send(_whole(body), content_type=_TYPES[".ts"], length=len(body), usual=usual)

    async def _trickling_segment(self, request: web.Request) -> web.StreamResponse:
        return await self._segment(request, Behaviour(then=Then.TRICKLE))

    async def _one_viewer(self, request: web.Request) -> web.StreamResponse:
        refusal = request.match_info["refusal"]
        if self._place.locked() and refusal != "wait":
            return web.Response(status=int(refusal))
        async with self._place:
            return await self._live(request)

    async def _radio(self, request: web.Request) -> web.StreamResponse:
        data = (await asyncio.to_thread(self._clips.radio_mp3)).read_bytes()
        wants_titles = request.headers.get("Icy-MetaData") == "1"
        headers = {"icy-name": "Radio Loopback", "icy-br": "64", "icy-genre": "Tone"}
        if wants_titles:
            headers["icy-metaint"] = str(ICY_INTERVAL)
        pieces = _radio(data, with_titles=wants_titles)
        return await request[WRITER].send(pieces, content_type="audio/mpeg", headers=headers)

    async def _mjpeg(self, request: web.Request) -> web.StreamResponse:
        frames = await asyncio.to_thread(self._clips.mjpeg_frames)
        every_s = float(request.query.get("every", 1 / JPEG_RATE_HZ))
        return await request[WRITER].send(
            _frames(frames, every_s), content_type="multipart/x-mixed-replace; boundary=frame"
        )

    async def _guarded(self, request: web.Request) -> web.StreamResponse:
        offered = request.match_info["methods"].split(",")
        said = request.headers.get("Authorization", "")
        basic = f"Basic {b64encode(f'{digest.USER}:{digest.PASSWORD}'.encode()).decode()}"
        if not digest.lets_in(said, request.method, offered) and not ("Basic" in offered and said == basic):
            answer = web.Response(status=401)
            for method in offered:
                answer.headers.add("WWW-Authenticate", digest.challenge(method))
            return answer
        if request.match_info["what"] == "mjpeg":
            return await self._mjpeg(request)
        return await self._clip(request, self._clips.film_mp4)

    async def _garbage(self, request: web.Request) -> web.StreamResponse:
        data = self._clips.garbage()
        return await request[WRITER].send(_whole(data), content_type="video/mp4", length=len(data))

    async def _guarded_film(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Basic {b64encode(USER_PASS).decode()}":
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="films"'})
        return await self._clip(request, self._clips.film_mp4)

    async def _cookie_film(self, request: web.Request) -> web.StreamResponse:
        if request.cookies.get("ticket") != "punched":
            raise web.HTTPForbidden
        return await self._clip(request, self._clips.film_mp4)


async def _cookie_gate(request: web.Request) -> web.StreamResponse:
    answer = web.HTTPFound("/cookie/inside.mp4")
    answer.set_cookie("ticket", "punched", path="/cookie")
    raise answer


async def _file(
    request: web.Request, path: Path, *, break_at: int | None = None, then: Then = Then.PLAY
) -> web.StreamResponse:
    """A file, or the part that Range asks for; at byte `break_at` of the file it ends as `then` says."""
    size = path.stat().st_size
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        start = stop = size
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    headers = {"Accept-Ranges": "bytes"}
    if "Range" in request.headers:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return await request[WRITER].send(
        _whole(path.read_bytes()[start:stop]),
        content_type=_TYPES.get(path.suffix, "application/octet-stream"),
        length=stop - start,
        status=206 if "Range" in request.headers else 200,
        headers=headers,
        usual=GOOD if break_at is None else Behaviour(then=then, after_bytes=max(0, break_at - start)),
    )


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _paced(stream: EndlessTs, first: int) -> AsyncIterator[bytes]:
    began = time.monotonic()
    for number in itertools.count(first):
        await asyncio.sleep(began + (number - first) / FPS - time.monotonic())
        yield stream.picture(number)


async def _radio(data: bytes, *, with_titles: bool) -> AsyncIterator[bytes]:
    title = b"StreamTitle='A tone of 440 Hz';"
    blocks = -(-len(title) // 16)
    metadata = bytes([blocks]) + title.ljust(blocks * 16, b"\0")
    endless = data * 2
    began = time.monotonic() - RADIO_BURST_S
    for sent in itertools.count(0, ICY_INTERVAL // 10):
        await asyncio.sleep(began + sent / RADIO_RATE - time.monotonic())
        at = sent % len(data)
        yield endless[at : at + ICY_INTERVAL // 10]
        if with_titles and (sent // (ICY_INTERVAL // 10)) % 10 == 9:
            yield metadata


async def _frames(frames: list[bytes], every_s: float) -> AsyncIterator[bytes]:
    for small in itertools.cycle(frames):
        frame = small.ljust(PICTURE_BYTES, b"\0")
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
        yield head.encode() + frame + b"\r\n"
        await asyncio.sleep(every_s)


async def _page(request: web.Request) -> web.StreamResponse:
    page = "<!doctype html><html><head><title>Not a film</title></head><body><h1>Not a film</h1></body></html>"
    return web.Response(text=page, content_type="text/html")


async def _list(request: web.Request) -> web.StreamResponse:
    entries = request.query.getall("entry", [str(request.url.with_path("/film.mp4"))])
    text = "#EXTM3U\n" + "".join(f"#EXTINF:-1,entry\n{entry}\n" for entry in entries)
    return web.Response(text=text, content_type="audio/x-mpegurl")


async def _text(request: web.Request) -> web.StreamResponse:
    ending = Path(request.match_info["name"]).suffix
    return web.Response(text=request.query["text"], content_type=_TYPES.get(ending, "text/plain"))


async def _status(request: web.Request) -> web.StreamResponse:
    code = int(request.match_info["code"])
    headers = {"WWW-Authenticate": 'Basic realm="films"'} if code == 401 else None
    return web.Response(status=code, text="As the path wants it\n", headers=headers)


async def _never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()  # until the client leaves or the server stops: both cancel this
    raise AssertionError


async def _redirect(request: web.Request) -> web.StreamResponse:
    code = int(request.query.get("code", "302"))
    return web.Response(status=code, headers={"Location": request.query["to"]})


async def _redirect_loop(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(request.path)


def _pitch(colour: str) -> int:
    return PITCHES.get(colour, 440)
