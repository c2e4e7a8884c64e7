"""Confinement of a player process: it reaches the files that playing needs, and the media folders, and nothing else.

A stream may redirect to `file:///etc/passwd`, and hostile media may take the decoder over; neither may get at more
than a player needs. Both means bind only the thread that asks for them and what that starts, so `confine` is called
while the process has one thread: in a `vlc` player before libVLC's instance is made, in an exec'd player before exec.

The network stays open, because streams come from there. So do Unix sockets that can be reached by path under
Landlock (its ABI cannot limit `connect` before version 9), such as D-Bus: a URL cannot name them, native code could.

A player that is not Python waits for this before it starts, so this folder imports next to nothing: without
dataclasses, json, pathlib, glob and their like it takes 5 ms instead of 30.
"""

from __future__ import annotations

import os
import sys

from agent.player.confine import namespace
from agent.player.confine.reach import Reach, readable
from cast_util import landlock, privileges

NONE = "none"
"""The answer of `confine` where nothing keeps the process from other files."""

_WITHOUT = "CONFINE_WITHOUT"
"""An environment variable for tests only: means that are treated as missing, with commas: `landlock,namespace`."""


class Confinement:
    """The daemon's decisions about the reach of a player. Everything else follows from the machine."""

    __slots__ = ("folder", "home", "kept", "media_folders", "programs")

    def __init__(
        self,
        *,
        folder: str,
        media_folders: tuple[str, ...] = (),
        kept: str = "",
        programs: tuple[str, ...] = (),
        home: str = "",
    ) -> None:
        """All absolute. `folder`: the players' own, made when missing; only its `cache` can be written to.
        `media_folders`: read only. `kept`: the agent's own media folder, on the disk of `folder`. `programs`: what it
        may run; a `vlc` player runs nothing. `home`: a folder that is there, for a program that keeps files, links and
        sockets of its own, and has a sandbox of its own, for which it writes to /proc."""
        self.folder = folder
        self.media_folders = media_folders
        self.kept = kept
        self.programs = programs
        self.home = home

    def arguments(self) -> list[str]:
        """The arguments for the command line of a player: `--confine own=PATH media=PATH ... run=PATH ...`."""
        media = [f"media={path}" for path in self.media_folders]
        kept = [f"kept={self.kept}"] if self.kept else []
        home = [f"home={self.home}"] if self.home else []
        return ["--confine", f"own={self.folder}", *media, *kept, *(f"run={path}" for path in self.programs), *home]

    @classmethod
    def from_words(cls, words: list[str]) -> Confinement:
        """The confinement from the words after `--confine`. Raises ValueError for anything else."""
        found: dict[str, list[str]] = {"own": [], "media": [], "kept": [""], "run": [], "home": [""]}
        for word in words:
            name, is_, path = word.partition("=")
            if not is_ or name not in found:
                raise ValueError(f"not a word of a confinement: {word!r}")
            found[name].append(path)
        [folder] = found["own"]
        home, kept = found["home"][-1], found["kept"][-1]
        media, programs = tuple(found["media"]), tuple(found["run"])
        return cls(folder=folder, media_folders=media, kept=kept, programs=programs, home=home)


def confine(plan: Confinement, *, libraries: list[str] | None = None) -> str:
    """Give up all that playing does not need, for good. Sets XDG_CACHE_HOME to where shaders may be kept.

    `libraries` are folders with plug-ins beside the usual ones. Tells what keeps the process in, for a person:
    `landlock (abi 7)`, `mount namespace` or `none`. What fails is said on stderr and never keeps a player from playing.
    Raises RuntimeError in a process that has more than one thread: the others would stay free.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("confine() comes too late: there are other threads already")
    missing = os.environ.get(_WITHOUT, "").split(",")
    cache = _own_folder(plan.folder)
    reach = readable(
        environ=dict(os.environ),
        media_folders=plan.media_folders,
        programs=plan.programs,
        libraries=[*(libraries or []), *([plan.kept] if plan.kept else [])],
        cache=cache,
        home=[plan.home, "/proc"] if plan.home else [],
    )
    privileges.limit_resources()
    privileges.no_new_privileges()
    inside = NONE
    if "landlock" not in missing:
        inside = _by_landlock(reach) or inside
    if inside == NONE and "namespace" not in missing:
        inside = _by_namespace(reach, os.path.join(plan.folder, "root")) or inside
    keep = {privileges.DAC_READ_SEARCH} if _needs_files_of_others(plan) else set()
    privileges.drop_capabilities(keep=keep)
    return inside


def _by_landlock(reach: Reach) -> str | None:
    abi = landlock.abi()
    if abi < 1:
        return None
    try:
        landlock.restrict(reach.grants(), abi)
    except OSError as e:
        print(f"Landlock is there but cannot be used: {e}", file=sys.stderr)
        return None
    return f"landlock (abi {abi})"


def _by_namespace(reach: Reach, root: str) -> str | None:
    try:
        namespace.enter(reach, root)
    except OSError as e:
        print(f"A mount namespace cannot be created: {e}", file=sys.stderr)
        return None
    return "mount namespace"


_CACHE_LEAST_BYTES = 16 * 1024 * 1024
"""Free; the index takes 1.3 MB, shaders some more."""


def _own_folder(folder: str) -> str | None:
    cache = os.path.join(folder, "cache")
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        found = os.statvfs(cache)
        has_room = not found.f_flag & os.ST_RDONLY and found.f_bavail * found.f_frsize >= _CACHE_LEAST_BYTES
    except OSError as e:
        print(f"The players have no folder of their own: {e}", file=sys.stderr)
        has_room = False
    if not has_room:
        # Mesa maps its index of shaders into memory, and on a full disk writing to that is SIGBUS.
        os.environ["MESA_SHADER_CACHE_DISABLE"] = os.environ["MESA_GLSL_CACHE_DISABLE"] = "true"
        return None
    os.environ["XDG_CACHE_HOME"] = cache  # where Mesa and mpv keep shaders; native code sees it too
    return cache


def _needs_files_of_others(plan: Confinement) -> bool:
    """Return True if root, without its power to read everything, could not read files that the configuration names."""
    if os.geteuid() != 0:
        return False
    if plan.media_folders:
        return True  # may be anybody's, and are not looked at here: a dead network disk would hold us up
    named = (os.environ.get(name) for name in ("XAUTHORITY", "XDG_RUNTIME_DIR"))
    return any(_owner(path) != 0 for path in named if path)


def _owner(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:
        return 0
