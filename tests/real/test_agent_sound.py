"""The sound that is heard: real streams on a sound server of the tests' own, told apart by their pitch. PulseAudio
mixes, so a loudspeaker that two programs cannot open at once is not here. What such a device needs is shown all the
same: with ALSA two of the agent's streams never have the loudspeaker open at the same time (`most_at_once`).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import PREFERRED, Agent
from tests.support.behaviour import GOOD, Behaviour
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.media_server import MediaServer
from tests.support.pitch import RATE, WINDOW_S, Window
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.sound import DeviceWatch, Heard, Listener, PulseServer
from tests.support.tools import wait_until
from tests.support.xserver import XServer

SOON_S = 10.0
"""Sound comes 0.1-0.4 s after its picture; the rest is for a busy machine."""
HEARD_AGAIN_S = 10.0
"""The promised time after the sound server is there."""
LONGEST_GAP_S = 0.6
"""The longest silence at a switch: the old process's end, then a new stream at the sound server. 0.1-0.2 s is usual."""
FULL = 0.5
"""The amplitude of the clips' tones, as a part of full scale."""
GREEN, RED, TONE = 880, 440, 660


@pytest.fixture(scope="module")
def agent(xserver: XServer, pulse: PulseServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, env=pulse.env, prefix=PREFERRED) as running:
        leaks.own_pids(lambda: {running.pid} if running.process else set())
        yield running


