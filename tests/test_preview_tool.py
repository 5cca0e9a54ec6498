"""What `make preview` does, with a stand-in for the AWS CLI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from athena_schedule_manager.tools import __main__ as tools
from tests.world.account import FUNCTION
from tests.world.person import put_before_tools
from tests.world.pipeline import URL, Answer, Deployed, plan

ROOT = Path(__file__).parent.parent
LIVE = "a" * 40
HEAD = "e" * 40
BROKEN = ("failed", "pn-a", "Query 'a' is unusable (its live schedule, if any, is kept): it is")
CREATE = ("create", "pn-new", "CREATE: pn-new (cron: rate(1 hour))")


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Return a deployed stack, which the tools of this process find."""
    made = Deployed.at(LIVE)
    put_before_tools(made, monkeypatch)
    return made


def preview(*words: str) -> int:
    """Call the tool."""
    return tools.main(["preview", *words])


def test_the_commit_and_what_is_published_are_asked_and_nothing_is_done(deployed: Deployed) -> None:
    """The URL is that of the stack, at another commit."""
    assert preview("--sha", HEAD) == 0
    assert deployed.events == [
        {"dry_run": True, "config_git_url": URL.format(HEAD)},
        {"dry_run": True},
    ]
    assert set(deployed.operations()) <= {"describe-stacks", "invoke", "get-caller-identity"}


def test_who_may_not_ask_the_stack_names_function_and_url(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the action does: its role may invoke the function, and nothing else."""
    url = "https://git.example/{sha}/c.json"
    assert preview("--function", FUNCTION, "--url", url, "--sha", HEAD) == 0
    assert deployed.events[0]["config_git_url"] == f"https://git.example/{HEAD}/c.json"
    assert set(deployed.operations()) == {"invoke"}
    assert capsys.readouterr().err == f"Region eu-south-1, function {FUNCTION}\n"


def test_without_a_commit_the_plan_is_that_of_what_is_published(deployed: Deployed) -> None:
    """What a run would do now; there is nothing to compare it with."""
    deployed.answers |= {"published": plan(BROKEN)}
    assert preview() == 1
    assert deployed.events == [{"dry_run": True}]


def test_the_exit_code_tells_a_plan_from_a_broken_one_and_from_none(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipeline asks for it."""
    deployed.answers |= {"head": plan(CREATE)}
    assert preview("--sha", HEAD) == 0
    assert "This breaks nothing that was not broken before." in capsys.readouterr().out
    deployed.answers |= {"head": plan(CREATE, BROKEN)}
    assert preview("--sha", HEAD) == 1
    said = capsys.readouterr().out
    assert BROKEN[2] in said
    assert "This breaks something that is not broken now: 1 above" in said
    deployed.answers |= {"published": plan(BROKEN)}
    assert preview("--sha", HEAD) == 0
    assert "Broken before:" in capsys.readouterr().out
    deployed.answers |= {"head": {"error": "Failed to fetch config from Git: HTTP 404"}}
    assert preview("--sha", HEAD) == 2
    assert capsys.readouterr().err == "No plan: Failed to fetch config from Git: HTTP 404\n"


def test_without_a_commit_nothing_is_compared(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what is published: nothing was "not broken before"."""
    assert preview() == 0
    assert "Nothing of this fails." in capsys.readouterr().out
    deployed.answers |= {"published": plan(BROKEN)}
    assert preview() == 1
    assert "This fails for 1, see above" in capsys.readouterr().out


def test_a_function_with_a_commit_needs_a_url(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is named, and not blamed on the stack."""
    assert preview("--function", "the-function", "--sha", HEAD) == 2
    assert "--url is for --function with SHA, which need it" in capsys.readouterr().err
    assert deployed.calls == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"errorMessage": "Task timed out after 240.00 seconds"}, "Task timed out"),
        ({"errorMessage": "boom", "errorType": "RuntimeError"}, "the function has failed: boom"),
        ("null", "not a plan: null"),
        ([], "not a plan: []"),
        ({"errorMessage": "::error::x\n##[command]y"}, r"x\n##\x5bcommand]y"),
    ],
    ids=str,
)
def test_no_plan_is_never_called_a_broken_pull_request(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], answer: Answer, why: str
) -> None:
    """A timeout of the manager is nobody's mistake; as the published plan it is only told."""
    deployed.answers |= {"head": answer}
    assert preview("--sha", HEAD) == 2
    told = capsys.readouterr()
    assert why in told.err
    assert "breaks" not in told.out
    deployed.answers |= {"head": plan(CREATE), "published": answer}
    assert preview("--sha", HEAD) == 0
    assert "What is published could not be compared: " in capsys.readouterr().out
    deployed.answers |= {"head": plan(CREATE, BROKEN)}
    assert preview("--sha", HEAD) == 1
    assert "This fails for 1, see above" in capsys.readouterr().out, "nobody knows what it breaks"


