"""The actions for pipelines: their shell is run here as it is, as a runner would run it."""

from __future__ import annotations

import html
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.world.pipeline import CONFIG, Deployed, Repository, counters, plan
from tests.world.runner import ACTIONS, Runner, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKEN = ("failed", "pn-a", "Query 'a' is unusable (its live schedule, if any, is kept): it is")
CREATE = ("create", "pn-new", "CREATE: pn-new (cron: at(2099-01-01T09:00:00))")
HOURLY = {"schedule": "rate(1 hour)"}
NEW = {"schedule": "at(2099-01-01T09:00:00)", "timezone": "Europe/Rome"}
NAMES = pytest.mark.parametrize("name", ["preview", "publish"])
PULL_REQUEST = "pull_request"


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    """Return a runner, with a repository whose first commit is published."""
    repository = Repository(tmp_path)
    with Runner(repository, Deployed.at(repository.merge(a=HOURLY))).running() as running:
        yield running


# --- The preview


def test_a_pull_request_is_shown_as_it_would_be_merged(runner: Runner) -> None:
    """Deletes of what the branch does not know yet are not among its changes."""
    commit = runner.repository.propose(a=HOURLY, new=NEW)
    runner.account.answers[commit] = plan(CREATE)
    ended = runner.run("preview", commit, PULL_REQUEST)
    assert ended.code == 0, ended.log
    url = f"https://raw.githubusercontent.com/org/repo/{commit}/{CONFIG}"
    assert runner.account.events == [{"dry_run": True, "config_git_url": url}, {"dry_run": True}]
    summary = html.unescape(ended.summary)
    assert f"What {commit} would do to the schedules" in summary
    row = "create</code> | <code>pn-new</code> | <code>at(2099-01-01T09:00:00)</code> |"
    assert f"{row} <code>Europe/Rome</code>" in summary
    assert "Thu 2099-01-01 09:00" in summary
    assert "pn-new" in ended.log


def test_a_pull_request_that_leaves_the_file_alone_is_green_at_once(runner: Runner) -> None:
    """Required or not, the check ends; nothing is asked, and no role is assumed."""
    runner.repository.merge(a=HOURLY, b=HOURLY)
    ended = runner.run("preview", runner.repository.propose("another.json", x={}), PULL_REQUEST)
    assert (ended.code, ended.used) == (0, ["actions/checkout"])
    assert "The configuration is unchanged" in ended.log
    assert (runner.account.calls, ended.outputs) == ([], {"comment": ""})


def test_a_merge_queue_is_served(runner: Runner) -> None:
    """A group of several pull requests is compared with what it is put on."""
    repository = runner.repository
    base = repository.git(repository.host, "rev-parse", "main")
    runner.event = {"github.event.merge_group.base_sha": base}
    repository.propose(a=HOURLY, new=NEW)
    group = repository.propose("another.json", x={})  # on top of the one before
    ended = runner.run("preview", group, "merge_group")
    assert ended.code == 0, ended.log
    assert len(runner.account.events) == 2
    runner.event = {"github.event.merge_group.base_sha": group}
    again = runner.run("preview", repository.propose("third.json", x={}), "merge_group")
    assert "The configuration is unchanged" in again.log


def test_a_fork_gets_a_sentence_and_not_a_green_check(runner: Runner) -> None:
    """It is given no token; a job that is skipped would count as success."""
    runner.has_token = False
    changed = runner.run("preview", runner.repository.propose(a=NEW), PULL_REQUEST)
    assert changed.code == 2
    assert "::error::No preview: this job gets no token for AWS" in changed.log
    assert runner.account.calls == []
    unchanged = runner.run("preview", runner.repository.propose("x.json"), PULL_REQUEST)
    assert unchanged.code == 0


