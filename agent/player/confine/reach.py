"""The files that playing needs on the supported distributions. Whoever applies the list leaves out what does not
exist."""

from __future__ import annotations

import os

from cast_util import landlock

MEDIA_FOLDER_ANSWER_S = 0.5
"""A local disk answers in microseconds, one that spins up is known to the kernel all the same; a network disk whose
server is gone never answers, and must not keep a camera off the screen."""


class Reach:
    """Absolute paths; a folder stands for all that is in it."""

    __slots__ = ("home", "look", "own", "read", "run", "use")

    def __init__(
        self, *, read: list[str], use: list[str], run: list[str], own: list[str], home: list[str] | None = None
    ) -> None:
        """`use`: devices, to read, write and control. `own`: folders in which files may be made and deleted; `home`:
        in which links and sockets may be, too."""
        self.read, self.use, self.run, self.own = (_proper(paths) for paths in (read, use, run, own))
        self.home = _proper(home or [])
        self.look = ["/dev"]
        """Folders whose names may be read, to find a graphics device for example."""

    def grants(self) -> landlock.Grants:
        """The same files, in the form of Landlock."""
        return [
            (landlock.READ, self.read),
            (landlock.USE, self.use),
            (landlock.RUN, self.run),
            (landlock.OWN, self.own),
            (landlock.HOME, self.home),
            (landlock.LOOK, self.look),
        ]


def readable(
    *,
    environ: dict[str, str],
    media_folders: tuple[str, ...],
    programs: tuple[str, ...],
    libraries: list[str],
    cache: str | None,
    home: list[str] | None = None,
) -> Reach:
    """The files that a player may reach. Blocks at most MEDIA_FOLDER_ANSWER_S for media folders; those that do not
    answer by then are left out."""
    read = [*_SYSTEM, *_PROCESS, *_ours(), *libraries, *_home(environ), *_named_by(environ)]
    read += ["/etc/resolv.conf", os.path.realpath("/etc/resolv.conf")]
    read += answering(list(media_folders))
    devices = [path for pattern in _DEVICES for path in _matching(pattern)]
    loaders = [path for pattern in _LOADERS for path in _matching(pattern)]
    return Reach(
        read=read,
        use=devices + _decoders(),
        run=[*programs, *loaders] if programs else [],
        own=[cache] if cache else [],
        home=home,
    )


def answering(folders: list[str], *, within_s: float = MEDIA_FOLDER_ANSWER_S) -> list[str]:
    """The folders that can be looked at in that time, all together. To be called in a process with one thread."""
    if not folders:
        return []
    import select  # rarely needed: it stays out of the start of other players
    import time

    reading, writing = os.pipe()
    child = os.fork()  # a thread that hangs would stay, and be free
    if child == 0:
        for number, folder in enumerate(folders):
            try:
                os.stat(folder)  # to open it by O_PATH may need no answer
                os.write(writing, bytes([number]))
            except OSError:
                continue
        os._exit(0)
    os.close(writing)
    answered: list[str] = []
    deadline = time.monotonic() + within_s
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (numbers := os.read(reading, 256)):
            break
        answered += [folders[number] for number in numbers]
    os.close(reading)
    os.kill(child, 9)
    os.waitpid(child, os.WNOHANG)  # one that hangs in the kernel cannot be waited for
    return answered


