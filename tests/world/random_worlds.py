"""Random worlds: configurations, live schedules, faults, clocks, operators who edit meanwhile.

What must hold in all of them: nothing outside group and prefix changes; a paused schedule stays
paused; the schedule of a broken entry is as before; no field of the operator's is lost; the
counters add up; what was frozen writes nothing later; and when the faults stop, at most two runs
reach exactly the wanted state, and the next writes nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from athena_schedule_manager import _calls, index
from athena_schedule_manager._schedules import DEFAULT_DESCRIPTION
from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.schedule_manager import (
    ScheduleGroup,
    apply_plan,
    make_plan,
    preview_plan,
)
from tests.world.environment import CRON, EXECUTOR_ARN, GROUP, ROLE_ARN, SETTINGS, TRIED, shown
from tests.world.faults import FAULTS, SERVER_ERROR, Faults, error_response
from tests.world.model import Scheduler
from tests.world.promises import (
    check_harmless,
    check_listing,
    check_run,
    fate,
    input_of,
    obsolete,
    same,
    wanted,
)
from tests.world.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from athena_schedule_manager._schedules import ExistingSchedule
    from tests.world.draws import RandomWorld

MONTH = 30 * 86_400
QUEUE = "arn:aws:sqs:eu-south-1:123456789012:by-hand"


class Log(logging.Handler):
    """What a run has logged, by level."""

    def __init__(self) -> None:
        """Listen to the manager."""
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append((record.levelname, record.getMessage()))

    def count(self, level: str, *starts: str) -> int:
        """Count the lines of a level that start so."""
        return sum(line[0] == level and line[1].startswith(starts) for line in self.lines)


class Reconciler:
    """The real core with the real client, before the strict model of the Scheduler."""

    def __init__(self) -> None:
        """Make the client, which is what takes time."""
        self.log = Log()
        self.client = index.environment.scheduler_client()
        self.time = VirtualTime()
        self.faults = Faults(self.client, Scheduler(), self.time.monotonic)

    def begin(self, world: RandomWorld) -> None:
        """Begin a new world: no two changes in it have the same date."""
        self.limit = world.limit
        seconds = itertools.count(1)
        self.scheduler = self.faults.scheduler = Scheduler(
            lambda: float(next(seconds)), today=self.time.now
        )
        self.scheduler.page_size = world.page
        self.memory: dict[str, ExistingSchedule] = {}
        self.edits = world.edits
        self.freeze = world.freeze
        self.is_frozen = self.pause_freezes = False
        self.thawed = threading.Event()
        self.faults.rules.clear()
        for key, (fields, target) in world.lives.items():
            group_name, _, name = key.partition("/")
            self._create(group_name, name, fields, target)
        if world.has_group and GROUP not in self.scheduler.groups:
            self.scheduler.create_schedule_group(GROUP, "token")
        self.before = self.live()
        for (operation, name), (kind, after) in world.faults.items():
            self.faults.put(operation, replace(FAULTS[kind], after=after), name)
        TRIED["faults"] += len(world.faults)
        self.faults.rule(self._live_on)

    def _live_on(self, operation: str, request: AWSPreparedRequest) -> AWSResponse | None:
        """Let a call take six seconds, an operator edit before it, and the process be frozen in it.

        No edit comes between the last look at a schedule and its update: nobody can see that.
        """
        self.time.ahead += 6
        edit = self.edits.get(len(self.faults.calls))
        if edit and operation != "UpdateSchedule":
            self._edit(edit[0], f"pn-{edit[1]}")
        if not self.freeze or len(self.faults.calls) != self.freeze[0]:
            return None
        (_, kind), self.freeze = self.freeze, None
        if kind == "after it is served":
            self.faults.serve(request)
        self.pause_freezes = kind == "in the pause after it"
        if not self.pause_freezes:
            self._stand_still()
        return error_response(*SERVER_ERROR)

    def _stand_still(self) -> None:
        TRIED["freezes"] += 1
        self.is_frozen = True
        self.thawed.wait(20)

    def _sleep(self, seconds: float) -> None:
        if self.pause_freezes:
            self.pause_freezes = False
            self._stand_still()
        self.time.sleep(seconds)

    def thaw(self) -> None:
        """Let go on what was frozen when its run was given up: it makes no further call."""
        calls, live = list(self.faults.calls), self.live()
        self.is_frozen = False
        self.thawed.set()
        self.faults.wait_for_threads()
        assert (self.faults.calls, self.live()) == (calls, live)

    def _edit(self, kind: str, name: str) -> None:
        group, key = self.scheduler.groups.get(GROUP, {}), f"{GROUP}/{name}"
        if name not in group:
            return
        if kind == "delete":
            del group[name], self.before[key]
            return
        if kind == "make again":
            del group[name]
            self._create(GROUP, name, {"State": "DISABLED"}, {})
        else:
            self._create_again(name, kind)
        self.before[key] = dict(group[name])

    def _create_again(self, name: str, kind: str) -> None:
        old = self.scheduler.groups[GROUP][name]
        changes: dict[str, dict[str, Any]] = {
            "pause": {"State": "DISABLED"},
            "resume": {"State": "ENABLED"},
            "start date": {"StartDate": self.time.now() - MONTH},
            "queue": {"Target": old["Target"] | {"DeadLetterConfig": {"Arn": QUEUE}}},
        }
        modified = {"LastModificationDate": self.scheduler.now()}
        self.scheduler.groups[GROUP][name] = old | changes[kind] | modified

    def _create(
        self, group: str, name: str, fields: dict[str, Any], target: dict[str, Any]
    ) -> None:
        if group not in self.scheduler.groups:
            self.scheduler.create_schedule_group(group, "token")
        members = {
            "ScheduleExpression": CRON,
            "Description": DEFAULT_DESCRIPTION,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            **fields,
            "Target": {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN, "Input": input_of(name), **target},
        }
        self.scheduler.create_schedule(name, "token", group, **members)

    def run(
        self, queries: dict[str, Any], calls: int | None = None, *, dry_run: bool = False
    ) -> dict[str, Any] | None:
        """Run once, with time for so many calls; None if it raises what it may raise."""
        self.faults.calls.clear()
        self.log.lines.clear()

        def left() -> float:
            if self.is_frozen:
                return 1.9
            return 60.0 if calls is None or len(self.faults.calls) < calls else 4.9

        clock = self.time.clock(left, sleep=self._sleep)
        settings = replace(SETTINGS, max_deletions=self.limit)
        group = ScheduleGroup(self.client, settings, clock)
        try:
            plan = make_plan(group, queries, self.memory)
            return preview_plan(plan) if dry_run else apply_plan(group, plan)
        except CannotReconcileError:
            return None
        finally:
            clock.ended = True

    def live(self) -> dict[str, dict[str, Any]]:
        """Return all schedules, by group/name."""
        groups = self.scheduler.groups.items()
        return {f"{group}/{name}": dict(s) for group, found in groups for name, s in found.items()}


@contextlib.contextmanager
def reconciling() -> Iterator[Reconciler]:
    """Give a reconciler that never waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_calls, "THREADS", 1)  # so that what happens between two calls is known
        made = Reconciler()
        logger = logging.getLogger("athena_schedule_manager")
        logger.setLevel(logging.INFO)
        logger.addHandler(made.log)
        yield made
        logger.removeHandler(made.log)
    index.environment = index.ExecutionEnvironment()


