"""Becoming what the installed service is: its user, its groups and its environment, as systemd tells them."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNIT: Final = "cast-agent.service"

ANSWER_TIMEOUT_S: Final = 5.0
"""systemd answers in milliseconds, also while it starts other things."""

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""The path that systemd gives its services (systemd.exec(5)), without /sbin and /bin, links to these on Debian."""

TERMINAL: Final = ("TERM", "COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR")
"""Variables of who asks that say how to tell it to them."""

_ASKED: Final = "LoadState,User,Group,SupplementaryGroups,Environment,StateDirectory,RuntimeDirectory,ExecStart"


@dataclass(frozen=True, slots=True)
class Service:
    """The installed service."""

    user: str
    group: str
    more_groups: tuple[str, ...]
    environment: Mapping[str, str]
    command: tuple[str, ...]
    """The command with its arguments."""

    @property
    def config(self) -> list[str]:
        """The arguments that name its configuration, if any do."""
        if "--config" not in self.command[:-1]:
            return []
        return ["--config", self.command[self.command.index("--config") + 1]]


def installed_service(shown: str | None = None) -> Service | None:
    """The service that runs this program; None if there is none. `shown` is the output of systemctl; without it systemd
    is asked."""
    told = dict(line.partition("=")[::2] for line in (_show() if shown is None else shown).splitlines())
    if told.get("LoadState") != "loaded" or not told.get("User"):
        return None
    argv = re.search(r"argv\[\]=(.*?) ; ", told.get("ExecStart", ""))
    command = tuple(shlex.split(argv[1])) if argv else ()
    if not command or Path(command[0]).resolve().parent != Path(sys.executable).absolute().parent:
        return None  # a checkout beside it, which the service's user may not even be able to read
    environment = dict(word.partition("=")[::2] for word in shlex.split(told.get("Environment", "")))
    for kind, root in (("State", "/var/lib"), ("Runtime", "/run")):
        if folders := told.get(f"{kind}Directory", "").split():
            environment[f"{kind.upper()}_DIRECTORY"] = ":".join(f"{root}/{folder}" for folder in folders)
    groups = tuple(told.get("SupplementaryGroups", "").split())
    return Service(told["User"], told.get("Group", ""), groups, environment, command)


def become(service: Service, arguments: Sequence[str]) -> None:
    """Run this program anew with these arguments, as the service would. For root. Returns only if there is no such user
    or group."""
    try:
        user = pwd.getpwnam(service.user)
        group = grp.getgrnam(service.group).gr_gid if service.group else user.pw_gid
        more = [grp.getgrnam(name).gr_gid for name in service.more_groups]
    except KeyError:  # then the service does not start either
        return
    os.setgroups([*os.getgrouplist(service.user, group), *more])
    os.setgid(group)
    os.setuid(user.pw_uid)
    os.chdir("/")
    usual = {"PATH": PATH, "HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell}
    kept = {name: os.environ[name] for name in TERMINAL if name in os.environ}
    command = [sys.executable, "-m", "agent.cli", *arguments]
    os.execve(command[0], command, {**usual, **kept, **service.environment})  # noqa: S606 - no shell is wanted


def _show() -> str:
    command = ["systemctl", "show", UNIT, f"--property={_ASKED}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S).stdout  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):  # no systemd here, or one that hangs
        return ""
