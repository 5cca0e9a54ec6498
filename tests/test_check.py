"""The check of a file: what it becomes, every problem once, and how a terminal is treated."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager.tools import next_runs as runs
from athena_schedule_manager.tools import terminal, zones
from athena_schedule_manager.tools.check import check, main

if TYPE_CHECKING:
    from types import FrameType

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


def test_the_sample_is_shown_as_the_page_shows_it() -> None:
    """At the time at which the page was written."""
    sample = EXAMPLES / "query-executor-config.json"
    name = sample.relative_to(ROOT).as_posix()
    code, text = check(sample.read_bytes(), name, "pn", NOW)
    assert code == 0
    page = ROOT / "athena_schedule_manager" / "docs" / "publishing.md"
    assert text in page.read_text("utf-8")


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
    assert "4 schedules, 11 unusable queries, 4 hints." in text


@pytest.mark.parametrize(
    ("zone", "meant"),
    [("Europe/Roma", "'Europe/Rome'"), ("PST", "'America/Los_Angeles'"), ("IST", "")],
)
def test_a_zone_that_the_tz_database_lacks_is_a_problem(zone: str, meant: str) -> None:
    """Exit code 1, since AWS refuses it in every run; white space around it is the manager's."""
    code, text = checked(query(f'"schedule": "cron(0 2 * * ? *)", "timezone": "{zone}"'))
    assert (code, "0 schedules, 1 unusable query, 0 hints" in text) == (1, True)
    [line] = [line for line in text.splitlines() if line.startswith("Query 'a': its timezone")]
    assert line.partition("did you mean ")[2].startswith(meant)
    assert ("did you mean" in line) == bool(meant)
    code, text = checked(query('"schedule": "cron(0 2 * * ? *)", "timezone": " Europe/Rome "'))
    assert (code, "Europe/Rome  -      Fri 2026-11-27 02:00" in text) == (0, True)


def test_without_a_tz_database_zones_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hint says so, and the check goes on."""
    monkeypatch.setattr(zones, "names", frozenset)
    monkeypatch.setattr(zones, "known_zone", lambda _: None)
    monkeypatch.setattr(runs, "known_zone", lambda _: None)
    runs.next_runs.cache_clear()
    code, text = checked(query('"schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Rome"'))
    assert (code, "Europe/Rome  -      ?" in text, "install tzdata" in text) == (0, True, True)
    runs.next_runs.cache_clear()


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("cron(* * * * ? *)", "runs 1,440 times a day"),
        ("cron(*/4 6-9 * * ? *)", None),
        ("rate(1 minute)", "runs 1,440 times a day"),
        ("rate(5 minutes)", None),
        ("at(2027-01-01 08:00)", "only at(yyyy-mm-ddThh:mm:ss) is documented; did you mean at("),
        ("at(2027-01-01T08:00)", "did you mean at(2027-01-01T08:00:00)?"),
        ("at(2027-01-01T08:00:00.5)", "is documented"),
        ("at(2027-02-29T08:00:00)", "there is no such date"),
        ("cron(0 6 31 2,4 ? *)", "never runs"),
        ("cron(0 6 30 FEB ? *)", "never runs"),
        ("cron(0 6 1 1 ? 2020-2022)", "only years that are past"),
        ("at(2026-11-26T02:59:59)", "in the past"),
        ("cron(0 6 ? * 2,4L *)", "day-of-week 2,4L means MON,WEDL"),
        ("cron(0 6 ? * 2#1 *)", "day-of-week 2#1 means MON#1"),
    ],
)
def test_what_is_allowed_and_hardly_meant_is_a_hint(expression: str, hint: str | None) -> None:
    """The exit code stays 0."""
    code, text = checked(query(f'"schedule": "{expression}"'))
    assert code == 0
    lines = [line for line in text.splitlines() if line.startswith("HINT: query 'a':")]
    assert len(lines) == (1 if hint else 0)
    assert hint is None or hint in lines[0]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('"disabled": true', '"enabled": false'),
        ('"paused": true', '"enabled": false'),
        ('"state": "DISABLED"', '"enabled": false'),
        ('"tz": "Europe/Rome"', "timezone"),
    ],
)
def test_a_key_that_is_ours_by_another_name_is_a_hint(key: str, told: str) -> None:
    """The check prints the package's own hints."""
    code, text = checked(query(f'"schedule": "rate(1 day)", {key}'))
    [line] = [line for line in text.splitlines() if line.startswith("HINT: query 'a':")]
    assert (code, told in line) == (0, True)


def test_a_time_that_the_clock_skips_is_a_hint() -> None:
    """Nobody documents when such a query runs."""
    words = '"schedule": "at(2027-03-28T02:30:00)", "timezone": "Europe/Rome"'
    assert "at a time that the clock skips in Europe/Rome" in checked(query(words))[1]


