"""Dry runs, and the preview of a candidate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import _git, index
from athena_schedule_manager._words import CannotReconcileError, LineFormatter
from tests.world import (
    CRON,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    QUERIES,
    SHA,
    document,
    messages,
    response,
    shown,
    status,
)

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from tests.world import World

DRY = {"dry_run": True}


def long_answer() -> AWSResponse:
    """Answer with an error of 300,000 characters."""
    return response(b'{"Message": "%s"}' % (b"x" * 300_000), 403)


MIXED: dict[str, Any] = {
    "new": {"schedule": CRON},
    "drifted": {"schedule": CRON},
    "broken": {"schedule": "often"},
}
BROKEN_LINE = (
    "Query 'broken' is unusable (its live schedule, if any, is kept):"
    " its schedule 'often' must be cron(...), rate(...) or at(...)"
)


def arrange(world: World) -> None:
    """Make schedules of which one drifted, one is obsolete, and one belongs to a broken query."""
    world.create("pn-drifted", ScheduleExpression=OTHER_CRON)
    world.create("pn-obsolete")
    world.create("pn-broken")


def change(action: str, name: str, line: str) -> dict[str, str]:
    """Return a change of a dry run's answer."""
    return {"action": action, "name": name, "line": line}


def test_a_dry_run_returns_what_a_run_would_do_and_writes_nothing(strict_world: World) -> None:
    """The counters, and the very lines that the log would show."""
    arrange(strict_world)
    before = strict_world.live()
    assert strict_world.run(MIXED, event=DRY) == {
        "created": 1,
        "updated": 1,
        "deleted": 1,
        "failed": 1,
        "changes": [
            change("failed", "pn-broken", BROKEN_LINE),
            change("delete", "pn-obsolete", "DELETE: pn-obsolete (removed from config)"),
            change("update", "pn-drifted", f"UPDATE: pn-drifted (cron: {OTHER_CRON} → {CRON})"),
            change("create", "pn-new", f"CREATE: pn-new (cron: {CRON})"),
        ],
    }
    assert strict_world.live() == before
    assert set(strict_world.faults.calls) == {"ListSchedules", "GetSchedule"}


