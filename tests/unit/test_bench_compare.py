"""The differences between two runs of the bench: figures by their names, and only those beyond their spread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import compare
from bench.compare import differs, figures_of
from bench.numbers import Series


def run_of(raw: dict[str, Any], machine: str = "one") -> dict[str, Any]:
    return {"machine": {"processor": machine}, "points": [{"name": "answers", "raw": raw}]}


def test_every_number_has_the_name_that_leads_to_it() -> None:
    raw = {"answer_s": {"POST /start": [0.1, 0.2]}, "returns": [[1.0, 2.0], [3.0, None]], "ok": True, "engine": "vlc"}
    figures = figures_of(run_of(raw))
    assert {name: series.values for name, series in figures.items()} == {
        "answers: answer_s: POST /start": (0.1, 0.2),
        "answers: returns: 1": (1.0, 3.0),
        "answers: returns: 2": (2.0,),
    }


def test_columns_name_the_places() -> None:
    figures = figures_of(run_of({"agent": [[1, 2], [3, 4]], "nested": {"vlc": [[5, 6]], "columns": ["a", "b"]}}))
    assert figures["answers: nested: vlc: a"].values == (5.0,)
    assert figures["answers: agent: 2"].values == (2.0, 4.0)


def test_what_overlaps_or_is_too_few_does_not_differ() -> None:
    slow, fast = Series.of([10, 11, 12, 13]), Series.of([1, 2, 3, 4])
    assert differs(slow, fast)
    assert differs(fast, slow)
    assert not differs(slow, Series.of([11, 12, 13, 14]))
    assert not differs(slow, Series.of([1, 2, 3]))


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    files[0].write_text(json.dumps(run_of({"a_s": [1.0, 1.1, 1.2, 1.3], "b_s": [1.0] * 4, "gone_s": [1.0]})))
    files[1].write_text(json.dumps(run_of({"a_s": [2.0, 2.2, 2.4, 2.6], "b_s": [1.0] * 4}, "two")))
    monkeypatch.setattr("sys.argv", ["compare", *map(str, files)])
    assert compare.main() == 0
    said = capsys.readouterr().out
    assert "processor: one before, two after" in said
    assert "answers: a_s" in said
    assert "2.00" in said
    assert "answers: b_s" not in said
    assert "1 of 2 figures differ by more than their spread" in said
    assert "in one run only: answers: gone_s" in said


def test_another_file_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text("[]")
    monkeypatch.setattr("sys.argv", ["compare", str(tmp_path / "other.json"), str(tmp_path / "none.json")])
    assert compare.main() == 2
    assert "no file of" in capsys.readouterr().err
