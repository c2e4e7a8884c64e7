"""The inbox of the libVLC worker: nothing is lost and nothing overtakes, whatever is taken out of turn."""

from __future__ import annotations

from agent.player.vlc.inbox import Inbox


def test_what_is_taken_out_of_turn_leaves_the_rest_in_order() -> None:
    """The oldest first, also of what came after the taking."""
    inbox = Inbox()
    for item in (1, "a", 2, "b", 3.0):
        inbox.put(item)
    assert inbox.take(int, float) == [1, 2, 3.0]
    inbox.put("c")
    assert [inbox.next(0.0) for _ in range(4)] == ["a", "b", "c", None]


def test_what_was_left_can_be_taken_later() -> None:
    inbox = Inbox()
    inbox.put("a")
    assert inbox.take(int) == []
    inbox.put("b")
    assert inbox.take(str) == ["a", "b"]
    assert inbox.next(0.01) is None
