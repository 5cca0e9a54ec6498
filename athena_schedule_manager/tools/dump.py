"""Write the live schedules of a group as a configuration, on standard output.

    make dump > query-executor-config.json
    make dump GROUP=pn-athena-queries PROJECT_NAME=pn > query-executor-config.json

The second form needs no stack of this manager: adopting a group begins with it. A run with the file
changes only the target, the role and the input of schedules that somebody made by hand, and gives
them a description and a dead-letter queue where they have none. What the file cannot say is told on
standard error. Without a stack nobody knows the executor, and the target of most schedules is taken
for it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools.aws import AwsError, aws, place, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import remark, say, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Answer = Mapping[str, Any]  # of GetSchedule

AT_A_TIME = 8  # calls of the AWS CLI, each of which takes half a second or more
EVERY = 100  # schedules between two signs of life
SCHEMA = "query-executor-config.schema.json"
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"  # the manager's own, left out
TIMEZONE = "UTC"  # what applies without a time zone
STAYS = {  # members that the manager leaves to the operator, in words
    "StartDate": "StartDate (unless it is past)",
    "EndDate": "EndDate",
    "KmsKeyArn": "KmsKeyArn",
}
COMMON = {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"}  # to all kinds of target


def main(arguments: list[str]) -> int:
    """Write the configuration."""
    parser = Parser("dump", __doc__)
    parser.add_stack()
    parser.add_variable("GROUP", "a schedule group, instead of the stack's")
    parser.add_variable(
        "PROJECT_NAME", "with GROUP: what the schedules' names begin with, without hyphen", "pn"
    )
    asked = parser.parse_args(arguments)
    if asked.group:
        account = aws("sts", "get-caller-identity")["Account"]
        remark(f"Account {account}, Region {place().region}, group {shown(asked.group)}")
        dump(asked.group, f"{asked.project_name}-", "", "")
        return OK
    stack = the_stack(asked.stack)
    prefix = f"{stack.parameters.get('ProjectName', 'pn')}-"
    queue = stack.outputs.get("DeadLetterQueueArn", "")
    dump(stack.output("ScheduleGroupName"), prefix, stack.parameters["QueryExecutorArn"], queue)
    return OK


def dump(group: str, prefix: str, executor: str, queue: str) -> None:
    """Write the schedules of a group, and tell what the file cannot say."""
    answers = read_group(group)
    for line in remarks(answers, prefix, executor or usual_target(answers, prefix), queue):
        remark(shown(line))
    written = configuration(answers, prefix)
    say(json_text(written))
    others = len(answers) - len(written["queries"])
    remark(f"Schedules written: {len(written['queries'])}, left out: {others}")


def json_text(document: object) -> str:
    """Write JSON as people write it, but with what could disguise a line as an escape. Pure."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def read_group(group: str) -> list[Answer]:
    """Read every schedule of a group. Raises StopError if there is no such group."""
    try:
        listed = aws("scheduler", "list-schedules", "--group-name", group)["Schedules"]
    except AwsError as error:
        if "ResourceNotFoundException" in str(error):
            raise StopError(
                f"There is no schedule group {shown(group)} in the Region {place().region}"
            ) from None
        raise
    names = [schedule["Name"] for schedule in listed]
    answers: list[Answer] = []
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for answer in threads.map(lambda name: read_schedule(group, name), names):
            if answer is not None:
                answers.append(answer)
            if len(answers) % EVERY == 0:
                remark(f"{len(answers)} of {len(names)} schedules are read")
    return answers


def read_schedule(group: str, name: str) -> Answer | None:
    """Read a schedule; it may have gone since it was listed."""
    try:
        found = aws("scheduler", "get-schedule", "--group-name", group, "--name", name)
    except AwsError as error:
        if "ResourceNotFoundException" in str(error):
            return None
        raise
    return dict(found)


