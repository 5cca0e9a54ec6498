"""The model of the Scheduler that the fault suite trusts, held against botocore and the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.world import CRON, EXECUTOR_ARN, GROUP, NAME, ROLE_ARN
from tests.world.model import ROUTES, Scheduler, service_model

if TYPE_CHECKING:
    from tests.world import World

REQUEST: dict[str, Any] = {
    "Name": NAME,
    "GroupName": GROUP,
    "ScheduleExpression": CRON,
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN},
}


def refusal(call: Any, **request: Any) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    return str(raised.value.response["Error"]["Code"])


def test_every_operation_of_the_model_is_the_services() -> None:
    """With the method and the path that botocore's model has for it."""
    for (method, kind, named), operation in ROUTES.items():
        http = service_model().operation_model(operation).http
        path = f"/{kind}/{{Name}}" if named else f"/{kind}"
        assert (http["method"], http["requestUri"]) == (method, path)


def test_an_unknown_group_is_an_error_everywhere(strict_world: World) -> None:
    """Where the mock lists nothing, or crashes."""
    client = strict_world.client
    found = [
        refusal(client.list_schedules, GroupName="no"),
        refusal(client.get_schedule, GroupName="no", Name=NAME),
        refusal(client.create_schedule, **REQUEST | {"GroupName": "no"}),
        refusal(client.update_schedule, **REQUEST | {"GroupName": "no"}),
        refusal(client.delete_schedule, GroupName="no", Name=NAME),
        refusal(client.get_schedule_group, Name="no"),
    ]
    assert set(found) == {"ResourceNotFoundException"}


def test_what_exists_is_not_created_again(strict_world: World) -> None:
    """Neither group nor schedule; the mock would empty the group."""
    strict_world.create(NAME)
    assert refusal(strict_world.client.create_schedule_group, Name=GROUP) == "ConflictException"
    assert refusal(strict_world.client.create_schedule, **REQUEST) == "ConflictException"
    assert list(strict_world.live()) == [f"{GROUP}/{NAME}"]


def test_a_create_repeated_with_its_token_is_the_same_create(strict_world: World) -> None:
    """As when botocore tries again after a lost answer."""
    strict_world.create_group()
    for _ in range(2):
        strict_world.client.create_schedule(**REQUEST, ClientToken="same")
    assert refusal(strict_world.client.create_schedule, **REQUEST) == "ConflictException"


def test_an_update_resets_what_it_leaves_out(strict_world: World) -> None:
    """State, zone, description, retry policy and dead-letter queue."""
    target = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"}}
    strict_world.create(
        NAME, State="DISABLED", ScheduleExpressionTimezone="Europe/Rome", Target=target
    )
    strict_world.client.update_schedule(**REQUEST)
    [schedule] = strict_world.live().values()
    assert schedule["State"] == "ENABLED"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert "Description" not in schedule
    assert "DeadLetterConfig" not in schedule["Target"]


@pytest.mark.parametrize(
    "member",
    [
        {"Name": "a b"},
        {"Name": "x" * 65},
        {"ScheduleExpression": "often"},
        {"ScheduleExpression": "cron(0 2 ? * MON#6 *)"},
        {"ScheduleExpression": f"{CRON}{' ' * 256}"},
        {"Description": "x" * 513},
        {"State": "PAUSED"},
        {"ScheduleExpressionTimezone": "Mars/Olympus"},
        {"FlexibleTimeWindow": {"Mode": "SOMETIMES"}},
        {"Target": {"Arn": EXECUTOR_ARN, "RoleArn": "no role"}},
    ],
    ids=repr,
)
def test_limits_are_enforced(strict_world: World, member: dict[str, Any]) -> None:
    """Where the mock takes anything."""
    strict_world.create(NAME)
    for call in (strict_world.client.create_schedule, strict_world.client.update_schedule):
        assert refusal(call, **REQUEST | member) == "ValidationException"


def test_a_listing_has_pages_a_prefix_and_no_expression(strict_world: World) -> None:
    """In all groups when none is named."""
    names = [f"pn-{number:03}" for number in range(250)]
    for name in names:
        strict_world.create(name)
    strict_world.create("other")
    strict_world.create("pn-x", "default")
    pages = list(
        strict_world.client.get_paginator("list_schedules").paginate(
            GroupName=GROUP, NamePrefix="pn-"
        )
    )
    assert [len(page["Schedules"]) for page in pages] == [100, 100, 50]
    assert [s["Name"] for page in pages for s in page["Schedules"]] == names
    assert "ScheduleExpression" not in pages[0]["Schedules"][0]
    assert len(strict_world.live()) == 252


def test_dates_have_milliseconds_and_move_with_each_change() -> None:
    """The creation date stays."""
    now = [1.2345]
    scheduler = Scheduler(lambda: now[0])
    scheduler.create_schedule_group(GROUP, "token")
    request = {key: value for key, value in REQUEST.items() if key != "Name"}
    scheduler.create_schedule(NAME, "token", **request)
    now[0] = 9.8764
    scheduler.update_schedule(NAME, "token", **request)
    schedule = scheduler.get_schedule(NAME, GROUP)
    assert (schedule["CreationDate"], schedule["LastModificationDate"]) == (1.234, 9.876)
