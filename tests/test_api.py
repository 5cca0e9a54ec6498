"""What the API answers on bad days: races become outcomes, failures stay one schedule's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, GROUP, NAME, NOTHING_DONE, OTHER_CRON, QUERIES, messages, response
from tests.world.faults import CONFLICT, CONFLICTS, LASTING, SERVER_ERROR, Fault

if TYPE_CHECKING:
    from tests.world import World

DRIFTED = {"ScheduleExpression": OTHER_CRON}


# --- Listing


@pytest.mark.parametrize("fault", ["denied", "server errors for good"])
def test_a_failing_listing_raises_and_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """No listing, no comparison: one ERROR line, nothing written, also with broken queries."""
    world.create("pn-obsolete")
    before = world.live()
    description = LASTING[fault].description
    world.faults.put("ListSchedules", LASTING[fault])
    with pytest.raises(CannotReconcileError) as raised:
        world.run(QUERIES | {"broken": {}})
    assert str(raised.value) == f"Failed to list schedules of group {GROUP}: {description}"
    assert messages(caplog, logging.ERROR) == [str(raised.value)]
    assert world.live() == before
    assert set(world.faults.calls) == {"ListSchedules"}


# --- The schedule group


def test_a_missing_group_has_no_schedules_and_is_made_for_the_first(world: World) -> None:
    """AWS may answer the listing with ResourceNotFoundException."""
    world.faults.error("ListSchedules", "ResourceNotFoundException", 404)
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}
    assert world.faults.calls == [
        "ListSchedules",
        "GetScheduleGroup",
        "CreateScheduleGroup",
        "CreateSchedule",
    ]
    assert world.ours() == {NAME: CRON}


def test_a_missing_group_is_not_made_for_nothing(world: World) -> None:
    """Without a create there is no need of it."""
    world.faults.error("ListSchedules", "ResourceNotFoundException", 404)
    assert world.run({"broken": {}}) == NOTHING_DONE | {"failed": 1}
    assert world.faults.calls == ["ListSchedules"]


def test_a_listing_that_returned_something_shows_that_the_group_exists(world: World) -> None:
    """No question, and no CreateScheduleGroup on a group that exists."""
    world.create("pn-other")
    assert world.run(QUERIES | {"other": {"schedule": CRON}}) == NOTHING_DONE | {"created": 1}
    assert world.faults.calls == ["ListSchedules", "GetSchedule", "CreateSchedule"]


def test_an_empty_group_is_not_made_again(world: World) -> None:
    """The mock would wipe it; the service would answer ConflictException."""
    world.create_group()
    world.create("foreign")
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}
    assert world.faults.calls == ["ListSchedules", "GetScheduleGroup", "CreateSchedule"]
    assert world.ours().keys() == {NAME, "foreign"}


@pytest.mark.parametrize("fault", ["denied", "server errors for good"])
def test_when_looking_at_the_group_fails_the_creates_will_tell(
    world: World, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """A missing permission to look at a group that exists stops nothing."""
    world.create_group()
    world.faults.put("GetScheduleGroup", LASTING[fault])
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}
    assert "CreateScheduleGroup" not in world.faults.calls
    assert messages(caplog, logging.ERROR) == []


def test_a_group_that_another_run_has_just_made_exists(world: World) -> None:
    """Conflict on CreateScheduleGroup is no failure."""
    world.create_group()
    world.faults.error("GetScheduleGroup", "ResourceNotFoundException", 404)
    world.faults.error("CreateScheduleGroup", "ConflictException", 409)
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}


@pytest.mark.parametrize("fault", ["denied", "server errors for good"])
def test_a_group_that_cannot_be_made_fails_each_create(
    world: World, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Each has its own ERROR line, and no create is tried."""
    description = LASTING[fault].description
    world.faults.put("CreateScheduleGroup", LASTING[fault])
    assert world.run(QUERIES | {"weekly": {"schedule": CRON}}) == NOTHING_DONE | {"failed": 2}
    reason = f"schedule group {GROUP} cannot be created: {description}"
    assert messages(caplog, logging.ERROR) == [
        f"Failed to create schedule {NAME}: {reason}",
        f"Failed to create schedule pn-weekly: {reason}",
    ]
    assert "CreateSchedule" not in world.faults.calls


def test_a_create_in_a_group_that_has_just_vanished_does_not_stop_the_rest(world: World) -> None:
    """The listing showed the group, so nobody asked again."""
    world.create("pn-gone")
    world.faults.error("CreateSchedule", "ResourceNotFoundException", 404)
    assert world.run(QUERIES) == NOTHING_DONE | {"deleted": 1, "failed": 1}


# --- Reading


