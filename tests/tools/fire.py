"""What `make fire QUERY=` does: run one query now, as its schedule would, after showing how."""

from __future__ import annotations

import os
import re
from typing import Any

from tests.tools.cloud import AwsError, StopError, aws, call_function, run_target, say, the_stack


def main(_: list[str]) -> int:
    """Invoke the target of the query that the variable QUERY names."""
    run_target(lambda: fire(os.environ.get("QUERY", "")))
    return 0


def fire(query_id: str) -> None:
    """Show the schedule, its target and its input, and invoke the target with it."""
    if not query_id:
        raise StopError("Name the query, as in: make fire QUERY=daily-report")
    stack = the_stack()
    name = f"{stack.parameters.get('ProjectName') or 'pn'}-{query_id}"
    schedule = live_schedule(stack.output("ScheduleGroupName"), name)
    target = schedule["Target"]
    function, payload = target["Arn"], target.get("Input", "{}")
    say(f"schedule: {name} ({schedule['ScheduleExpression']}, {schedule['State']})")
    say(f"target:   {function}\ninput:    {payload}")
    call_function(function, payload, "--invocation-type", "Event")
    say("invoked: the target runs now, on its own; see its log")


def live_schedule(group: str, name: str) -> dict[str, Any]:
    """Return a schedule as it is now. Raises StopError."""
    missing = f"There is no schedule {name} in the group {group}: is QUERY the query's id?"
    if not re.fullmatch("[0-9a-zA-Z_.-]{1,64}", name):
        raise StopError(missing)
    try:
        return dict(aws("scheduler", "get-schedule", "--group-name", group, "--name", name))
    except AwsError as problem:
        if "ResourceNotFoundException" in str(problem):
            raise StopError(missing) from None
        raise
