"""The presets of the page in a real browser: made, changed, deleted, and saved from what was played."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent import Agent
from tests.support.chromium import Page
from tests.support.leaks import LeakCheck
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

CONFIGURED = [
    {"id": "radio", "title": "Radio", "url": "http://radio.example/a.mp3"},
    {"id": "news", "title": "News", "url": "http://news.example/", "duraton": 5},
]

CAMERA = {"title": "Front door", "url": "rtsp://me:hunter2@camera.example/1", "duration": 30, "interrupt": True}

KIND = "document.querySelector('#preset [name=as]:checked').value"
"""What is at the address in the dialog: `page`, or empty for a stream."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, device__name="Living Room", preset=CONFIGURED) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture(autouse=True)
def _nothing_kept(agent: Agent) -> Iterator[None]:
    """Films have the same name in each test, and another test may have played one from another address."""
    yield
    for preset in saved(agent).values():
        agent.call("DELETE", f"/presets/{preset['id']}")
    agent.call("DELETE", "/recent")


def saved(agent: Agent) -> dict[str, dict[str, Any]]:
    """The saved presets by title."""
    presets = agent.call("GET", "/presets").json["presets"]
    return {preset["title"]: preset for preset in presets if preset["source"] == "saved"}


def add(agent: Agent, page: Page, **fields: object) -> dict[str, Any]:
    """A preset that another page has saved, opened on this one."""
    preset: dict[str, Any] = agent.call("POST", "/presets", CAMERA | fields).json
    edit(page, str(preset["title"]))
    return preset


def edit(page: Page, title: str) -> None:
    """Open the dialog of the preset of this title."""
    tile = f"[...document.querySelectorAll('#preset-list li')].find(tile => tile.textContent.includes('{title}'))"
    page.wait(f"!!{tile}")
    page.run(f"{tile}.querySelector('[data-do=edit]').click()")
    page.wait_text("#preset-heading", title)


def fill(page: Page, name: str, text: str) -> None:
    """Type something instead of what is in this field of the dialog."""
    page.click(f"#preset [name={name}]")
    page.run("document.activeElement.select()")
    page.send("Input.insertText", text=text)


def value(page: Page, name: str) -> str:
    return str(page.run(f"document.querySelector('#preset [name={name}]').value"))


def focused(page: Page, selector: str) -> None:
    page.wait(f"document.activeElement.matches({json.dumps(selector)})")


def decline(page: Page) -> None:
    """Answer the question with no."""
    page.click("#question-no")
    page.wait("!document.querySelector('#question').open && !document.querySelector('#preset [aria-busy]')")


def closed(page: Page) -> None:
    page.wait("!document.querySelector('dialog[open]')")


