"""The JSON Schema: an editor's help that never refuses what the manager takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from athena_schedule_manager.schedule_manager import desired_state
from tests.world import SETTINGS

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "athena_schedule_manager" / "tools" / "query-executor-config.schema.json"
EXAMPLES = ROOT / "athena_schedule_manager" / "tools" / "examples"
LOADED: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
VALIDATOR = Draft7Validator(LOADED)

ACCEPTED = [
    "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)",
    "cron(1-31/30 1-1 ? * 1,7 *)",
    "cron(0-59/10 0-23/2 ? * * *)",
    "cron(15 10 ? * 6L 2022-2023)",
    "cron(0 2 ? * SAT#3 *)",
    "cron(0 18 LW * ? *)",
    "cron(0 9 ? * mOn *)",
    "cron(00 07 ? * MON-SUN *)",
    "cron(0 0 L-2 * ? *)",
    "cron(20 9 ? 1/1 MON#1 *)",
    "cron(0 2 * * ?)",
    "CRON( 0  2\t* * ? * )",
    "rate(1 minutes)",
    "rate(5 minute)",
    "rate(007 DAYS)",
    "at(2022-12-31T23:59:59)",
    "AT(2022-12-31T23:59)",
    "\x1f rate(1 day)\x85\n",
]
REFUSED: list[object] = [
    "0 6 * * *",
    "cron(0 6 * * *)",
    "cron(0 6 * * * *)",
    "cron(0 6 ? * ? *)",
    "cron(0 0 6 * * ? *)",
    "cron()",
    "rate(10 seconds)",
    "rate(0 days)",
    "rate( 10 minutes )",
    "at(2021-12-31T23:59:59Z)",
    "at(2021-12-31)",
    "cron(0 9 ? * MON\u2013FRI *)",
    "cron(0 2 * * ? *;)",
    "cron(0:30 2 * * ? *)",
    "cron((0 2 * * ? *))",
    "cron(0 2 1? * * *)",
    "cron(0 2 * ? * *)",
    "cron(0 2 * * ? *",
    "",
    5,
    None,
]
FIELDS = st.sampled_from(
    [
        "*",
        "?",
        "0",
        "07",
        "1-5",
        "22-6",
        "*/5",
        "/2",
        "1/1",
        "L",
        "LW",
        "5L",
        "L-2",
        "FRIL",
        "MON",
        "sat#3",
        "1,15",
        "JAN",
        "2999",
        "1#6",
        "15W",
    ]
)
SPACE = st.sampled_from(["", " ", "  ", "\t", "\n", "\x1c", "\x85", "\u2003", "\xa0"])
CRONS = st.builds(
    lambda fields, gap, edge: f"{edge}cron({gap.join(fields)}{edge}){edge}",
    st.lists(FIELDS, min_size=4, max_size=7),
    SPACE,
    SPACE,
)
EXPRESSIONS = st.one_of(
    st.sampled_from(ACCEPTED),
    CRONS,
    st.from_regex(r"\s*[rR]ate\([0-9]{1,3} (minute|hour|DAY)s?\)\s*", fullmatch=True),
    st.from_regex(r"[aA]t\([0-9]{1,4}[-\s./0-9]{0,9}[tT ][0-9:. ]{0,9}\)", fullmatch=True),
    st.text(max_size=9),
)
JUNK: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just({})
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "schedule": EXPRESSIONS | JUNK,
        "cron": EXPRESSIONS | JUNK,
        "timezone": st.text(max_size=5) | JUNK,
        "enabled": JUNK,
        "description": JUNK,
        "query": JUNK,
    },
)
IDS = st.text("aZ0-_. é/", max_size=66)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(IDS, QUERIES, JUNK)
@example("a", {"schedule": "rate(1 day)", "cron": 5}, None)
@example("a", {"schedule": None, "cron": "rate(1 day)"}, None)
@example("a", {"schedule": "rate(1 day)", "description": None}, None)
@example("a" * 61, {"schedule": "rate(1 day)"}, None)
@example("a", {"schedule": "rate(1 day)", "timezone": " " + "x" * 50 + "\n"}, None)
@example("a", {"schedule": "rate(1 day)", "timezone": "x" * 50}, None)
@example("a", {"schedule": "cron(0\t2\n* * ? *)"}, None)
def test_the_schema_refuses_nothing_that_the_manager_takes(
    query_id: str, query: dict[str, Any], other: object
) -> None:
    """Whatever else is in the document; what AWS alone refuses is not the schema's either."""
    desired, _ = desired_state({query_id: query}, SETTINGS)
    if desired:
        VALIDATOR.validate({"queries": {query_id: query}, "$schema": "x", "other": other})


