"""The handler: settings, what it returns and raises, and what importing it does not do."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import index, schedule_manager
from athena_schedule_manager._schedules import Settings
from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.index import handler, read_settings
from tests.world import (
    EXECUTOR_ARN,
    NAME,
    NOTHING_DONE,
    QUERIES,
    ROLE_ARN,
    messages,
    settings_environment,
)

if TYPE_CHECKING:
    from tests.world import World

REQUIRED = ["CONFIG_GIT_URL", "QUERY_EXECUTOR_ARN", "SCHEDULE_ROLE_ARN"]
URL = "https://git.example/config.json"


def test_defaults_of_the_settings() -> None:
    """As the specification has them."""
    assert read_settings(settings_environment(URL)) == Settings(
        config_git_url=URL,
        query_executor_arn=EXECUTOR_ARN,
        schedule_role_arn=ROLE_ARN,
        schedule_group_name="pn-athena-queries",
        project_name="pn",
    )


def test_every_setting_is_read_and_stripped() -> None:
    """A newline at the end of a pasted value is not part of it."""
    texts = [f.name for f in fields(Settings) if f.name != "max_deletions"]
    environment = {name.upper(): f" {name}-value\n" for name in texts}
    settings = read_settings(environment | {"MAX_DELETIONS": " 20\n"})
    values: dict[str, Any] = {name: f"{name}-value" for name in texts}
    assert settings == Settings(**values, max_deletions=20)


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_variable_counts_as_not_set(blank: str) -> None:
    """Optional ones have their defaults, required ones are missing."""
    environment = settings_environment(URL) | {"PROJECT_NAME": blank, "SCHEDULE_GROUP_NAME": blank}
    assert read_settings(environment) == read_settings(settings_environment(URL))
    with pytest.raises(CannotReconcileError, match="variables: QUERY_EXECUTOR_ARN;"):
        read_settings(environment | {"QUERY_EXECUTOR_ARN": blank})


def test_all_missing_settings_are_told_in_one_error(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the invocation, before anything is fetched or called."""
    for name in REQUIRED:
        monkeypatch.delenv(name)
    with pytest.raises(CannotReconcileError) as raised:
        world.run(QUERIES)
    assert f"variables: {', '.join(REQUIRED)};" in str(raised.value)
    assert messages(caplog, logging.ERROR) == [str(raised.value)]
    assert (world.git_host.paths, world.faults.calls) == ([], [])


@pytest.mark.parametrize("name", ["PROJECT_NAME", "SCHEDULE_GROUP_NAME"])
@pytest.mark.parametrize("value", ["my project", "a/b", "é", "x" * 65, "x" * 200])
def test_a_name_that_the_service_refuses_names_its_variable(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """And is no failed listing, which would blame the permissions."""
    monkeypatch.setenv(name, value)
    with pytest.raises(CannotReconcileError, match=f"^{name} must be .* not '{value}"):
        world.run(QUERIES)
    assert (world.git_host.paths, world.faults.calls) == ([], [])


@pytest.mark.parametrize(("length", "taken"), [(62, True), (63, False), (64, False)])
def test_a_project_name_leaves_room_for_a_hyphen_and_an_id(length: int, *, taken: bool) -> None:
    """Or every query would be blamed for it, or the listing."""
    environment = settings_environment(URL) | {"PROJECT_NAME": "x" * length}
    if taken:
        assert len(read_settings(environment).prefix) == length + 1
    else:
        with pytest.raises(CannotReconcileError, match=r"^PROJECT_NAME must be at most 62"):
            read_settings(environment)


@pytest.mark.parametrize("event", [None, {}, {"source": "aws.events", "detail": {}}])
@pytest.mark.parametrize("context", [None, object()])
def test_any_event_and_no_context_are_fine(world: World, event: object, context: object) -> None:
    """EventBridge sends one event, `aws lambda invoke` another, a person at a prompt none."""
    world.git_host.publish({"queries": QUERIES})
    assert handler(event, context) == NOTHING_DONE | {"created": 1}


def test_an_error_that_nobody_foresaw_is_one_line_and_raised(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No failure is silent."""
    monkeypatch.setattr(schedule_manager, "make_plan", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.run(QUERIES)
    assert messages(caplog, logging.ERROR) == [
        "Unexpected error: ZeroDivisionError: division by zero"
    ]


def test_a_client_that_cannot_be_made_is_one_line_and_raised(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a Region, say."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    index.environment = index.ExecutionEnvironment()
    with pytest.raises(Exception, match="region"):
        world.run(QUERIES)
    assert messages(caplog, logging.ERROR) == [
        "Unexpected error: NoRegionError: You must specify a region."
    ]


def test_the_summary_is_the_last_line_and_json(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A metric filter can read it."""
    world.run(QUERIES | {"broken": {}})
    assert caplog.messages[-1] == (
        'Reconciliation complete: {"created": 1, "updated": 0, "deleted": 0, "failed": 1}'
    )


def test_a_run_changes_no_environment_variable(world: World) -> None:
    """The environment is read and nothing else."""
    before = dict(os.environ)
    world.run(QUERIES)
    assert dict(os.environ) == before


def test_importing_reads_no_setting_and_makes_no_client() -> None:
    """Import works anywhere: without variables, Region or credentials."""
    code = """if True:
        import boto3, os
        boto3.client = boto3.resource = boto3.Session = None
        class InitPhase:  # the one thing that is asked
            def __contains__(self, name):
                assert name == "AWS_LAMBDA_INITIALIZATION_TYPE"
        os.environ, os.getenv = InitPhase(), None
        import athena_schedule_manager.index as index
        assert callable(index.handler)
    """
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)  # noqa: S603 - ours


def test_a_live_schedule_survives_everything_that_raises(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No setting, no document, no listing: no change."""
    world.create(NAME)
    before = world.live()
    faults: list[Any] = [
        lambda: monkeypatch.setenv("CONFIG_GIT_URL", "http://git.example/"),
        lambda: monkeypatch.setenv("CONFIG_GIT_URL", ""),
        lambda: monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url()),
        lambda: world.faults.error("ListSchedules", "AccessDeniedException", 403),
    ]
    world.git_host.publish({"queries": None})
    for fault in faults:
        fault()
        with pytest.raises(CannotReconcileError):
            world.run()
        assert world.live() == before
