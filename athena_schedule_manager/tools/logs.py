"""Follow the log of the deployed function, from an hour ago on; Ctrl-C ends it."""

from __future__ import annotations

from athena_schedule_manager.tools.aws import MANUAL, follow, is_version_1, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError


def main(arguments: list[str]) -> int:
    """Follow the log."""
    parser = Parser("logs", __doc__)
    parser.add_stack()
    asked = parser.parse_args(arguments)
    if is_version_1():
        raise StopError(
            f"This is the AWS CLI 1, which cannot follow a log: install {MANUAL['AWS']}"
        )
    group = the_stack(asked.stack).output("LogGroupName")
    follow("logs", "tail", group, "--since", "1h", "--follow")
    return OK
