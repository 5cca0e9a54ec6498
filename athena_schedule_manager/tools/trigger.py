"""Turn the trigger off or on: at once, and in the stack, so that a deployment keeps it."""

from __future__ import annotations

from athena_schedule_manager.tools.aws import aws, change_parameter, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser
from athena_schedule_manager.tools.terminal import say


def pause(arguments: list[str]) -> int:
    """Turn the trigger off."""
    set_trigger(read_stack("pause", arguments), "DISABLED")
    say("The trigger is paused. Schedules keep firing. Heartbeat goes into alarm, as a reminder")
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


def set_trigger(stack_name: str, state: str) -> None:
    """Turn the rule on or off at once, and record that in the stack, which a deployment keeps."""
    stack = the_stack(stack_name)
    operation = {"ENABLED": "enable-rule", "DISABLED": "disable-rule"}[state]
    aws("events", operation, "--name", stack.output("TriggerRuleName"))
    change_parameter(stack, "TriggerState", state)
