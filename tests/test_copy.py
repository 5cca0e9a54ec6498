"""The copy of a document behind a commit SHA, which serves while the Git host is unavailable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager import _git, index
from athena_schedule_manager._git import TransientFetchError
from athena_schedule_manager._words import CannotReconcileError
from tests.world import QUERIES, SHA, document, messages, status
from tests.world.git_host import HOST_FAULTS, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Request, World


@pytest.mark.parametrize("answer", HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_the_copy_of_a_pinned_document_serves_while_the_host_is_unavailable(
    world: World, caplog: pytest.LogCaptureFixture, answer: Callable[[Request], None]
) -> None:
    """Its content cannot change; one WARNING that says copy, and why."""
    world.run(QUERIES)
    world.git_host.answer(answer)
    caplog.clear()
    assert world.run() == {"created": 0, "updated": 0, "deleted": 0, "failed": 0}
    [warning] = messages(caplog, logging.WARNING)
    assert warning.startswith("Failed to fetch config from Git: ")
    assert "copy" in warning
    assert messages(caplog, logging.ERROR) == []
    assert len(world.git_host.paths) == _git.TRIES


@pytest.mark.parametrize("code", REFUSALS)
def test_no_copy_after_a_refusal(world: World, code: int) -> None:
    """Somebody may have taken the document away."""
    world.run(QUERIES)
    world.git_host.answer(status(code))
    with pytest.raises(CannotReconcileError):
        world.run()


def test_no_copy_of_a_document_that_can_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch has no 40 digits, and neither 39 nor 41 are a SHA."""
    for ref in ("main", "a" * 39, "a" * 41, "g" * 40):
        monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url(ref))
        world.run(QUERIES)
        world.git_host.answer(status(503))
        with pytest.raises(TransientFetchError):
            world.run()


def test_no_copy_of_another_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is that of the very URL, and only the last one is kept."""
    world.run(QUERIES)
    monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url("f" * 40))
    world.git_host.answer(status(503))
    with pytest.raises(TransientFetchError):
        world.run()
    world.run({})
    assert index.environment.source.copy
    assert index.environment.source.copy[0] == world.git_host.url("f" * 40)


def test_a_document_that_was_not_understood_is_no_copy(world: World) -> None:
    """And it does not replace a good one."""
    world.run(QUERIES)
    world.git_host.answer(document(b"<html>"))
    with pytest.raises(CannotReconcileError, match="Invalid config"):
        world.run()
    world.git_host.answer(status(503))
    assert world.run()["failed"] == 0


def test_every_run_fetches(world: World) -> None:
    """The copy is for bad days only."""
    world.run(QUERIES)
    world.run({"weekly": QUERIES["daily-report"]})
    assert world.ours().keys() == {"pn-weekly"}


@pytest.mark.parametrize(
    ("ref", "warnings"),
    [
        ("main", 1),
        ("v1.2.3", 1),
        ("a" * 39, 1),
        ("a" * 41, 1),
        (SHA, 0),
        (SHA.upper(), 0),
        (f"raw?ref={SHA}", 0),
        (f"raw?ref=main&private_token={SHA}", 1),
        (f"main?token={SHA}", 1),
        (f"raw?token={'b' * 40}&at={SHA}", 0),
    ],
)
def test_a_url_without_a_sha_is_served_with_one_warning_per_execution_environment(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ref: str,
    warnings: int,
) -> None:
    """What it names may change without a deployment."""
    base = world.git_host.url("").removesuffix("/query-executor-config.json")
    monkeypatch.setenv("CONFIG_GIT_URL", base + ref)
    world.run(QUERIES)
    world.run()
    found = messages(caplog, logging.WARNING)
    assert len(found) == warnings
    assert all("SHA" in message for message in found)
