"""`[[login]]`: which entries there may be, and what is told of them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from agent.config.loader import Settings, load_settings
from agent.config.logins import LOGINS_LIMIT, LoginKind, LoginSettings, bound
from agent.config.reload import shown
from agent.doctor.findings import Level
from agent.doctor.logins import logins
from agent.errors import ConfigError
from agent.media.origins import origin_of

ENTRY = '[[login]]\norigin = "http://panel.lan"\n'
HEADER = f'{ENTRY}kind = "header"\nsecret = "geheim"\n'


def refusal(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[login]]", "login.origin (login 1): has to be there; allowed: the beginning of an address"),
        (HEADER.replace("panel.lan", "panel.lan/x"), "login.origin (login 1): should end with the host or a port"),
        (HEADER.replace("panel.lan", "me:pw@panel.lan"), "login.origin (login 1): should hold no user name"),
        (HEADER.replace("panel.lan", "8.8.8.8"), "login.origin (login 1): should begin with https://"),
        (f'{ENTRY}kind = "form"\nsecret = "geheim"', "login.kind (login 1): not a word that is known here"),
        (f'{ENTRY}kind = "header"', "login (login 1): needs either secret or secret_file; allowed: up to 32 tables"),
        (f'{HEADER}secret_file = "/x"', "login (login 1): has both secret and secret_file: keep one of them"),
        (f'{ENTRY}kind = "header"\nsecret_file = "x"', "login.secret_file (login 1): should be an absolute path"),
        (f'{ENTRY}kind = "basic"\nsecret = "geheim"', 'login (login 1): needs a user if its kind is "basic"'),
        (f'{HEADER}user = "me"', 'login (login 1): needs a user if its kind is "basic", and has none otherwise'),
        (f'{ENTRY}kind = "cookie"\nsecret = "geheim"', 'login (login 1): needs a name if its kind is "cookie"'),
        (f'{ENTRY}kind = "home-assistant"\nsecret = "geheim"\nname = "x"', "login (login 1): has no name"),
        (f'{HEADER}name = "Host"', "login (login 1): has the name of a header that only the browser sets"),
        (f'{HEADER}name = "a b"', "login (login 1): has a name that HTTP does not allow for a header"),
        (f'{ENTRY}kind = "cookie"\nsecret = "geheim"\nname = "a=b"', "does not allow for a cookie"),
        (HEADER + HEADER, "login: one origin has two of the same kind and name"),
        (f'{HEADER}{HEADER}name = "authorization"\n', "login: one origin has two of the same kind and name"),
        ("".join(HEADER + f'name = "x{n}"\n' for n in range(LOGINS_LIMIT + 1)), "login: these are too many"),
    ],
)
def test_what_is_wrong_with_a_login(tmp_path: Path, text: str, said: str) -> None:
    told = refusal(tmp_path / "config.toml", text)
    assert said in told
    assert "geheim" not in told


def test_logins_are_told_without_their_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log-ins of the file and of the environment are shown, in the one form that an origin has."""
    file = tmp_path / "config.toml"
    file.write_text(f'{HEADER}name = "X-Key"\n')
    settings = load_settings(file)
    assert (shown(settings)["login"], "geheim" in repr(settings)) == (("http://panel.lan header X-Key",), False)
    text = '[{"origin": "HTTPS://Panel.LAN:443/", "kind": "basic", "user": "me", "secret": "geheim"}]'
    monkeypatch.setenv("CAST_AGENT_LOGIN", text)
    assert shown(load_settings(file))["login"] == ("https://panel.lan basic me",)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://Panel.lan:80/x?y#z", "http://panel.lan"),
        ("https://me:pw@panel.lan:8443/", "https://panel.lan:8443"),
        ("http://[FD00:0::1]:8123/", "http://[fd00::1]:8123"),
        ("https://panel.lan:80", "https://panel.lan:80"),
        ("ws://panel.lan/", ""),
        ("data:text/html,http://panel.lan/", ""),
        ("about:blank", ""),
        ("http://[::1", ""),
        ("http://panel.lan:x/", ""),
        ("", ""),
    ],
)
def test_an_origin_has_one_form(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_page_that_is_opened_by_its_address_keeps_its_login() -> None:
    """A name in `.local` that only the agent finds; what is for others stays theirs."""
    own = LoginSettings(origin="http://ha.local:8123", kind=LoginKind.HEADER, secret="x")
    other = LoginSettings(origin="http://ha.local", kind=LoginKind.HEADER, secret="y")
    found = bound((own, other), "http://ha.local:8123/wall", "http://192.168.1.5:8123/wall")
    assert [(login.entry, login.origin) for login in found] == [
        (own, "http://192.168.1.5:8123"),
        (other, "http://ha.local"),
    ]
    assert [login.origin for login in bound((own,), "http://x.local/", "http://192.168.1.5/")] == [own.origin]


async def test_the_doctor_looks_at_the_files_of_secrets(tmp_path: Path) -> None:
    """The findings say whether the files can be read, and by whom."""
    file = tmp_path / "token"
    entry = {"origin": "http://panel.lan", "kind": "header", "secret_file": file}
    assert await logins(Settings()) == []
    settings = Settings.model_validate({"login": [entry]})
    [missing] = await logins(settings)
    assert (missing.level, str(file) in missing.found) == (Level.FAIL, True)
    file.write_text("geheim")
    file.chmod(0o644)
    [open_to_all] = await logins(settings)
    assert (open_to_all.level, "chmod 640" in open_to_all.advice) == (Level.WARN, True)
    file.chmod(0o600)
    [good] = await logins(settings)
    assert good.level is Level.OK


@pytest.mark.parametrize(
    ("origin", "address", "level"),
    [
        ("http://panel.lan", "192.168.1.7", Level.OK),
        ("http://panel.example.org", "8.8.8.8", Level.WARN),
        ("https://panel.example.org", "8.8.8.8", Level.OK),
    ],
)
async def test_the_doctor_warns_of_secrets_that_cross_the_internet(
    monkeypatch: pytest.MonkeyPatch, origin: str, address: str, level: Level
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    settings = Settings.model_validate({"login": [{"origin": origin, "kind": "header", "secret": "geheim"}]})
    [found] = await logins(settings)
    assert (found.level, address in found.found, "https://" in found.advice) == (
        level,
        *[level is Level.WARN] * 2,
    )


async def test_the_doctor_waits_for_no_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret itself is good, and the page says it when its host is not found."""
    silent = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: silent.wait(30))
    entry = {"origin": "http://panel.lan", "kind": "header", "secret": "geheim"}
    try:
        [found] = await logins(Settings.model_validate({"login": [entry]}), host_timeout_s=0.05)
    finally:
        silent.set()
    assert found.level is Level.OK
