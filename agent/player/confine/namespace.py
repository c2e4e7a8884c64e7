"""A mount namespace: the process gets a file system of its own, in which only some files are.

For kernels without Landlock, such as those of Raspberry Pi OS. Root may make one; others get it together with a user
namespace, where the system allows those. Sources: mount_namespaces(7), user_namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
import stat

from agent.player.confine.reach import Reach

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_NOSUID, _MS_NODEV = 2, 4
_MS_BIND, _MS_REC, _MS_SLAVE = 4096, 16384, 1 << 19
_MNT_DETACH = 2
_MOUNT_SETATTR = 442
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_LINKS_FOLLOWED = 40
"""The limit of the kernel."""


def enter(reach: Reach, root: str) -> None:
    """Restrict this process to the files in `reach`. The new root is assembled at `root`, which is made if missing, and
    the working directory becomes `/`. Raises OSError, and leaves the process with all its files then."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    _unshare()
    # Slave, not private: disks that are mounted or taken out later come and go here too.
    _mount("none", "/", None, _MS_REC | _MS_SLAVE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    try:
        tree = _Tree(root)
        for path in sorted({*reach.read, *reach.use, *reach.run}):
            tree.add(path)
        writable = [*reach.own, *reach.home]
        for path in writable:
            tree.add(path, again=True)
        _protect(root, _ATTR_RDONLY | _ATTR_NOSUID)
        for path in writable:
            tree.open_again(path)
        os.chdir(root)
        _pivot_here()
    except BaseException:
        _LIBC.umount2(os.fsencode(root), _MNT_DETACH)
        raise
    os.chdir("/")


class _Tree:
    """The new file system while it is assembled."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._bound: list[str] = []

    def add(self, path: str, *, again: bool = False) -> None:
        """Make `path` be there, with the symbolic links on the way to it. What does not exist is left out."""
        try:
            path, linked = self._follow(path)
        except OSError:
            return
        if linked or (self._has(path) and not again):
            return
        try:
            kind = os.stat(path).st_mode
        except OSError:
            return
        place = self._root + path
        if not self._has(path):
            os.makedirs(place if stat.S_ISDIR(kind) else os.path.dirname(place), exist_ok=True)
            if not stat.S_ISDIR(kind):
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        # Recursive: what is mounted below belongs to it, and in a user namespace may not be taken off.
        _mount(path, place, None, _MS_BIND | _MS_REC)
        self._bound.append(path)

    def open_again(self, path: str) -> None:
        """Take the write protection off a folder that was added."""
        place = self._root + os.path.realpath(path)
        if os.path.isdir(place):
            _protect(place, clear=_ATTR_RDONLY, recursive=False)

    def _has(self, path: str) -> bool:
        return any(path == bound or path.startswith(bound + "/") for bound in self._bound)

    def _follow(self, path: str) -> tuple[str, bool]:
        """The real path, its links made in the tree. True when the tree has it already, behind a link."""
        for _ in range(_LINKS_FOLLOWED):
            link = _first_link(path)
            if link is None:
                return path, False
            target = os.readlink(link)
            if not self._has(link):
                place = self._root + link
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if not os.path.lexists(place):
                    os.symlink(target, place)
            rest = path[len(link) :]
            path = os.path.normpath(os.path.join(os.path.dirname(link), target) + rest)
        raise OSError(40, "too many links", path)


def _first_link(path: str) -> str | None:
    parts = path.strip("/").split("/")
    for number in range(1, len(parts) + 1):
        part = "/" + "/".join(parts[:number])
        if stat.S_ISLNK(os.lstat(part).st_mode):
            return part
    return None


def _unshare() -> None:
    if os.geteuid() == 0:
        try:
            _check(_LIBC.unshare(_CLONE_NEWNS), "unshare")
        except PermissionError:
            pass  # root without capabilities, as in a container: like any other user
        else:
            return
    # The same numbers as outside: the X server and the sound server look at them.
    enter_user_namespace(os.geteuid(), os.getegid(), also=_CLONE_NEWNS)


def enter_user_namespace(uid: int, gid: int, *, also: int = 0) -> None:
    """Have these ids inside, and outside those that the process has. `also`: other kinds of namespaces, as unshare(2)
    has them. Raises OSError where that is not allowed."""
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    _check(_LIBC.unshare(_CLONE_NEWUSER | also), "unshare")
    maps = (("setgroups", "deny"), ("uid_map", f"{uid} {outside_uid} 1"), ("gid_map", f"{gid} {outside_gid} 1"))
    for name, text in maps:
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _pivot_here() -> None:
    # Both at the same place: the old one ends on top of the new one and is taken off. See pivot_root(2), notes.
    _check(_LIBC.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _unmount(".")


_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "armv6l": 218, "armv7l": 218, "i686": 217, "riscv64": 41}


def _mount(source: str, place: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = (None if text is None else os.fsencode(text) for text in (source, place, kind))
    result = _LIBC.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode())
    _check(result, f"mount {source}")


def _unmount(place: str) -> None:
    _check(_LIBC.umount2(os.fsencode(place), _MNT_DETACH), f"umount {place}")


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user_namespace")]


def _protect(place: str, attributes: int = 0, *, clear: int = 0, recursive: bool = True) -> None:
    change = _MountAttributes(set=attributes, clear=clear)
    result = _LIBC.syscall(
        _MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(place),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(change),
        ctypes.c_size_t(ctypes.sizeof(change)),
    )
    _check(result, f"mount_setattr {place}")


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
