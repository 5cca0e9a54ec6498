"""What `make publish` and a pipeline's publishing do, with a stand-in for the AWS CLI."""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager.schedule_manager import Change, Plan, limit_deletes
from athena_schedule_manager.tools import __main__ as tools
from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.commits import at_commit, commit_in
from tests.world.account import DEFAULTS, STACK, Account
from tests.world.person import Checkout, put_before_tools
from tests.world.pipeline import CONFIG, URL, Answer, Deployed, Repository, counters, plan

if TYPE_CHECKING:
    from pathlib import Path

LIVE = "a" * 40
NEXT = "f" * 40
SECRET = "b" * 40
BROKEN = ("failed", "pn-a", "Query 'a' is unusable (its live schedule, if any, is kept): it is")
CREATE = ("create", "pn-new", "CREATE: pn-new (cron: rate(1 hour))")
DELETE = ("delete", "pn-gone", "DELETE: pn-gone (removed from config)")
HOURLY = {"schedule": "rate(1 hour)"}
DAILY = {"schedule": "rate(1 day)"}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Return a deployed stack, which the tools of this process find."""
    made = Deployed.at(LIVE)
    put_before_tools(made, monkeypatch)
    return made


def publish(*words: str) -> int:
    """Call the tool."""
    return tools.main(["publish", *words])


# --- One commit, by hand


def test_the_plan_comes_first_then_the_update_then_one_run(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the parameter is read back in between."""
    deployed.answers |= {"head": plan(CREATE), "run": counters(created=1)}
    assert publish("--sha", NEXT) == 0
    assert deployed.live == NEXT
    assert deployed.events == [
        {"dry_run": True, "config_git_url": URL.format(NEXT)},
        {"dry_run": True},
        {},
    ]
    done = [name for name in deployed.operations() if name != "describe-stacks"]
    assert done == ["invoke", "invoke", "update-stack", "invoke"]
    order = deployed.operations()
    assert "describe-stacks" in order[order.index("update-stack") : len(order) - 1]
    told = capsys.readouterr().out
    assert told.index("pn-new") < told.index(f"published: {NEXT}") < told.index("The run after")
    assert told.endswith("1 created, 0 updated, 0 deleted, 0 failed.\n")


def test_the_url_alone_changes(deployed: Deployed) -> None:
    """Every other parameter stays."""
    publish("--sha", NEXT)
    [words] = deployed.called("update-stack")
    assert json.loads(words[words.index("--parameters") + 1]) == [
        *({"ParameterKey": name, "UsePreviousValue": True} for name in DEFAULTS),
        {"ParameterKey": "ConfigGitUrl", "ParameterValue": URL.format(NEXT)},
    ]


