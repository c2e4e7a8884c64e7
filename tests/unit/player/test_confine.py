"""The abilities that a confined process still has, shown by processes that confine themselves and then try."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from agent.player.confine import Confinement
from cast_util import landlock
from tests.support.confined import LANDLOCK, NAMESPACE, NOTHING, WITHOUT

RUN_S = 30.0
"""0.1 s on an idle machine."""

PROBE = """
import ctypes, encodings.idna, json, os, resource, signal, socket, sys
libc = ctypes.CDLL(None)
task = json.loads(sys.argv[1])
from agent.player.confine import Confinement, confine
if task["as_user"]:
    os.setgroups([])
    os.setgid(task["as_user"])
    os.setuid(task["as_user"])
    libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: a daemon that was started as this user is
libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
said = {"inside": confine(Confinement.from_words(task["plan"]))}
def attempt(what):
    try:
        return what() or "ok"
    except OSError as e:
        return type(e).__name__
def read(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.close(descriptor)
def write(path):
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)
said["read"] = {path: attempt(lambda: read(path)) for path in task["read"]}
said["write"] = {path: attempt(lambda: write(path)) for path in task["write"]}
said["localhost"] = attempt(lambda: socket.getaddrinfo("localhost", 80)[0][4][0])
said["kill"] = attempt(lambda: os.kill(os.getppid(), 0))
said["status"] = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status"))
said["core"] = resource.getrlimit(resource.RLIMIT_CORE)
number = ctypes.c_int()
libc.prctl(2, ctypes.byref(number), 0, 0, 0)  # PR_GET_PDEATHSIG
said["dies_with_parent"] = number.value == signal.SIGKILL
said["cache"] = os.environ["XDG_CACHE_HOME"]
print(json.dumps(said), flush=True)
for program in task["run"]:
    try:
        os.execv(program, [program, "-c", "echo it ran"])
    except OSError as e:
        print(type(e).__name__)
"""


def probe(
    folder: Path,
    means: str,
    *,
    media: tuple[Path, ...] = (),
    programs: tuple[str, ...] = (),
    read: tuple[str | Path, ...] = (),
    write: tuple[str | Path, ...] = (),
    run: str | None = None,
    as_user: int = 0,
) -> Any:
    plan = Confinement(folder=str(folder / "own"), media_folders=tuple(map(str, media)), programs=programs)
    task = {
        "plan": plan.arguments()[1:],
        "read": [str(path) for path in read],
        "write": [str(path) for path in write],
        "run": [run] if run else [],
        "as_user": as_user,
    }
    environment = {k: v for k, v in os.environ.items() if k not in ("XAUTHORITY", "XDG_RUNTIME_DIR")}
    done = in_a_process(PROBE, json.dumps(task), {**environment, "CONFINE_WITHOUT": WITHOUT[means]})
    first, *rest = done.splitlines()
    said = json.loads(first)
    if not said["inside"].startswith(means):
        pytest.skip(f"this machine has no {means}, but: {said['inside']}")
    return {**said, "run": rest}


def in_a_process(program: str, argument: str = "", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, argument],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def somebodys_home() -> str:
    """A folder of people's files. The way to this program is there to be seen in a namespace, so it is not one of those
    above it."""
    ours = (Path(__file__), Path(sys.prefix), Path(sys.base_prefix))
    homes = ("/home", "/root", "/mnt")
    return next(home for home in homes if not any(path.is_relative_to(home) for path in ours))


both = pytest.mark.parametrize("means", [LANDLOCK, NAMESPACE])


@both
def test_files_outside_are_out_of_reach(tmp_path: Path, means: str) -> None:
    """A confined process reads no password file, no home, no other process and no file beside its media folder."""
    media = tmp_path / "media"
    media.mkdir()
    (tmp_path / "secret").write_text("x")
    secrets = ("/etc/passwd", "/etc/shadow", somebodys_home(), f"/proc/{os.getpid()}/cmdline", tmp_path / "secret")
    said = probe(tmp_path, means, media=(media,), read=secrets)
    assert "ok" not in said["read"].values(), said["read"]


@both
def test_a_link_leads_nowhere(tmp_path: Path, means: str) -> None:
    """A symbolic link in a media folder does not lead out of it."""
    media = tmp_path / "media"
    media.mkdir()
    (tmp_path / "secret").write_text("x")
    (media / "link").symlink_to(tmp_path / "secret")
    (media / "film").write_text("x")
    said = probe(tmp_path, means, media=(media,), read=(media / "link", media / "film"))
    assert said["read"].pop(str(media / "film")) == "ok"
    assert "ok" not in said["read"].values()


@both
def test_what_playing_needs_is_there(tmp_path: Path, means: str) -> None:
    """Libraries, names, certificates, fonts and random numbers are there, and `localhost` resolves."""
    needed = ["/proc/self/maps", "/proc/cpuinfo", "/sys/devices", "/usr/lib", "/dev/urandom", "/dev/null"]
    may_be = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/fonts/fonts.conf"]
    said = probe(tmp_path, means, read=(*needed, *filter(os.path.exists, may_be)))
    assert set(said["read"].values()) == {"ok"}, said["read"]
    assert said["localhost"] in ("127.0.0.1", "::1")


@both
def test_fonts_are_found(tmp_path: Path, means: str) -> None:
    """A font is found and can be read, as subtitles need it."""
    if find_library("fontconfig") is None:
        pytest.skip("this machine has no fontconfig")
    program = f"""
