"""The desired state: which queries become which schedules, as pure tables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager._schedules import DEFAULT_DESCRIPTION, Schedule, Settings, hints
from athena_schedule_manager.schedule_manager import desired_state
from tests.world import (
    CRON,
    EXECUTOR_ARN,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    ROLE_ARN,
    SETTINGS,
)

if TYPE_CHECKING:
    from tests.world import World


def test_the_longest_expression_is_taken_and_a_longer_one_refused() -> None:
    """256 characters are the service's limit; white space around them does not count."""
    longest = CRON.replace(" ", " " * (257 - len(CRON)), 1)
    queries = {"a": {"cron": f" {longest} "}, "b": {"cron": f"{longest}"[:-1] + " )"}}
    desired, unusable = desired_state(queries, SETTINGS)
    assert len(desired["pn-a"].cron) == 256
    assert "longer than 256" in unusable["pn-b"]


def test_a_query_becomes_a_schedule_with_all_owned_fields() -> None:
    """Name, expression, zone, description, target, role and input come from query and settings."""
    query = {"schedule": CRON, "description": "Daily", "type": "export", "query": "SELECT 1"}
    desired, unusable = desired_state({"daily-report": query}, SETTINGS)
    assert desired == {
        NAME: Schedule(
            name=NAME,
            cron=CRON,
            timezone="UTC",
            state=None,
            description="Daily",
            target=EXECUTOR_ARN,
            role=ROLE_ARN,
            input='{"query_id": "daily-report"}',
        )
    }
    assert unusable == {}


def test_the_name_has_the_project_as_its_prefix() -> None:
    """PROJECT_NAME, a hyphen, the query id."""
    settings = Settings("https://git.example/x", EXECUTOR_ARN, ROLE_ARN, project_name="acme")
    desired, _ = desired_state({"Daily_1.x": {"cron": CRON}}, settings)
    assert list(desired) == ["acme-Daily_1.x"]


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        pytest.param({"schedule": CRON}, CRON, id="schedule"),
        pytest.param({"cron": CRON}, CRON, id="cron"),
        pytest.param({"schedule": CRON, "cron": OTHER_CRON}, CRON, id="schedule wins"),
        pytest.param({"schedule": None, "cron": CRON}, CRON, id="schedule is null"),
        pytest.param({"schedule": CRON, "cron": 5}, CRON, id="cron is not looked at"),
        pytest.param({"schedule": f" \t{CRON}\n"}, CRON, id="white space is stripped"),
    ],
)
def test_where_the_expression_comes_from(query: dict[str, Any], expression: str) -> None:
    """Schedule, or cron when schedule is missing or null; without the white space around it."""
    desired, _ = desired_state({"daily-report": query}, SETTINGS)
    assert desired[NAME].cron == expression


@pytest.mark.parametrize(
    ("query", "description"),
    [
        pytest.param({}, DEFAULT_DESCRIPTION, id="missing"),
        pytest.param({"description": None}, DEFAULT_DESCRIPTION, id="null"),
        pytest.param({"description": ""}, DEFAULT_DESCRIPTION, id="empty"),
        pytest.param({"description": " "}, " ", id="blank is the author's"),
        pytest.param({"description": "é" * 512}, "é" * 512, id="longest"),
        pytest.param({"description": "é" * 513}, "é" * 512, id="cut"),
    ],
)
def test_descriptions(query: dict[str, Any], description: str) -> None:
    """A fixed default for none, and the service's limit."""
    desired, _ = desired_state({"daily-report": {"schedule": CRON, **query}}, SETTINGS)
    assert desired[NAME].description == description


@pytest.mark.parametrize(
    ("query", "timezone", "state"),
    [
        pytest.param({}, "UTC", None, id="absent"),
        pytest.param({"timezone": "Europe/Rome"}, "Europe/Rome", None, id="timezone"),
        pytest.param({"timezone": "Mars/Olympus"}, "Mars/Olympus", None, id="AWS judges"),
        pytest.param({"enabled": True}, "UTC", "ENABLED", id="enabled"),
        pytest.param({"enabled": False}, "UTC", "DISABLED", id="paused"),
    ],
)
def test_time_zone_and_pause(query: dict[str, Any], timezone: str, state: str | None) -> None:
    """UTC and the operator's state, unless the query says otherwise."""
    desired, _ = desired_state({"daily-report": {"schedule": CRON, **query}}, SETTINGS)
    assert (desired[NAME].timezone, desired[NAME].state) == (timezone, state)


