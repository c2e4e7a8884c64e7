"""The calls about those who publish, and those of MediaMTX."""

from __future__ import annotations

from typing import Final

from central.core.models import PageQuery
from central.core.operations import PREFER, Access, Operation
from central.media import calls, models, publisher_calls

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "POST", "/broadcasters", publisher_calls.add_broadcaster, Access.ADMIN,
        "Somebody who publishes.",
        {201: models.Broadcaster}, (409,), body=models.BroadcasterBody,
    ),
    Operation(
        "GET", "/broadcasters", publisher_calls.list_broadcasters, Access.ADMIN,
        "Who may publish, the newest first.",
        {200: models.Broadcasters}, query=PageQuery,
    ),
    Operation(
        "GET", "/broadcasters/{id}", publisher_calls.get_broadcaster, Access.ADMIN,
        "One broadcaster.",
        {200: models.Broadcaster}, (404,),
    ),
    Operation(
        "PATCH", "/broadcasters/{id}", publisher_calls.change_broadcaster, Access.ADMIN,
        "Rename a broadcaster, or change its metadata.",
        {200: models.Broadcaster}, (404, 409), body=models.BroadcasterPatch,
    ),
    Operation(
        "DELETE", "/broadcasters/{id}", publisher_calls.delete_broadcaster, Access.ADMIN,
        "Delete a broadcaster with its keys; what it publishes ends.",
        {204: None}, (404,),
    ),
    Operation(
        "POST", "/stream-keys", publisher_calls.add_stream_key, Access.ADMIN,
        "A new stream key, told this once.",
        {201: models.NewStreamKey}, (404,), body=models.StreamKeyBody,
    ),
    Operation(
        "GET", "/stream-keys", publisher_calls.list_stream_keys, Access.ADMIN,
        "Stream keys without their values, the newest first.",
        {200: models.StreamKeys}, query=models.StreamKeysQuery,
    ),
    Operation(
        "GET", "/stream-keys/{id}", publisher_calls.get_stream_key, Access.ADMIN,
        "One stream key without its value.",
        {200: models.StreamKey}, (404,),
    ),
    Operation(
        "DELETE", "/stream-keys/{id}", publisher_calls.revoke_stream_key, Access.ADMIN,
        "Revoke a stream key; its stream ends, and its publisher is kicked.",
        {204: None, 200: models.StreamKey}, (404,), quiet=True, headers=(PREFER,),
    ),
    Operation(
        "POST", "/auth", calls.auth, Access.MEDIAMTX,
        "May this connection publish or view? MediaMTX's HTTP authentication.",
        {200: models.Allowed}, (429,), body=models.AuthBody,
    ),
    Operation(
        "POST", "/webhook/ready", calls.webhook_ready, Access.MEDIAMTX,
        "A path can be viewed from now on: its stream begins.",
        {204: None, 200: models.Ready}, (409,), body=models.WebhookBody, form=True, quiet=True, headers=(PREFER,),
    ),
    Operation(
        "POST", "/webhook/not-ready", calls.webhook_not_ready, Access.MEDIAMTX,
        "A path cannot be viewed any more: its stream waits for its publisher, and ends.",
        {204: None, 200: models.NotReady}, body=models.WebhookBody, form=True, quiet=True, headers=(PREFER,),
    ),
)  # fmt: skip