import ctypes, os
os.environ["CONFINE_WITHOUT"] = {WITHOUT[means]!r}
from agent.player.confine import Confinement, confine
inside = confine(Confinement(folder={str(tmp_path / "own")!r}))
fonts = ctypes.CDLL("libfontconfig.so.1")
for call in ("FcInitLoadConfigAndFonts", "FcNameParse", "FcFontMatch"):
    getattr(fonts, call).restype = ctypes.c_void_p
pattern = ctypes.c_void_p(fonts.FcNameParse(b"Sans"))
fonts.FcConfigSubstitute(None, pattern, 0)
fonts.FcDefaultSubstitute(pattern)
result, file = ctypes.c_int(), ctypes.c_char_p()
match = ctypes.c_void_p(fonts.FcFontMatch(None, pattern, ctypes.byref(result)))
fonts.FcPatternGetString(match, b"file", 0, ctypes.byref(file))
print(inside, len(open(file.value, "rb").read()) > 0)
"""
    *_, last = in_a_process(program).splitlines()
    assert last.endswith(" True")


@both
def test_only_the_cache_can_be_written(tmp_path: Path, means: str) -> None:
    """Shaders can be kept in the players' own folder; media folders and everything else are read only."""
    media = tmp_path / "media"
    media.mkdir()
    places = (tmp_path / "own/cache/x", media / "x", tmp_path / "x", "/usr/share/x")
    said = probe(tmp_path, means, media=(media,), write=places)
    assert said["cache"] == str(tmp_path / "own/cache")
    assert said["write"].pop(str(places[0])) == "ok"
    assert "ok" not in said["write"].values(), said["write"]


@both
def test_media_folders_may_be_links(tmp_path: Path, means: str) -> None:
    """A media folder that is a symbolic link is reached through the link."""
    (tmp_path / "disk" / "films").mkdir(parents=True)
    (tmp_path / "disk" / "films" / "film").write_text("x")
    (tmp_path / "media").symlink_to("disk")
    film = tmp_path / "media" / "films" / "film"
    assert probe(tmp_path, means, media=(film.parent,), read=(film,))["read"][str(film)] == "ok"


@both
def test_only_its_programs_run(tmp_path: Path, means: str) -> None:
    """A player runs the programs of its plan and no shell."""
    programs = ("/usr/bin/echo",)
    assert "it ran" not in str(probe(tmp_path, means, programs=programs, run="/bin/sh")["run"])
    assert "it ran" in str(probe(tmp_path, means, programs=programs, run="/usr/bin/echo")["run"])