@pytest.fixture(autouse=True)
def _idle(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "agent" in request.fixturenames:
        agent: Agent = request.getfixturevalue("agent")
        agent.stop(all=True)
        agent.wait_for_spare()


@pytest.fixture
def long_green(media_server: MediaServer, clips: Clips) -> str:
    """A film that does not end in a test's time."""
    return media_server.file_url(clips.film_mp4("green", 60, GREEN))


def test_only_one_stream_is_heard(agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str) -> None:
    """The old stream is heard until the switch, the new one from then on, never both, with a short gap between."""
    with pulse.listen() as listener, pulse.watch() as watch:
        agent.start(long_green)
        hear(listener, GREEN)
        switched_at = start_late(agent, media_server, "/film/red.mp4")
        hear(listener, RED, for_s=0.5)
        heard, most = listener.heard(), watch.most_at_once()
    windows = heard.windows()
    assert not both(heard, GREEN, RED)
    assert most <= 2, "the one that is heard, and the next one, muted"
    assert heard.heard() == {GREEN, RED}
    ended, began = last_of(windows, GREEN), first_of(windows, RED)
    prepared = [w for w in windows if first_of(windows, GREEN) <= w.at < ended]
    assert all(w.heard == {GREEN} for w in prepared[1:-1]), "the stream that is being prepared is silent"
    assert prepared[-1].at - prepared[0].at > 0.8
    assert abs(ended - switched_at) < LONGEST_GAP_S
    assert 0 <= began - ended < LONGEST_GAP_S, f"silent for {began - ended:.2f} s"
    print(f"gap at the switch: {1000 * gap(heard):.0f} ms")


def test_a_loudspeaker_that_cannot_be_shared_is_enough(
    xserver: XServer, pulse: PulseServer, media_server: MediaServer
) -> None:
    """The loudspeaker is never opened twice, through films, a message and live streams, one after the other. ALSA may
    have one that cannot be shared; this one is PulseAudio's, which tells how often it is opened."""
    alsa = {"CAST_AGENT_AUDIO__OUTPUT": "alsa", "CAST_AGENT_AUDIO__DEVICE": "pulse"}
    wait_until(lambda: not pulse.sink_inputs(), timeout_s=SOON_S, what="the streams of the test before are gone")
    with Agent(xserver.display, env={**pulse.env, **alsa}) as agent, pulse.watch() as watch:
        paths = ("/film/green.mp4", "/film.mp4", "/tone.ogg", "/live/green.ts", "/tone.mp3", "/film/green.mp4")
        for path in paths:
            before = openings(watch)
            agent.start(media_server.url(path))
            wait_until(lambda before=before: openings(watch) > before, timeout_s=SOON_S, what="the loudspeaker is open")  # type: ignore[misc]
            wait_until(lambda: len(pulse.sink_inputs()) == 1, timeout_s=SOON_S, what="one stream has the loudspeaker")
        agent.stop()
        wait_until(lambda: not pulse.sink_inputs(), timeout_s=SOON_S, what="the loudspeaker is free")
        assert watch.most_at_once() == 1


def test_a_start_that_fails_is_not_heard(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str
) -> None:
    """The current stream is heard without a break while other starts fail."""
    agent.start(long_green)
    with pulse.listen() as listener:
        hear(listener, GREEN, for_s=0.8)
        began = time.monotonic()
        agent.start(media_server.url("/status/404"), expect=502)
        agent.start(media_server.url("/garbage"), expect=502)
        wait_until(lambda: time.monotonic() > began + 0.8, timeout_s=SOON_S, what="some more of the film")
        hear(listener, GREEN, for_s=0.3)
        windows = [w for w in listener.heard().windows() if w.at >= began]
    # An underrun of some ms, as a busy machine has it, is not the point.
    assert all(w.levels[GREEN] > FULL / 2 for w in windows), [w for w in windows if w.levels[GREEN] <= FULL / 2]
    assert listener.heard().heard() == {GREEN}


def test_audio_takes_the_place_of_a_film(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str, xserver: XServer
) -> None:
    """A film is seen until the audio that replaces it is heard, and then its picture is gone."""
    with pulse.listen() as listener, pulse.watch() as watch, ScreenRecorder(xserver.display) as recorder:
        agent.start(long_green)
        hear(listener, GREEN)
        start_late(agent, media_server, "/tone.ogg")
        hear(listener, TONE, for_s=0.5)
        with Screen(xserver.display) as screen:
            wait_until(lambda: screen.colour_at_centre() == "black", timeout_s=SOON_S, what="the film is gone")
        heard, recording = listener.heard(), recorder.stop()
        most = watch.most_at_once()
    windows = heard.windows()
    assert heard.heard() == {GREEN, TONE}
    assert not both(heard, GREEN, TONE)
    assert gap(heard) < LONGEST_GAP_S
    assert recording.colours() == ["black", "green", "black"]
    assert recording.runs()[-1].start > first_of(windows, TONE) - 0.05
    assert most == 1
    print(f"gap from film to audio: {1000 * gap(heard):.0f} ms")


def test_audio_that_cannot_be_heard_gives_the_sound_back(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str, xserver: XServer, clips: Clips
) -> None:
    """A film goes on, seen and heard, when the audio that was to replace it turns out to be none."""
    with pulse.listen() as listener, pulse.watch() as watch, Screen(xserver.display) as screen:
        session = agent.start(long_green)["session_id"]
        hear(listener, GREEN)
        failed = agent.start(media_server.file_url(clips.silent_m4a()), expect=502)
        assert failed["code"] in ("media_decode", "media_unsupported"), failed
        hear(listener, GREEN, for_s=0.3)
        assert screen.colour_at_centre() == "green"
        assert listener.heard().heard() == {GREEN}
        assert watch.most_at_once() == 1
        print(f"the film was silent for {gap(listener.heard()):.2f} s")
    assert agent.wait_state("playing")["session_id"] == session


def test_garbage_that_is_called_mp3_is_not_heard(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str, clips: Clips
) -> None:
    """An MP3 that is garbage from end to end fails, and the film is heard after it."""
    agent.start(long_green)
    with pulse.listen() as listener:
        hear(listener, GREEN)
        answer = agent.start(media_server.file_url(clips.noise_mp3()), expect=502)
        assert answer["code"] in ("media_unsupported", "media_decode"), answer
        hear(listener, GREEN, for_s=0.3)
        assert listener.heard().heard() == {GREEN}


def test_muted_is_silent_and_is_not_remembered(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str
) -> None:
    """A muted stream is not heard, and the sound server does not mute the next one for its sake."""
    with pulse.listen() as listener:
        agent.start(long_green, muted=True)
        assert agent.wait_state("playing")["muted"] is True
        until = time.monotonic() + 0.7
        wait_until(lambda: time.monotonic() > until, timeout_s=2, what="some silence")
        assert all(w.silent for w in listener.heard().windows())
        agent.start(media_server.url("/film.mp4"))
        assert hear(listener, RED, for_s=0.3) == pytest.approx(FULL, rel=0.1)
        assert listener.heard().heard() == {RED}


def test_volume_is_of_one_stream(agent: Agent, pulse: PulseServer, media_server: MediaServer, long_green: str) -> None:
    """A stream is as loud as it was asked to be, and the next one is at full volume again."""
    with pulse.listen() as listener:
        agent.start(media_server.url("/film.mp4"), volume=0.3)
        # Volume is the third root of amplitude, as sound servers and people have it: 0.3 is 31 dB down.
        quiet = hear(listener, RED, for_s=0.3, audible=FULL * 0.3**3 / 2)
        agent.start(long_green)
        loud = hear(listener, GREEN, for_s=0.3)
    assert quiet == pytest.approx(FULL * 0.3**3, rel=0.15)
    assert loud == pytest.approx(FULL, rel=0.1)


@pytest.mark.parametrize("over", ["nothing", "a film"])
def test_a_short_message_is_heard_whole(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, clips: Clips, long_green: str, over: str
) -> None:
    """Of a spoken message of 0.6 s neither the beginning nor the end is lost."""
    message = media_server.file_url(clips.audio_mp3(TONE, 0.6))
    if over == "a film":
        agent.start(long_green)
    with pulse.listen() as listener:
        if over == "a film":
            hear(listener, GREEN)
        session = agent.start(message)["session_id"]
        assert agent.wait_ended(session)["reason"] == "finished"
        wait_until(lambda: silent_for(listener.heard()) > 0.2, timeout_s=SOON_S, what="the end of it")
        heard = listener.heard()
    length = tone_seconds(heard, TONE)
    assert length == pytest.approx(0.6, abs=0.06), f"{length:.3f} s were heard"
    assert not both(heard, GREEN, TONE)


def test_no_output_opens_nothing(
    xserver: XServer, pulse: PulseServer, media_server: MediaServer, clips: Clips, long_green: str
) -> None:
    """With output = "none" a film plays and the sound server never hears of it. What is sound alone is refused with
    the reason, whichever engine plays it, and the film stays."""
    settings: dict[str, Any] = {"audio__output": "none", "player__media_folders": [str(clips.folder)]}
    with (
        Agent(xserver.display, env=pulse.env, player__engines=json.dumps({"file": "mpv"}), **settings) as agent,
        pulse.watch() as watch,
    ):
        film = agent.start(long_green)["session_id"]
        agent.wait_state("playing")
        for message in (media_server.url("/tone.mp3"), clips.audio_mp3().as_uri()):
            problem = agent.start(message, expect=501)
            assert problem["code"] == "not_supported"
            assert 'this box plays no sound: its configuration says [audio] output = "none"' in problem["detail"]
        assert agent.wait_state("playing")["session_id"] == film
        music = agent.start(media_server.file_url(clips.one_picture("mkv")))["session_id"]
        agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 1, 8, "its time goes on")
        assert agent.wait_ended(music)["reason"] == "finished"
        assert watch.uses() == []