def as_shown(value: object) -> str:
    """Return a value as a message shows it: JSON's words, or Python's text."""
    return json.dumps(value) if value is None or value is True else repr(value)


@pytest.mark.parametrize("value", [None, 5, "", " ", [], {}, True, "x" * 51], ids=repr)
def test_an_invalid_time_zone_makes_the_query_unusable(value: object) -> None:
    """A wrong type or an empty string."""
    desired, unusable = desired_state({"a": {"schedule": CRON, "timezone": value}}, SETTINGS)
    reason = "its timezone must be an IANA name such as 'Europe/Rome', at most 50 characters, not "
    assert (desired, f"{reason}{as_shown(value)}" in unusable["pn-a"]) == ({}, True)


@pytest.mark.parametrize("value", [None, 0, 1, "", "true", [], {}], ids=repr)
def test_an_enabled_that_is_neither_true_nor_false_makes_the_query_unusable(value: object) -> None:
    """Nothing is guessed."""
    desired, unusable = desired_state({"a": {"schedule": CRON, "enabled": value}}, SETTINGS)
    reason = "its enabled must be true or false, without quotation marks, not "
    assert (desired, f"{reason}{as_shown(value)}" in unusable["pn-a"]) == ({}, True)


@pytest.mark.parametrize(
    ("query_id", "query", "parts"),
    [
        pytest.param("a", None, ["'a'", "an object", "null"], id="null"),
        pytest.param("a", "cron(0 2 * * ? *)", ["an object", "cron(0 2"], id="a string"),
        pytest.param("a", [1], ["an object", "[1]"], id="an array"),
        pytest.param("a", {}, ["neither schedule nor cron"], id="no schedule"),
        pytest.param("a", {"schedule": None}, ["neither schedule nor cron"], id="null schedule"),
        pytest.param("a", {"schedule": 5}, ["a string", "5"], id="schedule is a number"),
        pytest.param("a", {"schedule": False}, ["a string", "false"], id="schedule is false"),
        pytest.param("a", {"cron": [CRON]}, [f"a string, not ['{CRON}']"], id="cron is an array"),
        pytest.param("a", {"schedule": ""}, ["blank"], id="empty schedule"),
        pytest.param("a", {"schedule": "", "cron": CRON}, ["blank"], id="empty is not null"),
        pytest.param("a", {"schedule": " \n"}, ["blank", r"' \n'"], id="blank schedule"),
        pytest.param("a", {"schedule": "0 2 * * *"}, ["'0 2 * * *'", "cron"], id="invalid"),
        pytest.param("a", {"schedule": CRON, "description": 5}, ["string, not 5"], id="text"),
        pytest.param("a", {"schedule": CRON, "description": {}}, ["string, not {}"], id="text {}"),
        pytest.param("a", {"schedule": "at(\ud800 9:00)"}, ["half of a"], id="half a time"),
        pytest.param("a", {"schedule": "cron(0 2 * * ? \ud800)"}, ["U+D800"], id="half a cron"),
        pytest.param("a", {"schedule": CRON, "timezone": "\udfff"}, [r"\udfff"], id="half a zone"),
        pytest.param("a", {"schedule": CRON, "description": "\ud800"}, ["half"], id="half text"),
        pytest.param("", {"schedule": CRON}, ["''", "'pn-'", "rename"], id="empty id"),
        pytest.param("a b", {"schedule": CRON}, ["'pn-a b'"], id="space in the id"),
        pytest.param("a/b", {"schedule": CRON}, ["'pn-a/b'"], id="slash in the id"),
        pytest.param("a\n", {"schedule": CRON}, [r"'pn-a\n'"], id="newline at the end"),
        pytest.param("é", {"schedule": CRON}, ["'pn-é'"], id="letters outside ASCII"),
        pytest.param("\ud800", {"schedule": CRON}, [r"'pn-\ud800'"], id="lone surrogate"),
        pytest.param("x" * 62, {"schedule": CRON}, ["64"], id="name too long"),
    ],
)
def test_an_unusable_query_is_told_with_id_reason_and_value(
    query_id: str, query: object, parts: list[str]
) -> None:
    """It becomes no schedule, its name is kept from being deleted, its neighbour is untouched."""
    queries = {query_id: query, "daily-report": {"cron": CRON}}
    desired, unusable = desired_state(queries, SETTINGS)
    assert list(desired) == [NAME]
    assert list(unusable) == [f"pn-{query_id}"]
    message = unusable[f"pn-{query_id}"]
    assert [part for part in [repr(query_id), *parts] if part not in message] == []
    assert message.isprintable()


