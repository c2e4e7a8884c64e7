"""The state that controllers read and the commands that they give."""

from __future__ import annotations

import asyncio

import pytest
from defusedxml.ElementTree import fromstring

from agent.frontends.dlna.services import SERVICES
from tests.support.tools import until
from tests.unit.frontends.dlna.conftest import AVT, CM, RC, Face

DIDL = (
    '<DIDL-Lite xmlns="urn:schemas-upnp-org:metadata-1-0/DIDL-Lite/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<item><dc:title>Tom &amp; &lt;Jerry&gt;\n at  home</dc:title></item></DIDL-Lite>"
)


async def test_it_says_who_it_is(face: Face) -> None:
    """A renderer under a name of its own, the same as long as the id of the device is."""
    answer = await face.request("GET", "/description.xml")
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.value("deviceType") == "urn:schemas-upnp-org:device:MediaRenderer:1"
    assert answer.value("friendlyName") == "Living Room screen"
    assert answer.value("UDN") == "uuid:1158ec67-723a-52d8-a5bf-2e6048b2854f"
    assert answer.value("presentationURL") == "http://127.0.0.1:8090/"
    described = {each.text for each in fromstring(answer.text).iter() if each.tag.endswith("SCPDURL")}
    assert described == {f"/{name}.xml" for name in SERVICES}
    for path in described:
        assert "<actionList>" in (await face.request("GET", str(path))).text


async def test_it_lists_what_it_plays_in_full(face: Face) -> None:
    """Home Assistant compares media types as they are, and shows nothing where one is a star."""
    sink = (await face.act(CM, "GetProtocolInfo")).value("Sink").split(",")
    assert {"http-get:*:video/mp4:*", "http-get:*:audio/mpeg:*", "http-get:*:image/jpeg:*"} <= set(sink)
    assert all(each.split(":")[2] != "*" for each in sink)
    assert (await face.act(CM, "GetCurrentConnectionInfo", ConnectionID="0")).value("Direction") == "Input"
    assert (await face.act(CM, "GetCurrentConnectionInfo", ConnectionID="7")).value("errorCode") == "706"


async def test_what_is_named_is_played_when_it_is_told(face: Face) -> None:
    assert (await face.act(AVT, "GetTransportInfo")).value("CurrentTransportState") == "NO_MEDIA_PRESENT"
    assert (await face.act(AVT, "Play", Speed="1")).value("errorCode") == "701"
    assert (await face.name("http://user:secret@film/a.mp4", DIDL)).status == 200
    media = await face.act(AVT, "GetMediaInfo")
    assert media.value("CurrentURI") == "http://***@film/a.mp4"
    assert "secret" not in media.text
    assert (await face.act(AVT, "GetTransportInfo")).value("CurrentTransportState") == "STOPPED"
    assert "Play" in (await face.act(AVT, "GetCurrentTransportActions")).value("Actions").split(",")
    assert face.rooms.tracker.snapshot().stream is None
    assert (await face.act(AVT, "Play", Speed="1")).status == 200
    stream = face.rooms.tracker.snapshot().stream
    assert stream is not None
    assert (stream.title, stream.first_frame_at is not None) == ("Tom & <Jerry> at home", True)
    assert fromstring((await face.act(AVT, "GetPositionInfo")).value("TrackMetaData"))[0][0].text == stream.title
    assert (await face.act(AVT, "Next")).value("errorCode") == "701"
    assert (await face.act(AVT, "Stop")).status == 200
    assert (await face.act(AVT, "Play", Speed="1")).status == 200  # once more
    assert face.rooms.tracker.snapshot().stream is not None


async def test_it_is_a_transition_until_there_is_a_picture(face: Face) -> None:
    await face.name("http://slow/")
    playing = asyncio.ensure_future(face.act(AVT, "Play", Speed="1"))
    await until(lambda: face.rooms.tracker.snapshot().stream)
    assert (await face.act(AVT, "GetTransportInfo")).value("CurrentTransportState") == "TRANSITIONING"
    assert (await face.act(AVT, "Stop")).status == 200
    assert (await playing).value("errorCode") == "701"


