"""The statistics of videos that boxes have shown: counted once, for their day, and told by day, box and video."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
import structlog
from pydantic import BaseModel

from central.analytics import service as service_module
from central.analytics.csv_text import csv_lines
from central.analytics.models import Analytics, VideoStats
from central.core import forgetting
from central.core.cache import NoCache
from central.core.types import Role
from tests.central.support.postgres import PostgresServer
from tests.central.support.service import Answered, Box, Central, Client, served

ID = "01a1fd12-eb6c-748a-a719-cf4ecab6bccb"


async def video(central: Central, title: str = "A film") -> str:
    made = await central.admin("POST", "/api/v1/videos", {"title": title, "type": "video/mp4", "size": 1})
    assert made.status == 201, made.body
    return str(made["id"])


def shown(box: Box, video_id: str, at: datetime, *, seconds: float = 10.0, completed: bool = False) -> dict[str, Any]:
    """The end of a session that played a video."""
    told = {"video_id": video_id, "seconds": seconds, "completed": completed}
    data = {"reason": "finished", "shown": told}
    return box.event("session_ended", occurred_at=at.isoformat(), data=data)


async def stats(central: Central, video_id: str, query: str = "") -> Answered:
    found = await central.admin("GET", f"/api/v1/videos/{video_id}/stats?{query}")
    assert found.status == 200, found.body
    assert_told_as_described(VideoStats, found.body)
    return found


def assert_told_as_described(model: type[BaseModel], body: dict[str, Any]) -> None:
    """The answers are sent without the model that describes them."""
    assert model.model_validate({**body, "from_": body["from"]}).model_dump(mode="json") == body


def counts(views: int, completed: int, seconds: float) -> dict[str, Any]:
    return {"views": views, "completed": completed, "seconds": seconds}


async def test_a_view_is_counted_once_and_for_its_day(central: Central) -> None:
    """Late by a week, sent again, beside others in a batch; ends of what is no video of the library count nothing."""
    film, kitchen, hall = await video(central), await central.box(), await central.box("hall")
    now = central.clock.at
    late = shown(kitchen, film, now - timedelta(days=7), seconds=60.5, completed=True)
    plain = kitchen.event("session_ended", data={"reason": "stopped"})
    unknown = shown(kitchen, ID, now)
    batch = (late, plain, unknown, shown(kitchen, film, now), shown(kitchen, film, now, seconds=0.25), late)
    answer = await kitchen.send(*batch)
    assert [result["status"] for result in answer["results"]] == ["accepted"] * 5 + ["duplicate"]
    await kitchen.send(*batch)
    await hall.send(shown(hall, film, now, completed=True))
    found = await stats(central, film)
    week, today = (now - timedelta(days=7)).date().isoformat(), now.date().isoformat()
    assert (found["title"], found["total"]) == ("A film", counts(4, 2, 80.75))
    assert found["by_day"] == [{"day": week, **counts(1, 1, 60.5)}, {"day": today, **counts(3, 1, 20.25)}]
    assert found["by_box"] == [
        {"device_id": kitchen.id, **counts(3, 1, 70.75)},
        {"device_id": hall.id, **counts(1, 1, 10.0)},
    ]
    assert (found["to"], found["from"]) == (today, (now - timedelta(days=29)).date().isoformat())
    assert (await stats(central, film, f"from={today}"))["total"] == counts(3, 1, 20.25)
    first = await stats(central, film, "limit=1")
    assert [box["device_id"] for box in first["by_box"]] == [kitchen.id]
    rest = await stats(central, film, f"limit=1&cursor={first['next_cursor']}")
    assert ([box["device_id"] for box in rest["by_box"]], rest["next_cursor"]) == ([hall.id], None)
    assert (await central.admin("GET", f"/api/v1/videos/{ID}/stats"))["code"] == "video_not_found"


async def test_many_videos_are_looked_up_together(central: Central) -> None:
    """Each caller gets the counts of its video and its page, and an unknown video is its caller's alone; together they
    cost the database a few statements, one for each kind of page in a round."""
    box, hall = await central.box(), await central.box("hall")
    films = [await video(central, f"Film {number}") for number in range(10)]
    for number, film in enumerate(films):
        await box.send(*(shown(box, film, central.clock.at) for _ in range(number)))
        await hall.send(shown(hall, film, central.clock.at, completed=True))
    first, second = sorted([box.id, hall.id])
    queries = ("", "limit=1", f"to={central.clock.at:%Y-%m-%d}")
    seen: Counter[str] = Counter()
    engine = central.services.database.engine.sync_engine
    sqlalchemy.event.listen(
        engine, "before_cursor_execute", lambda *args: seen.update(["stats"] * ("FROM video_views" in str(args[2])))
    )
    asked = [stats(central, film, query) for film in films for query in queries]
    missing = central.admin("GET", f"/api/v1/videos/{ID}/stats")
    *found, unknown = await asyncio.gather(*asked, missing)
    assert (unknown.status, unknown["code"]) == (404, "video_not_found")
    for number, film in enumerate(films):
        whole, page, today = found[3 * number : 3 * number + 3]
        assert (whole["video_id"], whole["title"]) == (film, f"Film {number}")
        assert whole["total"] == page["total"] == today["total"] == counts(number + 1, 1, 10.0 * (number + 1))
        boxes = [each["device_id"] for each in whole["by_box"]]
        assert boxes == ([first, second] if number else [hall.id])
        assert [each["device_id"] for each in page["by_box"]] == boxes[:1]
    assert 0 < seen["stats"] <= len(found) // 2, seen


async def test_seconds_are_told_to_the_millisecond(central: Central) -> None:
    """The sums of tenths, which no binary number is equal to, and of very many seconds."""
    film, box, now = await video(central), await central.box(), central.clock.at
    seconds = [(0, 0.1), (0, 0.2), (1, 0.1), (2, 9_000_000.125), (3, 0.0)]
    await box.send(*(shown(box, film, now - timedelta(days=days), seconds=each) for days, each in seconds))
    found = await stats(central, film)
    assert [day["seconds"] for day in found["by_day"]] == [0.0, 9_000_000.125, 0.1, 0.3]
    assert found["total"]["seconds"] == found["by_box"][0]["seconds"] == 9_000_000.525
    told = await central.admin("GET", "/api/v1/analytics")
    assert told["total"]["seconds"] == told["videos"][0]["seconds"] == 9_000_000.525


async def test_days_have_one_form_whatever_the_server_is_set_to(postgres: PostgresServer, postgres_url: str) -> None:
    """They are told as the database writes them."""
    postgres.sql("ALTER DATABASE central SET datestyle = 'German'")
    try:
        async with served(postgres_url) as central:
            film, box = await video(central), await central.box()
            await box.send(shown(box, film, central.clock.at))
            days = [day["day"] for day in (await stats(central, film))["by_day"]]
            assert days == [central.clock.at.date().isoformat()]
    finally:
        postgres.sql("ALTER DATABASE central RESET datestyle")


async def test_a_clock_that_cannot_be_right_is_not_believed(central: Central) -> None:
    """A showing in 1970, or tomorrow, counts for the day on which it is told."""
    film, box = await video(central), await central.box()
    now = central.clock.at
    for at in (datetime(1970, 1, 1, tzinfo=UTC), now - timedelta(days=9), now + timedelta(days=2)):
        await box.send(shown(box, film, at))
    assert [day["day"] for day in (await stats(central, film))["by_day"]] == [now.date().isoformat()]


async def test_a_video_that_is_deleted_keeps_its_statistics(central: Central) -> None:
    """Under its title, and what was shown of it before is still counted; then nothing of either is kept for ever."""
    film, box = await video(central, "Old"), await central.box()
    assert (await central.admin("PATCH", f"/api/v1/videos/{film}", {"title": "New"})).status == 200
    assert (await central.admin("DELETE", f"/api/v1/videos/{film}")).status == 204
    await box.send(shown(box, film, central.clock.at))
    found = await stats(central, film)
    assert (found["title"], found["total"]) == ("New", counts(1, 0, 10.0))
    central.clock.forward(731 * 86_400)
    service = service_module.Analytics(
        central.services.database, NoCache(), kept=timedelta(days=730), now=central.clock
    )
    await service.upkeep()
    assert (await central.admin("GET", f"/api/v1/videos/{film}/stats")).status == 404


async def test_the_most_viewed_come_first(central: Central) -> None:
    """A page at a time, by day, and of those days that are asked for."""
    box, now = await central.box(), central.clock.at
    films = [await video(central, title) for title in ("One", "Three", "Two")]
    for film, number in zip(films, (1, 3, 2), strict=True):
        await box.send(*(shown(box, film, now, completed=True) for _ in range(number)))
    await box.send(shown(box, films[0], now - timedelta(days=3)))
    found = await central.admin("GET", "/api/v1/analytics?limit=2")
    assert_told_as_described(Analytics, found.body)
    assert found.status == 200, found.body
    assert [(each["title"], each["views"]) for each in found["videos"]] == [("Three", 3), ("One", 2)]
    assert (found["total"], len(found["by_day"])) == (counts(7, 6, 70.0), 2)
    rest = await central.admin("GET", f"/api/v1/analytics?limit=2&cursor={found['next_cursor']}")
    assert [(each["title"], each["views"]) for each in rest["videos"]] == [("Two", 2)]
    assert rest["next_cursor"] is None
    today = await central.admin("GET", f"/api/v1/analytics?from={now:%Y-%m-%d}")
    assert_told_as_described(Analytics, today.body)
    assert [each["views"] for each in today["videos"]] == [3, 2, 1]


async def test_statistics_come_as_csv(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines at once, whatever the page; a title is no formula."""
    monkeypatch.setattr(service_module, "LINES", 2)
    box, hall, now = await central.box(), await central.box("hall"), central.clock.at
    films = [await video(central, title) for title in ('=HYPERLINK("http://x")', 'Say, "hi"', "Plain")]
    for film in films:
        await box.send(shown(box, film, now), shown(box, film, now - timedelta(days=1)))
    await hall.send(shown(hall, films[0], now, completed=True))
    answer = await central.admin("GET", "/api/v1/analytics?format=csv&limit=1")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="videos.csv"' in answer.headers["Content-Disposition"]
    rows = [*csv.reader(io.StringIO(answer.body))]
    assert rows[0] == ["video_id", "title", "views", "completed", "seconds"]
    assert [row[1:] for row in rows[1:]] == [
        ['\'=HYPERLINK("http://x")', "3", "1", "30.0"],
        ['Say, "hi"', "2", "0", "20.0"],
        ["Plain", "2", "0", "20.0"],
    ]
    answer = await central.admin("GET", f"/api/v1/videos/{films[0]}/stats", headers={"Accept": "text/csv"})
    lines = [*csv.reader(io.StringIO(answer.body))]
    yesterday, today = (now - timedelta(days=1)).date().isoformat(), now.date().isoformat()
    assert lines == [
        ["day", "device_id", "views", "completed", "seconds"],
        [yesterday, box.id, "1", "0", "10.0"],
        [today, box.id, "1", "0", "10.0"],
        [today, hall.id, "1", "1", "10.0"],
    ]
    assert (await central.admin("GET", f"/api/v1/videos/{ID}/stats?format=csv")).status == 404


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """Numbers stay numbers."""
    assert [*csv.reader(io.StringIO(csv_lines([(text, -1.5)]).decode(), newline=""))] == [[f"'{text}", "-1.5"]]


