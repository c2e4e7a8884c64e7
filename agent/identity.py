"""Who this box is: an id that is made once and kept in the state directory, and a host name made of it."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import structlog

from agent.errors import ConfigError
from agent.files import write_whole

_log = structlog.stdlib.get_logger(__name__)

_FILE = "device-id"
_SET_ASIDE = "device-id.bad"
_READ_LIMIT = 256
"""Bytes. The file holds 37; whatever is longer is not ours."""


def device_id(state_dir: Path) -> str:
    """The UUID of this device: the one kept in `state_dir/device-id`, or a new one that is kept from now on.

    A file that holds anything else (torn by a power cut, or not ours) is set aside as `device-id.bad`. Makes the
    directory (0700) where there is none. Blocks for the file system. Raises ConfigError when the id cannot be
    read or kept.
    """
    file = state_dir / _FILE
    try:
        kept = _read(file)
        if kept is not None:
            return kept
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = str(uuid.uuid4())
        write_whole(file, f"{made}\n")
    except OSError as error:
        raise ConfigError(
            f"The state directory {state_dir} cannot be used ({error.strerror}). Let the user who runs cast-agent "
            "write to it, or set dir in the section [state] of the configuration to a directory that it may write to."
        ) from error
    _log.info("device_id_made", device_id=made, file=str(file))
    return made


def host_name(device_id: str) -> str:
    """The name of this box on the LAN, in `.local`: nobody else's, the same after a rename, and for any id valid."""
    return f"cast-agent-{hashlib.sha256(device_id.encode()).hexdigest()[:12]}.local"


def _read(file: Path) -> str | None:
    """The id in the file; None when there is no file, or when it was bad and is set aside now."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_READ_LIMIT)
    except FileNotFoundError:
        return None
    try:
        text = content.decode("ascii").strip()
        if text == str(uuid.UUID(text)):
            return text
    except ValueError:
        pass  # neither ASCII nor a UUID: bad, as is one that is not in its canonical form
    aside = file.with_name(_SET_ASIDE)
    file.replace(aside)
    _log.warning("device_id_bad", file=str(file), set_aside_as=str(aside))
    return None
