"""The one retry rule under outages by time and by number, and threads that a run has given up."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from athena_schedule_manager import _calls, index
from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, GROUP, NAME, NOTHING_DONE, OTHER_CRON, QUERIES, bystander, messages
from tests.world.faults import LOST, SERVER_ERROR, SILENT, THROTTLED, Fault, Hanging
from tests.world.model_server import model_server
from tests.world.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest

    from tests.world import World

MANY = 24
UNAVAILABLE = ("ServiceUnavailableException", 503)
KINDS = [SERVER_ERROR, UNAVAILABLE, THROTTLED, LOST, SILENT]


@pytest.mark.parametrize(
    ("operation", "seconds", "error"),
    [
        *(("GetSchedule", 20, error) for error in KINDS),
        ("GetSchedule", 2, SERVER_ERROR),
        ("UpdateSchedule", 5, SILENT),
        ("CreateSchedule", 5, LOST),
        ("DeleteSchedule", 20, THROTTLED),
        ("ListSchedules", 8, UNAVAILABLE),
    ],
    ids=str,
)
def test_an_outage_costs_no_query(
    strict_world: World,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    seconds: float,
    error: Any,
) -> None:
    """Nor of 24: what the SDK shares between calls is not used, so it cannot run out.

    How each operation takes each kind of failure is in the table of `test_faults`.
    """
    queries = strict_world.many(OTHER_CRON, MANY)
    if operation == "CreateSchedule":
        assert strict_world.faults.scheduler
        strict_world.faults.scheduler.groups[GROUP].clear()
    if operation == "DeleteSchedule":
        queries = {}
    strict_world.faults.put(operation, Fault(error, seconds=seconds))
    results = strict_world.run(queries)
    assert results["failed"] == 0
    assert sum(results.values()) >= MANY
    assert messages(caplog, logging.ERROR) == []
    assert strict_world.run() == NOTHING_DONE


def test_an_outage_leaves_nothing_to_the_next_runs(strict_world: World) -> None:
    """The SDK's retry quota lives with the client, and three runs failed after one outage."""
    queries = strict_world.many(OTHER_CRON, 15)
    rule = strict_world.faults.put("GetSchedule", Fault(SERVER_ERROR))
    assert strict_world.run(queries)["failed"] == 15
    strict_world.faults.remove(rule)
    for updated in (15, 0, 0):
        strict_world.faults.put("ListSchedules", Fault(UNAVAILABLE, times=1))
        assert strict_world.run() == NOTHING_DONE | {"updated": updated}
        assert strict_world.faults.calls.count("ListSchedules") == 2


def out_until(time: VirtualTime, end: float) -> Callable[[], str]:
    """Return a call that does not get through before the end."""

    def call() -> str:
        if time.monotonic() < end:
            raise ConnectTimeoutError(endpoint_url="x")
        return "written"

    return call


def test_time_without_a_call_is_no_outage() -> None:
    """A minute of planning between two operations takes nothing from the patience of the second."""
    time = VirtualTime()
    calls = _calls.Calls(time.clock(lambda: 240.0))
    assert calls.do(_calls.Call(lambda: "listed")) == "listed"
    time.ahead += 60.0
    call = out_until(time, time.monotonic() + 20.0)
    assert calls.do(_calls.Call(call)) == "written"


def test_an_answer_of_any_kind_is_a_sign_of_life() -> None:
    """Whoever refuses a call is there, so the outage that follows is a new one."""
    time = VirtualTime()
    end = time.monotonic() + 45.0

    def deny() -> str:
        time.ahead += 25.0
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "CreateSchedule")

    jobs = [_calls.Call(deny), _calls.Call(out_until(time, end))]
    denied, written = _calls.Calls(time.clock(lambda: 240.0)).do_all(jobs)
    assert isinstance(denied, ClientError)
    assert written == "written"


def test_a_poisoned_call_ends_though_others_succeed() -> None:
    """It is tried for 30 s, however long the rest takes; the next operation has its patience."""
    time = VirtualTime()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        calls.do(_calls.Call(lambda: "read"))  # by another thread

    calls = _calls.Calls(time.clock(lambda: 240.0, sleep=sleep))
    begin = time.monotonic()
    with pytest.raises(ConnectTimeoutError):
        calls.do(_calls.Call(out_until(time, math.inf)))
    assert time.monotonic() - begin < 31
    calls.clock.sleep = time.sleep
    call = out_until(time, time.monotonic() + 15.0)
    assert calls.do(_calls.Call(call)) == "written"


