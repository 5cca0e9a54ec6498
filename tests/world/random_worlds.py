"""Random worlds: configurations, live schedules, faults, clocks, operators who edit meanwhile.

What must hold in all of them: nothing outside group and prefix changes; a paused schedule stays
paused; the schedule of a broken entry is as before; no field of the operator's is lost; the
counters add up; and when the faults stop, at most two runs reach exactly the wanted state, and the
next writes nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from athena_schedule_manager import _calls, index
from athena_schedule_manager.schedule_manager import (
    DEFAULT_DESCRIPTION,
    CannotReconcileError,
    ScheduleGroup,
    apply_plan,
    make_plan,
    preview_plan,
)
from tests.world.environment import CRON, EXECUTOR_ARN, GROUP, OTHER_CRON, ROLE_ARN, SETTINGS, TRIED
from tests.world.faults import FAULTS, Faults
from tests.world.model import ROUTES, Scheduler
from tests.world.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest

    from athena_schedule_manager.schedule_manager import ExistingSchedule

IDS = ["a", "b", "c", "d", "e", "f.g_H-1"]
REFUSED_BY_AWS = "cron(0 2 ? * MON#6 *)"
BROKEN: list[Any] = [
    None,
    [],
    {},
    {"schedule": 5},
    {"schedule": " "},
    {"schedule": "cron(0 2 * * * *)"},
    {"schedule": CRON, "description": 5},
    {"schedule": CRON, "timezone": ""},
    {"schedule": CRON, "enabled": "yes"},
]
REFUSED: list[Any] = [
    {"schedule": REFUSED_BY_AWS},
    {"schedule": CRON, "timezone": "Mars/Olympus", "enabled": False},
]

expressions = st.sampled_from([CRON, OTHER_CRON, "rate(5 minutes)", "at(2030-01-01T00:00:00)"])
descriptions = st.sampled_from([None, "", "Daily", "x" * 600])
good_queries = st.fixed_dictionaries(
    {"schedule": expressions, "description": descriptions},
    optional={"timezone": st.sampled_from(["UTC", "Europe/Rome"]), "enabled": st.booleans()},
)
queries = st.dictionaries(
    st.sampled_from([*IDS, "", "a b"]),
    st.one_of(good_queries, good_queries, st.sampled_from([*BROKEN, *REFUSED])),
)
# what somebody may have set by hand, in our fields and in the operator's
live_fields = st.fixed_dictionaries(
    {},
    optional={
        "ScheduleExpression": expressions,
        "ScheduleExpressionTimezone": st.sampled_from(["UTC", "Europe/Rome"]),
        "Description": st.sampled_from(["", "Daily", DEFAULT_DESCRIPTION]),
        "State": st.sampled_from(["ENABLED", "DISABLED"]),
        "KmsKeyArn": st.just("arn:aws:kms:eu-south-1:123456789012:key/1"),
        "FlexibleTimeWindow": st.just({"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
        "ActionAfterCompletion": st.just("DELETE"),
        "EndDate": st.just(4_000_000_000),
    },
)
target_fields = st.fixed_dictionaries(
    {},
    optional={
        "Arn": st.just("arn:aws:lambda:eu-south-1:123456789012:function:old"),
        "RoleArn": st.just("arn:aws:iam::123456789012:role/old"),
        "Input": st.sampled_from(["{}", "no JSON", '{"query_id":"a"}']),
        "DeadLetterConfig": st.just({"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"}),
        "RetryPolicy": st.just({"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}),
    },
)
names = st.sampled_from(
    [f"{GROUP}/pn-{query_id}" for query_id in [*IDS, "obsolete"]]
    + [f"{GROUP}/foreign", f"{GROUP}/pn", f"{GROUP}/pnx-a", "default/pn-a", "other/pn-a"]
)
lives = st.dictionaries(names, st.tuples(live_fields, target_fields), min_size=2)
faults = st.dictionaries(
    st.tuples(
        st.sampled_from(list(ROUTES.values())),
        st.sampled_from(["", "", "", *(f"pn-{query_id}" for query_id in IDS)]),
    ),
    st.sampled_from(list(FAULTS)),
    max_size=6,
)
# what an operator does by hand before the n-th call of a run
edits = st.dictionaries(
    st.integers(1, 12),
    st.tuples(
        st.sampled_from(["pause", "resume", "delete", "make again", "start date", "queue"]),
        st.sampled_from(IDS),
    ),
    max_size=4,
)
MONTH = 30 * 86_400
QUEUE = "arn:aws:sqs:eu-south-1:123456789012:by-hand"
OPERATORS = [
    "State",
    "KmsKeyArn",
    "FlexibleTimeWindow",
    "ActionAfterCompletion",
    "EndDate",
    "CreationDate",
]


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

    def begin(
        self,
        lives: dict[str, Any],
        planned: dict[tuple[str, str], str],
        edits: dict[int, tuple[str, str]],
        *,
        group: bool,
        limit: int | None,
    ) -> None:
        """Begin a new world: no two changes in it have the same date."""
        self.limit = limit
        seconds = itertools.count(1)
        self.scheduler = self.faults.scheduler = Scheduler(
            lambda: float(next(seconds)), today=self.time.now
        )
        self.memory: dict[str, ExistingSchedule] = {}
        self.edits = edits
        self.faults.rules.clear()
        for key, (fields, target) in lives.items():
            group_name, _, name = key.partition("/")
            self._create(group_name, name, fields, target)
        if group and GROUP not in self.scheduler.groups:
            self.scheduler.create_schedule_group(GROUP, "token")
        self.before = self.live()
        for (operation, name), kind in planned.items():
            self.faults.put(operation, FAULTS[kind], name)
        TRIED["faults"] += len(planned)
        self.faults.rule(self._live_on)

    def _live_on(self, operation: str, _: AWSPreparedRequest) -> None:
        """Let a call take six seconds, and an operator edit before it.

        Not between the last look at a schedule and its update: nobody can see that.
        """
        self.time.ahead += 6
        edit = self.edits.get(len(self.faults.calls))
        if edit and operation != "UpdateSchedule":
            self._edit(edit[0], f"pn-{edit[1]}")

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
            return 60.0 if calls is None or len(self.faults.calls) < calls else 4.9

        clock = self.time.clock(left)
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


STATES = {True: "ENABLED", False: "DISABLED"}


def input_of(name: str) -> str:
    """Return the input that the executor expects."""
    return json.dumps({"query_id": name.removeprefix("pn-")})


def fate(query_id: str, query: Any) -> str:
    """Return what a query is, told in another way than the code does."""
    if query_id in {"", "a b"} or query in BROKEN:
        return "broken"
    return "refused" if query in REFUSED else "good"


def obsolete(before: dict[str, Any], queries: dict[str, Any]) -> list[str]:
    """Return the keys of the schedules that have no query."""
    prefix = f"{GROUP}/pn-"
    return [key for key in before if key.startswith(prefix) and key[len(prefix) :] not in queries]


def wanted(
    before: dict[str, Any], queries: dict[str, Any], limit: int | None
) -> dict[str, dict[str, Any]]:
    """Return the state that must come of a state and a configuration, without any date."""
    gone = obsolete(before, queries)
    if limit is not None and len(gone) > limit:
        gone = []
    state = {key: dict(schedule) for key, schedule in before.items() if key not in gone}
    for query_id, query in queries.items():
        if fate(query_id, query) == "good":
            key = f"{GROUP}/pn-{query_id}"
            old = state.get(key, {"FlexibleTimeWindow": {"Mode": "OFF"}, "State": "ENABLED"})
            target = {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN, "Input": input_of(query_id)}
            state[key] = old | {
                "ScheduleExpression": query["schedule"],
                "ScheduleExpressionTimezone": query.get("timezone", "UTC"),
                "State": STATES.get(query.get("enabled"), old["State"]),
                "Description": (query["description"] or DEFAULT_DESCRIPTION)[:512],
                "Target": old.get("Target", {}) | target,
            }
    return state


# an update moves a past start date on, or leaves it out
DATES = {"LastModificationDate", "StartDate"}


def same(key: str, found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Compare a schedule with what is expected of it; a new one has the service's defaults too."""
    known = {name: value for name, value in expected.items() if name not in DATES}
    target = expected["Target"]
    found_input = found["Target"]["Input"]
    if key.startswith(f"{GROUP}/pn-") and found_input != target["Input"]:
        try:  # compared as JSON, and left as it is spelled
            found_input = json.dumps(json.loads(found_input))
        except ValueError:
            return False
    actual = {name: found.get(name) for name in known}
    actual["Target"] = {name: found["Target"].get(name) for name in target} | {"Input": found_input}
    known["Target"] = target | {"Input": target["Input"]}
    return actual == known


