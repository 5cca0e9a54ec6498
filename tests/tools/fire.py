"""What `make fire QUERY=` does: run one query now, as its schedule would, after showing how."""

from __future__ import annotations

import os
import re
from typing import Any

from tests.tools import deployed
from tests.tools.deployed import ProblemError, aws_json, invoke


def main(_: list[str]) -> int:
    """Invoke the target of the query that the variable QUERY_ID names; return the exit code."""
    return deployed.run(lambda: fire(os.environ.get("QUERY_ID", "")))


def fire(query_id: str) -> None:
    """Show the schedule, its target and its input, and invoke the target with it."""
    if not query_id:
        raise ProblemError("Name the query, as in: make fire QUERY=daily-report")
    stack = deployed.stack()
    name = f"{stack.parameters.get('ProjectName') or 'pn'}-{query_id}"
    schedule = live_schedule(stack.output("ScheduleGroupName"), name)
    target = schedule["Target"]
    function, payload = target["Arn"], target.get("Input", "{}")
    print(f"schedule: {name} ({schedule['ScheduleExpression']}, {schedule['State']})")
    print(f"target:   {function}\ninput:    {payload}", flush=True)
    invoke(function, payload, "--invocation-type", "Event")
    print("invoked: the target runs now, on its own; see its log")


def live_schedule(group: str, name: str) -> dict[str, Any]:
    """Return a schedule as it is now. Raises ProblemError."""
    missing = f"There is no schedule {name} in the group {group}: is QUERY the query's id?"
    if not re.fullmatch("[0-9a-zA-Z_.-]{1,64}", name):
        raise ProblemError(missing)
    try:
        return dict(aws_json("scheduler", "get-schedule", "--group-name", group, "--name", name))
    except ProblemError as problem:
        if "ResourceNotFoundException" in str(problem):
            raise ProblemError(missing) from None
        raise
