"""Calls that hang hold up nobody else: every schedule is tried once before any is tried twice."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager import _calls, _git, index
from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, GROUP, NOTHING_DONE, OTHER_CRON, messages, response
from tests.world.faults import SILENT, Fault
from tests.world.git_host import BODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botocore.awsrequest import AWSPreparedRequest

    from tests.world import World

HASTE = 20
READ_TIMEOUT = 5.0  # seconds: what a call costs that hangs
COUNTERS = {"CreateSchedule": "created", "UpdateSchedule": "updated", "DeleteSchedule": "deleted"}


def arrange(world: World, operation: str, count: int) -> dict[str, dict[str, str]]:
    """Make what so many calls of an operation are for; return the queries."""
    queries = world.many(CRON if operation == "DeleteSchedule" else OTHER_CRON, count)
    assert world.faults.scheduler
    if operation == "CreateSchedule":
        world.faults.scheduler.groups[GROUP].clear()
    return {} if operation == "DeleteSchedule" else queries


def hang(world: World, operation: str, numbers: Sequence[int], seconds: float = 0.0) -> None:
    """Let the calls for these schedules hang until the read timeout, whenever they are made.

    It is real time if there are seconds, and otherwise the world's.
    """
    for number in numbers:
        world.faults.put(operation, Fault(SILENT), f"/pn-{number}")
    names = tuple(f"/pn-{number}" for number in numbers)

    def take_time(asked: str, request: AWSPreparedRequest) -> None:
        if asked == operation and request.url.partition("?")[0].endswith(names):
            time.sleep(seconds)
            world.time.sleep(0.0 if seconds else READ_TIMEOUT)

    world.faults.rule(take_time)


def asked_for(world: World, operation: str) -> list[str]:
    """Return the names that an operation was called for, in that order."""
    requests = zip(world.faults.calls, world.faults.requests, strict=True)
    return [request["Name"] for call, request in requests if call == operation]


@dataclass(frozen=True)
class Hanging:
    """How many of how many schedules hang, the first or the last by name."""

    hanging: int
    count: int
    first: bool
    seconds: float = 0.0  # of real time; without, those of the world

    def numbers(self) -> list[int]:
        """Return which they are."""
        names = sorted(map(str, range(self.count)))
        chosen = names[: self.hanging] if self.first else names[-self.hanging :]
        return [int(name) for name in chosen]


def check_that_those_fail_alone(
    world: World, caplog: pytest.LogCaptureFixture, operation: str, which: Hanging
) -> None:
    """Run, and check that all were asked for, and only those that hang are told."""
    queries = arrange(world, operation, which.count)
    hang(world, operation, which.numbers(), which.seconds)
    done = {COUNTERS.get(operation, "updated"): which.count - which.hanging}
    assert world.run(queries) == NOTHING_DONE | done | {"failed": which.hanging}
    errors = messages(caplog, logging.ERROR)
    told = [error.partition("schedule ")[2].partition(":")[0] for error in errors]
    assert sorted(told) == sorted(f"pn-{number}" for number in which.numbers())
    assert set(asked_for(world, operation)) == {f"pn-{number}" for number in range(which.count)}


@pytest.mark.parametrize(
    "which",
    [Hanging(2, 20, first=True), Hanging(2, 20, first=False), Hanging(4, 60, first=True)],
    ids=str,
)
@pytest.mark.parametrize("operation", ["GetSchedule", *COUNTERS])
def test_those_that_hang_fail_alone(
    strict_world: World, caplog: pytest.LogCaptureFixture, operation: str, which: Hanging
) -> None:
    """Wherever they stand; nobody is named that was never asked for."""
    check_that_those_fail_alone(strict_world, caplog, operation, which)


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let all that is waited for in real time be 20 times shorter; return how long a call hangs."""
    for name in ("PATIENCE", "NEXT_PATIENCE"):
        monkeypatch.setattr(_calls, name, getattr(_calls, name) / HASTE)
    monkeypatch.setattr(_calls, "MORE_AFTER", 1.0 / HASTE)
    return READ_TIMEOUT / HASTE


@pytest.mark.parametrize("operation", ["GetSchedule", "CreateSchedule"])
def test_those_that_hang_fail_alone_however_many_they_are(
    strict_world: World, caplog: pytest.LogCaptureFixture, haste: float, operation: str
) -> None:
    """More threads join where calls take long, be they reads or writes."""
    which = Hanging(30, 50, first=True, seconds=haste)
    check_that_those_fail_alone(strict_world, caplog, operation, which)