def check_prediction(reconciler: Reconciler, queries: dict[str, Any]) -> None:
    """Check that a dry run changes nothing, and predicts the run that follows but for AWS's no."""
    before = reconciler.live()
    predicted = reconciler.run(queries, dry_run=True)
    assert reconciler.live() == before
    results = reconciler.run(queries)
    assert predicted is not None
    assert results is not None
    lines = [line for line in shown(predicted) if not line.startswith("Kept: ")]
    del predicted["changes"]
    logged = [m[:1000] for level, m in reconciler.log.lines if level == "ERROR" or m[:6] in ACTIONS]
    if not any(fate(query_id, query) == "refused" for query_id, query in queries.items()):
        assert (results, sorted(logged)) == (predicted, sorted(lines))
    assert sum(results.values()) == sum(predicted.values())


ACTIONS = {"CREATE", "UPDATE", "DELETE"}
RULES = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def live_through(reconciler: Reconciler, world: RandomWorld) -> None:
    """Run once with faults and little time, then without, and check all that must hold."""
    TRIED["worlds"] += 1
    reconciler.begin(world)
    queries = world.queries
    first = set(reconciler.before)
    results = reconciler.run(queries, world.calls)
    before, after = reconciler.before, reconciler.live()
    if results is None:
        assert after == before
        assert reconciler.log.count("ERROR", "") == 0  # the handler logs what is raised
    else:
        check_run(results, reconciler.log, before, after)
        if world.faults.get(("ListSchedules", ""), ("", 0))[0] != "not found":
            check_listing(reconciler.log, first & before.keys())
        check_harmless(queries, before, after)
    reconciler.faults.rules.clear()
    reconciler.thaw()
    check_prediction(reconciler, queries)
    reconciler.run(queries)
    settled = reconciler.live()
    expected = wanted(before, queries, world.limit)
    assert settled.keys() == expected.keys()
    assert [key for key in settled if not same(key, settled[key], expected[key])] == []
    last = reconciler.run(queries)
    failed = sum(fate(query_id, query) != "good" for query_id, query in queries.items())
    failed += len(obsolete(settled, queries))
    assert last == {"created": 0, "updated": 0, "deleted": 0, "failed": failed}
    assert reconciler.live() == settled
