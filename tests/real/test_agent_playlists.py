"""Playlists in playlists, and entries that cannot be played."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__start_timeout=8) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def list_of(media_server: MediaServer, *entries: str) -> str:
    """The address of a playlist that holds these entries."""
    return media_server.url("/list.m3u?" + "&".join(f"entry={quote(entry, safe='')}" for entry in entries))


def test_lists_in_lists_are_followed(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A directory of stations leads to the list of one station, and that to its servers, of which one is dead."""
    dead = "http://127.0.0.1:9/live.ts"
    station = list_of(media_server, dead, media_server.url("/status/404"), media_server.url("/film/green.mp4"))
    agent.start(list_of(media_server, station, media_server.url("/film/red.mp4")))
    wait_moves(screen, "green")


@pytest.mark.parametrize("bad", ["file:///etc/passwd", "media-source://x/y", "ITSELF"])
def test_a_list_that_cannot_be_played_makes_way_for_the_next_entry(
    agent: Agent, screen: Screen, media_server: MediaServer, bad: str
) -> None:
    """Each entry of each list is checked like an address of one's own, and lists do not go in circles."""
    inner = list_of(media_server, bad)
    for _ in range(3 if bad == "ITSELF" else 0):
        inner = list_of(media_server, inner)
    agent.start(list_of(media_server, inner, media_server.url("/film/red.mp4")))
    wait_moves(screen, "red")
    assert agent.status()["stream"]["error"] is None


def test_a_silent_entry_makes_way_in_time(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A silent entry takes only its share of the time for a first frame."""
    agent.start(list_of(media_server, media_server.url("/never"), media_server.url("/film/blue.mp4")))
    wait_moves(screen, "blue")


def test_a_list_without_anything_to_play_says_why(agent: Agent, media_server: MediaServer) -> None:
    urls = [media_server.url("/status/404"), list_of(media_server, "file:///etc/passwd")]
    problem = agent.start(list_of(media_server, *urls), expect=502)
    assert problem["code"] == "media_forbidden"
