"""The fault table: every operation of the API by every kind of fault, asserted by state.

Each row tells what the run returns, how many ERROR and WARNING lines it logs, and which schedules
live afterwards; and whatever the fault was, two runs without it reach exactly the wanted state, and
the next writes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, NOTHING_DONE, OTHER_CRON, messages
from tests.world.environment import TRIED
from tests.world.faults import FAULTS, TRANSIENT

if TYPE_CHECKING:
    from tests.world import World

QUERIES = {name: {"schedule": CRON} for name in ("create", "update", "same")}
BEFORE = {"pn-update": OTHER_CRON, "pn-delete": CRON, "pn-same": CRON}
WANTED = {"pn-create": CRON, "pn-update": CRON, "pn-same": CRON}
ALL_DONE = {"created": 1, "updated": 1, "deleted": 1, "failed": 0}
TARGETS = {
    "GetSchedule": "pn-update",
    "CreateSchedule": "pn-create",
    "UpdateSchedule": "pn-update",
    "DeleteSchedule": "pn-delete",
}
OPERATIONS = ["ListSchedules", *TARGETS, "GetScheduleGroup", "CreateScheduleGroup"]


@dataclass(frozen=True)
class Aftermath:
    """What a run leaves: its counters (None: it raises), its lines, and the live schedules."""

    results: dict[str, int] | None
    errors: int = 0
    warnings: int = 0
    live: dict[str, str] | None = None


def less(counter: str, failed: int = 1) -> dict[str, int]:
    """Return the counters of a run in which one change was not made."""
    return ALL_DONE | {counter: 0, "failed": failed}


SERVED = Aftermath(ALL_DONE, live=WANTED)
RAISED = Aftermath(None, errors=1, live=BEFORE)
NOT_CREATED = Aftermath(less("created"), 1, live={"pn-update": CRON, "pn-same": CRON})
NOT_UPDATED = Aftermath(less("updated"), 1, live=WANTED | {"pn-update": OTHER_CRON})
NOT_DELETED = Aftermath(less("deleted"), 1, live=WANTED | {"pn-delete": CRON})
ONLY_CREATE = {"created": 1, "updated": 0, "deleted": 0, "failed": 0}

# what happens when the fault does not pass
LOSSES = {
    "ListSchedules": RAISED,
    "GetSchedule": NOT_UPDATED,
    "CreateSchedule": NOT_CREATED,
    "UpdateSchedule": NOT_UPDATED,
    "DeleteSchedule": NOT_DELETED,
    "GetScheduleGroup": Aftermath(ONLY_CREATE, live={"pn-create": CRON}),
    "CreateScheduleGroup": Aftermath(NOTHING_DONE | {"failed": 1}, 1, live={}),
}
# where an answer has a meaning of its own
MEANINGS = {
    ("UpdateSchedule", "conflict for a while"): SERVED,
    ("DeleteSchedule", "conflict for a while"): SERVED,
    ("UpdateSchedule", "conflict for 20 s"): SERVED,
    ("DeleteSchedule", "conflict for 20 s"): SERVED,
    # another run has made the group meanwhile, says the answer; but there is none
    **{
        ("CreateScheduleGroup", kind): Aftermath(NOTHING_DONE | {"failed": 1}, 1, live={})
        for kind in ("conflict for a while", "conflict for 20 s", "conflict for good")
    },
    # no group, so no schedules: those that are wanted are created, and prove to be there
    ("ListSchedules", "not found"): Aftermath(
        ONLY_CREATE, warnings=2, live=WANTED | {"pn-update": OTHER_CRON, "pn-delete": CRON}
    ),
    # absent, so it is created; which answers Conflict, and is then not there to be read
    ("GetSchedule", "not found"): Aftermath(less("updated"), 1, live=NOT_UPDATED.live),
    ("DeleteSchedule", "not found"): Aftermath(ALL_DONE, live=NOT_DELETED.live),
}


def expected(operation: str, kind: str) -> Aftermath:
    """Return what a combination leaves."""
    if (operation, kind) in MEANINGS:
        return MEANINGS[operation, kind]
    if kind not in TRANSIENT:
        return LOSSES[operation]
    if operation.endswith("Group"):
        return Aftermath(ONLY_CREATE, live={"pn-create": CRON})
    return SERVED


def arrange(world: World, operation: str) -> None:
    """Make the group and its schedules, or none of it when the fault is the group's."""
    if operation == "CreateScheduleGroup":
        return
    world.create_group()
    if operation != "GetScheduleGroup":
        for name, cron in BEFORE.items():
            world.create(name, ScheduleExpression=cron)


def count(caplog: pytest.LogCaptureFixture) -> tuple[int, int]:
    """Return the numbers of ERROR and WARNING lines."""
    return len(messages(caplog, logging.ERROR)), len(messages(caplog, logging.WARNING))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_a_fault_leaves_and_that_the_next_runs_correct_it(
    strict_world: World, caplog: pytest.LogCaptureFixture, operation: str, kind: str
) -> None:
    """Counters, lines and live schedules; then two runs, and one that writes nothing."""
    arrange(strict_world, operation)
    only_create = operation.endswith("Group")
    queries: dict[str, Any] = {"create": QUERIES["create"]} if only_create else QUERIES
    strict_world.git_host.publish({"queries": queries})
    faults = strict_world.faults
    fault = faults.put(operation, FAULTS[kind], TARGETS.get(operation, ""))
    after = expected(operation, kind)
    if after.results is None:
        with pytest.raises(CannotReconcileError):
            strict_world.run()
    else:
        assert strict_world.run() == after.results
    assert count(caplog) == (after.errors, after.warnings)
    assert strict_world.ours() == after.live
    TRIED["faults"] += 1
    faults.remove(fault)
    for _ in range(2):
        assert strict_world.run()["failed"] == 0
    assert strict_world.ours() == {name: WANTED[name] for name in (f"pn-{q}" for q in queries)}
    assert strict_world.run() == NOTHING_DONE
    assert set(faults.calls) <= {"ListSchedules", "GetSchedule"}
