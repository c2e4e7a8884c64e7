"""The settings that a person can make, and the messages for wrong ones."""

from __future__ import annotations

import os
import re
import socket
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from agent.config import loader as config
from agent.config.loader import LOADER, Settings, installed_config, load_settings
from agent.config.settings import StateSettings
from agent.errors import ConfigError
from agent.media.urls import NETWORK_SCHEMES
from agent.types import Quality

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("CAST_AGENT_") or name == "INVOCATION_ID":
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refusal(path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return str(caught.value)


def sections() -> dict[str, type[BaseModel]]:
    """Each with its model, also where there may be several of it."""
    fields: dict[str, Any] = {section: field.annotation for section, field in Settings.model_fields.items()}
    return {name: get_args(kind)[0] if LOADER.is_repeated(name) else kind for name, kind in fields.items()}


def all_keys() -> set[str]:
    return {f"{section}.{key}" for section, model in sections().items() for key in model.model_fields}


def test_defaults() -> None:
    """Without file and environment the documented defaults hold."""
    settings = load_settings(None)
    assert settings.device.id is None
    assert settings.device.name == socket.gethostname()[:63]
    assert (settings.api.host, settings.api.port, settings.api.auth) == ("0.0.0.0", 8090, "keys")
    assert (settings.display.display, settings.display.idle) == (None, "black")
    assert (settings.audio.output, settings.audio.device) == ("auto", None)
    assert settings.player.quality is Quality.AUTO
    assert (settings.player.start_timeout, settings.player.stall_timeout) == (15.0, 5.0)
    assert (settings.player.media_folders, settings.player.allowed_schemes) == ((), NETWORK_SCHEMES)
    assert (settings.central.url, settings.central.token, settings.central.heartbeat) == (None, None, 60.0)
    assert settings.state.dir is None
    assert (settings.log.format, settings.log.level) == ("auto", "info")


def test_settings_are_frozen() -> None:
    """Settings cannot be changed after they were loaded."""
    settings = load_settings(None)
    with pytest.raises(ValidationError):
        settings.api.port = 1
    with pytest.raises(ValidationError):
        settings.api = settings.api


def test_example_is_the_defaults() -> None:
    """The example file loads and equals the defaults."""
    assert load_settings(EXAMPLE) == Settings()


def test_example_names_every_key() -> None:
    """The example file shows every key that exists and no other, the commented-out ones included."""
    shown, section = set(), ""
    for line in EXAMPLE.read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]|# \[\[(\w+)\]\]", line):
            section = header[1] or header[2]
        elif key := re.match(r"(?:# )?([a-z_]+) = \S", line):
            shown.add(f"{section}.{key[1]}")
    assert shown == all_keys()


