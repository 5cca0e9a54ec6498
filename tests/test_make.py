"""What make does with the stack, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.world.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack to be made."""
    return Stack(tmp_path)


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
