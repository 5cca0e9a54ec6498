"""Follow the log of the deployed function, from an hour ago on; Ctrl-C ends it."""

from __future__ import annotations

from athena_schedule_manager.tools.aws import follow, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser


def main(arguments: list[str]) -> int:
    """Follow the log."""
    parser = Parser("logs", __doc__)
    parser.add_stack()
    asked = parser.parse_args(arguments)
    group = the_stack(asked.stack).output("LogGroupName")
    follow("logs", "tail", group, "--since", "1h", "--follow")
    return OK
