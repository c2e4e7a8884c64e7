"""The findings of the doctor in files, sockets and ports that are made for it, and their texts."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from agent.casting.presets import Presets
from agent.config.loader import Settings, load_settings
from agent.discovery.interfaces import Interface
from agent.doctor import lan
from agent.doctor.bounds import bounded
from agent.doctor.clock_fonts import clock, fonts
from agent.doctor.dlna import dlna
from agent.doctor.examine import configuration, examine
from agent.doctor.findings import Finding, Level, as_json, as_text, exit_code
from agent.doctor.home_assistant import home_assistant
from agent.doctor.lan import found_on_lan
from agent.doctor.machine import hardware, sound, state
from agent.doctor.port import listening
from agent.doctor.presets import presets
from agent.frontends.esphome.key import KEY_FILE, KeyFile
from agent.host.clock import synchronised
from agent.media.policy import MediaChecks
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import PRESETS_FILE, EntryFile
from agent.util.threads import in_thread

GOOD = Finding(Level.OK, "display", ":0 answers.")
DOUBTFUL = Finding(Level.WARN, "mpv", "It is not installed.", "apt install mpv.")
BAD = Finding(Level.FAIL, "port", "It is taken.", "Change it.")


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR", "INVOCATION_ID"):
        monkeypatch.delenv(name, raising=False)


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


# --- telling ---


def test_lines_are_aligned_and_plain() -> None:
    """Each finding is one line: level, name, what was found and what to do; without colours unless they are wanted."""
    assert as_text([GOOD, DOUBTFUL], colour=False).splitlines() == [
        "ok    display  :0 answers.",
        "warn  mpv      It is not installed. apt install mpv.",
    ]
    assert "\033[31mfail\033[0m  port" in as_text([BAD], colour=True)


def test_json_is_a_list() -> None:
    """JSON has an object for each finding."""
    assert json.loads(as_json([BAD])) == [
        {"level": "fail", "name": "port", "found": "It is taken.", "advice": "Change it."}
    ]


def test_only_what_fails_fails() -> None:
    """A warning leaves the exit code at 0, a failure makes it 1."""
    assert exit_code([GOOD, DOUBTFUL]) == 0
    assert exit_code([GOOD, BAD]) == 1


# --- presets ---


async def test_presets_that_cannot_be_played_are_named(tmp_path: Path) -> None:
    """Of the configuration, and saved ones; with what to do."""
    state, good = {"dir": str(tmp_path)}, {"id": "a", "url": "http://cam.local/"}
    assert await presets(settings(state=state)) == []
    [found] = await presets(settings(state=state, preset=[good]))
    assert (found.level, found.found) == (Level.OK, "The preset can be played.")
    saved = Presets(EntryFile(tmp_path / PRESETS_FILE), policy=MediaChecks(MediaPolicy(("http", "rtsp"), ())))
    await saved.add({"id": "c", "url": "rtsp://cam.local/"})
    wrong = {"id": "b", "url": "http://cam.local/", "volume": "loud"}
    bad = await presets(settings(state=state, preset=[good, wrong], player={"allowed_schemes": ["http"]}))
    assert [finding.level for finding in bad] == [Level.WARN, Level.WARN]
    assert bad[0].found == "b cannot be played: volume must be a number."
    assert bad[0].advice == "Correct it in the configuration."
    assert bad[1].advice == "Correct it with PATCH /presets/c."


# --- configuration ---


async def test_each_problem_of_a_configuration_is_a_line(tmp_path: Path) -> None:
    """With a configuration that cannot be used the doctor tells each mistake, and nothing that depends on it."""
    file = tmp_path / "config.toml"
    file.write_text("[player]\nqualitty = 'auto'\nstart_timeout = 0\n")
    findings = await examine(file)
    assert {(f.level, f.name) for f in findings} == {(Level.FAIL, "configuration")}
    assert [("did you mean player.quality?" in f.found, "start_timeout" in f.found) for f in findings] == [
        (True, False),
        (False, True),
    ]


def test_a_configuration_with_secrets_is_not_for_everybody(tmp_path: Path) -> None:
    """The path of a webhook opens automations; without any secret everybody may read it."""
    file = tmp_path / "config.toml"
    file.write_text('[[preset]]\nid = "radio"\nurl = "http://radio.example/1.mp3"\n')
    file.chmod(0o644)
    assert configuration(file, load_settings(file)).level is Level.OK
    for text in (
        '[[webhook]]\nurl = "http://127.0.0.1:9/geheim"\n',
        '[[preset]]\nid = "door"\nurl = "rtsp://me:geheim@cam.local/1"\n',
        '[[login]]\norigin = "http://panel.lan"\nkind = "header"\nsecret = "geheim"\n',
    ):
        file.write_text(text)
        finding = configuration(file, load_settings(file))
        assert (finding.level, "chmod 640" in finding.advice, "geheim" in finding.found) == (Level.WARN, True, False)
    file.chmod(0o640)
    assert configuration(file, load_settings(file)).level is Level.OK


def test_secrets_of_the_environment_are_not_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[api]\nport = 8091\n")
    file.chmod(0o644)
    login = {"origin": "http://panel.lan", "kind": "header", "secret": "geheim"}
    monkeypatch.setenv("CAST_AGENT_LOGIN", json.dumps([login]))
    settings = load_settings(file)
    assert settings.login[0].secret == "geheim"
    assert configuration(file, settings).level is Level.OK


# --- the state folder ---


async def test_a_folder_that_can_be_written_to_is_good(tmp_path: Path) -> None:
    """A state folder that can be written to is good, and the doctor leaves nothing in it."""
    finding = await state(settings(state={"dir": tmp_path}))
    assert (finding.level, list(tmp_path.iterdir())) == (Level.OK, [])


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A state folder that the agent will make is good, and the doctor does not make it."""
    finding = await state(settings(state={"dir": tmp_path / "some" / "where"}))
    assert finding.level is Level.OK
    assert "made at the first start" in finding.found
    assert list(tmp_path.iterdir()) == []


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A state folder that cannot be is a failure that names it and says what to do."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        finding = await state(settings(state={"dir": path}))
        assert finding.level is Level.FAIL
        assert str(path) in finding.found
        assert "[state] dir" in finding.advice


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_a_folder_of_another_user_is_doubtful(tmp_path: Path) -> None:
    """A user who is not the user of the agent is told so, because the two see different things."""
    os.chown(tmp_path, 1, 1)
    finding = await state(settings(state={"dir": tmp_path}))
    assert finding.level is Level.WARN
    assert "as the user who runs cast-agent" in finding.advice


