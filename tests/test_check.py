"""The check of a file: what it becomes, every problem once, and how a terminal is treated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools import next_runs as runs
from athena_schedule_manager.tools.check import check, main
from athena_schedule_manager.tools.next_runs import next_runs
from athena_schedule_manager.tools.suggestions import corrected

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "athena_schedule_manager" / "tools" / "examples"
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def checked(document: str, project: str = "pn") -> tuple[int, str]:
    """Return the exit code and the text for a document."""
    return check(document.encode(), "c.json", project, NOW)


def query(text: str) -> str:
    """Return a document of one query."""
    return f'{{"queries": {{"a": {{{text}}}}}}}'


def tool(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a tool as make does."""
    return subprocess.run(  # noqa: S603 - ours
        [
            sys.executable,
            "-m",
            "tests.tools" if words[0] == "story" else "athena_schedule_manager.tools",
            *words,
        ],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_is_shown_as_the_readme_shows_it() -> None:
    """At the time at which the README was written."""
    sample = EXAMPLES / "query-executor-config.json"
    name = sample.relative_to(ROOT).as_posix()
    code, text = check(sample.read_bytes(), name, "pn", NOW)
    assert code == 0
    assert text in (ROOT / "README.md").read_text("utf-8")


def test_every_typo_is_one_sentence_with_what_was_meant() -> None:
    """Unusable queries make exit code 1; hints alone do not."""
    code, text = check((EXAMPLES / "typos.json").read_bytes(), "c.json", "pn", NOW)
    assert code == 1
    for query_id, meant in {
        "unix-cron": "cron(0 6 * * ? *)",
        "no-wrapper": "cron(0 6 ? * MON-FRI *)",
        "weekday-and-day": "cron(0 6 ? * MON *)",
        "hour-24": "cron(0 0 * * ? *)",
        "seconds": "cron(0 6 * * ? *)",
        "weeks": "rate(7 days)",
        "utc": "at(2099-01-01T00:00:00)",
        "near-key": "'timezone'",
        "near-zone": "'Europe/Rome'",
    }.items():
        [line] = [line for line in text.splitlines() if f"uery '{query_id}':" in line]
        assert meant in line.partition("did you mean")[2]
    for query_id in ("nothing", "paused?", "yes", "never", "past", "numbered"):
        assert text.count(f"uery '{query_id}':") == 1
    assert "5 schedules, 10 unusable queries, 5 hints." in text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0 6 * * 0", "cron(0 6 ? * SUN *)"),
        ("cron(0 6 * * 7)", "cron(0 6 ? * SUN *)"),
        ("0 6 1 * *", "cron(0 6 1 * ? *)"),
        ("cron(0 6 ? * ? *)", "cron(0 6 * * ? *)"),
        ("cron(0 6 ? * MONDAY *)", "cron(0 6 ? * MON *)"),
        ("cron(0 6 ? sept MON *)", "cron(0 6 ? SEP MON *)"),
        ("cron(0 6 ? * 0 *)", "cron(0 6 ? * SUN *)"),
        ("cron(0 6 * * ? *", "cron(0 6 * * ? *)"),
        ("@daily", "cron(0 0 * * ? *)"),
        ("rate(1h)", "rate(1 hour)"),
        ("rate( 10 minutes )", "rate(10 minutes)"),
        ("every 5 minutes", "rate(5 minutes)"),
        ("2 weeks", "rate(14 days)"),
        ("2099-01-01", "at(2099-01-01T00:00:00)"),
        ("at('2099-01-01T10:00')", "at(2099-01-01T10:00)"),
    ],
)
def test_the_corrected_form_is_given_where_it_can_be(written: str, meant: str) -> None:
    """And it is one that the manager takes."""
    assert corrected(written) == meant
    assert expression_problem(meant) is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x",
        "cron(0 6 1 * MON *)",
        "rate(10 seconds)",
        "rate(1 month)",
        "cron(61 6 * * ? *)",
        "rate(0 days)",
        "at(2099-01-01T00:00:00+02:00)",
        "cron()",
    ],
)
def test_what_was_meant_is_not_guessed_at(written: str) -> None:
    """Two day fields are two schedules; a rate in seconds cannot be had."""
    assert corrected(written) is None


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("cron(0 2 * * ? *)", "UTC", ["11-27 02:00", "11-28 02:00"]),
        ("cron(0 2 * * ?)", "UTC", ["11-27 02:00", "11-28 02:00"]),
        ("CRON(00  04 ? * mon-sun *)", "Europe/Rome", ["11-27 04:00", "11-28 04:00"]),
        ("cron(0 4 * * ? *)", "Asia/Tokyo", ["11-27 04:00", "11-28 04:00"]),
        ("cron(0 0 29 2 ? 2028)", "UTC", ["02-29 00:00"]),
        ("at(2026-11-26T05:00:00)", "Europe/Rome", ["11-26 05:00"]),
    ],
)
def test_the_next_runs_are_those_of_the_schedules_zone(
    expression: str, zone: str, expected: list[str]
) -> None:
    """Two of them, or as many as there are."""
    found = next_runs(expression, zone, NOW)
    assert found is not None
    assert [run.strftime("%m-%d %H:%M") for run in found] == expected


