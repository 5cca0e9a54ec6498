"""What every tool does with its terminal: no traceback for a closed pipe, ASCII or Ctrl-C.

A terminal that is closed and a job that is canceled end a tool as Ctrl-C does: it first puts back
what it had half done, and says what is live.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ENDINGS = (signal.SIGHUP, signal.SIGTERM)  # the terminal is closed, the job is canceled


def prepare() -> None:
    """Show as an escape what the terminal cannot show; let Ctrl-C end an import at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.raiseExceptions = False  # a log line into a closed pipe is lost, and that is all
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def run(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a tool and return its exit code; a reader that has gone away ends it without an error."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in ENDINGS:
        if signal.getsignal(ending) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(ending, end_as_ctrl_c_does)
    try:
        code = main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more what a tool would go on to show
        forget_output(sys.stdout)
        return 0
    except KeyboardInterrupt as interrupt:  # the tool has said what there is to say
        ending = interrupt.args[0] if interrupt.args else signal.SIGINT
        signal.signal(ending, signal.SIG_DFL)
        os.kill(os.getpid(), ending)
        raise
    return code


def end_as_ctrl_c_does(ending: int, _: FrameType | None) -> NoReturn:
    """Raise what Ctrl-C raises, with the signal that the process is to end by."""
    raise KeyboardInterrupt(ending)


def say(*words: str) -> None:
    """Print at once, so that lines stay in order beside those of other programs."""
    _print(sys.stdout, words)


def remark(*words: str) -> None:
    """Print to standard error, which leaves standard output to what was asked for."""
    _print(sys.stderr, words)


def _print(stream: TextIO, words: tuple[str, ...]) -> None:
    """Print, whether or not anybody still reads: what is done, and the exit code, stay the same."""
    try:
        print(*words, file=stream, flush=True)
    except BrokenPipeError:
        forget_output(stream)


def shown(text: str) -> str:
    """Return a text that others wrote with each character escaped that could disguise a line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def forget_output(stream: TextIO) -> None:
    """Send what is still buffered nowhere, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