# --- hardware and sound ---


def test_a_decoder_is_found(tmp_path: Path) -> None:
    """A render node means that video may be decoded in hardware; a machine without one is no mistake."""
    assert "processor" in hardware(tmp_path).found
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    finding = hardware(tmp_path)
    assert (finding.level, "renderD128" in finding.found) == (Level.OK, True)


async def test_a_sound_server_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound server counts when it answers; its socket alone does not."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "pulse").mkdir()
    with unix_socket(tmp_path / "pulse" / "native"):
        assert (await sound(settings(), tmp_path)).level is Level.OK
    finding = await sound(settings(), tmp_path)
    assert finding.level is Level.WARN
    assert "without sound" in finding.found


async def test_a_named_sound_server_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PULSE_SERVER may name a socket, or another machine, which is not asked."""
    monkeypatch.setenv("PULSE_SERVER", f"{{0123}}unix:{tmp_path}/here")
    with unix_socket(tmp_path / "here"):
        assert (await sound(settings(), tmp_path)).level is Level.OK
    monkeypatch.setenv("PULSE_SERVER", "tcp:speaker.local")
    assert "tcp:speaker.local" in (await sound(settings(), tmp_path)).found


async def test_a_sound_card_will_do(tmp_path: Path) -> None:
    """Without a sound server ALSA's devices are enough, unless PulseAudio is what the configuration wants."""
    (tmp_path / "snd").mkdir()
    (tmp_path / "snd" / "pcmC0D0p").touch()
    assert "ALSA" in (await sound(settings(), tmp_path)).found
    assert (await sound(settings(audio={"output": "pulse"}), tmp_path)).level is Level.WARN
    assert (await sound(settings(audio={"output": "none"}), tmp_path)).level is Level.OK


