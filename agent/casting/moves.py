"""The life of a session: the moves that there are, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.types import EndReason, Failure, SessionState

MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.PENDING: frozenset({SessionState.STARTING, SessionState.WAITING, SessionState.STOPPING}),
    SessionState.STARTING: frozenset({SessionState.ACTIVE, SessionState.WAITING, SessionState.STOPPING}),
    SessionState.ACTIVE: frozenset({SessionState.WAITING, SessionState.STOPPING}),
    SessionState.WAITING: frozenset({SessionState.STARTING, SessionState.STOPPING}),
    SessionState.STOPPING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}
"""Every move there is; anything else raises. A session that is taken up again after a failure stays `active`."""


@dataclass(frozen=True, slots=True)
class End:
    """The reason why a session ended, and its failure."""

    reason: EndReason
    failure: Failure | None = None
