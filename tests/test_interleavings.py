"""Two runs at once in every order of their calls; make soak plays all meetings."""

from __future__ import annotations

import pytest

from tests.world.interleavings import Meeting, check, staged

MEETINGS = [
    Meeting("absent", "wanted", "wanted"),
    Meeting("absent", "wanted", "wanted otherwise"),
    Meeting("different", "wanted", "wanted"),
    Meeting("different", "wanted", "removed"),
    Meeting("paused", "wanted", "wanted otherwise"),
    Meeting("same", "removed", "wanted otherwise"),
    Meeting("with a queue", "broken", "wanted"),
    Meeting("different", "wanted", "broken", "pause"),
    Meeting("different", "wanted", "wanted", "queue"),
    Meeting("same", "wanted otherwise", "removed", "delete"),
]


@pytest.mark.parametrize("meeting", MEETINGS, ids=str)
def test_in_every_order_of_two_runs_the_next_makes_all_as_wanted(meeting: Meeting) -> None:
    """Counters add up, and an edit is lost only between the last look and the write."""
    with staged() as stage:
        check(stage, meeting)


def test_an_edit_between_look_and_write_is_what_nobody_can_see() -> None:
    """There are such orders, and each was tried."""
    with staged() as stage:
        assert check(stage, Meeting("different", "wanted", "broken", "pause")) > 0