@pytest.mark.parametrize("operation", COUNTERS)
def test_every_schedule_is_tried_once_before_any_is_tried_twice(
    strict_world: World, operation: str
) -> None:
    """The first call for each fails at once, and may pass."""
    queries = arrange(strict_world, operation, 30)
    for number in range(30):
        strict_world.faults.put(
            operation, Fault(("ThrottlingException", 429), times=1), f"/pn-{number}"
        )
    assert strict_world.run(queries) == NOTHING_DONE | {COUNTERS[operation]: 30}
    asked = asked_for(strict_world, operation)
    assert len(asked) == 60
    assert len(set(asked[:30])) == 30


def test_which_are_tried_first_differs_from_run_to_run(strict_world: World) -> None:
    """Or many that hang, first by name, could be all that each run gets to."""
    orders = set()
    queries = strict_world.many(OTHER_CRON, 30)
    for _ in range(2):
        strict_world.run(queries)
        orders.add(tuple(asked_for(strict_world, "GetSchedule")))
    assert len(orders) == 2


@pytest.mark.parametrize("operation", ["CreateSchedule", "DeleteSchedule"])
def test_all_are_tried_in_one_run_though_each_is_answered_too_late(
    strict_world: World, haste: float, operation: str
) -> None:
    """The service carries out what it was asked for."""
    queries = arrange(strict_world, operation, 20)
    strict_world.faults.put(operation, Fault(SILENT, served=True))

    def take_time(asked: str, _: AWSPreparedRequest) -> None:
        if asked == operation:
            time.sleep(haste)

    strict_world.faults.rule(take_time)
    strict_world.run(queries)
    assert len(set(asked_for(strict_world, operation))) == 20
    wanted = {} if operation == "DeleteSchedule" else {f"pn-{n}": CRON for n in range(20)}
    assert strict_world.ours() == wanted


def test_waiting_for_its_turn_costs_a_job_no_patience(strict_world: World) -> None:
    """One that fails once at the head of a line of two minutes is tried again at its end."""
    queries = arrange(strict_world, "CreateSchedule", 60)
    failed: list[str] = []

    def take_time(asked: str, _: AWSPreparedRequest) -> None:
        if asked == "CreateSchedule":
            strict_world.time.ahead += 2
            if not failed:
                failed.append(asked)
                raise SILENT

    strict_world.faults.rule(take_time)
    assert strict_world.run(queries) == NOTHING_DONE | {"created": 60}
    assert len(asked_for(strict_world, "CreateSchedule")) == 61


def test_an_answer_that_is_no_error_of_the_services_model_fails_alone(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK makes a redirect an error without a code; no thread ends for it."""
    queries = strict_world.many(OTHER_CRON, 12)
    strict_world.faults.hook("GetSchedule", lambda: response(b"", 300), name="/pn-3")
    done = NOTHING_DONE | {"updated": 11, "failed": 1}
    assert strict_world.run(queries) == done
    [error] = messages(caplog, logging.ERROR)
    assert error.startswith("Failed to read schedule pn-3: ")


def test_what_was_not_tried_in_a_lasting_outage_is_told_so(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its line has nobody else's failure as its own, nor has that of one that was tried."""
    queries = strict_world.many(OTHER_CRON, 20)

    def take_time(asked: str, _: AWSPreparedRequest) -> None:
        if asked == "GetSchedule":
            strict_world.time.sleep(READ_TIMEOUT)

    strict_world.faults.put("GetSchedule", Fault(SILENT))
    strict_world.faults.rule(take_time)
    assert strict_world.run(queries) == NOTHING_DONE | {"failed": 20}
    asked = {f"schedule {name}:" for name in asked_for(strict_world, "GetSchedule")}
    for error in messages(caplog, logging.ERROR):
        was_asked = any(name in error for name in asked)
        assert was_asked is not ("not tried: no call was answered for 30 s" in error)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_system_without_more_threads_does_with_those_there_are(
    strict_world: World, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Without any the run fails, before any write."""
    queries = strict_world.many(OTHER_CRON, 100)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_some(thread: threading.Thread) -> None:
        if thread.daemon and len([one for one in started if one.is_alive()]) >= threads:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    strict_world.git_host.publish({"queries": queries})
    monkeypatch.setattr(index.environment.source, "fetch", lambda *_: BODY)
    monkeypatch.setattr(_git, "parse_config", lambda _: queries)
    monkeypatch.setattr(threading.Thread, "start", start_some)
    if threads:
        assert strict_world.run() == NOTHING_DONE | {"updated": 100}
    else:
        with pytest.raises(CannotReconcileError, match="can't start new thread"):
            strict_world.run()
