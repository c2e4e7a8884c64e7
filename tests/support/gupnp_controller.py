"""A DLNA controller on the library of GNOME's, GUPnP: finds a renderer, sets its volume, and is told so.

Its bindings belong to the system's Python (Debian: python3-gi, gir1.2-gupnp-1.6), so this file runs as a program under
that one, and imports nothing of ours. `/usr/bin/python3 gupnp_controller.py INTERFACE` writes one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gi

gi.require_version("GSSDP", "1.6")
gi.require_version("GUPnP", "1.6")
from gi.repository import GSSDP, GLib, GObject, GUPnP  # noqa: E402

RENDERER = "urn:schemas-upnp-org:device:MediaRenderer:1"
CONTROL = "urn:schemas-upnp-org:service:RenderingControl:1"
VOLUME = 40

WITHIN_S = 10
"""Takes half a second, of which most is the wait for the answer to the search."""


class Controller:
    """`run()` returns once all has been seen, or after WITHIN_S; then `seen` has what was."""

    def __init__(self, interface: str) -> None:
        self.seen: dict[str, object] = {"events": 0}
        self._loop = GLib.MainLoop()
        self._service: Any = None
        context = GUPnP.Context.new_full(interface, None, 0, GSSDP.UDAVersion.VERSION_1_0)
        self._point = GUPnP.ControlPoint.new(context, RENDERER)
        self._point.connect("device-proxy-available", self._found)

    def run(self) -> None:
        self._point.set_active(True)
        GLib.timeout_add_seconds(WITHIN_S, self._loop.quit)
        self._loop.run()

    def _found(self, _point: object, device: Any) -> None:
        self.seen |= {"name": device.get_friendly_name(), "location": device.get_location()}
        self._service = device.get_service(CONTROL)
        self._service.add_notify("LastChange", GObject.TYPE_STRING, self._told)
        self._service.set_subscribed(True)

    def _told(self, _service: object, _name: str, value: str, *_: object) -> None:
        if self.seen["events"] == 0:  # how it is
            self.seen["events"] = 1
            self._service.call_action_async(_action("SetVolume", DesiredVolume=VOLUME), None, self._set)
        elif f'val="{VOLUME}"' in value:
            self.seen["events"] = 2
            self._service.call_action_async(_action("GetVolume"), None, self._got)

    def _set(self, service: Any, result: Any) -> None:
        service.call_action_finish(result)

    def _got(self, service: Any, result: Any) -> None:
        answer = service.call_action_finish(result)
        self.seen["volume"] = answer.get_result_list(["CurrentVolume"], [GObject.TYPE_INT])[1][0]
        self._loop.quit()


def _action(name: str, **arguments: int) -> Any:
    given = {"InstanceID": 0, "Channel": "Master", **arguments}
    values = [GObject.Value(type(value), value) for value in given.values()]
    return GUPnP.ServiceProxyAction.new_from_list(name, list(given), values)


if __name__ == "__main__":
    controller = Controller(sys.argv[1])
    controller.run()
    print(json.dumps(controller.seen))
