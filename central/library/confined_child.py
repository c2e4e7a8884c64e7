"""Becomes a program with nothing but one file, perhaps one folder to write to, the libraries of the system, and bounds:

    python -I -S confined_child.py PARENT LIMITS PROGRAM [ARGUMENT ...]

PARENT is the id of the process with which it ends, and LIMITS the JSON that `confined.Limits` makes. What was
uploaded may have been made to take the program over, so by then that reaches no other file and no network as far as
this kernel allows it, and runs out of memory, time and disk before anybody else does.
"""

import ctypes
import json
import os
import resource
import sys

FILES = 64
NOT_EXECUTED = 126
"""The exit code when the program, or its confinement, cannot be had."""

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
"""linux/sched.h."""

_SYSTEM = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache"]
_BEHIND = 10
"""Nice, for what makes something: whoever calls the service, and whoever waits for a check, is served first."""


def main(arguments: list[str]) -> None:
    """Returns by exception only: OSError when the program cannot be executed."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from cast_util import landlock, privileges

    limits, command = json.loads(arguments[1]), arguments[2:]
    if limits["writes"]:
        os.nice(_BEHIND)
    # A network without any interface, where this user may have one. Landlock, below, cuts off TCP alone.
    ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)
    privileges.lower(resource.RLIMIT_CORE, 0)
    privileges.lower(resource.RLIMIT_AS, limits["memory"])
    privileges.lower(resource.RLIMIT_CPU, limits["cpu_s"])
    privileges.lower(resource.RLIMIT_FSIZE, limits["file_size"])
    privileges.lower(resource.RLIMIT_NOFILE, FILES)
    privileges.no_new_privileges()
    if (abi := landlock.abi()) > 0:
        program = os.path.dirname(os.path.realpath(command[0]))
        grants = [
            (landlock.READ | landlock.RUN, [*_SYSTEM, program]),
            (landlock.READ, [limits["reads"]]),
            (landlock.OWN, [limits["writes"]] if limits["writes"] else []),
            (landlock.USE, ["/dev/null"]),
        ]
        landlock.restrict(grants, abi, network=False)
    privileges.drop_capabilities(keep=set())
    privileges.die_with_parent(int(arguments[0]))
    os.execv(command[0], command)  # noqa: S606 - that is what this file is for


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_EXECUTED)
