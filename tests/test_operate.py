"""What the tools do with a running stack, with a made-up account in the place of the AWS CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager.tools.delete import DRAIN_SECONDS
from tests.tools.transformed import template
from tests.world import EXECUTOR_ARN
from tests.world.account import COUNTED, FUNCTION, Account
from tests.world.person import Ended, Operator

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = {
    "Name": "pn-daily-report",
    "ScheduleExpression": "cron(0 2 * * ? *)",
    "State": "DISABLED",
    "Target": {"Arn": EXECUTOR_ARN, "Input": '{"query_id": "daily-report"}'},
}


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    """Return somebody with a deployed stack."""
    return Operator(Account.with_stack(), tmp_path, monkeypatch, capsys)


def failed(ended: Ended, sentence: str) -> bool:
    """Tell whether a tool could not do it, and said so in one sentence."""
    return ended.code == 2 and sentence in ended.complaint and "Traceback" not in ended.complaint


def test_invoking_prints_log_and_answer(operator: Operator) -> None:
    """And sends the event as it is."""
    invoked = operator.run("invoke", PAYLOAD='{"max_deletions": 5}')
    assert (invoked.code, invoked.lines) == (0, ["log line", json.dumps(COUNTED)])
    assert operator.account.events == [{"max_deletions": 5}]


def test_an_invocation_that_is_denied_is_a_failure(operator: Operator) -> None:
    """With the complaint of the AWS CLI."""
    operator.account.refusals["invoke"] = ["AccessDenied", "not you"]
    assert failed(operator.run("invoke"), "AccessDenied")


def test_an_invocation_that_fails_is_a_failure(operator: Operator) -> None:
    """The AWS CLI exits with 0 for it."""
    operator.account.answers["run"] = {"errorMessage": "boom", "errorType": "E"}
    invoked = operator.run("invoke")
    assert invoked.code != 0
    assert "boom" in invoked.output


def test_pausing_turns_the_rule_off_at_once_and_for_later_deployments(operator: Operator) -> None:
    """The parameter keeps a later update of the rule from turning it on."""
    assert operator.run("pause").code == 0
    account = operator.account
    assert account.called("disable-rule", "the-rule")
    assert (account.rule, account.parameters["TriggerState"]) == ("DISABLED", "DISABLED")
    [update] = account.called("update-stack")
    assert "--use-previous-template" in update
    given = json.loads(update[update.index("--parameters") + 1])
    assert {"ParameterKey": "ConfigGitUrl", "UsePreviousValue": True} in given
    assert operator.run("pause").code == 0, "pausing twice is no error"


def test_resuming_turns_it_on_again(operator: Operator) -> None:
    """Also when it was turned off in the console, where the parameter says ENABLED."""
    operator.account.rule = "DISABLED"
    assert operator.run("resume").code == 0
    account = operator.account
    assert (account.rule, account.parameters["TriggerState"]) == ("ENABLED", "ENABLED")


def test_a_stack_of_an_earlier_version_is_to_be_updated_first(operator: Operator) -> None:
    """It has no such output."""
    operator.account.outputs["TriggerRuleName"] = ""
    assert failed(operator.run("pause"), "update it with make deploy")


def test_the_log_is_followed(operator: Operator) -> None:
    """That of the deployed function."""
    assert operator.run("logs").lines == [f"the log of /aws/lambda/{FUNCTION}"]


def test_firing_shows_target_and_input_and_then_invokes(operator: Operator) -> None:
    """As the schedule would, a paused one too, and without waiting for the query."""
    operator.account.schedules["pn-daily-report"] = SCHEDULE
    fired = operator.run("fire", QUERY="daily-report")
    assert fired.lines == [
        "schedule: pn-daily-report (cron(0 2 * * ? *), DISABLED)",
        f"target:   {EXECUTOR_ARN}",
        'input:    {"query_id": "daily-report"}',
        "invoked: the target runs now, on its own; see its log",
    ]
    assert operator.account.events == [{"query_id": "daily-report"}]
    [invoked] = operator.account.called("invoke", EXECUTOR_ARN)
    assert invoked[invoked.index("--invocation-type") + 1] == "Event"


def test_deleting_says_what_goes_and_asks(operator: Operator) -> None:
    """Nothing is touched until it is confirmed."""
    operator.account.schedules = {"pn-a": {}, "pn-b": {}}
    refused = operator.run("delete")
    assert failed(refused, "make delete")
    assert "the schedule group pn-athena-queries and its 2 schedules" in refused.output
    assert "the dead-letter queue" in refused.output
    assert not operator.account.called("disable-rule")
    assert not operator.account.called("delete-stack")


def test_deleting_pauses_first_and_lets_a_run_end(operator: Operator) -> None:
    """Or a run under way makes the group again, which then belongs to no stack."""
    deleted = operator.run("delete", CONFIRM="yes")
    assert deleted.code == 0, deleted.complaint
    names = [name for call in operator.account.calls for name in call if "-" in name]
    assert names.index("disable-rule") < names.index("delete-stack")
    assert sum(operator.pauses) >= DRAIN_SECONDS
    assert operator.account.status == ""


def test_a_run_under_way_has_the_functions_timeout_to_end() -> None:
    """The wait is the function's timeout."""
    timeout = template()["Resources"]["AthenaScheduleManager"]["Properties"]["Timeout"]
    assert timeout == DRAIN_SECONDS


