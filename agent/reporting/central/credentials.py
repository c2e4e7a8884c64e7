"""The registration of this box with its central API: kept in the state directory, for this user alone, because it holds
a token."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agent.errors import AgentError
from agent.media.urls import check_central_url
from agent.util.files import write_whole
from cast_wire.models import DEVICE_TOKEN_PATTERN, Uuid

FILE: Final = "central.json"

PROPOSAL_FILE: Final = "central-proposal.json"
"""The file that exists only from the first try of an enrolment until it has worked."""

READ_LIMIT: Final = 16 * 1024
"""Bytes. The file has about 300."""


class EnrolmentError(AgentError):
    """The box cannot be registered, or the stored registration cannot be used; the text says what to do."""


class _Proposal(BaseModel):
    """The token that this box proposes, and to which central API."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    token: str = Field(pattern=DEVICE_TOKEN_PATTERN, repr=False)


class Credentials(BaseModel):
    """The credentials that the central API gave this box."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    url: Annotated[str, AfterValidator(check_central_url)]
    device_id: Uuid
    token: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", repr=False)
    name: str = ""
    """The name of the box at the central API."""
    confirmed: float = 0.0
    """The time (seconds since 1970) at which `enrol` last confirmed that the box is known there: an agent that was
    refused takes the stored credentials as new, and tries again at once."""


def read_enrolment(folder: Path) -> Credentials | None:
    """The enrolment that is kept in this state directory; None when there is none. Blocks. Raises EnrolmentError."""
    file = folder / FILE
    try:
        with file.open("rb") as stream:
            return Credentials.model_validate_json(stream.read(READ_LIMIT))
    except FileNotFoundError:
        return None
    except OSError as error:
        advice = "Run this as the user who runs cast-agent, or as root."
        raise EnrolmentError(f"{file} cannot be read ({error.strerror}). {advice}") from error
    except ValidationError:
        # `from None`: what is wrong with it would be shown with the token.
        raise EnrolmentError(f"{file} is damaged. Remove it, and run `cast-agent enrol` again.") from None


def keep_enrolment(folder: Path, enrolment: Credentials) -> None:
    """Keep it (0600), whole or not at all, in place of what was proposed. Makes the directory where there is none.
    Blocks. Raises EnrolmentError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(folder / FILE, enrolment.model_dump_json(indent=1) + "\n")
        (folder / PROPOSAL_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise EnrolmentError(_not_written(folder / FILE, error)) from error


def proposed_token(folder: Path, url: str) -> str:
    """The device token that this box proposes to the central API at `url`: the same one until it is registered there,
    so that an answer that was lost can be asked for again.

    It is kept (0600) before it is told to anybody. Makes the directory where there is none. Blocks. Raises
    EnrolmentError.
    """
    file = folder / PROPOSAL_FILE
    try:
        with contextlib.suppress(FileNotFoundError, ValidationError):  # a damaged one is made anew
            kept = _Proposal.model_validate_json(file.read_bytes()[:READ_LIMIT])
            if kept.url == url:
                return kept.token
        made = _Proposal(url=url, token=f"dt_{secrets.token_urlsafe(32)}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, made.model_dump_json() + "\n")
    except OSError as error:
        raise EnrolmentError(_not_written(file, error)) from error
    return made.token


def forget_enrolment(folder: Path) -> bool:
    """Delete the registration, so that nothing is reported any more. Return False if there was none. Blocks. Raises
    EnrolmentError."""
    try:
        (folder / FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise EnrolmentError(_not_written(folder / FILE, error)) from error
    return True


def _not_written(file: Path, error: OSError) -> str:
    return (
        f"{file} cannot be written ({error.strerror}). Run this as the user who runs cast-agent, or as root, "
        "and look whether the disk is full."
    )
