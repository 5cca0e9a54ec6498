"""Every field that is sent or compared, held against botocore's own model of the service."""

from __future__ import annotations

import string
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from athena_schedule_manager import _expressions, _schedules, schedule_manager
from athena_schedule_manager._schedules import Schedule, existing_schedule, update_request
from tests.world import OTHER_CRON, SETTINGS
from tests.world.plans import QUERY, existing, live_with, plan_of, request_of


@pytest.fixture(scope="session")
def model() -> Any:
    """Return botocore's model of EventBridge Scheduler."""
    return boto3.client("scheduler", region_name="eu-south-1").meta.service_model


def operation(model: Any, name: str) -> Any:
    """Return the model of an operation."""
    return model.operation_model(name)


def sample(shape: Any) -> Any:
    """Return a value of a shape, with every member that it can have."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    if kind == "list":
        return [sample(shape.member)]
    if kind == "map":
        return {sample(shape.key): sample(shape.value)}
    scalars = {"timestamp": "2026-01-01T00:00:00Z", "integer": 60, "boolean": True}
    return scalars.get(kind) or (shape.enum or [f"some {shape.name}"])[0]


def requests() -> dict[str, dict[str, Any]]:
    """Return the request that the plan makes for each write, less the group's name."""
    [create] = plan_of({"daily-report": QUERY}, existing()).creates
    drifted = existing(live_with(ScheduleExpression=OTHER_CRON))
    [update] = plan_of({"daily-report": QUERY}, drifted).updates
    return {"CreateSchedule": request_of(create), "UpdateSchedule": request_of(update)}


@pytest.mark.parametrize("name", ["CreateSchedule", "UpdateSchedule"])
def test_the_service_knows_and_requires_what_is_sent(model: Any, name: str) -> None:
    """Every name and type at every depth, and nothing required is missing."""
    report = ParamValidator().validate(requests()[name], operation(model, name).input_shape)
    assert report.generate_report() == ""


def test_an_update_carries_everything_that_it_can_and_nothing_else(model: Any) -> None:
    """Down to every kind of target; a member that a newer SDK adds to the answer is left out."""
    response = sample(operation(model, "GetSchedule").output_shape)
    response["ResponseMetadata"] = {}
    response["FromANewerSdk"] = "?"
    response["StartDate"] = datetime.fromtimestamp(9, UTC)
    input_shape = operation(model, "UpdateSchedule").input_shape
    live = existing_schedule(response, 0.0)
    request = update_request(live, live.owned, input_shape.members, 0.0)
    assert request.keys() == input_shape.members.keys() - {"ClientToken"}
    assert request == {key: response[key] for key in request}
    assert ParamValidator().validate(request, input_shape).generate_report() == ""


def test_limits_are_the_models(model: Any) -> None:
    """Lengths and the pattern of names."""

    def limit(name: str) -> Any:
        return operation(model, "CreateSchedule").input_shape.members[name].metadata

    assert limit("Name")["max"] == _schedules.MAX_NAME
    assert limit("ScheduleExpression")["max"] == _expressions.MAX_EXPRESSION
    assert limit("Description")["max"] == _schedules.MAX_DESCRIPTION
    assert limit("ScheduleExpressionTimezone")["max"] == _schedules.MAX_TIMEZONE
    page = operation(model, "ListSchedules").input_shape
    assert page.members["MaxResults"].metadata["max"] == schedule_manager.PAGES["PageSize"]
    assert limit("Name")["pattern"].strip("^$") == "[0-9a-zA-Z-_.]+"
    for character in map(chr, range(1, 0x250)):
        desired, _ = schedule_manager.desired_state({character: QUERY}, SETTINGS)
        assert bool(desired) == (character in string.ascii_letters + string.digits + "-_.")


def test_the_owned_fields_are_the_words_of_an_update_line() -> None:
    """In the order in which the line names them."""
    words = ["name", "cron", "timezone", "state", "description", "target", "role", "input"]
    assert [field.name for field in fields(Schedule)] == [*words, "dead_letters"]


def test_the_retried_and_raced_errors_are_modelled(model: Any) -> None:
    """Each is declared by the operations on which it is caught."""
    caught = {
        "ResourceNotFoundException": [
            "ListSchedules",
            "GetSchedule",
            "GetScheduleGroup",
            "DeleteSchedule",
        ],
        "ConflictException": [
            "CreateSchedule",
            "UpdateSchedule",
            "DeleteSchedule",
            "CreateScheduleGroup",
        ],
    }
    for error, names in caught.items():
        for name in names:
            assert error in {shape.name for shape in operation(model, name).error_shapes}