RECORDED = [
    pytest.param(plan(BROKEN), 1, "Breaks", id="broken"),
    pytest.param({"errorMessage": "boom", "errorType": "E"}, 2, "has failed: boom", id="crash"),
    pytest.param({"errorMessage": "Task timed out after 240.00 s"}, 2, "timed out", id="timeout"),
    pytest.param("null", 2, "No plan", id="null"),
    pytest.param([], 2, "No plan", id="a list"),
    pytest.param({"error": "::error::x\n##[group]"}, 2, "No plan", id="commands"),
    pytest.param(
        plan(*(("create", f"pn-{n}", f"CREATE: pn-{n} ({'|' * 900})") for n in range(5000))),
        0,
        "This is cut",
        id="5,000 changes",
    ),
]


@pytest.mark.parametrize(("answer", "code", "told"), RECORDED)
def test_a_preview_of_a_recorded_answer(runner: Runner, answer: Any, code: int, told: str) -> None:
    """What breaks something is told from what is no plan; nothing is a command or Markdown."""
    commit = runner.repository.propose(a=HOURLY, new=NEW)
    runner.account.answers["head"] = answer
    ended = runner.run("preview", commit, PULL_REQUEST)
    assert ended.code == code, ended.log
    assert told in html.unescape(ended.summary)
    assert len(ended.summary.encode()) < 1024 * 1024
    assert "##[" not in ended.log + ended.summary
    assert [line for line in ended.log.splitlines() if line.lstrip().startswith("::")] == []
    comment = ended.outputs["comment"]
    with open(comment, encoding="utf-8") as file:  # noqa: PTH123 - a path from the outputs
        assert 0 < len(file.read()) < 65_536


def test_what_a_pull_request_brings_along_is_not_run(runner: Runner) -> None:
    """Python would look for the tools in the folder in which it is started."""
    author = runner.repository.author
    package = author / "athena_schedule_manager"
    package.mkdir()
    trap = runner.folder / "trap"
    for module in (package / "__init__.py", author / "json.py", author / "sitecustomize.py"):
        module.write_text(f"open({str(trap)!r}, 'w')\n")
    ended = runner.run("preview", runner.repository.propose(a=NEW), PULL_REQUEST)
    assert ended.code == 0, ended.log
    assert not trap.exists()


@NAMES
def test_no_input_is_run_by_the_shell(runner: Runner, name: str) -> None:
    """They reach it in the environment."""
    trap = runner.folder / "trap"
    sly = f'$(touch {trap})`touch {trap}`"; touch {trap}; "'
    commit = runner.repository.propose(a=NEW)
    inputs = dict.fromkeys([key for key in load(name)["inputs"] if "aws-region" not in key], sly)
    runner.run(name, commit, "push", **{key.replace("-", "_"): v for key, v in inputs.items()})
    assert not trap.exists()


# --- Publishing only goes forward


def test_a_merge_is_published_and_run_once(runner: Runner) -> None:
    """With plan and counters in the summary."""
    commit = runner.repository.merge(a=HOURLY, new=NEW)
    runner.account.answers |= {commit: plan(CREATE), "run": counters(created=1)}
    ended = runner.run("publish", commit, "push")
    assert ended.code == 0, ended.log
    assert runner.account.live == commit
    assert runner.account.events[-1] == {}
    summary = html.unescape(ended.summary)
    assert "<code>pn-new</code>" in summary
    assert "The run after publishing" in summary
    assert "1 created, 0 updated, 0 deleted, 0 failed" in summary


def test_an_older_job_that_runs_again_brings_nothing_back(runner: Runner) -> None:
    """It keeps the commit of its first run; what is published is the branch's head."""
    older = runner.repository.merge(a=HOURLY, b=HOURLY)
    assert runner.run("publish", older, "push").code == 0
    newest = runner.repository.merge(a=HOURLY, b=HOURLY, c=HOURLY)
    assert runner.run("publish", newest, "push").code == 0
    again = runner.run("publish", older, "push")
    assert (again.code, runner.account.live) == (0, newest)
    assert runner.account.operations().count("update-stack") == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["older first", "newer first"])
