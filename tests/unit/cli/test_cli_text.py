"""The text of `GET /status` for a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from agent.casting.saved import Volume
from agent.cli import text
from agent.frontends.http.responses import StatusAnswer
from agent.health import ReportingStatus, WebhookStatus
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import DeviceInfo, EndReason, ErrorCode, Failure
from tests.support.api import session_snapshot

DEVICE = DeviceInfo(id="4f0c", name="Hall", version="0.1.0")
STREAM_ID = "01a1fd5d-4c98-70b2-b68c-1f518cf199fc"


def shown(
    snapshot: TrackerSnapshot | None = None,
    reporting: ReportingStatus | None = None,
    *webhooks: WebhookStatus,
    screen_is_on: bool | None = None,
) -> list[str]:
    """The lines."""
    answer = StatusAnswer.of(
        snapshot or TrackerSnapshot(), DEVICE, Volume(), screen_is_on, reporting or ReportingStatus(), webhooks
    ).model_dump_json()
    return text.status(json.loads(answer), "http://127.0.0.1:8090").splitlines()


def missed(**wish: str) -> SessionSnapshot:
    error = Failure(ErrorCode.STREAM_NOT_FOUND, "No such stream is on.")
    ended = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    return session_snapshot(url="", reason=EndReason.FAILED, error=error, ended_at=ended, **wish)


def test_how_others_join_and_what_is_wrong_with_telling_them() -> None:
    """The code of this box, and the problems of the central API and of each webhook; nothing more while all is well."""
    assert shown()[-1] == "volume  100 %"
    assert shown(screen_is_on=True) == shown()
    assert shown(screen_is_on=False)[-1] == "screen  off"
    well = shown(None, ReportingStatus(enabled=True, connected=True, code="K7QF2M"), WebhookStatus("http://ha:8123"))
    assert well[-1] == "code    K7QF2M, by which others join what is on"
    failing = ReportingStatus(enabled=True, problem="central did not answer within 10 s.")
    hooks = (WebhookStatus("http://ha:8123", problem="ha:8123 answered 500."), WebhookStatus("http://well"))
    assert shown(None, failing, *hooks)[-2:] == [
        "reporting  central did not answer within 10 s.",
        "webhook    http://ha:8123: ha:8123 answered 500.",
    ]


def test_what_was_asked_for_and_is_not_found_has_a_name() -> None:
    """It has no address, so it is called by its code or its id."""
    last = shown(TrackerSnapshot(last=missed(code="K7QF2M")))[2]
    assert last == "last    code K7QF2M, failed: No such stream is on."
    last = shown(TrackerSnapshot(last=missed(stream_id=STREAM_ID)))[2]
    assert last.startswith(f"last    stream {STREAM_ID}, failed: ")
    looked_up = session_snapshot(url="", code="K7QF2M")
    looked = StatusAnswer.of(TrackerSnapshot(stream=looked_up), DEVICE, Volume(), None, ReportingStatus(), ())
    answer = json.loads(looked.model_dump_json())
    assert text.what_is_on(answer) == "loading: code K7QF2M"
