"""The contract between the wire and what is on this box: a connection asks, the box answers and tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from google.protobuf.message import Message


class Peer(Protocol):
    """One client that shares the key. Nothing here waits, and nothing raises, also after the client has gone."""

    def put_state(self, key: int, message: Message) -> None:
        """Send the state of the entity `key`; one that was not sent yet is replaced."""

    def put(self, message: Message) -> None:
        """Send after all that was put before: events, pictures and answers. A client with too many unsent messages is
        disconnected."""

    def relist(self) -> None:
        """Close the connection without a word, because the list of entities or actions has changed: clients read it
        when they connect, and do so again at once then."""


class Box(Protocol):
    """The part of the box that clients see and control."""

    def entities(self) -> Sequence[Message]:
        """The ListEntities...Response messages, those of the actions too, without the one that ends the list."""

    def states(self) -> Mapping[int, Message]:
        """The state of each entity that has one, by key."""

    def subscribe(self, peer: Peer) -> Callable[[], None]:
        """Tell this client what changes from now on; what is returned ends that."""

    async def command(self, message: Message, peer: Peer) -> None:
        """Do what a *CommandRequest, an ExecuteServiceRequest or a CameraImageRequest asks for, and put the answer.
        What it raises is a fault of ours."""
