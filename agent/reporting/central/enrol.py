"""Registering this box with a central API."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent import __version__
from agent.media.urls import check_central_url
from agent.reporting.central.client import CentralClient
from agent.reporting.central.credentials import (
    Credentials,
    EnrolmentError,
    keep_enrolment,
    proposed_token,
    read_enrolment,
)
from agent.reporting.http.errors import CallFailedError, Trouble
from agent.reporting.http.resolver import FindLocal
from agent.util.threads import in_thread
from cast_wire import models as wire

PLAIN_HTTP_WARNING: Final = (
    "http:// is not encrypted: anyone who can listen on the network between this box and {host} can read the box's "
    "token, and report in its name. Use https:// where you can."
)


@dataclass(frozen=True, slots=True)
class Registration:
    """The outcome of a registration."""

    enrolment: Credentials
    is_new: bool
    """False: the box was registered there already, and the central API knows it still."""
    warning: str | None = None
    """A warning for the person who enrolled the box."""


async def enrol(
    central: str, token: str, *, folder: Path, name: str, find_local: FindLocal | None = None
) -> Registration:
    """Register this box at the address `central` with an enrolment token, and keep what it is given in the state
    directory `folder`. An agent that runs takes it up within seconds.

    A box that is registered there already, and still known, stays who it is, and the token is not used; nor is it used
    twice by a box that did not hear the answer the first time.
    Raises EnrolmentError: a sentence for a person.
    """
    try:
        url = check_central_url(central)
    except ValueError as error:
        raise EnrolmentError(f"The address of the central API {error}.") from None
    warning = warning_about(url)
    if (known := await _known(url, folder, find_local)) is not None:
        confirmed = known.model_copy(update={"confirmed": time.time()})
        await in_thread(lambda: keep_enrolment(folder, confirmed), name="enrolment")
        return Registration(confirmed, is_new=False, warning=warning)
    proposed = await in_thread(lambda: proposed_token(folder, url), name="enrolment")
    client = CentralClient(url, token, agent_version=__version__, find_local=find_local)
    try:
        answer = await client.enrol(wire.Enrolment(name=name, agent_version=__version__, token=proposed))
    except CallFailedError as error:
        raise EnrolmentError(_why(error)) from error
    finally:
        await client.close()
    enrolment = Credentials(url=url, device_id=answer.id, token=answer.token, name=answer.name)
    await in_thread(lambda: keep_enrolment(folder, enrolment), name="enrolment")
    return Registration(enrolment, is_new=True, warning=warning)


def enrol_now(
    central: str, token: str, *, folder: Path, name: str, find_local: FindLocal | None = None
) -> Registration:
    """Like `enrol`, for a command."""
    return asyncio.run(enrol(central, token, folder=folder, name=name, find_local=find_local))


def warning_about(url: str) -> str | None:
    """A warning about the danger of this address; None if there is none."""
    host = urlsplit(url).hostname or ""
    if url.startswith("https:") or host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    return PLAIN_HTTP_WARNING.format(host=host)


async def _known(url: str, folder: Path, find_local: FindLocal | None) -> Credentials | None:
    kept = await in_thread(lambda: _read(folder), name="enrolment")
    if kept is None or kept.url != url:
        return None
    client = CentralClient(url, kept.token, agent_version=__version__, find_local=find_local)
    try:
        device = await client.device(kept.device_id)
    except CallFailedError as error:
        if error.trouble in (Trouble.REFUSED, Trouble.GONE):
            return None
        raise EnrolmentError(str(error)) from error
    finally:
        await client.close()
    return kept.model_copy(update={"name": device.name})


def _read(folder: Path) -> Credentials | None:
    try:
        return read_enrolment(folder)
    except EnrolmentError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        return None  # it is damaged, and is about to be replaced


def _why(error: CallFailedError) -> str:
    if error.trouble is Trouble.REFUSED:
        return (
            "The central API rejects the enrolment token: it is used up, has expired, or is not one of that API. "
            "Make another there: cast-central enrol"
        )
    return str(error)
