"""One call from the socket to the service and back: who is it, what does it want, and the answer as bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from cast_http.limits import in_time, limit_body
from cast_http.negotiate import has_already, preference
from central.core.errors import MissingError
from central.core.http.body import query_of, read_form, read_json, read_raw, upload_of, validated
from central.core.http.guard import Guard
from central.core.http.live import Live
from central.core.http.middleware import CALLER, OPERATION
from central.core.ids import ID_PATTERN
from central.core.operations import Call, Operation
from central.core.replies import AnyReply, Reply
from central.core.shared import Shared

Answered = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""

_ID = re.compile(ID_PATTERN)


class Endpoint:
    """Serves one operation."""

    def __init__(
        self, operation: Operation, service: object, guard: Guard, shared: Shared[Answered], live: Live
    ) -> None:
        self._operation = operation
        self._service = service
        self._guard = guard
        self._shared = shared
        self._live = live

    async def serve(self, request: web.Request) -> web.StreamResponse:
        operation = self._operation
        request[OPERATION] = operation.name
        caller = await self._guard.admit(request, operation.access)
        request[CALLER] = f"{caller.role} {caller.id}".strip()  # no name: a box chooses its own
        if "id" in request.match_info and not _ID.fullmatch(request.match_info["id"]):
            raise MissingError("There is nothing with this id. Ids are like 01a1fd12-eb6c-748a-a719-cf4ecab6bccb.")
        given = query_of(request)
        if (other := operation.other_type) and preference(request, other) > preference(request, "application/json"):
            given.setdefault("format", other.rpartition("/")[2])
        query = validated(operation.query, given, what="query")
        call = Call(
            service=self._service,
            caller=caller,
            address=self._guard.address(request),
            is_secure=self._guard.is_secure(request),
            path=request.match_info,
            body=await self._body(request),
            query=query,
        )

        async def answer() -> Answered:
            reply = await self._reply(call)
            assert isinstance(reply, Reply), f"{operation.name}: what is shared is whole"
            return _rendered(reply)

        if operation.shared:
            whose = "" if caller.is_admin else caller.id
            key = (operation.name, tuple(request.match_info.values()), query, caller.role, whose)
            status, body, headers = await self._shared.ask(key, answer)
        else:
            reply = await self._reply(call)
            if not isinstance(reply, Reply):
                return await self._live.serve(
                    request,
                    reply,
                    lambda: self._guard.admit(request, operation.access),
                    message_limit=operation.body_limit,
                )
            if operation.quiet and not _prefers_all(request):
                reply = Reply(status=204)
            if reply.tag:
                reply = _tagged(request, reply)
            status, body, headers = _rendered(reply)
        return web.Response(status=status, body=body or None, headers=headers)

    async def _body(self, request: web.Request) -> object:
        operation = self._operation
        if operation.upload:
            return upload_of(request)
        if operation.body is None:
            return None
        limit_body(request, operation)
        if operation.raw:
            return await read_raw(request)
        read = read_form if operation.form else read_json
        return validated(operation.body, await read(request))

    async def _reply(self, call: Call[Any, Any, Any]) -> AnyReply:
        return await in_time(self._operation, self._operation.handler(call))


def _prefers_all(request: web.Request) -> bool:
    told = ",".join(request.headers.getall("Prefer", ())).lower()
    return "return=representation" in re.split(r"[,;\s]+", told)


def _tagged(request: web.Request, reply: Reply) -> Reply:
    """The reply with its entity tag, and without its text for a caller that has that already."""
    tagged = replace(reply, headers={**reply.headers, "ETag": f'"{reply.tag}"'})
    return replace(tagged, status=304, text="") if has_already(request, reply.tag) else tagged


def _rendered(reply: Reply) -> Answered:
    body = _encoded(reply)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers}
    if body:
        headers["Content-Type"] = f"{reply.content_type}; charset=utf-8"
    return reply.status, body, headers


def _encoded(reply: Reply) -> bytes:
    if reply.model is None:
        return reply.text.encode()
    if isinstance(reply.model, BaseModel):
        return reply.model.model_dump_json().encode()
    # A third of pydantic's time for it, in the same form.
    return orjson.dumps(reply.model, default=to_jsonable_python, option=orjson.OPT_UTC_Z)
