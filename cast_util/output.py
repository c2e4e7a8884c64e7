"""Standard output and standard error, which may be closed, full, or of an encoding that lacks what is to be said."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Make everything printable somehow. To be called before anything is opened, which would get a closed stream's
    number and be written into."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: this one
    if sys.stdout is sys.__stdout__:
        encoding = getattr(sys.stdout, "encoding", None)
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Watched()), encoding, line_buffering=os.isatty(1))
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - it stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print a text for a person on standard error. If nobody can read it, the command has still done its work."""
    with suppress(OSError):
        print(text, file=sys.stderr)


def check() -> None:
    """Raise OSError if standard output did not take something that was written to it. argparse would ignore that."""
    sys.stdout.flush()
    if (error := _Watched.error) is not None:
        raise error


def fails() -> bool:
    """Return True if standard output did not take something."""
    with suppress(OSError):
        check()
        return False
    return True


def discard() -> None:
    """Discard everything that is still to be written to standard output, so that Python's exit does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    _Watched.error = None


class _Watched(io.FileIO):
    """File descriptor 1, of which there is one for the process, and its last error."""

    error: OSError | None = None

    def __init__(self) -> None:
        super().__init__(1, "w", closefd=False)

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            _Watched.error = error
            raise