@pytest.mark.parametrize("length", [62, 72])
def test_an_id_that_is_too_long_is_told_by_how_much(length: int) -> None:
    """The prefix counts."""
    code, text = checked(f'{{"queries": {{"{"a" * length}": {{"schedule": "rate(1 day)"}}}}}}')
    excess = "1 character" if length == 62 else "11 characters"
    assert (code, f"with 'pn-' before it, it is {excess} too long" in text) == (1, True)


def crowd(count: int, schedule: str = "cron(0 2 * * ? *)", zone: str = "UTC") -> str:
    """Return a document of queries that start together, one that is paused, and a neighbour."""
    one = f'{{"schedule": "{schedule}", "timezone": "{zone}"}}'
    queries = [f'"q{number}": {one}' for number in range(count)]
    queries.append('"paused": {"schedule": "cron(0 2 * * ? *)", "enabled": false}')
    queries.append('"near": {"schedule": "cron(1 2 * * ? *)"}')
    return f'{{"queries": {{{", ".join(queries)}}}}}'


def test_the_fullest_minute_is_a_hint_with_names_and_free_minutes() -> None:
    """When more than ten queries start in it."""
    code, text = checked(crowd(14))
    assert code == 0
    [line] = [line for line in text.splitlines() if line.startswith("HINT: ")]
    names = ", ".join(f"q{number}" for number in range(14))
    assert line == (
        f"HINT: 02:00 UTC Friday: 14 queries start together ({names}), and Athena may refuse some"
        " of them; nothing starts at 01:59 and 02:02"
    )
    assert "HINT" not in checked(crowd(10))[1]


def test_a_crowd_is_one_in_utc_on_the_day_of_a_change_too() -> None:
    """On the 28th of March 2027, 03:00 in Rome is 01:00 UTC, and 02:30 is skipped."""
    now = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
    for schedule, told in [
        ("cron(0 3 28 3 ? 2027)", "01:00 UTC Sunday: 11 queries"),
        ("cron(30 2 28 3 ? 2027)", None),
        ("at(2027-03-28T03:00:00)", "01:00 UTC Sunday: 11 queries"),
        ("cron(30 0 29 3 ? 2027)", "22:30 UTC Sunday: 11 queries"),
    ]:
        document = crowd(11, schedule, "Europe/Rome").encode()
        text = check(document, "c.json", "pn", now)[1]
        assert ("start together" in text) == bool(told), schedule
        assert told is None or told in text


def test_a_minute_may_have_no_free_neighbour() -> None:
    """When something starts in every minute."""
    text = checked(crowd(300, "cron(* * * * ? *)"))[1]
    [line] = [line for line in text.splitlines() if "start together" in line]
    assert "q19 and 281 more), and Athena may refuse some of them" in line
    assert "nothing starts" not in line


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
        ("{\n'queries': {}}", "line 2 has the quotation mark '"),
        ('{"queries": {"a": 1,\n}}', "line 1 has a comma before a closing }"),
        ('{"queries": [1,\n2,\n\n]}', "line 2 has a comma before a closing ]"),
        ('// why\n{"queries": {}}', "line 1 has a comment"),
        ('{"queries": {}, # why\n}', "line 1 has a comment"),
        ('{"queries": {\n/* why */\n}}', "line 2 has a comment"),
        ('{"queries": {} /* why */}', "line 1 has a comment"),
        ('{"queries": {"a": \u201cb\u201d}}', "line 1 has the quotation mark \u201c"),
        ("{queries: {}}", "line 1 has the key queries without quotation marks"),
        ("queries:\n  a: 1", "line 1 has the key queries without quotation marks"),
        ('{"queries": {"a": True}}', "line 1 has True; JSON writes true"),
        ('{"queries": {"a": None}}', "JSON writes null"),
        ('{"queries": {}', "a bracket or a quotation mark is still open"),
        ('{"queries": {"a": {}\n"b": {}}}', "line 2 goes on without a comma before it"),
        ('{"queries": {"a": "b}}', 'line 1 begins a text that has no closing "'),
        ('{"queries": {"a": "b\nc"}}', "line 1 has a line end or a tab inside a text"),
        ('{"queries": {"a": "\\d"}}', "line 1 has a \\ that JSON does not know"),
        ('{"queries" {}}', "line 1 has a key without a colon after it"),
        ('{"queries": {"a": 01}}', "not UTF-8 JSON: Expecting ',' delimiter"),
        ('{"queries": {}}x', "not UTF-8 JSON: Extra data"),
        ('{"queries": "it is // no comment, }"}', "'queries' is missing or not an object"),
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


def test_a_file_that_is_not_utf_8_names_the_line() -> None:
    """As an editor of Windows may save it."""
    text = check('{"queries":\n{"é": {}}}'.encode("latin-1"), "c.json", "pn", NOW)[1]
    assert "line 2 is not UTF-8; save the file as UTF-8" in text


