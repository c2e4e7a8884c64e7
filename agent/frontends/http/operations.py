"""Every call of the agent: the router and the OpenAPI document are made of this table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from agent.frontends.http import (
    cache,
    controls,
    events,
    hooks,
    metrics,
    openapi,
    preset_responses,
    presets,
    remote_page,
    requests,
    responses,
    sessions,
    sign_in,
    snapshots,
)
from agent.frontends.http import status as looking
from agent.frontends.http.guard import Access
from agent.frontends.http.health import Alive, HealthAnswer
from cast_http.operations import Link
from cast_http.operations import Operation as BaseOperation
from cast_http.page_files import MEDIA_TYPES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


CALL_TIMEOUT_S: Final = 30.0
"""The time of a call. A body may take 10 s of it, and everything that a call waits for has a shorter bound of its
own."""

SECRET_LIMIT: Final = 4096
"""Bytes of a body from anybody at all, who may send a key or a token and nothing else."""


@dataclass(frozen=True, slots=True)
class Operation(BaseOperation[Handler, Access]):
    """One method of one path."""

    timeout_s: float | None = CALL_TIMEOUT_S
    """Seconds from the headers to the reply, with the body; None: what is sent goes on until the caller has gone."""


_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that the caller knows: 409 when the preset is another one now.",
    "schema": {"type": "string", "maxLength": 100},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what the caller has: 304 when it is still the same.",
    "schema": {"type": "string", "maxLength": 100},
}
_LAST_EVENT_ID: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The id of the last event that the caller has: what it missed comes first.",
    "schema": {"type": "string", "maxLength": 100},
}

_TO_A_SESSION: Final = tuple(Link(call, body={"session_id": "session_id"}) for call in ("start", "stop"))
_PRESET: Final = {"path.id": "id", "header.If-Match": "etag"}
_TO_A_PRESET: Final = (
    Link("start", body={"preset": "id"}),
    Link("change_preset", _PRESET),
    Link("remove_preset", _PRESET),
)

_MEDIA: Final = (502, 504)
"""The answers when the media or a player failed while the caller waited."""

_HOOK_ERRORS: Final = (404, 409, 429, 501, 503, 504, 507)

OPERATIONS: Final = (
    Operation(
        "POST", "/start", sessions.start, Access.KEY,
        "Put a stream on the screen, or change the session of a given id.",
        {200: responses.Started}, (404, 409, 501, 503, 507, *_MEDIA),
        body=requests.StartBody, query=requests.StartQuery, links=_TO_A_SESSION,
        timeout_s=requests.WAIT_LIMIT_S + CALL_TIMEOUT_S,
    ),
    Operation(
        "POST", "/stop", sessions.stop, Access.KEY,
        "End what is on, one session, or everything. Succeeds when nothing was on, too.",
        {200: responses.Stopped}, (503, 504), body=requests.StopBody, body_required=False,
    ),
    Operation(
        "POST", "/pause", controls.pause, Access.KEY,
        "Pause what is on.",
        {200: responses.Controlled}, (409, 503, 504), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "POST", "/resume", controls.resume, Access.KEY,
        "Resume what is on.",
        {200: responses.Controlled}, (409, 503, 504), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "POST", "/reload", controls.reload, Access.KEY,
        "Load the current web page again, unseen.",
        {200: responses.Controlled}, (409,), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "POST", "/seek", controls.seek, Access.KEY,
        "Continue what is on at another position.",
        {200: responses.Controlled}, (409, 503, 504), body=requests.SeekBody,
    ),
    Operation(
        "POST", "/volume", controls.volume, Access.KEY,
        "Set the volume of the device, or mute it. Works when nothing is on, too.",
        {200: responses.VolumeSet}, (503, 504), body=requests.VolumeBody,
    ),
    Operation(
        "POST", "/screen", controls.screen, Access.KEY,
        "Switch the screen on, or end everything and switch it off.",
        {200: responses.ScreenSet}, (501, 503), body=requests.ScreenBody,
    ),
    Operation(
        "GET", "/presets", presets.list_presets, Access.KEY,
        "All presets. One that cannot be played has a problem.",
        {200: preset_responses.PresetsAnswer}, (507,),
    ),
    Operation(
        "POST", "/presets", presets.add_preset, Access.KEY,
        "Save a preset.",
        {201: preset_responses.PresetAnswer}, (404, 409, 507), body=requests.NewPreset, links=_TO_A_PRESET,
    ),
    Operation(
        "PATCH", "/presets/{id}", presets.change_preset, Access.KEY,
        "Change the given fields of a saved preset; null removes one.",
        {200: preset_responses.PresetAnswer}, (403, 404, 409, 507), body=requests.PresetPatch, headers=(_IF_MATCH,),
        links=_TO_A_PRESET,
    ),
    Operation(
        "DELETE", "/presets/{id}", presets.remove_preset, Access.KEY,
        "Delete a saved preset.",
        {200: responses.Done}, (403, 404, 409, 507), body=requests.NoBody, body_required=False, headers=(_IF_MATCH,),
    ),
    Operation(
        "GET", "/recent", presets.list_recent, Access.KEY,
        "What was played lately, the newest first.",
        {200: preset_responses.RecentAnswer}, (507,),
    ),
    Operation(
        "DELETE", "/recent", presets.clear_recent, Access.KEY,
        "Forget what was played lately.",
        {200: responses.Done}, (507,), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "GET", "/cache", cache.list_cache, Access.KEY,
        "The videos of the central API's library that this box keeps.",
        {200: cache.CacheAnswer}, (507,),
    ),
    Operation(
        "DELETE", "/cache", cache.clear_cache, Access.KEY,
        "Remove all kept videos. One that is on goes on.",
        {200: cache.CacheCleared}, (507,), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "DELETE", "/cache/{id}", cache.clear_cache, Access.KEY,
        "Remove one kept video. Succeeds when it was not kept, too.",
        {200: cache.CacheCleared}, (507,), body=requests.NoBody, body_required=False, alias="remove_cached",
    ),
    Operation(
        "GET", "/hook/{secret:.*}", hooks.call_hook, Access.HOOK,
        "Do what the hook is for. A link preview or a prefetching browser is answered 501 and does nothing.",
        {200: responses.HookDone}, _HOOK_ERRORS, query=requests.HookQuery, alias="call_hook",
    ),
    Operation(
        "POST", "/hook/{secret:.*}", hooks.call_hook, Access.HOOK,
        "Do what the hook is for. The body is ignored.",
        {200: responses.HookDone}, _HOOK_ERRORS, query=requests.HookQuery, alias="post_hook",
    ),
    Operation(
        "GET", "/status", looking.status, Access.KEY,
        "What is on, what waits, and what ended last.",
        {200: responses.StatusAnswer},
    ),
    Operation(
        "GET", "/events", events.events, Access.KEY,
        "Changes as server-sent events: a snapshot first, then one message for each change.",
        {200: "text/event-stream"}, (503,), headers=(_LAST_EVENT_ID,), timeout_s=None,
    ),
    Operation(
        "GET", "/snapshot", snapshots.snapshot, Access.KEY,
        "A picture of the screen.",
        {200: "image/png, image/jpeg", 304: None}, (503,),
        query=snapshots.SnapshotQuery, headers=(_IF_NONE_MATCH,),
    ),
    Operation(
        "GET", "/health", looking.health, Access.KEY,
        "Whether a start would work, and what to do when it would not. Answers 200 in both cases.",
        {200: HealthAnswer},
    ),
    Operation(
        "GET", "/health/live", looking.live, Access.OPEN,
        "Answers while the event loop turns.",
        {200: Alive},
    ),
    Operation(
        "GET", "/metrics", metrics.metrics, Access.LOCAL,
        "Numbers for Prometheus.",
        {200: "application/openmetrics-text"},
    ),
    Operation(
        "GET", "/settings", looking.settings, Access.KEY,
        "The settings in force that a reload can change.",
        {200: responses.SettingsAnswer},
    ),
    Operation(
        "GET", "/session", sign_in.session, Access.KEY,
        "As whom the caller is signed in.",
        {200: responses.SessionAnswer},
    ),
    Operation(
        "POST", "/session", sign_in.sign_in, Access.OPEN,
        "Sign the page on this device in: a key of its own, in a cookie, in return for a key.",
        {200: responses.SignedIn}, (401, 429, 507), body=requests.SignInBody, body_limit=SECRET_LIMIT,
    ),
    Operation(
        "DELETE", "/session", sign_in.sign_out, Access.KEY,
        "Sign the page on this device out: its key is revoked.",
        {200: responses.SignedIn}, (507,), body=requests.NoBody, body_required=False,
    ),
    Operation(
        "GET", "/", remote_page.page, Access.OPEN,
        "The page, a remote for this box.",
        {200: "text/html", 304: None}, headers=(_IF_NONE_MATCH,),
    ),
    Operation(
        "GET", "/pair", remote_page.page, Access.OPEN,
        "The page, which asks whether this device is to be paired.",
        {200: "text/html", 304: None}, headers=(_IF_NONE_MATCH,), alias="pairing_page",
    ),
    Operation(
        "POST", "/pair", sign_in.pair, Access.OPEN,
        "Sign the page on this device in, with the token of a pairing link.",
        {200: responses.SignedIn}, (401, 429, 507), body=requests.PairBody, body_limit=SECRET_LIMIT,
    ),
    Operation(
        "GET", "/page/{name}", remote_page.page_file, Access.OPEN,
        "A file that the page is made of.",
        {200: ", ".join(MEDIA_TYPES), 304: None}, (404,), headers=(_IF_NONE_MATCH,),
    ),
    Operation(
        "GET", "/openapi.json", openapi.openapi, Access.OPEN,
        "The description of all calls, which is this document.",
        {200: "application/json"},
    ),
)  # fmt: skip
