"""The workflows that the README offers: their shell is run here, as a runner would run it."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.world import CRON, NAME, OTHER_CRON, SHA
from tests.world.cloud import PLAN, Cloud

if TYPE_CHECKING:
    from tests.world import World

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "workflows"
PREVIEW, PUBLISH = FOLDER / "preview.yaml", FOLDER / "publish.yaml"
WORKFLOWS = pytest.mark.parametrize("path", [PREVIEW, PUBLISH], ids=lambda path: path.stem)
HEAD = "e" * 40
PINNED_URL = f"https://raw.githubusercontent.com/org/repo/{HEAD}/query-executor-config.json"
# as a runner starts them
SHELLS = {None: ["bash", "-e"], "python": [sys.executable]}
CRASH = {"errorMessage": "boom", "errorType": "RuntimeError", "requestId": "1", "stackTrace": []}
TIMEOUT = {"errorMessage": "2026-11-26T02:00:00.000Z 1 Task timed out after 240.00 seconds"}
BROKEN = "Query 'a' is unusable (its live schedule, if any, is kept): its schedule 'x' is wrong"
BROKEN_TOO = BROKEN.replace("'a'", "'b'")


def load(path: Path) -> dict[str, Any]:
    """Return a workflow; YAML takes the key `on` for true."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


@dataclass
class Ran:
    """How a job ended."""

    code: int
    output: str
    summary: str