def test_what_may_be_a_token_is_not_shown(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither when all is well nor in what others complain of."""
    publish("--sha", NEXT)
    complaint = f"{URL.format(NEXT)} is wrong"
    deployed.refusals["update-stack"] = ["ValidationError", complaint]
    assert publish("--sha", LIVE) == 2
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    assert "?***" in told.err


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "Failed to fetch config from Git: HTTP 404"}, "HTTP 404"),
        ({"errorMessage": "Task timed out after 240.00 seconds"}, "Task timed out"),
        ("null", "not a plan: null"),
        ("", "not a plan: it is empty"),
        ([], "not a plan: []"),
        (counters(), "not a plan"),
    ],
    ids=str,
)
def test_a_commit_without_a_plan_is_not_published(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], answer: Answer, why: str
) -> None:
    """One that does not exist, say, or one of another repository."""
    deployed.answers |= {"head": answer}
    assert publish("--sha", NEXT) == 2
    told = capsys.readouterr().err
    assert why in told
    assert f"Published is {LIVE}." in told
    assert deployed.live == LIVE


@pytest.mark.parametrize("lost", [DELETE, BROKEN], ids=["a delete", "a new failure"])
def test_what_is_lost_or_breaks_needs_a_yes(
    deployed: Deployed,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lost: tuple[str, str, str],
) -> None:
    """CONFIRM=yes where nobody can be asked."""
    deployed.answers |= {"head": plan(lost)}
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert publish("--sha", NEXT) == 2
    assert "CONFIRM=yes publishes it all the same" in capsys.readouterr().err
    assert publish("--sha", NEXT, "--confirm", "no") == 2
    assert deployed.live == LIVE
    assert publish("--sha", NEXT, "--confirm", "yes") == 0
    assert deployed.live == NEXT


@pytest.mark.parametrize(
    ("typed", "code", "live"),
    [("yes\n", 0, NEXT), ("y\n", 2, LIVE), ("\n", 2, LIVE), ("", 2, LIVE)],
    ids=["yes", "y", "return", "Ctrl-D"],
)
def test_at_a_terminal_somebody_is_asked(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, live: str
) -> None:
    """Only the whole word publishes."""
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    deployed.answers |= {"head": plan(DELETE)}
    assert publish("--sha", NEXT) == code
    assert deployed.live == live


def test_what_was_broken_before_needs_no_yes(deployed: Deployed) -> None:
    """It keeps failing, and the rest of the commit is wanted."""
    deployed.answers |= {"head": plan(BROKEN), "published": plan(BROKEN)}
    assert publish("--sha", NEXT) == 0


def test_make_hands_over_what_is_typed(tmp_path: Path) -> None:
    """As it is, for both tools."""
    answers = {"head": plan(CREATE), "published": plan(), "run": counters(created=1)}
    parameters = DEFAULTS | {"ConfigGitUrl": URL.format(LIVE)}
    account = Account.with_stack(answers=answers, parameters=parameters)
    trap = tmp_path / "trap"
    with Checkout(tmp_path, account).running() as checkout:
        for tool in ("preview", "publish"):
            refused = checkout.make(tool, f"SHA=$(shell touch {trap})`touch {trap}`")
            assert "is not a commit SHA" in refused.complaint
        assert not trap.exists()
        shown = checkout.make("preview", f"SHA={NEXT}")
        assert (shown.code, "pn-new" in shown.output) == (0, True)
        published = checkout.make("publish", f"SHA={NEXT}")
    assert (published.code, account.parameters["ConfigGitUrl"]) == (0, URL.format(NEXT))


# --- The stack


@pytest.mark.parametrize(
    ("status", "ends_in"),
    [
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
    ],
)
def test_a_busy_stack_is_waited_for(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], status: str, ends_in: str
) -> None:
    """However what is under way ends, the next update is possible."""
    deployed.coming = [status, status, ends_in]
    assert publish("--sha", NEXT) == 0
    assert f"Waiting for {STACK}: {status}" in capsys.readouterr().err
    assert deployed.live == NEXT


def test_a_stack_that_stays_busy_is_given_up(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an hour, with what to type; nothing is published."""
    deployed.status = "UPDATE_IN_PROGRESS"
    assert publish("--sha", NEXT) == 2
    assert "is still UPDATE_IN_PROGRESS after an hour" in capsys.readouterr().err
    assert deployed.events == []


def test_a_stack_that_was_rolled_back_is_told_and_published_to(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes updates."""
    deployed.status = "UPDATE_ROLLBACK_COMPLETE"
    assert publish("--sha", NEXT) == 0
    assert "was rolled back" in capsys.readouterr().err


@pytest.mark.parametrize(
    "status", ["UPDATE_ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"]
)
def test_a_stack_that_takes_no_update_is_told(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    """And the function is not asked."""
    deployed.status = status
    assert publish("--sha", NEXT) == 2
    told = capsys.readouterr().err
    assert (f"is in the state {status}" in told) or ("has no stack" in told)
    assert deployed.events == []


def test_an_update_that_is_rolled_back_says_what_is_live(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commit before, and nothing is run."""
    deployed.rolls_back = True
    assert publish("--sha", NEXT) == 2
    assert f"Published is {LIVE}." in capsys.readouterr().err
    assert {} not in deployed.events


def test_cloudformation_that_sees_nothing_to_update_is_a_failure(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Although a parameter changed: the parameter is read back."""
    deployed.sees_no_updates = True
    assert publish("--sha", NEXT) == 2
    assert f"Published is {LIVE}." in capsys.readouterr().err
    assert {} not in deployed.events


def test_a_refused_update_says_what_is_live(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the complaint of the AWS CLI."""
    deployed.refusals["update-stack"] = ["AccessDenied", "not you"]
    assert publish("--sha", NEXT) == 2
    told = capsys.readouterr().err
    assert "AccessDenied" in told
    assert f"Published is {LIVE}." in told


def test_a_call_that_is_ended_says_what_is_live(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the update is under way; the next call continues."""

    def interrupt(_: float) -> None:
        monkeypatch.setattr(aws, "sleep", lambda _: None)
        raise KeyboardInterrupt

    monkeypatch.setattr(aws, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish("--sha", NEXT)
    assert f"Stopped. Published is {NEXT}." in capsys.readouterr().out
    deployed.answers |= {"published": plan(CREATE), "run": counters(created=1)}
    assert publish("--sha", NEXT) == 0
    assert deployed.events[-1] == {}


def test_what_somebody_else_publishes_meanwhile_is_planned_for(deployed: Deployed) -> None:
    """The plan that was shown was another one."""
    other = "c" * 40
    theirs = {"ConfigGitUrl": URL.format(other)}
    deployed.before["invoke"] = lambda: deployed.parameters.update(theirs)
    deployed.answers |= {"head": plan(CREATE)}
    assert publish("--sha", NEXT) == 0
    heads = [event for event in deployed.events if "config_git_url" in event]
    assert len(heads) == 2
    assert deployed.live == NEXT


# --- The run


def test_failures_of_the_run_are_named_and_not_green(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the end of the log, and by what a plan made afterwards has left to do."""
    reason = "Failed to create schedule pn-new: AccessDeniedException: no"
    deployed.log = f"2026-11-29T04:00:00.000Z 1 ERROR {reason}\n2026 1 INFO x\n"
    update = ("update", "pn-b", "UPDATE: pn-b (cron: x → y)")
    deployed.answers |= {"head": plan(CREATE), "run": counters(failed=3)}
    deployed.before["update-stack"] = lambda: deployed.answers.update(
        published=plan(BROKEN, CREATE, update)
    )
    summary = tmp_path / "summary.md"
    assert publish("--sha", NEXT, "--summary", str(summary)) == 1
    told = capsys.readouterr().out
    assert reason in told
    assert BROKEN[2] in told
    assert "Not done yet: UPDATE: pn-b" in told
    assert "Not done yet: CREATE: pn-new" not in told
    assert "0 created, 0 updated, 0 deleted, 3 failed" in told
    assert "**Failed**" in summary.read_text()
    assert "pn&#45;new" in summary.read_text()


def test_deletes_that_the_limit_held_back_are_followed_by_the_command_that_makes_them(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which can be pasted: the function itself can only name the event."""
    [refusal] = limit_deletes(Plan(deletes=(Change("delete", "pn-gone"),)), 0).refusals
    held_back = plan(("failed", "", refusal), ("kept", "pn-gone", "Kept: pn-gone"))
    deployed.answers |= {"head": held_back, "run": counters(failed=1)}
    deployed.before["update-stack"] = lambda: deployed.answers.update(published=held_back)
    assert publish("--sha", NEXT, "--confirm", "yes") == 1
    command = """make invoke PAYLOAD='{"max_deletions": 1}'"""
    assert f"If they are to go: {command}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer", [{"errorMessage": "Task timed out"}, "null", "", [], {"created": 1}], ids=str
)
def test_a_run_that_does_not_end_well_is_not_green(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    """It is published all the same, and the trigger runs the manager again."""
    deployed.answers |= {"run": answer}
    assert publish("--sha", NEXT) == 1
    assert "It is published, and its run has failed" in capsys.readouterr().out
    assert deployed.live == NEXT


@pytest.mark.parametrize(
    ("refusal", "title", "why"),
    [
        (["TooManyRequestsException", "x"], "and was not run", "Lambda takes no call just now"),
        (["None", "Read timeout"], "and perhaps not run", "Read timeout"),
    ],
    ids=["busy", "answer lost"],
)
def test_a_call_that_fails_has_run_nothing_or_nobody_knows(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], refusal: list[str], title: str, why: str
) -> None:
    """The account's concurrency is used up; or the function was called, perhaps: once is once."""
    deployed.before["update-stack"] = lambda: deployed.refusals.update({"invoke": refusal})
    assert publish("--sha", NEXT) == 1
    told = capsys.readouterr().out
    assert f"It is published, {title}" in told
    assert why in told


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("ENABLED", "The trigger runs it again."),
        ("DISABLED", "The trigger is paused: make invoke runs it again."),
    ],
)
def test_who_runs_a_failed_run_again_is_told(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], state: str, told: str
) -> None:
    """While the trigger is paused nobody does."""
    deployed.parameters["TriggerState"] = state
    deployed.answers |= {"run": {"errorMessage": "boom", "errorType": "E"}}
    assert publish("--sha", NEXT) == 1
    assert told in capsys.readouterr().out


def test_the_run_is_made_once(deployed: Deployed) -> None:
    """A repeated invocation would hide the counters of the first."""
    publish("--sha", NEXT)
    made = zip(deployed.operations(), deployed.attempts, strict=True)
    assert {attempts for operation, attempts in made if operation == "invoke"} == {"1"}


def test_what_is_published_already_and_fails_stays_red(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that was red for a broken query is not green because somebody runs it again."""
    deployed.answers["published"] = plan(BROKEN)
    assert publish("--sha", LIVE) == 1
    assert BROKEN[2] in capsys.readouterr().out
    assert "update-stack" not in deployed.operations()
    assert {} not in deployed.events


def test_what_is_published_already_is_not_published_again(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function is asked whether something is left to do, and nothing is run."""
    assert publish("--sha", LIVE) == 0
    assert "nothing to publish" in capsys.readouterr().out
    assert deployed.events == [{"dry_run": True}]
    assert "update-stack" not in deployed.operations()


# --- What is asked for


@pytest.mark.parametrize(
    "sha", ['"; echo pwned; "', "", "main", "f" * 39, "f" * 41, "F" * 40, "g" * 40]
)
def test_what_is_no_commit_is_not_published(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], sha: str
) -> None:
    """A sentence says what is wanted, and nothing is called."""
    assert publish("--sha", sha) == 2
    assert "SHA is not a commit SHA: give all 40 digits" in capsys.readouterr().err
    assert deployed.operations() == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--sha", NEXT, "--branch", "main", "--config", CONFIG], "Give SHA or --branch, not both"),
        (["--branch", "main"], "--branch needs --config"),
    ],
)
def test_a_commit_or_a_branch(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    """One of them, and of a branch the file."""
    assert publish(*words) == 2
    assert why in capsys.readouterr().err
    assert deployed.operations() == []


def test_a_url_without_a_commit_cannot_be_published_to(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to replace."""
    deployed.parameters["ConfigGitUrl"] = "https://git.example/main/c.json"
    assert publish("--sha", NEXT) == 2
    assert "no commit SHA to replace" in capsys.readouterr().err
    assert "update-stack" not in deployed.operations()


URLS = [
    pytest.param("raw.githubusercontent.com/o/r/{}/c.json", id="GitHub"),
    pytest.param("api.github.com/repos/o/r/contents/c.json?ref={}", id="GitHub's API"),
    pytest.param("gitlab.com/o/r/-/raw/{}/c.json", id="GitLab"),
    pytest.param("gitlab.com/api/v4/projects/1/repository/files/c.json/raw?ref={}", id="its API"),
    pytest.param("api.bitbucket.org/2.0/repositories/o/r/src/{}/c.json", id="Bitbucket"),
    pytest.param("bitbucket.example/rest/api/latest/projects/P/repos/r/raw/c?at={}", id="Server"),
    pytest.param(
        "dev.azure.com/o/p/_apis/git/repositories/r/items?path=/c.json"
        "&versionDescriptor.version={}&versionDescriptor.versionType=commit",
        id="Azure DevOps",
    ),
    pytest.param("git.example/o/r/raw/commit/{}/c.json", id="Gitea"),
    pytest.param("git.example/r.git/plain/c.json?id={}", id="cgit"),
    pytest.param("git.example/c.json?token=" + SECRET + "&id={}&x=1", id="a token first"),
    pytest.param(SECRET + ".example/o/{}/c.json", id="a host that looks like a SHA"),
]


@pytest.mark.parametrize("url", URLS)
def test_the_commit_of_every_host_is_found_and_replaced(url: str) -> None:
    """And nothing else in the URL."""
    before = "https://" + url.format(LIVE)
    assert commit_in(before) == LIVE
    assert at_commit(before, NEXT) == "https://" + url.format(NEXT)


@pytest.mark.parametrize("url", ["", "https://git.example", f"https://git.example/{LIVE}0/c.json"])
def test_where_there_is_no_commit_none_is_found(url: str) -> None:
    """Longer is no SHA either."""
    assert commit_in(url) is None


# --- A branch: publishing only goes forward


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository with its host."""
    return Repository(tmp_path)


class Job:
    """A pipeline's job: it works in a clone of its own, made when it starts."""

    def __init__(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the repository, and what changes the folder of this process."""
        self.repository = repository
        self.monkeypatch = monkeypatch

    def run(self, *words: str) -> int:
        """Publish what main holds."""
        place = self.repository.clone()
        self.monkeypatch.chdir(place)
        code = publish("--branch", "main", "--config", CONFIG, "--confirm", "yes", *words)
        self.monkeypatch.chdir(self.repository.folder)
        shutil.rmtree(place)
        return code


@pytest.fixture
def job(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return the job that publishes main."""
    return Job(repository, monkeypatch)


def test_the_head_of_the_branch_is_published(
    deployed: Deployed, repository: Repository, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what the check knows of its file."""
    deployed.publish(repository.merge(a=HOURLY))
    head = repository.merge(a=HOURLY, new={"schedule": "at(2099-01-01T09:00:00)"})
    deployed.answers[head] = plan(CREATE)
    assert job.run() == 0
    assert deployed.live == head
    assert "Thu 2099-01-01 09:00" in capsys.readouterr().out


def test_an_older_job_that_runs_again_changes_nothing(
    deployed: Deployed, repository: Repository, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """It publishes what the branch holds, not the commit that started it."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.merge(a=HOURLY, b=HOURLY)
    assert job.run() == 0
    newest = repository.merge(a=HOURLY, b=HOURLY, c=HOURLY)
    assert job.run() == 0
    before = len(deployed.calls)
    asked = len(deployed.events)
    assert job.run() == 0  # "Re-run jobs" of the first
    assert deployed.live == newest
    assert "update-stack" not in deployed.operations()[before:]
    assert deployed.events[asked:] == [{"dry_run": True}]
    assert "is published already" in capsys.readouterr().out


def test_two_merges_that_wait_end_with_the_later_one(
    deployed: Deployed, repository: Repository, job: Job
) -> None:
    """In whichever order their jobs run."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.merge(a=DAILY)
    newest = repository.merge(a=DAILY, b=DAILY)
    assert [job.run(), job.run()] == [0, 0]
    assert deployed.live == newest
    assert deployed.operations().count("update-stack") == 1


def test_a_file_that_is_as_it_is_published_ends_the_job_at_once(
    deployed: Deployed, repository: Repository, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever else was merged: the function is not asked, and the stack stays."""
    live = repository.merge(a=HOURLY)
    deployed.publish(live)
    repository.merge("another.json", x=HOURLY)
    assert job.run() == 0
    assert "The file is as it is published" in capsys.readouterr().out
    assert deployed.live == live
    assert set(deployed.operations()) <= {"describe-stacks", "get-caller-identity"}


def test_a_branch_that_moves_between_plan_and_update_is_planned_for_again(
    deployed: Deployed, repository: Repository, job: Job
) -> None:
    """The plan of the new head is shown, and that head is published."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.merge(a=DAILY)
    deployed.before["invoke"] = lambda: repository.merge(a=DAILY, b=DAILY)
    assert job.run() == 0
    head = repository.git(repository.host, "rev-parse", "main")
    assert deployed.live == head
    assert deployed.operations().count("update-stack") == 1
    assert deployed.events[-1] == {}


def test_a_branch_that_moves_during_the_update_is_published_too(
    deployed: Deployed, repository: Repository, job: Job
) -> None:
    """Or the job of the later merge, which may have run meanwhile, would be undone."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.merge(a=DAILY)
    deployed.before["update-stack"] = lambda: repository.merge(a=DAILY, b=DAILY)
    assert job.run() == 0
    assert deployed.live == repository.git(repository.host, "rev-parse", "main")
    assert deployed.operations().count("update-stack") == 2
    assert deployed.events.count({}) == 1


def test_a_move_that_leaves_the_file_as_it_was_still_ends_in_a_run(
    deployed: Deployed, repository: Repository, job: Job
) -> None:
    """The update was made, and its run is due."""
    deployed.publish(repository.merge(a=HOURLY))
    head = repository.merge(a=DAILY)
    deployed.before["update-stack"] = lambda: repository.merge("another.json", x=HOURLY)
    assert job.run() == 0
    assert deployed.live == head
    assert deployed.events.count({}) == 1


def test_a_commit_that_the_host_no_longer_has_is_no_obstacle(
    deployed: Deployed, repository: Repository, job: Job
) -> None:
    """The branch was rewritten; the plan tells what the new head changes."""
    head = repository.merge(a=HOURLY)
    deployed.publish("c" * 40)
    assert job.run() == 0
    assert deployed.live == head


def test_a_branch_that_does_not_exist_is_told(
    deployed: Deployed, repository: Repository, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is published."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.git(repository.author, "push", "--quiet", "origin", "HEAD:other")
    job.monkeypatch.chdir(repository.clone())
    assert publish("--branch", "gone", "--config", CONFIG) == 2
    assert "gone" in capsys.readouterr().err


def test_a_file_that_does_not_exist_is_told(
    deployed: Deployed, repository: Repository, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its path, before the function is asked."""
    deployed.publish(repository.merge(a=HOURLY))
    repository.merge(a=DAILY)
    job.monkeypatch.chdir(repository.clone())
    assert publish("--branch", "main", "--config", "elsewhere.json") == 2
    assert "has no file elsewhere.json" in capsys.readouterr().err
    assert deployed.events == []