async def test_statistics_are_reset_by_an_admin(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """In portions; the log says who did it. What is told again afterwards was counted before."""
    monkeypatch.setattr(forgetting, "PORTION", 1)
    film, other = await video(central), await video(central)
    boxes = [await central.box(), await central.box("hall")]
    events = [shown(box, film, central.clock.at) for box in boxes]
    for box, event in zip(boxes, events, strict=True):
        await box.send(event, shown(box, other, central.clock.at))
    uploader = Client(central.session, await central.services.access.add_key("camera", Role.UPLOADER))
    for caller in (uploader, boxes[0], central.anybody):
        for method in ("DELETE", "GET"):
            assert (await caller(method, f"/api/v1/videos/{film}/stats")).status in (401, 403)
    with structlog.testing.capture_logs() as logs:
        assert (await central.admin("DELETE", f"/api/v1/videos/{film}/stats")).status == 204
    [line] = [line for line in logs if line["event"] == "video_stats_deleted"]
    assert (line["video_id"], line["rows"], line["by"].partition(" ")[0]) == (film, 2, "test")
    await boxes[0].send(events[0])
    assert (await stats(central, film))["total"] == counts(0, 0, 0.0)
    assert (await stats(central, other))["total"]["views"] == 2
    assert (await central.admin("DELETE", f"/api/v1/videos/{ID}/stats")).status == 404


async def test_only_days_that_there_are_can_be_asked_for(central: Central) -> None:
    """At most a year of them, in order."""
    film = await video(central)
    for query, field in (
        ("from=2026-02-30", "from"),
        ("to=yesterday", "to"),
        ("from=2026-03-01&to=2026-02-01", "from"),
        ("from=2024-01-01&to=2026-01-01", "from"),
        ("format=xml", "format"),
        ("cursor=eA", "cursor"),
    ):
        for path in (f"/api/v1/videos/{film}/stats", "/api/v1/analytics"):
            answer = await central.admin("GET", f"{path}?{query}")
            assert (answer.status, answer["errors"][0]["field"]) == (422, field), query
            assert " must " in f" {answer['errors'][0]['message']}", answer.body
    assert (await stats(central, film, "to=0001-01-05"))["from"] == "0001-01-01"
    assert (await stats(central, film, "from=2024-01-01&to=2024-12-31"))["by_day"] == []
