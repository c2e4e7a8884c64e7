"""The documentation is true, as far as it can be checked without running an agent: links, names, snippets."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from agent.cli.exits import Exit
from agent.cli.parser import parser
from agent.config import faces, logins, settings
from agent.config.loader import Settings, load_settings
from agent.frontends.http.operations import OPERATIONS
from agent.frontends.http.problems import HTTP_STATUS
from agent.frontends.http.requests import StartBody
from agent.types import ErrorCode
from cast_util.settings import Section
from cast_wire.kinds import FOLLOWED, EventKind
from central import cli as central_cli
from central import config as central_config
from tests.support.documentation import PAGES, ROOT, Block, anchors, blocks, prose

DOCS = ROOT / "docs"
CHECKED_ELSEWHERE = {
    "nginx": "tests/central/core/test_proxies.py",
    "haproxy": "tests/central/core/test_proxies.py",
    "console": "tests/real/test_documentation.py",
}


def table(page: Path, first: str) -> list[list[str]]:
    """The rows of the tables whose first column has this title; cells without their marks of code."""
    rows: list[list[str]] = []
    is_inside = False
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        is_inside = line.startswith("|") and (is_inside or cells[0].strip("| ") == first)
        if is_inside:
            rows.append(cells)
    return rows


def words(text: str) -> list[str]:
    """The words of a text that are set as code."""
    return re.findall(r"`([^`]+)`", text)


def links() -> Iterator[tuple[Path, str]]:
    for page in [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if not re.match(r"[a-z]+:", target):
                yield page, target


@pytest.mark.parametrize(("page", "target"), [pytest.param(*link, id=f"{link[0].name}: {link[1]}") for link in links()])
def test_each_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, fragment = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    assert file.exists()
    assert not fragment or fragment in anchors(file)


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8000


def test_each_page_is_in_the_index() -> None:
    index = set(re.findall(r"\]\(([a-z-]+\.md)\)", (DOCS / "README.md").read_text()))
    assert index == {page.name for page in DOCS.glob("*.md")} - {"README.md"}


def test_each_error_code_is_explained() -> None:
    """Each is there with the HTTP status that it has, and with what to do."""
    rows = {words(row[0])[0]: row for row in table(DOCS / "troubleshooting.md", "code")[2:]}
    assert rows.keys() == set(ErrorCode)
    for code in ErrorCode:
        assert rows[code][1] == str(HTTP_STATUS[code])
        assert all(rows[code][2:4])


def test_each_exit_code_is_explained() -> None:
    rows = table(DOCS / "cli.md", "exit code")[2:]
    assert [int(row[0]) for row in rows] == list(Exit)


def test_each_command_is_named() -> None:
    help_ = re.findall(r"^    ([a-z]+) ", parser().format_help(), re.MULTILINE)
    named = {word.split()[0] for row in table(DOCS / "cli.md", "command") for word in words(row[0])}
    assert named == set(help_)


def test_each_event_is_named() -> None:
    api = {word for row in table(DOCS / "api.md", "event") for word in words(row[0])}
    assert api == {*FOLLOWED, "gap", "closed"}
    assert set(words(prose(DOCS / "reporting.md"))) >= set(get_args(settings.EventName))


def test_each_call_is_named() -> None:
    """Each path that the agent answers, and no other."""
    routes = {(operation.method, re.sub(r":[^}]+", "", operation.path)) for operation in OPERATIONS}
    named = [call.split() for row in table(DOCS / "api.md", "call")[2:] for call in words(row[0]) if " /" in call]
    assert {(method, path.split("?")[0]) for method, path in named} == routes


def test_each_field_of_a_start_is_named() -> None:
    named = [word for row in table(DOCS / "api.md", "field") for word in words(row[0])]
    assert set(named) == set(StartBody.names())


def sections() -> Iterator[tuple[str, str]]:
    for name, value in (vars(settings) | vars(faces) | vars(logins)).items():
        if inspect.isclass(value) and issubclass(value, Section) and value is not Section:
            for key in value.model_fields:
                yield name.removesuffix("Settings").lower(), key


@pytest.mark.parametrize(("section", "key"), [*sections()])
def test_each_setting_is_explained(section: str, key: str) -> None:
    """The example has it, as it is or behind a #."""
    example = re.sub(r"^# (?=\[\[)", "", (ROOT / "config.example.toml").read_text(), flags=re.MULTILINE)
    chapters = re.split(r"^\[+([a-z]+)\]+$", example, flags=re.MULTILINE)
    chapter = "".join(text for name, text in zip(chapters[1::2], chapters[2::2], strict=True) if name == section)
    assert re.search(rf"^(# )?{key} = ", chapter, re.MULTILINE)