def run(path: Path, cloud: Cloud) -> Ran:
    """Run the scripts of a workflow's one job until one fails."""
    workflow = load(path)
    [job] = workflow["jobs"].values()
    summary = cloud.place / "summary.md"
    summary.touch()
    variables = {
        **workflow["env"],
        "CONFIG_GIT_URL": PINNED_URL.replace(HEAD, "{sha}"),
        "HEAD_SHA": HEAD,
        "GITHUB_SHA": HEAD,
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    code, output = 0, ""
    for step in job["steps"]:
        if "run" in step and code == 0:
            done = cloud.shell(SHELLS[step.get("shell")], step["run"], **variables)
            code, output = done.returncode, output + done.stdout + done.stderr
    return Ran(code, output, html.unescape(summary.read_text("utf-8")))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Return a deployed stack."""
    return Cloud(tmp_path)


def preview(cloud: Cloud, head: object, published: object = PLAN) -> Ran:
    """Run the preview with these answers of the function."""
    cloud.set(answers={"head": head, "published": published})
    return run(PREVIEW, cloud)


def plan(*changes: str, failed: int = 0) -> dict[str, Any]:
    """Return the answer of a dry run."""
    return {**PLAN, "failed": failed, "changes": list(changes)}


def test_the_head_commit_and_the_published_one_are_asked_and_nothing_is_done(cloud: Cloud) -> None:
    """Both as dry runs."""
    preview(cloud, PLAN)
    assert cloud.payloads() == [{"dry_run": True}, {"dry_run": True, "config_git_url": PINNED_URL}]


def test_a_plan_of_the_real_function_becomes_a_table(cloud: Cloud, world: World) -> None:
    """Creates, updates with old and new, deletes, and what fails, each in a row."""
    for name in (NAME, "pn-gone", "pn-broken"):
        world.create(name)
    broken = {"daily-report": {"schedule": CRON}, "gone": {"schedule": CRON}, "broken": {}}
    published = world.run(broken, event={"dry_run": True})
    queries = {"daily-report": {"schedule": OTHER_CRON}, "new|": {}, "new": {"schedule": CRON}}
    head = world.run(queries | {"broken": {}}, event={"dry_run": True})
    ran = preview(cloud, head, published)
    assert ran.code == 1
    assert "1 created, 1 updated, 1 deleted, 2 failed" in ran.summary
    kinds = re.findall(r"^\| ([a-z ]+) \|", ran.summary, re.MULTILINE)
    assert kinds == ["failed", "broken before", "delete", "update", "create"]
    assert f"| update | {NAME} | cron: {CRON} → {OTHER_CRON} |" in ran.summary
    assert f"| create | pn-new | cron: {CRON} |" in ran.summary
    assert "| delete | pn-gone | removed from config |" in ran.summary


def test_a_pull_request_that_breaks_nothing_is_green(cloud: Cloud) -> None:
    """With its plan, and its hints."""
    hint = "HINT: query 'a': 'timezon' is not read; did you mean 'timezone'?"
    ran = preview(cloud, plan("CREATE: pn-a (cron: x)", hint))
    assert ran.code == 0
    assert "| hint |  | query 'a': 'timezon' is not read" in ran.summary
    nothing = preview(cloud, plan())
    assert nothing.code == 0


@pytest.mark.parametrize(
    "line",
    [
        BROKEN,
        "Failed to read schedule pn-a: AccessDeniedException: no",
        "Refused to delete 25 schedules, which is more than MAX_DELETIONS=20",
        "Kept: pn-a",
    ],
)
def test_it_is_red_for_what_it_breaks_and_not_for_what_was_broken(cloud: Cloud, line: str) -> None:
    """The published configuration's failures are shown, with whatever reason they have now."""
    broken = preview(cloud, plan(line, failed=1))
    assert (broken.code, "This pull request breaks" in broken.output) == (1, True)
    before = preview(cloud, plan(line, failed=1), plan(line, failed=1))
    assert (before.code, "| broken before |" in before.summary) == (0, True)
    both = preview(cloud, plan(line, BROKEN_TOO, failed=2), plan(line, failed=1))
    assert both.code == 1


def test_a_query_that_stays_broken_in_another_way_is_not_blamed(cloud: Cloud) -> None:
    """Somebody is on the way to repairing it."""
    other = BROKEN.replace("wrong", "wrong still")
    assert preview(cloud, plan(other, failed=1), plan(BROKEN, failed=1)).code == 0


def test_failures_that_no_line_names_are_counted(cloud: Cloud) -> None:
    """Beyond a thousand lines, say."""
    head = plan("and 500 more", failed=500)
    assert preview(cloud, head, plan("and 400 more", failed=400)).code == 1
    assert preview(cloud, head, head).code == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(CRASH, "boom", id="crash"),
        pytest.param(TIMEOUT, "Task timed out", id="timeout"),
        pytest.param("null", "not a plan: null", id="null"),
        pytest.param("", "not a plan", id="empty"),
        pytest.param({"error": "HTTP 404 Not Found"}, "HTTP 404 Not Found", id="error"),
        pytest.param({**PLAN, "changes": "x"}, "not a plan", id="no lines"),
        pytest.param({"created": 0, "updated": 0, "deleted": 0, "failed": 0}, "not a", id="a run"),
    ],
)
def test_what_is_not_a_plan_is_red(cloud: Cloud, answer: object, why: str) -> None:
    """Although the AWS CLI succeeds; as the published configuration's it is only told."""
    ran = preview(cloud, answer)
    assert (ran.code, why in ran.summary, "No preview" in ran.summary) == (1, True, True)
    before = preview(cloud, PLAN, answer)
    assert (before.code, "could not be compared" in before.summary) == (0, True)


def test_the_real_functions_error_is_red(cloud: Cloud, world: World) -> None:
    """A document that is refused is no plan."""
    world.git_host.publish({"querys": {}})
    assert preview(cloud, world.run(event={"dry_run": True})).code == 1


def test_an_invocation_that_is_refused_is_red(cloud: Cloud) -> None:
    """With the complaint of the AWS CLI."""
    cloud.set(denied=True)
    ran = run(PREVIEW, cloud)
    assert (ran.code != 0, "AccessDenied" in ran.output) == (True, True)


def test_nothing_from_the_configuration_is_taken_for_markdown(cloud: Cloud) -> None:
    """Whoever writes a pull request writes these texts."""
    sly = "Query '| <img src=x> [a](http://b) **c** `d` @e' is unusable: it is"
    preview(cloud, plan(sly, failed=1))
    raw = (cloud.place / "summary.md").read_text("utf-8")
    [row] = [line for line in raw.splitlines() if line.startswith("| failed")]
    assert row.count("|") == 4
    assert not re.search(r"[<>\[*`@]", row)


