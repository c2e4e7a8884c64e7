"""Starts a player program that is not ours, bound to the daemon and confined:

    python -I -S launch.py --parent PID --fd FD [--confine WORD ...] -- PROGRAM [ARGUMENT ...]

It becomes that program (exec), so there is one process, of one id; the program inherits FD, a socket, on which this
file says one line before. Every start of such a player waits for it, so it imports next to nothing (10-15 ms, most of
them Python's own); `-I -S` keep site-packages, the environment and the working directory out.
"""

import ctypes
import json
import os
import sys

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
"""linux/prctl.h. The setting outlives exec, unless the program is set-uid."""


def main(arguments: list[str]) -> None:
    """Returns by exception only: ValueError for other arguments, OSError when the program cannot be executed."""
    rule = arguments.index("--")
    options, command = arguments[:rule], arguments[rule + 1 :]
    if options[:4:2] != ["--parent", "--fd"] or not command:
        raise ValueError("usage: launch.py --parent PID --fd FD [--confine WORD ...] -- PROGRAM [ARGUMENT ...]")
    die_with(int(options[1]))
    if options[4:]:
        by = _confine(options[5:])
        os.write(int(options[3]), json.dumps({"event": "confined", "by": by}).encode() + b"\n")
    os.execv(command[0], command)  # noqa: S606 - that is what this file is for


def die_with(parent: int) -> None:
    """Like `cast_util.privileges.die_with_parent`, whose imports would take longer."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)


def _confine(words: list[str]) -> str:
    """Give up access for good, also over exec; the ways in which the program is confined. Ends a process that could not
    open its display afterwards."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from agent.player.confine import Confinement, confine
    from agent.player.confine.display import require_display

    by = confine(Confinement.from_words(words))
    require_display()
    return by


if __name__ == "__main__":
    main(sys.argv[1:])
