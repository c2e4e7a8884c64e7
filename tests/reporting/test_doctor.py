"""The doctor's findings about the central API, and about webhooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.config.loader import Settings
from agent.doctor.central import central as look
from agent.doctor.findings import Finding, Level
from agent.doctor.webhooks import webhooks
from agent.reporting.central.credentials import FILE, Credentials
from agent.reporting.central.enrol import enrol
from agent.reporting.webhooks.webhooks import FILE as WEBHOOKS_FILE
from agent.reporting.webhooks.webhooks import fingerprint
from tests.reporting.support.admin import Admin
from tests.reporting.support.proxy import BLACK_HOLE, FINE, Proxy, http
from tests.support.receiver import Answer, Receiver


def settings(folder: Path, **central: object) -> Settings:
    return Settings.model_validate({"state": {"dir": folder}, "central": central})


async def test_nobody_to_report_to_is_well(tmp_path: Path) -> None:
    """And an address without a registration is not."""
    assert await look(settings(tmp_path)) == Finding(
        Level.OK, "central API", "This box does not report to a central API."
    )
    found = await look(settings(tmp_path, url="https://central.example.org"))
    assert (found.level, found.found) == (Level.WARN, "This box is not registered at https://central.example.org.")
    assert found.advice.startswith("Run cast-agent enrol --central https://central.example.org --enrol TOKEN")
    found = await look(settings(tmp_path, url="https://central.example.org", token="et_" + "x" * 43))
    assert (found.level, "says why that fails" in found.advice) == (Level.WARN, True)


async def test_a_registered_box_is_asked_for(
    tmp_path: Path, proxy: Proxy, enrolment_token: str, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known there, out of reach, hanging, revoked, or with a file that is damaged: each is told, and none keeps
    pictures from coming."""
    monkeypatch.setattr("agent.doctor.central._CALL_TIMEOUT_S", 0.5)
    box: Credentials = (await enrol(proxy.url, enrolment_token, folder=tmp_path, name="Hall")).enrolment
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


async def test_each_webhook_that_does_not_work_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One when all work, none without any; nobody is sent an event, and no path is told."""
    monkeypatch.setattr("agent.doctor.webhooks._CALL_TIMEOUT_S", 0.5)
    assert await webhooks(settings(tmp_path)) == []
    with Receiver() as first, Receiver() as second:
        both = Settings.model_validate(
            {"state": {"dir": tmp_path}, "webhook": [{"url": first.url}, {"url": second.url}]}
        )
        first.answer, second.answer = Answer(405), Answer(501)
        (found,) = await webhooks(both)
        assert found.level is Level.OK
        assert found.found.startswith(f"http://127.0.0.1:{first.port}, http://127.0.0.1:{second.port} can be reached.")
        first.answer, second.answer = Answer(silent=True), Answer(301, {"Location": "https://ha.local/geheim"})
        said = [finding.found for finding in await webhooks(both)]
        assert "did not answer within 0.5 s. Check that the receiver runs" in said[0]
        assert "redirects to https://ha.local. Set the url" in said[1]
        first.answer = Answer(503)
        second.stop()
        said = [finding.found for finding in await webhooks(both)]
        assert "answered 503" in said[0]
        assert "cannot be reached" in said[1]
        (tmp_path / WEBHOOKS_FILE).write_text(json.dumps({"disabled": [fingerprint(both.webhook[0])]}))
        said = [finding.found for finding in await webhooks(both)]
        assert "refuses further events (410)" in said[0]
        assert "geheim" not in "".join(said)
        assert {other.split()[0] for other in first.others + second.others} == {"OPTIONS"}
        assert first.got == second.got == []
