"""The form in which URLs are shown, and the rules for those that may be played."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InvalidRequestError
from agent.media.redaction import names_secret, redact
from agent.media.urls import NETWORK_SCHEMES, MediaPolicy, with_code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:hunter2@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://admin:p@ss@cam:554/stream", "rtsp://***@cam:554/stream"),
        ("rtsp://admin:p/ss#w?rd@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://admin:12/34@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://admin:a:b:c@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://admin:p%40ss@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://admin:my pass@cam/stream", "rtsp://***@cam/stream"),
        ("rtsp://:hunter2@cam/", "rtsp://***@cam/"),
        ("rtmp://token123@host/live", "rtmp://***@host/live"),
        ("http://u:p@[fe80::1]:8080/x", "http://***@[fe80::1]:8080/x"),
        ("HTTP://u:p@HOST/", "HTTP://***@HOST/"),
        ("rtsp://admin:hunt", "rtsp://***"),
        (
            "a rtsp://u:p@one/1, then http://v:w@two/2 and http://three/3",
            "a rtsp://***@one/1, then http://***@two/2 and http://three/3",
        ),
        ("['http://u:p@a/1','http://v:w@b/2']", "['http://***@a/1','http://***@b/2']"),
        ("http://a/1,http://u:p@b/2", "http://a/1,http://***@b/2"),
        ("http://proxy/?src=rtsp://u:p@cam/1", "http://proxy/?src=rtsp://***@cam/1"),
        ("http://proxy/?src=rtsp%3A%2F%2Fu%3Ap%40cam&w=1", "http://proxy/?src=***&w=1"),
        ("http://proxy/http://u:p@cam/1", "http://***@cam/1"),
        ("http://h/a?token=abc&width=5", "http://h/a?token=***&width=5"),
        ("http://h/a?w=5&API-Key=abc#top", "http://h/a?w=5&API-Key=***"),
        (
            "http://h/a?X-Amz-Signature=abc&accessToken=d&st=e&%70assword=f",
            "http://h/a?X-Amz-Signature=***&accessToken=***&st=***&%70assword=***",
        ),
        ("http://h/#access_token=abc", "http://h/#access_token=***"),
        ("GET /a?user=x&pwd=abc HTTP/1.1", "GET /a?user=x&pwd=*** HTTP/1.1"),
    ],
)
def test_credentials_are_hidden(text: str, shown: str) -> None:
    """Credentials are replaced so that one sees there were some; the rest of the text stays."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here: me@example.org",
        "http://nas.local:8080/film.mp4?keyframe=2&start=5",
        "could not reach 'http://nas.local:8080': refused",
        "https://social.example/@user/1",
        "http://192.168.1.5:8080/@user?monkey=1",
        "http://[::1]:8080/a@b",
        "udp://@239.0.0.1:1234",
        "udp://192.168.1.5@239.0.0.1:1234",
        "file:///srv/media/a@b.mp4",
        "[h264 @ 0x55d0]: error://",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    """Text without credentials is shown as it is, also where an @ or a colon stands in it."""
    assert redact(text) == text


# A letter that no other part of the URL holds marks the password, so that finding it is no accident.
PASSWORDS = st.text(st.sampled_from("aZ09@/:#?%40&=;,.[]+!$'\"\\~"), max_size=20).map(lambda text: f"Q{text}Q")
HOSTS = st.sampled_from(["cam", "cam.local:554", "10.0.0.9", "10.0.0.9:8554", "[fe80::1]", "[::1]:80"])


@given(password=PASSWORDS, host=HOSTS, around=st.sampled_from(["{}", "see {} now", "<{}>", "'{}', '{}'", "a={}\n{}"]))
def test_no_password_is_ever_shown(password: str, host: str, around: str) -> None:
    """Whatever a password is made of, neither it nor a part of it is shown, and the host still is."""
    shown = redact(around.format(*[f"rtsp://admin:{password}@{host}/live"] * 2))
    assert "Q" not in shown
    assert f"rtsp://***@{host}/live" in shown


@given(digits=st.text("0123456789", max_size=6), password=PASSWORDS)
def test_password_that_looks_like_a_port(digits: str, password: str) -> None:
    """A password that begins like a port and a path is hidden too."""
    assert redact(f"rtsp://admin:{digits}/{password}@cam/") == "rtsp://***@cam/"


@given(secret=PASSWORDS.filter(lambda text: "&" not in text), path=st.sampled_from(["https://host/live", "/live"]))
def test_no_secret_of_a_query_is_ever_shown(secret: str, path: str) -> None:
    """The value of a secret's name is hidden to its end."""
    assert "Q" not in redact(f"{path}?w=1&token={secret}&h=2")