def test_an_hour_that_is_skipped_has_no_run() -> None:
    """In Rome, on 29 March 2026, 02:00 to 03:00."""
    found = next_runs("cron(30 2 * * ? *)", "Europe/Rome", datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert [str(run.date()) for run in found or []] == ["2026-03-30", "2026-03-31"]


@pytest.mark.parametrize(
    ("now", "first"),
    [("2026-10-25T00:15", "2026-10-25"), ("2026-10-25T01:15", "2026-10-26")],
    ids=["before both", "between the two"],
)
def test_an_hour_that_comes_twice_has_one_run(now: str, first: str) -> None:
    """In Rome, on 25 October 2026, 02:30 is 00:30 and 01:30 UTC; the first is the run."""
    found = next_runs("cron(30 2 * * ? *)", "Europe/Rome", datetime.fromisoformat(f"{now}Z"))
    assert found is not None
    assert str(found[0].date()) == first
    assert found[1].date() > found[0].date()


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("rate(1 day)", "UTC"),
        ("cron(0 2 * * ? *)", "Europe/Roma"),
        ("cron(0 2 ? * L *)", "UTC"),
        ("cron(0 2 /2 * ? *)", "UTC"),
        ("at(2099-01-01 5)", "UTC"),
        ("at(2099-03-29T02:30:00)", "Europe/Rome"),
    ],
)
def test_what_cannot_be_told_is_not_told_wrongly(expression: str, zone: str) -> None:
    """A rate has no known phase, and a library knows what it knows."""
    assert next_runs(expression, zone, NOW) is None


def test_the_check_works_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a question mark."""
    monkeypatch.setattr(runs, "AwsCroniter", None)
    code, text = checked(query('"schedule": "cron(0 2 * * ? *)"'))
    assert (code, "UTC       -      ?" in text) == (0, True)


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("cron(0 6 31 2,4 ? *)", "never runs"),
        ("cron(0 6 30 FEB ? *)", "never runs"),
        ("cron(0 6 1 1 ? 2020-2022)", "only years that are past"),
        ("at(2026-11-26T02:59:59)", "in the past"),
        ("cron(0 6 ? * 2,4L *)", "day-of-week 2,4L means MON,WEDL"),
        ("cron(0 6 ? * 2#1 *)", "day-of-week 2#1 means MON#1"),
    ],
)
def test_what_is_allowed_and_hardly_meant_is_a_hint(expression: str, hint: str) -> None:
    """The exit code stays 0."""
    code, text = checked(query(f'"schedule": "{expression}"'))
    assert code == 0
    [line] = [line for line in text.splitlines() if line.startswith("HINT: query 'a':")]
    assert hint in line


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 6 29 2 ? *)",
        "cron(0 6 31 1-12 ? *)",
        "cron(0 6 L 2 ? *)",
        "cron(0 6 ? * MON#1 *)",
        "cron(0 6 31 11-1 ? *)",
        "cron(0 6 * * ? 2026)",
        "cron(0 6 31 */2 ? *)",
    ],
)
def test_what_runs_some_day_gets_no_hint(expression: str) -> None:
    """However rarely."""
    assert "HINT" not in checked(query(f'"schedule": "{expression}"'))[1]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "it is empty"),
        ("<!DOCTYPE html><html>", "it is a web page, not JSON; save the raw file"),
        ("{'queries': {}}", "not UTF-8 JSON"),
        ('{"queries": {"a": {}, "a": {}}}', "'a'"),
        ("[]", "'queries' is missing or not an object"),
        ("{}", "queries"),
        ('{"queries": {}, "x": "' + "x" * 8 * 1024 * 1024 + '"}', "larger than"),
    ],
    ids=lambda text: text[:20],
)
def test_a_document_that_is_refused_says_why(document: str, why: str) -> None:
    """It changes nothing."""
    code, text = checked(document)
    assert code == 1
    assert "The document is refused, and changes nothing: " in text
    assert why in text


def test_an_empty_document_has_no_table() -> None:
    """And is all right."""
    code, text = checked('{"queries": {}}')
    assert (code, "NAME" in text, "0 schedules, 0 unusable" in text) == (0, False, True)


@pytest.mark.parametrize("value", ['{"a": 5}', '{"a": null}', '{"a": []}', '{"": {}}'])
def test_every_entry_may_be_broken(value: str) -> None:
    """Each is told."""
    code, text = checked(f'{{"queries": {value}}}')
    assert (code, "0 schedules, 1 unusable query" in text) == (1, True)


def test_an_expression_over_several_lines_stays_in_its_row() -> None:
    """White space inside is allowed, line ends too; a zone is anybody's text."""
    _, text = checked(query(r'"schedule": "cron(0\n2 * * ? *)", "timezone": "a\nb"'))
    assert r"pn-a  cron(0 2 * * ? *)  a\nb" in text