def check_run(
    results: dict[str, int], log: Log, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Check that the counters, the lines and the changes of the state fit each other."""
    errors = log.count("ERROR", "")
    write_errors = log.count("ERROR", "Failed to create", "Failed to update", "Failed to delete")
    undone = sum(int(m.split()[4]) for _, m in log.lines if m.startswith("Out of time before"))
    races = log.count("WARNING", "Schedule ")
    planned = log.count("INFO", "CREATE", "UPDATE", "DELETE")
    done = results["created"] + results["updated"] + results["deleted"]
    held = sum(int(m.split()[3]) - 1 for _, m in log.lines if m.startswith("Refused to delete"))
    assert results["failed"] == errors + undone + held
    assert 0 <= planned - done - races - write_errors <= undone
    assert results["created"] <= log.count("INFO", "CREATE")
    assert results["updated"] <= log.count("INFO", "UPDATE")
    assert results["deleted"] <= log.count("INFO", "DELETE")
    assert len(before.keys() - after.keys()) <= log.count("INFO", "DELETE")


def check_harmless(queries: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that nothing is lost or altered that must not be, whatever went wrong."""
    for key, schedule in before.items():
        query_id = key.removeprefix(f"{GROUP}/pn-")
        if query_id == key or (query_id in queries and fate(query_id, queries[query_id]) != "good"):
            assert after[key] == schedule
        elif key in after:
            asked = isinstance(queries.get(query_id), dict) and "enabled" in queries[query_id]
            for name in OPERATORS if not asked else OPERATORS[1:]:
                assert after[key].get(name) == schedule.get(name)
            for name in ("RetryPolicy", "DeadLetterConfig"):
                assert after[key]["Target"].get(name) == schedule["Target"].get(name)
        else:
            assert query_id not in queries
    for key in after.keys() - before.keys():
        assert (
            fate(key.removeprefix(f"{GROUP}/pn-"), queries[key.removeprefix(f"{GROUP}/pn-")])
            == "good"
        )


def check_prediction(reconciler: Reconciler, queries: dict[str, Any]) -> None:
    """Check that a dry run changes nothing, and predicts the run that follows but for AWS's no."""
    before = reconciler.live()
    predicted = reconciler.run(queries, dry_run=True)
    assert reconciler.live() == before
    results = reconciler.run(queries)
    assert predicted is not None
    assert results is not None
    lines = [line for line in predicted.pop("changes") if not line.startswith("Kept: ")]
    logged = [m[:1000] for level, m in reconciler.log.lines if level == "ERROR" or m[:6] in ACTIONS]
    if not any(fate(query_id, query) == "refused" for query_id, query in queries.items()):
        assert (results, logged) == (predicted, lines)
    assert sum(results.values()) == sum(predicted.values())


ACTIONS = {"CREATE", "UPDATE", "DELETE"}
WORLD = {
    "queries": queries | st.just({}),
    "lives": lives,
    "planned": faults,
    "edits": edits,
    "group": st.booleans(),
    "calls": st.none() | st.integers(0, 12),
    "limit": st.none() | st.integers(0, 2),
}
RULES = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def live_through(  # noqa: PLR0913, PLR0917 - a world has many sides
    reconciler: Reconciler,
    queries: dict[str, Any],
    lives: dict[str, Any],
    planned: dict[tuple[str, str], str],
    edits: dict[int, tuple[str, str]],
    group: bool,  # noqa: FBT001 - drawn, not passed
    calls: int | None,
    limit: int | None,
) -> None:
    """Run once with faults and little time, then without, and check all that must hold."""
    TRIED["worlds"] += 1
    reconciler.begin(lives, planned, edits, group=group, limit=limit)
    results = reconciler.run(queries, calls)
    before, after = reconciler.before, reconciler.live()
    if results is None:
        assert after == before
        assert reconciler.log.count("ERROR", "") == 0  # the handler logs what is raised
    else:
        check_run(results, reconciler.log, before, after)
        check_harmless(queries, before, after)
    reconciler.faults.rules.clear()
    check_prediction(reconciler, queries)
    reconciler.run(queries)
    healed = reconciler.live()
    expected = wanted(before, queries, limit)
    assert healed.keys() == expected.keys()
    assert [key for key in healed if not same(key, healed[key], expected[key])] == []
    last = reconciler.run(queries)
    failed = sum(fate(query_id, query) != "good" for query_id, query in queries.items())
    failed += len(obsolete(healed, queries))
    assert last == {"created": 0, "updated": 0, "deleted": 0, "failed": failed}
    assert reconciler.live() == healed
