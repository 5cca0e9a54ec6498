"""What the tools do with a running stack, with a made-up account in the place of the AWS CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.delete import DRAIN_SECONDS
from tests.tools.transformed import template
from tests.world import EXECUTOR_ARN
from tests.world.account import COUNTED, FUNCTION, NUMBER, PLAN, Account
from tests.world.environment import REGION
from tests.world.person import Ended, Operator

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = {
    "Name": "pn-daily-report",
    "ScheduleExpression": "cron(0 2 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/Rome",
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


def test_an_invocation_that_crashes_is_not_well_and_the_sentence_comes_last(
    operator: Operator,
) -> None:
    """The AWS CLI exits with 0 for it, and the answer holds a traceback."""
    trace = ["  File x, line 1\n"] * 20
    answer = {"errorMessage": "Invalid config", "errorType": "E", "stackTrace": trace}
    operator.account.answers["run"] = answer
    invoked = operator.run("invoke")
    assert invoked.code == 1
    assert "stackTrace" in invoked.output
    assert invoked.complaint.splitlines()[-1] == f"The run of {FUNCTION} failed: E: Invalid config"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"error": "Missing required\x1b[2J"}, "Nothing was done: Missing required\\x1b[2J"),
        (COUNTED | {"failed": 2}, "make logs shows all of it"),
        ("null", "not one of this manager's"),
    ],
)
def test_an_answer_that_is_not_well_is_exit_code_1(
    operator: Operator, answer: object, sentence: str
) -> None:
    """An error, failures, or another function's answer."""
    operator.account.answers["run"] = answer
    invoked = operator.run("invoke")
    assert invoked.code == 1
    assert sentence in invoked.complaint.splitlines()[-1]


@pytest.mark.parametrize("payload", ["{dry_run: true}", "[]", "true", '"{}"', "{"])
def test_what_is_no_event_is_not_sent(operator: Operator, payload: str) -> None:
    """`{dry_run: true}` would become a real run somewhere."""
    refused = operator.run("invoke", PAYLOAD=payload)
    assert failed(refused, "nothing was sent")
    assert operator.account.calls == []


def test_a_dry_run_is_an_answer_like_any_other(operator: Operator) -> None:
    """Its plan is printed as it is."""
    invoked = operator.run("invoke", PAYLOAD='{"dry_run": true}')
    assert (invoked.code, invoked.lines[-1]) == (0, json.dumps(PLAN))


def test_account_region_and_stack_are_told_first(operator: Operator) -> None:
    """On standard error, so that the answer can be piped."""
    told = operator.run("invoke").complaint
    assert told == f"Account {NUMBER}, Region eu-south-1, stack pn-athena-schedule-manager\n"


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


@pytest.mark.parametrize("refusal", ["AccessDenied", "ExpiredToken"])
def test_a_pause_that_cannot_be_recorded_is_put_back(operator: Operator, refusal: str) -> None:
    """Or the trigger would be off while the stack says ENABLED, and nobody would know."""
    operator.account.refusals["update-stack"] = [refusal, "not you"]
    refused = operator.run("pause")
    assert failed(refused, "The trigger is ENABLED again, as it was: nothing is changed")
    assert operator.account.rule == "ENABLED"


@pytest.mark.parametrize("operation", ["disable-rule", "update-stack"])
def test_ctrl_c_at_the_first_write_of_a_pause_or_between_the_two_puts_it_back(
    operator: Operator, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    """As if it had not been typed; the first may have been carried out."""
    operator.account.interrupted = operation
    with pytest.raises(KeyboardInterrupt):
        operator.run("pause")
    assert operator.account.called("enable-rule")
    assert operator.account.rule == "ENABLED"
    assert "The trigger is ENABLED again" in capsys.readouterr().err


def test_a_pause_that_can_neither_be_recorded_nor_put_back_says_what_to_type(
    operator: Operator,
) -> None:
    """The credentials have expired in between, say."""
    refusal = ["ExpiredToken", "expired"]
    operator.account.refusals |= {"update-stack": refusal, "enable-rule": refusal}
    refused = operator.run("pause", STACK="legacy-asm")
    assert failed(refused, "other than ENABLED, which it was: type make resume STACK=legacy-asm")


def test_a_pause_that_is_rolled_back_is_a_failure(operator: Operator) -> None:
    """The parameter is read back."""
    operator.account.update_ends = "UPDATE_ROLLBACK_COMPLETE"
    refused = operator.run("pause")
    assert failed(refused, "still has its former TriggerState: its state is UPDATE_ROLLBACK_COMPL")
    assert "The trigger is DISABLED: type make pause again" in refused.complaint


def test_a_stack_that_is_busy_is_waited_for(operator: Operator) -> None:
    """And then changed."""
    operator.account.coming = ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    paused = operator.run("pause")
    assert paused.code == 0
    assert "Waiting for pn-athena-schedule-manager: UPDATE_IN_PROGRESS, 0 s" in paused.complaint


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("UPDATE_IN_PROGRESS", "is being changed just now: UPDATE_IN_PROGRESS"),
        ("UPDATE_ROLLBACK_COMPLETE", "was rolled back: it is as it was before"),
        ("UPDATE_ROLLBACK_FAILED", "Type aws cloudformation continue-update-rollback"),
    ],
)
def test_a_look_at_a_stack_that_is_not_at_rest_says_so_and_goes_on(
    operator: Operator, status: str, sentence: str
) -> None:
    """What is live can be asked all the same."""
    operator.account.status = status
    invoked = operator.run("invoke")
    assert (invoked.code, sentence in invoked.complaint) == (0, True)