# --- Home Assistant ---


async def test_whether_home_assistant_can_add_the_box(tmp_path: Path, unused_tcp_port: int) -> None:
    """The findings that need no agent: the key, and any obstacle."""
    in_force = settings(
        api={"host": "127.0.0.1", "port": 0}, esphome={"port": unused_tcp_port}, state={"dir": str(tmp_path)}
    )
    finding = await home_assistant(in_force)
    assert (finding.level, "cast-agent esphome pair" in finding.advice) == (Level.OK, True)
    KeyFile(tmp_path).make()
    assert "has a key" in (await home_assistant(in_force)).found
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        finding = await home_assistant(in_force)
    assert (finding.level, "taken by another program" in finding.found) == (Level.WARN, True)
    (tmp_path / KEY_FILE).write_text("nonsense")
    finding = await home_assistant(in_force)
    assert (finding.level, "cast-agent esphome reset" in finding.found) == (Level.WARN, True)
    off = settings(esphome={"enabled": False})
    assert "enabled = false" in (await home_assistant(off)).found


@pytest.mark.parametrize(
    ("told", "has_key", "found"),
    [
        ({"clients": ["Home Assistant (192.168.1.9)"], "window_s": 0.0}, True, "Connected: Home Assistant"),
        ({"clients": [], "window_s": 300.0}, False, "for 5 minutes yet"),
        ({"clients": [], "window_s": 0.0}, False, "none can now"),
        ({"problem": "Port 6053 cannot be had."}, False, "Port 6053 cannot be had."),
    ],
)
async def test_what_the_agent_says_of_home_assistant(
    tmp_path: Path, told: dict[str, object], has_key: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that runs knows who is connected, and whether the window is open."""

    async def answers(host: str, port: int) -> dict[str, object]:
        return {"checks": {}, "esphome": told}

    monkeypatch.setattr("agent.doctor.home_assistant.ask_agent", answers)
    if has_key:
        KeyFile(tmp_path).make()
    finding = await home_assistant(settings(esphome={"port": 0}, state={"dir": str(tmp_path)}))
    assert found in finding.found


# --- the port ---


async def test_a_free_port_is_good(unused_tcp_port: int) -> None:
    """A port that nobody has is good."""
    finding = await listening(settings(api={"host": "127.0.0.1", "port": unused_tcp_port}))
    assert (finding.level, "no agent runs" in finding.found) == (Level.OK, True)


@pytest.mark.parametrize("says", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", b"SSH-2.0\r\n", b""])
async def test_a_port_of_another_program_is_a_failure(says: bytes) -> None:
    """A port that is taken by something that is no agent is a failure that says how to find that."""
    async with program(says) as port:
        finding = await listening(settings(api={"host": "127.0.0.1", "port": port}))
    assert finding.level is Level.FAIL
    assert f"ss -ltnp 'sport = :{port}'" in finding.advice


async def test_an_agent_that_does_not_let_us_in_is_an_agent() -> None:
    """An agent that refuses to tell its health is known all the same."""
    body = b'{"code": "protected_mode"}'
    head = f"HTTP/1.1 403 Forbidden\r\nX-Request-ID: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with program(head + body) as port:
        finding = await listening(settings(api={"host": "0.0.0.0", "port": port}))
    assert (finding.level, finding.found) == (Level.OK, f"An agent answers on {port}.")


async def test_an_address_of_another_machine_is_a_failure() -> None:
    """An address that this machine does not have is a failure."""
    finding = await listening(settings(api={"host": "192.0.2.1", "port": 8090}))  # RFC 5737: nobody has it
    assert finding.level is Level.FAIL
    assert "cannot be used" in finding.found


# --- bounds ---


async def test_what_hangs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that does not end is ended, and is a failure of its own."""
    monkeypatch.setattr("agent.doctor.bounds.CHECK_TIMEOUT_S", 0.01)

    async def hang() -> Finding:
        await asyncio.Event().wait()
        return GOOD

    [finding] = await bounded("display", hang())
    assert (finding.level, finding.name) == (Level.FAIL, "display")


async def test_a_thread_tells_what_went_wrong() -> None:
    """The result of a thread, or its error, comes back."""
    assert await in_thread(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


@contextmanager
def unix_socket(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield


@asynccontextmanager
async def program(says: bytes) -> AsyncIterator[int]:
    """A program that listens, and says this to whoever connects; its port."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if says:
            await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


# --- what is around it ---


@pytest.mark.parametrize(
    ("now", "kept", "level"),
    [(0.0, True, Level.FAIL), (1.0e9, False, Level.FAIL), (1.8e9, False, Level.WARN), (1.8e9, True, Level.OK)],
)
def test_a_clock_that_cannot_be_believed_is_told(now: float, kept: bool, level: Level) -> None:
    """A clock in the past is a failure, because https fails; one that nothing keeps is doubtful."""
    assert clock(lambda: now, lambda: kept).level is level


def test_the_kernel_is_asked_about_the_clock() -> None:
    """The kernel is the source of chrony's and systemd's own answers, by `adjtimex`."""
    assert synchronised() in (True, False)
    assert clock().level in (Level.OK, Level.WARN)


def test_fonts_are_looked_for_in_depth(tmp_path: Path) -> None:
    """Any font will do for subtitles, wherever it lies below the folders."""
    assert fonts([tmp_path]).level is Level.WARN
    (tmp_path / "truetype" / "dejavu").mkdir(parents=True)
    (tmp_path / "truetype" / "dejavu" / "DejaVuSans.TTF").touch()
    assert fonts([tmp_path / "nowhere", tmp_path]).level is Level.OK


# --- the LAN ---


def discovery(host: str = "0.0.0.0", **section: object) -> Finding:
    return found_on_lan(settings(api={"host": host}, discovery=section))


def test_what_is_not_to_be_announced_is_no_problem() -> None:
    """An agent that is switched off, or bound to this machine only, is what somebody wants."""
    assert discovery(enabled=False).level is Level.OK
    assert "this machine only" in discovery(host="127.0.0.1").found


def test_an_interface_that_is_not_there_is_told() -> None:
    """The name that is configured is in the sentence, and where to look."""
    found = discovery(interfaces=["eth77"])
    assert found.level is Level.WARN
    assert "eth77" in found.found
    assert "[discovery] interfaces" in found.advice


def test_a_port_that_somebody_has_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not share the port of mDNS keeps us from being found."""
    interface = Interface("eth0", (IPv4Address("192.168.1.2"),))
    monkeypatch.setattr(lan, "lan_interfaces", lambda _: (interface,))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.bind(("", 0))
        monkeypatch.setattr(lan, "MDNS_PORT", alone.getsockname()[1])
        assert discovery().level is Level.WARN
    found = discovery()
    assert (found.level, "eth0 (192.168.1.2)" in found.found) == (Level.OK, True)


# --- DLNA ---


async def test_whether_dlna_controllers_can_use_the_box(unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The findings name who may call, any obstacle, and the answer of a running agent."""
    assert "off" in (await dlna(settings())).found
    on = {"enabled": True, "host": "127.0.0.1", "port": unused_tcp_port}
    nobody = await dlna(settings(dlna=on))
    assert (nobody.level, "allow" in nobody.advice) == (Level.WARN, True)
    in_force = settings(dlna=on | {"allow": ["192.168.1.7/24"]})
    well = await dlna(in_force)
    assert (well.level, well.found) == (Level.OK, "These may call: 192.168.1.0/24.")
    agents: list[dict[str, object] | None] = [None, {}, {"dlna": {"problem": "It is broken."}}]

    async def answers(host: str, port: int) -> dict[str, object] | None:
        return agents.pop(0)

    monkeypatch.setattr("agent.doctor.dlna.ask_agent", answers)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        found = [await dlna(in_force) for _ in range(3)]
    assert "cannot be had" in found[0].found
    assert found[1] == well
    assert (found[2].level, found[2].found) == (Level.WARN, "It is broken.")
