"""Delete the stack: say what goes with it, pause the trigger, let a run end, and delete.

make delete CONFIRM=yes
"""

from __future__ import annotations

from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.aws import (
    AT_REST,
    HALF_UPDATED,
    Stack,
    find_stack,
    look_up,
    raw,
    require_manager,
    required,
    settled,
    tell_roll_back,
)
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import remark, say, shown
from athena_schedule_manager.tools.trigger import turned

DRAIN_SECONDS = 240  # the function's timeout: after it a run that was under way has ended
MOST_NAMES = 10  # of schedules that are told one by one


def main(arguments: list[str]) -> int:
    """Delete the stack, once no run can be under way."""
    parser = Parser("delete", __doc__)
    parser.add_stack()
    parser.add_variable("CONFIRM", "yes to delete; anything else only tells what would go")
    asked = parser.parse_args(arguments)
    delete(asked.stack, asked.confirm)
    return OK


def delete(name: str, confirm: str) -> None:
    """Delete the stack. Raises StopError unless it is confirmed."""
    found = required(look_up(name), name)
    stack = required(settled(name, found), name)
    if stack.is_protected:
        command = raw(
            *("cloudformation", "update-termination-protection"),
            *("--no-enable-termination-protection", "--stack-name", name),
        )
        raise StopError(f"{name} has termination protection. To turn it off: {command}")
    require_manager(stack)
    is_whole = stack.status in AT_REST or stack.status in HALF_UPDATED
    tell_roll_back(stack)
    if is_whole:
        say("\n".join([f"Deleting the stack {name} deletes:", *what_goes(stack)]))
    else:
        say(f"{name} is in the state {stack.status}: what is left of it is deleted")
    if confirm != "yes":
        command = stack.typed("delete", "CONFIRM=yes")
        raise StopError(f"Nothing has been deleted. To delete: {command}")
    if is_whole:
        drain(stack)
    delete_stack(name)
    say(f"{name} is deleted")


def drain(stack: Stack) -> None:
    """Turn the trigger off, wait until a run under way has ended, and begin to delete the stack."""
    with turned(stack, "DISABLED"):
        say(f"The trigger is paused. Waiting {DRAIN_SECONDS} s, in which a run under way ends")
        for left in range(DRAIN_SECONDS, 0, -aws.SIGN_OF_LIFE):
            if left != DRAIN_SECONDS:
                remark(f"{left} s left")
            aws.sleep(min(aws.SIGN_OF_LIFE, left))
        aws.aws("cloudformation", "delete-stack", "--stack-name", stack.name)


def delete_stack(name: str) -> None:
    """Delete the stack, and wait until it is gone. Raises StopError if it is not."""
    stack = find_stack(name)
    if stack is None:
        return
    if stack.status != "DELETE_IN_PROGRESS":
        aws.aws("cloudformation", "delete-stack", "--stack-name", name)
        stack = find_stack(name)
    try:
        left = settled(name, stack)
    except (KeyboardInterrupt, aws.AwsError):
        command = raw("cloudformation", "describe-stacks", "--stack-name", name)
        remark(f"The deletion of {name} goes on without this command: see {command}")
        raise
    if left is not None:
        raise StopError(aws.condition(left))


def what_goes(stack: Stack) -> list[str]:
    """Say what is deleted with the stack, and what stays without it."""
    group = stack.output("ScheduleGroupName")
    names = names_in(group)
    prefix = f"{stack.parameters.get('ProjectName', 'pn')}-"
    ours = names and [name for name in names if name.startswith(prefix)]
    others = [name for name in names or [] if not name.startswith(prefix)]
    lines = [f"- the function {stack.output('FunctionName')}, its trigger, log, alarms and roles"]
    if stack.parameters.get("ExistingScheduleGroupName"):
        lines.append(
            f"- the execution role. The group {group} stays, and in it {counted(ours)} of this"
            f" manager{named(ours)}: without that role each fails, so delete it, or give it"
            " another role"
        )
        if others:
            lines.append(f"  unchanged: {counted(others)} of others in that group")
    else:
        lines.append(
            f"- the schedule group {group} and {counted(ours)} of this manager{named(ours)}, with"
            " their pauses, queues and retry policies"
        )
        if others:
            lines.append(f"- {counted(others)} of others in that group, too{named(others)}")
    lines += what_goes_with_the_queue(stack)
    return lines


def what_goes_with_the_queue(stack: Stack) -> list[str]:
    """Say what is lost with the dead-letter queue, if it is the stack's own."""
    if "DeadLetterQueueArn" not in stack.outputs or stack.parameters.get("DeadLetterQueueArn"):
        return []
    lines = [f"- the dead-letter queue and what is in it (see {stack.typed('dropped')})"]
    if stack.parameters.get("ExistingScheduleGroupName"):
        lines.append("  Schedules that name it keep its name: give them another queue, or none")
    return lines


def names_in(group: str) -> list[str] | None:
    """Return the names of a group's schedules, or None: they cannot be seen."""
    try:
        listed = aws.aws("scheduler", "list-schedules", "--group-name", group)["Schedules"]
    except aws.AwsError as error:
        if "ResourceNotFoundException" in str(error):
            return []
        remark(f"Which schedules go or stay with the group {group} cannot be seen: {error}")
        return None
    return [schedule["Name"] for schedule in listed]


def counted(names: list[str] | None) -> str:
    """Count schedules in words."""
    if names is None:
        return "the schedules"
    return "1 schedule" if len(names) == 1 else f"{len(names)} schedules"


def named(names: list[str] | None) -> str:
    """Return the first names in parentheses."""
    if not names:
        return ""
    more = ", ..." if len(names) > MOST_NAMES else ""
    return f" ({', '.join(shown(name) for name in names[:MOST_NAMES])}{more})"
