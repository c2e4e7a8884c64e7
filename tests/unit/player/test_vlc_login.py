"""The servers that are told the password of an http address."""

from __future__ import annotations

import pytest

from agent.player.vlc.login import Login
from agent.types import ErrorCode, Failure

URL = "http://viewer:s3cret@cam.local/picture.jpg?size=@full"
REFUSED = Failure(ErrorCode.MEDIA_UNAUTHORIZED, "cam.local answered 401.")
MD5, SHA = 'Digest realm="cam", nonce="1", algorithm=MD5', 'Digest realm="cam", nonce="1", algorithm="SHA-256"'


@pytest.mark.parametrize("challenges", [['Basic realm="cam"'], [MD5, "Basic"], []])
def test_who_asks_for_it_is_told_once(challenges: list[str]) -> None:
    login = Login(URL)
    assert (login.bare, login.is_kept_back) == ("http://cam.local/picture.jpg?size=@full", True)
    assert login.asked(REFUSED, challenges) is None
    assert not login.is_kept_back
    assert login.asked(REFUSED, challenges) is REFUSED


@pytest.mark.parametrize(
    ("challenges", "code", "words"),
    [
        (["digest realm=cam, nonce=1"], ErrorCode.MEDIA_UNSUPPORTED, "by digest, which libVLC does not know"),
        ([SHA, MD5], ErrorCode.MEDIA_UNSUPPORTED, "by digest, which libVLC does not know"),
        ([SHA], ErrorCode.MEDIA_UNAUTHORIZED, "by SHA-256 digest only"),
    ],
)
def test_who_wants_a_digest_is_not_told(challenges: list[str], code: ErrorCode, words: str) -> None:
    """Another engine may know MD5, and is asked then; what none knows is named."""
    login = Login(URL)
    failure = login.asked(REFUSED, challenges)
    assert failure is not None
    assert (failure.code, words in failure.message, login.is_kept_back) == (code, True, True)


@pytest.mark.parametrize("url", ["http://cam.local/@x", "rtmp://viewer:s3cret@cam.local/", "file:///srv/a@b.mp4"])
def test_other_addresses_are_given_as_they_are(url: str) -> None:
    login = Login(url)
    assert (login.bare, login.is_kept_back) == (url, False)
    assert login.asked(REFUSED, []) is REFUSED