def test_a_broken_stack_is_not_paused(operator: Operator) -> None:
    """It would be refused after the rule had been turned off."""
    operator.account.status = "UPDATE_ROLLBACK_FAILED"
    assert failed(operator.run("pause"), "is in the state UPDATE_ROLLBACK_FAILED")
    assert not operator.account.called("disable-rule")


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
    assert (fired.code, fired.lines) == (
        0,
        [
            "schedule: pn-daily-report (cron(0 2 * * ? *), Europe/Rome, DISABLED)",
            f"target:   {EXECUTOR_ARN}",
            'input:    {"query_id": "daily-report"}',
            "accepted: the target runs now, on its own. Whether the query worked is in its log:",
            f"aws logs tail /aws/lambda/pn-AthenaQueryExecutor --since 5m --region {REGION}",
        ],
    )
    assert operator.account.events == [{"query_id": "daily-report"}]
    [invoked] = operator.account.called("invoke", EXECUTOR_ARN)
    assert invoked[invoked.index("--invocation-type") + 1] == "Event"


def test_what_others_wrote_is_shown_escaped(operator: Operator) -> None:
    """An expression or an input could clear the screen."""
    wrong = SCHEDULE | {"Target": {"Arn": EXECUTOR_ARN, "Input": '{"a": "\x1b[2J\u202e"}'}}
    operator.account.schedules["pn-a"] = wrong
    assert r'{"a": "\x1b[2J\u202e"}' in operator.run("fire", QUERY="a").output


def test_a_target_that_is_no_function_is_not_invoked(operator: Operator) -> None:
    """A queue, say."""
    queue = {"Arn": "arn:aws:sqs:eu-south-1:123456789012:q", "Input": "{}"}
    operator.account.schedules["pn-a"] = SCHEDULE | {"Target": queue}
    assert failed(operator.run("fire", QUERY="a"), "not a Lambda function")
    assert operator.account.events == []


@pytest.mark.parametrize("query", ["monthly-report", "a b", "$(shell id)"])
def test_a_query_without_a_schedule_is_not_fired(operator: Operator, query: str) -> None:
    """A sentence says what to look at."""
    assert failed(operator.run("fire", QUERY=query), "in the group pn-athena-queries: is QUERY the")
    assert "make fire QUERY=daily-report" in operator.run("fire").complaint


def test_deleting_says_what_goes_and_asks(operator: Operator) -> None:
    """Nothing is touched until it is confirmed."""
    operator.account.schedules = {"pn-a": {}, "pn-b": {}}
    refused = operator.run("delete")
    assert failed(refused, "To delete: make delete CONFIRM=yes\n")
    group = "the schedule group pn-athena-queries and 2 schedules of this manager (pn-a, pn-b)"
    assert group in refused.output
    assert "the dead-letter queue" in refused.output
    assert not operator.account.called("disable-rule")
    assert not operator.account.called("delete-stack")


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            ["AccessDeniedException", "not you"],
            "pn-athena-queries and the schedules of this manager,",
        ),
        (["ResourceNotFoundException", "no group"], "pn-athena-queries and 0 schedules of"),
    ],
    ids=["denied", "no group"],
)
def test_a_group_that_cannot_be_listed_does_not_stop_a_deletion(
    operator: Operator, refusal: list[str], told: str
) -> None:
    """What cannot be known is told, and a group that has gone has nothing left to lose."""
    operator.account.refusals["list-schedules"] = refusal
    done = operator.run("delete", CONFIRM="yes")
    assert (done.code, told in done.output) == (0, True)
    is_told = "cannot be seen" in done.complaint
    assert is_told == (refusal[0] == "AccessDeniedException")