def test_a_schedule_that_vanishes_before_it_is_read_is_absent(world: World) -> None:
    """It is created again in the same run."""
    world.create(NAME)

    def vanish() -> None:
        world.client.delete_schedule(GroupName=GROUP, Name=NAME)

    world.faults.hook("GetSchedule", vanish, times=1)
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}
    assert world.faults.calls == ["ListSchedules", "GetSchedule", "CreateSchedule"]
    assert world.ours() == {NAME: CRON}


@pytest.mark.parametrize("fault", ["denied", "server errors for good"])
def test_a_schedule_that_cannot_be_read_fails_alone(
    world: World, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """It is left alone, and its neighbours are served."""
    world.create(NAME, **DRIFTED)
    world.create("pn-other", **DRIFTED)
    description = LASTING[fault].description
    world.faults.put("GetSchedule", LASTING[fault], NAME)
    results = world.run(QUERIES | {"other": {"schedule": CRON}})
    assert results == NOTHING_DONE | {"updated": 1, "failed": 1}
    assert world.ours() == {NAME: OTHER_CRON, "pn-other": CRON}
    assert messages(caplog, logging.ERROR) == [f"Failed to read schedule {NAME}: {description}"]


def test_an_answer_that_is_no_schedule_fails_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is that could not be understood."""
    world.create(NAME)
    world.faults.hook("GetSchedule", lambda: response(b'{"Name": "x"}'))
    assert world.run(QUERIES) == NOTHING_DONE | {"failed": 1}
    assert messages(caplog, logging.ERROR) == [
        f"Failed to read schedule {NAME}: an answer that cannot be read (KeyError)"
    ]


# --- Writing


def arrange(world: World, operation: str) -> dict[str, Any]:
    """Arrange that a run makes one write for NAME and one for a neighbour; return the queries."""
    both = {"daily-report": {"schedule": CRON}, "other": {"schedule": CRON}}
    world.create_group()
    if operation != "CreateSchedule":
        world.create(NAME, **DRIFTED)
        world.create("pn-other", **DRIFTED)
    return {} if operation == "DeleteSchedule" else both


WRITES = [
    pytest.param("CreateSchedule", "created", id="create"),
    pytest.param("UpdateSchedule", "updated", id="update"),
    pytest.param("DeleteSchedule", "deleted", id="delete"),
]


@pytest.mark.parametrize(("operation", "counter"), WRITES)
@pytest.mark.parametrize("fault", ["denied", "server errors for good"])
def test_a_write_that_fails_fails_alone_and_the_next_run_makes_it(
    world: World, caplog: pytest.LogCaptureFixture, operation: str, counter: str, fault: str
) -> None:
    """One ERROR line that names the schedule, the service's code and its message."""
    queries = arrange(world, operation)
    before = world.ours()
    rule = world.faults.put(operation, LASTING[fault], NAME)
    assert world.run(queries) == NOTHING_DONE | {counter: 1, "failed": 1}
    verb = operation.removesuffix("Schedule").lower()
    description = LASTING[fault].description
    assert messages(caplog, logging.ERROR) == [f"Failed to {verb} schedule {NAME}: {description}"]
    assert world.ours().get(NAME) == before.get(NAME)
    world.faults.remove(rule)
    assert world.run() == NOTHING_DONE | {counter: 1}
    assert world.run() == NOTHING_DONE


def test_deleting_what_is_gone_is_done(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else was faster; gone is what was wanted."""
    world.create(NAME)
    world.faults.error("DeleteSchedule", "ResourceNotFoundException", 404)
    assert world.run({}) == NOTHING_DONE | {"deleted": 1}
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_updating_what_is_gone_is_failed_and_the_next_run_creates_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As the specification's error table has it."""
    world.create(NAME, **DRIFTED)

    def vanish() -> None:
        world.client.delete_schedule(GroupName=GROUP, Name=NAME)

    world.faults.hook("UpdateSchedule", vanish, times=1)
    assert world.run(QUERIES) == NOTHING_DONE | {"failed": 1}
    [message] = messages(caplog, logging.ERROR)
    assert message.startswith(f"Failed to update schedule {NAME}: ResourceNotFoundException: ")
    assert world.run() == NOTHING_DONE | {"created": 1}


def test_creating_what_exists_is_one_warning_and_the_next_run_compares_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Another run was faster; it may have had another document."""
    world.create_group()

    def be_faster() -> None:
        world.create(NAME, **DRIFTED)

    world.faults.hook("CreateSchedule", be_faster, times=1)
    assert world.run(QUERIES) == NOTHING_DONE
    [warning] = messages(caplog, logging.WARNING)
    assert NAME in warning
    assert messages(caplog, logging.ERROR) == []
    assert world.faults.calls.count("CreateSchedule") == 1
    assert world.run() == NOTHING_DONE | {"updated": 1}


def test_a_look_after_a_conflict_that_is_throttled_is_made_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The create is not: somebody else's schedule is there."""
    world.create_group()
    world.faults.hook("CreateSchedule", lambda: world.create(NAME), times=1)
    world.faults.error("GetSchedule", "ThrottlingException", 429, times=2)
    assert world.run(QUERIES) == NOTHING_DONE
    assert len(messages(caplog, logging.WARNING)) == 1
    assert world.faults.calls.count("CreateSchedule") == 1
    assert world.faults.calls.count("GetSchedule") == 3


@pytest.mark.parametrize(("operation", "counter"), WRITES[1:])
@pytest.mark.parametrize("fault", ["conflict for a while", "conflict for good"])
def test_a_conflict_on_update_or_delete_is_tried_again(
    world: World, caplog: pytest.LogCaptureFixture, operation: str, counter: str, fault: str
) -> None:
    """Shortly after a create it passes; one that lasts fails that schedule."""
    queries = arrange(world, operation)
    world.faults.put(operation, CONFLICTS[fault], NAME)
    failed = int(fault == "conflict for good")
    assert world.run(queries) == NOTHING_DONE | {counter: 2 - failed, "failed": failed}
    assert len(messages(caplog, logging.ERROR)) == failed
    assert world.pauses


@pytest.mark.parametrize(("operation", "counter"), WRITES[:2])
@pytest.mark.parametrize("body", [b"{}", b"", b"[]", b"<html>"])
def test_a_200_without_its_members_is_no_write(
    world: World, operation: str, counter: str, body: bytes
) -> None:
    """Nobody knows who has answered: it is tried again."""
    queries = arrange(world, operation)
    world.faults.hook(operation, lambda: response(body), NAME, times=2)
    assert world.run(queries) == NOTHING_DONE | {counter: 2}
    assert world.faults.calls.count(operation) == 4


@pytest.mark.parametrize("body", [b"{}", b"", b"[]", b"<html>"])
def test_a_200_without_its_members_has_made_no_group(world: World, body: bytes) -> None:
    """The creates would fail, and no one of them says why."""
    world.faults.hook("CreateScheduleGroup", lambda: response(body), times=2)
    assert world.run(QUERIES) == NOTHING_DONE | {"created": len(QUERIES)}
    assert world.faults.calls.count("CreateScheduleGroup") == 3


def test_a_delete_that_vanishes_during_a_conflict_is_done(world: World) -> None:
    """Both races one after the other."""
    world.create(NAME)
    world.faults.error("DeleteSchedule", "ResourceNotFoundException", 404)
    world.faults.error("DeleteSchedule", "ConflictException", 409, times=1)
    assert world.run({}) == NOTHING_DONE | {"deleted": 1}


def test_parameters_that_botocore_itself_refuses_fail_alone(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ParamValidationError is a BotoCoreError, no ClientError."""
    world.create_group()
    wrong = "athena_schedule_manager.schedule_manager.create_request"
    monkeypatch.setattr(wrong, lambda wanted: {"Name": wanted.name, "FlexibleTimeWindow": None})
    assert world.run(QUERIES) == NOTHING_DONE | {"failed": 1}
    [message] = messages(caplog, logging.ERROR)
    assert message.startswith(f"Failed to create schedule {NAME}: ParamValidationError: ")


def test_no_write_before_the_plan_is_whole_and_no_delete_before_the_rest(world: World) -> None:
    """Reads, then creates and updates, then deletes, each phase ended before the next begins."""
    for number in range(20):
        world.create(f"pn-update{number}", **DRIFTED)
        world.create(f"pn-delete{number}")
    queries = {f"update{number}": {"schedule": CRON} for number in range(20)}
    queries |= {f"create{number}": {"schedule": CRON} for number in range(20)}
    world.faults.put("GetSchedule", Fault(SERVER_ERROR, times=3))
    assert world.run(queries) == {"created": 20, "updated": 20, "deleted": 20, "failed": 0}
    phases = {"ListSchedules": 0, "GetSchedule": 1, "CreateSchedule": 2, "UpdateSchedule": 2}
    begun = [phases.get(call, 3) for call in world.faults.calls]
    assert begun == sorted(begun)
    for call, begun_by_then in world.faults.ended:
        assert max(begun[:begun_by_then]) <= phases.get(call, 3)


def test_a_conflict_on_a_create_of_what_is_not_there_is_a_failure(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its group is being deleted, say: no other run has created it, and none says so for ever."""
    world.create("pn-other")
    world.faults.put("CreateSchedule", Fault(CONFLICT))
    queries = QUERIES | {"other": {"schedule": CRON}}
    for _ in range(2):
        caplog.clear()
        assert world.run(queries) == NOTHING_DONE | {"failed": 1}
        [message] = messages(caplog, logging.ERROR)
        assert message.startswith(f"Failed to create schedule {NAME}: ConflictException: ")
        assert messages(caplog, logging.WARNING) == []
