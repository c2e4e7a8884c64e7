"""Each box gets what its engines decode, and nothing is converted for nobody."""

from __future__ import annotations

import pytest

from central.library import repository
from central.library.playable import is_playable
from central.library.probe import Flaw
from central.library.working import Assignment
from tests.central.library.conftest import ServedShelf
from tests.central.library.test_jobs import Scripted, film, jobs, worker
from tests.central.support.service import Answered, Box
from tests.support.clips import Clips


async def box(shelf: ServedShelf, *codecs: str) -> Box:
    """One that has told that it decodes these, or, without any, nothing of that."""
    box = await shelf.central.box()
    engines = [{"name": "vlc", "version": "3.0.18", "codecs": codecs}, {"name": "chromium", "codecs": []}]
    assert (await box.put(box.state(**({"engines": engines} if codecs else {})))).status == 200
    return box


async def source(box: Box, video_id: str) -> Answered:
    return await box("GET", f"/api/v1/videos/{video_id}/source")


async def test_each_box_gets_what_it_decodes(shelf: ServedShelf, clips: Clips) -> None:
    """The original at once, or a rendition that is made because one of them needs it."""
    older, newer, poor = await box(shelf), await box(shelf, "aac", "h264", "hevc"), await box(shelf, "aac", "vp8")
    data = clips.film_mp4().read_bytes()
    video = await shelf.checked(data)
    video_id = video["id"]
    assert video["state"] == "ready"
    assert [(each["kind"], each["priority"]) for each in await jobs(shelf)] == [
        ("thumbnails", 0),
        ("poster", 10),
        ("1080p", 20),
    ]
    for each in (older, newer):
        assert (await source(each, video_id))["size"] == len(data)
    waits = await source(poor, video_id)
    assert (waits.status, waits["code"]) == (409, "wrong_state")
    assert "is being converted" in waits["detail"]
    assert await worker(shelf, Scripted())._one()
    [rendition] = (await shelf.get(video_id))["renditions"]
    told = await source(poor, video_id)
    assert (told["sha256"], told["type"]) == (rendition["sha256"], "video/mp4")
    assert (await shelf.central.anybody("GET", told["path"])).status == 200
    assert (await source(newer, video_id))["size"] == len(data)


async def test_what_no_box_decodes_waits_for_its_rendition(sqlite_shelf: ServedShelf, clips: Clips) -> None:
    """Unless there is no box that could want it: one that is revoked does not."""
    shelf, data = sqlite_shelf, clips.film_mp4().read_bytes()
    poor = await box(shelf, "vp8")
    video = await shelf.checked(data)
    assert video["state"] == "transcoding"
    assert {each["kind"] for each in await jobs(shelf)} == {"1080p", "poster", "thumbnails"}
    assert (await shelf.admin("DELETE", f"/api/v1/devices/{poor.id}")).status == 204
    alone = await shelf.checked(data)
    assert alone["state"] == "ready"
    assert {each["kind"] for each in await jobs(shelf, f"video_id={alone['id']}")} == {"poster", "thumbnails"}


async def test_a_box_that_comes_later_has_one_rendition_begun(shelf: ServedShelf) -> None:
    """Once, also if it asks again and again, and not anew after a failure; what it decodes since an update it gets."""

    async def fail(_task: Assignment) -> None:
        raise Flaw("It is damaged.")

    video_id = await film(shelf)
    values = {"video_codec": "hevc", "audio_codec": "aac"}
    await shelf.central.services.database.write(lambda session: repository.change(session, video_id, values))
    assert await jobs(shelf) == []
    late = await box(shelf, "aac", "h264")
    for _ in range(3):
        assert "is being converted" in (await source(late, video_id))["detail"]
    [job] = await jobs(shelf)
    assert (job["kind"], job["priority"]) == ("1080p", 20)
    assert await worker(shelf, Scripted(fail))._one()
    for _ in range(3):
        assert "was not converted. It is damaged." in (await source(late, video_id))["detail"]
    assert len(await jobs(shelf)) == 1
    assert (await shelf.get(video_id))["state"] == "ready"
    engines = [{"name": "vlc", "codecs": ["aac", "h264"]}, {"name": "mpv", "codecs": ["hevc"]}]
    assert (await late.put(late.state(engines=engines))).status == 200
    assert (await source(late, video_id)).status == 200


async def test_engines_are_told_within_bounds(sqlite_shelf: ServedShelf) -> None:
    """A name that none has, or too many, are refused. A box that has just started knows less than it told before."""
    late = await box(sqlite_shelf, "h264")
    for codecs in (["h264 OR 1=1"], ["H264"], ["x" * 33], [f"c{number}" for number in range(65)]):
        assert (await late.put(late.state(engines=[{"name": "vlc", "codecs": codecs}]))).status == 422
    assert (await late.put(late.state(engines=[{"name": "vlc"}] * 9))).status == 422
    known = sqlite_shelf.central.services.boxes.known
    assert await known.decoders() == [frozenset({"h264"})]
    unknown = late.state(engines=[{"name": "vlc", "codecs": ["h264"]}, {"name": "mpv", "codecs": None}])
    assert (await late.put(unknown)).status == 200
    assert await known.decoders() == [frozenset({"h264"})]
    await box(sqlite_shelf)
    assert set(await known.decoders()) == {None, frozenset({"h264"})}


@pytest.mark.parametrize(
    ("media_type", "picture", "sound", "decodes", "plays"),
    [
        ("video/mp4", "h264", "aac", None, True),
        ("video/mp4", "h264", "aac", {"h264"}, False),
        ("video/mp4", "h264", None, {"h264"}, True),
        ("video/quicktime", "h264", "pcm_s16le", {"h264"}, True),
        ("video/quicktime", "prores", None, None, False),
        ("video/quicktime", "prores", None, {"prores"}, True),
        ("video/x-msvideo", "h264", "mp3", None, False),
        ("audio/flac", None, "flac", set(), True),
        ("image/webp", "webp", None, set(), True),
    ],
)
def test_a_box_plays_what_it_decodes(
    media_type: str, picture: str | None, sound: str | None, decodes: set[str] | None, plays: bool
) -> None:
    """Sound that is not compressed needs no decoder; some containers are always converted."""
    known = None if decodes is None else frozenset(decodes)
    assert is_playable(media_type, picture, sound, known) is plays
