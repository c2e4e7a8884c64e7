"""The HTTP API as a process of its own, with the real tracker and scripted players, to be called with anything.

`python -m tests.support.fuzzed_agent FOLDER` writes its port on standard output, and serves until its standard input
ends. Hosts that `tests.support.fakes` does not know play as `film` does.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.config.settings import LogSettings
from agent.events.bus import EventBus
from agent.host.log import configure
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import EntryFile
from tests.support import fakes
from tests.support.api import served_by


@contextmanager
def fuzzed_agent(folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and its process id."""
    command = [sys.executable, "-m", "tests.support.fuzzed_agent", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid
        finally:
            process.stdin.close()


async def main(folder: Path) -> None:
    configure(LogSettings(level="error"))
    fakes.SCRIPTS = defaultdict(fakes.Script, fakes.SCRIPTS)
    players, bus, policy = fakes.FakePlayers(), EventBus(), MediaChecks(MediaPolicy())
    stage = fakes.FakeStage(players)
    limits = Limits(start_timeout=1.0, stall_timeout=1.0)
    tracker = StreamTracker(SessionParts(players, stage, redact), limits=limits, emit=bus.publish)
    casting = CastingService(
        tracker,
        policy=policy,
        presets=Presets(EntryFile(folder / "presets.json"), policy=policy, emit=bus.publish),
        recent=Recent(EntryFile(folder / "recent.json"), emit=bus.publish),
    )
    casting.recent.listen(bus, tracker.saved)
    noting = asyncio.create_task(casting.recent.follow())
    async with served_by(tracker, stage, players, bus=bus, casting=casting) as (_, port):
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        noting.cancel()
        await tracker.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