# fmt: off
_SYSTEM = (
    # libraries, plug-ins and their data
    "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib32", "/lib64", "/usr/share",
    "/opt/vc/lib", "/nix/store", "/run/opengl-driver", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.preload",
    "/etc/localtime", "/etc/locale.alias",
    # fonts
    "/etc/fonts", "/usr/local/share/fonts", "/var/cache/fontconfig",
    # graphics drivers, and what they ask about the machine
    "/etc/drirc", "/etc/glvnd", "/etc/vulkan", "/etc/vdpau_wrapper.cfg", "/etc/libva.conf", "/etc/nvidia",
    "/sys/dev", "/sys/class", "/sys/bus", "/sys/devices", "/sys/module", "/sys/firmware/devicetree",
    # sound
    "/etc/asound.conf", "/etc/alsa", "/etc/pulse", "/etc/machine-id", "/var/lib/dbus/machine-id", "/run/pulse",
    # names of hosts; folders where a service puts a new file in place of the old one
    "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
    "/run/systemd/resolve", "/run/resolvconf", "/run/connman", "/run/netconfig", "/run/avahi-daemon", "/run/nscd",
    "/run/NetworkManager/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf",
    # certificates, never keys
    "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/ca-trust",
    "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/crypto-policies", "/etc/gnutls", "/etc/pkcs11",
    "/usr/local/share/ca-certificates",
    # the X server
    "/tmp/.X11-unix",  # noqa: S108 - the place is X's
)
_PROCESS = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems",
    "/proc/modules", "/proc/devices", "/proc/driver", "/proc/asound", "/proc/device-tree", "/proc/mounts",
    "/proc/sys/kernel/osrelease", "/proc/sys/vm/overcommit_memory",
)
_DEVICES = (
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
    "/dev/dri", "/dev/nvidia*", "/dev/mali*", "/dev/udmabuf", "/dev/dma_heap",
    # to play, never to record: no pcm*c
    "/dev/snd/controlC*", "/dev/snd/pcm*p", "/dev/snd/timer",
    # decoders of Raspberry Pi and Rockchip beside those of V4L2
    "/dev/vchiq", "/dev/vcsm-cma", "/dev/rpivid*", "/dev/mpp_service", "/dev/rga",
)
_HOME = (
    ".asoundrc", ".config/pulse", ".pulse-cookie", ".drirc", ".fonts", ".fonts.conf",
    ".config/fontconfig", ".local/share/fonts",
)
_LOADERS = ("/lib/ld-*", "/lib64/ld-*")
# fmt: on

_DECODER_NAMES = ("codec", "dec", "vpu", "rpivid", "cedrus", "venus", "iris")
"""Parts of the names of V4L2 devices that decode, such as `bcm2835-codec-decode`, `rpi-hevc-dec`, `hantro-vpu-dec`."""


def _decoders() -> list[str]:
    """V4L2 devices that decode, and never a camera."""
    found = []
    for device in _matching("/sys/class/video4linux/video*"):
        try:
            with open(f"{device}/name", encoding="utf-8", errors="replace") as file:
                title = file.read()
        except OSError:
            continue
        if any(name in title for name in _DECODER_NAMES):
            found.append("/dev/" + os.path.basename(device))
    return [*found, *_matching("/dev/media*")] if found else []


def _matching(pattern: str) -> list[str]:
    """The paths that begin and end like this pattern; a star may stand in the last part, for anything."""
    folder, name = os.path.split(pattern)
    start, star, end = name.partition("*")
    if not star:
        return [pattern]
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.startswith(start) and name.endswith(end)]


def _ours() -> list[str]:
    """The standard library, which imports late at times, and the players' own folder with the pre-roll.

    Not `sys.path`: the working directory is in it.
    """
    return [os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]


def _home(environ: dict[str, str]) -> list[str]:
    home = environ.get("HOME", "")
    names = _HOME if environ.get("XAUTHORITY") else (*_HOME, ".Xauthority")  # the one or the other
    return [os.path.join(home, name) for name in names] if os.path.isabs(home) else []


def _named_by(environ: dict[str, str]) -> list[str]:
    """The files that the environment names: the X server's cookie, the sound server, folders of libraries."""
    files = [environ.get(name, "") for name in ("XAUTHORITY", "PULSE_COOKIE", "PULSE_CLIENTCONFIG", "ALSA_CONFIG_PATH")]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        files += [os.path.join(runtime, name) for name in ("pulse", "pipewire-0")]
    files += [environ.get("PULSE_RUNTIME_PATH", "")]
    files += [server.partition("unix:")[2] or server for server in environ.get("PULSE_SERVER", "").split()]
    for name in ("VLC_PLUGIN_PATH", "LD_LIBRARY_PATH", "LIBGL_DRIVERS_PATH", "LIBVA_DRIVERS_PATH"):
        files += environ.get(name, "").split(os.pathsep)
    return files


def _proper(paths: list[str]) -> list[str]:
    """Each once; nothing relative, and never everything."""
    clean = (os.path.normpath(path) for path in paths if os.path.isabs(path))
    return list(dict.fromkeys(path for path in clean if path.strip("/")))