@given(st.text(st.sampled_from("ab:/@?#&=% \n'\",[]1.") | st.characters(), max_size=80))
def test_redaction_is_idempotent(text: str) -> None:
    """A redacted text is not changed by redacting it again."""
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "piece",
    ["a", "://", "a://", "http://a:b ", "http://u:p@h/,", "?a=", "?a=%253A%252F%252F", "@", "a:b@", ";", "[", ",a"],
)
def test_long_text_takes_linear_time(piece: str) -> None:
    """A megabyte of anything is redacted within seconds; anything worse than linear would take hours."""
    begin = time.process_time()
    redact(piece * (1_000_000 // len(piece)))
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("name", "secret"),
    [("password", True), ("api_key", True), ("accessToken", True), ("X-API-Key", True), ("Set-Cookie", True),
     ("password_hash", True), ("session_id", False), ("monkey", False), ("token_count", False), ("", False)],
)  # fmt: skip
def test_names_of_secrets(name: str, secret: bool) -> None:
    """A name is a secret's when one of its words is."""
    assert names_secret(name) is secret


def refusal(url: str, policy: MediaPolicy | None = None) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        (policy or MediaPolicy()).check(url)
    error = caught.value
    assert [field.field for field in error.errors] == ["url"]
    assert error.errors[0].message == str(error)
    assert error.__cause__ is None
    return str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://nas.local/film.mp4",
        "https://host:8443/live/index.m3u8?token=a%20b&x=1#t=5",
        "rtsp://admin:p%40ss@192.168.1.64:554/Streaming/Channels/101",
        "http://[fe80::1%25eth0]:8080/x",
        "http://my_nas/film.mp4",
        "udp://@239.0.0.1:1234",
        "udp://@:5004",
        "udp://192.168.1.5@239.0.0.1:1234",
        "rtp://:5004",
        "rtp://@239.0.0.1:5004",
        "srt://:9000?mode=listener",
        "srt://host:9000?streamid=read:live",
        "rtmp://host/app/live",
        "mmsh://host/radio",
    ],
)
def test_playable_urls_pass_unchanged(url: str) -> None:
    """A good URL of an allowed scheme is played as it is, credentials included."""
    assert MediaPolicy().check(url) == url


@pytest.mark.parametrize(
    ("url", "played"),
    [
        ("  http://nas/film.mp4\r\n", "http://nas/film.mp4"),
        ("HTTP://nas/film.mp4", "http://nas/film.mp4"),
        ("http://nas/My Film ü 100%.mp4", "http://nas/My%20Film%20%C3%BC%20100%.mp4"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
        ("rtsp://admin:p@ss word@cam/x", "rtsp://admin:p%40ss%20word@cam/x"),
    ],
)
def test_urls_are_mended(url: str, played: str) -> None:
    """Blanks around are dropped; blanks, other scripts and a raw @ inside are encoded, so that all players agree."""
    assert MediaPolicy().check(url) == played


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("http://host/" + "a" * 2037, "2,048 characters"),
        ("http://host/\0", "control character"),
        ("http://host/a\r\nb", "control character"),
        ("http://host/\x1b[2J", "control character"),
        ("http://host/\ud800", "broken"),
        ("film.mp4", "must be absolute"),
        ("/srv/media/film.mp4", "must be absolute"),
        ("//host/film.mp4", "must be absolute"),
        ("--intf=telnet", "must be absolute"),
        ("javascript:alert(1)", "must be absolute"),
        ("http:/host/x", "must be absolute"),
        ("http/dump://host/x", "must be absolute"),
        ("http:host", "must be absolute"),
        ("://host", "must be absolute"),
        ("/api/tts_proxy/abc.mp3", "docs/home-assistant.md"),
        ("media-source://tts/piper?message=hello", "docs/home-assistant.md"),
        ("htpp://host/x", "Did you mean http://?"),
        ("v4l2:///dev/video0", "must begin with one of"),
        ("dvd:///dev/sr0", "must begin with one of"),
        ("screen://", "must begin with one of"),
        ("http://", "no host"),
        ("http:///film.mp4", "no host"),
        ("rtsp://admin:x@/film", "no host"),
        ("http://:80/", "no host"),
        ("udp://@", "no host"),
        ("srt://:", "no host"),
        ("http://host:0/", "1 to 65535"),
        ("http://host:65536/", "1 to 65535"),
        ("http://host:eighty/", "cannot be understood"),
        ("http://fe80::1/", "cannot be understood"),
        ("http://[fe80::1/", "cannot be understood"),
        ("http://[nonsense]/", "not a valid one"),
        ("http://my host/", "not a valid one"),
        ("http://host\\evil/", "not a valid one"),
        ("http://-flag/", "not a valid one"),
        ("http://a..b/", "not a valid one"),
        ("http://" + "a" * 64 + "/", "not a valid one"),
        ("http://ü" + "a" * 64 + "/", "not a valid one"),
    ],
)
def test_bad_urls_are_refused(url: str, says: str) -> None:
    """A URL that cannot be played is refused with a sentence that says what is wrong with it."""
    assert says in refusal(url)


