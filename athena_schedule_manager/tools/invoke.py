"""Invoke the deployed function once; print the end of its log, and its answer.

make invoke
make invoke PAYLOAD='{"dry_run": true}'
"""

from __future__ import annotations

import json

from athena_schedule_manager.tools.aws import Stack, call_function, show_text, the_stack
from athena_schedule_manager.tools.command_line import NOT_WELL, OK, NotWellError, Parser, StopError
from athena_schedule_manager.tools.terminal import shown


def main(arguments: list[str]) -> int:
    """Invoke the function with the event."""
    parser = Parser("invoke", __doc__, {NOT_WELL: "the run failed, or failed for some queries"})
    parser.add_stack()
    parser.add_variable("PAYLOAD", "the event, a JSON object", "{}")
    asked = parser.parse_args(arguments)
    payload = asked.payload or "{}"
    refuse_what_is_no_event(payload)
    stack = the_stack(asked.stack)
    log, answer = call_function(stack.output("FunctionName"), payload, "--log-type", "Tail")
    show_text(log)
    show_text(answer)
    if problem := problem_of(answer, stack):
        raise NotWellError(problem)
    return OK


def refuse_what_is_no_event(payload: str) -> None:
    """Refuse what the function would not take for what was meant. Raises StopError."""
    example = """PAYLOAD='{"dry_run": true}'"""
    try:
        event = json.loads(payload)
    except ValueError as error:
        raise StopError(
            f"PAYLOAD is not JSON, and nothing was sent: {error}. Write it as in {example}"
        ) from None
    if not isinstance(event, dict):
        raise StopError(
            f"PAYLOAD is not a JSON object, and nothing was sent. Write it as in {example}"
        )


def problem_of(answer: str, stack: Stack) -> str | None:
    """Say what is not well with an answer, or return None: a run or a dry run without failures."""
    try:
        told = json.loads(answer)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return "The function's answer is not one of this manager's"
    if "error" in told:
        return f"Nothing was done: {shown(str(told['error']))}"
    failed = told.get("failed")
    if type(failed) is not int:
        return "The function's answer is not one of this manager's"
    if failed:
        if "changes" in told:
            return f"Failed for {failed}: the failures above say why"
        return (
            f"Failed for {failed}: the ERROR and WARNING lines say why. Above is only the end of"
            f" the log; {stack.typed('logs')} shows all of it"
        )
    return None
