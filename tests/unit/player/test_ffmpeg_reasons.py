"""mpv's log lines, as mpv 0.35 with FFmpeg 5.1 wrote them, and what a person is told."""

from __future__ import annotations

import socket
import ssl

import pytest

from agent.player.ffmpeg.reasons import explain, no_connection, not_opened, nothing_to_play, transport_refused
from agent.types import ErrorCode

URL = "rtsp://user:secret@cam.local:8554/live"
GIVEN_UP = ["avformat_open_input() failed", "Failed to recognize file format."]

CASES = [
    ("tcp: Connection to tcp://cam.local:8554?timeout=0 failed: Connection refused", "media_network", "refused"),
    ("tcp: Failed to resolve hostname cam.lan: Temporary failure in name resolution", "media_network", "DNS server of"),
    ("tcp: Failed to resolve hostname cam.local: Name or service not known", "media_network", "'cam.local'"),
    ("tcp: Connection to tcp://cam.local:8554?timeout=0 failed: No route to host", "media_network", "switched on"),
    ("tcp: Connection to tcp://cam.local:8554?timeout=0 failed: Connection timed out", "media_network", "not answer"),
    ("tcp: Connection to tcp://cam.local:8554 failed: Network is unreachable", "media_network", "this box connected"),
    ("rtsp: method DESCRIBE failed: 401 Unauthorized", "media_unauthorized", "check user name and password"),
    ("rtsp: method DESCRIBE failed: 403 Forbidden", "media_unauthorized", "does not allow"),
    ("rtsp: method DESCRIBE failed: 404 Not Found", "media_not_found", "check the path"),
    ("rtsp: method PLAY failed: 503 Service Unavailable", "media_network", "has an error"),
    ("rtsp: method SETUP failed: 461 Unsupported transport", "media_unsupported", "neither TCP nor UDP"),
    ("https: HTTP error 404 Not Found", "media_not_found", "404"),
    ("tls: Protocol 'tls' not on whitelist 'rtsp,tcp'!", "media_forbidden", "leads to another kind of address (tls)"),
    ("tls: An unexpected TLS packet was received.", "media_network", "does not speak TLS"),
    ("tls: Peer certificate failed verification", "media_network", "update-ca-certificates"),
    ("tls: The certificate's owner does not match hostname cam.local", "media_forbidden", "another name"),
    ("Failed to initialize a video decoder for codec 'prores'.", "media_decode", "no decoder for prores"),
]


@pytest.mark.parametrize(("line", "code", "words"), CASES, ids=[case[0][:50] for case in CASES])
def test_each_reason_has_its_code_and_sentence(line: str, code: str, words: str) -> None:
    """The telling line decides, whatever mpv says after it; credentials are not repeated."""
    failure = explain([line, *GIVEN_UP], URL)
    assert failure is not None
    assert failure.code == code
    assert words in failure.message
    assert "secret" not in failure.message


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate"),
            "media_forbidden",
            "run up",
        ),
        (
            ssl.SSLCertVerificationError(1, "Hostname mismatch, certificate is not valid"),
            "media_forbidden",
            "another name",
        ),
        (ssl.SSLCertVerificationError(1, "certificate is not yet valid"), "media_network", "clock"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "media_network", "speak TLS"),
        (socket.gaierror(-2, "Name or service not known"), "media_network", "'cam.local' cannot be resolved"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 322)"), "media_network", "refused the conn"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), "media_network", "switched on"),
        (TimeoutError(), "media_network", "switched on"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_each_error_of_a_connection_of_ours_has_them_too(error: Exception, code: str, words: str) -> None:
    """Each has them, whatever Python says when a secure connection to a camera cannot be made."""
    failure = no_connection(error, URL.replace("rtsp:", "rtsps:"))
    assert failure.code == code
    assert words in failure.message
    assert "secret" not in failure.message


def test_no_reason_is_none() -> None:
    """Lines that explain nothing are not made into a reason."""
    assert explain(["No video PTS! Making something up. Using 25.000000 FPS.", *GIVEN_UP], URL) is None


def test_a_refused_transport_is_told_apart() -> None:
    """Only what asks for another transport makes the player try one."""
    assert transport_refused(["rtsp: method SETUP failed: 461 Unsupported transport"])
    assert transport_refused(["rtsp: Nonmatching transport in server reply"])
    assert not transport_refused(["rtsp: method SETUP failed: 404 Not Found"])


def test_sentences_without_a_line() -> None:
    """A failure that the log does not explain still says what to do."""
    assert not_opened(URL).code is ErrorCode.MEDIA_NETWORK
    assert "switched on" in not_opened(URL).message
    assert nothing_to_play(URL).code is ErrorCode.MEDIA_UNSUPPORTED
