"""libVLC's log lines, as libVLC 3.0.24 wrote them, and what a person is told."""

from __future__ import annotations

import pytest

from agent.player.reasons import broke_off, explain, nothing_shown, web_page
from agent.types import ErrorCode

GIVEN_UP = ["Your input can't be opened", "VLC is unable to open the MRL 'http://x/'. Check the log for details."]

CASES = [
    (["HTTP 401 error"], ErrorCode.MEDIA_UNAUTHORIZED, "check user name and password"),
    (["HTTP 403 error", "error: HTTP/1.1 403 Forbidden"], ErrorCode.MEDIA_UNAUTHORIZED, "does not allow"),
    (["HTTP 404 error", "error: HTTP/1.1 404 Not Found"], ErrorCode.MEDIA_NOT_FOUND, "check the path"),
    (["error: HTTP/1.1 410 Gone"], ErrorCode.MEDIA_NOT_FOUND, "410"),
    (["HTTP 500 error"], ErrorCode.MEDIA_NETWORK, "has an error"),
    (["HTTP 418 error"], ErrorCode.MEDIA_NETWORK, "418"),
    (["cannot resolve cam.lan: Name or service not known"], ErrorCode.MEDIA_NETWORK, "'cam.lan'"),
    (["cannot resolve cam.local: Name or service not known"], ErrorCode.MEDIA_NETWORK, "'cam.local'"),
    (["cannot resolve cam.local: Name or service not known"], ErrorCode.MEDIA_NETWORK, "install libnss-mdns"),
    (
        ["cannot resolve cam.lan port 80 : Temporary failure in name resolution"],
        ErrorCode.MEDIA_NETWORK,
        "DNS server of",
    ),
    (["cannot resolve cam.local port 80 : Name or service not known"], ErrorCode.MEDIA_NETWORK, "'cam.local'"),
    (["HTTP connection failure", "connection failed: Connection refused"], ErrorCode.MEDIA_NETWORK, "refused"),
    (["connection failed: No route to host"], ErrorCode.MEDIA_NETWORK, "switched on"),
    (["TLS session handshake error", "connection error: Resource temporarily unavailable"], None, "not speak TLS"),
    (
        ["Certificate verification failure: The certificate is NOT trusted. The certificate issuer is unknown. "],
        ErrorCode.MEDIA_FORBIDDEN,
        "run update-ca-certificates",
    ),
    (
        ["failure: The certificate is NOT trusted. The name in the certificate does not match the expected. "],
        ErrorCode.MEDIA_FORBIDDEN,
        "another name",
    ),
    (
        ["failure: The certificate is NOT trusted. The certificate chain uses not yet valid certificate. "],
        ErrorCode.MEDIA_NETWORK,
        "clock of this box",
    ),
    (["Failed to open rtmps://cam.local/x: Input/output error"], ErrorCode.MEDIA_NETWORK, "No secure connection"),
    (["cannot open file /srv/x.mp4 (No such file or directory)"], ErrorCode.MEDIA_NOT_FOUND, "No such file"),
    (["Failed to setup RTSP session", "only real/helix rtsp servers supported for now"], None, "without RTSP"),
    (["no more data", "cannot peek"], ErrorCode.MEDIA_UNSUPPORTED, "empty answer"),
    (["Failed to create demuxer (nil) Unknown"], ErrorCode.MEDIA_NOT_FOUND, "segments"),
    ([], ErrorCode.MEDIA_UNSUPPORTED, "sent nothing that libVLC can read"),
    (["redirection loop"], ErrorCode.MEDIA_NETWORK, "in a loop"),
    (["Codec `zz99' (No description for this codec) is not supported."], ErrorCode.MEDIA_DECODE, "for zz99"),
]


@pytest.mark.parametrize(("lines", "code", "words"), CASES, ids=[" ".join(c[0])[:40] or "nothing else" for c in CASES])
def test_each_reason_has_its_code_and_sentence(lines: list[str], code: ErrorCode | None, words: str) -> None:
    """The most telling line decides, whatever libVLC says after it."""
    failure = explain([*lines, *GIVEN_UP], "http://user:secret@cam.local:8080/live")
    assert failure is not None
    assert code in (None, failure.code)
    assert words in failure.message
    assert "secret" not in failure.message
    assert "unknown" not in failure.message.lower()


def test_a_kind_of_address_that_libvlc_does_not_know() -> None:
    """An address that is not HTTP fails so if the plug-in for it is missing."""
    failure = explain(GIVEN_UP, "srt://cam.local:9000")
    assert failure is not None
    assert "cannot open this kind of address (srt)" in failure.message


def test_no_reason_is_none() -> None:
    """Lines that explain nothing are not made into a reason."""
    assert explain(["elst box found", "STTS table of 1 entries"], "http://cam/x") is None


def test_a_source_without_a_host_is_named() -> None:
    """A sentence about a source without a host name is a sentence all the same."""
    assert nothing_shown("udp://@:1234").message.startswith("The source sent")


def test_what_may_be_a_web_page_says_how_to_show_it() -> None:
    """Only an address of HTTP can be one."""
    url = "http://user:secret@panel.lan:3000/wall"
    for failure in (nothing_shown(url), web_page(url)):
        assert failure.code is ErrorCode.MEDIA_UNSUPPORTED
        assert all(words in failure.message for words in ("panel.lan:3000 sent", '"as": "page"', "--as page"))
        assert "secret" not in failure.message
    assert "page" not in nothing_shown("file:///srv/media/x.jpg").message


def test_broken_off_says_where() -> None:
    """A film that broke off says at what second."""
    assert "12 s of 90 s" in broke_off("http://nas/film.mp4", position=12.2, duration=90.0).message
