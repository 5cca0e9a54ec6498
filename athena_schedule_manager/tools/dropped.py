"""Show what the schedules gave up: which query, when, why, and how to run it now."""

from __future__ import annotations

from typing import Any

from athena_schedule_manager.tools.aws import aws, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import say

HIDDEN_SECONDS = 60  # for which a dead letter that has been read is not shown again
MOST_READS = 200  # of ten dead letters at most


def main(arguments: list[str]) -> int:
    """Show the dead letters."""
    parser = Parser("dropped", __doc__)
    parser.add_stack()
    show_dropped(parser.parse_args(arguments).stack)
    return OK


def show_dropped(stack_name: str) -> None:
    """Show what the schedules gave up: when, which query, why, and how to run it now."""
    stack = the_stack(stack_name)
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
