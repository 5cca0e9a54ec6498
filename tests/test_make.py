"""What make does with the stack, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.world import SHA
from tests.world.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack to be made."""
    return Stack(tmp_path)


NEXT = "f" * 40


def test_a_later_deployment_does_not_bring_the_old_sha_back(stack: Stack) -> None:
    """Or the queries added since would be deleted: deploy, publish, deploy."""
    assert stack.make("deploy").returncode == 0
    assert "--guided" in stack.last()
    assert stack.url() == stack.first
    published = stack.make("publish", f"SHA={NEXT}")
    assert published.returncode == 0
    assert stack.url() == stack.first.replace(SHA, NEXT)
    assert f"old: {stack.first}\nnew: {stack.url()}\n" in published.stdout
    assert stack.make("deploy", "PARAMETERS=LogRetentionDays=90").returncode == 0
    assert stack.url() == stack.first.replace(SHA, NEXT)
    assert "--guided" not in stack.last()
    assert stack.last()[-1] == "LogRetentionDays=90"


def test_publishing_changes_the_url_and_nothing_else(stack: Stack) -> None:
    """The template and every other parameter are the previous ones."""
    stack.make("deploy")
    stack.make("publish", f"SHA={NEXT}")
    calls = [json.loads(line) for line in stack.calls.read_text().splitlines()]
    [update] = [call for call in calls if "update-stack" in call]
    assert "--use-previous-template" in update
    assert update[update.index("--parameters") + 2 :] == [
        "ParameterKey=QueryExecutorArn,UsePreviousValue=true",
        "ParameterKey=ProjectName,UsePreviousValue=true",
    ]
    again = stack.make("publish", f"SHA={NEXT}")
    assert (again.returncode, "nothing to publish" in again.stdout) == (0, True)


PAYLOAD = """{"dry_run": true, "config_git_url": "https://h/it's/a%20?x=1&y=2"}"""


def test_invoking_prints_log_and_answer(stack: Stack) -> None:
    """Whatever characters the payload holds."""
    stack.make("deploy")
    invoked = stack.make("invoke", f"PAYLOAD={PAYLOAD}")
    assert (invoked.returncode, invoked.stdout) == (0, f"log line\n{PAYLOAD}\n")


@pytest.mark.parametrize("failure", ["denied", "Unhandled"])
def test_an_invocation_that_fails_shows_no_earlier_answer_as_its_own(
    stack: Stack, failure: str
) -> None:
    """Neither when it could not be made nor when the function failed."""
    stack.make("deploy")
    stack.make("invoke", 'PAYLOAD={"old": 1}')
    stack.state.write_text(json.dumps(json.loads(stack.state.read_text()) | {"invoke": failure}))
    invoked = stack.make("invoke", 'PAYLOAD={"new": 1}')
    assert invoked.returncode != 0
    assert "old" not in invoked.stdout


@pytest.mark.parametrize("url", ["None", ""])
def test_a_stack_without_the_url_is_not_deployed_to(stack: Stack, url: str) -> None:
    """It is another one, or was never finished."""
    stack.state.write_text(json.dumps({"url": url, "others": []}))
    refused = stack.make("deploy")
    assert (refused.returncode != 0, "has no ConfigGitUrl" in refused.stderr) == (True, True)
    assert '"sam", "deploy"' not in stack.calls.read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/org/repo/{}/c.json", "/org/repo/{}/c.json"),
        ("/files/c.json/raw?ref={}", "/files/c.json/raw?ref={}"),
        ("/raw/c.json?x=1&at={}&token=" + "b" * 40, "/raw/c.json?x=1&at={}&token=" + "b" * 40),
        ("/main/c.json?token={}", None),
    ],
)
def test_a_revision_is_replaced_and_a_token_is_not(stack: Stack, old: str, new: str | None) -> None:
    """In the path, or in the query parameter that names it."""
    host = "https://git.example"
    stack.state.write_text(json.dumps({"url": host + old.format(SHA), "others": []}))
    assert (stack.make("publish", f"SHA={NEXT}").returncode == 0) == (new is not None)
    assert stack.url() == host + (new.format(NEXT) if new else old.format(SHA))


@pytest.mark.parametrize(
    "sha", ['"; echo pwned; "', "", "main", "f" * 39, "f" * 41, "F" * 40, "g" * 40, "f" * 39 + " "]
)
def test_what_is_no_sha_is_not_published(stack: Stack, sha: str) -> None:
    """A sentence says what is wanted, and nothing is called."""
    stack.make("deploy")
    before = stack.calls.read_text()
    refused = stack.make("publish", f"SHA={sha}")
    assert refused.returncode != 0
    assert "give all 40 digits" in refused.stderr
    assert stack.calls.read_text() == before


def test_a_url_without_a_sha_cannot_be_published_to(stack: Stack) -> None:
    """There is nothing to replace."""
    stack.state.write_text(json.dumps({"url": "https://git.example/main/c.json", "others": []}))
    refused = stack.make("publish", f"SHA={NEXT}")
    assert (refused.returncode != 0, "no commit SHA to replace" in refused.stderr) == (True, True)
    assert "update-stack" not in stack.calls.read_text()


def test_a_stack_that_cannot_be_looked_at_is_not_taken_for_a_missing_one(stack: Stack) -> None:
    """A guided deployment would bring the saved SHA back."""
    stack.state.write_text(json.dumps({"denied": True}))
    refused = stack.make("deploy")
    assert (refused.returncode != 0, "AccessDenied" in refused.stderr) == (True, True)
    assert "--guided" not in stack.calls.read_text()


def test_a_saved_configuration_without_its_stack_is_not_deployed(stack: Stack) -> None:
    """It is another Region, or another name, and holds an old SHA."""
    (stack.place / "samconfig.toml").touch()
    refused = stack.make("deploy")
    assert (refused.returncode != 0, "samconfig.toml" in refused.stderr) == (True, True)
    assert "--guided" not in stack.calls.read_text()