def test_a_call_that_lambda_does_not_take_is_told(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """The account's concurrency is used up, say; nothing is wrong with the commit."""
    deployed.refusals["invoke"] = ["TooManyRequestsException", "Rate Exceeded"]
    assert preview("--sha", HEAD) == 2
    assert "Lambda takes no call just now" in capsys.readouterr().err


def test_what_the_aws_cli_complains_of_is_passed_on(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is."""
    deployed.refusals["invoke"] = ["AccessDenied", "not you"]
    assert preview("--sha", HEAD) == 2
    assert "AccessDenied" in capsys.readouterr().err


def test_an_invocation_is_made_once(deployed: Deployed) -> None:
    """The AWS CLI would repeat one whose answer was lost."""
    preview("--sha", HEAD)
    made = zip(deployed.operations(), deployed.attempts, strict=True)
    assert {attempts for operation, attempts in made if operation == "invoke"} == {"1"}


def test_the_plan_is_written_as_markdown_where_it_is_asked_for(
    deployed: Deployed, tmp_path: Path
) -> None:
    """To a summary, which other steps share, and to a file that a comment is made of."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    comment = tmp_path / "comment.md"
    deployed.answers |= {"head": plan(CREATE)}
    files = ["--summary", str(summary), "--comment", str(comment)]
    preview("--sha", HEAD, *files)
    assert "<code>create</code>" in comment.read_text()
    assert summary.read_text() == "before\n" + comment.read_text()
    deployed.answers |= {"head": "null"}
    preview("--sha", HEAD, *files)
    assert "### No plan" in comment.read_text()


def test_the_file_at_hand_is_checked_beside_the_plan(
    deployed: Deployed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manager does not know that a zone does not exist."""
    config = tmp_path / "config.json"
    query = {"schedule": "at(2099-01-01T09:00:00)", "timezone": "Europe/Rom"}
    config.write_text(json.dumps({"queries": {"new": query}}))
    deployed.answers |= {"head": plan(CREATE)}
    assert preview("--sha", HEAD, "--config", str(config)) == 1
    assert "Europe/Rome" in capsys.readouterr().out
    config.write_text(json.dumps({"queries": {"new": query | {"timezone": "Europe/Rome"}}}))
    assert preview("--sha", HEAD, "--config", str(config)) == 0
    assert "Thu 2099-01-01 09:00" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_no_plan(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the function is not asked."""
    assert preview("--sha", HEAD, "--config", "not/there.json") == 2
    assert "Cannot read not/there.json: No such file" in capsys.readouterr().err
    assert deployed.events == []


def test_without_boto3_the_plan_is_shown_without_the_check(
    deployed: Deployed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tools of the stack need the standard library alone."""
    monkeypatch.setitem(sys.modules, "athena_schedule_manager.tools.file_view", None)
    (tmp_path / "c.json").write_text('{"queries": {}}')
    deployed.answers |= {"head": plan(CREATE)}
    assert preview("--sha", HEAD, "--config", str(tmp_path / "c.json")) == 0
    assert "The file is not checked: the check needs boto3." in capsys.readouterr().out


@pytest.mark.parametrize("sha", ["main", "e" * 39, "E" * 40, "$(id)"])
def test_what_is_no_commit_is_not_previewed(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], sha: str
) -> None:
    """And nothing is called."""
    assert preview("--sha", sha) == 2
    assert "SHA is not a commit SHA" in capsys.readouterr().err
    assert deployed.operations() == []


@pytest.mark.parametrize("name", ["preview", "publish"])
def test_the_tool_needs_the_standard_library_alone(name: str) -> None:
    """Without -S, Python would find what is installed."""
    command = [sys.executable, "-S", "-E", "-m", "athena_schedule_manager.tools", name, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stderr) == (0, "")
    assert f"athena_schedule_manager.tools {name} " in done.stdout
