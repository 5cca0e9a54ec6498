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
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from athena_schedule_manager.schedule_manager import CannotReconcileError
from tests.conftest import TRIED
from tests.world import CRON, NOTHING_DONE, OTHER_CRON, error_response, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

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
class Kind:
    """A kind of fault: what the service or the network does, and how many times."""

    error: tuple[str, int] | Exception
    times: int | None = None
    served: bool = False  # the service does what it was asked, and only the answer is lost


SILENT = ReadTimeoutError(endpoint_url="https://scheduler.test")
LOST = ConnectionClosedError(endpoint_url="https://scheduler.test")
PASSING = {
    "throttled for a while": Kind(("ThrottlingException", 429), 7),
    "server errors for a while": Kind(("InternalServerException", 500), 7),
    "connections reset for a while": Kind(LOST, 7),
    "hanging until the read timeout, once": Kind(SILENT, 1),
    "answer lost, once": Kind(LOST, 1, served=True),
}
LASTING = {
    "throttled for good": Kind(("ThrottlingException", 429)),
    "server errors for good": Kind(("InternalServerException", 500)),
    "connections reset for good": Kind(LOST),
    "hanging until the read timeout, always": Kind(SILENT),
    "denied": Kind(("AccessDeniedException", 403)),
    "invalid": Kind(("ValidationException", 400)),
    "quota exceeded": Kind(("ServiceQuotaExceededException", 402)),
}
CONFLICTS = {
    "conflict for a while": Kind(("ConflictException", 409), 3),
    "conflict for good": Kind(("ConflictException", 409)),
}
MISSING = {"not found": Kind(("ResourceNotFoundException", 404))}
KINDS = PASSING | LASTING | CONFLICTS | MISSING


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
CREATE_RACE = Aftermath(less("created", failed=0), warnings=1, live=NOT_CREATED.live)
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
# where a conflict or an absence has a meaning of its own
MEANINGS = {
    ("CreateSchedule", "conflict for a while"): CREATE_RACE,
    ("CreateSchedule", "conflict for good"): CREATE_RACE,
    ("UpdateSchedule", "conflict for a while"): SERVED,
    ("DeleteSchedule", "conflict for a while"): SERVED,
    # no group, so no schedules: those that are wanted are created, and prove to be there
    ("ListSchedules", "not found"): Aftermath(
        ONLY_CREATE, warnings=2, live=WANTED | {"pn-update": OTHER_CRON, "pn-delete": CRON}
    ),
    ("GetSchedule", "not found"): Aftermath(
        less("updated", failed=0), warnings=1, live=NOT_UPDATED.live
    ),
    ("DeleteSchedule", "not found"): Aftermath(ALL_DONE, live=NOT_DELETED.live),
}


def expected(operation: str, kind: str) -> Aftermath:
    """Return what a combination leaves."""
    if (operation, kind) in MEANINGS:
        return MEANINGS[operation, kind]
    if kind not in PASSING:
        return LOSSES[operation]
    if operation.endswith("Group"):
        return Aftermath(ONLY_CREATE, live={"pn-create": CRON})
    return SERVED


def rule(
    world: World, operation: str, kind: Kind
) -> Callable[[str, AWSPreparedRequest], AWSResponse | None]:
    """Return the rule that makes a fault of an operation, on its one schedule."""
    left = [kind.times if kind.times is not None else 10**9]

    def fault(asked: str, request: AWSPreparedRequest) -> AWSResponse | None:
        path = request.url.partition("?")[0]
        if asked != operation or not path.endswith(TARGETS.get(operation, "")) or not left[0]:
            return None
        left[0] -= 1
        if kind.served:
            world.faults.serve(request)
        if isinstance(kind.error, Exception):
            raise kind.error
        return error_response(*kind.error)

    return fault


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_a_fault_leaves_and_how_it_heals(
    strict_world: World, caplog: pytest.LogCaptureFixture, operation: str, kind: str
) -> None:
    """Counters, lines and live schedules; then two runs, and one that writes nothing."""
    arrange(strict_world, operation)
    only_create = operation.endswith("Group")
    queries: dict[str, Any] = {"create": QUERIES["create"]} if only_create else QUERIES
    strict_world.git_host.publish({"queries": queries})
    faults = strict_world.faults
    faults.rule(fault := rule(strict_world, operation, KINDS[kind]))
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_page_of_the_listing_failing(strict_world: World, kind: str) -> None:
    """What does not pass raises, a missing group too, and nothing is changed."""
    strict_world.create_group()
    for number in range(101):
        strict_world.create(f"pn-{number}")
    before = strict_world.live()
    fault = rule(strict_world, "ListSchedules", KINDS[kind])

    def later(asked: str, request: AWSPreparedRequest) -> AWSResponse | None:
        return fault(asked, request) if "NextToken" in request.url else None

    strict_world.faults.rule(later)
    if kind in PASSING:
        assert strict_world.run({"0": {"schedule": CRON}}) == NOTHING_DONE | {"deleted": 100}
        return
    with pytest.raises(CannotReconcileError, match="Failed to list schedules"):
        strict_world.run({})
    assert strict_world.live() == before


def test_the_table_has_all_combinations() -> None:
    """At least forty."""
    assert len(OPERATIONS) * len(KINDS) == 105
