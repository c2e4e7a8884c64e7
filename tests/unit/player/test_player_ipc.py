"""The lines between daemon and player."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.player import ipc


@given(
    st.builds(
        ipc.Load,
        url=st.text(max_size=200),
        quality=st.text(max_size=10),
        volume=st.floats(0, 1),
        position=st.floats(0, 1e6),
    )
)
def test_a_command_survives(command: ipc.Load) -> None:
    """Whatever is in a URL, it arrives as it was sent, on one line."""
    line = ipc.encode(command)
    assert line.count(b"\n") == 1
    assert ipc.decode_command(line) == command


def test_a_url_of_full_length_fits() -> None:
    """The longest URL that is accepted, escaped at its worst, is shorter than a line may be."""
    assert len(ipc.encode(ipc.Load("\U0001f600" * 2048, 1, "auto", 1.0, False))) < ipc.MAX_LINE_BYTES


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b'{"is": "Poem"}\n', b'{"is": "Ping"}\n', b"\xff\n"])
def test_nonsense_is_refused(line: bytes) -> None:
    """Neither side takes a line that it does not understand."""
    with pytest.raises(ValueError):
        ipc.decode_command(line)
    with pytest.raises(ValueError):
        ipc.decode_report(line)
