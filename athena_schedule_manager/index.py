"""The Lambda entry point: one invocation is one run or one dry run.

Event and environment become options and settings; the configuration comes from Git; the plan is
applied, or only shown; the counters are returned.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import logging
import os
import re
import unicodedata
from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from . import schedule_manager
from ._calls import Clock, make_client
from ._git import ConfigSource
from ._schedules import NAME_CHARACTER, NAMED, Settings, hints
from ._words import DRY_RUN, CannotReconcileError, LineFormatter, describe, mark_dry_run, quoted
from .schedule_manager import ScheduleGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from .schedule_manager import Memory, Queries

logger = logging.getLogger(__package__)

LONGEST_INVOCATION = 900_000  # milliseconds that a call by hand, without a context, has left
MAX_KEY = 50  # characters of an event's key that is compared with ours
NEARLY = 0.75  # of 1: how much alike such a key and one of ours are
RULES = (  # settings, their patterns, and these in words; a schedule's name has two more characters
    ("project_name", f"{NAME_CHARACTER}{{1,62}}", f"at most 62 {NAMED}"),
    ("schedule_group_name", f"{NAME_CHARACTER}{{1,64}}", f"at most 64 {NAMED}"),
    ("max_deletions", "[0-9]{1,9}", "a whole number of at most 9 digits"),
)


# --- What outlives an invocation


class ExecutionEnvironment:
    """All that one invocation leaves to the next in the same process.

    Without `initialise` the client is made when it is first needed.
    """

    def __init__(self) -> None:
        self.source = ConfigSource()
        self._client: EventBridgeSchedulerClient | None = None
        self._settings: Settings | None = None
        self._memory: Memory = {}

    def scheduler_client(self) -> EventBridgeSchedulerClient:
        """Return the client, which makes one attempt for each call."""
        if self._client is None:
            self._client = make_client("scheduler")
        return self._client

    def initialise(self, environ: Mapping[str, str]) -> None:
        """Make client and opener in Lambda's init phase, which has a whole core; only there.

        A failure is left to the first invocation, which tries again and tells it.
        """
        if "AWS_LAMBDA_INITIALIZATION_TYPE" in environ:
            with contextlib.suppress(Exception):
                self.source.install_opener()
                self.scheduler_client().get_paginator("list_schedules")

    def memory(self, settings: Settings) -> Memory:
        """Return what is remembered of the schedules, while the settings stay the same."""
        compared = replace(settings, max_deletions=None)  # the limit is not what is compared with
        if self._settings != compared:
            self._settings = compared
            self._memory = {}
        return self._memory


environment = ExecutionEnvironment()
environment.initialise(os.environ)


# --- The story


def handler(event: object, context: object) -> dict[str, Any]:
    """Reconcile once and return {"created": n, "updated": n, "deleted": n, "failed": n}.

    Raises when the states cannot be compared, after one ERROR line and before any write. A dry run
    returns "changes" too, or {"error": "..."} alone, and logs nothing above INFO; an event with a
    wrong key of ours is refused with an error in the same way.
    """
    set_up_logging(getattr(context, "aws_request_id", None))
    milliseconds = getattr(context, "get_remaining_time_in_millis", lambda: LONGEST_INVOCATION)
    clock = Clock(lambda: milliseconds() / 1000)
    try:
        options = read_options(event)
        return preview(options, clock) if options.dry_run else run(options, clock)
    except OptionsError as error:
        logger.info("%s%s", DRY_RUN, error)  # nothing is done, whatever was meant
        return {"error": str(error)}
    finally:
        clock.ended = True  # no thread that the run abandoned writes later


def run(options: Options, clock: Clock) -> dict[str, int]:
    """Reconcile, and log how it ended."""
    try:
        queries, group = _states_to_compare(options, clock)
        memory = environment.memory(group.settings)
        plan = schedule_manager.make_plan(group, queries, memory)
        results = schedule_manager.apply_plan(group, plan)
    except Exception as error:
        logger.error("%s", _sentence(error))  # noqa: TRY400 - one line, without a traceback
        raise
    logger.info("Reconciliation complete: %s", json.dumps(results))
    return results


def preview(options: Options, clock: Clock) -> dict[str, Any]:
    """Plan without applying; what is logged is marked and never above INFO."""
    logger.addFilter(mark_dry_run)
    try:
        queries, group = _states_to_compare(options, clock)
        memory = dict(environment.memory(group.settings))  # a candidate may want less
        plan = schedule_manager.make_plan(group, queries, memory)
        return schedule_manager.preview_plan(plan, hints(queries))
    except Exception as error:  # noqa: BLE001 - returned; a preview must not raise an alarm
        logger.info("%s", _sentence(error))
        return {"error": _sentence(error)}
    finally:
        logger.removeFilter(mark_dry_run)


def _states_to_compare(options: Options, clock: Clock) -> tuple[Queries, ScheduleGroup]:
    """Return the queries of the configuration, and the group, of which nothing is read yet."""
    settings = read_settings(os.environ)
    if options.max_deletions is not None:
        settings = replace(settings, max_deletions=options.max_deletions)
    queries = environment.source.load_queries(
        settings.config_git_url,
        settings.config_git_token_secret_arn,
        clock,
        options.config_git_url,
        dry_run=options.dry_run,
    )
    return queries, ScheduleGroup(environment.scheduler_client(), settings, clock)


def _sentence(error: Exception) -> str:
    if isinstance(error, CannotReconcileError):
        return str(error)
    return f"Unexpected error: {describe(error)}"


# --- The event


class OptionsError(Exception):
    """An event with a wrong key or value of ours: nothing is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an event asks for beyond the usual; events of EventBridge ask for nothing."""

    dry_run: bool = False
    config_git_url: str | None = None
    max_deletions: int | None = None


def read_options(event: object) -> Options:
    """Read our keys of an event. Raises OptionsError for one that is wrong or nearly right."""
    if event is not None and not isinstance(event, dict):
        problem = 'must be a JSON object such as {"dry_run": true}'
        raise OptionsError(f"The event {problem}, not a {type(event).__name__}")
    asked = event or {}
    _refuse_nearly_right_keys(asked)
    dry_run = _dry_run(asked)
    return Options(
        dry_run=dry_run,
        config_git_url=_config_git_url(asked, dry_run=dry_run),
        max_deletions=_max_deletions(asked),
    )


def _refuse_nearly_right_keys(asked: Mapping[str, object]) -> None:
    """Let nobody run for real what was meant as a preview; all other keys are EventBridge's."""
    names = {option.name.replace("_", ""): option.name for option in fields(Options)}
    for key in asked:
        compatible = unicodedata.normalize("NFKC", key)  # a full-width letter is a letter
        plain = re.sub(r"[\W_]", "", compatible).lower()
        if key in names.values() or len(plain) > MAX_KEY:
            continue
        for near in difflib.get_close_matches(plain, names, n=1, cutoff=NEARLY):
            raise OptionsError(f"The event's {quoted(key)} must be written '{names[near]}'")