def test_example_values_of_commented_keys_are_valid(file: Path) -> None:
    """Taking away the # before a commented-out key gives a file that loads and sets every key."""
    text = re.sub(r"^# ([a-z_]+ = \S|\[\[)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    file.write_text(text)
    shown = {name: content if LOADER.is_repeated(name) else [content] for name, content in tomllib.loads(text).items()}
    assert {f"{name}.{key}" for name, contents in shown.items() for each in contents for key in each} == all_keys()
    assert load_settings(file).device.name == "Living room"


def test_file_sets_values(file: Path) -> None:
    """A value in the file is used; one that the file leaves out keeps its default."""
    file.write_text('[api]\nport = 0\n[player]\nquality = "720p"\nmedia_folders = ["/srv/media"]\nstart_timeout = 20\n')
    settings = load_settings(file)
    assert settings.api.port == 0
    assert settings.player.quality is Quality.HD
    assert settings.player.media_folders == (Path("/srv/media"),)
    assert settings.player.start_timeout == 20.0
    assert settings.player.stall_timeout == 5.0


def test_environment_wins_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable overrides its key in the file and leaves the key's neighbours alone."""
    file.write_text('[api]\nport = 9000\nauth = "none"\n[player]\nmedia_folders = ["/a"]\n')
    monkeypatch.setenv("CAST_AGENT_API__PORT", "9001")
    monkeypatch.setenv("CAST_AGENT_PLAYER__MEDIA_FOLDERS", '["/b", "/c"]')
    settings = load_settings(file)
    assert (settings.api.port, settings.api.auth) == (9001, "none")
    assert settings.player.media_folders == (Path("/b"), Path("/c"))


def test_environment_mends_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value in the file does no harm while the environment overrides it."""
    file.write_text("[api]\nport = 70000\n")
    monkeypatch.setenv("CAST_AGENT_API__PORT", "9001")
    assert load_settings(file).api.port == 9001


def test_empty_variable_counts_as_unset(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable neither overrides the file nor is it refused."""
    file.write_text("[api]\nport = 9000\n")
    monkeypatch.setenv("CAST_AGENT_API__PORT", "")
    monkeypatch.setenv("CAST_AGENT_NOTHING", "")
    assert load_settings(file).api.port == 9000


@pytest.mark.parametrize("value", ['"a b/c"', '""', "-1", "99999999", "1.5", "nan", "true", "[5]", "{x = 1}"])
def test_what_is_wrong_is_told_in_words(file: Path, value: str) -> None:
    """The message says what is allowed at that key, whatever stands there, and shows no expression."""
    told = []
    for section, model in sections().items():
        for key in model.model_fields:
            header = f"[[{section}]]" if LOADER.is_repeated(section) else f"[{section}]"
            file.write_text(f"{header}\n{key} = {value}\n")
            try:
                load_settings(file)
            except ConfigError as error:
                told.append(str(error))
    assert len(told) > 10
    assert all("; allowed: " in text for text in told)
    assert not [text for text in told if re.search(r"pattern|\^|valid|parse", text)]


def test_every_problem_is_told_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error lists everything that is wrong, each with its place, the problem and what is allowed."""
    file.write_text(
        "[player]\nstart_timeout = 500\nstall_timout = 3\nmedia_folders = ['films']\n"
        "[api]\nauth = 'kees'\n[disply]\nidle = 'black'\n"
    )
    monkeypatch.setenv("CAST_AGENT_API__PORT", "many")
    monkeypatch.setenv("CAST_AGENT_LOG__LEVLE", "info")
    text = refusal(file)
    lines = text.splitlines()
    assert lines[0] == "The configuration cannot be used:"
    assert len(lines) == 8
    assert f"{file}: player.start_timeout: cannot be used; allowed: seconds, from 1 to 120." in text
    assert "player.stall_timout: there is no such key; did you mean player.stall_timeout?" in text
    assert "player.media_folders (entry 1): should be an absolute path" in text
    assert 'api.auth: not a word that is known here; allowed: "keys" or "none".' in text
    assert "disply: there is no such section or key; did you mean display?" in text
    assert "environment: CAST_AGENT_API__PORT: cannot be used; allowed: a whole number" in text
    assert "environment: CAST_AGENT_LOG__LEVLE: there is no such setting; did you mean CAST_AGENT_LOG__LEVEL?" in text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("port = 8090", "port: there is no such section or key; did you mean api.port?"),
        ("[player]\nport = 8090", "player.port: there is no such key; did you mean api.port?"),
        ("[player]\nzzz = 1", "player.zzz: there is no such key; there are player.quality, player.start_timeout,"),
        ("[cloud]\nkind = 'blue'", "cloud: there is no such section or key; there are device, api, display"),
        ("player = 3", "player: this is a section; write [player] and its keys below that."),
        ("_env_file = '/etc/passwd'", "_env_file: there is no such section or key"),
    ],
)
def test_unknown_keys_are_refused_with_a_hint(file: Path, text: str, hint: str) -> None:
    """A key or section that does not exist is refused, with the one that was probably meant."""
    file.write_text(text)
    assert hint in refusal(file)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("api", "port = -1"),
        ("api", "port = true"),
        ("api", "port = 80.5"),
        ("api", "host = ''"),
        ("api", "allowed_hosts = ['http://tv']"),
        ("api", "allowed_hosts = 'tv'"),
        ("device", "id = 'a b'"),
        ("device", "name = ''"),
        ("device", "name = '" + "ü" * 32 + "'"),
        ("display", "display = 'first'"),
        ("display", "idle = 'white'"),
        ("audio", "output = 'jack'"),
        ("audio", "device = ''"),
        ("player", "quality = 'best'"),
        ("player", "start_timeout = nan"),
        ("player", "start_timeout = inf"),
        ("player", "start_timeout = true"),
        ("player", "stall_timeout = 0.5"),
        ("player", "allowed_schemes = ['ftp']"),
        ("player", "allowed_schemes = ['file']"),
        ("player", "engines = { rtsp = 'chromium' }"),
        ("player", "engines = { gopher = 'mpv' }"),
        ("player", "engines = { rtsp = 'pillow' }"),
        ("player", "engines = 'mpv'"),
        ("central", "url = 'central.example.org'"),
        ("central", "url = 'ftp://central.example.org'"),
        ("central", "url = 'https://'"),
        ("central", "url = 'https://me:secret@central.example.org'"),
        ("central", "url = 'https://central.example.org?x=1'"),
        ("central", "url = 'http://8.8.8.8'"),
        ("central", "url = 'http://[2001:4860:4860::8888]:8080'"),
        ("central", "token = 'dt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG'"),
        ("central", "heartbeat = 0"),
        ("central", "heartbeat = true"),
        ("state", "dir = 'state'"),
        ("log", "format = 'xml'"),
        ("log", "level = 'loud'"),
    ],
)
def test_wrong_values_are_refused(file: Path, section: str, line: str) -> None:
    """A value out of range or of the wrong kind is refused, and the text says which key and what is allowed."""
    file.write_text(f"[{section}]\n{line}\n")
    text = refusal(file)
    assert f"{section}.{line.split(' ')[0]}" in text
    assert "; allowed: " in text


def test_values_are_not_echoed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error does not repeat what was given: it may be a secret that landed in the wrong place."""
    file.write_text("[api]\nhost = 'http://me:hunter2@box'\nauth = 'hunter2'\n[player]\nmedia_folders = 'hunter2'\n")
    monkeypatch.setenv("CAST_AGENT_API__PORT", "hunter2")
    monkeypatch.setenv("CAST_AGENT_API__KEY", "hunter2")
    assert "hunter2" not in refusal(file)


def test_list_in_the_environment_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list variable that is not JSON is refused with an example of how to write it."""
    monkeypatch.setenv("CAST_AGENT_PLAYER__MEDIA_FOLDERS", "/srv/media")
    text = refusal()
    assert "CAST_AGENT_PLAYER__MEDIA_FOLDERS: should be a list" in text
    assert 'allowed: a list of absolute paths, written as JSON like ["one", "two"].' in text


def test_engines_are_added_to_the_usual_ones(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that the table does not name keeps its engine, in the file and in the environment."""
    assert load_settings(None).player.engines == {
        "rtsp": "mpv",
        "rtsps": "mpv",
        "rtmps": "mpv",
        "image": "pillow",
        "web": "chromium",
    }
    file.write_text('[player]\nengines = { rtsp = "vlc", http = "mpv" }\n')
    named = {"rtsp": "vlc", "rtsps": "mpv", "rtmps": "mpv", "image": "pillow", "web": "chromium", "http": "mpv"}
    assert load_settings(file).player.engines == named
    monkeypatch.setenv("CAST_AGENT_PLAYER__ENGINES", '{"file": "mpv"}')
    assert load_settings(file).player.engines == {**named, "file": "mpv"}
    monkeypatch.setenv("CAST_AGENT_PLAYER__ENGINES", '{"rtsp": "xine"}')
    assert "(rtsp): not a word that is known here; allowed: a table of schemes" in refusal()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('pins = { "https://nas.lan" = "sha256/short" }', 'web.pins (https://nas.lan): should be "sha256/" and 44'),
        (f'pins = {{ "http://nas.lan" = "sha256/{"A" * 43}=" }}', "should begin with https://"),
        (f'pins = {{ "https://nas.lan/x" = "sha256/{"A" * 43}=" }}', "without a path"),
        ('renew_at = "T0400"', "should be a time of day"),
        ('renew_at = "24:00"', "should be a time of day"),
    ],
)
def test_what_is_wrong_about_pages_is_told(file: Path, line: str, says: str) -> None:
    file.write_text(f"[web]\n{line}\n")
    assert says in refusal(file)