@pytest.mark.parametrize("means", [LANDLOCK, NAMESPACE, NOTHING])
def test_privileges_are_gone(tmp_path: Path, means: str) -> None:
    """Whatever the means, there are no capabilities, no core dumps, and it still dies with its parent."""
    said = probe(tmp_path, means)
    held = {name: int(said["status"][name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert set(held.values()) == {0}
    assert said["status"]["NoNewPrivs"] == "1"
    assert said["core"] == [0, 0]
    assert said["dies_with_parent"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@both
def test_any_user_can_be_confined(tmp_path: Path, means: str) -> None:
    """No privileges are needed to be confined."""
    tmp_path.chmod(0o777)
    for folder in list(tmp_path.parents)[:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "secret").write_text("x")
    said = probe(
        tmp_path,
        means,
        as_user=65534,
        read=("/etc/passwd", tmp_path / "secret", "/etc/hosts"),
        write=(tmp_path / "own/cache/x",),
    )
    assert said["read"].pop("/etc/hosts") == "ok"
    assert "ok" not in said["read"].values(), said["read"]
    assert said["write"][str(tmp_path / "own/cache/x")] == "ok"
    assert int(said["status"]["CapEff"], 16) == 0


def test_signals_stay_inside(tmp_path: Path) -> None:
    """Where Landlock knows scopes, a confined process cannot signal others of its user."""
    if landlock.abi() < 6:
        pytest.skip("Landlock of this kernel knows no scopes")
    assert probe(tmp_path, LANDLOCK)["kill"] == "PermissionError"


@pytest.mark.parametrize("abi", range(1, max(2, landlock.abi() + 1)))
def test_every_landlock_will_do(tmp_path: Path, abi: int) -> None:
    """The rules suit every version of Landlock up to that of this kernel."""
    if not landlock.abi():
        pytest.skip("this kernel has no Landlock")
    program = f"""
import os
from agent.player.confine.reach import Reach
from cast_util import landlock, privileges
privileges.no_new_privileges()
landlock.restrict(Reach(read=["/etc/hosts"], use=["/dev/null"], run=[], own=[{str(tmp_path)!r}]).grants(), {abi})
open("/etc/hosts").close()
open("/dev/null", "r+b", buffering=0).close()
open({str(tmp_path / "x")!r}, "w").close()
try:
    open("/etc/passwd")
except PermissionError:
    print("confined")
"""
    assert in_a_process(program) == "confined\n"


def test_where_there_is_nothing_it_says_so(tmp_path: Path) -> None:
    """Without any means the answer is `none`, and files are open: what the other tests show is the means' work."""
    assert probe(tmp_path, NOTHING, read=("/etc/passwd",))["read"] == {"/etc/passwd": "ok"}


def test_threads_make_it_too_late() -> None:
    """A process with threads refuses to be half confined."""
    program = """
import threading
from agent.player.confine import Confinement, confine
stay = threading.Event()
threading.Thread(target=stay.wait).start()
try:
    confine(Confinement(folder="/nonexistent"))
except RuntimeError as e:
    print(e)
stay.set()
"""
    assert "too late" in in_a_process(program)


def test_a_dead_disk_holds_nobody_up(tmp_path: Path, dead_share: Path) -> None:
    """A media folder that does not answer is left out, and the others stay."""
    program = f"""
from agent.player.confine import reach
print(reach.answering([{str(tmp_path)!r}, "/missing", {str(dead_share)!r}], within_s=0.3))
"""
    assert in_a_process(program) == f"{[str(tmp_path)]}\n"


def test_a_plan_goes_through_the_command_line() -> None:
    """The daemon's plan arrives whole; anything else is refused."""
    plan = Confinement(folder="/var/lib/x", media_folders=("/media/ü", "/b"), kept="/k", programs=("/usr/bin/mpv",))
    option, *words = plan.arguments()
    assert option == "--confine"
    assert Confinement.from_words(words).arguments() == plan.arguments()
    for nonsense in ([], ["own"], ["own=/a", "own=/b"], ["own=/a", "what=/b"]):
        with pytest.raises(ValueError):
            Confinement.from_words(nonsense)
