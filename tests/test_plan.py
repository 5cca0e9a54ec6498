"""The difference of desired and existing state, as pure tables."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from athena_schedule_manager.schedule_manager import Existing, Plan
from tests.world import CRON, EXECUTOR_ARN, NAME, OTHER_CRON, ROLE_ARN
from tests.world.plans import LIVE, QUERY, existing, lines, live_with, plan_of, request_of

DRIFT = [
    pytest.param(
        {"ScheduleExpression": OTHER_CRON}, f"cron: {OTHER_CRON} → {CRON}", id="expression"
    ),
    pytest.param(
        {"ScheduleExpressionTimezone": "Europe/Rome"}, "timezone: Europe/Rome → UTC", id="timezone"
    ),
    pytest.param({"Description": "Old"}, "description: Old → Daily", id="description"),
    pytest.param({"Description": ""}, "description: none → Daily", id="empty description"),
    pytest.param({"Description": None}, "description: none → Daily", id="no description"),
    pytest.param({"T_Arn": "arn:old"}, f"target: arn:old → {EXECUTOR_ARN}", id="target"),
    pytest.param({"T_RoleArn": "arn:old"}, f"role: arn:old → {ROLE_ARN}", id="role"),
    pytest.param(
        {"T_Input": '{"query_id":"x"}'},
        'input: {"query_id": "x"} → {"query_id": "daily-report"}',
        id="input",
    ),
    pytest.param(
        {"T_Input": "no JSON"}, 'input: no JSON → {"query_id": "daily-report"}', id="input no JSON"
    ),
    pytest.param(
        {"T_Input": "[" * 200_000},
        f'input: {"[" * 512} → {{"query_id": "daily-report"}}',
        id="input nested absurdly",
    ),
    pytest.param(
        {"T_Input": '{"query_id": "daily-report", "more": 1}'},
        'input: {"query_id": "daily-report", "more": 1} → {"query_id": "daily-report"}',
        id="input with more",
    ),
    pytest.param({"T_Input": None}, 'input: none → {"query_id": "daily-report"}', id="no input"),
]

NO_DRIFT = [
    pytest.param({}, id="equal"),
    pytest.param({"State": "ENABLED"}, id="state"),
    pytest.param({"FlexibleTimeWindow": {"Mode": "OFF"}}, id="flexible time window"),
    pytest.param({"KmsKeyArn": None}, id="key"),
    pytest.param({"StartDate": "x", "EndDate": "y"}, id="dates"),
    pytest.param({"ActionAfterCompletion": "DELETE"}, id="action after completion"),
    pytest.param({"T_RetryPolicy": None}, id="retry policy"),
    pytest.param({"T_DeadLetterConfig": None}, id="dead-letter queue"),
    pytest.param({"ScheduleExpressionTimezone": None}, id="timezone by default"),
    pytest.param({"T_Input": ' {"query_id" :"daily-report"} '}, id="spelling of the input"),
    pytest.param({"T_Input": r'{"query_id": "daily\u002dreport"}'}, id="escapes in the input"),
    pytest.param({"ScheduleExpression": f" {CRON} "}, id="white space of the expression"),
]


@pytest.mark.parametrize(("fields", "difference"), DRIFT)
def test_a_difference_in_an_owned_field_is_an_update(
    fields: dict[str, Any], difference: str
) -> None:
    """The line names what differs and nothing else."""
    plan = plan_of({"daily-report": QUERY}, existing(live_with(**fields)))
    assert lines(plan) == [f"UPDATE: {NAME} ({difference})"]


@pytest.mark.parametrize("fields", NO_DRIFT)
def test_a_difference_elsewhere_or_in_spelling_is_none(fields: dict[str, Any]) -> None:
    """Everything else is the operator's, and an update that changes nothing is never sent."""
    assert lines(plan_of({"daily-report": QUERY}, existing(live_with(**fields)))) == []


@pytest.mark.parametrize(
    ("query", "fields", "difference"),
    [
        ({"enabled": False}, {"State": "ENABLED"}, "state: ENABLED → DISABLED"),
        ({"enabled": True}, {"State": "DISABLED"}, "state: DISABLED → ENABLED"),
        ({"enabled": True}, {"State": "ENABLED"}, ""),
        ({"enabled": False}, {"State": "DISABLED"}, ""),
        ({}, {"State": "DISABLED"}, ""),
        ({"timezone": "Europe/Rome"}, {}, "timezone: UTC → Europe/Rome"),
        ({"timezone": "Europe/Rome"}, {"ScheduleExpressionTimezone": "Europe/Rome"}, ""),
    ],
    ids=repr,
)
def test_a_time_zone_or_a_pause_that_differs_is_an_update(
    query: dict[str, Any], fields: dict[str, Any], difference: str
) -> None:
    """And one that is not asked for is the operator's."""
    plan = plan_of({"daily-report": QUERY | query}, existing(live_with(**fields)))
    assert lines(plan) == ([f"UPDATE: {NAME} ({difference})"] if difference else [])


def test_an_update_for_another_reason_sends_the_state_that_is_wanted_or_live() -> None:
    """UpdateSchedule without a state would enable the schedule."""
    for query, live, state in (
        ({}, "DISABLED", "DISABLED"),
        ({}, "ENABLED", "ENABLED"),
        ({"enabled": True}, "DISABLED", "ENABLED"),
        ({"enabled": False}, "ENABLED", "DISABLED"),
    ):
        response = live_with(ScheduleExpression=OTHER_CRON, State=live)
        [update] = plan_of({"daily-report": QUERY | query}, existing(response)).updates
        assert request_of(update)["State"] == state


