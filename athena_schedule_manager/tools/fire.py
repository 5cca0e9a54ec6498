"""Run one query now, as its schedule would, after showing the schedule, its target and its input.

make fire QUERY=daily-report
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from athena_schedule_manager.tools.aws import AwsError, aws, call_function, raw, the_stack, typed
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import say, shown

NAME_IN_ARN = 6  # arn:aws:lambda:region:account:function:name, and perhaps a version or an alias


def main(arguments: list[str]) -> int:
    """Invoke the target of the query's schedule."""
    parser = Parser("fire", __doc__)
    parser.add_stack()
    parser.add_variable("QUERY", "the query's id, as in the file")
    asked = parser.parse_args(arguments)
    fire(asked.stack, asked.query)
    return OK


def fire(stack_name: str, query_id: str) -> None:
    """Show the schedule, its target and its input, and invoke the target with it."""
    if not query_id:
        command = typed("fire", stack_name, "QUERY=daily-report")
        raise StopError(f"Name the query, as in: {command}")
    stack = the_stack(stack_name)
    name = f"{stack.parameters.get('ProjectName') or 'pn'}-{query_id}"
    schedule = live_schedule(stack.output("ScheduleGroupName"), name)
    target = schedule["Target"]
    function = target["Arn"]
    payload = target.get("Input", "{}")
    timezone = schedule.get("ScheduleExpressionTimezone", "UTC")
    told = f"{schedule['ScheduleExpression']}, {timezone}, {schedule['State']}"
    say(shown(f"schedule: {name} ({told})"))
    say(shown(f"target:   {function}"))
    say(shown(f"input:    {payload}"))
    if ":lambda:" not in function:
        raise StopError("The target is not a Lambda function, so nothing was invoked")
    call_function(function, payload, "--invocation-type", "Event")
    log = f"/aws/lambda/{function.split(':')[NAME_IN_ARN]}"
    say("accepted: the target runs now, on its own. Whether the query worked is in its log:")
    say(shown(raw("logs", "tail", shlex.quote(log), "--since", "5m")))


def live_schedule(group: str, name: str) -> dict[str, Any]:
    """Return a schedule as it is now. Raises StopError."""
    missing = f"There is no schedule {shown(name)} in the group {group}: is QUERY the query's id?"
    if not re.fullmatch("[0-9a-zA-Z_.-]{1,64}", name):
        raise StopError(missing)
    try:
        return dict(aws("scheduler", "get-schedule", "--group-name", group, "--name", name))
    except AwsError as problem:
        if "ResourceNotFoundException" in str(problem):
            raise StopError(missing) from None
        raise
