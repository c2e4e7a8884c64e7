"""The challenges of an RTSP server, as mpv is shown them."""

from __future__ import annotations

import pytest

from agent.player.ffmpeg.challenges import Challenges

SHA = b'WWW-Authenticate: Digest realm="cam", nonce="1", algorithm=SHA-256\r\n'
MD5 = b'WWW-Authenticate: Digest realm="cam", nonce="1", algorithm="MD5"\r\n'
PLAIN = b'www-authenticate: Digest realm="cam", nonce="1"\r\n'
BASIC = b'WWW-Authenticate: Basic realm="cam"\r\n'
OPTIONS = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n"
PAGE = b"Content-Length: 12\r\n\r\n401\r\n\r\nRTSP/"
SDP = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n"


def refusal(*challenges: bytes, end: bytes = b"\r\n") -> bytes:
    return b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n" + b"".join(challenges) + end


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("told", "heard", "unknown"),
    [
        ([SHA, MD5], [MD5], ""),
        ([MD5, SHA], [MD5], ""),
        ([PLAIN, SHA], [PLAIN], ""),
        ([SHA, BASIC], [BASIC], ""),
        ([MD5], [MD5], ""),
        ([SHA], [SHA], "SHA-256"),
    ],
)
def test_what_ffmpeg_cannot_meet_is_left_out_where_it_can_meet_another(
    told: list[bytes], heard: list[bytes], unknown: str, piece: int
) -> None:
    """The order does not matter, nor do the pieces in which it comes; everything else goes through as it is."""
    challenges = Challenges()
    says = OPTIONS + refusal(*told, end=PAGE) + SDP + b"$\x00\x00\x04" + refusal(SHA, MD5)
    parts = [challenges.pass_on(says[at : at + piece]) for at in range(0, len(says), piece)]
    assert b"".join(parts) == OPTIONS + refusal(*heard, end=PAGE) + SDP + b"$\x00\x00\x04" + refusal(SHA, MD5)
    assert (challenges.refused, challenges.mended, challenges.unknown) == (True, told != heard, unknown)


def test_a_server_that_wants_no_password_is_passed_on_at_once() -> None:
    challenges = Challenges()
    assert challenges.pass_on(OPTIONS) == OPTIONS
    assert challenges.pass_on(SDP) == SDP
    assert (challenges.refused, challenges.mended, challenges.unknown) == (False, False, "")
