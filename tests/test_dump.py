"""The dump of a group as a configuration: what it writes, and what a run with it changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from athena_schedule_manager._schedules import (
    DEFAULT_DESCRIPTION,
    TIMEZONE,
    completed,
    desired_schedule,
    drift,
    existing_schedule,
)
from athena_schedule_manager.tools import dump
from athena_schedule_manager.tools.dump import configuration, is_input_of, json_text, remarks
from tests.world import CRON, EXECUTOR_ARN, GROUP, ROLE_ARN, SETTINGS
from tests.world.account import Account
from tests.world.draws import lives
from tests.world.model import Scheduler
from tests.world.person import Operator

SCHEMA = Path(dump.__file__).parent / "query-executor-config.schema.json"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    """Return somebody with a deployed stack."""
    return Operator(Account.with_stack(), tmp_path, monkeypatch, capsys)


def schedule(name: str, target: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return a schedule as GetSchedule answers."""
    query = {"query_id": name.removeprefix("pn-")}
    made = {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN, "Input": json.dumps(query)}
    return {
        "Name": name,
        "ScheduleExpression": CRON,
        "ScheduleExpressionTimezone": "UTC",
        "Description": DEFAULT_DESCRIPTION,
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": made | (target or {}),
        **members,
    }


def live_on(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    """Make the drawn schedules in the strict model, and return those of the group."""
    service = Scheduler()
    service.groups |= {GROUP: {}, "other": {}}
    for number, (path, (members, target)) in enumerate(drawn.items()):
        group, name = path.split("/")
        made = schedule(name, target, **members)
        del made["Name"]
        if group == GROUP:
            service.create_schedule(name, str(number), group, **made)
    return list(service.groups[GROUP].values())


@settings(max_examples=200)
@given(lives)
def test_a_run_with_the_dump_changes_nothing_but_what_was_made_by_hand(
    drawn: dict[str, Any],
) -> None:
    """Target, role and input, and an empty description; and each change but a role is told."""
    answers = live_on(drawn)
    queries = configuration(answers, "pn-")["queries"]
    told = list(remarks(answers, "pn-", EXECUTOR_ARN))
    ours = [answer for answer in answers if answer["Name"].startswith("pn-")]
    assert sorted(queries) == sorted(answer["Name"].removeprefix("pn-") for answer in ours)
    for answer in ours:
        query_id = answer["Name"].removeprefix("pn-")
        as_answered: Any = answer
        live = existing_schedule(as_answered, 0).owned
        wanted = completed(desired_schedule(query_id, queries[query_id], SETTINGS), live)
        changed = {difference.partition(":")[0] for difference in drift(live, wanted)}
        allowed = {"target", "role", "input"}
        if not live.description:
            allowed.add("description")
        assert changed <= allowed
        lines = [line for line in told if line.startswith(f"{answer['Name']}: ")]
        assert any("points it to" in line for line in lines) == ("target" in changed)
        assert any("its input" in line for line in lines) == ("input" in changed)
        assert any("description" in line for line in lines) == ("description" in changed)


def test_the_schema_comes_first_and_queries_are_sorted(operator: Operator) -> None:
    """A paused one says so; a zone and a description are there where they say something."""
    operator.account.schedules = {
        "pn-b": schedule("pn-b", State="DISABLED", ScheduleExpressionTimezone="Europe/Rome"),
        "pn-a": schedule("pn-a", Description="Größe\u2028"),
    }
    dumped = operator.run("dump")
    assert dumped.code == 0
    assert json.loads(dumped.output) == {
        "$schema": SCHEMA.name,
        "queries": {
            "a": {"schedule": CRON, "description": "Größe\u2028"},
            "b": {"schedule": CRON, "timezone": "Europe/Rome", "enabled": False},
        },
    }
    assert re.findall(r'"(\$schema|queries|a|b)"', dumped.output) == [
        "$schema",
        "queries",
        "a",
        "b",
    ]
    assert "Schedules written: 2, left out: 0" in dumped.complaint


def test_a_group_without_a_stack_of_ours_is_dumped(operator: Operator) -> None:
    """Adopting it begins so."""
    operator.account.status = ""
    operator.account.schedules = {"acme-a": schedule("acme-a")}
    dumped = operator.run("dump", GROUP=GROUP, PROJECT_NAME="acme")
    assert json.loads(dumped.output)["queries"] == {"a": {"schedule": CRON}}
    assert not operator.account.called("describe-stacks")
    assert f"Region eu-south-1, group {GROUP}" in dumped.complaint


def test_without_a_stack_another_target_is_one_that_is_not_the_most_frequent(
    operator: Operator,
) -> None:
    """Nobody has said yet which the executor is."""
    schedules = [schedule(f"pn-{name}") for name in "bc"]
    schedules += [schedule("pn-a", {"Arn": LIVE}), schedule("foreign", {"Arn": LIVE})]
    operator.account.schedules = {live["Name"]: live for live in schedules}
    told = operator.run("dump", GROUP=GROUP).complaint
    assert f"pn-a: a run points it to the executor instead of {LIVE}" in told
    assert told.count("points it to") == 1


def test_a_queue_that_is_not_the_stacks_is_told(operator: Operator) -> None:
    """The new role may not send there, and `make dropped` does not read it."""
    theirs = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-south-1:123456789012:theirs"}}
    queue = operator.account.outputs["DeadLetterQueueArn"]
    stacks = schedule("pn-b", {"DeadLetterConfig": {"Arn": queue}})
    operator.account.schedules = {"pn-a": schedule("pn-a", theirs), "pn-b": stacks}
    assert operator.run("dump").complaint.count("its dead-letter queue stays") == 1
    told = operator.run("dump", GROUP=GROUP).complaint
    assert "pn-a: its dead-letter queue stays arn:aws:sqs:eu-south-1:123456789012:theirs" in told
    assert told.count("its dead-letter queue stays") == 2


LIVE = f"{EXECUTOR_ARN}:live"
QUEUE = {"Arn": "arn:aws:sqs:eu-south-1:123456789012:q", "SqsParameters": {"MessageGroupId": "g"}}
CANNOT_BE_SAID = [
    (schedule("foreign"), "foreign is left out, since it does not begin with pn-"),
    (schedule("pn-"), "pn- is left out, since its id would be empty: a run DELETES it"),
    (schedule("pn-a", {"Input": "{}"}), "pn-a: a run replaces its input by the query's id"),
    (schedule("pn-a", QUEUE), "leaves out its SqsParameters"),
    (schedule("pn-a", {"Arn": EXECUTOR_ARN + ":2"}), f"instead of {EXECUTOR_ARN}:2"),
    (schedule("pn-a", Description=""), "a run gives it a description"),
    (
        schedule("pn-a", StartDate="2030-01-01"),
        "pn-a: a run keeps its StartDate (unless it is past), which",
    ),
    (schedule("pn-a", FlexibleTimeWindow={"Mode": "FLEXIBLE"}), "its FlexibleTimeWindow, which"),
    (schedule("pn-a", ScheduleExpression="rate(1 week)"), "would not take its expression"),
]


@pytest.mark.parametrize(("live", "line"), CANNOT_BE_SAID)
def test_what_the_file_cannot_say_is_told_on_standard_error(
    operator: Operator, live: dict[str, Any], line: str
) -> None:
    """With the name of the schedule."""
    operator.account.schedules = {live["Name"]: live}
    dumped = operator.run("dump")
    assert dumped.code == 0
    assert line in dumped.complaint
    assert set(json.loads(dumped.output)["queries"]) <= {"a"}


def test_what_others_wrote_is_told_escaped(operator: Operator) -> None:
    """An ARN could hold what clears the screen."""
    operator.account.schedules = {"pn-a": schedule("pn-a", {"Arn": "arn:\x1b[2J"})}
    assert "\x1b" not in operator.run("dump").complaint


def test_a_group_that_there_is_not_is_told(operator: Operator) -> None:
    """And nothing is written, which would be taken for an empty configuration."""
    refusal = ["ResourceNotFoundException", "no such group"]
    operator.account.refusals["list-schedules"] = refusal
    dumped = operator.run("dump", GROUP="typo")
    assert (dumped.code, dumped.output) == (2, "")
    assert "There is no schedule group typo in the Region eu-south-1" in dumped.complaint


def test_a_schedule_that_has_gone_since_it_was_listed_is_left_out(operator: Operator) -> None:
    """It is nobody's fault; any other failure leaves no file."""
    operator.account.schedules = {"pn-a": schedule("pn-a")}
    operator.account.refusals["get-schedule"] = ["ResourceNotFoundException", "gone"]
    assert json.loads(operator.run("dump").output)["queries"] == {}
    operator.account.refusals["get-schedule"] = ["AccessDenied", "not you"]
    assert (operator.run("dump").code, operator.run("dump").output) == (2, "")


def test_the_defaults_are_the_managers() -> None:
    """Told once more, since the tool must not need boto3."""
    assert (dump.DEFAULT_DESCRIPTION, dump.TIMEZONE) == (DEFAULT_DESCRIPTION, TIMEZONE)
    assert SCHEMA.is_file()


def test_what_could_disguise_a_line_is_an_escape_of_json() -> None:
    """A description turned the rest of a line around; the file says the same without that."""
    description = "\u202e\x9b\u2028\x7f\U000e0001 dreißig"
    text = json_text({"a": description})
    assert json.loads(text) == {"a": description}
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "dreißig" in text


def test_an_input_that_is_nested_absurdly_is_another_one() -> None:
    """A sentence, and no traceback."""
    assert not is_input_of("a", "[" * 100_000)