def test_two_merges_end_with_the_later_one(runner: Runner, order: tuple[int, int]) -> None:
    """In whichever order their jobs run; the second has nothing to do."""
    merges = [runner.repository.merge(a=NEW), runner.repository.merge(a=NEW, b=HOURLY)]
    for number in order:
        assert runner.run("publish", merges[number], "push").code == 0
    assert runner.account.live == merges[1]
    assert runner.account.operations().count("update-stack") == 1


def test_a_push_that_leaves_the_file_alone_is_green_at_once(runner: Runner) -> None:
    """A push of very many files passes a filter of paths by; here the job looks itself."""
    live = runner.account.live
    ended = runner.run("publish", runner.repository.merge("another.json", x={}), "push")
    assert (ended.code, runner.account.live, runner.account.events) == (0, live, [])
    assert "The file is as it is published" in ended.log


def test_a_merge_is_the_yes_for_what_is_lost(runner: Runner) -> None:
    """Deletes and new failures were seen in the pull request."""
    commit = runner.repository.merge(a=HOURLY, new=NEW)
    delete = ("delete", "pn-gone", "DELETE: pn-gone (removed from config)")
    runner.account.answers |= {commit: plan(delete, BROKEN)}
    assert runner.run("publish", commit, "push").code == 0
    assert runner.account.live == commit


def test_a_publication_with_a_failure_names_it_and_is_not_green(runner: Runner) -> None:
    """In the summary, where somebody looks."""
    commit = runner.repository.merge(a=HOURLY, new=NEW)
    runner.account.answers |= {"published": plan(BROKEN), "run": counters(failed=1)}
    ended = runner.run("publish", commit, "push")
    assert ended.code == 1
    assert html.unescape(ended.summary).count(BROKEN[2]) >= 1
    assert "1 failed" in html.unescape(ended.summary)


# --- What the actions are made of


@NAMES
def test_an_action_is_a_few_lines_of_shell_and_no_python(name: str) -> None:
    """Which a linter would not see; inputs come by the environment."""
    steps = [step for step in load(name)["runs"]["steps"] if "run" in step]
    assert {step["shell"] for step in steps} == {"bash"}
    assert max(len(step["run"].splitlines()) for step in steps) <= 12
    assert "${{" not in "".join(step["run"] for step in steps)


@NAMES
def test_every_action_that_is_used_is_pinned_and_runs_on_the_runners_node(name: str) -> None:
    """By its full SHA, of releases that declare node24: Node 20 has left the runners."""
    text = (ACTIONS / name / "action.yml").read_text("utf-8")
    used = re.findall(r"uses: (\S+)@([0-9a-f]{40}) # v(\d+)\.(\d+)\.\d+$", text, re.MULTILINE)
    assert len(used) == text.count("uses:") == 3
    oldest = {
        "actions/checkout": (5, 0),
        "actions/setup-python": (6, 0),
        "aws-actions/configure-aws-credentials": (6, 2),
    }
    assert {action for action, *_ in used} == set(oldest)
    for action, _, major, minor in used:
        assert (int(major), int(minor)) >= oldest[action]


def test_what_the_actions_install_is_pinned_as_a_whole() -> None:
    """They install no dependencies, so each must be there."""
    lines = (ACTIONS / "requirements.txt").read_text("utf-8").splitlines()
    pins = dict(line.partition("#")[0].strip().split("==") for line in lines if "==" in line)
    assert {"boto3", "tzdata"} <= set(pins)
    for name in pins:
        for needed in metadata.requires(name) or []:
            if "extra ==" not in needed:
                assert re.split(r"[^A-Za-z0-9-]", needed)[0] in pins, needed


def test_dependabot_reads_the_actions() -> None:
    """`/` stands for the folder of the workflows alone, so that the pins grew old."""
    updates = yaml_parse((ACTIONS.parent / "dependabot.yml").read_text("utf-8"))["updates"]
    folders = {update["package-ecosystem"]: update["directories"] for update in updates}
    assert folders == {
        "pip": ["/", "/.github/actions"],
        "github-actions": ["/", "/.github/actions/*"],
    }