def test_a_dry_run_predicts_the_run_that_follows(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Counters and lines."""
    arrange(strict_world)
    predicted = strict_world.run(MIXED, event=DRY)
    caplog.clear()
    lines = shown(predicted)
    del predicted["changes"]
    assert strict_world.run() == predicted
    assert sorted(lines) == sorted(messages(caplog, logging.ERROR) + messages(caplog)[1:-1])


def test_the_log_of_a_dry_run_has_the_order_of_the_run_that_follows(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Creates, updates, deletes."""
    arrange(strict_world)
    strict_world.run(MIXED, event=DRY)
    logged = [line.removeprefix("DRY RUN ") for line in messages(caplog)]
    caplog.clear()
    strict_world.run()
    assert logged[-4:] == messages(caplog, logging.ERROR) + messages(caplog)[1:-1]


def test_a_dry_run_makes_no_group(strict_world: World) -> None:
    """It says what it would create in it."""
    assert strict_world.run(QUERIES, event=DRY)["created"] == 1
    assert strict_world.faults.calls == ["ListSchedules"]
    assert GROUP not in {key.partition("/")[0] for key in strict_world.live()}


def test_every_line_of_a_dry_run_is_marked_and_at_info(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A preview must never ring the alarm that counts ERROR lines, nor keep a heartbeat alive."""
    arrange(strict_world)
    strict_world.faults.error("GetSchedule", "AccessDeniedException", 403)
    strict_world.run(MIXED, event=DRY)
    strict_world.git_host.answer(document(b"<html>"))
    strict_world.run(event=DRY)
    lines = [LineFormatter("id", "").format(record) for record in caplog.records]
    assert len(lines) > 6
    assert [line for line in lines if line.split(" ")[2:5] != ["INFO", "DRY", "RUN"]] == []
    caplog.clear()
    strict_world.run(MIXED)
    assert "DRY RUN" not in caplog.text
    assert len(messages(caplog, logging.ERROR)) == 2


def test_a_dry_run_that_could_not_read_everything_shows_no_half_plan(strict_world: World) -> None:
    """Half a plan would look like a whole one."""
    strict_world.create(NAME)
    [(key, error)] = strict_world.run(QUERIES, left=strict_world.left_for(1), event=DRY).items()
    assert (key, "Out of time before 1 reads" in error) == ("error", True)


def test_an_event_that_is_a_text_is_not_shown(strict_world: World) -> None:
    """A URL in it may hold a token."""
    event = '{"dry_run": true, "config_git_url": "https://git.example/x?token=swordfish"}'
    found = strict_world.run(QUERIES, event=event)
    assert "swordfish" not in found["error"]
    assert found["error"].endswith("not a str")


def test_a_line_of_a_dry_run_is_cut_at_1000_characters(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """And so is what a service answers, in the log, too."""
    strict_world.create(NAME, Description="x" * 512)
    queries = {"daily-report": {"schedule": CRON, "description": "y" * 512}}
    lines = shown(strict_world.run(queries, event=DRY))
    assert list(map(len, lines)) == [1000]
    strict_world.faults.hook("GetSchedule", long_answer)
    [line] = shown(strict_world.run(queries, event=DRY))
    assert len(line) == 1000
    strict_world.run(queries)
    [line] = messages(caplog, logging.ERROR)
    assert 1000 < len(line) < 1100


def test_the_marking_ends_with_the_dry_run() -> None:
    """Also when it ended in an error."""
    logger = logging.getLogger("athena_schedule_manager")
    assert index.handler(DRY, None).keys() == {"error"}
    assert logger.filters == []


def test_hints_are_told_in_dry_runs_alone(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """With the key that was probably meant; they change no number."""
    queries = {"a": {"schedule": CRON, "timezon": "Europe/Rome"}}
    hint = "HINT: query 'a': 'timezon' is not read; did you mean 'timezone'?"
    found = strict_world.run(queries, event=DRY)
    assert found["changes"][1:] == [change("hint", "", hint)]
    assert shown(found)[0] == f"CREATE: pn-a (cron: {CRON})"
    caplog.clear()
    assert strict_world.run() == NOTHING_DONE | {"created": 1}
    assert "HINT" not in caplog.text


def test_changes_are_escaped_like_the_log(strict_world: World) -> None:
    """They are its very lines."""
    found = strict_world.run({"a": {"schedule": "at(2099-01-01\n\u202eT10:00)"}}, event=DRY)
    assert shown(found) == [r"CREATE: pn-a (cron: at(2099-01-01\n\u202eT10:00))"]
    found = strict_world.run({"a\n\u202e" + "b" * 5000: {}}, event=DRY)
    [failed] = found["changes"]
    assert (failed["name"].isprintable(), len(failed["name"])) == (True, 200)


@pytest.mark.parametrize(
    ("count", "last"), [(1000, "CREATE: pn-q0999"), (1001, "and 1 more"), (1500, "and 500 more")]
)
def test_a_thousand_changes_are_shown_at_most(strict_world: World, count: int, last: str) -> None:
    """An answer of a Lambda function has a limit."""
    queries = {f"q{number:04}": {"schedule": CRON} for number in range(count)}
    found = strict_world.run(queries, event=DRY)
    assert found["created"] == count
    assert len(found["changes"]) == min(count, 1001)
    assert shown(found)[-1].startswith(last)


def test_what_the_cut_at_a_thousand_hides_is_never_a_delete(strict_world: World) -> None:
    """Failures come first, then what is deleted or kept, updates, creates, hints."""
    for name in ("pn-z", "pn-drifted"):
        strict_world.create(name, ScheduleExpression=OTHER_CRON)
    queries: dict[str, Any] = {f"q{n:04}": {"schedule": CRON, "tz": "x"} for n in range(1200)}
    found = strict_world.run(queries | {"drifted": {"schedule": CRON}, "x": {}}, event=DRY)
    actions = [entry["action"] for entry in found["changes"]]
    assert actions[:4] == ["failed", "delete", "update", "create"]
    assert actions[-2:] == ["create", "hint"]
    assert shown(found)[-1] == f"and {1200 + 1200 + 3 - 1000} more"


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({"dry_run": "yes"}, "dry_run must be true or false, not 'yes'"),
        ({"dry_run": 1}, "dry_run must be true or false, not 1"),
        ({"dry_run": None}, "dry_run must be true or false, not null"),
        ({"max_deletions": "20"}, "max_deletions must be a whole number"),
        ({"max_deletions": -1}, "max_deletions must be a whole number"),
        ({"max_deletions": True}, "max_deletions must be a whole number"),
        ({"max_deletions": 1.5}, "max_deletions must be a whole number"),
        ({"max_deletions": None}, "max_deletions must be a whole number"),
        ({"config_git_url": "https://git.example/"}, "config_git_url must be a string, and needs"),
        ({"config_git_url": "https://git.example/", "dry_run": False}, "needs dry_run: true"),
        ({"dryRun": True}, "'dryRun' must be written 'dry_run'"),
        ({"dryrn": True}, "'dryrn' must be written 'dry_run'"),
        ({"dry-runs": True}, "'dry-runs' must be written 'dry_run'"),
        ({"\uff44ry_run": True}, "must be written 'dry_run'"),
        ({"is_dry_run": True}, "must be written 'dry_run'"),
        ({"max_deletes": 5}, "must be written 'max_deletions'"),
        ({"config_url": "x", "dry_run": True}, "must be written 'config_git_url'"),
        ('{"dry_run": true}', "must be a JSON object such as"),
        ([{"dry_run": True}], "must be a JSON object such as"),
        (5, "must be a JSON object such as"),
        ([], "must be a JSON object such as"),
        (False, "must be a JSON object such as"),
        ({"dry run": True}, "'dry run' must be written 'dry_run'"),
        ({"dry_run ": True}, "must be written 'dry_run'"),
        ({"dryrun": True}, "'dryrun' must be written 'dry_run'"),
        ({"DRY_RUN": True}, "'DRY_RUN' must be written 'dry_run'"),
        ({"dry-run": True}, "'dry-run' must be written 'dry_run'"),
        ({"max-deletions": 5}, "'max-deletions' must be written 'max_deletions'"),
        ({"configGitUrl": "x", "dry_run": True}, "must be written 'config_git_url'"),
        ({"config_git_url": 5, "dry_run": True}, "config_git_url must be a string"),
        ({"config_git_url": None, "dry_run": True}, "config_git_url must be a string"),
    ],
    ids=repr,
)
def test_a_wrong_event_of_ours_is_an_error_and_does_nothing(
    strict_world: World, caplog: pytest.LogCaptureFixture, event: dict[str, Any], part: str
) -> None:
    """Returned, not raised, and no ERROR line."""
    [(key, error)] = strict_world.run(QUERIES, event=event).items()
    assert key == "error"
    assert part in error
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert caplog.messages == [f"DRY RUN {error}"]
    assert (strict_world.git_host.paths, strict_world.faults.calls) == ([], [])


def test_other_keys_of_an_event_are_ignored(strict_world: World) -> None:
    """EventBridge sends many."""
    event = {"source": "aws.events", "detail": {"dry_run": "x"}, "dry": 5, "run": True}
    assert strict_world.run(QUERIES, event=event) == NOTHING_DONE | {"created": 1}


def test_an_error_of_a_dry_run_is_returned(
    strict_world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that is not there or not understood, no listing, a missing setting."""
    strict_world.git_host.answer(status(404))
    errors = [strict_world.run(event=DRY)]
    strict_world.git_host.answer(document(b"[]"))
    errors.append(strict_world.run(event=DRY))
    strict_world.git_host.publish({"queries": QUERIES})
    strict_world.faults.error("ListSchedules", "AccessDeniedException", 403, times=1)
    errors.append(strict_world.run(event=DRY))
    monkeypatch.delenv("SCHEDULE_ROLE_ARN")
    errors.append(strict_world.run(event=DRY))
    assert [list(error) for error in errors] == [["error"]] * 4
    starts = ["Failed to fetch", "Invalid config", "Failed to list", "Missing required"]
    assert [error["error"].startswith(s) for error, s in zip(errors, starts, strict=True)] == [
        True
    ] * 4
    assert messages(caplog, logging.ERROR) == []
    told = [message for message in messages(caplog) if message[8:] in {e["error"] for e in errors}]
    assert len(told) == 4


# --- A candidate


def test_a_candidate_is_compared_instead(strict_world: World) -> None:
    """A pull request of the configuration can show its effect before anyone publishes it."""
    strict_world.run(QUERIES)
    candidate = strict_world.git_host.publish({"queries": {}})
    found = strict_world.run(event=DRY | {"config_git_url": candidate})
    assert shown(found) == [f"DELETE: {NAME} (removed from config)"]
    assert strict_world.git_host.paths == [
        candidate.partition(":")[2].partition("/org")[1] + (candidate.partition("/org")[2])
    ]


def test_a_candidate_leaves_no_trace(
    strict_world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that serves on bad days stays that of the published document."""
    strict_world.run(QUERIES)
    strict_world.run({}, event=DRY | {"config_git_url": strict_world.git_host.url("f" * 40)})
    assert index.environment.source.copy
    assert index.environment.source.copy[0] == strict_world.git_host.url()
    assert "40-digit" not in caplog.text
    strict_world.git_host.answer(status(503))
    assert strict_world.run() == NOTHING_DONE
    monkeypatch.setenv("CONFIG_GIT_URL", strict_world.git_host.url("main"))
    strict_world.run(QUERIES, event=DRY)
    assert "40-digit" not in caplog.text
    strict_world.run(QUERIES)
    assert "40-digit" in caplog.text


@pytest.mark.parametrize(
    "candidate",
    [
        f"https://git.example:8443/{'f' * 40}/c.json",
        f"https://git.example/{'f' * 40}/other.json",
        f"https://git.example/{'f' * 40}/c.json?token=x",
        f"https://git.example/x/{'f' * 40}/c.json",
        f"https://git.example/{SHA}/{'f' * 40}",
        "https://git.example/main/c.json",
        f"https://GIT.example/{'f' * 40}/c.json",
        "https://other.example/x",
        "http://git.example/x",
        "https://git.example.evil/x",
        "https://user:secret@git.example/x",
        "file:///etc/passwd",
        "x",
        "",
    ],
)
def test_a_candidate_elsewhere_is_refused_and_nothing_fetched(
    strict_world: World, monkeypatch: pytest.MonkeyPatch, candidate: str
) -> None:
    """Whoever may invoke the function may not send it anywhere."""
    monkeypatch.setenv("CONFIG_GIT_URL", f"https://git.example/{SHA}/c.json")
    monkeypatch.setattr(_git.ConfigSource, "fetch", pytest.fail)
    [(key, error)] = strict_world.run(event=DRY | {"config_git_url": candidate}).items()
    assert (key, "config_git_url" in error) == ("error", True)
    assert "secret" not in error


@pytest.mark.parametrize(
    ("url", "candidate", "taken"),
    [
        ("/org/repo/main/c.json", "/org/repo/{}/c.json", True),
        ("/org/repo/main/c.json", "/org/other/{}/c.json", False),
        ("/raw/c.json?ref=main", "/raw/c.json?ref={}", True),
        ("/raw/c.json?ref=main&token=x", "/raw/c.json?ref={}&token=x", True),
        ("/raw/c.json?ref=main&token=x", "/raw/c.json?ref=main&token={}", False),
        ("/raw/c.json?ref=main", "/raw/c.json?at={}", False),
        ("/{old}/c.json?id=x", "/{}/c.json?id=x", True),
        ("/{old}/c.json?id=x", "/{old}/c.json?id={}", False),
        ("/{old}/c.json", "/{old}/c.json", True),
        ("/main/c.json", "/main/c.json", False),
        ("/main/c.json", "/{}/d.json", False),
        ("/raw/c.json?ref=main&x=1", "/raw/c.json?ref={}&x=2", False),
        ("/o/r/refs/heads/main/c.json", "/o/r/{}/c.json", True),
        ("/o/r/feature/a/d/c.json", "/o/r/{}/d/c.json", True),
        ("/o/r/refs/heads/main/c.json", "/o/{}/c.json", False),
        ("/o/r/refs/heads/main/c.json", "/o/r/{}", False),
        ("/o/r/refs/heads/main/c.json", "/o/r/refs/{}/d.json", False),
        ("/o/r/refs/heads/main/c.json?token=x", "/o/r/{}/c.json?token=x", True),
        ("/o/r/refs/heads/main/c.json?token=x", "/o/r/{}/c.json?token=y", False),
        ("/o/r/raw/branch/main/a/c.json", "/o/r/raw/commit/{}/a/c.json", True),
        ("/o/r/raw/branch/x/y/c.json", "/o/r/raw/commit/{}/c.json", True),
        ("/o/r/raw/branch/main/c.json", "/o/r/raw/commits/{}/c.json", False),
        ("/o/r/raw/branch/main/c.json", "/o/r/{}/commit/main/c.json", False),
        ("/o/r/raw/branch/main/a/c.json", "/o/r/raw/commit/main/{}/c.json", False),
        ("/o/r/{old}/a/c.json", "/o/r/{}/c.json", False),
    ],
)
def test_a_candidate_is_the_url_at_another_commit(url: str, candidate: str, *, taken: bool) -> None:
    """Nothing else of that host can be read with our token."""
    host = "https://git.example"
    written = host + candidate.replace("{old}", SHA).format("f" * 40)
    published = host + url.replace("{old}", SHA)
    if taken:
        assert _git.url_to_fetch(published, written) == written
    else:
        with pytest.raises(CannotReconcileError, match="config_git_url must be CONFIG_GIT_URL"):
            _git.url_to_fetch(published, written)
