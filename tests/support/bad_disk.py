"""`python -m tests.support.bad_disk full|read-only FOLDER COMMAND...`, in a mount namespace of its own: the command
with a disk at FOLDER that takes nothing. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

SIZE = 1024 * 1024


def main(kind: str, folder: str, *command: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    if kind == "full":
        with contextlib.suppress(OSError), Path(folder, "fills-it").open("wb") as stream:
            while True:
                stream.write(bytes(4096))
                stream.flush()
    else:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