def test_the_device_is_chosen(xserver: XServer, media_server: MediaServer) -> None:
    """With output = "pulse" and a device, the sound goes to that sink and not to the default one."""
    with PulseServer() as pulse:
        pulse.add_sink("kitchen")
        with (
            Agent(xserver.display, env=pulse.env, audio__output="pulse", audio__device="kitchen") as agent,
            pulse.listen() as default,
            pulse.listen("kitchen") as kitchen,
        ):
            agent.start(media_server.url("/film.mp4"))
            hear(kitchen, RED, for_s=0.3)
            agent.start(media_server.url("/tone.ogg"))
            hear(kitchen, TONE, for_s=0.3)
            assert all(w.silent for w in default.heard().windows())


def test_no_sound_server_is_no_reason_to_show_nothing(
    xserver: XServer, media_server: MediaServer, tmp_path: Path
) -> None:
    """Films play without a sound server."""
    env = {"PULSE_SERVER": f"unix:{tmp_path}/nobody", "PULSE_RUNTIME_PATH": str(tmp_path)}
    with Agent(xserver.display, env=env) as agent, Screen(xserver.display) as screen:
        agent.start(media_server.url("/film/green.mp4"))
        agent.wait_state("playing")
        assert screen.colour_at_centre() == "green"
        agent.start(media_server.url("/film.mp4"))
        agent.wait_state("playing")
        assert screen.colour_at_centre() == "red"