def test_a_pin_is_for_an_origin(file: Path) -> None:
    """The origin has the form in which a browser compares it."""
    file.write_text(f'[web.pins]\n"https://NAS.lan:443" = "sha256/{"A" * 43}="\n')
    assert load_settings(file).web.pins == {"https://nas.lan": f"sha256/{'A' * 43}="}


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_there_may_be_several_webhooks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has them as a list of tables; a variable takes the place of all of them, and an empty list takes them
    away."""
    file.write_text(
        f'[[webhook]]\nurl = "HTTP://ha.local:8123/api/webhook/x?y=1"\n'
        f'[[webhook]]\nurl = "https://me:pw@n8n.example/hook"\nsecret = "{SECRET}"\nevents = ["session_started"]\n'
    )
    first, second = load_settings(file).webhook
    assert (first.url, first.secret, first.events) == ("http://ha.local:8123/api/webhook/x?y=1", None, None)
    assert (second.url, second.secret) == ("https://me:pw@n8n.example/hook", SECRET)
    assert second.events == ("session_started",)
    assert not any(word in repr(load_settings(file)) for word in (SECRET, "pw", "webhook/x"))
    monkeypatch.setenv("CAST_AGENT_WEBHOOK", '[{"url": "http://192.168.1.9/"}]')
    assert [webhook.url for webhook in load_settings(file).webhook] == ["http://192.168.1.9/"]
    monkeypatch.setenv("CAST_AGENT_WEBHOOK", "[]")
    assert load_settings(file).webhook == ()


HOOK = '[[webhook]]\nurl = "http://x"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[webhook]\nurl = "http://x"', "webhook: this is a section; write [[webhook]] and its keys below that."),
        ("webhook = 3", "webhook: this is a section; write [[webhook]]"),
        ("[[api]]\nport = 1", "api: this is a section; write [api]"),
        ("[[webhook]]", "webhook.url (webhook 1): has to be there; allowed: an address such as http"),
        (f"{HOOK}secert = 1", "webhook.secert (webhook 1): there is no such key; did you mean webhook.secret?"),
        ('[[webhook]]\nurl = "http://8.8.8.8/"', "webhook.url (webhook 1): should begin with https://, because"),
        (HOOK + HOOK, "webhook: one url stands there twice"),
        (f'{HOOK}secret = "whsec_c2hvcnQ="', "webhook.secret (webhook 1): is none of the form"),
        (f'{HOOK}events = ["begin"]', "webhook.events (webhook 1, entry 1): not a word that is known"),
        (f"{HOOK}events = []", "webhook.events (webhook 1): cannot be used; allowed: a list of at least one of agent"),
        ("".join(f'[[webhook]]\nurl = "http://x/{n}"\n' for n in range(17)), "webhook: these are too many"),
    ],
)
def test_what_is_wrong_with_a_webhook(file: Path, text: str, said: str) -> None:
    """The message names the webhook, and says which values are allowed."""
    file.write_text(text)
    assert said in refusal(file)


@pytest.mark.parametrize(
    ("text", "presets"),
    [
        ('[[preset]]\nid = "a"\nduraton = 5\n[[preset]]\nid = 7', [{"id": "a", "duraton": 5}, {"id": 7}]),
        ('[preset]\nid = "a"', [{"id": "a"}]),
        ("preset = 3", [{"preset": 3}]),
        ("preset = [3]", [{"preset": 3}]),
        ('[[preset]]\nurl = "http://me:hunter2@cam.local/"', [{"url": "http://me:hunter2@cam.local/"}]),
    ],
)
def test_a_mistake_in_a_preset_stops_nothing(file: Path, text: str, presets: list[dict[str, object]]) -> None:
    """The mistake is told where presets are listed, and the file is good otherwise."""
    file.write_text(f"{text}\n[api]\nport = 0\n")
    settings = load_settings(file)
    assert [preset.model_dump(exclude_unset=True) for preset in settings.preset] == presets
    assert settings.api.port == 0
    assert "hunter2" not in repr(settings)


def test_presets_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAST_AGENT_PRESET", '[{"id": "radio", "url": "http://x"}]')
    assert [preset.id for preset in load_settings().preset] == ["radio"]
    monkeypatch.setenv("CAST_AGENT_PRESET", "no list")
    assert len(load_settings().preset) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "http://x",
            "should be a list; allowed: up to 16 tables, each with url, secret and events, written as JSON like",
        ),
        ("{}", "CAST_AGENT_WEBHOOK: should be a list"),
        ("[1]", "CAST_AGENT_WEBHOOK (webhook 1): should be a table"),
        ('[{"url": "http://x", "urll": 1}]', "CAST_AGENT_WEBHOOK: webhook.urll (webhook 1): there is no such key; did"),
        ('[{"url": "x"}]', "CAST_AGENT_WEBHOOK: webhook.url (webhook 1): should begin with https://"),
    ],
)
def test_what_is_wrong_with_webhooks_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    """The lists are JSON, and the messages are the same."""
    monkeypatch.setenv("CAST_AGENT_WEBHOOK", text)
    assert said in refusal()


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://Central.example.org/", "https://Central.example.org"),
        ("HTTPS://8.8.8.8:8443/cast/", "https://8.8.8.8:8443/cast"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://192.168.1.5", "http://192.168.1.5"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[fd00::5]:8080", "http://[fd00::5]:8080"),
        ("http://nas.local:8080", "http://nas.local:8080"),  # looked at when it is resolved
    ],
)
def test_the_address_of_a_central_api(file: Path, given: str, taken: str) -> None:
    """https anywhere; http only where no address says that it leads out of the house."""
    file.write_text(f'[central]\nurl = "{given}"\n')
    assert load_settings(file).central.url == taken


def test_broken_toml_names_the_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A syntax error is told with its line, beside what is wrong in the environment."""
    file.write_text("[api]\nport 8090\n")
    monkeypatch.setenv("CAST_AGENT_API__PORT", "many")
    text = refusal(file)
    assert "line 2" in text
    assert "CAST_AGENT_API__PORT" in text


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a directory and a file that is not UTF-8 are each told with the file's name."""
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "No such file" in refusal(tmp_path / "missing.toml")
    assert "cannot be read" in refusal(tmp_path)
    assert f"{binary}: this is not text in UTF-8" in refusal(binary)