def test_a_quota_is_waited_for() -> None:
    """60 reads at 30 a second: no call fails, however many are throttled.

    Below some 35 calls a second the SDK's own retry quota would be used up.
    """
    queries = {f"q{number}": {"schedule": CRON} for number in range(60)}
    with model_server() as remote:
        bystander.run(remote.url, queries)
        remote.control(quota=30, groups=remote.groups())
        assert bystander.run(remote.url, queries) == NOTHING_DONE
        assert remote.calls() > 70


@pytest.mark.parametrize(
    ("operations", "error"), [*((1, error) for error in KINDS), (3, SILENT), (3, SERVER_ERROR)]
)
def test_a_lasting_outage_ends_the_run_within_a_minute(
    strict_world: World, caplog: pytest.LogCaptureFixture, operations: int, error: Any
) -> None:
    """Each schedule is counted, has its line and is left alone; hanging calls take 5 s each.

    All reads fail, or one read, one create and one delete, which come one after the other.
    """
    queries = strict_world.many(OTHER_CRON, MANY if operations == 1 else 2)
    if operations == 3:
        queries["new"] = queries.pop("1")
    before, count = strict_world.live(), len(queries) + operations // 2

    def take_time(operation: str, _: AWSPreparedRequest) -> None:
        if error is SILENT and operation != "ListSchedules":
            strict_world.time.sleep(5)

    for operation in ("GetSchedule", "CreateSchedule", "DeleteSchedule"):
        strict_world.faults.put(operation, Fault(error))
    strict_world.faults.rule(take_time)
    left = strict_world.time.until(240)
    assert strict_world.run(queries, left=left) == NOTHING_DONE | {"failed": count}
    assert left() > 180
    assert len(messages(caplog, logging.ERROR)) == count
    strict_world.faults.rules.clear()
    assert strict_world.live() == before


def test_an_outage_of_one_operation_does_not_stop_another(strict_world: World) -> None:
    """Reads fail for good; what is to be created and deleted is all the same."""
    queries = strict_world.many(OTHER_CRON, 20)
    strict_world.create("pn-obsolete")
    strict_world.faults.put("GetSchedule", Fault(SERVER_ERROR))
    results = strict_world.run(queries | {"new": {"schedule": CRON}})
    assert results == {"created": 1, "updated": 0, "deleted": 1, "failed": 20}


def test_one_poisoned_schedule_costs_half_a_minute(strict_world: World) -> None:
    """And no other schedule anything."""
    strict_world.time.stop()
    queries = strict_world.many(OTHER_CRON, 50)
    strict_world.faults.put("UpdateSchedule", Fault(SERVER_ERROR), "pn-7")
    left = strict_world.time.until(240)
    assert strict_world.run(queries, left=left) == NOTHING_DONE | {"updated": 49, "failed": 1}
    assert 205 < left() < 220


@pytest.mark.parametrize("error", [SERVER_ERROR, SILENT], ids=str)
def test_after_a_poisoned_schedule_an_outage_costs_no_query(
    strict_world: World, error: Any
) -> None:
    """The update that fails for good is the last one to end, and then the deletes are throttled."""
    queries = dict(list(strict_world.many(OTHER_CRON, 40).items())[:5])
    strict_world.faults.put("UpdateSchedule", Fault(error), "pn-4")
    strict_world.faults.put("DeleteSchedule", Fault(THROTTLED, seconds=5))
    done = NOTHING_DONE | {"updated": 4, "deleted": 35, "failed": 1}
    assert strict_world.run(queries) == done


