"""Registering a box: once, kept for its user alone, and every refusal with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.config import loader as config
from agent.reporting.central.credentials import (
    FILE,
    PROPOSAL_FILE,
    EnrolmentError,
    forget_enrolment,
    proposed_token,
    read_enrolment,
)
from agent.reporting.central.enrol import enrol, warning_about
from tests.central.support.process import CentralProcess
from tests.central.support.service import Client
from tests.reporting.support.admin import Admin
from tests.reporting.support.proxy import FINE, Fault, Proxy
from tests.support.sockets import refused_port


def command(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "CAST_AGENT_STATE__DIR": str(folder), "CAST_AGENT_DEVICE__NAME": "hall"}
    line = [sys.executable, "-m", "agent.cli", "enrol", *arguments]
    return subprocess.run(line, env=environ, capture_output=True, text=True, check=False, **more)


async def refusal(*, central: str, token: str, folder: Path) -> str:
    with pytest.raises(EnrolmentError) as caught:
        await enrol(central, token, folder=folder, name="kitchen")
    return str(caught.value)


def test_the_command(central: CentralProcess, tmp_path: Path) -> None:
    """With a token for one box: the box is registered once, again costs no token, and can be forgotten."""
    folder = tmp_path / "state"
    token = central.command("enrol")
    done = command(folder, "--central", central.url, "--enrol", "-", input=f"{token}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"This box is registered at {central.url} as hall (")
    kept = json.loads((folder / FILE).read_text())
    assert ((folder / FILE).stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert kept["token"] not in done.stdout
    again = command(folder, "--central", central.url, "--enrol", token, "--json")
    assert json.loads(again.stdout) == {"device_id": kept["device_id"], "name": "hall", "new": False}
    used = command(tmp_path / "other", "--central", central.url, "--enrol", token)
    assert used.returncode == 77
    assert "used up, has expired" in used.stderr
    forgotten = command(folder, "--forget").stdout
    assert "is not registered any more" in forgotten
    assert forgotten.endswith(f" {central.url}/api/v1/devices/{kept['device_id']}\n")
    assert "was not registered" in command(folder, "--forget").stdout
    assert command(folder).returncode == 64


def test_the_command_and_the_doctor_look_where_the_installed_agent_keeps_its_state(
    central: CentralProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where its configuration does not say it: systemd has it there, and the command is no service."""
    service = tmp_path / "service"
    service.mkdir()
    monkeypatch.setattr(config, "SYSTEM_STATE", service)
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "config.toml")  # not that of who runs the tests
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    assert main(["enrol", "--central", central.url, "--enrol", central.command("enrol")]) == 0
    assert f"its state in {service} begins to report" in capsys.readouterr().out
    assert (service / FILE).exists()
    main(["doctor", "--json"])
    found = {finding["name"]: finding["found"] for finding in json.loads(capsys.readouterr().out)}
    assert str(service) in found["state folder"]
    assert "knows this box" in found["central API"]