def test_a_summary_stays_below_what_github_takes(cloud: Cloud) -> None:
    """1 MiB; the rest is counted."""
    long = plan(*(f"Query '{n}' is unusable: {'→' * 950}" for n in range(1000)), failed=1000)
    ran = preview(cloud, long)
    assert (cloud.place / "summary.md").stat().st_size < 1024 * 1024
    assert re.search(r"and \d+ more", ran.summary)


def test_a_merge_makes_the_stack_update_of_make_publish(cloud: Cloud) -> None:
    """Then it runs once, and shows what that did."""
    ran = run(PUBLISH, cloud)
    assert ran.code == 0, ran.output
    assert cloud.now()["url"] == PINNED_URL
    assert cloud.now()["kept"] == ["QueryExecutorArn", "ProjectName"]
    assert cloud.payloads() == [{"dry_run": True, "config_git_url": PINNED_URL}, {}]
    verbs = [call[2] for call in cloud.asked() if call[1] == "cloudformation"]
    assert verbs[-2:] == ["update-stack", "wait"]
    assert "1 created, 0 updated, 0 deleted, 0 failed" in ran.summary


def test_what_is_published_already_only_runs(cloud: Cloud) -> None:
    """CloudFormation refuses an update that changes nothing."""
    cloud.set(url=PINNED_URL)
    ran = run(PUBLISH, cloud)
    assert (ran.code, "published already" in ran.output) == (0, True)
    assert not any("update-stack" in call for call in cloud.asked())
    assert {} in cloud.payloads()


@pytest.mark.parametrize("answer", [CRASH, TIMEOUT, "null", "", {"error": "HTTP 404"}], ids=str)
def test_a_merge_that_has_no_plan_publishes_nothing(cloud: Cloud, answer: object) -> None:
    """The commit cannot be fetched, or is not what the manager reads."""
    cloud.set(answers={"head": answer})
    ran = run(PUBLISH, cloud)
    assert (ran.code, "Nothing is published" in ran.output) == (1, True)
    assert SHA in cloud.now()["url"]


@pytest.mark.parametrize("answer", [CRASH, TIMEOUT, "null", ""], ids=str)
def test_a_run_after_the_merge_that_does_not_end_well_is_red(cloud: Cloud, answer: object) -> None:
    """It is published all the same, and the next run tries again."""
    cloud.set(answers={"head": PLAN, "run": answer})
    ran = run(PUBLISH, cloud)
    assert (ran.code, "Published, but the run" in ran.output) == (1, True)


def test_failed_queries_after_the_merge_are_a_warning(cloud: Cloud) -> None:
    """The pull request was red for them; the rest has been published."""
    cloud.set(answers={"head": PLAN, "run": {**PLAN, "failed": 2}})
    ran = run(PUBLISH, cloud)
    assert (ran.code, "::warning::" in ran.output) == (0, True)


@WORKFLOWS
def test_a_workflow_has_no_right_but_that_of_its_job(path: Path) -> None:
    """To ask for the token that assumes the role; every action is pinned by its full SHA."""
    workflow = load(path)
    assert workflow["permissions"] == {}
    [job] = workflow["jobs"].values()
    assert job["permissions"] == {"id-token": "write"}
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
    pinned = re.findall(r"uses: \S+ # v[0-9.]+$", path.read_text("utf-8"), re.MULTILINE)
    assert len(pinned) == len(used) == 1


@WORKFLOWS
def test_zizmor_finds_nothing(path: Path) -> None:
    """Without the network."""
    command = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--quiet", str(path)]
    audited = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert audited.returncode == 0, audited.stdout + audited.stderr


@WORKFLOWS
def test_actionlint_finds_nothing(path: Path) -> None:
    """Where it is installed: its package fetches it from outside the package index."""
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not on the PATH")
    linted = subprocess.run([actionlint, str(path)], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert linted.returncode == 0, linted.stdout


def test_the_roles_template_is_linted() -> None:
    """As the manager's own is."""
    command = [str(Path(sys.executable).parent / "cfn-lint"), str(FOLDER / "roles.yaml")]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert linted.returncode == 0, linted.stdout


def test_the_readme_names_each_file() -> None:
    """They are there to be copied."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in FOLDER.iterdir():
        assert f"tests/workflows/{path.name}" in readme
