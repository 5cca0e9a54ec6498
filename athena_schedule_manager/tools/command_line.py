"""How every tool is called: its options, its help, its exit codes, and the sentence of a failure.

Those of make may also be given as the environment variable of their name, which is how make hands
them over: as text that neither make nor a shell has expanded.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import NoReturn

OK = 0
NOT_WELL = 1
NOT_DONE = 2
EXIT_CODES = {
    OK: "all is well",
    NOT_WELL: "what was asked about is not well",
    NOT_DONE: "it could not be asked or done",
}
DEFAULT_STACK = "pn-athena-schedule-manager"
STACK_NAME = "[A-Za-z][A-Za-z0-9-]{0,127}"  # CloudFormation's own rule


class StopError(Exception):
    """A tool stops here; the message is a sentence for the person who typed it."""

    code = NOT_DONE


class NotWellError(StopError):
    """What was asked about is not well, and has been told; the message is the last sentence."""

    code = NOT_WELL


class Parser(argparse.ArgumentParser):
    """Reads a tool's options; what is wrong with them is one sentence.

    >>> parser = Parser("fire", "Run one query now.")
    >>> parser.add_stack()
    >>> parser.add_variable("QUERY", "the id of the query")
    >>> asked = parser.parse_args(["--query", "daily-report"])
    >>> asked.query
    'daily-report'
    """

    def __init__(
        self, name: str, description: str, exit_codes: dict[int, str] | None = None
    ) -> None:
        """Take the tool's name, the text above its options, and its own words for exit codes."""
        codes = EXIT_CODES | (exit_codes or {})
        lines = [f"  {code}  {meaning}" for code, meaning in codes.items()]
        super().__init__(
            prog=f"python -m athena_schedule_manager.tools {name}".rstrip(),
            description=description.replace("%", "%%"),
            epilog="\n".join(["exit codes:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_variable(self, name: str, meaning: str, default: str = "") -> None:
        """Add an option that may also be given as an environment variable, such as STACK."""
        shown = f"{meaning}; or the variable {name}"
        if default:
            shown = f"{shown} (default: {default})"
        self.add_argument(
            f"--{name.lower().replace('_', '-')}",
            metavar=name,
            default=os.environ.get(name, default),
            help=shown.replace("%", "%%"),
        )

    def add_stack(self) -> None:
        """Add the option that names the stack."""
        self.add_argument(
            "--stack",
            metavar="STACK",
            type=read_stack_name,
            default=os.environ.get("STACK", DEFAULT_STACK),
            help=f"name of the stack; or the variable STACK (default: {DEFAULT_STACK})",
        )

    def error(self, message: str) -> NoReturn:
        """Stop with one sentence instead of the usage. Raises StopError."""
        if message.startswith("unrecognized"):  # it goes on with the words, which may be a secret
            message = "there is a word or an option that this tool does not take"
        raise StopError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help")


def read_stack_name(text: str) -> str:
    """Return the name of a stack. Raises StopError for what cannot be one."""
    if not text:
        raise StopError("STACK is empty: give the name of the stack, or leave STACK= out")
    if not re.fullmatch(STACK_NAME, text):
        raise StopError(
            "STACK is not the name of a stack: that is at most 128 letters, digits and hyphens, and"
            " begins with a letter"
        )
    return text
