"""Becomes a program that may make no namespaces: `python -m tests.support.without_namespaces PROGRAM [ARGUMENT ...]`.

As systemd's RestrictNamespaces= does it: a seccomp filter answers unshare(2) with EPERM, in whatever it starts, too.
Source: seccomp(2), linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from pathlib import Path

_UNSHARE = {"x86_64": 272, "aarch64": 97, "armv7l": 337}
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD_NUMBER, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def wrapper(folder: Path) -> str:
    """A program that is this Python, without namespaces."""
    program = folder / "python-without-namespaces"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {__name__} {sys.executable} "$@"\n')
    program.chmod(0o755)
    return str(program)


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("then", ctypes.c_uint8), ("else_", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def forbid() -> None:
    """Forbid namespaces to this process and all that it starts, for good. Raises OSError, and KeyError on an unknown
    processor."""
    instructions = (_Instruction * 4)(
        _Instruction(_LOAD_NUMBER, 0, 0, 0),
        _Instruction(_IF_EQUAL, 0, 1, _UNSHARE[platform.machine()]),
        _Instruction(_RETURN, 0, 0, _ERRNO | errno.EPERM),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    )
    program = _Program(4, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    forbid()
    os.execv(sys.argv[1], sys.argv[1:])
