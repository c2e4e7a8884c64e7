"""What the process that keeps cameras ready may say."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from agent.player.camera.messages import OWN_ADDRESS, CameraReport, decode_reports, encode_reports

REPORT = CameraReport("1", ready=True, url=f"{OWN_ADDRESS}1234/x.nut", size=5, seconds=1.5, viewers=1)


def test_reports_come_as_they_were_sent() -> None:
    assert decode_reports(encode_reports([REPORT, CameraReport("2", ready=False)])) == (
        REPORT,
        CameraReport("2", ready=False),
    )


@pytest.mark.parametrize(
    "wrong",
    [{"size": "x"}, {"url": "file:///etc/passwd"}, {"url": 5}, {"ready": "yes"}, {"more": 1}, {"seconds": None}],
)
def test_a_process_that_was_taken_over_says_nothing_else(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"report|argument"):
        decode_reports(json.dumps([asdict(REPORT) | wrong]).encode())
