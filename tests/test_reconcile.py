"""The real handler against moto's Scheduler: the specification's story, ownership, convergence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import index
from tests.world import (
    CRON,
    EXECUTOR_ARN,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    QUERIES,
    ROLE_ARN,
    messages,
)

if TYPE_CHECKING:
    from tests.world import World


def test_the_story_of_the_specification(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Add a query, run again, change its cron, remove it: counters, log and schedules."""
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}
    assert world.ours() == {NAME: CRON}
    assert messages(caplog) == [
        "Found 0 existing schedules",
        f"CREATE: {NAME} (cron: {CRON})",
        'Reconciliation complete: {"created": 1, "updated": 0, "deleted": 0, "failed": 0}',
    ]
    caplog.clear()
    assert world.run() == NOTHING_DONE
    assert messages(caplog) == [
        "Found 1 existing schedules",
        'Reconciliation complete: {"created": 0, "updated": 0, "deleted": 0, "failed": 0}',
    ]
    caplog.clear()
    assert world.run({"daily-report": {"schedule": OTHER_CRON}}) == NOTHING_DONE | {"updated": 1}
    assert world.ours() == {NAME: OTHER_CRON}
    assert messages(caplog) == [
        "Found 1 existing schedules",
        f"UPDATE: {NAME} (cron: {CRON} → {OTHER_CRON})",
        'Reconciliation complete: {"created": 0, "updated": 1, "deleted": 0, "failed": 0}',
    ]
    caplog.clear()
    assert world.run({}) == NOTHING_DONE | {"deleted": 1}
    assert world.ours() == {}
    assert messages(caplog) == [
        "Found 1 existing schedules",
        f"DELETE: {NAME} (removed from config)",
        'Reconciliation complete: {"created": 0, "updated": 0, "deleted": 1, "failed": 0}',
    ]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_created_schedule_triggers_the_executor_with_the_query_id(world: World) -> None:
    """Enabled, in UTC, at the exact time, with the execution role."""
    world.run({"daily-report": {"schedule": CRON, "description": "Daily"}})
    schedule = world.live()[f"{GROUP}/{NAME}"]
    assert schedule["State"] == "ENABLED"
    assert schedule["Description"] == "Daily"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["Arn"] == EXECUTOR_ARN
    assert schedule["Target"]["RoleArn"] == ROLE_ARN
    assert schedule["Target"]["Input"] == '{"query_id": "daily-report"}'


def test_creates_updates_and_deletes_in_one_run_are_counted_apart(world: World) -> None:
    """Three creates, two updates, one delete and one failed query: no two numbers are the same."""
    for name in ("pn-u1", "pn-u2", "pn-d1", *(f"pn-same{n}" for n in range(3))):
        world.create(name)
    queries: dict[str, Any] = {f"c{n}": {"schedule": CRON} for n in range(3)}
    queries |= {f"u{n}": {"schedule": OTHER_CRON} for n in (1, 2)}
    queries |= {f"same{n}": {"schedule": CRON} for n in range(3)}
    queries |= {f"broken{n}": {"schedule": "often"} for n in range(4)}
    assert world.run(queries) == {"created": 3, "updated": 2, "deleted": 1, "failed": 4}
    assert world.run() == NOTHING_DONE | {"failed": 4}
    kept = {f"pn-c{n}" for n in range(3)} | {f"pn-same{n}" for n in range(3)}
    assert world.ours().keys() == kept | {"pn-u1", "pn-u2"}


