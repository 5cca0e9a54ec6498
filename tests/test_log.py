"""The log format: `timestamp aws_request_id level message`, one event one line."""

from __future__ import annotations

import io
import logging
import sys
import time
import unicodedata
from typing import TYPE_CHECKING

from athena_schedule_manager._words import LineFormatter
from athena_schedule_manager.index import set_up_logging
from tests.world.runtime import LINE

if TYPE_CHECKING:
    import pytest


def root_with(monkeypatch: pytest.MonkeyPatch, handler: logging.Handler) -> logging.Logger:
    """Return the root logger with a handler alone, until the test is over."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    return root


def formatted(message: str, created: float = 0.0, level: int = logging.INFO) -> str:
    """Return the line of a record of the runtime's."""
    record = logging.LogRecord("x", level, "x.py", 1, "%s", (message,), None)
    record.created, record.msecs = created, (created % 1) * 1000
    record.aws_request_id = "a-b-c"
    return LineFormatter("-", "\n").format(record)


def test_a_line_has_time_in_utc_request_id_level_and_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With milliseconds and a Z, wherever the machine is."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        line = formatted("Found 2 existing schedules", 1_782_031_598.3125)
    time.tzset()
    assert line == "2026-06-21T08:46:38.312Z a-b-c INFO Found 2 existing schedules\n"


def test_everything_that_could_break_a_line_is_escaped() -> None:
    """Control and format characters, U+2028, U+2029 and lone surrogates; letters and signs stay."""
    unsafe = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]
    assert {"\x85", "\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041"} < set(unsafe)
    line = formatted("a".join(unsafe))
    assert line.splitlines() == [line[:-1]]
    assert not set(unsafe) & set(line[:-1])
    assert line.encode()
    assert formatted("a\nb\r\tc\x00\x85\u2028\u2029\ud800").endswith(
        r" a\nb\r\tc\x00\x85\u2028\u2029\ud800" + "\n"
    )
    safe = "déjà vu → 日本 😀 \\n"
    assert formatted(safe).endswith(f" {safe}\n")


def test_a_traceback_stays_on_the_line() -> None:
    """Of some library, say."""
    try:
        int("no\x85number")
    except ValueError:
        record = logging.LogRecord("x", 40, "x.py", 1, "bad", None, sys.exc_info())
    line = LineFormatter("-", "").format(record)
    assert line.splitlines() == [line]
    assert "\\nValueError: invalid literal" in line
    assert " - ERROR bad\\nTraceback" in line


def test_handlers_are_kept_and_none_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second handler would double every line."""
    root = root_with(monkeypatch, handler := logging.NullHandler())
    level = root.level
    set_up_logging("id")
    set_up_logging("id")
    assert root.handlers == [handler]
    assert root.level == level


def test_only_our_own_info_lines_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root logger stays as it is; its handlers show others' warnings in our format."""
    root_with(monkeypatch, logging.StreamHandler(stream := io.StringIO()))
    set_up_logging("id-1")
    logging.getLogger("botocore").info("hidden")
    logging.getLogger("botocore").warning("two\nlines")
    logging.getLogger("athena_schedule_manager.index").info("shown")
    lines = stream.getvalue().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        r"id-1 WARNING two\nlines",
        "id-1 INFO shown",
    ]
    assert all(map(LINE.fullmatch, lines))


def test_without_a_request_id_a_dash_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the fields keep their places."""
    root_with(monkeypatch, logging.StreamHandler(stream := io.StringIO()))
    set_up_logging(None)
    logging.getLogger("athena_schedule_manager").info("by hand")
    assert stream.getvalue().endswith("Z - INFO by hand\n")


def test_without_any_handler_there_is_one_in_our_format(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called by hand, where no runtime has put one."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    set_up_logging(None)
    set_up_logging(None)
    logging.getLogger("athena_schedule_manager").info("by hand")
    assert capsys.readouterr().err.endswith("Z - INFO by hand\n")
    assert len(logging.getLogger().handlers) == 1
