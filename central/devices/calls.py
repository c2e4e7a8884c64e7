"""Calls about boxes."""

from __future__ import annotations

from typing import Any

from cast_http.operations import NoQuery
from cast_wire import models as wire
from central.core.errors import InvalidRequestError
from central.core.operations import Call
from central.core.replies import Reply
from central.devices import models
from central.devices.boxes import Boxes
from central.devices.models import DeviceBody, DevicePatch, DevicesQuery, EventsQuery
from central.devices.repository import DeviceRecord
from central.devices.service import Devices
from central.streams.answers import answer_of
from central.streams.models import StreamBody


async def enrol_device(call: Call[Boxes, DeviceBody, NoQuery]) -> Reply:
    devices = call.service.devices
    device, token = await devices.enrol(call.caller, call.body)
    answer = wire.Enrolled(id=device.id, name=device.name, token=token, next_interval_s=devices.heartbeat_s)
    return Reply(answer, status=201, headers={"Location": f"/api/v1/devices/{device.id}"})


async def list_devices(call: Call[Boxes, None, DevicesQuery]) -> Reply:
    devices, query = call.service.devices, call.query
    page = await devices.page(online=query.online, cursor=query.cursor, limit=query.limit)
    items = [models.Device(**_fields(devices, record)) for record in page.items]
    return Reply(models.Devices(items=items, next_cursor=page.next_cursor))


async def get_device(call: Call[Boxes, None, NoQuery]) -> Reply:
    devices = call.service.devices
    return Reply(_detail(devices, await devices.get(call.caller, call.path["id"])))


async def change_device(call: Call[Boxes, DevicePatch, NoQuery]) -> Reply:
    devices = call.service.devices
    return Reply(_detail(devices, await devices.change(call.caller, call.path["id"], call.body.given())))


async def revoke_device(call: Call[Boxes, None, NoQuery]) -> Reply:
    await call.service.devices.revoke(call.path["id"])
    return Reply(status=204)


async def put_device_state(call: Call[Boxes, wire.State, NoQuery]) -> Reply:
    return Reply(await call.service.devices.put_state(call.caller, call.path["id"], call.body))


async def add_device_events(call: Call[Boxes, Any, NoQuery]) -> Reply:
    items = call.body.get("events") if isinstance(call.body, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= wire.EVENTS_LIMIT:
        raise InvalidRequestError.of("events", f"must be a list of 1 to {wire.EVENTS_LIMIT} events")
    return Reply(await call.service.devices.add_events(call.caller, call.path["id"], items))


async def list_device_events(call: Call[Boxes, None, EventsQuery]) -> Reply:
    query = call.query
    page = await call.service.devices.events(
        call.caller,
        call.path["id"],
        kind=query.kind,
        session_id=query.session_id,
        cursor=query.cursor,
        limit=query.limit,
    )
    names = models.Event.model_fields
    items = [models.Event(**{name: getattr(event, name) for name in names}) for event in page.items]
    return Reply(models.Events(items=items, next_cursor=page.next_cursor))


async def start_stream(call: Call[Boxes, StreamBody, NoQuery]) -> Reply:
    body, boxes = call.body, call.service
    values = {"url": body.url, "title": body.title, "quality": body.quality, "meta": body.metadata}
    stream, is_new = await boxes.own_streams.start(call.caller, body.device_id, values)
    headers = {"Location": f"/api/v1/streams/{stream.id}"}
    return Reply(answer_of(boxes.urls, stream), status=201 if is_new else 200, headers=headers)


def _detail(devices: Devices, record: DeviceRecord) -> models.DeviceDetail:
    state = record.state
    return models.DeviceDetail(
        **_fields(devices, record),
        state=state.state if state else None,
        state_received_at=state.received_at if state else None,
    )


def _fields(devices: Devices, record: DeviceRecord) -> dict[str, Any]:
    device, said = record.device, record.state.state if record.state else {}
    stream = said.get("stream")
    on = {name: stream.get(name) for name in models.OnScreen.model_fields} if stream else None
    return {
        "id": device.id,
        "name": device.name,
        "online": devices.is_online(device),
        "last_seen": device.last_seen,
        "created_at": device.created_at,
        "updated_at": device.updated_at or device.created_at,
        "agent_version": device.agent_version,
        "status": said.get("status"),
        "on": on,
        "stream_id": record.stream_id,
        "code": record.stream_code,
        "metadata": device.meta,
    }
