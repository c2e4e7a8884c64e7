"""The queue of the worker's one thread: commands, and messages of libVLC's callbacks and its log."""

from __future__ import annotations

import queue
from collections import deque
from typing import Any


class Inbox(queue.SimpleQueue[Any]):
    """A queue: `put` by any thread; `next` and `take` by the one that works on it."""

    def __init__(self) -> None:
        super().__init__()
        self._left: deque[Any] = deque()
        """The items that `take` left; older than all that are in the queue."""

    def next(self, timeout: float | None) -> Any:
        """The oldest item; None if none comes within so many seconds."""
        if self._left:
            return self._left.popleft()
        try:
            return self.get(timeout=timeout)
        except queue.Empty:
            return None

    def take(self, *kinds: type) -> list[Any]:
        """All of these kinds that waits now, the oldest first; the rest keeps its order."""
        while not self.empty():
            self._left.append(self.get())
        taken = [item for item in self._left if isinstance(item, kinds)]
        self._left = deque(item for item in self._left if not isinstance(item, kinds))
        return taken
