"""The codecs of films that this machine decodes: asked of libavcodec, which libVLC and mpv share on a distribution."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from typing import Final

import structlog

from agent.host import libavcodec
from cast_wire.engines import CODECS

LOOK_S: Final = 30.0
"""For the program that asks. It takes 0.1 s, and some seconds from a slow card at the start of a box."""

log = structlog.get_logger(__name__)


class Decoders:
    """What is known of them: nothing before `look` has ended."""

    def __init__(self) -> None:
        self.codecs: tuple[str, ...] | None = None
        """Those of `cast_wire.engines` that are decoded, sorted; None: it is not known."""

    async def look(self) -> None:
        """Find it out, once in each run of the agent. Without a libavcodec it stays unknown. Raises OSError,
        TimeoutError, and RuntimeError for a library that crashes."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", libavcodec.__file__, *sorted(CODECS)), stdout=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(LOOK_S):
                said, _ = await child.communicate()
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        if child.returncode == libavcodec.NOT_FOUND:
            log.info("decoders_not_found", hint="The central API takes it that this box decodes the usual codecs.")
        elif child.returncode != 0:
            raise RuntimeError(f"The program that asks libavcodec ended with {child.returncode}.")
        else:
            self.codecs = tuple(said.decode().split())