def test_byte_order_mark_is_taken(file: Path) -> None:
    """A file that an editor on Windows saved loads."""
    file.write_bytes(b"\xef\xbb\xbf[api]\r\nport = 9000\r\n")
    assert load_settings(file).api.port == 9000


def test_system_file_is_for_systemd_only(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's file is read without being named only when systemd started the process and it exists."""
    assert load_settings(None, system_config=file).api.port == 8090
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef")
    assert load_settings(None, system_config=file).api.port == 8090
    file.write_text("[api]\nport = 9000\n")
    assert load_settings(None, system_config=file).api.port == 9000
    monkeypatch.delenv("INVOCATION_ID")
    assert load_settings(None, system_config=file).api.port == 8090


def test_state_directory() -> None:
    """State lives where the settings say, else where systemd says, else where XDG says, else in the home."""
    home = Path.home() / ".local" / "state" / "cast-agent"
    environ = {"STATE_DIRECTORY": "/var/lib/cast-agent:/var/lib/other", "XDG_STATE_HOME": "/xdg"}
    assert StateSettings(dir=Path("/mine")).directory(environ) == Path("/mine")
    assert StateSettings().directory(environ) == Path("/var/lib/cast-agent")
    assert StateSettings().directory({"XDG_STATE_HOME": "/xdg"}) == Path("/xdg/cast-agent")
    assert StateSettings().directory({"XDG_STATE_HOME": "relative"}) == home
    assert StateSettings().directory({}) == home


def test_runtime_directory() -> None:
    """State that need not outlive the machine lives in memory where there is such a place, and otherwise beside the
    rest."""
    settings = StateSettings(dir=Path("/mine"))
    environ = {"RUNTIME_DIRECTORY": "/run/cast-agent:/run/other", "XDG_RUNTIME_DIR": "/run/user/1"}
    assert settings.runtime_directory(environ) == Path("/run/cast-agent")
    assert settings.runtime_directory({"XDG_RUNTIME_DIR": "/run/user/1"}) == Path("/run/user/1/cast-agent")
    assert settings.runtime_directory({"XDG_RUNTIME_DIR": "relative"}) == Path("/mine")
    assert settings.runtime_directory({}) == Path("/mine")


def test_commands_about_the_installed_agent_read_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed agent's file is found without a name; without an installed agent the defaults hold."""
    file = tmp_path / "config.toml"
    monkeypatch.setattr(config, "SYSTEM_CONFIG", file)
    assert installed_config() is None
    file.touch()
    assert installed_config() == file
