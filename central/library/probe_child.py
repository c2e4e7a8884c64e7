"""Becomes ffprobe with nothing but one file, the libraries of the system, and bounds:

    python -I -S probe_child.py FILE PROGRAM [ARGUMENT ...]

What was uploaded may have been made to take the program over, so by then that reaches no other file and no network as
far as this kernel allows it, and runs out of memory and time before anybody else does.
"""

import ctypes
import os
import resource
import sys

MEMORY_BYTES = 1024 * 1024 * 1024
"""Of addresses: the libraries take some 300 MB of them, a frame of 8K 50 MB."""
CPU_S = 20
"""A film of hours takes less than one."""
FILES = 64
NOT_EXECUTED = 126
"""The exit code when the program, or its confinement, cannot be had."""

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
"""linux/sched.h."""

_SYSTEM = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache"]


def main(arguments: list[str]) -> None:
    """Returns by exception only: OSError when the program cannot be executed."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from cast_util import landlock, privileges

    file, *command = arguments
    # A network without any interface, where this user may have one. Landlock, below, cuts off TCP alone.
    ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)
    privileges.lower(resource.RLIMIT_CORE, 0)
    privileges.lower(resource.RLIMIT_AS, MEMORY_BYTES)
    privileges.lower(resource.RLIMIT_CPU, CPU_S)
    privileges.lower(resource.RLIMIT_FSIZE, 0)
    privileges.lower(resource.RLIMIT_NOFILE, FILES)
    privileges.no_new_privileges()
    if (abi := landlock.abi()) > 0:
        program = os.path.dirname(os.path.realpath(command[0]))
        grants = [
            (landlock.READ | landlock.RUN, [*_SYSTEM, program]),
            (landlock.READ, [file]),
            (landlock.USE, ["/dev/null"]),
        ]
        landlock.restrict(grants, abi, network=False)
    privileges.drop_capabilities(keep=set())
    os.execv(command[0], command)  # noqa: S606 - that is what this file is for


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_EXECUTED)
