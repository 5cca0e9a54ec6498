"""Warm runs read only what moved: exact numbers of calls, and that nothing stale is believed."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager import _calls, index
from tests.world import CRON, GROUP, NAME, NOTHING_DONE, OTHER_CRON, QUERIES, response

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from tests.world import World
    from tests.world.virtual_time import VirtualTime


@pytest.fixture
def time_of_day(strict_world: World) -> VirtualTime:
    """Return the manager's time in the strict world; the service has the real one."""
    return strict_world.time


def queries(count: int, cron: str = CRON) -> dict[str, dict[str, str]]:
    """Return so many queries."""
    return {f"q{number:03}": {"schedule": cron} for number in range(count)}


def remember(world: World, count: int) -> None:
    """Make so many schedules, and read them when they are old enough to be remembered."""
    world.run(queries(count))
    world.time.ahead = 120
    assert world.run() == NOTHING_DONE


@pytest.mark.parametrize("count", [1, 100, 101])
def test_with_nothing_changed_a_warm_run_only_lists(strict_world: World, count: int) -> None:
    """One call for a hundred schedules, and no other."""
    remember(strict_world, count)
    assert strict_world.faults.calls.count("GetSchedule") == count
    for _ in range(3):
        assert strict_world.run() == NOTHING_DONE
        assert strict_world.faults.calls == ["ListSchedules"] * -(-count // 100)


def test_a_run_with_another_limit_forgets_nothing(strict_world: World) -> None:
    """The limit is not what schedules are compared with."""
    remember(strict_world, 5)
    for event in ({"max_deletions": 5}, {}):
        assert strict_world.run(event=event) == NOTHING_DONE
        assert strict_world.faults.calls == ["ListSchedules"]


def test_one_schedule_edited_by_hand_costs_one_get_and_one_update(strict_world: World) -> None:
    """And the run after the update reads it once more."""
    remember(strict_world, 5)
    edited = strict_world.live()[f"{GROUP}/pn-q003"]
    for key in ("Arn", "CreationDate"):
        del edited[key]
    time.sleep(0.002)
    strict_world.client.update_schedule(**edited | {"ScheduleExpression": OTHER_CRON})
    assert strict_world.run() == NOTHING_DONE | {"updated": 1}
    assert strict_world.faults.calls == ["ListSchedules", "GetSchedule", "UpdateSchedule"]
    assert strict_world.run() == NOTHING_DONE
    assert strict_world.faults.calls == ["ListSchedules", "GetSchedule"]
    assert strict_world.run() == NOTHING_DONE
    assert strict_world.faults.calls == ["ListSchedules"]


def test_a_warm_run_still_sees_what_the_configuration_changes(
    strict_world: World, time_of_day: VirtualTime
) -> None:
    """What it remembers it reads again before it updates it, with every field of the operator's."""
    target = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"}}
    strict_world.create(NAME, State="DISABLED", Target=target)
    strict_world.create("pn-old")
    time_of_day.ahead = 120
    strict_world.run(QUERIES | {"old": {"schedule": CRON}})
    before = strict_world.live()[f"{GROUP}/{NAME}"]
    changed = {"daily-report": {"schedule": OTHER_CRON}, "new": {"schedule": CRON}}
    assert strict_world.run(changed) == {"created": 1, "updated": 1, "deleted": 1, "failed": 0}
    assert strict_world.faults.calls.count("GetSchedule") == 1
    after = strict_world.live()
    assert after[f"{GROUP}/{NAME}"] == before | {"ScheduleExpression": OTHER_CRON}
    assert after.keys() == {f"{GROUP}/{NAME}", f"{GROUP}/pn-new"}


@pytest.mark.parametrize(("ahead", "gets"), [(59.0, 1), (61.0, 0)])
def test_what_was_modified_in_the_last_minute_before_it_was_read_is_not_remembered(
    strict_world: World, time_of_day: VirtualTime, ahead: float, gets: int
) -> None:
    """A second change could bear the same date."""
    strict_world.create(NAME)
    time_of_day.stop()
    time_of_day.ahead = ahead
    strict_world.run(QUERIES)
    strict_world.run()
    assert strict_world.faults.calls.count("GetSchedule") == gets


def test_a_minute_that_reading_takes_does_not_make_a_change_older(strict_world: World) -> None:
    """What was modified right before the first read could be modified again at that date."""
    strict_world.create(NAME)

    def answer_slowly(operation: str, _: AWSPreparedRequest) -> None:
        if operation == "GetSchedule":
            strict_world.time.ahead += 61

    strict_world.faults.rule(answer_slowly)
    strict_world.run(QUERIES)
    strict_world.run()
    assert strict_world.faults.calls == ["ListSchedules", "GetSchedule"]


def test_what_is_gone_or_no_longer_wanted_is_forgotten(
    strict_world: World, time_of_day: VirtualTime
) -> None:
    """Memory does not grow."""
    for number in range(3):
        strict_world.create(f"pn-q{number:03}")
    time_of_day.ahead = 120
    memory = index.environment.memory(index.read_settings(os.environ))
    strict_world.run(queries(3))
    assert list(memory) == ["pn-q000", "pn-q001", "pn-q002"]
    strict_world.client.delete_schedule(GroupName=GROUP, Name="pn-q001")
    strict_world.run({"q000": {"schedule": CRON}, "q001": {"schedule": CRON}})
    assert list(memory) == ["pn-q000"]
    strict_world.run({})
    assert list(memory) == []


def test_a_schedule_that_could_not_be_read_is_not_remembered(
    strict_world: World, time_of_day: VirtualTime
) -> None:
    """It is read again."""
    strict_world.create(NAME)
    time_of_day.ahead = 120
    strict_world.faults.error("GetSchedule", "AccessDeniedException", 403, times=1)
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"failed": 1}
    assert strict_world.run() == NOTHING_DONE
    assert strict_world.faults.calls == ["ListSchedules", "GetSchedule"]