def test_deleting_pauses_first_and_lets_a_run_end(operator: Operator) -> None:
    """Or a run under way makes the group again, which then belongs to no stack."""
    deleted = operator.run("delete", CONFIRM="yes")
    assert deleted.code == 0, deleted.complaint
    names = [name for call in operator.account.calls for name in call if "-" in name]
    assert names.index("disable-rule") < names.index("delete-stack")
    assert sum(operator.pauses) >= DRAIN_SECONDS
    assert operator.account.status == ""


@pytest.mark.parametrize("status", ["UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_broken_stack_that_is_live_is_deleted_as_a_whole_one(
    operator: Operator, status: str
) -> None:
    """Its trigger fires, and its group has schedules: what goes is told, and a run may end."""
    operator.account.status = status
    operator.account.schedules = {"pn-a": {}}
    assert "1 schedule of this manager (pn-a)" in operator.run("delete").output
    assert operator.run("delete", CONFIRM="yes").code == 0
    assert operator.account.called("disable-rule")


@pytest.mark.parametrize("tool", ["delete", "logs", "invoke"])
@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "DELETE_FAILED"])
def test_the_stack_of_another_application_is_left_alone(
    operator: Operator, tool: str, status: str
) -> None:
    """It has no ConfigGitUrl; to update it with make deploy would be no help."""
    operator.account.status = status
    operator.account.parameters = {"Size": "1"}
    operator.account.outputs = dict.fromkeys(operator.account.outputs, "")
    refused = operator.run(tool, CONFIRM="yes", STACK="shop")
    assert failed(refused, "shop has no parameter ConfigGitUrl: it is another stack; set STACK=")
    assert not operator.account.called("delete-stack")


def test_a_stack_that_is_half_there_is_not_to_be_updated(operator: Operator) -> None:
    """Its outputs are missing, too, and make deploy would refuse."""
    operator.account.status = "CREATE_FAILED"
    operator.account.outputs = dict.fromkeys(operator.account.outputs, "")
    refused = operator.run("invoke")
    assert failed(refused, "Type make delete CONFIRM=yes")
    assert "make deploy" not in refused.complaint


def test_what_to_type_names_the_stack_and_the_region(operator: Operator) -> None:
    """Pasted without them, it deleted the default stack: production."""
    operator.account.configured_region = "us-east-1"
    refused = operator.run("delete", STACK="legacy-asm")
    typed = "AWS_REGION=eu-south-1 make delete STACK=legacy-asm CONFIRM=yes"
    assert refused.complaint.endswith(f"To delete: {typed}\n")


def test_deleting_shows_signs_of_life(operator: Operator) -> None:
    """While a run ends, and while CloudFormation deletes."""
    deleted = operator.run("delete", CONFIRM="yes")
    assert deleted.complaint.count(" s left\n") == 7
    assert "Waiting for pn-athena-schedule-manager: DELETE_IN_PROGRESS, 0 s" in deleted.complaint


def test_ctrl_c_while_a_run_ends_turns_the_trigger_on_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or changes in Git would be followed no more, while the stack says ENABLED."""

    def press(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws, "sleep", press)
    with pytest.raises(KeyboardInterrupt):
        operator.run("delete", CONFIRM="yes")
    assert operator.account.rule == "ENABLED"
    assert not operator.account.called("delete-stack")
    assert "The trigger is ENABLED again" in capsys.readouterr().err


def test_a_deletion_that_is_denied_turns_the_trigger_on_again(operator: Operator) -> None:
    """And one that was off stays off."""
    operator.account.refusals["delete-stack"] = ["AccessDenied", "not you"]
    assert failed(operator.run("delete", CONFIRM="yes"), "AccessDenied")
    assert operator.account.rule == "ENABLED"
    operator.account.rule = "DISABLED"
    assert failed(operator.run("delete", CONFIRM="yes"), "AccessDenied")
    assert operator.account.rule == "DISABLED"


def test_a_deletion_that_fails_says_what_to_type(operator: Operator) -> None:
    """Part of the stack is gone then, and a second deletion takes the rest without a wait."""
    made = operator.account.delete_stack

    def fail(*_: object) -> None:
        made()
        operator.account.coming = ["DELETE_IN_PROGRESS", "DELETE_FAILED"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator.account, "delete_stack", fail)
        refused = operator.run("delete", CONFIRM="yes")
    assert failed(refused, "only a part of it is there. Type make delete CONFIRM=yes")
    operator.pauses.clear()
    assert operator.run("delete", CONFIRM="yes").code == 0
    assert sum(operator.pauses) < DRAIN_SECONDS


def test_a_run_under_way_has_the_functions_timeout_to_end() -> None:
    """The wait is the function's timeout."""
    timeout = template()["Resources"]["AthenaScheduleManager"]["Properties"]["Timeout"]
    assert timeout == DRAIN_SECONDS
    assert timeout < aws.READ_TIMEOUT


