"""Videos from their reservation to their end: who may do what, and what is refused before a byte is sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from central.core.types import Role
from tests.central.library.conftest import ServedShelf, Shelf
from tests.central.support.service import Client, served


async def test_a_video_is_reserved_found_changed_and_deleted(shelf: ServedShelf) -> None:
    """On both databases: searched by words and tags as they are, and listed a page at a time."""
    admin = shelf.central.admin
    made = await shelf.reserve(b"x" * 10, title="Über 100% Küche", tags=["Red", "red", "a_b"], description="Two\nlines")
    assert (made.status, made["state"], made["received"], made["tags"]) == (201, "uploading", 0, ["red", "a_b"])
    other = await shelf.reserve(b"y", title="../../etc/passwd", type="image/png")
    assert shelf.files() == {made["id"], other["id"]}
    assert made.headers["Location"] == f"/api/v1/videos/{made['id']}"

    async def found(query: str) -> list[str]:
        answer = await admin("GET", f"/api/v1/videos?{query}")
        assert answer.status == 200, answer.body
        return [video["id"] for video in answer["items"]]

    both = [other["id"], made["id"]]
    assert await found("") == both
    assert [await found(q) for q in ("q=ÜBER", "q=100%25", "q=ed", "tag=RED", "tag=a_b")] == [both[1:]] * 5
    assert [await found(q) for q in ("q=1%25", "tag=re", "tag=aXb", "state=ready", "q=a%25b")] == [[]] * 5
    assert await found("state=uploading") == both
    first = await admin("GET", "/api/v1/videos?limit=1")
    assert [video["id"] for video in first["items"]] == both[:1]
    assert await found(f"limit=1&cursor={first['next_cursor']}") == both[1:]

    changed = await admin("PATCH", f"/api/v1/videos/{made['id']}", {"title": "Hall", "tags": []})
    assert changed.body == made.body | {"title": "Hall", "tags": []}
    assert [await found(q) for q in ("q=hall", "tag=red")] == [both[1:], []]
    assert (await admin("PATCH", f"/api/v1/videos/{made['id']}", {})).status == 422
    for status in (204, 404):
        assert (await admin("DELETE", f"/api/v1/videos/{made['id']}")).status == status
    assert shelf.files() == {other["id"]}
    assert (await shelf.get(made["id"]))["code"] == "video_not_found"


async def test_an_upload_key_uploads_and_sees_its_own(sqlite_shelf: ServedShelf) -> None:
    """Nothing else of the service is open to it, and a box is not let in here."""
    shelf, central = sqlite_shelf, sqlite_shelf.central
    key = await central.services.access.add_key("camera", Role.UPLOADER)
    uploader = Client(central.session, key)
    assert key.startswith("uk_")
    mine = await shelf.reserve(b"abc", by=uploader)
    other = await shelf.reserve(b"abc")
    assert (mine.status, mine["made_by"]) == (201, "camera")
    assert (await shelf.put(mine["id"], b"abc", by=uploader))["received"] == 3
    assert [video["id"] for video in (await uploader("GET", "/api/v1/videos"))["items"]] == [mine["id"]]
    assert len((await central.admin("GET", "/api/v1/videos"))["items"]) == 2
    assert (await shelf.get(other["id"], by=uploader)).status == 404
    assert (await shelf.put(other["id"], b"abc", by=uploader)).status == 404
    assert (await shelf.complete(other["id"], by=uploader)).status == 404
    for method, path in (
        ("DELETE", f"/api/v1/videos/{mine['id']}"),
        ("GET", "/api/v1/devices"),
        ("GET", "/streams"),
        ("GET", "/broadcasters"),
    ):
        assert (await uploader(method, path)).status == 403, path
    box = await central.box()
    assert (await box("GET", "/api/v1/videos")).status == 403
    assert await central.services.access.revoke_key("camera")
    assert (await shelf.get(mine["id"], by=uploader)).status == 401


async def test_what_does_not_fit_is_refused_before_it_is_sent(sqlite_url: str, tmp_path: Path) -> None:
    """Too large, more than a key may hold, and more than the disk has room for beside what is being uploaded."""
    folder = tmp_path / "library"
    free = shutil.disk_usage(tmp_path).free / 1e9
    settings = {"dir": str(folder), "largest": 0.05, "quota": 0.06, "keep_free": max(0.0, free - 0.075)}
    async with served(sqlite_url, library=settings) as central:
        shelf = Shelf(central.admin, folder)
        other = Client(central.session, await central.services.access.add_key("other"))
        assert (await shelf.reserve(b"", size=50_000_001))["errors"][0]["field"] == "size"
        assert (await shelf.reserve(b"", size=50_000_000)).status == 201
        held = await shelf.reserve(b"", size=10_000_001)
        assert (held.status, held["code"]) == (409, "library_quota_exceeded")
        full = await shelf.reserve(b"", by=other, size=50_000_000)
        assert (full.status, full["code"]) == (507, "storage_full")
        for changes in ({"title": "x" * 10_000}, {"type": "text/html"}, {"size": 0}, {"sha256": "0"}):
            assert (await shelf.reserve(b"x", **changes)).status == 422, changes
        assert len(shelf.files()) == 1


async def test_nothing_is_reserved_that_cannot_be_checked_or_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ffprobe, and in a folder that cannot be made; the answer says what to do."""
    (tmp_path / "file").touch()
    async with served(sqlite_url, library={"dir": str(tmp_path / "file" / "library")}) as central:
        shelf = Shelf(central.admin, tmp_path)
        refused = await shelf.reserve(b"x")
        assert (refused.status, refused["code"]) == (503, "library_unavailable")
        assert "Set dir in the section [library]" in refused["detail"]
        monkeypatch.setenv("PATH", "/nowhere")
        assert "apt install ffmpeg" in (await shelf.reserve(b"x"))["detail"]