def test_an_empty_document_says_that_it_deletes_everything() -> None:
    """It is all right, as somebody may mean it."""
    code, text = checked('{"queries": {}}', "acme")
    assert (code, "NAME" in text, "0 schedules, 0 unusable queries, 1 hint" in text) == (
        0,
        False,
        True,
    )
    assert "deletes every schedule that begins with 'acme-'" in text


@pytest.mark.parametrize("value", ['{"a": 5}', '{"a": null}', '{"a": []}', '{"": {}}'])
def test_every_entry_may_be_broken(value: str) -> None:
    """Each is told."""
    code, text = checked(f'{{"queries": {value}}}')
    assert (code, "0 schedules, 1 unusable query" in text) == (1, True)


def test_an_expression_over_several_lines_stays_in_its_row() -> None:
    """White space inside is allowed, line ends too; a zone may be anybody's text."""
    _, text = checked(query(r'"schedule": "cron(0\n2 * * ? *)", "timezone": "Europe/Rome"'))
    assert "pn-a  cron(0 2 * * ? *)  Europe/Rome" in text
    _, text = checked(query(r'"schedule": "cron(0 2 * * ? *)", "timezone": "a\nb"'))
    assert r"its timezone 'a\nb' is not in the tz database" in text


def test_what_could_disguise_a_line_is_shown_as_an_escape() -> None:
    """In the row of an expression, too."""
    _, text = checked(query(r'"schedule": "at(2099-01-01\u202e\u009bT10:00:00)"'))
    assert all(c.isprintable() for c in text.replace("\n", ""))


def test_another_project_has_its_own_names() -> None:
    """And so its own limit on ids."""
    assert "acme-a " in checked(query('"schedule": "rate(1 day)"'), "acme")[1]


BARE = """
import sys

FOUND = sys.stdlib_module_names | {"athena_schedule_manager", "boto3", "botocore", "s3transfer",
    "jmespath", "dateutil", "six", "urllib3"}


class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in FOUND and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Bare())
from athena_schedule_manager.tools.__main__ import main
sys.exit(main(["check", sys.argv[1]]))
"""


def test_the_check_needs_boto3_and_the_standard_library_alone() -> None:
    """It runs in any pipeline that has Python; the tz database may be the machine's, or none."""
    command = [sys.executable, "-c", BARE, str(EXAMPLES / "query-executor-config.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 schedules, 0 unusable queries" in done.stdout


def test_a_query_takes_some_hundred_calls() -> None:
    """Its next runs are found field by field, not minute by minute: counted, as time varies."""
    called = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal called
        called += event == "call"

    schedules = [f'"q{n}": {{"schedule": "cron({n} {n} {n} 2 ? *)"}}' for n in range(1, 13)]
    text = f'{{"queries": {{{", ".join(schedules)}}}}}'
    checked('{"queries": {}}')  # what is made once
    sys.setprofile(count)
    try:
        checked(text)
    finally:
        sys.setprofile(None)
    assert 12 < called < 12 * 500


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_exit_code_2(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence."""
    assert main([path]) == 2
    assert capsys.readouterr().err.startswith(f"Cannot read {path}: ")


def test_a_dash_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a pipeline can check what is no file."""
    document = io.BytesIO((EXAMPLES / "typos.json").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(document))
    assert main(["-"]) == 1
    assert capsys.readouterr().out.startswith("Standard input, checked without AWS: ")


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


def test_what_a_tool_does_and_its_exit_code_need_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make publish | head -1` published nothing, and was green."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        monkeypatch.setattr(sys, "stderr", closed)
        terminal.say("the plan")
        terminal.remark("where it acts")
        terminal.say("what is live")


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


ENDED = """
import signal, sys
from athena_schedule_manager.tools import terminal

def main(words):
    try:
        signal.raise_signal(int(words[0]))
    finally:
        print("put back")

terminal.prepare()
sys.exit(terminal.run(main, sys.argv[1:]))
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_tool_that_is_ended_first_puts_back_what_it_had_half_done(ending: signal.Signals) -> None:
    """By Ctrl-C, by a job that is canceled, by a terminal that is closed."""
    # whatever this process does with the signal
    begin = "import signal, sys; signal.signal(int(sys.argv[1]), signal.SIG_DFL)"
    command = [sys.executable, "-c", begin + ENDED, str(int(ending))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stdout, done.stderr) == (-ending, b"put back\n", b"")


def test_a_closed_terminal_does_not_end_what_nohup_began() -> None:
    """Which has had the signal ignored."""
    begin = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    command = [sys.executable, "-c", begin + ENDED, str(int(signal.SIGHUP))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stdout, done.stderr) == (0, b"put back\n", b"")


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
