"""Webhooks of the real agent, from its configuration to the receiver."""

from __future__ import annotations

import signal

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.receiver import PATH, SECRET, Answer, Receiver
from tests.support.xserver import XServer


def section(receiver: Receiver) -> str:
    secret = "" if receiver.secret is None else f'secret = "{receiver.secret}"\n'
    return f'[[webhook]]\nurl = "{receiver.url}"\n{secret}'


def test_what_happens_on_the_screen_is_told(xserver: XServer, media_server: MediaServer) -> None:
    """The calls are signed and in order, over a kill and a receiver that is away. A webhook that is added by a reload
    is told what happens from then on. Nothing secret is in the status or the log."""
    with Receiver(secret=SECRET) as first, Receiver() as second:
        with Agent(xserver.display, config=section(first), audio__output="none") as agent:
            session = agent.start(media_server.url("/film/red.mp4"), title="A film")["session_id"]
            agent.wait_until(lambda: "first_frame" in first.kinds, 10, "the picture is told")
            first.stop()
            (agent.folder / "config.toml").write_text(section(first) + section(second) + 'events = ["session_ended"]\n')
            agent.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            agent.wait_until(lambda: len(agent.status()["webhooks"]) == 2, 10, "the reload is taken up")
            agent.stop()
            agent.wait_until(lambda: second.kinds == ["session_ended"], 10, "the end is told")
            away, _ = agent.status()["webhooks"]
            assert (away["url"], away["connected"], away["queued"]) == (f"http://127.0.0.1:{first.port}", False, 1)
            agent.kill()
            first.start()
            first.answer = Answer(200)
            agent.run()
            agent.wait_until(lambda: first.kinds[-1] == "agent_started", 15, "what was kept is told")
            log = repr(agent.log())
        told = dict.fromkeys((got.id, got.kind, got.body["data"].get("session_id")) for got in first.got)
        assert [(kind, about) for _, kind, about in told] == [
            ("agent_started", None),
            ("session_started", session),
            ("first_frame", session),
            ("session_ended", session),
            ("agent_started", None),
        ]
        assert second.got[0].id == first.got[-2].id
        assert not any(secret in log for secret in (SECRET, PATH))
