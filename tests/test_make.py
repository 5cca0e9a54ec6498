"""What make publish does, with stand-ins for the AWS CLI and the SAM CLI."""

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


def test_publishing_changes_the_url_and_nothing_else(stack: Stack) -> None:
    """The template and every other parameter are the previous ones."""
    stack.deploy()
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
    "sha",
    [
        '"; echo pwned; "',
        "$(touch pwned)",
        "",
        "main",
        "f" * 39,
        "f" * 41,
        "F" * 40,
        "g" * 40,
        "f" * 39 + " ",
    ],
)
def test_what_is_no_sha_is_not_published(stack: Stack, sha: str) -> None:
    """A sentence says what is wanted, and nothing is called."""
    stack.deploy()
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
