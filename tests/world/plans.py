"""A live schedule with every field, and the plans that come of it, for pure tables."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from athena_schedule_manager._schedules import create_request, existing_schedule, update_request
from athena_schedule_manager.schedule_manager import (
    Change,
    Existing,
    Plan,
    desired_state,
    plan_changes,
)
from tests.world.environment import CRON, EXECUTOR_ARN, GROUP, NAME, ROLE_ARN, SETTINGS
from tests.world.model import service_model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

LIVE: dict[str, Any] = {
    "Arn": f"arn:aws:scheduler:eu-south-1:123456789012:schedule/{GROUP}/{NAME}",
    "Name": NAME,
    "GroupName": GROUP,
    "ScheduleExpression": CRON,
    "ScheduleExpressionTimezone": "UTC",
    "Description": "Daily",
    "State": "DISABLED",
    "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
    "Target": {
        "Arn": EXECUTOR_ARN,
        "RoleArn": ROLE_ARN,
        "Input": '{"query_id": "daily-report"}',
        "RetryPolicy": {"MaximumRetryAttempts": 3},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"},
    },
    "KmsKeyArn": "arn:aws:kms:eu-south-1:123456789012:key/1",
    "CreationDate": "then",
    "LastModificationDate": "later",
    "ResponseMetadata": {"HTTPStatusCode": 200},
}
QUERY = {"schedule": CRON, "description": "Daily"}


def existing(*responses: Mapping[str, Any]) -> Existing:
    """Return an existing state of schedules that were all read."""
    typed = cast("list[GetScheduleOutputTypeDef]", responses)
    read = {answer["Name"]: existing_schedule(answer, 0.0) for answer in typed}
    return Existing(frozenset(read), read, {}, group_exists=bool(read))


def plan_of(queries: Mapping[str, object], state: Existing) -> Plan:
    """Return the plan for a document's queries."""
    return plan_changes(*desired_state(queries, SETTINGS), state)


def lines(plan: Plan) -> list[str]:
    """Return what the log would say of a plan."""
    return [change.line for change in plan.changes]


def live_with(**fields: Any) -> dict[str, Any]:
    """Return the live schedule with other fields; a None takes the field away, T_ is the target."""
    response = copy.deepcopy(LIVE)
    for key, value in fields.items():
        place = response["Target"] if key.startswith("T_") else response
        place[key.removeprefix("T_")] = value
        if value is None:
            del place[key.removeprefix("T_")]
    return response


def request_of(change: Change, now: float = 0.0) -> dict[str, Any]:
    """Return what an update would send, or what a create would but for the group."""
    assert change.wanted
    if not change.live:
        return create_request(change.wanted)
    return update_request(change.live, change.wanted, members("UpdateSchedule"), now)


def members(operation: str) -> Collection[str]:
    """Return the members that an operation's request has in botocore's model."""
    names: Collection[str] = service_model().operation_model(operation).input_shape.members
    return names