OPERATORS_FIELDS: list[dict[str, Any]] = [
    {"State": "DISABLED"},
    {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}},
    {"KmsKeyArn": "arn:aws:kms:eu-south-1:123456789012:key/1"},
    {"EndDate": 4_000_000_000},
    {"Target": {"RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1}}},
    {"Target": {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"}}},
]


@pytest.mark.parametrize("fields", OPERATORS_FIELDS, ids="-".join)
def test_an_update_keeps_what_the_operator_set(world: World, fields: dict[str, Any]) -> None:
    """A schedule paused by hand stays paused, a dead-letter queue stays attached, and so on."""
    world.create(NAME, ScheduleExpression=OTHER_CRON, Description="Old", **fields)
    before = world.live()[f"{GROUP}/{NAME}"]
    assert world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
    after = world.live()[f"{GROUP}/{NAME}"]
    assert after == before | {
        "ScheduleExpression": CRON,
        "Description": "Managed by Athena Schedule Manager",
    }
    assert world.run() == NOTHING_DONE


def test_pausing_and_resuming_by_the_configuration(world: World) -> None:
    """Without `enabled` the state is the operator's again, so a pause stays when it is removed."""
    paused = {"daily-report": {"schedule": CRON, "enabled": False}}
    resumed = {"daily-report": {"schedule": CRON, "enabled": True}}
    states = []
    for queries in (QUERIES, paused, QUERIES, resumed, QUERIES):
        world.run(queries)
        assert world.run() == NOTHING_DONE
        states.append(world.live()[f"{GROUP}/{NAME}"]["State"])
    assert states == ["ENABLED", "DISABLED", "DISABLED", "ENABLED", "ENABLED"]


def test_a_time_zone_is_set_and_taken_back(world: World) -> None:
    """Absent means UTC."""
    rome = {"daily-report": {"schedule": CRON, "timezone": "Europe/Rome"}}
    zones = []
    for queries in (rome, QUERIES, rome):
        world.run(queries)
        assert world.run() == NOTHING_DONE
        zones.append(world.live()[f"{GROUP}/{NAME}"]["ScheduleExpressionTimezone"])
    assert zones == ["Europe/Rome", "UTC", "Europe/Rome"]


def test_what_the_operator_set_is_no_drift(world: World) -> None:
    """Nothing is written for it."""
    for number, fields in enumerate(OPERATORS_FIELDS):
        world.create(f"pn-{number}", **fields)
    queries = {str(number): {"schedule": CRON} for number in range(len(OPERATORS_FIELDS))}
    assert world.run(queries) == NOTHING_DONE
    assert set(world.faults.calls) == {"ListSchedules", "GetSchedule"}


def test_a_moved_executor_or_role_updates_every_schedule(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No schedule is left firing the old one."""
    world.run({"a": {"schedule": CRON}, "b": {"schedule": CRON}})
    monkeypatch.setenv("QUERY_EXECUTOR_ARN", EXECUTOR_ARN + ":live")
    monkeypatch.setenv("SCHEDULE_ROLE_ARN", ROLE_ARN + "-2")
    assert world.run() == NOTHING_DONE | {"updated": 2}
    targets = [schedule["Target"] for schedule in world.live().values()]
    assert {(t["Arn"], t["RoleArn"]) for t in targets} == {
        (EXECUTOR_ARN + ":live", ROLE_ARN + "-2")
    }


def test_nothing_outside_group_and_prefix_is_touched_or_read(world: World) -> None:
    """Neither others in the group, nor schedules of our names in other groups."""
    world.create(NAME, ScheduleExpression=OTHER_CRON)
    world.create("pn-obsolete")
    foreign = [
        (GROUP, "other-project"),
        (GROUP, "pn"),
        (GROUP, "pnx-report"),
        (GROUP, "PN-report"),
        ("default", NAME),
        ("default", "pn-obsolete"),
        ("other-group", NAME),
        ("other-group", "pn-obsolete"),
    ]
    for group, name in foreign:
        world.create(name, group, ScheduleExpression="rate(1 days)", State="DISABLED")
    keys = {f"{group}/{name}" for group, name in foreign}
    before = {key: schedule for key, schedule in world.live().items() if key in keys}
    assert world.run(QUERIES) == NOTHING_DONE | {"updated": 1, "deleted": 1}
    after = world.live()
    assert {key: after[key] for key in keys} == before
    assert after.keys() - keys == {f"{GROUP}/{NAME}"}
    assert {request["GroupName"] for request in world.faults.requests} == {GROUP}
    assert world.faults.calls.count("GetSchedule") == 1


def test_group_and_project_come_from_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another project has its own group and prefix, and leaves pn alone."""
    world.run(QUERIES)
    monkeypatch.setenv("SCHEDULE_GROUP_NAME", "acme-group")
    monkeypatch.setenv("PROJECT_NAME", "acme")
    assert world.run({"weekly": {"schedule": CRON}}) == NOTHING_DONE | {"created": 1}
    assert set(world.live()) == {f"{GROUP}/{NAME}", "acme-group/acme-weekly"}


@pytest.mark.parametrize(
    "query",
    [
        None,
        "cron(0 3 * * ? *)",
        {},
        {"schedule": ""},
        {"schedule": 5},
        {"schedule": "cron(0 3 * * * *)"},
        {"schedule": OTHER_CRON, "description": 5},
        {"schedule": "x" * 257},
    ],
    ids=repr,
)
def test_a_broken_entry_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture, query: object
) -> None:
    """Its live schedule stays exactly as it is, one ERROR line, and its neighbour is served."""
    world.create(NAME, State="DISABLED", Description="by hand")
    before = world.live()
    queries = {"daily-report": query, "other": {"schedule": CRON}}
    assert world.run(queries) == NOTHING_DONE | {"created": 1, "failed": 1}
    after = world.live()
    assert after.pop(f"{GROUP}/pn-other")["ScheduleExpression"] == CRON
    assert after == before
    [message] = messages(caplog, logging.ERROR)
    assert "'daily-report'" in message
    assert world.run() == NOTHING_DONE | {"failed": 1}
    assert world.live()[f"{GROUP}/{NAME}"] == before[f"{GROUP}/{NAME}"]


def test_an_entry_with_an_impossible_name_is_not_sent(world: World) -> None:
    """It fails, and nothing is shortened or rewritten."""
    queries = {"": {"schedule": CRON}, "x" * 62: {"schedule": CRON}, "a b": {"schedule": CRON}}
    assert world.run(queries) == NOTHING_DONE | {"failed": 3}
    assert world.faults.calls == ["ListSchedules"]


def test_obsolete_and_broken_schedules_are_not_read(world: World) -> None:
    """Only what must be compared costs a GetSchedule."""
    world.create("pn-obsolete")
    world.create("pn-broken")
    world.create(NAME)
    world.run(QUERIES | {"broken": {"schedule": "often"}})
    names = [request.get("Name") for request in world.faults.requests]
    assert list(zip(world.faults.calls, names, strict=True)) == [
        ("ListSchedules", None),
        ("GetSchedule", NAME),
        ("DeleteSchedule", "pn-obsolete"),
    ]


def test_the_client_is_made_once_per_execution_environment(world: World) -> None:
    """With one attempt a call, short timeouts and the connections that the threads need."""
    world.run(QUERIES)
    client = index.environment.scheduler_client()
    world.run()
    assert index.environment.scheduler_client() is client
    config: Any = client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout) == (3, 5)
    assert config.max_pool_connections == 16
