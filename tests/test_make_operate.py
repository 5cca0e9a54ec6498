"""What make does with a running stack, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.transformed import template
from tests.world.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = """{"dry_run": true, "config_git_url": "https://h/it's/a%20?x=$1&y=$(id)&z=$$"}"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack that has been made."""
    made = Stack(tmp_path)
    made.deploy()
    return made


def test_invoking_prints_log_and_answer(stack: Stack) -> None:
    """Whatever characters the payload holds; no file is left."""
    invoked = stack.make("invoke", f"PAYLOAD={PAYLOAD}")
    assert (invoked.returncode, invoked.stdout) == (0, f"log line\n{PAYLOAD}\n")
    assert not list((stack.place / "temporary").iterdir())
    assert not (stack.place / "output.json").exists()


@pytest.mark.parametrize("failure", ["denied", "Unhandled"])
def test_an_invocation_that_fails_is_a_failure_of_make(stack: Stack, failure: str) -> None:
    """Whether it could not be made or the function failed; the AWS CLI exits 0 for the latter."""
    stack.write(invoke=failure)
    invoked = stack.make("invoke", 'PAYLOAD={"new": 1}')
    assert invoked.returncode != 0
    assert ("new" in invoked.stdout) == (failure == "Unhandled")
    assert "Traceback" not in invoked.stderr


def test_pausing_turns_the_rule_off_at_once_and_for_later_deployments(stack: Stack) -> None:
    """The parameter keeps a later update of the rule from turning it on."""
    assert stack.make("pause").returncode == 0
    assert stack.called("disable-rule", "the-rule")
    state = stack.read()
    assert (state["rule"], state["parameters"]["TriggerState"]) == ("DISABLED", "DISABLED")
    [update] = stack.called("update-stack")
    assert "--use-previous-template" in update
    given = json.loads(update[update.index("--parameters") + 1])
    assert {"ParameterKey": "ConfigGitUrl", "UsePreviousValue": True} in given
    assert stack.make("pause").returncode == 0, "pausing twice is no error"


def test_resuming_turns_it_on_again(stack: Stack) -> None:
    """Also when it was turned off in the console, where the parameter says ENABLED."""
    stack.write(rule="DISABLED")
    assert stack.make("resume").returncode == 0
    state = stack.read()
    assert (state["rule"], state["parameters"]["TriggerState"]) == ("ENABLED", "ENABLED")


def test_a_stack_of_an_earlier_version_is_to_be_updated_first(stack: Stack) -> None:
    """It has no such output."""
    stack.write(outputs={"TriggerRuleName": ""})
    refused = stack.make("pause")
    assert (refused.returncode != 0, "update it with make deploy" in refused.stderr) == (True, True)


def test_deleting_says_what_goes_and_asks(stack: Stack) -> None:
    """Nothing is touched until it is confirmed."""
    stack.write(schedules=["pn-a", "pn-b"])
    refused = stack.make("delete")
    assert (refused.returncode != 0, "make delete CONFIRM=yes" in refused.stderr) == (True, True)
    assert "the schedule group pn-athena-queries and its 2 schedules" in refused.stdout
    assert "the dead-letter queue" in refused.stdout
    assert not stack.called("disable-rule")
    assert not stack.called("delete-stack")


def test_deleting_pauses_first_and_lets_a_run_end(stack: Stack) -> None:
    """Or a run under way makes the group again, which then belongs to no stack."""
    deleted = stack.make("delete", "CONFIRM=yes", "DRAIN_SECONDS=0")
    assert deleted.returncode == 0, deleted.stderr
    words = [call[4] for call in stack.called("aws")]
    assert words[-3:] == ["disable-rule", "delete-stack", "wait"]
    assert not stack.state.exists()


def test_a_run_under_way_has_ended_when_the_wait_is_over(stack: Stack) -> None:
    """The wait is the function's timeout."""
    timeout = template()["Resources"]["AthenaScheduleManager"]["Properties"]["Timeout"]
    told = stack.make("--eval=wait: ; @echo $(DRAIN_SECONDS)", "wait")
    assert told.stdout == f"{timeout}\n"


def test_deleting_beside_an_existing_group_says_that_its_schedules_fail(stack: Stack) -> None:
    """They stay, and the role that they use goes."""
    stack.write(parameters={"ExistingScheduleGroupName": "old"}, schedules=["pn-a"])
    said = stack.make("delete").stdout
    assert "The group pn-athena-queries and its 1 schedules stay" in said
    assert "without that role they fail" in said


def test_a_protected_stack_is_not_even_paused(stack: Stack) -> None:
    """Its deletion would be refused after the trigger had been turned off."""
    stack.write(protected=True)
    refused = stack.make("delete", "CONFIRM=yes", "DRAIN_SECONDS=0")
    assert (refused.returncode != 0, "termination protection" in refused.stderr) == (True, True)
    assert not stack.called("disable-rule")


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


def test_dropped_invocations_are_shown_in_their_order_and_stay(stack: Stack) -> None:
    """When, which query, why, and how to run it now; what is read twice is shown once."""
    later = LETTER | {"SCHEDULED_TIME": "2026-11-26T02:00:00Z"}
    pages = [[message(1, **later), message(2, **LETTER)], [message(3), message(1, **later)]]
    stack.write(messages=[*pages, pages[0]])
    shown = stack.make("dropped")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[:3] == [
        "2026-11-25T02:00:00Z  pn-x  after 3 retries: AWS.Lambda.NotFound: no such function",
        "2026-11-26T02:00:00Z  pn-x  after 3 retries: AWS.Lambda.NotFound: no such function",
        "1 other messages in dropped",
    ]
    assert shown.stdout.count("QUERY=x\n") == 1
    assert "purge-queue --queue-url https://queue.example/dropped" in shown.stdout
    assert not stack.called("delete-message")
    assert not stack.called("purge-queue")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "No schedule has given up an invocation"),
        (
            {"parameters": {"DeadLetterQueueArn": "none", "ProjectName": "pn"}},
            "no dead-letter queue",
        ),
    ],
)
def test_without_dropped_invocations_it_says_so(
    stack: Stack, changed: dict[str, Any], said: str
) -> None:
    """And without a queue, too."""
    stack.write(**changed)
    shown = stack.make("dropped")
    assert said in shown.stdout + shown.stderr


def test_another_teams_queue_is_not_to_be_emptied(stack: Stack) -> None:
    """It may hold other messages."""
    parameters = {"DeadLetterQueueArn": "arn:aws:sqs:eu-south-1:123456789012:shared"}
    stack.write(messages=[[message(1, **LETTER)]], parameters=parameters | {"ProjectName": "pn"})
    shown = stack.make("dropped").stdout
    assert "pn-x" in shown
    assert "purge-queue" not in shown


@pytest.mark.parametrize("target", ["invoke", "pause", "resume", "delete", "dropped"])
def test_without_a_stack_each_target_says_so(tmp_path: Path, target: str) -> None:
    """It is another Region, or another name."""
    refused = Stack(tmp_path).make(target)
    assert refused.returncode != 0
    assert "has no stack pn-athena-schedule-manager: set AWS_REGION or STACK=" in refused.stderr
