"""The identity of this box: an id that is made once and kept in the state directory, and a host name made of it."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.util.files import write_whole

_log = structlog.stdlib.get_logger(__name__)

MACHINE_ID = Path("/etc/machine-id")
_APPLICATION = uuid.UUID("6a2b1ac4-3b0f-4d6e-9d0e-3f5b8f7c2f1d")
"""Ours alone; made once, at random, and never changed."""

_FILE = "device-id"
_SET_ASIDE = "device-id.bad"
_READ_LIMIT = 256
"""Bytes. The file holds 37; whatever is longer is not ours."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The id of this device. `is_kept` is false if it would change with a restart."""

    id: str
    is_kept: bool = True


def identity(state_dir: Path, *, machine_id: Path = MACHINE_ID) -> Identity:
    """The UUID of this device: the one kept in `state_dir/device-id`, or a new one that is kept from now on.

    A file that holds anything else (torn by a power cut, or not ours) is set aside as `device-id.bad`. Makes the
    directory (0700) where there is none. Where nothing can be kept the id is derived from that of the machine, so that
    it is the same at the next start. Blocks for the file system, and never raises for what is there.
    """
    file = state_dir / _FILE
    try:
        kept = _read(file)
        if kept is not None:
            return Identity(kept)
        made = str(uuid.uuid4())
        keep(state_dir, made)
    except OSError as error:
        stand_in = _derived(machine_id)
        source = machine_id if stand_in else None
        _log.warning(
            "device_id_write_failed", file=str(file), reason=error.strerror, derived_from=source and str(source)
        )
        return Identity(stand_in or str(uuid.uuid4()), is_kept=False)
    _log.info("device_id_created", device_id=made, file=str(file))
    return Identity(made)


def keep(state_dir: Path, device_id: str) -> None:
    """Have this id at the next start. Blocks. Raises OSError."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(state_dir / _FILE, f"{device_id}\n")


def _derived(machine_id: Path) -> str | None:
    """A UUID for this machine that tells nobody its machine id, as sd_id128_get_machine_app_specific(3) makes it; None
    where it has none."""
    try:
        secret = bytes.fromhex(machine_id.read_text("ascii").strip())
    except (OSError, ValueError):  # "uninitialized" as well, on a first boot
        return None
    if len(secret) != 16:
        return None
    return str(uuid.UUID(bytes=hmac.digest(secret, _APPLICATION.bytes, "sha256")[:16], version=4))


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
    _log.warning("device_id_rejected", file=str(file), set_aside_as=str(aside))
    return None
