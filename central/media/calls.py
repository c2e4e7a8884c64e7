"""Calls of MediaMTX: may they publish, may they view, and what is on. Its own documentation has the bodies
(HTTP-based authentication, and the hooks runOnAvailable and runOnUnavailable)."""

from __future__ import annotations

import contextlib
from typing import Final
from urllib.parse import parse_qs

from cast_http.operations import NoQuery
from central.core.errors import InvalidRequestError, UnauthorizedError
from central.core.operations import Call
from central.core.replies import Reply
from central.core.secrets import TokenKind, kind_of
from central.media import models
from central.media.claims import PublishRequest
from central.media.models import AuthBody, WebhookBody
from central.media.service import Media

_QUERY_NAMES: Final = ("key", "token", "code")


async def auth(call: Call[Media, AuthBody, NoQuery]) -> Reply:
    body, media = call.body, call.service
    shown = _shown(body)
    if body.action == "publish":
        if media.publishing.key_in_path and (in_path := body.path.rpartition("/")[2]):
            shown.append(in_path)
        key = next((text for text in shown if kind_of(text) is TokenKind.STREAM_KEY), None)
        if key is None:
            # An RTSP client sends what it has only once it is asked with a 401.
            raise UnauthorizedError(
                "No stream key (sk_ and 43 characters) was sent: as the password, the token, or ?key= in the address."
            )
        await media.publishing.admit(PublishRequest(key, body.path, body.id, body.protocol))
    elif body.action in ("read", "playback"):
        await media.viewing.admit(body.path, shown, address=body.ip)
    else:
        await media.viewing.admit_operator(shown)
    return Reply(models.Allowed())


async def webhook_ready(call: Call[Media, WebhookBody, NoQuery]) -> Reply:
    body = call.body
    _check(body)
    stream = await call.service.publishing.ready(
        body.path, connection_type=body.source_type, connection_id=body.source_id or None
    )
    return Reply(models.Ready(stream_id=stream.id, code=stream.code))


async def webhook_not_ready(call: Call[Media, WebhookBody, NoQuery]) -> Reply:
    body = call.body
    _check(body)
    stream = await call.service.publishing.not_ready(body.path, connection_id=body.source_id or None)
    ended = stream is not None and stream.interrupted_at is None
    return Reply(models.NotReady(ended=ended, grace_until=stream.grace_until if stream else None))


def _check(body: WebhookBody) -> None:
    # A hook's command line sends this if it is written in single quotes, or on a system without such a variable.
    for field in ("path", "source_type", "source_id"):
        if "$" in getattr(body, field):
            raise InvalidRequestError.of(field, "holds the name of a variable instead of its value: check the quotes")


def _shown(body: AuthBody) -> list[str]:
    """All that may be a key, in the order in which it counts."""
    query: dict[str, list[str]] = {}
    if body.query:
        with contextlib.suppress(ValueError):  # an unreadable query holds no key
            query = parse_qs(body.query, max_num_fields=50)
    found = [body.password, body.token, *(text for name in _QUERY_NAMES for text in query.get(name, ()))]
    return [text for text in found if text]
