"""The camera of the box: what the screen shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

import structlog
from google.protobuf.message import Message

from agent.errors import PlayerUnavailableError
from agent.frontends.esphome.box import Peer
from agent.frontends.esphome.entities import CAMERA
from agent.frontends.esphome.messages import api
from agent.stage.snapshots import Kind, Snapshots

KIND: Final = Kind("jpeg", 1280)
"""Some 200 KB at most: Home Assistant shows a camera in a card."""

EVERY_S: Final = 1.0
"""The shortest interval between two pictures, however often a client asks: each takes a small box up to 0.1 s."""

PIECE_BYTES: Final = 63 * 1024
"""The part of a picture in one message: with its other fields a message must stay below 64 KiB."""

log = structlog.get_logger(__name__)


class Pictures:
    """Sends clients the pictures that they want: all of them one picture, and at most one each EVERY_S."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._waiting: set[Peer] = set()
        self._wanted = asyncio.Event()

    def want(self, peers: Iterable[Peer]) -> None:
        """Send these a picture that is taken from now on."""
        self._waiting.update(peers)
        if self._waiting:
            self._wanted.set()

    def forget(self, peer: Peer) -> None:
        """Forget a client that has gone."""
        self._waiting.discard(peer)
        if not self._waiting:
            self._wanted.clear()

    async def run(self) -> None:
        """Take and send pictures, for as long as the agent runs."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            peers, self._waiting = self._waiting, set()
            try:
                taken = await self._snapshots.take(KIND, max_age_s=0)
            except PlayerUnavailableError as error:  # there is a picture once there is a display
                log.debug("picture_failed", reason=str(error))
            else:
                for peer in peers:
                    for piece in _pieces(taken.content):
                        peer.put(piece)
            await asyncio.sleep(EVERY_S)


def _pieces(content: bytes) -> Iterator[Message]:
    for start in range(0, len(content), PIECE_BYTES):
        end = start + PIECE_BYTES
        yield api.CameraImageResponse(key=CAMERA.key, data=content[start:end], done=end >= len(content))