def test_deleting_beside_an_existing_group_says_that_its_schedules_fail(operator: Operator) -> None:
    """They stay, and the role that they use goes."""
    operator.account.parameters["ExistingScheduleGroupName"] = "old"
    operator.account.schedules = {"pn-a": {}, "other": {}}
    said = operator.run("delete").output
    assert "The group pn-athena-queries stays, and in it 1 schedule of this manager (pn-a)" in said
    assert "without that role each fails" in said
    assert "unchanged: 1 schedule of others in that group" in said


@pytest.mark.parametrize("group", ["", "old"])
def test_deleting_says_which_schedules_keep_naming_the_queue(
    operator: Operator, group: str
) -> None:
    """Those of an existing group, which stay; otherwise all of them go."""
    operator.account.parameters["ExistingScheduleGroupName"] = group
    operator.account.schedules = {"pn-a": {}}
    said = operator.run("delete").output
    assert "- the dead-letter queue and what is in it" in said
    assert ("Schedules that name it keep its name" in said) == bool(group)


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
        "Other messages in dropped: 1",
    ]
    assert shown.output.count("QUERY=x\n") == 1
    assert "purge-queue --queue-url https://queue.example/dropped" in shown.output
    assert not operator.account.called("delete-message")
    assert not operator.account.called("purge-queue")


def test_a_second_look_at_dropped_invocations_shows_the_same(operator: Operator) -> None:
    """The first gives back what it has read."""
    operator.account.messages = [message(number, **LETTER) for number in range(25)]
    first = operator.run("dropped")
    assert first.output.count("after 3 retries") == 25
    assert operator.run("dropped").output == first.output
    assert operator.account.hidden == []


def test_ctrl_c_while_reading_gives_back_what_was_read(operator: Operator) -> None:
    """Or the next look would show nothing for a minute."""
    operator.account.messages = [message(number, **LETTER) for number in range(5)]
    receive = operator.account.receive_message
    answers = iter([receive, receive])

    def press(*words: object) -> object:
        for answer in answers:
            return answer(*words)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator.account, "receive_message", press)
        with pytest.raises(KeyboardInterrupt):
            operator.run("dropped")
    assert operator.account.hidden == []


def test_what_somebody_else_is_reading_is_told(operator: Operator) -> None:
    """And the queue is not called empty."""
    operator.account.messages = [message(1, **LETTER)]
    operator.account.hidden = ["1"]
    shown = operator.run("dropped")
    assert "Read by somebody else just now: 1 more." in shown.output
    assert "No schedule has given up" not in shown.output


def test_who_may_not_give_back_is_told(operator: Operator) -> None:
    """The messages are shown all the same."""
    operator.account.messages = [message(1, **LETTER)]
    for operation in ("change-message-visibility-batch", "get-queue-attributes"):
        operator.account.refusals[operation] = ["AccessDenied", "not you"]
    shown = operator.run("dropped")
    assert (shown.code, "pn-x" in shown.output) == (0, True)
    assert "hidden from others for 60 s" in shown.complaint


def test_who_may_neither_give_back_nor_count_is_not_told_of_an_empty_queue(
    operator: Operator,
) -> None:
    """The first look has hidden the messages from the second."""
    operator.account.messages = [message(1, **LETTER)]
    operator.account.hidden = ["1"]
    operator.account.refusals["get-queue-attributes"] = ["AccessDenied", "not you"]
    shown = operator.run("dropped")
    assert "No schedule has given up" not in shown.output
    assert "None can be read now" in shown.output


def test_what_others_wrote_into_the_queue_is_escaped_and_no_command(operator: Operator) -> None:
    """`QUERY=$(...)` would be run by whoever pastes it."""
    trap = LETTER | {
        "SCHEDULE_ARN": "arn:aws:scheduler:r:1:schedule/g/pn-$(touch trap)",
        "ERROR_MESSAGE": "\x1b[2J",
    }
    operator.account.messages = [message(1, **trap)]
    shown = operator.run("dropped")
    assert "QUERY=" not in shown.output
    assert "To run them now" not in shown.output
    assert "\x1b" not in shown.output


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
