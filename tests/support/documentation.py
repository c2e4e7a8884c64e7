"""The documentation as the tests read it: its pages, their headings and their fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    heading: str
    """The nearest one above it."""
    kind: str
    """The language after the fence; empty without one."""
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.heading} ({self.kind or 'text'})"


def _lines(page: Path) -> list[tuple[str, str | None]]:
    """Each line, with the language of the block that it stands in, or None."""
    found: list[tuple[str, str | None]] = []
    kind: str | None = None
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            kind = line.removeprefix("```") if kind is None else None
            found.append((line, kind))
        else:
            found.append((line, kind))
    assert kind is None, f"a block of {page.name} does not end"
    return found


def prose(page: Path) -> str:
    """Everything but the fenced blocks."""
    return "\n".join(line for line, kind in _lines(page) if kind is None and not line.startswith("```"))


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The fragments that its headings have on GitHub."""
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)]
    return {f"{slug}-{n}" if (n := slugs[:at].count(slug)) else slug for at, slug in enumerate(slugs)}


def blocks(*pages: Path, kind: str | None = None) -> list[Block]:
    """The fenced blocks of these pages, in order; of one kind only, if it is given."""
    found: list[Block] = []
    for page in pages:
        heading, text = "", list[str]()
        for line, language in _lines(page):
            if language is None and (title := re.match(r"#+ (.+)", line)):
                heading = title[1]
            elif language is not None and not line.startswith("```"):
                text.append(line + "\n")
            elif language is not None:
                text = []
                found.append(Block(page, heading, language, ""))
            elif line.startswith("```"):
                found[-1] = Block(page, found[-1].heading, found[-1].kind, "".join(text))
    return [block for block in found if kind in (None, block.kind)]


def snippets(page: str, heading: str, kind: str = "sh") -> list[str]:
    """The blocks below one heading of one page, such as `docs/api.md`."""
    found = [block.text for block in blocks(ROOT / page, kind=kind) if block.heading == heading]
    assert found, f"{page} has no {kind} block below {heading!r}"
    return found
