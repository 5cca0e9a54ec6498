"""The page on publishing, held against the actions, the roles and the tools that it shows."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from athena_schedule_manager.tools import preview, publish
from tests.world.runner import ACTIONS, load

NAMES = pytest.mark.parametrize("name", ["preview", "publish"])
ROLES = yaml_parse((ACTIONS / "roles.yaml").read_text("utf-8"))
PAGE = (ACTIONS.parent.parent / "athena_schedule_manager/docs/publishing.md").read_text("utf-8")
SHOWN = [yaml_parse(block) for block in re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE)]
ON = True  # YAML's reading of the key `on`


def shown_workflow(name: str) -> Any:
    """Return the workflow that calls an action, as the page shows it."""
    [found] = [block for block in SHOWN if "jobs" in block and name in block["jobs"]]
    return found


@NAMES
def test_the_page_shows_a_workflow_of_fifteen_lines_or_so_that_calls_the_action(name: str) -> None:
    """With what the action requires and no other input, and no right but those that it needs."""
    [text] = re.findall(rf"(?ms)^```yaml\n(name: {name.title()} schedules.*?)^```$", PAGE)
    assert len(text.splitlines()) <= 16
    workflow = shown_workflow(name)
    assert workflow["permissions"] == {}
    job = workflow["jobs"][name]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    [step] = job["steps"]
    assert re.search(rf"/\.github/actions/{name}@[0-9a-f]{{40}}$", step["uses"])
    declared = load(name)["inputs"]
    assert set(step["with"]) == {key for key, given in declared.items() if given.get("required")}
    assert "if" not in job


def test_the_workflows_start_when_they_must() -> None:
    """No filter of paths, which loses a push or leaves a required check waiting."""
    shown = shown_workflow("preview")[ON]
    assert shown == {"pull_request": None, "merge_group": None, "workflow_dispatch": None}
    shown = shown_workflow("publish")[ON]
    assert shown == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    assert shown_workflow("publish")["concurrency"]  # two jobs would wait for one stack


@NAMES
def test_the_page_names_every_input_with_its_default(name: str) -> None:
    """Those that are not in the workflow."""
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \| (both|preview|publish) \| `?([^`:\n]*)", PAGE)
    shown = {key: default for key, of, default in rows if of in {"both", name}}
    declared = load(name)["inputs"]
    optional = {key: given for key, given in declared.items() if not given.get("required")}
    assert shown.keys() == optional.keys()
    for key, given in optional.items():
        assert given["default"] in {shown[key], ""}


def test_the_comment_is_four_lines_and_not_switched_on() -> None:
    """It needs a right to write, and every step of such a job has it."""
    [[step]] = [block for block in SHOWN if isinstance(block, list)]
    text = PAGE[PAGE.index("- if: always()") :].partition("\n```")[0]
    assert len(text.splitlines()) == 4
    assert "${{" not in step["run"]
    assert "steps.preview.outputs.comment" in step["if"]
    assert "comment" in load("preview")["outputs"]
    assert "pull-requests" not in json.dumps([load("preview"), shown_workflow("preview")])


READERS = {"preview": preview.read_arguments, "publish": publish.read_arguments}


def test_gitlabs_jobs_call_the_same_tools() -> None:
    """With options that they take, in some 45 lines."""
    [jobs] = [block for block in SHOWN if ".schedules" in block]
    [text] = re.findall(r"(?ms)^```yaml\n(\.schedules:.*?)^```$", PAGE)
    assert len(text.splitlines()) <= 45
    common = jobs[".schedules"]
    assert common["id_tokens"] == {"AWS_TOKEN": {"aud": "sts.amazonaws.com"}}
    asked = {}
    for job in (jobs["preview schedules"], jobs["publish schedules"]):
        assert job["variables"]["AWS_ROLE_ARN"].startswith("arn:aws:iam::")
        words = shlex.split(job["script"][-1])
        start = words.index("athena_schedule_manager.tools")
        values = common["variables"] | job["variables"] | {"CI_COMMIT_SHA": "a" * 40}
        values |= {"CI_COMMIT_BRANCH": "main"}
        typed = [values.get(word.removeprefix("$"), word) for word in words[start + 2 :]]
        reader = READERS[words[start + 1]]
        asked[words[start + 1]] = reader(typed)
    assert asked["preview"].url.endswith("?ref={sha}")
    assert (asked["publish"].branch, asked["publish"].confirm) == ("main", "yes")
    assert jobs["publish schedules"]["resource_group"]


def test_bitbuckets_steps_call_the_same_tools() -> None:
    """With options that they take, each with a token of its own."""
    [pipelines] = [block["pipelines"] for block in SHOWN if "pipelines" in block]
    [[preview_step], [publish_step]] = [
        pipelines["pull-requests"]["**"],
        pipelines["branches"]["main"],
    ]
    asked = {}
    for step in (preview_step["step"], publish_step["step"]):
        assert step["oidc"]
        assert "BITBUCKET_STEP_OIDC_TOKEN" in "".join(step["script"])
        words = shlex.split(step["script"][-1])
        start = words.index("athena_schedule_manager.tools")
        values = {"$COMMIT": "a" * 40, "$CONFIG": "c.json", "$URL": "https://h/{sha}/c.json"}
        typed = [values.get(word, word) for word in words[start + 2 :]]
        asked[words[start + 1]] = READERS[words[start + 1]](typed)
    assert (asked["preview"].sha, asked["publish"].confirm) == ("a" * 40, "yes")
    # Bitbucket restricts its branches, and lets one job at a time use it
    assert publish_step["step"]["deployment"]


def test_the_commands_for_the_roles_give_parameters_that_there_are() -> None:
    """And all that are required; the values pass the template's patterns."""
    parameters = ROLES["Parameters"]
    commands = re.findall(r"(?s)aws cloudformation deploy (.*?)\n(?:aws|```)", PAGE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))
        given = dict(
            word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :]
        )
        required = {name for name, declared in parameters.items() if "Default" not in declared}
        assert required <= given.keys() <= parameters.keys()
        for name, value in given.items():
            assert re.search(parameters[name]["AllowedPattern"], value), name
        assert (ACTIONS.parent.parent / words[words.index("--template-file") + 1]).is_file()


def test_the_page_names_the_parameters_of_the_roles() -> None:
    """Each in a command or in the table."""
    missing = [name for name in ROLES["Parameters"] if not re.search(rf"\b{name}\b", PAGE)]
    assert missing == []


def test_the_links_of_the_page_lead_somewhere() -> None:
    """To a heading of its own, as GitHub names it."""
    headings = re.findall(r"(?m)^#+ (.+)$", PAGE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= slugs
