"""Delete the stack: say what goes with it, pause the trigger, let a run end, and delete.

make delete CONFIRM=yes
"""

from __future__ import annotations

from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.aws import Stack, delete_stack, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import say

DRAIN_SECONDS = 240  # the function's timeout: after it a run that was under way has ended


def main(arguments: list[str]) -> int:
    """Delete the stack, once no run can be under way."""
    parser = Parser("delete", __doc__)
    parser.add_stack()
    parser.add_variable("CONFIRM", "yes to delete; anything else only tells what would go")
    asked = parser.parse_args(arguments)
    delete(asked.stack, asked.confirm)
    return OK


def delete(stack_name: str, confirm: str) -> None:
    """Delete the stack. Raises StopError unless it is confirmed."""
    stack = the_stack(stack_name)
    if stack.is_protected:
        raise StopError(f"{stack.name} has termination protection: turn that off first")
    say("\n".join([f"Deleting the stack {stack.name} deletes:", *what_goes(stack)]))
    if confirm != "yes":
        raise StopError("Nothing has been deleted. To delete: make delete CONFIRM=yes")
    aws.aws("events", "disable-rule", "--name", stack.output("TriggerRuleName"))
    say(f"The trigger is paused. Waiting {DRAIN_SECONDS} s, in which a run under way ends")
    aws.sleep(DRAIN_SECONDS)
    delete_stack(stack.name)
    say(f"{stack.name} is deleted")


def what_goes(stack: Stack) -> list[str]:
    """Say what is deleted with the stack, and what stays without it."""
    group = stack.output("ScheduleGroupName")
    listed = aws.aws("scheduler", "list-schedules", "--group-name", group)["Schedules"]
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
