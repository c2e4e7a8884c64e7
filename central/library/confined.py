"""Programs that read what was uploaded, each a confined child: one file, no network, bounds, and what it says is
bounded before it is believed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from central.core.errors import LibraryUnavailableError
from central.library import confined_child

SaidT = TypeVar("SaidT")

ERRORS_LIMIT: Final = 64 * 1024
"""Bytes of what is wrong that are kept; a damaged film makes a line for each picture."""
REASON_LIMIT: Final = 200
"""Characters of why a program does not run."""

_UNAVAILABLE: Final = "Videos cannot be checked or converted, because"
_NOT_EXECUTED: Final = (confined_child.NOT_EXECUTED, 127)
"""Exit codes: ours, and that of the dynamic linker without a library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a child."""

    reads: Path
    """The one file."""
    writes: Path | None = None
    """The one folder, if any."""
    memory: int
    """Bytes of addresses: the libraries take some 300 MB of them, a frame of 8K 50 MB."""
    cpu_s: int
    file_size: int = 0
    """Bytes of each file that it writes."""

    def as_text(self) -> str:
        """Return them as JSON, for the child."""
        return json.dumps(asdict(self), default=str)


@dataclass(frozen=True, slots=True)
class Ended(Generic[SaidT]):
    """The end of a child."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    said: SaidT
    errors: str
    """The beginning of what it wrote to standard error."""


def missing(program: str) -> str | None:
    """The reason why this machine cannot check or convert videos without that program; None if it is there."""
    if shutil.which(program) is None:
        return f"{_UNAVAILABLE} {program} is not installed on the server: apt install ffmpeg."
    return None


async def run_confined(
    name: str,
    arguments: Sequence[str],
    limits: Limits,
    *,
    listen: Callable[[asyncio.StreamReader], Awaitable[SaidT]],
) -> Ended[SaidT]:
    """Run the program of this name and return its end; `listen` reads its output. The child is killed when this ends
    otherwise.

    Raises LibraryUnavailableError when it cannot be executed, and what `listen` raises.
    """
    program = shutil.which(name)
    if program is None:
        raise LibraryUnavailableError(missing(name) or "")
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", confined_child.__file__, str(os.getpid()), limits.as_text()),
            *(program, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"LC_ALL": "C"},
        )
    except OSError as error:
        raise _not_executed(program, error.strerror) from error
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        said, errors = await asyncio.gather(listen(child.stdout), _beginning(child.stderr))
        code = await child.wait()
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if code in _NOT_EXECUTED:
        raise _not_executed(program, errors[:REASON_LIMIT].strip())
    return Ended(code, said, errors)


def _not_executed(program: str, reason: object) -> LibraryUnavailableError:
    return LibraryUnavailableError(f"{_UNAVAILABLE} {program} cannot be executed: {reason}")


async def _beginning(stream: asyncio.StreamReader) -> str:
    kept = bytearray()
    while piece := await stream.read(65_536):
        kept += piece[: ERRORS_LIMIT - len(kept)]
    return kept.decode(errors="replace")
