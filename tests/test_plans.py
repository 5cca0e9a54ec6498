"""A dry run's answer, from its text to what is shown of it: pure functions, no process, no AWS."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime

import pytest

from athena_schedule_manager.tools.plans import (
    Comparison,
    Details,
    FileView,
    NoPlanError,
    Plan,
    compare,
    read_plan,
)
from athena_schedule_manager.tools.preview import look_at
from athena_schedule_manager.tools.reports import (
    COMMENT_BYTES,
    SUMMARY_BYTES,
    as_markdown,
    as_text,
    report_of,
    safe,
)
from tests.world.pipeline import plan

BROKEN = (
    "failed",
    "pn-a",
    "Query 'a' is unusable (its live schedule, if any, is kept): no schedule",
)
BROKEN_TOO = ("failed", "pn-b", BROKEN[2].replace("'a'", "'b'"))
REFUSED = (
    "kept",
    "",
    "Refused to delete 25 schedules, which is more than MAX_DELETIONS=20: (pn-a)",
)
CREATE = ("create", "pn-new", "CREATE: pn-new (cron: rate(1 hour))")
UPDATE = (
    "update",
    "pn-old",
    "UPDATE: pn-old (cron: rate(1 hour) → rate(2 hours); timezone: A → B)",
)
DELETE = ("delete", "pn-gone", "DELETE: pn-gone (removed from config)")
KEPT = ("kept", "pn-kept", "Kept: pn-kept")
HINT = ("hint", "", "HINT: query 'a': 'timezon' is not read; did you mean 'timezone'?")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
NOTHING = FileView()


def planned(*changes: tuple[str, str, str], failed: int | None = None) -> Plan:
    """Return a plan with these changes."""
    return read_plan(json.dumps(plan(*changes, failed=failed)))


def compared(head: Plan, published: Plan | None = None, view: FileView = NOTHING) -> Comparison:
    """Compare a plan with that of what is published, where nothing is to be done."""
    return compare(head, published or planned(), view)


# --- Reading


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param("", "the answer is not a plan: it is empty", id="empty"),
        pytest.param("null", "the answer is not a plan: null", id="null"),
        pytest.param("[]", "the answer is not a plan: []", id="a list"),
        pytest.param("[" * 100_000, "the answer is not a plan: [[", id="a deep list"),
        pytest.param("<html>", "the answer is not a plan: <html>", id="no JSON"),
        pytest.param('{"created": 0}', "the answer is not a plan", id="three counters less"),
        pytest.param(json.dumps({"error": "HTTP 404"}), "HTTP 404", id="an error"),
        pytest.param(
            '{"errorMessage": "Task timed out after 240.00 seconds"}',
            "the function has failed: Task timed out after 240.00 seconds",
            id="a timeout",
        ),
        pytest.param(
            '{"errorMessage": "boom", "errorType": "RuntimeError", "stackTrace": []}',
            "the function has failed: boom",
            id="a crash",
        ),
        pytest.param(
            '{"created": 0, "updated": 0, "deleted": 0, "failed": 0}', "not a plan", id="a run"
        ),
        pytest.param(
            '{"created": true, "updated": 0, "deleted": 0, "failed": 0, "changes": []}',
            "not a plan",
            id="true is no number",
        ),
        pytest.param(
            '{"created": 1, "updated": 0, "deleted": 0, "failed": 0, "changes": [{"line": "x"}]}',
            'it has the change {"line": "x"}',
            id="a change that is none",
        ),
        pytest.param(
            '{"created": 1, "updated": 0, "deleted": 0, "failed": 0, "changes": ["CREATE: pn-a"]}',
            "the deployed manager is older than this tool",
            id="an older manager",
        ),
    ],
)
def test_what_is_not_a_plan_is_told_with_its_reason(answer: str, why: str) -> None:
    """A crash and a timeout are answers, too."""
    with pytest.raises(NoPlanError, match=re.escape(why)):
        read_plan(answer)


def test_a_plan_is_read_whole() -> None:
    """Counters, and every change with its action, name and line."""
    read = planned(DELETE, CREATE)
    assert read.counters == {"created": 1, "updated": 0, "deleted": 1, "failed": 0}
    assert [(change.action, change.name, change.line) for change in read.changes] == [
        DELETE,
        CREATE,
    ]


# --- Comparing


def test_what_breaks_now_and_what_was_broken_are_apart() -> None:
    """By the schedule, whatever the reason says now: somebody may be on the way to repairing it."""
    other_reason = (*BROKEN[:2], BROKEN[2].replace("no schedule", "its schedule 'x' is wrong"))
    found = compared(planned(BROKEN, BROKEN_TOO), planned(other_reason))
    assert found.broken == (BROKEN_TOO[2],)
    assert found.broken_before == (BROKEN[2],)


def test_deletes_that_the_limit_holds_back_break_something() -> None:
    """Unless they were held back before, however many they are now."""
    assert compared(planned(REFUSED, KEPT)).broken == (REFUSED[2],)
    more = (*REFUSED[:2], REFUSED[2].replace("25", "31").replace("pn-a", "pn-x"))
    assert compared(planned(more, KEPT), planned(REFUSED, KEPT)).broken == ()


def test_failures_that_no_entry_names_are_counted() -> None:
    """Beyond a thousand, say."""
    cut = ("hint", "", "and 500 more")
    head = planned(BROKEN, cut, failed=501)
    assert compared(head, planned(BROKEN, cut, failed=501)).broken == ()
    [sentence] = compared(head, planned(BROKEN, cut, failed=401)).broken
    assert sentence.startswith("100 more failures than in what is published")
    assert compared(head).cut == "and 500 more"
    assert compared(head).hints == ()


def test_a_problem_of_the_check_counts_for_what_the_commit_changes() -> None:
    """A zone that does not exist is green for the manager: AWS refuses the schedule later."""
    view = FileView(problems={"pn-new": "no such zone", "pn-other": "no such zone either"})
    found = compared(planned(CREATE), planned(), view)
    assert found.broken == ("no such zone",)
    assert found.broken_before == ("no such zone either",)
    assert compared(planned(CREATE), planned(CREATE), view).broken == ()


def test_a_problem_that_the_manager_tells_is_not_told_twice() -> None:
    """It knows the same expressions."""
    view = FileView(problems={"pn-a": "no schedule"})
    assert compared(planned(BROKEN), planned(), view).broken == (BROKEN[2],)


def test_hints_of_the_manager_and_of_the_check_are_told_once() -> None:
    """Both read the same keys."""
    found = compared(planned(HINT), planned(), FileView(hints=(HINT[2], "HINT: another")))
    assert found.hints == (HINT[2], "HINT: another")


# --- Showing


def test_deletes_come_first_and_are_counted_at_the_top() -> None:
    """What is lost must not be looked for."""
    report = report_of("The plan", compared(planned(REFUSED, CREATE, UPDATE, KEPT, DELETE)))
    assert [row[:2] for row in report.rows] == [
        ("delete", "pn-gone"),
        ("kept", "pn-kept"),
        ("update", "pn-old"),
        ("create", "pn-new"),
    ]
    assert report.title == "The plan: deletes 1 schedule"
    assert report.sentences == (
        "Would delete 1 schedule: the deletion limit keeps them.",
        "1 created, 1 updated, 1 deleted, 1 failed.",
    )


def test_a_row_says_how_and_when_a_schedule_runs() -> None:
    """Expression, zone, pause and next runs come from the file; the line has what differs."""
    details = Details("rate(2 hours)", "Europe/Rome", "paused", "")
    view = FileView(details={"pn-old": details, "pn-gone": details})
    report = report_of("The plan", compared(planned(UPDATE, DELETE), planned(), view))
    assert report.rows == (
        ("delete", "pn-gone", "-", "-", "-", "-", "(removed from config)"),
        (
            *("update", "pn-old", "rate(2 hours)", "Europe/Rome", "paused", ""),
            "(cron: rate(1 hour) → rate(2 hours); timezone: A → B)",
        ),
    )


@pytest.mark.parametrize(
    ("change", "state"), [(CREATE, "enabled"), (UPDATE, "as it is")], ids=["create", "update"]
)
def test_where_the_file_says_no_state_the_row_says_what_that_means(
    change: tuple[str, str, str], state: str
) -> None:
    """A new schedule runs; one that was paused by hand stays paused."""
    view = FileView(details={change[1]: Details("rate(1 hour)", "UTC", "", "")})
    [row] = report_of("The plan", compared(planned(change), planned(), view)).rows
    assert row[4] == state


def test_the_file_at_hand_gives_zone_pause_next_runs_problems_and_hints() -> None:
    """As the check sees it."""
    queries = {
        "a": {"schedule": "cron(0 9 * * ? *)", "timezone": "Europe/Rome", "enabled": False},
        "b": {"schedule": "cron(0 9 * * ? 2099)", "timezone": "Europe/Rom"},
        "c": {"schedule": "often", "timezon": "UTC"},
        "d": {"schedule": "at(2099-01-01T09:00:00)"},
    }
    view = look_at(json.dumps({"queries": queries}).encode(), "pn")
    assert view.details["pn-a"] == Details("cron(0 9 * * ? *)", "Europe/Rome", "paused", "")
    assert view.details["pn-d"].next_runs == "Thu 2099-01-01 09:00"
    assert view.problems.keys() == {"pn-b", "pn-c"}
    assert "Europe/Rome" in view.problems["pn-b"]
    assert any("'timezon'" in hint for hint in view.hints)


def test_an_empty_file_is_told_as_what_it_is() -> None:
    """It deletes everything, and that is no small change."""
    view = look_at(b'{"queries": {}}', "pn")
    report = report_of("The plan", compared(planned(DELETE), planned(), view))
    told = '"queries" is {}: this deletes every schedule of the manager, or none if they are more'
    assert report.sentences[0] == f"{told} than the deletion limit."


def test_a_file_that_the_check_refuses_is_told() -> None:
    """The plan beside it is of another file then, and cannot be trusted."""
    [remark] = look_at(b'{"queries": []}', "pn").remarks
    assert remark.startswith("The check refuses the file: ")


SLY = [
    "::error::pwned",
    "  ::add-mask::x",
    "##[command]x",
    "::stop-commands::x",
    "a ##[group]b",
    "x\n::set-output name=a::b",
    "x\r::warning::y",
    "\u2028::warning::y",
]


@pytest.mark.parametrize("text", SLY, ids=ascii)
def test_no_text_is_taken_for_a_command_of_the_runner(text: str) -> None:
    """It looks for :: at the beginning of a line, and for ##[ anywhere."""
    changes = [("failed", text, text), ("delete", text, text), ("hint", "", text)]
    report = report_of(text, compared(planned(*changes)))
    for shown in (as_text(report), as_markdown(report), safe(text)):
        assert "##[" not in shown
        assert [line for line in shown.splitlines() if line.lstrip().startswith("::")] == []