async def test_a_pause_ends_with_play(face: Face) -> None:
    await face.name("http://film/")
    await face.act(AVT, "Play", Speed="1")
    assert (await face.act(AVT, "Pause")).status == 200
    assert (await face.act(AVT, "GetTransportInfo")).value("CurrentTransportState") == "PAUSED_PLAYBACK"
    assert (await face.act(AVT, "Seek", Unit="REL_TIME", Target="0:00:04")).status == 200
    assert (await face.act(AVT, "GetPositionInfo")).value("RelTime") == "0:00:04"
    assert (await face.act(AVT, "GetPositionInfo")).value("TrackDuration") == "0:00:09"
    assert (await face.act(AVT, "Play", Speed="1")).status == 200
    assert (await face.act(AVT, "GetTransportInfo")).value("CurrentTransportState") != "PAUSED_PLAYBACK"


async def test_another_address_named_while_one_plays_plays_at_once(face: Face) -> None:
    """UPnP has it so: Home Assistant sends no Play then. A Play that comes is answered when there is a picture."""
    await face.name("http://film/one")
    await face.act(AVT, "Play", Speed="1")
    await face.name("http://film/two")
    stream = face.rooms.tracker.snapshot().stream
    assert stream is not None
    assert (stream.url, stream.first_frame_at) == ("http://film/two", None)
    assert (await face.act(AVT, "Play", Speed="1")).status == 200
    shown = face.rooms.tracker.snapshot().on_screen
    assert shown is not None
    assert shown.session_id == stream.session_id


async def test_the_volume_is_that_of_the_device(face: Face) -> None:
    await face.act(RC, "SetVolume", Channel="Master", DesiredVolume="30")
    await face.act(RC, "SetMute", Channel="Master", DesiredMute="1")
    volume = face.rooms.tracker.volume
    assert (volume.level, volume.muted) == (0.3, True)
    assert (await face.act(RC, "GetVolume", Channel="Master")).value("CurrentVolume") == "30"
    assert (await face.act(RC, "GetMute", Channel="Master")).value("CurrentMute") == "1"


@pytest.mark.parametrize(
    ("address", "code", "sentence"),
    [
        ("gopher://film/", "716", "url"),
        ("http://film/#duration=never", "402", "duration"),
        ("", "402", "CurrentURI"),
    ],
)
async def test_what_cannot_be_played_is_refused_with_a_sentence(
    face: Face, address: str, code: str, sentence: str
) -> None:
    answer = await face.name(address)
    if answer.status == 200:
        answer = await face.act(AVT, "Play", Speed="1")
    assert (answer.status, answer.value("errorCode")) == (500, code)
    assert sentence in answer.value("errorDescription")


async def test_fields_of_a_start_may_follow_the_address(face: Face) -> None:
    """The text after the address counts as fields if all of it is fields; otherwise it belongs to the address."""
    await face.name("http://film/one")
    await face.act(AVT, "Play", Speed="1")
    await face.name("http://film/bell?a=1#interrupt&duration=30&title=Bell", DIDL)
    await until(lambda: face.rooms.tracker.snapshot().interrupted)
    snapshot = face.rooms.tracker.snapshot()
    assert snapshot.stream is not None
    assert [each.url for each in snapshot.interrupted] == ["http://film/one"]
    assert (snapshot.stream.url, snapshot.stream.title) == ("http://film/bell?a=1", "Bell")
    assert snapshot.stream.expires_at is not None
    await face.name("http://film/two#chapter=2&interrupt")
    await until(lambda: len(face.rooms.tracker.snapshot().sessions) == 1)
    assert (await face.act(AVT, "GetMediaInfo")).value("CurrentURI") == "http://film/two#chapter=2&interrupt"


@pytest.mark.parametrize(
    ("service", "action", "arguments", "code"),
    [
        (AVT, "Explode", {}, "401"),
        (AVT, "Play", {}, "402"),
        (AVT, "Stop", {"InstanceID": "1"}, "718"),
        (AVT, "Seek", {"Unit": "TRACK_NR", "Target": "1"}, "710"),
        (AVT, "Seek", {"Unit": "REL_TIME", "Target": "soon"}, "402"),
        (AVT, "Seek", {"Unit": "REL_TIME", "Target": "0:00:01"}, "701"),
        (RC, "SetVolume", {"Channel": "Master", "DesiredVolume": "101"}, "402"),
        (RC, "SetVolume", {"Channel": "LF", "DesiredVolume": "10"}, "402"),
    ],
)
async def test_a_wrong_call_is_answered_with_its_number(
    face: Face, service: str, action: str, arguments: dict[str, str], code: str
) -> None:
    answer = await face.act(service, action, **arguments)
    assert (answer.status, answer.value("errorCode")) == (500, code)
