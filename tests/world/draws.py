"""What a random world is drawn from: a configuration, live schedules, faults, edits, freezes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from athena_schedule_manager._schedules import DEFAULT_DESCRIPTION
from tests.world.environment import CRON, GROUP, OTHER_CRON
from tests.world.faults import FAULTS
from tests.world.model import ROUTES

IDS = ["a", "b", "c", "d", "e", "f.g_H-1"]
REFUSED_BY_AWS = "cron(0 2 ? * MON#6 *)"
BROKEN: list[Any] = [
    None,
    [],
    {},
    {"schedule": 5},
    {"schedule": " "},
    {"schedule": "cron(0 2 * * * *)"},
    {"schedule": CRON, "description": 5},
    {"schedule": CRON, "timezone": ""},
    {"schedule": CRON, "enabled": "yes"},
]
REFUSED: list[Any] = [
    {"schedule": REFUSED_BY_AWS},
    {"schedule": CRON, "timezone": "Mars/Olympus", "enabled": False},
]

expressions = st.sampled_from([CRON, OTHER_CRON, "rate(5 minutes)", "at(2030-01-01T00:00:00)"])
descriptions = st.sampled_from([None, "", "Daily", "x" * 600])
good_queries = st.fixed_dictionaries(
    {"schedule": expressions, "description": descriptions},
    optional={"timezone": st.sampled_from(["UTC", "Europe/Rome"]), "enabled": st.booleans()},
)
queries = st.dictionaries(
    st.sampled_from([*IDS, "", "a b"]),
    st.one_of(good_queries, good_queries, st.sampled_from([*BROKEN, *REFUSED])),
)
# what somebody may have set by hand, in our fields and in the operator's
live_fields = st.fixed_dictionaries(
    {},
    optional={
        "ScheduleExpression": expressions,
        "ScheduleExpressionTimezone": st.sampled_from(["UTC", "Europe/Rome"]),
        "Description": st.sampled_from(["", "Daily", DEFAULT_DESCRIPTION]),
        "State": st.sampled_from(["ENABLED", "DISABLED"]),
        "KmsKeyArn": st.just("arn:aws:kms:eu-south-1:123456789012:key/1"),
        "FlexibleTimeWindow": st.just({"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
        "ActionAfterCompletion": st.just("DELETE"),
        "EndDate": st.just(4_000_000_000),
    },
)
target_fields = st.fixed_dictionaries(
    {},
    optional={
        "Arn": st.just("arn:aws:lambda:eu-south-1:123456789012:function:old"),
        "RoleArn": st.just("arn:aws:iam::123456789012:role/old"),
        "Input": st.sampled_from(["{}", "no JSON", '{"query_id":"a"}']),
        "DeadLetterConfig": st.just({"Arn": "arn:aws:sqs:eu-south-1:123456789012:dead"}),
        "RetryPolicy": st.just({"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}),
    },
)
names = st.sampled_from(
    [f"{GROUP}/pn-{query_id}" for query_id in [*IDS, "obsolete"]]
    + [f"{GROUP}/foreign", f"{GROUP}/pn", f"{GROUP}/pnx-a", "default/pn-a", "other/pn-a"]
)
lives = st.dictionaries(names, st.tuples(live_fields, target_fields), min_size=2)
# the kind, and how many calls are answered before it
faults = st.dictionaries(
    st.tuples(
        st.sampled_from(list(ROUTES.values())),
        st.sampled_from(["", "", "", *(f"pn-{query_id}" for query_id in IDS)]),
    ),
    st.tuples(st.sampled_from(list(FAULTS)), st.integers(0, 2)),
    max_size=6,
)
# what an operator does by hand before the n-th call of a run
edits = st.dictionaries(
    st.integers(1, 12),
    st.tuples(
        st.sampled_from(["pause", "resume", "delete", "make again", "start date", "queue"]),
        st.sampled_from(IDS),
    ),
    max_size=4,
)
# the process is frozen at the n-th call of a run, which is given up, and goes on when it has ended
FREEZES = ["before it is served", "after it is served", "in the pause after it"]
freezes = st.none() | st.tuples(st.integers(1, 12), st.sampled_from(FREEZES))


@dataclass(frozen=True)
class RandomWorld:
    """All sides of a world, as they are drawn."""

    queries: dict[str, Any]
    lives: dict[str, Any]
    faults: dict[tuple[str, str], tuple[str, int]]
    edits: dict[int, tuple[str, str]]
    freeze: tuple[int, str] | None
    has_group: bool
    page: int  # how long the listing's are, at most
    calls: int | None  # for so many there is time
    limit: int | None


worlds = st.builds(
    RandomWorld,
    queries=queries | st.just({}),
    lives=lives,
    faults=faults,
    edits=edits,
    freeze=freezes,
    has_group=st.booleans(),
    page=st.sampled_from([1, 2, 100]),
    calls=st.none() | st.integers(0, 12),
    limit=st.none() | st.integers(0, 2),
)