def _dry_run(asked: Mapping[str, object]) -> bool:
    value = asked.get("dry_run", False)
    if not isinstance(value, bool):
        raise OptionsError(f"The event's dry_run must be true or false, not {quoted(value)}")
    return value


def _config_git_url(asked: Mapping[str, object], *, dry_run: bool) -> str | None:
    if "config_git_url" not in asked:
        return None
    value = asked["config_git_url"]
    if not isinstance(value, str) or not dry_run:
        raise OptionsError("The event's config_git_url must be a string, and needs dry_run: true")
    return value


def _max_deletions(asked: Mapping[str, object]) -> int | None:
    if "max_deletions" not in asked:
        return None
    value = asked["max_deletions"]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise OptionsError(f"The event's max_deletions must be a whole number, not {quoted(value)}")
    return value


# --- The environment variables


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings; blank is not set. Raises CannotReconcileError naming every missing one."""
    values = dict[str, Any]()
    missing = list[str]()
    for setting in fields(Settings):
        name = setting.name.upper()
        value = environ.get(name, "").strip()
        if value:
            values[setting.name] = value
        elif setting.default is MISSING:
            missing.append(name)
    if missing:
        raise CannotReconcileError(
            f"Missing required environment variables: {', '.join(missing)};"
            " set them in the function's configuration"
        )
    for name, pattern, meaning in RULES:
        if name in values and not re.fullmatch(pattern, values[name]):
            problem = f"must be {meaning}, not {quoted(values[name])}"
            raise CannotReconcileError(f"{name.upper()} {problem}")
    if "max_deletions" in values:
        values["max_deletions"] = int(values["max_deletions"])
    return Settings(**values)


# --- The log


def set_up_logging(request_id: str | None) -> None:
    """Give the handlers of the root logger our format, and show our own INFO lines.

    The runtime has put its handler there, whose filter adds the request id to every record. It
    writes what it gets, so its lines need an end; handlers of streams have a terminator.
    """
    logging.basicConfig()  # does nothing in the runtime: only without one there is no handler
    logger.setLevel(logging.INFO)
    for log_handler in logging.getLogger().handlers:
        end = "" if hasattr(log_handler, "terminator") else "\n"
        log_handler.setFormatter(LineFormatter(request_id or "-", end))