def test_a_preset_is_made_changed_and_deleted(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """The keyboard is enough. A mistake is told beside what was typed; each change is there for all pages; only a
    second press deletes."""
    page.run("document.querySelector('#preset-new').focus()")
    page.press("Enter")
    page.wait_text("#preset-heading", "New preset")
    page.press("Escape")
    closed(page)
    focused(page, "#preset-new")
    page.press("Enter")
    focused(page, "[name=title]")
    page.send("Input.insertText", text="A film")
    fill(page, "url", "gopher://nas/film.mp4")
    fill(page, "duration", "600")
    fill(page, "volume", "35")
    page.click("#preset [name=loop]")
    page.click("#preset-save")
    page.wait_text("#preset-problem", "must begin with")
    focused(page, "[name=url][aria-invalid=true]")
    assert saved(agent) == {}
    fill(page, "url", media_server.url("/film/green.mp4"))
    page.press("Enter")
    closed(page)
    focused(page, "[data-do=play][data-id=a-film]")
    film = saved(agent)["A film"]
    assert (film["duration"], film["volume"], film["loop"]) == (600, 0.35, True)
    assert not {"interrupt", "muted", "refresh"} & film.keys()
    page.click("[data-do=play][data-id=a-film]")
    page.wait_text("#title", "A film")
    page.wait_text("#state", "Playing")

    edit(page, "A film")
    fill(page, "title", "The film")
    fill(page, "duration", "")
    page.click("#preset [name=loop]")
    page.click("#preset-save")
    page.wait_text("#preset-list", "The film")
    closed(page)
    film = saved(agent)["The film"]
    assert (film["id"], film["loop"], "duration" in film) == ("a-film", False, False)

    edit(page, "The film")
    page.click("#preset-delete")
    page.wait_text("#question-text", "The film")
    decline(page)
    assert "The film" in saved(agent)
    page.click("#preset-delete")
    page.click("#question-yes")
    closed(page)
    page.wait("!document.querySelector('[data-id=a-film]')")
    assert saved(agent) == {}
    focused(page, "#preset-new")
    assert page.complaints() == []


def test_what_is_on_or_was_on_is_saved(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """The preset has the password of its address, which the page does not get to see; the recent ones can be
    cleared."""
    address = media_server.url("/film/green.mp4").replace("http://", "http://me:hunter2@")
    agent.start(address)
    page.wait_text("#state", "Playing")
    page.click("#preset-keep")
    assert "hunter2" not in value(page, "url")
    page.click("#preset-save")
    page.wait_text("#preset-list", "green.mp4")
    closed(page)
    page.wait_text("#recent-list", "green.mp4")
    page.click("#recent-list [data-do=keep]")
    fill(page, "title", "Again")
    page.click("#preset-save")
    page.wait_text("#preset-list", "Again")
    entries = json.loads((agent.folder / "state" / "presets.json").read_text())["entries"]
    assert [(entry["title"], entry["url"]) for entry in entries] == [("green.mp4", address), ("Again", address)]
    page.click("#recent-clear")
    page.click("#question-yes")
    page.wait("document.querySelector('#recent').hidden")
    assert agent.call("GET", "/recent").json["recent"] == []
    assert "hunter2" not in page.run("document.documentElement.outerHTML")


def test_a_preset_is_a_web_page_or_a_stream(agent: Agent, page: Page) -> None:
    """A new one, and one that is changed. What only a web page has goes with it; what somebody else has chosen is
    told."""
    page.click("#preset-new")
    fill(page, "title", "Wall")
    fill(page, "url", "rtsp://panel.example/1")
    page.click("#preset-kind label:last-child")
    page.click("#preset-save")
    page.wait_text("#preset-problem", "must begin with http")
    assert page.violations() == []
    fill(page, "url", "https://panel.example/")
    page.click("#preset-save")
    closed(page)
    where = f"/presets/{saved(agent)['Wall']['id']}"
    assert saved(agent)["Wall"]["as"] == "page"

    agent.call("PATCH", where, {"page": {"zoom": 2}, "duration": 60})
    page.wait("document.querySelector('#preset-list').dataset.key.includes('zoom')")
    edit(page, "Wall")
    assert page.run(KIND) == "page"
    fill(page, "duration", "30")
    page.click("#preset-save")
    closed(page)
    assert (saved(agent)["Wall"]["as"], saved(agent)["Wall"]["page"]) == ("page", {"zoom": 2})

    edit(page, "Wall")
    agent.call("PATCH", where, {"duration": 10})
    page.click("#preset-kind legend + label")
    page.click("#preset-save")
    page.wait_text("#question-text", "in seconds: 10.")
    page.click("#question-yes")
    closed(page)
    assert not {"as", "page"} & saved(agent)["Wall"].keys()

    edit(page, "Wall")
    agent.call("PATCH", where, {"as": "page"})
    fill(page, "title", "The wall")
    page.click("#preset-save")
    page.wait_text("#question-text", "It is now: A web page.")
    decline(page)
    assert page.run(KIND) == "page"


def test_what_was_played_stays_what_it_was(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """The box knows whether there was a web page at its address; of another address, the page asks."""
    agent.start(media_server.url("/film/green.mp4"))
    page.wait_text("#recent-list", "green.mp4")
    for button in ("#preset-keep", "#recent-list [data-do=keep]"):
        page.click(button)
        assert page.run("document.querySelector('#preset-kind').hidden")
        page.click("#preset-cancel")
        closed(page)
    page.click("#preset-keep")
    fill(page, "url", "https://panel.example/")
    page.click("#preset-kind label:last-child")
    page.click("#preset-save")
    closed(page)
    assert saved(agent)["green.mp4"]["as"] == "page"


def test_two_pages_change_the_same_preset(agent: Agent, page: Page) -> None:
    """The second one is shown what is there now, and takes it over, or saves its own on top, or saves anew what was
    deleted meanwhile. A preset that changed is not deleted unseen."""
    preset = add(agent, page)
    where = f"/presets/{preset['id']}"
    fill(page, "volume", "50")
    agent.call("PATCH", where, {"title": "Gate", "interrupt": False})
    page.click("#preset-save")
    page.wait_text("#question-text", "It is now: Title: Gate; What is on resumes afterwards: no.")
    decline(page)
    assert (value(page, "title"), value(page, "volume")) == ("Gate", "")

    fill(page, "volume", "40")
    agent.call("PATCH", where, {"duration": 60})
    page.click("#preset-save")
    page.wait_text("#question-text", "in seconds: 60.")
    page.click("#question-yes")
    closed(page)
    gate = saved(agent)["Gate"]
    assert (gate["duration"], gate["volume"], gate["interrupt"]) == (60, 0.4, False)

    edit(page, "Gate")
    agent.call("PATCH", where, {"title": "Garden gate"})
    page.click("#preset-delete")
    page.click("#question-yes")
    page.wait_text("#question-text", "Somebody else has changed it. It is now: Title: Garden gate.")
    decline(page)
    assert "Garden gate" in saved(agent)

    fill(page, "volume", "10")
    agent.call("DELETE", where)
    page.click("#preset-save")
    page.wait_text("#preset-problem", "Type the whole address first")
    fill(page, "url", "rtsp://camera.example/2")
    page.click("#preset-save")
    closed(page)
    again = saved(agent)["Garden gate"]
    assert (again["url"], again["duration"], again["volume"]) == ("rtsp://camera.example/2", 60, 0.1)


def test_what_cannot_be_changed_says_why(agent: Agent, page: Page) -> None:
    """A preset of the configuration, and a broken one, are shown with the reason."""
    edit(page, "Radio")
    page.wait_text("#preset-note", "part of the configuration")
    assert page.run("document.querySelector('#preset-fields').disabled")
    for button in ("save", "delete"):
        assert page.run(f"document.querySelector('#preset-{button}').hidden")
    page.click("#preset-cancel")
    edit(page, "News")
    page.wait_text("#preset-note", "duraton is not a known field")
    page.wait_text("#preset-note", "systemctl reload")


def test_a_disk_that_takes_nothing_leaves_the_page_usable(agent: Agent, page: Page) -> None:
    """The typed text stays, the reason is told in words, and the preset is saved once the disk takes it."""
    file = agent.folder / "state" / "presets.json"
    file.unlink(missing_ok=True)
    file.mkdir()
    try:
        page.click("#preset-new")
        fill(page, "title", "Door")
        fill(page, "url", "rtsp://camera.example/1")
        page.click("#preset-save")
        page.wait_text("#preset-problem", "cannot be written")
    finally:
        file.rmdir()
    page.click("#preset-save")
    closed(page)
    assert "Door" in saved(agent)


def test_axe_finds_nothing_in_the_dialogs(agent: Agent, page: Page) -> None:
    """The dialogs are checked on a phone and on a desktop, light and dark, with a mistake, and with a question on
    top."""
    add(agent, page)
    fill(page, "url", "gopher://x")
    page.click("#preset-save")
    page.wait_text("#preset-problem", "must begin")
    assert page.violations() == []
    page.click("#preset-delete")
    page.resize(1280, 1000)
    assert page.violations() == []
    assert page.run("document.querySelector('#preset').scrollWidth <= document.querySelector('#preset').clientWidth")
