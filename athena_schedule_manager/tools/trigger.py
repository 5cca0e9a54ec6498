"""Turn the trigger off or on: at once, and in the stack, so that a deployment keeps it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from athena_schedule_manager.tools.aws import (
    AwsError,
    Stack,
    await_parameter,
    stack_to_change,
    submit_parameter,
    trigger_state,
    turn_trigger,
)
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import remark, say

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = {"ENABLED": "resume", "DISABLED": "pause"}


def pause(arguments: list[str]) -> int:
    """Turn the trigger off."""
    stack = set_trigger(read_stack("pause", arguments), "DISABLED")
    say("The trigger is paused. Schedules keep firing. Heartbeat goes into alarm, as a reminder")
    say(f"To turn it on again: {stack.typed('resume')}")
    return OK


def resume(arguments: list[str]) -> int:
    """Turn the trigger on."""
    set_trigger(read_stack("resume", arguments), "ENABLED")
    say("The trigger runs again")
    return OK


def read_stack(name: str, arguments: list[str]) -> str:
    """Return the name of the stack."""
    parser = Parser(name, __doc__)
    parser.add_stack()
    return str(parser.parse_args(arguments).stack)


def set_trigger(stack_name: str, state: str) -> Stack:
    """Turn the rule on or off at once, and record that in the stack, which a deployment keeps."""
    stack = stack_to_change(stack_name)
    with turned(stack, state):
        submit_parameter(stack, "TriggerState", state)
    try:
        await_parameter(stack, "TriggerState", state)
    except StopError:
        now = trigger_state(stack) or "perhaps not what the stack says"
        remark(f"The trigger is {now}: type {stack.typed(TOOLS[state])} again")
        raise
    return stack


@contextlib.contextmanager
def turned(stack: Stack, state: str) -> Iterator[None]:
    """Turn the rule on or off at once; put it back if what is to follow is not begun."""
    before = trigger_state(stack) or stack.parameters.get("TriggerState", "ENABLED")
    try:
        turn_trigger(stack, state)
    except KeyboardInterrupt:  # which may have come too late
        put_back(stack, before)
        raise
    try:
        yield
    except BaseException:
        put_back(stack, before)
        raise


def put_back(stack: Stack, before: str) -> None:
    """Turn the rule to what it was, and say so; or say that it may not be, and what to type."""
    try:
        turn_trigger(stack, before)
    except (AwsError, KeyboardInterrupt):
        command = stack.typed(TOOLS[before])
        remark(f"The trigger may be other than {before}, which it was: type {command}")
    else:
        remark(f"The trigger is {before} again, as it was: nothing is changed")
