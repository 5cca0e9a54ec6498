"""Invoke the deployed function once; print the end of its log, and its answer.

make invoke
make invoke PAYLOAD='{"dry_run": true}'
"""

from __future__ import annotations

from athena_schedule_manager.tools.aws import invoke, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser


def main(arguments: list[str]) -> int:
    """Invoke the function with the event."""
    parser = Parser("invoke", __doc__)
    parser.add_stack()
    parser.add_variable("PAYLOAD", "the event, a JSON object", "{}")
    asked = parser.parse_args(arguments)
    invoke(the_stack(asked.stack).output("FunctionName"), asked.payload or "{}")
    return OK