def test_a_create_sends_the_state_only_where_it_is_asked_for() -> None:
    """Paused from the start, or as the service has it: enabled."""
    for query, state in (
        ({}, None),
        ({"enabled": True}, "ENABLED"),
        ({"enabled": False}, "DISABLED"),
    ):
        [create] = plan_of({"daily-report": QUERY | query}, existing()).creates
        assert request_of(create).get("State") == state


def test_all_differences_are_in_one_line_in_a_fixed_order() -> None:
    """Cron first, as the specification's line has it."""
    response = live_with(
        T_Input="x",
        T_RoleArn="role",
        T_Arn="arn",
        Description="Old",
        ScheduleExpressionTimezone="Asia/Tokyo",
        ScheduleExpression=OTHER_CRON,
    )
    [line] = lines(plan_of({"daily-report": QUERY}, existing(response)))
    assert line == (
        f"UPDATE: {NAME} (cron: {OTHER_CRON} → {CRON}; timezone: Asia/Tokyo → UTC;"
        f" description: Old → Daily; target: arn → {EXECUTOR_ARN}; role: role → {ROLE_ARN};"
        ' input: x → {"query_id": "daily-report"})'
    )


def test_a_long_description_is_compared_as_it_is_cut() -> None:
    """The cut is the same on both sides, so it is no difference for ever."""
    query = {"schedule": CRON, "description": "x" * 600}
    for length in (512, 600):
        state = existing(live_with(Description="x" * length))
        assert lines(plan_of({"daily-report": query}, state)) == []


def test_an_update_sends_the_schedule_as_read_with_our_fields_replaced() -> None:
    """Whatever UpdateSchedule is not sent, it resets."""
    response = live_with(ScheduleExpression=OTHER_CRON, T_Arn="arn:old", Description="Old")
    [update] = plan_of({"daily-report": QUERY}, existing(response)).updates
    wanted = copy.deepcopy(LIVE)
    for key in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"):
        del wanted[key]
    assert (update.action, update.name, request_of(update)) == ("update", NAME, wanted)


def test_a_create_sends_our_fields_and_no_flexible_window() -> None:
    """The state is left to the service: enabled."""
    [create] = plan_of({"daily-report": QUERY}, existing()).creates
    assert (create.action, create.name, create.line) == (
        "create",
        NAME,
        f"CREATE: {NAME} (cron: {CRON})",
    )
    assert request_of(create) == {
        "Name": NAME,
        "ScheduleExpression": CRON,
        "ScheduleExpressionTimezone": "UTC",
        "Description": "Daily",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": EXECUTOR_ARN,
            "RoleArn": ROLE_ARN,
            "Input": '{"query_id": "daily-report"}',
        },
    }


def test_a_delete_names_the_schedule() -> None:
    """It needs nothing else of it."""
    [delete] = plan_of({}, existing(LIVE)).deletes
    line = f"DELETE: {NAME} (removed from config)"
    assert (delete.action, delete.name, delete.line) == ("delete", NAME, line)


def test_creates_come_first_then_updates_then_deletes_each_by_name() -> None:
    """Whatever the order of the document and of the listing."""
    drifted = live_with(ScheduleExpression=OTHER_CRON)
    state = existing(*(drifted | {"Name": f"pn-{name}"} for name in "zdybx"))
    queries = dict.fromkeys("ydca", QUERY)
    assert [line.partition(" (")[0] for line in lines(plan_of(queries, state))] == [
        "CREATE: pn-a",
        "CREATE: pn-c",
        "UPDATE: pn-d",
        "UPDATE: pn-y",
        "DELETE: pn-b",
        "DELETE: pn-x",
        "DELETE: pn-z",
    ]


def test_the_schedule_of_an_unusable_query_is_in_no_change() -> None:
    """It stays exactly as it is, also when the name is what is wrong."""
    state = Existing(frozenset({NAME, "pn-" + "x" * 62}), {}, {}, group_exists=True)
    plan = plan_of({"daily-report": {"schedule": "often"}, "x" * 62: QUERY}, state)
    assert lines(plan) == []
    assert len(plan.failures) == 2


def test_a_schedule_that_could_not_be_read_is_in_no_change() -> None:
    """It is counted, and left alone."""
    state = Existing(frozenset({NAME}), {}, {NAME: "Failed to read"}, group_exists=True)
    plan = plan_of({"daily-report": QUERY, "broken": {}}, state)
    assert lines(plan) == []
    assert list(plan.failures.values())[1:] == ["Failed to read"]


def test_a_schedule_without_time_to_read_it_is_in_no_change() -> None:
    """It is listed, and neither read nor unreadable."""
    queries = {"daily-report": QUERY, "other": QUERY}
    state = Existing(frozenset({NAME, "pn-other"}), {}, {}, group_exists=True)
    plan = plan_of(queries, state)
    assert (lines(plan), plan.not_read) == ([], 2)


@pytest.mark.parametrize("exists", [True, False])
def test_whether_the_group_exists_is_as_the_listing_showed(exists: bool) -> None:  # noqa: FBT001 - a case
    """Also when none of what it returned is there any more."""
    state = Existing(frozenset(), {}, {}, group_exists=exists)
    plan = plan_of({"daily-report": QUERY}, state)
    assert (lines(plan), plan.group_exists) == ([f"CREATE: {NAME} (cron: {CRON})"], exists)


def test_two_empty_states_have_no_difference() -> None:
    """Nothing comes of nothing."""
    assert plan_of({}, existing()) == Plan()
