"""The engines that there are. Another one is a folder beside theirs, and a spec in ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from agent.config.settings import AudioSettings
from agent.player.child import ChildPlayer
from agent.player.chromium.command import SCHEMES as PAGE_SCHEMES
from agent.player.chromium.command import chromium_command, is_installed
from agent.player.chromium.player import ChromiumPlayer
from agent.player.confine import Confinement
from agent.player.ipc_client import WorkerPlayer
from agent.player.machine import output_for
from agent.player.mpv.options import mpv_command, mpv_is_installed
from agent.player.mpv.player import MpvPlayer
from agent.player.pillow.command import SCHEMES, looks_like_picture, pillow_command
from agent.player.vlc.command import vlc_command
from agent.types import MediaType, VideoOutput
from agent.util.memory import available_bytes

DEFAULT = "vlc"
"""The engine of every scheme that the table does not name."""

MIB: Final = 1024 * 1024

PLURALS: Final[Mapping[str, str]] = {
    MediaType.VIDEO: "videos",
    MediaType.AUDIO: "sounds",
    MediaType.IMAGE: "pictures",
    MediaType.WEB: "web pages",
}
"""The kinds of media in a sentence."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The inputs of an engine's command."""

    audio: AudioSettings
    output: VideoOutput
    """The output in the configuration."""
    confinement: Confinement
    table: Mapping[str, str]
    """The table, see `table_of`."""
    pins: Collection[str] = ()
    """The keys of servers that pages may come from, as `[web] pins` has them."""


class Feature(NamedTuple):
    """A feature that an engine may have been built or installed without; the sentences are the doctor's."""

    label: str
    present: str
    absent: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """One engine: how its processes are started and spoken to, what it plays, and what to do when it does not start."""

    name: str
    title: str
    """The software by the name that people know."""
    client: type[ChildPlayer]
    """The daemon's end of one of its processes."""
    command: Callable[[EngineOptions], Callable[[], list[str]]]
    """The command that starts a process; the result is called again at each start."""
    advice: str
    """The advice for when its processes do not start."""
    is_installed: Callable[[], bool] = lambda: True
    """The check of an engine that does not come with the agent or with its packages."""
    install: str = ""
    """The advice for when it is not installed."""
    kinds: frozenset[MediaType] = frozenset()
    """The kinds of media that it is made for; none: it is for streams of any scheme, and guesses their kind."""
    schemes: frozenset[str] = frozenset()
    """The schemes that it can open; none: all."""
    default_for: frozenset[str] = frozenset()
    """Schemes and kinds of media that it plays unless the configuration says otherwise."""
    recognizes: Callable[[str], bool] = lambda _url: False
    """Return True if an address alone tells that it is of the kind that this engine is made for."""
    catches_up: bool = False
    """True if it shows at once, and as fast as it can, what a camera has sent that was kept ready."""
    on_demand: bool = True
    """No spare is kept before the first player was wanted, or is expected to be."""
    is_optional: bool = False
    """True if not every box needs it: nothing is wrong where it is not installed."""
    spare_needs: int = 0
    """Bytes of memory that must be available for a spare to be made."""
    one_at_a_time: MediaType | None = None
    """The kind of media of which there are not two players without that memory."""
    memory: Callable[[], int] = available_bytes
    """Tells how many are."""
    features: Mapping[str, Feature] = field(default_factory=dict)
    """The doctor's texts for some of the features that its processes report, by name."""

    @property
    def missing(self) -> str:
        """The instructions for an engine that is not installed; empty if it is installed."""
        return "" if self.is_installed() else f"{self.name} is not installed ({self.install.rstrip('.')})."

    @property
    def no_room(self) -> str:
        """The reason why no spare is made, if memory is short; empty where there is enough."""
        if not self.spare_needs or self.memory() >= self.spare_needs:
            return ""
        needs = self.spare_needs // MIB
        one = f" {PLURALS[kind].capitalize()} are loaded one at a time." if (kind := self.one_at_a_time) else ""
        return f"No spare {self.name} is kept, and starts take longer: under {needs} MiB of memory is free.{one}"

    def may_play(self, scheme: str, kind: MediaType | None) -> bool:
        """Return True if it might play an address of this scheme and kind of media; None: nothing tells the kind. A web
        page is no stream, so only an engine that is made for it can show it."""
        for_all = not self.kinds and kind is not MediaType.WEB
        return (for_all or kind in self.kinds) and (not self.schemes or scheme in self.schemes)


