"""Operate the stack: invoke, pause, resume, delete, and show what its schedules gave up."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from tests.tools.cloud import (
    Stack,
    StopError,
    aws,
    change_parameter,
    delete_stack,
    invoke,
    run_target,
    say,
    the_stack,
)

HIDDEN_SECONDS = 60  # for which a dead letter that has been read is not shown again
MOST_READS = 200  # of ten dead letters at most


def invoke_by_hand() -> None:
    """Invoke the function with PAYLOAD."""
    invoke(the_stack().output("FunctionName"), os.environ.get("PAYLOAD") or "{}")


def set_trigger(state: str) -> None:
    """Turn the rule on or off at once, and record that in the stack, which a deployment keeps."""
    stack = the_stack()
    operation = {"ENABLED": "enable-rule", "DISABLED": "disable-rule"}[state]
    aws("events", operation, "--name", stack.output("TriggerRuleName"))
    change_parameter(stack, "TriggerState", state)


def pause() -> None:
    """Turn the trigger off."""
    set_trigger("DISABLED")
    say("The trigger is paused. Schedules keep firing. Heartbeat goes into alarm, as a reminder")


def resume() -> None:
    """Turn the trigger on."""
    set_trigger("ENABLED")
    say("The trigger runs again")


def what_goes(stack: Stack) -> list[str]:
    """Say what is deleted with the stack, and what stays without it."""
    group = stack.output("ScheduleGroupName")
    listed = aws("scheduler", "list-schedules", "--group-name", group)["Schedules"]
    lines = [f"- the function {stack.output('FunctionName')}, its trigger, log, alarms and roles"]
    if stack.parameters.get("ExistingScheduleGroupName"):
        lines.append(
            f"- the execution role. The group {group} and its {len(listed)} schedules stay, but"
            " without that role they fail: delete them, or give them another role"
        )
    else:
        lines.append(
            f"- the schedule group {group} and its {len(listed)} schedules, with their pauses,"
            " queues and retry policies"
        )
    if "DeadLetterQueueArn" in stack.outputs and not stack.parameters.get("DeadLetterQueueArn"):
        lines.append("- the dead-letter queue and what is in it (see make dropped)")
    return lines


def delete() -> None:
    """Delete the stack, once no run can be under way. Raises StopError unless CONFIRM=yes."""
    stack = the_stack()
    if stack.is_protected:
        raise StopError(f"{stack.name} has termination protection: turn that off first")
    say("\n".join([f"Deleting the stack {stack.name} deletes:", *what_goes(stack)]))
    if os.environ.get("CONFIRM") != "yes":
        raise StopError("Nothing has been deleted. To delete: make delete CONFIRM=yes")
    aws("events", "disable-rule", "--name", stack.output("TriggerRuleName"))
    seconds = float(os.environ["DRAIN_SECONDS"])
    say(f"The trigger is paused. Waiting {seconds:g} s, in which a run under way ends")
    time.sleep(seconds)
    delete_stack(stack.name)
    say(f"{stack.name} is deleted")


def read_queue(url: str) -> list[dict[str, Any]]:
    """Return the messages of a queue, and leave them in it."""
    found: dict[str, dict[str, Any]] = {}
    words = ["--queue-url", url, "--max-number-of-messages", "10"]
    words += ["--visibility-timeout", str(HIDDEN_SECONDS), "--message-attribute-names", "All"]
    for _ in range(MOST_READS):
        answer = aws("sqs", "receive-message", *words, "--wait-time-seconds", "1") or {}
        new = {m["MessageId"]: m for m in answer.get("Messages", []) if m["MessageId"] not in found}
        if not new:
            break
        found |= new
    return list(found.values())


def dead_letter(message: dict[str, Any], prefix: str) -> dict[str, str] | None:
    """Return when, which query and why, or None for a message that is not the Scheduler's."""
    attributes = message.get("MessageAttributes", {})
    told = {name: value.get("StringValue", "") for name, value in attributes.items()}
    if "SCHEDULE_ARN" not in told:
        return None
    schedule = told["SCHEDULE_ARN"].rpartition("/")[2]
    return {
        "when": told.get("SCHEDULED_TIME", "?"),
        "query": schedule[len(prefix) :] if schedule.startswith(prefix) else "",
        "schedule": schedule,
        "why": f"{told.get('ERROR_CODE', '?')}: {told.get('ERROR_MESSAGE', '?')}",
        "tries": told.get("RETRY_ATTEMPTS", "?"),
    }


def dropped() -> None:
    """Show what the schedules gave up: when, which query, why, and how to run it now."""
    stack = the_stack()
    if stack.parameters.get("DeadLetterQueueArn") == "none":
        raise StopError(f"{stack.name} has no dead-letter queue")
    _, _, _, _, account, name = stack.output("DeadLetterQueueArn").split(":")
    words = ["--queue-name", name, "--queue-owner-aws-account-id", account]
    url = aws("sqs", "get-queue-url", *words)["QueueUrl"]
    prefix = stack.parameters["ProjectName"] + "-"
    messages = read_queue(url)
    letters = [letter for m in messages if (letter := dead_letter(m, prefix))]
    for letter in sorted(letters, key=lambda letter: letter["when"]):
        say("{when}  {schedule}  after {tries} retries: {why}".format(**letter))
    if others := len(messages) - len(letters):
        say(f"{others} other messages in {name}")
    if not letters:
        say("No schedule has given up an invocation")
        return
    say("\nTo run them now, once the cause is fixed:")
    for query in sorted({letter["query"] for letter in letters} - {""}):
        say(f"make fire STACK={stack.name} QUERY={query}")
    if not stack.parameters.get("DeadLetterQueueArn"):  # another queue may hold others' messages
        say(f"To empty the queue then: aws sqs purge-queue --queue-url {url}")


TARGETS = {
    "invoke": invoke_by_hand,
    "pause": pause,
    "resume": resume,
    "delete": delete,
    "dropped": dropped,
}

if __name__ == "__main__":
    run_target(TARGETS[sys.argv[1]])
