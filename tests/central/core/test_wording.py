"""The messages to callers about their mistakes: words that say what is allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from cast_wire import models as wire
from central.core.errors import FieldError, InvalidRequestError
from central.core.http.body import validated
from central.core.wording import sentence_of
from central.description import OPERATIONS
from central.media.models import StreamKeyBody
from central.streams.models import StreamBody
from tests.central.support.service import Central

MODELS: list[type[BaseModel]] = sorted(
    {model for operation in OPERATIONS for model in (operation.body, operation.query) if model is not None}
    | {wire.Event, wire.StateSession, wire.ErrorInfo, *wire.EVENT_DATA.values()},
    key=lambda model: model.__name__,
)
JUNK: list[Any] = [
    *(None, "", "  ", "a\nb", "abc", "x" * 9000, "0001-01-01T00:00:00Z", "2020-01-01T00:00:00", "http://[::1", "a b"),
    *(True, -1, 1.5, 2**70, 1e300, float("nan"), [], [5], [{}] * 60, {}, {"x": "y" * 9000}, {"a": float("nan")}),
]
ID = "01a1fd12-eb6c-748a-a719-cf4ecab6bccb"


def mistakes(model: type[BaseModel], given: dict[str, Any]) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        validated(model, given)
    return caught.value


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_mistake_is_told_in_words(model: type[BaseModel]) -> None:
    """Whatever is put into whichever field: what it must be, without an expression or a word of pydantic's."""
    for name in [*model.model_fields, "zzz"]:
        for value in JUNK:
            try:
                validated(model, {name: value})
            except InvalidRequestError as error:
                for wrong in error.errors:
                    told = re.match(r"(must |is required|is not known here; |Send at least one)", wrong.message)
                    assert told, f"{name}={value!r:.40}: {wrong.message}"
                    assert not re.search(r"valid|instance|pattern|\^|dictionary|tuple", wrong.message), wrong.message


@pytest.mark.parametrize(
    ("model", "given", "sentence"),
    [
        (StreamBody, {"device_id": "kitchen", "url": "http://nas/film.mp4"}, f"device_id must be an id, such as {ID}."),
        (StreamBody, {"device_id": ID, "url": "http:"}, "url must be an address such as http://nas.local/film.mp4; "),
        (
            StreamBody,
            {"device_id": ID, "url": "http://nas/film.mp4", "quality": "best"},
            "quality must be auto, 1080p, 720p or low-latency.",
        ),
        (
            StreamBody,
            {"device_id": ID, "url": "http://nas/film.mp4", "tittle": "Film"},
            "tittle is not known here; did you mean title?",
        ),
        (
            StreamKeyBody,
            {"broadcaster_id": ID, "path": "live kitchen"},
            "path must hold only letters, digits and _ - . ~ : /, such as live/kitchen.",
        ),
        (
            StreamKeyBody,
            {"broadcaster_id": ID, "expires_at": "tomorrow"},
            "expires_at must be a moment with its time zone, such as 2026-11-21T03:44:26Z.",
        ),
    ],
)
def test_what_is_allowed_is_named(model: type[BaseModel], given: dict[str, Any], sentence: str) -> None:
    """An id, an address, a word, a path and a moment, each with an example; a name that was nearly right."""
    said = str(mistakes(model, given))
    assert said.startswith(sentence)
    assert said.endswith(sentence[-1] if sentence[-1] in ".?" else ".")


def test_a_sentence_tells_of_three_mistakes() -> None:
    """And that there are more."""
    wrong = [FieldError(name, "is required") for name in "abcd"]
    assert sentence_of(wrong) == "a is required; b is required; c is required; and more, see errors."


async def test_an_event_is_refused_in_words(central: Central) -> None:
    """Its own field, one of its data, and what is no event at all."""
    box = await central.box()
    wrong: list[Any] = [box.event(event_id="first"), box.event(data={"url": 5}), 5]
    answer = await box("POST", f"/api/v1/devices/{box.id}/events", {"events": wrong})
    assert [result["error"]["message"] for result in answer["results"]] == [
        f"event_id must be an id, such as {ID}.",
        "data.url must be a string.",
        "the event must be a JSON object.",
    ]