def test_refusals_hold_no_credentials() -> None:
    """A password that breaks its URL is not repeated; the sentence says how to write it."""
    for url in ("rtsp://admin:Q/Q@cam/", "rtsp://admin:Q#Q@cam/", "rtsp://admin:Q@cam:Q/", "rtsp://admin:Q@a b/"):
        message = refusal(url)
        assert "Q" not in message
        assert "%40" in message


def test_schemes_follow_the_settings() -> None:
    """A scheme that the settings left out is refused with the name of the setting."""
    policy = MediaPolicy(allowed_schemes=("https",))
    assert policy.check("https://host/x") == "https://host/x"
    assert "allowed_schemes" in refusal("http://host/x", policy)
    assert "https://." in refusal("film.mp4", policy)
    assert set(MediaPolicy().allowed_schemes) == set(NETWORK_SCHEMES)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "My Film #1.mp4").touch()
    (tmp_path / "secret.mp4").touch()
    (tmp_path / "media-too").mkdir()
    (tmp_path / "media-too" / "a.mp4").touch()
    (folder / "way-out.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder / "circle.mp4").symlink_to(folder / "circle.mp4")
    (folder / "inside.mp4").symlink_to(folder / "sub" / "My Film #1.mp4")
    return folder


def test_files_in_media_folders_are_played(media: Path) -> None:
    """A file below a media folder is played by its real path, whatever the allowed schemes are."""
    policy = MediaPolicy(allowed_schemes=(), media_folders=(media,))
    played = (media / "sub" / "My Film #1.mp4").as_uri()
    assert policy.check(played) == played
    assert policy.check(f"FILE://localhost{media}/sub/My%20Film%20%231.mp4") == played
    assert policy.check(f"file://{media}/sub/../sub/./My Film %231.mp4") == played
    assert policy.check(f"file://{media}/inside.mp4") == played


def test_media_folder_that_is_a_link(media: Path, tmp_path: Path) -> None:
    """A media folder may itself be reached through a link."""
    (tmp_path / "link").symlink_to(media)
    policy = MediaPolicy(media_folders=(tmp_path / "link",))
    assert policy.check(f"file://{tmp_path}/link/inside.mp4") == (media / "sub" / "My Film #1.mp4").as_uri()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("{media}/../secret.mp4", "media_folders"),
        ("{media}/%2e%2e/secret.mp4", "media_folders"),
        ("{media}/way-out.mp4", "media_folders"),
        ("{media}-too/a.mp4", "media_folders"),
        ("{media}/../not-there.mp4", "media_folders"),
        ("/etc/passwd", "media_folders"),
        ("{media}/not-there.mp4", "no such file"),
        ("{media}/sub", "no such file"),
        ("{media}", "no such file"),
        ("{media}/circle.mp4", "cannot be followed"),
        ("{media}/a%00.mp4", "cannot be followed"),
        ("{media}/" + "a" * 300, "cannot be followed"),
        ("{media}/inside.mp4?x=1", "%3F"),
        ("{media}/inside.mp4#x", "%23"),
        ("", "three slashes|file:///folder"),
    ],
)
def test_other_files_are_refused(media: Path, path: str, says: str) -> None:
    """A path that is not an existing file below a media folder is refused, and nobody outside learns which files
    exist."""
    message = refusal("file://" + path.format(media=media), MediaPolicy(media_folders=(media,)))
    assert any(part in message for part in says.split("|"))


def test_files_without_media_folders_and_on_other_hosts(media: Path) -> None:
    """Without media folders no file is played, and never one of another host."""
    assert "media_folders" in refusal(f"file://{media}/inside.mp4")
    assert "three slashes" in refusal(f"file://otherhost{media}/inside.mp4", MediaPolicy(media_folders=(media,)))
    assert "must be absolute" in refusal(f"file:{media}/inside.mp4", MediaPolicy(media_folders=(media,)))


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("rtsp://media:8554/live/door", "rtsp://code:K7QF2M@media:8554/live/door"),
        ("rtsps://[fe80::1]/door", "rtsps://code:K7QF2M@[fe80::1]/door"),
        ("https://media/door/index.m3u8", "https://media/door/index.m3u8?code=K7QF2M"),
        ("http://media/door/index.m3u8?x=1", "http://media/door/index.m3u8?x=1&code=K7QF2M"),
        ("rtsp://viewer:s3cret@media/door", "rtsp://viewer:s3cret@media/door"),
        ("srt://media:8890", "srt://media:8890"),
    ],
)
def test_a_code_lets_viewers_in(url: str, opened: str) -> None:
    """The code is the password of RTSP and goes into the query of HLS; an address that holds credentials, or takes none
    like that, stays."""
    assert with_code(url, "K7QF2M") == opened