def test_a_film_outlives_the_sound_server(xserver: XServer, media_server: MediaServer, long_green: str) -> None:
    """The current film goes on when the sound server dies, and the next one is heard once the server is back."""
    with PulseServer() as pulse, Agent(xserver.display, env=pulse.env) as agent:
        session = agent.start(long_green)["session_id"]
        wait_until(lambda: bool(playing(pulse)), timeout_s=SOON_S, what="the loudspeaker is open")
        pulse.terminate()
        before = agent.status()["stream"]["frames_displayed"]
        agent.wait_until(
            lambda: agent.status()["stream"]["frames_displayed"] > before + 60, 6, "2.5 s of film without sound"
        )
        assert agent.wait_state("playing")["session_id"] == session
        pulse.start()
        with pulse.listen() as listener:
            agent.start(media_server.url("/film.mp4"))
            hear(listener, RED, for_s=0.3)


@pytest.mark.parametrize("engine", ["vlc", "mpv"])
def test_a_film_is_heard_once_there_is_a_sound_server(xserver: XServer, long_green: str, engine: str) -> None:
    """A film that was on before the sound server is heard soon after that came, and again when it has come anew."""
    engines = json.dumps({"http": engine})
    with PulseServer() as pulse, Agent(xserver.display, env=pulse.env, player__engines=engines) as agent:
        pulse.terminate()
        session = agent.start(long_green)["session_id"]
        agent.wait_state("playing")
        for _ in range(2):
            pulse.start()
            with pulse.listen() as listener:
                hear(listener, GREEN, for_s=0.3, timeout_s=HEARD_AGAIN_S)
            # It is told with the next report of the player, which may come after what is heard.
            agent.wait_until(lambda: agent.status()["stream"]["error"] is None, SOON_S, "nothing is missing")
            stream = agent.wait_state("playing")
            assert (stream["session_id"], stream["engine"]) == (session, engine)
            pulse.terminate()
            agent.wait_until(lambda: agent.status()["stream"]["error"] is not None, SOON_S, "it says what is missing")
            stream = agent.status()["stream"]
            assert (stream["error"]["code"], stream["state"]) == ("sound_lost", "playing")
            go_on(agent, pictures=25)


def go_on(agent: Agent, *, pictures: int) -> None:
    """Wait until so many more pictures of the film were seen."""
    before = agent.status()["stream"]["frames_displayed"]
    agent.wait_until(lambda: agent.status()["stream"]["frames_displayed"] > before + pictures, 8, "more of the film")


def start_late(agent: Agent, media_server: MediaServer, path: str) -> float:
    """Start a stream that takes 1 s until it answers for the first time; the time at which it was on."""
    media_server.behave(path, Behaviour(delay_s=1.0))
    session = agent.start(media_server.url(path), wait=None)["session_id"]
    media_server.wait_request(path, timeout_s=SOON_S)
    media_server.behave(path, GOOD)  # libVLC may ask again when it goes back to the beginning
    agent.wait_until(lambda: agent.status()["on_screen"] == session, SOON_S, f"{path} is on")
    return time.monotonic()


# --- what was heard ---