def test_setup_prints_nothing_but_what_is_to_be_pasted(
    central: CentralProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when it registers the box: `cast-agent setup --central ... > package.yaml`."""
    monkeypatch.setenv("CAST_AGENT_STATE__DIR", str(tmp_path / "state"))
    line = ["setup", "--config", str(tmp_path / "config.toml"), "--central", central.url]
    assert main([*line, "--enrol", central.command("enrol")]) == 0
    written = capsys.readouterr()
    assert written.out.startswith("# Into secrets.yaml:\n")
    assert "This box is registered at" in written.err


async def test_a_box_that_was_revoked_is_registered_anew(
    central: CentralProcess, enrolment_token: str, admin: Admin, tmp_path: Path
) -> None:
    """And one whose file is damaged; a box that is known stays who it is."""
    first = (await enrol(central.url, enrolment_token, folder=tmp_path, name="kitchen")).enrolment
    same = await enrol(central.url, "et_wrong", folder=tmp_path, name="kitchen")
    assert (same.enrolment.device_id, same.enrolment.token) == (first.device_id, first.token)
    assert (same.is_new, same.warning) == (False, None)
    await admin("DELETE", f"/api/v1/devices/{first.device_id}")
    second = await enrol(central.url, enrolment_token, folder=tmp_path, name="kitchen")
    assert second.is_new
    assert second.enrolment.device_id != first.device_id
    (tmp_path / FILE).write_text("{")
    with pytest.raises(EnrolmentError, match="is damaged"):
        read_enrolment(tmp_path)
    third = await enrol(central.url, enrolment_token, folder=tmp_path, name="kitchen")
    assert read_enrolment(tmp_path) == third.enrolment
    assert forget_enrolment(tmp_path)
    assert read_enrolment(tmp_path) is None


async def test_refusals_say_what_to_do(
    central: CentralProcess, enrolment_token: str, proxy: Proxy, tmp_path: Path
) -> None:
    """And register nothing."""
    folder = tmp_path / "state"
    said = await refusal(central="http://8.8.8.8", token=enrolment_token, folder=folder)
    assert said.startswith("The address of the central API should begin with https://, because")
    with refused_port() as port:
        said = await refusal(central=f"http://127.0.0.1:{port}", token=enrolment_token, folder=folder)
    assert "cannot be reached" in said
    said = await refusal(central=central.url, token="et_" + "x" * 43, folder=folder)
    assert said.endswith("Make another there: cast-central enrol")
    said = await refusal(central=f"{central.url}/elsewhere", token=enrolment_token, folder=folder)
    assert said.startswith("The server at 127.0.0.1:")
    proxy.fault = Fault(reset=True)
    said = await refusal(central=proxy.url, token=enrolment_token, folder=folder)
    assert said.endswith("broke the connection off. The agent tries again.")
    typed = command(folder, "--central", proxy.url, "--enrol", enrolment_token)
    assert typed.returncode == 69
    assert typed.stderr.endswith("broke the connection off. Run this again later, with the same token.\n")
    assert command(folder, "--central", "central", "--enrol", enrolment_token).returncode == 64
    assert not (folder / FILE).exists()
    proxy.fault = FINE
    (tmp_path / "file").write_text("")
    said = await refusal(central=proxy.url, token=enrolment_token, folder=tmp_path / "file")
    assert "cannot be written" in said
    assert command(tmp_path / "file", "--central", proxy.url, "--enrol", enrolment_token).returncode == 66


async def test_an_answer_that_is_lost_is_asked_for_again(
    central: CentralProcess, proxy: Proxy, admin: Admin, tmp_path: Path
) -> None:
    """With the same token, although that is for one box: there is one device, and nothing is left of the first try."""
    token = central.command("enrol")
    before = {device["id"] for device in (await admin("GET", "/api/v1/devices?limit=200"))["items"]}
    proxy.fault = Fault(cut_answer=True)
    assert "broke the connection off" in await refusal(central=proxy.url, token=token, folder=tmp_path)
    assert (tmp_path / PROPOSAL_FILE).stat().st_mode & 0o777 == 0o600
    proxy.fault = FINE
    done = await enrol(proxy.url, token, folder=tmp_path, name="kitchen")
    after = {device["id"] for device in (await admin("GET", "/api/v1/devices?limit=200"))["items"]}
    assert after - before == {done.enrolment.device_id}
    assert (
        await Client(admin.session, done.enrolment.token)("GET", f"/api/v1/devices/{done.enrolment.device_id}")
    ).status == 200
    assert not (tmp_path / PROPOSAL_FILE).exists()
    assert "used up" in await refusal(central=proxy.url, token=token, folder=tmp_path / "other")


async def test_what_is_proposed_is_told_to_one_central_api_only(tmp_path: Path) -> None:
    """It opens a door there once it is taken; another, and a file that is damaged, get a new one."""
    first = proposed_token(tmp_path, "https://a.example")
    assert proposed_token(tmp_path, "https://a.example") == first
    assert proposed_token(tmp_path, "https://b.example") != first
    (tmp_path / PROPOSAL_FILE).write_text("{")
    assert proposed_token(tmp_path, "https://a.example") != first


async def test_a_box_that_is_registered_is_not_registered_again_while_nobody_answers(
    proxy: Proxy, enrolment_token: str, tmp_path: Path
) -> None:
    """An outage must not make a second box of it."""
    await enrol(proxy.url, enrolment_token, folder=tmp_path, name="kitchen")
    before = (tmp_path / FILE).read_text()
    proxy.fault = Fault(reset=True)
    assert "broke the connection off" in await refusal(central=proxy.url, token=enrolment_token, folder=tmp_path)
    assert (tmp_path / FILE).read_text() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_what_root_keeps_belongs_to_the_one_who_runs_the_agent(
    central: CentralProcess, enrolment_token: str, tmp_path: Path
) -> None:
    """`sudo cast-agent enrol` beside a daemon of another user."""
    os.chown(tmp_path, 12345, 12346)
    await enrol(central.url, enrolment_token, folder=tmp_path, name="kitchen")
    found = (tmp_path / FILE).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12346, 0o600)
    os.chown(tmp_path, 0, 0)


@pytest.mark.parametrize(
    ("url", "is_dangerous"),
    [("http://127.0.0.1:1", False), ("http://localhost", False), ("https://a.b", False), ("http://192.168.1.5", True)],
)
def test_plain_http_in_the_house_is_warned_about(url: str, is_dangerous: bool) -> None:
    """On the box itself nobody listens in."""
    assert (warning_about(url) is not None) == is_dangerous