def test_pauses_double_from_a_tenth_of_a_second_to_five_with_full_jitter(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jitter is any part of the pause."""
    bounds: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    monkeypatch.setattr("athena_schedule_manager._calls.random.uniform", longest)
    strict_world.time.stop()
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    strict_world.faults.put("GetSchedule", Fault(SERVER_ERROR))
    assert strict_world.run(QUERIES)["failed"] == 1
    made = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert [round(pause, 6) for pause in strict_world.pauses] == made[: len(strict_world.pauses)]
    assert 25 < sum(strict_world.pauses) <= 30
    assert {low for low, _ in bounds} == {0.0}


def test_no_pause_goes_beyond_the_clock(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that could not start after its pause does not wait for it."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    strict_world.faults.put("UpdateSchedule", Fault(THROTTLED))
    left = strict_world.time.until(15)
    assert strict_world.run(QUERIES, left=left) == NOTHING_DONE | {"failed": 1}
    assert left() >= 5
    assert messages(caplog, logging.ERROR) == []


@pytest.mark.parametrize("error", [("ThrottlingException", 400), ("RequestTimeout", 408)])
def test_throttling_and_timeouts_are_known_by_code_or_status(
    strict_world: World, error: tuple[str, int]
) -> None:
    """Whatever comes with the other one."""
    strict_world.faults.put("ListSchedules", Fault(error, times=3))
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"created": 1}


def test_an_outage_from_the_very_first_call_is_waited_for(strict_world: World) -> None:
    """Patience begins with the first failure, not with the run."""
    strict_world.time.ahead += 100
    strict_world.faults.put("ListSchedules", Fault(SERVER_ERROR, seconds=20))
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"created": 1}


# --- Threads that a run has given up


@pytest.mark.parametrize("operation", ["UpdateSchedule", "DeleteSchedule", "CreateSchedule"])
@pytest.mark.parametrize("clock", ["ends", "goes back"])
def test_threads_of_an_ended_run_never_write_later(
    strict_world: World, operation: str, clock: str
) -> None:
    """Each attempt asks the clock of its own invocation, which ends with it.

    Also where the invocation's own clock goes back, as one that stands still without a context.
    """
    queries = strict_world.many(OTHER_CRON, 16)
    if operation == "DeleteSchedule":
        queries = {}
    if operation == "CreateSchedule":
        assert strict_world.faults.scheduler
        strict_world.faults.scheduler.groups[GROUP].clear()
    hanging = Hanging(strict_world.faults, operation, calls=2)
    over: list[float] = []
    results = strict_world.run(queries, left=lambda: 60.0 if over else hanging.left())
    assert results == NOTHING_DONE | {"failed": 16}
    before = strict_world.live()
    calls = len(strict_world.faults.calls)
    over += [1] if clock == "goes back" else []
    hanging.let_go()
    assert strict_world.live() == before
    assert len(strict_world.faults.calls) == calls


def test_a_run_that_ends_during_the_second_read_writes_nothing_later(strict_world: World) -> None:
    """Each call of an attempt asks the clock, the write behind the read, too."""
    queries = strict_world.many(CRON, 4)
    strict_world.time.ahead = 120
    strict_world.run(queries)  # from memory, an update reads first
    hanging = Hanging(strict_world.faults, "GetSchedule", calls=2)
    strict_world.faults.rules.pop(0)

    def hang_and_answer(operation: str, _: AWSPreparedRequest) -> None:
        if operation == "GetSchedule":
            hanging.hang()

    strict_world.faults.rule(hang_and_answer)
    changed = {query_id: {"schedule": OTHER_CRON} for query_id in queries}
    results = strict_world.run(changed, left=hanging.left)
    assert results == NOTHING_DONE | {"failed": 4}
    hanging.let_go()
    assert "UpdateSchedule" not in strict_world.faults.calls
    assert set(strict_world.ours().values()) == {CRON}


def test_a_pause_after_an_ended_run_stays(strict_world: World) -> None:
    """Updates are throttled until the clock ends, and the operator pauses all sixteen."""
    queries = strict_world.many(OTHER_CRON, 16)
    hanging = Hanging(strict_world.faults, "UpdateSchedule", calls=2)
    strict_world.run(queries, left=hanging.left)
    assert strict_world.faults.scheduler
    group = strict_world.faults.scheduler.groups[GROUP]
    for name in group:
        group[name] = group[name] | {"State": "DISABLED"}
    hanging.let_go()
    assert {schedule["State"] for schedule in group.values()} == {"DISABLED"}
    strict_world.time.ahead += 60
    assert strict_world.run() == NOTHING_DONE | {"updated": 16}
    assert {schedule["State"] for schedule in group.values()} == {"DISABLED"}


def test_the_clock_of_an_invocation_ends_with_it(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends: with counters, with an error, or as a dry run."""
    clocks: list[_calls.Clock] = []
    make: Callable[..., _calls.Clock] = strict_world.time.clock

    def made(*arguments: Any) -> _calls.Clock:
        clocks.append(make(*arguments))
        return clocks[-1]

    monkeypatch.setattr(index, "Clock", made)
    strict_world.run(QUERIES)
    strict_world.run(event={"dry_run": True})
    strict_world.run(event={"dry_run": 5})
    strict_world.git_host.publish([])
    with pytest.raises(CannotReconcileError):
        strict_world.run()
    assert [clock.has_time() for clock in clocks] == [False] * 4


# --- Little time and many schedules


def test_without_time_thousands_of_changes_are_only_counted(
    strict_world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is made for what cannot be done any more."""
    queries = strict_world.many(OTHER_CRON, 1_000)
    monkeypatch.setattr("athena_schedule_manager.schedule_manager.drift", pytest.fail)
    results = strict_world.run(queries, left=strict_world.left_for(1_010))
    assert results == NOTHING_DONE | {"failed": 1_000}
    assert strict_world.faults.calls.count("UpdateSchedule") == 0
    assert messages(caplog, logging.WARNING)[-1].startswith("Out of time before 1000 reads")
