"""The privileges of a process besides opening files, of which those that playing never needs are given up, and the
parent with which it ends."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

DAC_READ_SEARCH = 2
"""CAP_DAC_READ_SEARCH: read whatever the permissions of a file say."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
"""The kernel answers EINVAL past the last that it knows (40 in Linux 6)."""

_OPEN_FILES = 1024
"""A player with an adaptive stream holds some 40."""
_PROCESSES = 4096
"""Counted for the user, threads included: a desktop's session has some 1,000."""


def limit_resources() -> None:
    """No core dumps (they hold credentials), and bounds on files and processes. Never raises."""
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    lower(resource.RLIMIT_NPROC, _PROCESSES)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, however it ends. It outlives exec, and
    not a change of credentials."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the line above
        os._exit(0)


def no_new_privileges() -> None:
    """Prevent programs that are run from now on, setuid programs included, from gaining privileges. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "PR_SET_NO_NEW_PRIVS")


def drop_capabilities(*, keep: set[int]) -> None:
    """Give up every capability but those of `keep` that are held. Says on stderr when that fails; never raises."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in keep and libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # past the last one, or without the right to, and then there is hardly anything to drop
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same for capabilities from 32 on
    if libc.capget(header, sets) == 0:
        mask = sum(1 << capability for capability in keep)
        held = [sets[0] & mask, sets[1] & mask, 0]
        if libc.capset(header, (ctypes.c_uint32 * 6)(*held, 0, 0, 0)) == 0:
            return
    print(f"Capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}", file=sys.stderr)


def lower(kind: int, limit: int) -> None:
    """Bound a resource, `kind` of the module `resource`, for good. Never raises it."""
    _, hard = resource.getrlimit(kind)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))
