"""The documents that callers read first: the description of the device, and of each service."""

from __future__ import annotations

import uuid
import zlib
from typing import Final

from agent.frontends.dlna.services import DEVICE_TYPE, SERVICES, Action, Service, Variable
from agent.frontends.dlna.xml import HEAD, elements
from agent.types import DeviceInfo

_NAMES: Final = uuid.UUID("0d0f4c0e-2a9b-4f57-9b62-5b3fd5a1f6ce")
"""Ours alone; made once, at random, and never changed."""

DESCRIPTION_PATH: Final = "/description.xml"


def unique_name(device: DeviceInfo) -> str:
    """The UDN. It is derived from the id of the device."""
    return f"uuid:{uuid.uuid5(_NAMES, device.id)}"


def server_name(device: DeviceInfo) -> str:
    """The value of the SERVER header: the system, the version of UPnP, and this program."""
    return f"Linux UPnP/1.0 cast-agent/{device.version}"


def config_id(device: DeviceInfo) -> int:
    """The CONFIGID.UPNP.ORG (0-16777215), which changes with the description, because callers cache what they have
    read."""
    return zlib.crc32(device_description(device, page="").encode()) & 0xFFFFFF


def device_description(device: DeviceInfo, *, page: str) -> str:
    """The device; `page` is the address of its page for people."""
    about = {
        "deviceType": DEVICE_TYPE,
        "friendlyName": f"{device.name} screen",
        "manufacturer": "cast-agent",
        "modelDescription": "Shows streams on the screen it is connected to",
        "modelName": "cast-agent",
        "modelNumber": device.version,
        "UDN": unique_name(device),
        "dlna:X_DLNADOC": "DMR-1.50",
        "presentationURL": page,
    }
    services = "".join(
        "<service>"
        + elements(
            {
                "serviceType": service.kind,
                "serviceId": f"urn:upnp-org:serviceId:{name}",
                "SCPDURL": f"/{name}.xml",
                "controlURL": f"/{name}/control",
                "eventSubURL": f"/{name}/event",
            }
        )
        + "</service>"
        for name, service in SERVICES.items()
    )
    return (
        f'{HEAD}<root xmlns="urn:schemas-upnp-org:device-1-0" xmlns:dlna="urn:schemas-dlna-org:device-1-0">{_VERSION}'
        f"<device>{elements(about)}<serviceList>{services}</serviceList></device></root>"
    )


def service_description(service: Service) -> str:
    """The actions and state variables of a service."""
    actions = "".join(_action(name, action) for name, action in service.actions.items())
    variables = "".join(_variable(name, variable) for name, variable in service.variables.items())
    return (
        f'{HEAD}<scpd xmlns="urn:schemas-upnp-org:service-1-0">{_VERSION}'
        f"<actionList>{actions}</actionList><serviceStateTable>{variables}</serviceStateTable></scpd>"
    )


_VERSION: Final = "<specVersion><major>1</major><minor>0</minor></specVersion>"


def _action(name: str, action: Action) -> str:
    sides = (("in", action.takes), ("out", action.gives))
    arguments = "".join(
        f"<argument>{elements({'name': argument, 'direction': side, 'relatedStateVariable': variable})}</argument>"
        for side, named in sides
        for argument, variable in named.items()
    )
    listed = f"<argumentList>{arguments}</argumentList>" if arguments else ""
    return f"<action>{elements({'name': name})}{listed}</action>"


def _variable(name: str, variable: Variable) -> str:
    allowed = ""
    if variable.values:
        values = elements(("allowedValue", value) for value in variable.values)
        allowed = f"<allowedValueList>{values}</allowedValueList>"
    elif variable.limits is not None:
        least, greatest = map(str, variable.limits)
        limits = elements({"minimum": least, "maximum": greatest, "step": "1"})
        allowed = f"<allowedValueRange>{limits}</allowedValueRange>"
    told = "yes" if variable.is_event else "no"
    return (
        f'<stateVariable sendEvents="{told}">{elements({"name": name, "dataType": variable.kind})}{allowed}'
        "</stateVariable>"
    )
