"""Calls and their answers as SOAP has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agent.frontends.dlna.errors import INVALID_ACTION, INVALID_ARGUMENTS, UpnpError
from agent.frontends.dlna.services import Service
from agent.frontends.dlna.xml import HEAD, XmlError, elements, local_name, parse

_ACTION: Final = re.compile(r'"?([^"#\s]{1,100})#([A-Za-z]{1,64})"?', re.ASCII)


def action_of(header: str, service: Service) -> str:
    """The action that the header SOAPACTION names. No page in a browser can send that header to us unasked. Raises
    UpnpError."""
    match = _ACTION.fullmatch(header.strip())
    if match is None or match[1] != service.kind:
        raise UpnpError(INVALID_ACTION, f'The header SOAPACTION must be "{service.kind}#" and an action.')
    return match[2]


def arguments_of(body: bytes, action: str) -> Mapping[str, str]:
    """The arguments of a call. Raises UpnpError."""
    try:
        envelope = parse(body)
    except XmlError as error:
        raise UpnpError(INVALID_ARGUMENTS, str(error)) from error
    called = next((each for part in envelope if local_name(part) == "Body" for each in part), None)
    if called is None or local_name(called) != action:
        raise UpnpError(INVALID_ARGUMENTS, "The body must be a SOAP envelope with the action of the header in it.")
    return {local_name(argument): argument.text or "" for argument in called}


def answer(service: Service, action: str, gives: Mapping[str, str]) -> str:
    """The answer of an action that was done."""
    return _envelope(f'<u:{action}Response xmlns:u="{service.kind}">{elements(gives)}</u:{action}Response>')


def fault(error: UpnpError) -> str:
    """The answer to a call that failed."""
    detail = elements({"errorCode": str(error.code), "errorDescription": str(error)})
    return _envelope(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
        f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0">{detail}</UPnPError></detail></s:Fault>'
    )


def _envelope(content: str) -> str:
    return (
        f'{HEAD}<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{content}</s:Body></s:Envelope>'
    )
