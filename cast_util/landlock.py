"""Landlock (Linux 5.13, and only where the kernel was started with it): the process gives up every file but some.

Source: linux/landlock.h and landlock(7). Three system calls through ctypes: the `landlock` package of PyPI is an
alpha version, knows nothing of newer ABIs than 5 (scopes), and every process would have to load it.
"""

from __future__ import annotations

import ctypes
import os
import stat

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""

_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_SOCK, _MAKE_SYM = 1 << 9, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1
_SCOPE_SIGNAL = 1 << 1

_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""The only ones that a rule for something else than a folder may hold."""

_CONNECT, _BIND = 1 << 1, 1 << 0

LOOK = _READ_DIR
READ = _READ_FILE | _READ_DIR
USE = READ | _WRITE_FILE | _IOCTL_DEV
RUN = _READ_FILE | _EXECUTE
OWN = READ | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _MAKE_DIR | _REMOVE_FILE | _REMOVE_DIR | _REFER
HOME = OWN | _MAKE_SOCK | _MAKE_SYM

Grants = list[tuple[int, list[str]]]
"""Rights, and the absolute paths that they are for; a folder stands for all that is in it."""


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """The version of Landlock in this kernel; 0 where there is none or it is switched off."""
    version: int = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(0, version)


def restrict(grants: Grants, abi: int, *, network: bool = True) -> None:
    """Restrict this thread, and all that it starts, to the granted files; without `network` it makes no TCP connection
    where that can be had (ABI 4). Raises OSError.

    A file that takes another's place (as resolv.conf does when the network changes) is another file: only players
    started after that can read it. Folders are granted with what comes to be in them.
    """
    handled = _rights(abi)
    net = 0 if network or abi < 4 else _CONNECT | _BIND
    # Signals to others are cut off. Abstract Unix sockets are not: libxcb asks for the X server's first (traced), and
    # by its source takes a refusal for the answer, which would leave no display; that was read, not tried.
    ruleset = _Ruleset(fs=handled, net=net, scoped=_SCOPE_SIGNAL if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    descriptor = _call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for rights, paths in grants:
            for path in paths:
                _allow(descriptor, path, rights & handled)
        _call(_RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _rights(abi: int) -> int:
    newer = ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
    return _FIRST_RIGHTS | sum(right for since, right in newer if abi >= since)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be granted
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_RIGHTS
        rule = _PathBeneath(rights=rights, parent=descriptor)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"system call {number}")
    return result
