"""Starts a player program that is not ours, bound to the daemon: `python -I -S launch.py --parent PID -- PROGRAM ...`

It becomes that program (exec), so there is one process, of one id. Every start of such a player waits for this file:
it imports next to nothing (25 ms, of which 11 are Python's own), and nothing of cast-agent, which `-I -S` hides.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
"""linux/prctl.h. The setting outlives exec, unless the program is set-uid."""


def main(arguments: list[str]) -> None:
    """Only returns by exception: OSError when the program cannot be executed."""
    name, parent, rule, *command = arguments
    if name != "--parent" or rule != "--" or not command:
        sys.exit("usage: launch.py --parent PID -- PROGRAM [ARGUMENT ...]")
    _die_with(int(parent))
    # What a player shall give up for good (files, privileges) is given up here: it stays so over exec.
    os.execvp(command[0], command)  # noqa: S606 - that is what this file is for


def _die_with(parent: int) -> None:
    """As `agent.player.channel.die_with_parent`."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
