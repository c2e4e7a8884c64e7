"""The pre-roll: a tiny clip in a hidden window, so that plug-ins, decoders and GL drivers are warm."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.player.vlc.events import PlayerEvent
from agent.player.vlc.inbox import Inbox
from agent.player.vlc.log_reader import LogLine

PREROLL_TIMEOUT_S = 3.0
"""Usually 0.2 s; past this the player is used as it is."""

_PREROLL = Path(__file__).parents[1] / "preroll.mp4"


def preroll(instance: Any, player: Any, *, inbox: Inbox, meanwhile: Callable[[Any], None]) -> bool:
    """Play it into the player's window, and stop. Return True if it was shown. What comes is for `meanwhile`."""
    media = instance.media_new_path(str(_PREROLL))
    media.add_option(":no-audio")
    player.set_media(media)
    player.play()
    shown, deadline = False, time.monotonic() + PREROLL_TIMEOUT_S
    while (left := deadline - time.monotonic()) > 0:
        item = inbox.next(left)
        if isinstance(item, PlayerEvent):
            shown = shown or item.name == "Vout"
            if item.name in ("EndReached", "EncounteredError"):
                break
        elif item is not None and not isinstance(item, LogLine):
            meanwhile(item)  # a ping, which must not wait
    player.stop()
    return shown
