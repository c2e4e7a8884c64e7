"""The language of the daemon and the process that keeps cameras ready: one JSON object a line, over a socket pair."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_type_hints

CAMERAS_LIMIT: Final = 16
"""As many as a box shows side by side, and some."""
FORMAT: Final = "nut"
"""FFmpeg's own format: it holds whatever cameras send, G.711 too, and times as exactly as they do."""
OWN_ADDRESS: Final = "http://127.0.0.1:"
"""The beginning of the address from which a player gets a camera."""
WANTED_LIMIT: Final = 256 * 1024
"""Bytes of the line with all of them: 16 addresses of 2,048 characters, each of which may take 6 bytes."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """The state of one camera."""

    id: str
    """The one under which it was told to be kept ready."""
    ready: bool
    """True if a start shows a picture at once."""
    url: str = ""
    """The address from which a player of this machine gets it; empty if nothing is to be had there."""
    size: int = 0
    """Bytes that are kept, or wait until they are due."""
    seconds: float = 0.0
    """The time since its last key frame."""
    chosen_lines: int = 0
    """The height of the picture, where there are other renditions of it; 0 otherwise."""
    viewers: int = 0
    """Players that show it now."""
    problem: str = ""
    """A sentence that says what is wrong and what to do; empty when all is well."""


def encode_wanted(cameras: Mapping[str, str]) -> bytes:
    """One line: the cameras to keep ready from now on, address by id."""
    return json.dumps(cameras).encode() + b"\n"


def decode_wanted(line: bytes) -> dict[str, str]:
    """Raises ValueError."""
    cameras = json.loads(line)
    if not isinstance(cameras, dict):
        raise ValueError("not a list of cameras")
    return {str(id_): str(url) for id_, url in cameras.items()}


def encode_reports(reports: Sequence[CameraReport]) -> bytes:
    """One line."""
    return json.dumps([dataclasses.asdict(report) for report in reports]).encode() + b"\n"


def decode_reports(line: bytes) -> tuple[CameraReport, ...]:
    """Raises ValueError."""
    try:
        reports = tuple(CameraReport(**report) for report in json.loads(line))
    except TypeError as error:
        raise ValueError(str(error)) from error
    for report in reports:
        _check(report)
    return reports


def _check(report: CameraReport) -> None:
    """A hostile camera may have taken the process over: nothing that it says may do harm. Raises ValueError."""
    kinds = get_type_hints(CameraReport)
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(report, name), kind)]
    if wrong or (report.url and not report.url.startswith(OWN_ADDRESS)):
        raise ValueError(f"not a report on a camera: {', '.join(wrong) or 'its address'}")
