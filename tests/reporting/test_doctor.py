"""What the doctor says of the central API."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import Settings
from agent.doctor.central import central as look
from agent.doctor.findings import Finding, Level
from agent.reporting.enrol import enrol
from agent.reporting.enrolment import FILE, Enrolment
from tests.reporting.conftest import Admin
from tests.reporting.support.proxy import BLACK_HOLE, FINE, Proxy, http


def settings(folder: Path, **central: object) -> Settings:
    return Settings.model_validate({"state": {"dir": folder}, "central": central})


async def test_nobody_to_report_to_is_well(tmp_path: Path) -> None:
    """And an address without a registration is not."""
    assert await look(settings(tmp_path)) == Finding(Level.OK, "central API", "This box reports to nobody.")
    found = await look(settings(tmp_path, url="https://central.example.org"))
    assert (found.level, found.found) == (Level.WARN, "This box is not registered at https://central.example.org.")
    assert found.advice.startswith("Run cast-agent enrol --central https://central.example.org --enrol TOKEN")


async def test_a_registered_box_is_asked_for(
    tmp_path: Path, proxy: Proxy, enrolment_token: str, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known there, out of reach, hanging, revoked, or with a file that is damaged: each is told, and none keeps
    pictures from coming."""
    monkeypatch.setattr("agent.doctor.central._CALL_TIMEOUT_S", 0.5)
    box: Enrolment = (await enrol(proxy.url, enrolment_token, folder=tmp_path, name="Hall")).enrolment
    found = await look(settings(tmp_path))
    assert (found.level, found.found) == (Level.OK, f"{proxy.url} knows this box as Hall ({box.device_id}).")
    for fault, said in ((BLACK_HOLE, "did not answer within 0.5 s"), (http(500), "answered 500"), (FINE, "Hall")):
        proxy.fault = fault
        found = await look(settings(tmp_path))
        assert said in found.found
        assert found.level is (Level.OK if fault is FINE else Level.WARN)
    await admin("DELETE", f"/api/v1/devices/{box.device_id}")
    found = await look(settings(tmp_path))
    assert (found.level, "Register this box again: cast-agent enrol" in found.found) == (Level.WARN, True)
    (tmp_path / FILE).write_text("{")
    found = await look(settings(tmp_path))
    assert (found.level, "is damaged" in found.found, box.token in found.found) == (Level.WARN, True, False)
