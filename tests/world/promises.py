"""What must hold in any world, told in another way than the code does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from athena_schedule_manager._schedules import DEFAULT_DESCRIPTION
from tests.world.draws import BROKEN, REFUSED
from tests.world.environment import EXECUTOR_ARN, GROUP, ROLE_ARN

if TYPE_CHECKING:
    from tests.world.random_worlds import Log

OPERATORS = [
    "State",
    "KmsKeyArn",
    "FlexibleTimeWindow",
    "ActionAfterCompletion",
    "EndDate",
    "CreationDate",
]


STATES = {True: "ENABLED", False: "DISABLED"}


def input_of(name: str) -> str:
    """Return the input that the executor expects."""
    return json.dumps({"query_id": name.removeprefix("pn-")})


def fate(query_id: str, query: Any) -> str:
    """Return what a query is, told in another way than the code does."""
    if query_id in {"", "a b"} or query in BROKEN:
        return "broken"
    return "refused" if query in REFUSED else "good"


def obsolete(before: dict[str, Any], queries: dict[str, Any]) -> list[str]:
    """Return the keys of the schedules that have no query."""
    prefix = f"{GROUP}/pn-"
    return [key for key in before if key.startswith(prefix) and key[len(prefix) :] not in queries]


def wanted(
    before: dict[str, Any], queries: dict[str, Any], limit: int | None
) -> dict[str, dict[str, Any]]:
    """Return the state that must come of a state and a configuration; its dates are the former."""
    gone = obsolete(before, queries)
    if limit is not None and len(gone) > limit:
        gone = []
    state = {key: dict(schedule) for key, schedule in before.items() if key not in gone}
    for query_id, query in queries.items():
        if fate(query_id, query) == "good":
            key = f"{GROUP}/pn-{query_id}"
            old = state.get(key, {"FlexibleTimeWindow": {"Mode": "OFF"}, "State": "ENABLED"})
            target = {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN, "Input": input_of(query_id)}
            state[key] = old | {
                "ScheduleExpression": query["schedule"],
                "ScheduleExpressionTimezone": query.get("timezone", "UTC"),
                "State": STATES.get(query.get("enabled"), old["State"]),
                "Description": (query["description"] or DEFAULT_DESCRIPTION)[:512],
                "Target": old.get("Target", {}) | target,
            }
    return state


# an update moves a past start date on, or leaves it out
DATES = {"LastModificationDate", "StartDate"}


def same(key: str, found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Compare a schedule with what is expected of it; a new one has the service's defaults too."""
    known = {name: value for name, value in expected.items() if name not in DATES}
    target = expected["Target"]
    found_input = found["Target"]["Input"]
    if key.startswith(f"{GROUP}/pn-") and found_input != target["Input"]:
        try:  # compared as JSON, and left as it is spelled
            found_input = json.dumps(json.loads(found_input))
        except ValueError:
            return False
    actual = {name: found.get(name) for name in known}
    actual["Target"] = {name: found["Target"].get(name) for name in target} | {"Input": found_input}
    known["Target"] = target
    return actual == known


def check_run(
    results: dict[str, int], log: Log, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Check that the counters, the lines and the changes of the state fit each other."""
    errors = log.count("ERROR", "")
    write_errors = log.count("ERROR", "Failed to create", "Failed to update", "Failed to delete")
    not_done = sum(int(m.split()[4]) for _, m in log.lines if m.startswith("Out of time before"))
    races = log.count("WARNING", "Schedule ")
    planned = log.count("INFO", "CREATE", "UPDATE", "DELETE")
    done = results["created"] + results["updated"] + results["deleted"]
    held = sum(int(m.split()[3]) - 1 for _, m in log.lines if m.startswith("Refused to delete"))
    assert results["failed"] == errors + not_done + held
    assert 0 <= planned - done - races - write_errors <= not_done
    assert results["created"] <= log.count("INFO", "CREATE")
    assert results["updated"] <= log.count("INFO", "UPDATE")
    assert results["deleted"] <= log.count("INFO", "DELETE")
    assert len(before.keys() - after.keys()) <= log.count("INFO", "DELETE")


def check_listing(log: Log, there: set[str]) -> None:
    """Check that the listing had all that was there before the run and when it ended."""
    [found] = [int(line.split()[1]) for _, line in log.lines if line.startswith("Found ")]
    assert found >= sum(key.startswith(f"{GROUP}/pn-") for key in there)


def check_harmless(queries: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that nothing is lost or altered that must not be, whatever went wrong."""
    for key, schedule in before.items():
        query_id = key.removeprefix(f"{GROUP}/pn-")
        if query_id == key or (query_id in queries and fate(query_id, queries[query_id]) != "good"):
            assert after[key] == schedule
        elif key in after:
            asked = isinstance(queries.get(query_id), dict) and "enabled" in queries[query_id]
            for name in OPERATORS if not asked else OPERATORS[1:]:
                assert after[key].get(name) == schedule.get(name)
            for name in ("RetryPolicy", "DeadLetterConfig"):
                assert after[key]["Target"].get(name) == schedule["Target"].get(name)
        else:
            assert query_id not in queries
    for key in after.keys() - before.keys():
        assert (
            fate(key.removeprefix(f"{GROUP}/pn-"), queries[key.removeprefix(f"{GROUP}/pn-")])
            == "good"
        )