def hear(
    listener: Listener, hz: int, *, for_s: float = 0.1, audible: float = FULL / 4, timeout_s: float = SOON_S
) -> float:
    """Wait until the newest `for_s` seconds are all this tone; its amplitude then."""
    count = round(for_s / WINDOW_S)
    windows: list[Window] = []

    def is_heard() -> bool:
        nonlocal windows
        windows = listener.heard().windows()[-count:]
        return len(windows) == count and all(w.levels[hz] >= audible for w in windows)

    wait_until(is_heard, timeout_s=timeout_s, what=f"{hz} Hz")
    return max(w.levels[hz] for w in windows)


def openings(watch: DeviceWatch) -> int:
    """The number of times that the loudspeaker was opened."""
    return len([use for use in watch.uses() if use.opened])


def playing(pulse: PulseServer) -> list[int]:
    return [one.pid for one in pulse.sink_inputs() if not one.corked]


def both(heard: Heard, one: int, other: int) -> bool:
    """Return True if two tones were heard at the same time. One window may hold the end of one and the beginning of the
    other; two windows, one after the other, do not."""
    mixed = [{one, other} <= w.heard for w in heard.windows()]
    return any(sooner and later for sooner, later in itertools.pairwise(mixed))


def first_of(windows: list[Window], hz: int) -> float:
    """The time at which the tone began."""
    return next(w.at for w in windows if hz in w.heard)


def last_of(windows: list[Window], hz: int) -> float:
    """The time at which the tone ended."""
    return next(w.at for w in reversed(windows) if hz in w.heard)


def sounds(heard: Heard) -> list[tuple[int, int]]:
    """The first and the last sample of each stretch of sound; what is silent for 10 ms divides them."""
    stretches: list[tuple[int, int]] = []
    for at, sample in enumerate(heard.samples):
        if abs(sample) < 300:
            continue
        if stretches and at - stretches[-1][1] < RATE // 100:
            stretches[-1] = (stretches[-1][0], at)
        else:
            stretches.append((at, at))
    return stretches


def gap(heard: Heard) -> float:
    """The longest silence between two sounds, in seconds."""
    return max((later[0] - sooner[1] for sooner, later in itertools.pairwise(sounds(heard))), default=0) / RATE


def silent_for(heard: Heard) -> float:
    """Seconds since the last sound."""
    return sum(1 for _ in itertools.takewhile(lambda w: w.silent, reversed(heard.windows()))) * WINDOW_S


def tone_seconds(heard: Heard, hz: int) -> float:
    """Seconds for which the tone was heard, from windows that begin every 5 ms: half of one is at half of the level."""
    step = RATE // 200
    shifted = (Heard(heard.samples[step * n :], 0.0) for n in range(round(WINDOW_S * 200)))
    return sum(w.levels[hz] >= FULL / 2 for part in shifted for w in part.windows()) / 200


@pytest.mark.parametrize("kind", ["mkv", "mp4", "ts", "hls"])
def test_the_usual_track_is_heard(
    agent: Agent, xserver: XServer, pulse: PulseServer, media_server: MediaServer, clips: Clips, kind: str
) -> None:
    """The first track is not heard, even if the usual one is not in the language of the box; the picture stays on
    meanwhile."""
    url = media_server.file_url(clips.two_tracks(kind))
    with pulse.listen() as listener:
        with ScreenRecorder(xserver.display) as recorder:
            agent.start(url)
            hear(listener, GREEN, for_s=0.5)
            seen = recorder.stop().colours()
        assert listener.heard().heard() == {GREEN}
        assert seen == ["black", "red"]


@pytest.mark.parametrize("engine", ["vlc", "mpv"])
def test_a_language_can_be_preferred(
    xserver: XServer, pulse: PulseServer, media_server: MediaServer, clips: Clips, engine: str
) -> None:
    """The track in a language of `[audio] languages` is taken, in both engines."""
    engines = f'{{"http": "{engine}"}}'
    with (
        Agent(xserver.display, env=pulse.env, audio__languages='["fr", "en"]', player__engines=engines) as agent,
        pulse.listen() as listener,
    ):
        agent.start(media_server.file_url(clips.two_tracks("mkv")))
        hear(listener, RED, for_s=0.5)
        assert listener.heard().heard() == {RED}