def test_another_project_has_its_own_names() -> None:
    """And so its own limit on ids."""
    assert "acme-a " in checked(query('"schedule": "rate(1 day)"'), "acme")[1]


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_exit_code_2(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence."""
    assert main([path]) == 2
    assert capsys.readouterr().err.startswith(f"Cannot read {path}: ")


@pytest.mark.parametrize(("name", "code"), [("query-executor-config.json", 0), ("typos.json", 1)])
def test_the_exit_code_is_the_tools(name: str, code: int) -> None:
    """As a pipeline sees it; nothing of the mock is shown."""
    done = tool("check", str(EXAMPLES / name))
    assert (done.returncode, done.stderr) == (code, "")
    assert " INFO " not in done.stdout


def test_a_terminal_of_ascii_shows_escapes(tmp_path: Path) -> None:
    """No traceback for a character that it lacks."""
    path = tmp_path / "c.json"
    path.write_text('{"queries": {"é→": {}}}', "utf-8")
    done = tool("check", str(path), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert r"\xe9\u2192" in done.stdout


def test_the_story_is_played_on_a_terminal_of_ascii(story: str) -> None:
    """Its arrows are escaped."""
    assert r"\u2192" in story


def closed_early(*words: str) -> tuple[int, str]:
    """Run a tool whose reader goes away at once; return its exit code and its complaints."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        command = [
            sys.executable,
            "-m",
            "tests.tools" if words[0] == "story" else "athena_schedule_manager.tools",
            *words,
        ]
        done = subprocess.run(  # noqa: S603 - ours
            command, cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    return done.returncode, done.stderr


def test_a_pipe_that_closes_early_is_no_error() -> None:
    """The check's exit code stays what it is, and nothing complains."""
    assert closed_early("check", str(EXAMPLES / "typos.json")) == (1, "")


def test_ctrl_c_ends_a_tool_without_a_traceback(tmp_path: Path) -> None:
    """It waits for a file that nobody writes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process: Any = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "athena_schedule_manager.tools", "check", str(pipe)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    with pipe.open("wb"):  # opens when the tool has opened it, too
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("name", ["a b.json", "$(shell echo pwned).json", "`echo pwned`'\".json"])
def test_make_hands_the_path_over_as_it_was_typed(name: str) -> None:
    """Neither make nor a shell expands it."""
    done = subprocess.run(  # noqa: S603 - ours
        ["make", "--dry-run", "--assume-old=.venv/can-check", "run", f"CONFIG={name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pwned\n" not in done.stdout
    assert 'check "$CONFIG"' in done.stdout


def test_the_zones_on_this_machine_are_known() -> None:
    """From the system, or from tzdata."""
    assert runs.known_zone("Europe/Rome") == ZoneInfo("Europe/Rome")
    assert runs.similar_zone("europe/rome") == "Europe/Rome"
    assert runs.similar_zone("xyzzy") is None