def test_other_settings_remember_nothing_of_these(
    strict_world: World, time_of_day: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same names in another group are other schedules."""
    strict_world.create(NAME)
    strict_world.create(NAME, "other-group", ScheduleExpression=OTHER_CRON)
    time_of_day.ahead = 120
    strict_world.run(QUERIES)
    monkeypatch.setenv("SCHEDULE_GROUP_NAME", "other-group")
    assert strict_world.run() == NOTHING_DONE | {"updated": 1}


def test_reads_that_never_fit_into_one_invocation_still_come_to_an_end(
    strict_world: World, time_of_day: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run goes on from where the one before was stopped, whichever schedules come first."""
    monkeypatch.setattr(_calls, "THREADS", 1)
    for number in range(10):
        strict_world.create(f"pn-q{number:03}", ScheduleExpression=OTHER_CRON)
    time_of_day.ahead = 120
    strict_world.git_host.publish({"queries": queries(10)})
    failed = [strict_world.run(left=strict_world.left_for(5))["failed"] for _ in range(12)]
    assert failed[:2] == [10, 10]
    assert failed == sorted(failed, reverse=True)
    assert failed[-1] == 0
    assert set(strict_world.ours().values()) == {CRON}


def test_a_dry_run_forgets_nothing(strict_world: World) -> None:
    """A candidate may want less than the published document."""
    remember(strict_world, 3)
    strict_world.run({}, event={"dry_run": True})
    strict_world.run(queries(3))
    assert strict_world.faults.calls == ["ListSchedules"]


def test_a_schedule_without_a_date_is_compared_and_not_remembered(
    strict_world: World, time_of_day: VirtualTime
) -> None:
    """The service's model does not require one."""
    strict_world.create(NAME)
    time_of_day.ahead = 120
    body = json.dumps(
        {
            "Name": NAME,
            "ScheduleExpression": OTHER_CRON,
            "Target": {"Arn": "a", "RoleArn": "r"},
            "FlexibleTimeWindow": {"Mode": "OFF"},
        }
    ).encode()
    listing = json.dumps({"Schedules": [{"Name": NAME}]}).encode()
    strict_world.faults.hook("ListSchedules", lambda: response(listing))
    strict_world.faults.hook("GetSchedule", lambda: response(body))
    for _ in range(2):
        assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
        assert "GetSchedule" in strict_world.faults.calls
