"""Becomes Chromium, bound to the daemon and confined, with a home of its own that nothing is kept in:

    python -I -S launch.py --parent PID --fd FD --folder PATH [--confine WORD ...] -- PROGRAM [ARGUMENT ...]

As `agent.player.launch`, and besides: Chromium reads its commands from descriptor 3 and writes to 4, which are FD then.
Its sandbox is a user namespace for each renderer, and it refuses to have one as root, so root becomes an ordinary user
first: in a user namespace, which leaves it the owner of what it owns.
"""

import json
import os
import resource
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))

from agent.player.confine import NONE, Confinement, confine
from agent.player.confine.display import require_display
from agent.player.confine.namespace import enter_user_namespace
from agent.player.launch import die_with
from cast_util.privileges import lower

READS, WRITES = 3, 4
"""The descriptors of `--remote-debugging-pipe`."""

MEMORY_LIMIT = 1000 * 1024 * 1024
"""Bytes of data in any one process: a start needs 320 MB, a large dashboard 450. A page that asks for more gets an
error, and the box keeps its memory."""

_EXTENSIONS = "extensions"
"""The folder of our extensions beside this file; its copy in the home has the same name."""

_PREFERENCES = {
    "autofill": {"credit_card_enabled": False, "profile_enabled": False},
    "credentials_enable_service": False,
    "payments": {"can_make_payment_enabled": False},
    "profile": {"password_manager_enabled": False},
}
"""What the browser would offer to people in bubbles over the page: to save passwords, addresses and cards."""

_ORDINARY = 1000
"""The id of the user in the namespace."""

_NO_SANDBOX = """\
Chromium's own sandbox needs user namespaces, which this system does not allow: sysctl user.max_user_namespaces, \
kernel.unprivileged_userns_clone=1 or (Ubuntu) kernel.apparmor_restrict_unprivileged_userns=0; in a systemd unit \
RestrictNamespaces=user mnt pid net."""


def main(arguments: list[str]) -> None:
    """Become the browser; never return. Raises ValueError for other arguments, OSError when the program cannot be
    executed."""
    rule = arguments.index("--")
    options, command = arguments[:rule], arguments[rule + 1 :]
    if options[:6:2] != ["--parent", "--fd", "--folder"] or not command:
        raise ValueError("usage: launch.py --parent PID --fd FD --folder PATH [--confine WORD ...] -- PROGRAM ...")
    parent, fd, folder = int(options[1]), int(options[3]), options[5]
    is_root = os.geteuid() == 0
    has_sandbox = _may_make_namespaces()
    if not has_sandbox and not is_root:
        print(_NO_SANDBOX, file=sys.stderr)
        sys.exit(1)
    home = _home(folder)
    if is_root and has_sandbox:
        _become_ordinary()
    die_with(parent)
    by = NONE
    if options[6:]:
        plan = Confinement.from_words(options[7:])
        plan.home = home
        by = confine(plan)
    if os.environ.get("DISPLAY"):
        require_display()
    else:  # it is only asked its version
        command.append("--headless")
    if not has_sandbox:
        command += ["--no-sandbox", "--test-type"]  # the latter keeps it from telling people so on the screen
    lower(resource.RLIMIT_DATA, MEMORY_LIMIT)
    _move_to(home)
    found = {"confinement": by, "sandbox": has_sandbox, "home": home, "extensions": f"{home}/{_EXTENSIONS}"}
    os.write(fd, json.dumps({"method": "launched", "params": found}).encode() + b"\0")
    for wanted in (READS, WRITES):
        os.dup2(fd, wanted)
    if fd not in (READS, WRITES):
        os.close(fd)
    os.execv(command[0], [*command, f"--user-data-dir={home}/profile"])  # noqa: S606 - that is what this file is for


def _home(folder: str) -> str:
    """Make a new folder for this process. Remove those of processes that are gone: a daemon that was killed leaves
    them."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.isdigit() and not os.path.exists(f"/proc/{name}"):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    home = os.path.join(folder, str(os.getpid()))
    shutil.rmtree(home, ignore_errors=True)
    os.mkdir(home, mode=0o700)
    os.makedirs(f"{home}/profile/Default", mode=0o700)
    with open(f"{home}/profile/Default/Preferences", "w", encoding="utf-8") as file:
        json.dump(_PREFERENCES, file)
    shutil.copytree(os.path.join(os.path.dirname(os.path.abspath(__file__)), _EXTENSIONS), f"{home}/{_EXTENSIONS}")
    return home


def _move_to(home: str) -> None:
    """Have Chromium keep all its files there. Hide the session bus: Chromium would wait for a wallet that nobody
    opens."""
    before = os.environ.get("HOME", "")
    os.environ.setdefault("XAUTHORITY", os.path.join(before, ".Xauthority"))
    _remember("PULSE_SERVER", os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), "pulse/native"))
    _remember("PULSE_COOKIE", os.path.join(before, ".config/pulse/cookie"))
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = home
    # The socket that it opens there must have a name of 107 characters at most, however long that of its home is.
    os.chdir(home)
    os.environ["TMPDIR"] = "/proc/self/cwd"
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"


def _remember(name: str, path: str) -> None:
    """Record the location of the sound server, which libpulse looks for in folders that are replaced."""
    if os.path.isabs(path) and os.path.exists(path):
        os.environ.setdefault(name, path)


def _may_make_namespaces() -> bool:
    child = os.fork()
    if child == 0:
        try:
            _become_ordinary()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _become_ordinary() -> None:
    enter_user_namespace(_ORDINARY, _ORDINARY)


if __name__ == "__main__":
    main(sys.argv[1:])
