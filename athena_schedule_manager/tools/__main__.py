"""Run a tool by its name: `python -m athena_schedule_manager.tools check path/to/config.json`.

A tool is a function `main(arguments: list[str]) -> int`: it is given the words after its name,
reads them with a `command_line.Parser`, and returns an exit code. It raises `StopError` with a
sentence if it cannot go on, and `NotWellError` if what it was asked about is not well. A new tool
is such a function and one line in TOOLS. It is imported when it is called: some imports take long.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from athena_schedule_manager.tools import terminal
from athena_schedule_manager.tools.command_line import OK, Parser, StopError

if TYPE_CHECKING:
    from collections.abc import Callable

TOOLS = {  # its name: where it is, and what it does
    "check": ("check:main", "show what a file becomes, and every problem in it, without AWS"),
    "preview": ("preview:main", "show what a commit would change"),
    "publish": ("publish:main", "schedule what the configuration holds at another commit"),
    "deploy": ("deploy:main", "make or update the stack"),
    "invoke": ("invoke:main", "invoke the deployed function; print its log and its answer"),
    "fire": ("fire:main", "run one query now, as its schedule would"),
    "logs": ("logs:main", "follow the log of the deployed function"),
    "dropped": ("dropped:main", "show which invocations schedules gave up, when and why"),
    "pause": ("trigger:pause", "turn the trigger off"),
    "resume": ("trigger:resume", "turn the trigger on"),
    "delete": ("delete:main", "delete the stack"),
    "dump": ("dump:main", "write the live schedules of a group as a configuration"),
}


def main(arguments: list[str]) -> int:
    """Run the tool that the first word names; return its exit code."""
    try:
        return run_tool(arguments)
    except StopError as problem:
        terminal.remark(str(problem))
        return problem.code
    except SystemExit as ended:  # argparse has printed its help
        return int(ended.code or OK)


def run_tool(arguments: list[str]) -> int:
    """Find the tool, and call it with its own words. Raises StopError."""
    names = ", ".join(TOOLS)
    lines = [f"  {name:<9} {does}" for name, (_, does) in TOOLS.items()]
    parser = Parser("", "\n".join(["Run a tool; NAME --help tells its options.", "", *lines]))
    parser.add_argument("name", metavar="NAME", help="the tool")
    asked = parser.parse_args(arguments[:1])
    if asked.name not in TOOLS:
        raise StopError(f"There is no such tool; the tools are {names}")
    place, _ = TOOLS[asked.name]
    return find(place)(arguments[1:])


def find(place: str) -> Callable[[list[str]], int]:
    """Import a tool, which is written as "module:function"."""
    module_name, _, function_name = place.partition(":")
    module = importlib.import_module(f"athena_schedule_manager.tools.{module_name}")
    found: Callable[[list[str]], int] = getattr(module, function_name)
    return found


if __name__ == "__main__":
    terminal.prepare()
    sys.exit(terminal.run(main, sys.argv[1:]))
