"""The project's own workflow: it runs what others wrote only as it was reviewed, with no rights."""

from __future__ import annotations

import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.tools.transformed import TEMPLATE, template

GITHUB = TEMPLATE.parent / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def parsed(path: Any) -> Any:
    """Return what a file of YAML holds."""
    return yaml_parse(path.read_text("utf-8"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Any:
    """Return the path of a workflow."""
    return request.param


def test_every_action_is_pinned_by_a_commit_with_its_version_beside_it(workflow: Any) -> None:
    """A tag can be moved; Dependabot reads and updates the version in the comment."""
    used = re.findall(r"uses: (.*)", workflow.read_text("utf-8"))
    pinned = re.compile(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert used
    assert [action for action in used if not pinned.fullmatch(action)] == []


def test_a_job_has_no_right_but_those_that_it_names(workflow: Any) -> None:
    """And the token does not stay in the clone, where any later step could read it."""
    written = parsed(workflow)
    assert written["permissions"] == {}
    for job in written["jobs"].values():
        assert set(job["permissions"].values()) <= {"read"}
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_oldest_and_the_runtimes_pythons_are_tested() -> None:
    """The template's runtime, the oldest that the tools take, and the newest of Lambda."""
    [job] = parsed(GITHUB / "workflows" / "ci.yml")["jobs"].values()
    tested = job["strategy"]["matrix"]["python"]
    assert tested == ["3.11", "3.13", "3.14"]
    function = template()["Resources"]["AthenaScheduleManager"]["Properties"]
    assert function["Runtime"].removeprefix("python") in tested


def test_tools_and_actions_are_kept_up_to_date() -> None:
    """What is pinned grows old by itself."""
    updates = parsed(GITHUB / "dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions"}