@pytest.mark.parametrize("expression", ACCEPTED)
def test_a_recorded_expression_is_accepted(expression: str) -> None:
    """AWS takes them, as recorded on the service or found in deployed code."""
    VALIDATOR.validate({"queries": {"a": {"schedule": expression}}})


@pytest.mark.parametrize("expression", REFUSED, ids=repr)
def test_what_people_get_wrong_is_marked(expression: object) -> None:
    """In either key; a red line in the editor, before anything is committed."""
    for key in ("schedule", "cron"):
        assert not VALIDATOR.is_valid({"queries": {"a": {key: expression}}})


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"queries": None},
        {"queries": {"a b": {"schedule": "rate(1 day)"}}},
        {"queries": {"a": "rate(1 day)"}},
        {"queries": {"a": {}}},
        {"queries": {"a": {"schedule": "rate(1 day)", "timezone": " "}}},
        {"queries": {"a": {"schedule": "rate(1 day)", "timezone": "x" * 51}}},
        {"queries": {"a": {"schedule": "rate(1 day)", "enabled": "false"}}},
        {"queries": {"a": {"schedule": "rate(1 day)", "description": 1}}},
    ],
    ids=str,
)
def test_a_document_that_the_manager_refuses_is_marked(document: object) -> None:
    """Where a schema can tell."""
    assert not VALIDATOR.is_valid(document)


def test_each_key_of_the_manager_explains_itself_on_hover() -> None:
    """An editor shows the description."""
    query = LOADED["definitions"]["query"]["properties"]
    assert set(query) == {"schedule", "cron", "timezone", "enabled", "description"}
    assert all(key["description"] for key in query.values())
    assert LOADED["properties"]["queries"]["description"]


def test_the_sample_names_the_schema_that_it_follows() -> None:
    """So that an editor finds it from where the sample is."""
    sample = EXAMPLES / "query-executor-config.json"
    named = json.loads(sample.read_text("utf-8"))["$schema"]
    assert (sample.parent / named).resolve() == SCHEMA


@pytest.mark.parametrize("expression", REFUSED, ids=repr)
def test_a_mark_says_in_a_sentence_what_to_write(expression: object) -> None:
    """Not in a long pattern: an editor shows the sentence, any other validator a short one."""
    for error in VALIDATOR.iter_errors({"queries": {"a": {"schedule": expression}}}):
        if error.validator == "pattern":
            assert error.schema["description"] == error.schema["patternErrorMessage"]
            assert len(error.schema["pattern"]) <= 90
        assert len(error.message) <= 150


def test_one_mistake_has_one_mark() -> None:
    """The next rule is silent where the one before it has not been followed."""
    for expression in ("0 6 * * *", "cron(0 6 * * ? *;)", "rate(1 week)", "at(2021-12-31)"):
        errors = list(VALIDATOR.iter_errors({"queries": {"a": {"schedule": expression}}}))
        assert len(errors) == 1, expression


def test_the_samples_are_judged_as_the_check_judges_them() -> None:
    """Where a schema can tell."""
    for name, is_valid in (("query-executor-config.json", True), ("typos.json", False)):
        document = json.loads((EXAMPLES / name).read_text("utf-8"))
        assert VALIDATOR.is_valid(document) is is_valid


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Return the artifact that sam build would make."""
    command = ["make", "build-AthenaScheduleManager", f"ARTIFACTS_DIR={tmp_path}"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - ours
    return tmp_path / "athena_schedule_manager"


def test_the_schema_is_not_deployed(artifact: Path) -> None:
    """Lambda needs the modules alone."""
    assert {path.suffix for path in artifact.iterdir()} == {".py"}
