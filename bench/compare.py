"""`python -m bench.compare BEFORE AFTER`: what differs between two runs by more than their spread.

Reads the files that a run keeps (`--json`). Exit code 0 when both could be read, 2 when not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.numbers import Series
from bench.report import aligned

ENOUGH: Final = 4
"""Values of either run: fewer have no spread, and what differs between them may be chance."""

Figures = Mapping[str, Series]
"""The figures by name: the point, and their place in its values."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.compare", description=__doc__)
    parser.add_argument("before", type=Path, metavar="BEFORE")
    parser.add_argument("after", type=Path, metavar="AFTER")
    options = parser.parse_args()
    try:
        runs = [json.loads(file.read_text()) for file in (options.before, options.after)]
        before, after = (figures_of(run) for run in runs)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"bench.compare: this is no file of `python -m bench --json`: {error}", file=sys.stderr)
        return 2
    print("\n".join(_report(runs[0]["machine"], runs[1]["machine"], before, after)))
    return 0


def figures_of(run: Mapping[str, Any]) -> Figures:
    """Every row of values of a run. Raises KeyError where it is none."""
    rows: dict[str, list[float]] = {}
    for point in run["points"]:
        for name, value in _values(point["name"], point["raw"]):
            rows.setdefault(name, []).append(value)
    return {name: Series.of(values) for name, values in rows.items()}


def differs(before: Series, after: Series) -> bool:
    """Return True if the middle halves of both do not overlap, and neither has too few values to tell."""
    if min(len(before.values), len(after.values)) < ENOUGH:
        return False
    (low, high), (low_after, high_after) = before.quartiles, after.quartiles
    return high < low_after or high_after < low


def _values(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Numbers under the names that lead to them. A list is a row of values; the numbers in each of its entries are
    named by their places."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield name, float(value)
    elif isinstance(value, Mapping):
        columns = value.get("columns")
        for key, inner in value.items():
            if key != "columns":
                yield from _values(f"{name}: {key}", _named(inner, columns))
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, list):
                inner = {str(place): one for place, one in enumerate(inner, 1)}
            yield from _values(name, inner)


def _named(value: Any, columns: Any) -> Any:
    """The same with `columns` as the names of the places of each entry, where there are any."""
    if not columns:
        return value
    if isinstance(value, Mapping):
        return {key: _named(inner, columns) for key, inner in value.items()}
    return [dict(zip(columns, entry, strict=True)) if isinstance(entry, list) else entry for entry in value]


def _report(
    machine: Mapping[str, str], machine_after: Mapping[str, str], before: Figures, after: Figures
) -> Iterator[str]:
    for fact in sorted({*machine, *machine_after}):
        if machine.get(fact) != machine_after.get(fact):
            yield f"{fact}: {machine.get(fact, 'unknown')} before, {machine_after.get(fact, 'unknown')} after"
    both = [name for name in before if name in after]
    rows = [
        (name, before[name].text(3), after[name].text(3), _ratio(before[name], after[name]))
        for name in both
        if differs(before[name], after[name])
    ]
    if rows:
        yield from aligned([("", "before", "after", "ratio"), *rows], right=True)
    yield f"{len(rows)} of {len(both)} figures differ by more than their spread"
    if alone := sorted(before.keys() ^ after.keys()):
        yield f"in one run only: {', '.join(alone)}"


def _ratio(before: Series, after: Series) -> str:
    return f"{after.median / before.median:.2f}" if before.median else "-"


if __name__ == "__main__":
    sys.exit(main())
