"""What people read: errors that carry a sentence, values in a message, and the lines of the log."""

from __future__ import annotations

import json
import logging
import reprlib
import time

from botocore.exceptions import ClientError

from ._calls import NotTriedError, OutOfTimeError, UnreadableAnswerError, error_code

MAX_SHOWN = 200  # characters of a value in a message
MAX_LINE = 1000  # characters of a service's answer in a message, and of a line in a dry run's
DRY_RUN = "DRY RUN "  # before every line of a dry run


class CannotReconcileError(Exception):
    """The states cannot be compared: the run logs one ERROR line, raises, has changed nothing."""


class UnusableQueryError(Exception):
    """A query that cannot become a schedule: it is counted as failed, its live schedule stays."""


class GroupMissingError(Exception):
    """The schedule group does not exist and cannot be made: every create fails for it."""


class AlreadyDoneError(Exception):
    """Somebody else made the change meanwhile: it is in no counter and has one WARNING."""


# --- Values and errors in a message


_repr = reprlib.Repr()
_repr.maxstring = MAX_SHOWN
_repr.maxother = MAX_SHOWN
_repr.maxlist = MAX_SHOWN
_repr.maxdict = MAX_SHOWN


def quoted(value: object) -> str:
    """Quote a value from outside for a message: on one line, cut, however deeply nested it is."""
    if isinstance(value, str):
        return repr(value[:MAX_SHOWN])
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # as its author has written it
    return _repr.repr(value)[:MAX_SHOWN]


def one_line(text: str) -> str:
    """Escape what could break or disguise a line: whatever is not printable."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def describe(error: Exception) -> str:
    """Say what went wrong: the service's code and message, or the exception's type and text."""
    if isinstance(error, OutOfTimeError):
        return "out of time"
    if isinstance(error, GroupMissingError | UnreadableAnswerError | NotTriedError):
        return str(error)[:MAX_LINE]
    if isinstance(error, ClientError):
        code = error_code(error) or type(error).__name__
        text = error.response.get("Error", {}).get("Message", "")
        return f"{code}: {text}"[:MAX_LINE]
    return f"{type(error).__name__}: {error}"[:MAX_LINE]


# --- The log


class LineFormatter(logging.Formatter):
    """`timestamp aws_request_id level message`: UTC with milliseconds, and one event one line.

    `request_id` is for records that carry none; `end` ends a line.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, request_id: str, end: str) -> None:
        super().__init__(
            "%(asctime)s %(aws_request_id)s %(levelname)s %(message)s",
            defaults={"aws_request_id": request_id},
        )
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        """Format the record with a traceback, if it has one, on the same line."""
        return one_line(super().format(record)) + self._end


def mark_dry_run(record: logging.LogRecord) -> bool:
    """Mark a record as a dry run's, and lower it to INFO: a preview must not raise an alarm."""
    record.levelno = logging.INFO
    record.levelname = logging.getLevelName(logging.INFO)
    record.msg = f"{DRY_RUN}{record.msg}"
    return True