def missing_for_ready() -> str:
    """The instructions for having the engine that shows what is kept ready; empty if it is installed."""
    return next(spec.missing for spec in ENGINES if spec.catches_up)


def table_of(specs: Iterable[EngineSpec], configured: Mapping[str, str]) -> dict[str, str]:
    """The name of the engine of each scheme and kind of media that DEFAULT does not play."""
    return {key: spec.name for spec in specs for key in sorted(spec.default_for)} | dict(configured)


def _vlc(options: EngineOptions) -> Callable[[], list[str]]:
    return vlc_command(
        output=output_for(options.output),
        audio_output=options.audio.output,
        audio_device=options.audio.device,
        confinement=options.confinement,
        languages=options.audio.languages,
        shows_pictures=options.table.get(MediaType.IMAGE, DEFAULT) == "vlc",
        plays_all=lambda: not mpv_is_installed(),  # with what is grey, late or cut short: better than none
    )


def _mpv(options: EngineOptions) -> Callable[[], list[str]]:
    return mpv_command(
        output=output_for(options.output),
        audio_output=options.audio.output,
        audio_device=options.audio.device,
        confinement=options.confinement,
        languages=options.audio.languages,
    )


ENGINES: tuple[EngineSpec, ...] = (
    EngineSpec(
        name="vlc",
        title="libVLC",
        client=WorkerPlayer,
        command=_vlc,
        advice="Check that libVLC is installed (Debian: apt install libvlc5 vlc-plugin-base vlc-plugin-video-output).",
        on_demand=False,
        features={
            "plugin_cache": Feature(
                "plug-in cache",
                "libVLC has the list of its plug-ins.",
                "libVLC has no list of its plug-ins, so every player starts later (0.2 s; seconds from a slow card).",
                "Debian: apt install --reinstall libvlc-bin makes it again.",
            )
        },
    ),
    EngineSpec(
        name="pillow",
        title="Pillow",
        client=WorkerPlayer,
        command=lambda options: pillow_command(confinement=options.confinement),
        advice="Check that Pillow works: .venv/bin/python -c 'import PIL.Image, resvg_py'.",
        kinds=frozenset({MediaType.IMAGE}),
        schemes=SCHEMES,
        default_for=frozenset({MediaType.IMAGE}),
        recognizes=looks_like_picture,
        spare_needs=256 * MIB,
    ),
    EngineSpec(
        name="mpv",
        title="mpv",
        client=MpvPlayer,
        command=_mpv,
        advice="Check that mpv works (Debian: apt install --reinstall mpv).",
        is_installed=mpv_is_installed,
        install="Debian: apt install mpv.",
        default_for=frozenset({"rtsp", "rtsps", "rtmps"}),
        catches_up=True,
        on_demand=True,  # 35 MB that a box without cameras need not spend
        spare_needs=256 * MIB,  # with the rest for the stream that it is to play
    ),
    EngineSpec(
        name="chromium",
        title="Chromium",
        client=ChromiumPlayer,
        command=lambda options: chromium_command(options.audio, confinement=options.confinement, pins=options.pins),
        advice="Check that Chromium works (Debian: apt install --reinstall chromium).",
        is_installed=is_installed,
        install="Debian: apt install chromium.",
        kinds=frozenset({MediaType.WEB}),
        schemes=PAGE_SCHEMES,
        default_for=frozenset({MediaType.WEB}),
        on_demand=True,
        is_optional=True,
        spare_needs=1536 * MIB,  # a spare takes 320 MB, a page some 450, a film beside it as much
        one_at_a_time=MediaType.WEB,
        features={
            "sandbox": Feature(
                "page sandbox",
                "Chromium keeps each page in a sandbox of its own.",
                "Chromium runs without its sandbox, because this system gives root no user namespaces: a hostile page "
                "is kept in by the confinement of players alone.",
                "Run cast-agent as another user than root, or allow user namespaces.",
            )
        },
    ),
)
"""The engines in the order in which they are asked when the engine of the table could not play something."""