def test_the_longest_name_is_usable() -> None:
    """64 characters with the prefix are the service's limit."""
    desired, _ = desired_state({"x" * 61: {"cron": CRON}}, SETTINGS)
    assert list(desired) == ["pn-" + "x" * 61]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"schedule": "é" * 100_000}, id="a string"),
        pytest.param({"schedule": list(range(100_000))}, id="an array"),
        pytest.param(["é" * 100_000] * 9, id="no object"),
        pytest.param({"schedule": CRON, "description": {"é" * 100_000: 1}}, id="an object"),
    ],
)
def test_an_endless_value_is_cut_in_the_message(query: object) -> None:
    """200 characters of the value are enough to find it, and of the id too."""
    _, unusable = desired_state({"é" * 100_000: query, "a": query}, SETTINGS)
    assert max(map(len, unusable.values())) < 700
    assert "é" * 201 not in "".join(unusable.values())


def test_exactly_200_characters_of_an_offending_string_are_shown() -> None:
    """Enough to recognise it."""
    _, unusable = desired_state({"a": {"schedule": "x" * 300}}, SETTINGS)
    assert f"'{'x' * 200}'" in unusable["pn-a"]


def test_a_dead_letter_queue_is_wanted_where_one_is_set() -> None:
    """For every schedule; not set, the field is the operator's."""
    desired, _ = desired_state({"a": {"cron": CRON}}, SETTINGS)
    assert desired["pn-a"].dead_letters is None
    settings = replace(SETTINGS, dead_letter_queue_arn="arn:aws:sqs:::dead")
    desired, _ = desired_state({"a": {"cron": CRON}}, settings)
    assert desired["pn-a"].dead_letters == "arn:aws:sqs:::dead"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("timezon", "timezone"),
        ("time_zone", "timezone"),
        ("time-zone", "timezone"),
        ("TimeZone", "timezone"),
        ("Enabled", "enabled"),
        ("enable", "enabled"),
        ("shedule", "schedule"),
        ("schedules", "schedule"),
        ("CRON", "cron"),
        ("desciption", "description"),
        ("timezone", ""),
        ("cron", ""),
        ("query", ""),
        ("type", ""),
        ("alerts", ""),
        ("slack", ""),
        ("csv_export", ""),
        ("x" * 100_000, ""),
        ("", ""),
    ],
)
def test_a_key_that_is_nearly_one_of_ours_has_a_hint(key: str, meant: str) -> None:
    """And never a refusal, since the file is shared."""
    queries: dict[str, Any] = {"a": {"schedule": CRON, key: True}, "b": None, "c": []}
    told = f"HINT: query 'a': {key!r} is not read; did you mean '{meant}'?"
    assert hints(queries) == ([told] if meant else [])


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("disabled", 'write "enabled": false to pause it'),
        ("Paused", 'write "enabled": false to pause it'),
        ("state", 'write "enabled": false to pause it'),
        ("tz", 'write "timezone": "Europe/Rome", say'),
        ("cronExpression", 'write "schedule": "cron(...)"'),
        ("schedule_expression", 'write "schedule": "cron(...)"'),
    ],
)
def test_a_key_that_is_ours_by_meaning_has_a_hint(key: str, advice: str) -> None:
    """With what to write instead."""
    told = f"HINT: query 'a': {key!r} is not read; {advice}"
    assert hints({"a": {"schedule": CRON, key: True}}) == [told]


def test_white_space_around_a_time_zone_does_not_count(strict_world: World) -> None:
    """It is not sent, nor is it a difference."""
    queries = {"a": {"schedule": CRON, "timezone": f" Europe/Rome\n{' ' * 60}"}}
    assert strict_world.run(queries) == NOTHING_DONE | {"created": 1}
    assert strict_world.live()[f"{GROUP}/pn-a"]["ScheduleExpressionTimezone"] == "Europe/Rome"
    assert strict_world.run() == NOTHING_DONE