def test_nothing_in_a_cell_is_markdown_or_html() -> None:
    """Whoever writes a pull request writes these texts; a mention would call people."""
    sly = "| <img src=x> [a](http://b) **c** `d` @e #1 </code>\n| e"
    report = report_of("The plan", compared(planned(("delete", sly, sly), ("failed", sly, sly))))
    text = as_markdown(report)
    rows = [line for line in text.splitlines() if line.startswith("| <code>delete")]
    assert [row.count("|") for row in rows] == [8]
    for outside in re.sub("</?code>", "", text).splitlines():
        if "&#" in outside and not outside.startswith("###"):
            assert not re.search(r"[<>\[\]*`@]", outside.removeprefix("- "))
    assert "@e" in html.unescape(rows[0])


def test_what_breaks_stands_above_the_changes_and_hints_below() -> None:
    """In the summary, which is read from its top."""
    text = as_markdown(report_of("The plan", compared(planned(CREATE, BROKEN, HINT))))
    places = [text.index(part) for part in ("**Breaks**", "| what |", "**Hints**")]
    assert places == sorted(places)
    quiet = as_markdown(report_of("The plan", compared(planned(CREATE, HINT))))
    assert quiet.index("| what |") < quiet.index("**Hints**")


def test_five_thousand_changes_stay_below_what_github_takes() -> None:
    """1 MiB a summary; the rest is counted, and deletes are never among the rest."""
    creates = [("create", f"pn-{n:04}", f"CREATE: pn-{n:04} ({'→' * 900})") for n in range(5000)]
    report = report_of("The plan", compared(planned(*creates, DELETE)))
    summary = as_markdown(report)
    assert len(summary.encode()) < 1024 * 1024
    assert "pn&#45;gone" in summary
    assert summary.endswith("\nThis is cut: the job's log has the rest.\n")
    comment = as_markdown(report, COMMENT_BYTES)
    assert len(comment) < 65_536
    assert SUMMARY_BYTES > COMMENT_BYTES


def test_the_text_has_columns() -> None:
    """For a terminal and a job's log."""
    shown = as_text(report_of("The plan", compared(planned(DELETE, BROKEN, HINT))))
    assert shown.splitlines() == [
        "The plan: deletes 1 schedule",
        "",
        "0 created, 0 updated, 1 deleted, 1 failed.",
        "",
        "WHAT    SCHEDULE  EXPRESSION  ZONE  STATE  NEXT RUNS  LINE OF THE LOG",
        "delete  pn-gone   -           -     -      -          (removed from config)",
        "",
        "Breaks:",
        f"  {BROKEN[2]}",
        "",
        "Hints:",
        f"  {HINT[2]}",
    ]