@pytest.mark.parametrize("block", blocks(*PAGES, kind="toml"), ids=str)
def test_a_configuration_can_be_used(tmp_path: Path, block: Block) -> None:
    """By the agent, or by the central API where the agent has no such section."""
    (tmp_path / "config.toml").write_text(block.text)
    sections = tomllib.loads(block.text).keys()
    assert sections
    load = load_settings if sections <= Settings.model_fields.keys() else central_config.load_settings
    load(tmp_path / "config.toml")


@pytest.mark.parametrize("block", blocks(*PAGES, kind="json"), ids=str)
def test_an_answer_is_json(block: Block) -> None:
    assert json.loads(block.text if block.text.startswith("{") else f"{{{block.text}}}")


@pytest.mark.parametrize("block", blocks(*PAGES, kind="yaml"), ids=str)
def test_what_others_are_configured_with_is_yaml(block: Block) -> None:
    """Home Assistant's is read with more care in tests/unit/cli/test_home_assistant.py."""
    assert yaml.safe_load(block.text.replace("!secret ", ""))


@pytest.mark.parametrize("block", blocks(*PAGES), ids=str)
def test_each_snippet_is_checked(block: Block) -> None:
    """Its language is one that some test reads; those without one are examples of what is sent and said."""
    if (test := CHECKED_ELSEWHERE.get(block.kind)) is not None:
        assert re.search(r"snippets\(|blocks\(|PAGE\b|DOCUMENTATION\b", (ROOT / test).read_text())
    else:
        assert block.kind in ("", "sh", "toml", "json", "yaml", "ini")


def commands(block: Block) -> list[str]:
    """The lines of a snippet, without comments and with continued lines joined."""
    text = block.text.replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def parse(line: str) -> None:
    """One command as the program itself would read it, which ends a wrong one with an exception."""
    words_ = shlex.split(re.sub(r"\[--\w+ \w+\]", "", line), comments=True)
    if words_[0] == "sudo":
        words_ = words_[1:]
    program = words_[0].rsplit("/", 1)[-1]
    if program == "cast-agent":
        parser().parse_args(words_[1:])
    elif program == "cast-central":
        central_cli._parser().parse_args(words_[1:])
    elif program == "make":
        assert re.search(rf"^{words_[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "curl":
        check_call(words_)


def check_call(words_: list[str]) -> None:
    """The path is one that the agent or the central API has, and the body one that it takes."""
    url = next(word for word in words_ if re.match(r"http|\$BOX", word))
    path = re.sub(r"^(http://[^/]+|\$BOX)", "", url).split("?")[0]
    body = json.loads(words_[words_.index("-d") + 1]) if "-d" in words_ else None
    if ":8080" in url:
        paths = json.loads((DOCS / "central.openapi.json").read_text())["paths"]
        templates = [re.sub(r"\{\w+\}", "[^/]+", template) for template in paths]
        assert any(re.fullmatch(template, path) for template in templates)
    else:
        method = words_[words_.index("-X") + 1] if "-X" in words_ else "GET" if body is None else "POST"
        (operation,) = [one for one in OPERATIONS if (one.method, one.path) == (method, path)]
        fields = operation.body.model_fields.items() if operation.body else ()
        assert body is None or body.keys() <= {field.alias or name for name, field in fields}


@pytest.mark.parametrize("block", blocks(*PAGES, kind="sh"), ids=str)
def test_a_command_can_be_typed(block: Block) -> None:
    """A shell takes it, and each program, target and call in it is there, with these options and fields."""
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True, timeout=10)
    for line in commands(block):
        parse(line)


def test_the_lines_of_the_doctor_are_its_own() -> None:
    """The example has nothing that the doctor does not say."""
    (block,) = [block for block in blocks(DOCS / "cli.md", kind="") if block.heading == "The doctor"]
    files = [*(ROOT / "agent" / "doctor").glob("*.py"), ROOT / "agent" / "player" / "registry.py"]
    source = "\n".join(file.read_text() for file in files)
    for line in block.text.splitlines():
        finding, subject = line[:4].strip(), line[6:20].strip()
        assert finding in ("ok", "warn", "fail")
        assert f'"{subject}"' in source


def test_the_messages_of_events_and_webhooks_are_json() -> None:
    (events,) = [block for block in blocks(DOCS / "api.md", kind="") if block.heading == "Events"]
    told = re.findall(r"^event: (\w+)\nid: \S+\ndata: (.+)$", events.text, re.MULTILINE)
    assert [kind for kind, _ in told] == ["snapshot", EventKind.PLAYBACK_CHANGED]
    assert json.loads(told[1][1])["kind"] == told[1][0]

    (webhook,) = [block for block in blocks(DOCS / "reporting.md", kind="") if block.heading == "Webhooks"]
    head, _, body = webhook.text.partition("\n\n")
    assert re.findall(r"^webhook-(\w+): \S+$", head, re.MULTILINE) == ["id", "timestamp", "signature"]
    assert json.loads(body)["type"] in get_args(settings.EventName)
