"""The Lambda entry point: one invocation is one run or one dry run.

Event and environment become options and settings; the configuration comes from Git; the plan is
applied, or only shown; the counters are returned. Here are the log's format and the client, too.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import time
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.utils import parse_timestamp

from . import schedule_manager
from ._calls import CLIENT_CONFIG, Clock
from ._git import ConfigSource, hints
from .schedule_manager import CannotReconcileError, ScheduleGroup, Settings, describe, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from .schedule_manager import Memory, Plan, Queries

logger = logging.getLogger(__package__)

DRY_RUN = "DRY RUN "  # before every line of a dry run
LONGEST_INVOCATION = 900_000  # milliseconds that a call by hand, without a context, has left
NAMED = schedule_manager.NAMED
RULES = (  # settings, their patterns, and these in words; a schedule's name has two more characters
    ("project_name", f"{schedule_manager.NAME_CHARACTER}{{1,62}}", f"at most 62 {NAMED}"),
    ("schedule_group_name", f"{schedule_manager.NAME_CHARACTER}{{1,64}}", f"at most 64 {NAMED}"),
    ("max_deletions", "[0-9]{1,9}", "a whole number"),
)


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
        group, _, plan = _plan(options, clock)
        results = schedule_manager.apply_plan(group, plan)
    except Exception as error:
        logger.error("%s", _sentence(error))  # noqa: TRY400 - one line, without a traceback
        raise
    logger.info("Reconciliation complete: %s", json.dumps(results))
    return results


def preview(options: Options, clock: Clock) -> dict[str, Any]:
    """Plan without applying; what is logged is marked and never above INFO."""
    logger.addFilter(_as_dry_run)
    try:
        _, queries, plan = _plan(options, clock)
        return schedule_manager.preview_plan(plan, hints(queries))
    except Exception as error:  # noqa: BLE001 - returned; a preview must not raise an alarm
        logger.info("%s", _sentence(error))
        return {"error": _sentence(error)}
    finally:
        logger.removeFilter(_as_dry_run)


def _plan(options: Options, clock: Clock) -> tuple[ScheduleGroup, Queries, Plan]:
    settings = read_settings(os.environ)
    memory = environment.memory(settings)
    if options.dry_run:
        memory = dict(memory)
    if options.max_deletions is not None:
        settings = replace(settings, max_deletions=options.max_deletions)
    candidate = options.config_git_url
    queries = environment.source.load_queries(settings, clock, candidate, dry_run=options.dry_run)
    group = ScheduleGroup(environment.scheduler_client(), settings, clock)
    return group, queries, schedule_manager.make_plan(group, queries, memory)


def _as_dry_run(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    record.msg = f"{DRY_RUN}{record.msg}"
    return True


def _sentence(error: Exception) -> str:
    foreseen = isinstance(error, CannotReconcileError)
    return str(error) if foreseen else f"Unexpected error: {describe(error)}"


# --- What outlives an invocation


class ExecutionEnvironment:
    """All that one invocation leaves to the next in the same process."""

    def __init__(self) -> None:
        """Remember nothing; without `initialise` the client is made when it is first needed."""
        self.source = ConfigSource()
        self._client: EventBridgeSchedulerClient | None = None
        self._memory: tuple[Settings | None, Memory] = (None, {})

    def scheduler_client(self) -> EventBridgeSchedulerClient:
        """Return the client, which makes one attempt for each call."""
        if self._client is None:
            self._client = _session().client("scheduler", config=CLIENT_CONFIG)
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
        if self._memory[0] != settings:
            self._memory = (settings, {})
        return self._memory[1]


@functools.cache
def _session() -> boto3.Session:
    """Return a session of the SDK that reads dates as we do; it loads the service's model once."""
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_date)
    return boto3.Session(botocore_session=session)


def _date(value: float | str) -> datetime:
    """Read a date as the service writes it; the SDK's own parser takes half of a listing's time."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return parse_timestamp(value)


environment = ExecutionEnvironment()
environment.initialise(os.environ)


# --- The event and the environment


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
    asked = event if isinstance(event, dict) else {}
    names = {option.name.replace("_", ""): option.name for option in fields(Options)}
    for key in asked:
        name = names.get(re.sub(r"[\W_]", "", str(key)).lower(), key)
        if name != key:
            raise OptionsError(f"The event's {quoted(key)} must be written '{name}'")
    ours = {name: asked[name] for name in names.values() if name in asked}
    dry_run, url = ours.get("dry_run", False), ours.get("config_git_url", "")
    if type(dry_run) is not bool:
        raise OptionsError(f"The event's dry_run must be true or false, not {quoted(dry_run)}")
    limit = ours.get("max_deletions", 0)
    if type(limit) is not int or limit < 0:
        raise OptionsError(f"The event's max_deletions must be a whole number, not {quoted(limit)}")
    if not isinstance(url, str) or ("config_git_url" in ours and not dry_run):
        raise OptionsError("The event's config_git_url must be a string, and needs dry_run: true")
    return Options(**ours)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings; blank is not set. Raises CannotReconcileError naming every missing one."""
    values, missing = dict[str, Any](), list[str]()
    for setting in fields(Settings):
        name = setting.name.upper()
        if value := environ.get(name, "").strip():
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


class LineFormatter(logging.Formatter):
    """`timestamp aws_request_id level message`: UTC with milliseconds, and one event one line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, request_id: str, end: str) -> None:
        """Take the id for records that carry none, and what ends a line."""
        super().__init__(
            "%(asctime)s %(aws_request_id)s %(levelname)s %(message)s",
            defaults={"aws_request_id": request_id},
        )
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        """Format the record with a traceback, if it has one, on the same line."""
        return schedule_manager.one_line(super().format(record)) + self._end


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
