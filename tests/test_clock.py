"""The clock: the counters are returned in time whatever hangs, and the next run does the rest."""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import _calls
from athena_schedule_manager._calls import Call, Calls, Clock, OutOfTimeError
from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, NAME, NOTHING_DONE, OTHER_CRON, QUERIES, messages
from tests.world.faults import Hanging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.world import World


def not_done(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the number in each WARNING about the clock, and check that there is no ERROR."""
    assert messages(caplog, logging.ERROR) == []
    return [message.split()[4] for message in messages(caplog, logging.WARNING)]


def do_all(call: Callable[[int], Any], items: Iterable[int]) -> list[Any]:
    """Return what the calls for the items return, or raise."""
    jobs = [Call(functools.partial(call, item)) for item in items]
    return Calls(Clock(lambda: 60.0)).do_all(jobs)


def test_the_last_seconds_are_as_the_contract_has_them() -> None:
    """No new call with less than 5 s left, no waiting with 2 s left."""
    assert (_calls.NO_NEW_CALL, _calls.STOP_WAITING) == (5.0, 2.0)
    Clock(lambda: 5.0).require_time()
    assert Clock(lambda: 6.0).has_time(pause=1.0)
    with pytest.raises(OutOfTimeError):
        Clock(lambda: 4.999).require_time()
    assert not Clock(lambda: 5.999).has_time(pause=1.0)


@pytest.mark.parametrize("queries", [{}, QUERIES, QUERIES | {"broken": {}}], ids=len)
def test_without_time_to_list_the_run_fails(
    world: World, caplog: pytest.LogCaptureFixture, queries: dict[str, Any]
) -> None:
    """Nothing was compared: an empty document must not look as if it had been followed."""
    world.create(NAME)

    def left() -> float:
        return 4.9 if world.git_host.paths else 60.0

    with pytest.raises(CannotReconcileError, match=r"Failed to list .*: out of time"):
        world.run(queries, left=left)
    assert world.faults.calls == []
    assert len(messages(caplog, logging.ERROR)) == 1
    assert world.run(queries, left=left, event={"dry_run": True}).keys() == {"error"}
    assert world.ours() == {NAME: CRON}


def test_without_time_nothing_is_fetched(world: World) -> None:
    """A document that could not be followed is not asked for."""
    with pytest.raises(CannotReconcileError, match="Failed to fetch config from Git: "):
        world.run(QUERIES, left=lambda: 4.9)
    assert world.git_host.paths == []


def test_time_that_ends_with_the_last_page_still_counts_the_deletes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The listing is whole, so the plan is."""
    for number in range(3):
        world.create(f"pn-q{number}")
    assert world.run({}, left=world.left_for(1)) == NOTHING_DONE | {"failed": 3}
    assert not_done(caplog) == ["3"]
    assert len(world.ours()) == 3


def test_time_that_ends_while_reading_leaves_the_unread_alone(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read and unread count as failed, and nothing is created in the place of an unread one."""
    monkeypatch.setattr(_calls, "THREADS", 1)
    for number in range(5):
        world.create(f"pn-q{number}", ScheduleExpression=OTHER_CRON)
    queries = {f"q{number}": {"schedule": CRON} for number in range(5)}
    assert world.run(queries, left=world.left_for(3)) == NOTHING_DONE | {"failed": 5}
    assert world.faults.calls == ["ListSchedules", "GetSchedule", "GetSchedule"]
    assert [m for m in messages(caplog) if m.startswith(("CREATE", "UPDATE"))] == []
    assert not_done(caplog) == ["5"]
    assert world.run() == NOTHING_DONE | {"updated": 5}


def test_time_that_ends_while_writing_leaves_the_rest_to_the_next_run(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deletes do not start when creates did not end."""
    monkeypatch.setattr(_calls, "THREADS", 1)
    world.create("pn-obsolete")
    queries = {f"q{number}": {"schedule": CRON} for number in range(5)}
    results = world.run(queries, left=world.left_for(4))
    assert results == NOTHING_DONE | {"created": 3, "failed": 3}
    assert not_done(caplog) == ["3"]
    assert world.run() == NOTHING_DONE | {"created": 2, "deleted": 1}
    assert world.run() == NOTHING_DONE


@pytest.mark.parametrize("calls", [1, 2])
def test_time_that_ends_before_the_group_is_made_makes_none(
    world: World, caplog: pytest.LogCaptureFixture, calls: int
) -> None:
    """The listing, or looking at the group, was the last call."""
    assert world.run(QUERIES, left=world.left_for(calls)) == NOTHING_DONE | {"failed": 1}
    assert world.faults.calls == ["ListSchedules", "GetScheduleGroup"][:calls]
    assert not_done(caplog) == ["1"]


def test_a_conflict_near_the_end_is_not_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left to the next run, and only the clock is told."""
    world.create(NAME, ScheduleExpression=OTHER_CRON)
    world.faults.error("UpdateSchedule", "ConflictException", 409, times=1)
    assert world.run(QUERIES, left=world.left_for(3)) == NOTHING_DONE | {"failed": 1}
    assert world.faults.calls.count("UpdateSchedule") == 1
    assert not_done(caplog) == ["1"]


@pytest.mark.parametrize(
    ("operation", "ended", "results"),
    [
        pytest.param("GetSchedule", 1, {"failed": 3}, id="reading"),
        pytest.param("CreateSchedule", 3, {"updated": 1, "failed": 2}, id="creating"),
        pytest.param("UpdateSchedule", 3, {"created": 1, "failed": 2}, id="updating"),
        pytest.param("DeleteSchedule", 4, {"created": 1, "updated": 1, "failed": 1}, id="deleting"),
    ],
)
def test_a_call_that_hangs_is_abandoned(
    world: World,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    ended: int,
    results: dict[str, int],
) -> None:
    """The counters are returned before the invocation's end, and nothing is deleted too early."""
    world.create(NAME, ScheduleExpression=OTHER_CRON)
    world.create("pn-obsolete")
    hanging = Hanging(world.faults, operation, ended=ended)
    queries = QUERIES | {"new": {"schedule": CRON}}
    assert world.run(queries, left=hanging.left) == NOTHING_DONE | results
    assert not_done(caplog) == [str(results["failed"])]
    assert "pn-obsolete" in world.ours()
    caplog.clear()
    hanging.let_go()
    assert caplog.records == []  # what it answers late has been counted and told already


def test_a_group_that_hangs_is_abandoned(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No create starts after it."""
    hanging = Hanging(world.faults, "GetScheduleGroup")
    assert world.run(QUERIES, left=hanging.left) == NOTHING_DONE | {"failed": 1}
    hanging.let_go()
    assert "CreateSchedule" not in world.faults.calls
    assert not_done(caplog) == ["1"]


def test_a_listing_that_hangs_is_abandoned(world: World) -> None:
    """The run fails before the invocation's end."""
    hanging = Hanging(world.faults, "ListSchedules")
    with pytest.raises(CannotReconcileError, match="out of time"):
        world.run(QUERIES, left=hanging.left)
    hanging.let_go()


def test_creates_that_a_missing_group_blocks_have_their_lines_even_without_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """They need no call."""
    world.faults.error("CreateScheduleGroup", "AccessDeniedException", 403)
    queries = QUERIES | {"other": {"schedule": CRON}}
    assert world.run(queries, left=world.left_for(3)) == NOTHING_DONE | {"failed": 2}
    assert len(messages(caplog, logging.ERROR)) == 2
    assert messages(caplog, logging.WARNING) == []


def test_results_and_exceptions_are_returned_in_the_order_of_the_jobs() -> None:
    """However long each takes."""

    def call(item: int) -> int:
        time.sleep(0.002 * (9 - item))
        return 60 // item

    results = do_all(call, range(10))
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1:] == [60 // n for n in range(1, 10)]


@pytest.mark.parametrize(
    ("calls", "threads"),
    [(0, 0), (1, 1), (2, 1), (15, 1), (16, 2), (100, 5), (400, 10), (1_024, 16), (10_000, 16)],
)
def test_the_threads_are_as_many_as_pay_for_their_connections(calls: int, threads: int) -> None:
    """Half the root of the number of calls, sixteen at most."""
    assert _calls.threads_for(calls) == threads


@pytest.mark.parametrize("count", [2, 10, 100])
def test_one_hanging_call_does_not_hold_up_the_rest(count: int) -> None:
    """It hangs until all others are done, and would hang for ten seconds if they waited for it."""
    done: list[int] = []
    others = threading.Event()

    def call(item: int) -> bool:
        if item == 0:
            return others.wait(10)
        done.append(item)
        if len(done) == count - 1:
            others.set()
        return True

    assert do_all(call, range(count)) == [True] * count


def test_a_few_calls_that_do_not_hang_share_one_connection() -> None:
    """A second one costs the processor time of twenty calls, more than it saves."""
    used = do_all(lambda _: threading.get_ident(), range(15))
    assert len(set(used)) == 1


def test_sixteen_calls_run_at_a_time() -> None:
    """Sixteen meet at a barrier; a seventeenth would not be let in."""
    barrier = threading.Barrier(16, timeout=10)
    results = do_all(lambda _: barrier.wait(), range(1_024))
    assert sorted(map(str, results)) == sorted(map(str, [*range(16)] * 64))
    running: list[int] = []
    most: list[int] = []

    def call(item: int) -> None:
        running.append(item)
        most.append(len(running))
        time.sleep(0.001)
        running.remove(item)

    do_all(call, range(1_024))
    assert max(most) <= 16


def test_time_that_ends_before_a_conflict_is_looked_into_is_no_failure_of_its_own(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether another run was faster is for the next run to see."""
    world.create("pn-other")
    world.faults.error("CreateSchedule", "ConflictException", 409)
    queries = QUERIES | {"other": {"schedule": CRON}}
    assert world.run(queries, left=world.left_for(3)) == NOTHING_DONE | {"failed": 1}
    assert not_done(caplog) == ["1"]
