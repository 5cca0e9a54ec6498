"""Show what the schedules gave up: which query, when, why, and how to run it now.

The messages stay in the queue, and the next look shows them again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from athena_schedule_manager.tools.aws import AwsError, Stack, aws, raw, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import remark, say, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN_SECONDS = 60  # for which a message that is being read is hidden, if nothing gives it back
MOST_READS = 200  # of ten messages at most
BATCH = 10  # messages that are given back in one call
NAME = re.compile("[0-9a-zA-Z_.-]{1,64}")  # what a shell takes as one harmless word


def main(arguments: list[str]) -> int:
    """Show the dead letters."""
    parser = Parser("dropped", __doc__)
    parser.add_stack()
    show_dropped(parser.parse_args(arguments).stack)
    return OK


def show_dropped(stack_name: str) -> None:
    """Show the dead letters in the order of their times."""
    stack = the_stack(stack_name)
    if stack.parameters.get("DeadLetterQueueArn") == "none":
        raise StopError(f"{stack.name} has no dead-letter queue")
    *_, account, name = stack.output("DeadLetterQueueArn").split(":")
    words = ["--queue-name", name, "--queue-owner-aws-account-id", account]
    url = aws("sqs", "get-queue-url", *words)["QueueUrl"]
    elsewhere = being_read(url)
    messages = read_queue(url)
    prefix = stack.parameters["ProjectName"] + "-"
    letters = [letter for m in messages if (letter := dead_letter(m, prefix))]
    for letter in sorted(letters, key=lambda letter: letter["when"]):
        say(shown("{when}  {schedule}  after {tries} retries: {why}".format(**letter)))
    if others := len(messages) - len(letters):
        say(f"Other messages in {name}: {others}")
    if elsewhere:
        say(f"Read by somebody else just now: {elsewhere} more. Look again in a minute")
    if letters:
        tell_what_to_do(stack, {letter["query"] for letter in letters}, url)
    elif elsewhere is None:
        say("None can be read now; any that somebody else is reading are not shown")
    elif not elsewhere:
        say("No schedule has given up an invocation")


def tell_what_to_do(stack: Stack, queries: set[str], url: str) -> None:
    """Say how to run the queries now; others wrote their names, so only a name is offered."""
    names = [query for query in sorted(queries) if NAME.fullmatch(query)]
    if names:
        say("\nTo run them now, once the cause is fixed:")
    for name in names:
        say(stack.typed("fire", f"QUERY={name}"))
    if not stack.parameters.get("DeadLetterQueueArn"):  # another queue may hold others' messages
        say(f"To empty the queue then: {raw('sqs', 'purge-queue', '--queue-url', url)}")


def being_read(url: str) -> int | None:
    """Return how many messages somebody else is reading just now, or None: it cannot be seen."""
    name = "ApproximateNumberOfMessagesNotVisible"
    words = ["--queue-url", url, "--attribute-names", name]
    try:
        return int(aws("sqs", "get-queue-attributes", *words)["Attributes"][name])
    except AwsError as error:
        remark(f"Whether somebody else reads the queue cannot be seen: {error}")
        return None


def read_queue(url: str) -> list[dict[str, Any]]:
    """Return the messages of a queue, and leave them in it for the next look."""
    found: dict[str, dict[str, Any]] = {}
    try:
        for message in receive(url):
            found.setdefault(message["MessageId"], message)
    finally:
        give_back(url, list(found.values()))
    return list(found.values())


def receive(url: str) -> Iterator[dict[str, Any]]:
    """Yield messages until there is no new one."""
    words = ["--queue-url", url, "--max-number-of-messages", "10"]
    words += ["--visibility-timeout", str(HIDDEN_SECONDS), "--message-attribute-names", "All"]
    seen: set[str] = set()
    for _ in range(MOST_READS):
        answer = aws("sqs", "receive-message", *words, "--wait-time-seconds", "1") or {}
        messages = answer.get("Messages", [])
        new = [message for message in messages if message["MessageId"] not in seen]
        if not new:
            return
        seen |= {message["MessageId"] for message in new}
        yield from new


def give_back(url: str, messages: list[dict[str, Any]]) -> None:
    """Make messages visible again at once, or say for how long they are hidden."""
    for begin in range(0, len(messages), BATCH):
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for number, message in enumerate(messages[begin : begin + BATCH])
        ]
        words = ["--queue-url", url, "--entries", json.dumps(entries)]
        try:
            aws("sqs", "change-message-visibility-batch", *words)
        except AwsError as error:
            remark(f"The messages are hidden from others for {HIDDEN_SECONDS} s: {error}")
            return


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