def configuration(answers: Sequence[Answer], prefix: str) -> dict[str, Any]:
    """Return the configuration that says what the schedules are, sorted by the ids. Pure."""
    queries = {}
    for answer in sorted(answers, key=lambda answer: str(answer["Name"])):
        query_id = id_of(answer, prefix)
        if query_id:
            queries[query_id] = query_of(answer)
    return {"$schema": SCHEMA, "queries": queries}


def id_of(answer: Answer, prefix: str) -> str:
    """Return the id of the query of a schedule, or nothing if it cannot have one. Pure."""
    name = str(answer["Name"])
    return name.removeprefix(prefix) if name.startswith(prefix) else ""


def query_of(answer: Answer) -> dict[str, Any]:
    """Return the query that says what a schedule is. Pure."""
    query: dict[str, Any] = {"schedule": answer["ScheduleExpression"]}
    timezone = answer.get("ScheduleExpressionTimezone") or TIMEZONE
    if timezone != TIMEZONE:
        query["timezone"] = timezone
    description = answer.get("Description") or DEFAULT_DESCRIPTION
    if description != DEFAULT_DESCRIPTION:
        query["description"] = description
    if answer.get("State") == "DISABLED":
        query["enabled"] = False
    return query


def usual_target(answers: Sequence[Answer], prefix: str) -> str:
    """Return the target that most schedules with ids have, or nothing without any. Pure."""
    targets = Counter(answer["Target"]["Arn"] for answer in answers if id_of(answer, prefix))
    return str(max(targets, key=targets.__getitem__, default=""))


def remarks(
    answers: Sequence[Answer], prefix: str, executor: str, queue: str = ""
) -> Iterator[str]:
    """Yield what the file cannot say, a line for each. Pure."""
    for answer in answers:
        name = str(answer["Name"])
        if name == prefix:
            yield f"{name} is left out, since its id would be empty: a run DELETES it"
        elif not name.startswith(prefix):
            yield f"{name} is left out, since it does not begin with {prefix}: it stays as it is"
        else:
            for remark_of_one in changes(answer, name.removeprefix(prefix), executor):
                yield f"{name}: {remark_of_one}"
            own = answer["Target"].get("DeadLetterConfig", {}).get("Arn", queue)
            if own != queue:
                yield f"{name}: its dead-letter queue stays {own}, where the new role must send"
            stays = [*staying(answer)]
            if stays:
                yield f"{name}: a run keeps its {', '.join(stays)}, which the file does not say"


def changes(answer: Answer, query_id: str, executor: str) -> Iterator[str]:
    """Yield what a run with the file would change of one schedule, or could not take. Pure."""
    target = answer["Target"]
    if executor and target["Arn"] != executor:
        yield f"a run points it to the executor instead of {target['Arn']}"
    elif not re.match(r"arn:aws[a-z-]*:lambda:", target["Arn"]):
        yield f"its target is {target['Arn']}, which a run replaces by the executor"
    if not is_input_of(query_id, target.get("Input", "")):
        yield "a run replaces its input by the query's id"
    if more := sorted(set(target) - COMMON):
        yield f"a run that changes its target leaves out its {', '.join(more)}"
    if not answer.get("Description"):
        yield "a run gives it a description, since it has none"
    if problem := expression_problem(answer["ScheduleExpression"].strip()):
        yield f"the manager would not take its expression: it {problem}"


def is_input_of(query_id: str, text: str) -> bool:
    """Tell whether an input is the one that the manager gives to a query's schedule. Pure."""
    try:
        return bool(json.loads(text) == {"query_id": query_id})
    except (ValueError, RecursionError):
        return False


def staying(answer: Answer) -> Iterator[str]:
    """Yield the members that are not the manager's, so that they survive. Pure."""
    yield from (words for name, words in STAYS.items() if answer.get(name))
    if answer.get("FlexibleTimeWindow", {}).get("Mode", "OFF") != "OFF":
        yield "FlexibleTimeWindow"
    if answer.get("ActionAfterCompletion", "NONE") != "NONE":
        yield "ActionAfterCompletion"
