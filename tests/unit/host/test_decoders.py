"""The codecs that this machine decodes, by the real libavcodec; and what becomes of the box without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.host import libavcodec
from agent.host.decoders import Decoders
from cast_wire.engines import CODECS


async def test_what_libavcodec_decodes_is_known() -> None:
    """Compared with what the ffmpeg of this machine says of the same library."""
    decoders = Decoders()
    assert decoders.codecs is None
    await decoders.look()
    told = subprocess.run(["ffmpeg", "-v", "error", "-codecs"], check=True, capture_output=True, text=True).stdout
    decoded = {line.split()[1] for line in told.splitlines() if line[1:2] == "D"}
    assert "h264" in decoded
    assert decoders.codecs == tuple(sorted(CODECS & decoded))


def test_a_codec_that_does_not_exist_is_not_decoded() -> None:
    command = [sys.executable, "-I", "-S", libavcodec.__file__, "h264", "no_such_codec", "ttml"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "h264\n"  # ttml can only be written


@pytest.mark.parametrize(("code", "raises"), [(libavcodec.NOT_FOUND, False), (1, True), (-11, True)])
async def test_without_a_library_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raises: bool
) -> None:
    """One that crashes is a failure, and is tried again by who runs it."""
    program = tmp_path / "libavcodec.py"
    end = f"os.kill(os.getpid(), {-code})" if code < 0 else f"sys.exit({code})"
    program.write_text(f"import os, sys\nprint('h264', flush=True)\n{end}\n")
    monkeypatch.setattr(libavcodec, "__file__", str(program))
    decoders = Decoders()
    if raises:
        with pytest.raises(RuntimeError, match=f"ended with {code}"):
            await decoders.look()
    else:
        await decoders.look()
    assert decoders.codecs is None