def test_deleting_beside_an_existing_group_says_that_its_schedules_fail(operator: Operator) -> None:
    """They stay, and the role that they use goes."""
    operator.account.parameters["ExistingScheduleGroupName"] = "old"
    operator.account.schedules = {"pn-a": {}}
    said = operator.run("delete").output
    assert "stay" in said
    assert "without that role they fail" in said


def test_a_protected_stack_is_not_even_paused(operator: Operator) -> None:
    """Its deletion would be refused after the trigger had been turned off."""
    operator.account.is_protected = True
    assert failed(operator.run("delete", CONFIRM="yes"), "termination protection")
    assert not operator.account.called("disable-rule")


def message(number: int, **attributes: str) -> dict[str, Any]:
    """Return a message as the AWS CLI prints it."""
    return {
        "MessageId": str(number),
        "Body": "{}",
        "MessageAttributes": {
            name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()
        },
    }


LETTER = {
    "SCHEDULE_ARN": "arn:aws:scheduler:eu-south-1:123456789012:schedule/pn-athena-queries/pn-x",
    "SCHEDULED_TIME": "2026-11-25T02:00:00Z",
    "ERROR_CODE": "AWS.Lambda.NotFound",
    "ERROR_MESSAGE": "no such function",
    "RETRY_ATTEMPTS": "3",
}


def test_dropped_invocations_are_shown_in_their_order_and_stay(operator: Operator) -> None:
    """When, which query, why, and how to run it now."""
    later = LETTER | {"SCHEDULED_TIME": "2026-11-26T02:00:00Z"}
    operator.account.messages = [message(1, **later), message(2, **LETTER), message(3)]
    shown = operator.run("dropped")
    assert shown.lines[:3] == [
        "2026-11-25T02:00:00Z  pn-x  after 3 retries: AWS.Lambda.NotFound: no such function",
        "2026-11-26T02:00:00Z  pn-x  after 3 retries: AWS.Lambda.NotFound: no such function",
        "1 other messages in dropped",
    ]
    assert shown.output.count("QUERY=x\n") == 1
    assert "purge-queue --queue-url https://queue.example/dropped" in shown.output
    assert not operator.account.called("delete-message")
    assert not operator.account.called("purge-queue")


def test_without_dropped_invocations_it_says_so(operator: Operator) -> None:
    """And that there is no queue, if there is none."""
    assert "No schedule has given up an invocation" in operator.run("dropped").output
    operator.account.parameters["DeadLetterQueueArn"] = "none"
    assert failed(operator.run("dropped"), "no dead-letter queue")


def test_another_teams_queue_is_not_to_be_emptied(operator: Operator) -> None:
    """It may hold other messages."""
    shared = "arn:aws:sqs:eu-south-1:123456789012:shared"
    operator.account.parameters["DeadLetterQueueArn"] = shared
    operator.account.messages = [message(1, **LETTER)]
    shown = operator.run("dropped").output
    assert "pn-x" in shown
    assert "purge-queue" not in shown


@pytest.mark.parametrize("tool", ["invoke", "pause", "resume", "delete", "dropped", "logs"])
def test_without_a_stack_each_tool_says_so(operator: Operator, tool: str) -> None:
    """It is another Region, or another name."""
    operator.account.status = ""
    refused = operator.run(tool)
    assert failed(refused, "has no stack pn-athena-schedule-manager: set AWS_REGION or STACK=")
