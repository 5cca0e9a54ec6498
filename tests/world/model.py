"""A model of EventBridge Scheduler, stricter than the mock where a green test would prove nothing.

Unknown groups are errors, an update replaces everything, names, expressions and all other members
are held to the limits of botocore's own model. It answers in the service's wire format, either to
a hook before a client's send, or over HTTP.
"""

from __future__ import annotations

import functools
import json
import math
import re
import threading
import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import available_timezones

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXPRESSION = re.compile(
    r"cron\((?!.*#[06-9])\S+( +\S+){4,5}\)|rate\(0*[1-9]\d* (minute|hour|day)s?\)"
    r"|at\(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?\)",
    re.IGNORECASE,
)
DEFAULTS = {
    "State": "ENABLED",
    "ScheduleExpressionTimezone": "UTC",
    "ActionAfterCompletion": "NONE",
}
START_DATE_GRACE = 300  # seconds
RETRY_POLICY = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
ROUTES = {
    ("GET", "schedules", False): "ListSchedules",
    ("GET", "schedules", True): "GetSchedule",
    ("POST", "schedules", True): "CreateSchedule",
    ("PUT", "schedules", True): "UpdateSchedule",
    ("DELETE", "schedules", True): "DeleteSchedule",
    ("GET", "schedule-groups", True): "GetScheduleGroup",
    ("POST", "schedule-groups", True): "CreateScheduleGroup",
}


class ServiceError(Exception):
    """An error of the service: its code and the HTTP status."""

    def __init__(self, code: str, http_status: int, message: str) -> None:
        """Take what goes over the wire."""
        super().__init__(message)
        self.code, self.http_status = code, http_status


ZONES = available_timezones()


@functools.cache
def service_model() -> Any:
    """Return botocore's model of the service."""
    return botocore.session.get_session().get_service_model("scheduler")


class Scheduler:
    """The state of the service, and the operations on it."""

    def __init__(
        self, now: Callable[[], float] = time.time, today: Callable[[], float] = time.time
    ) -> None:
        """Begin with the group `default`; `now` dates the changes, `today` judges a StartDate."""
        self.today = today
        self.ignores_prefix = False
        self.ignores_group = False
        self.page_size = 100  # it may be less than what is asked for
        self.groups: dict[str, dict[str, dict[str, Any]]] = {"default": {}}
        self.now = now
        self._tokens: dict[tuple[str, str], str] = {}
        self._lock = threading.RLock()

    def answer(
        self, method: str, url: str, body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a request of HTTP: status, headers, body."""
        operation, params = parse(method, url, body)
        try:
            with self._lock:
                check(service_model().operation_model(operation).input_shape, params)
                result = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())(**params)
        except ServiceError as error:
            headers = {"x-amzn-errortype": error.code}
            return error.http_status, headers, json.dumps({"Message": str(error)}).encode()
        return 200, {}, json.dumps(result).encode()

    # the parameters are named as the API names them
    # ruff: noqa: N803

    def list_schedules(
        self, GroupName: str = "", NamePrefix: str = "", MaxResults: int = 100, NextToken: str = ""
    ) -> dict[str, Any]:
        """List in the order of groups and names, a page at a time."""
        groups = [self._group(GroupName)] if GroupName else self.groups.values()
        if self.ignores_group:
            groups = self.groups.values()
        schedules = sorted(
            (schedule for group in groups for schedule in group.values()), key=itemgetter("Arn")
        )
        prefix = "" if self.ignores_prefix else NamePrefix
        found = [s for s in schedules if s["Name"].startswith(prefix) and s["Arn"] > NextToken]
        page = found[: min(MaxResults, self.page_size)]
        more = {"NextToken": page[-1]["Arn"]} if len(found) > len(page) else {}
        return {"Schedules": [self._summary(schedule) for schedule in page], **more}

    def get_schedule(self, Name: str, GroupName: str = "default") -> dict[str, Any]:
        """Return a schedule."""
        return self._schedule(GroupName, Name)

    def create_schedule(
        self, Name: str, ClientToken: str, GroupName: str = "default", **members: Any
    ) -> dict[str, Any]:
        """Create a schedule; a call repeated with its token is the same call."""
        group = self._group(GroupName)
        if Name in group and self._tokens.get((GroupName, Name)) != ClientToken:
            raise ServiceError("ConflictException", 409, f"Schedule {Name} already exists.")
        self._tokens[GroupName, Name] = ClientToken
        created = group.get(Name, {}).get("CreationDate", self._timestamp())
        return self._put(group, Name, GroupName, members, created)

    def update_schedule(
        self, Name: str, ClientToken: str, GroupName: str = "default", **members: Any
    ) -> dict[str, Any]:
        """Replace a schedule: what is left out returns to its default."""
        del ClientToken
        created = self._schedule(GroupName, Name)["CreationDate"]
        return self._put(self.groups[GroupName], Name, GroupName, members, created)

    def delete_schedule(
        self, Name: str, ClientToken: str, GroupName: str = "default"
    ) -> dict[str, Any]:
        """Delete a schedule."""
        del ClientToken
        self._schedule(GroupName, Name)
        del self.groups[GroupName][Name]
        return {}

    def get_schedule_group(self, Name: str) -> dict[str, Any]:
        """Return a group."""
        self._group(Name)
        return {"Name": Name, "State": "ACTIVE"}

    def create_schedule_group(self, Name: str, ClientToken: str) -> dict[str, Any]:
        """Create a group; one that exists is a conflict."""
        del ClientToken
        if Name in self.groups:
            raise ServiceError("ConflictException", 409, f"Schedule group {Name} already exists.")
        self.groups[Name] = {}
        return {"ScheduleGroupArn": f"arn:aws:scheduler:::schedule-group/{Name}"}

    def _timestamp(self) -> float:
        return round(self.now(), 3)

    def _group(self, name: str) -> dict[str, dict[str, Any]]:
        if name not in self.groups:
            message = f"Schedule group {name} does not exist."
            raise ServiceError("ResourceNotFoundException", 404, message)
        return self.groups[name]

    def _schedule(self, group: str, name: str) -> dict[str, Any]:
        if name not in self._group(group):
            message = f"Schedule {name} does not exist."
            raise ServiceError("ResourceNotFoundException", 404, message)
        return self.groups[group][name]

    def _put(
        self, group: dict[str, Any], name: str, group_name: str, members: Any, created: float
    ) -> dict[str, Any]:
        if members.get("StartDate", math.inf) < self.today() - START_DATE_GRACE:
            message = "The StartDate you specify cannot be earlier than 5 minutes ago."
            raise ServiceError("ValidationException", 400, message)
        if members.get("StartDate", -math.inf) >= members.get("EndDate", math.inf):
            raise ServiceError(
                "ValidationException", 400, "The EndDate must be after the StartDate."
            )
        kinds = [name for name in members["Target"] if name.endswith("Parameters")]
        if kinds and ":function:" in members["Target"]["Arn"]:
            raise ServiceError("ValidationException", 400, f"{kinds[0]} is not for this target.")
        arn = f"arn:aws:scheduler:eu-south-1:123456789012:schedule/{group_name}/{name}"
        group[name] = {
            **DEFAULTS,
            **members,
            "Target": {"RetryPolicy": RETRY_POLICY, **members["Target"]},
            "Arn": arn,
            "Name": name,
            "GroupName": group_name,
            "CreationDate": created,
            "LastModificationDate": self._timestamp(),
        }
        return {"ScheduleArn": arn}

    @staticmethod
    def _summary(schedule: dict[str, Any]) -> dict[str, Any]:
        keys = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
        target = {"Arn": schedule["Target"]["Arn"]}
        return {**{key: schedule[key] for key in keys}, "Target": target}


def parse(method: str, url: str, body: bytes | None) -> tuple[str, dict[str, Any]]:
    """Return the operation and the parameters of a request, by botocore's model of their places."""
    parts = urlsplit(url)
    kind, _, name = parts.path.strip("/").partition("/")
    operation = ROUTES[method, kind, bool(name)]
    query = parse_qs(parts.query, keep_blank_values=True)
    params = json.loads(body) if body else {}
    for member, shape in service_model().operation_model(operation).input_shape.members.items():
        if shape.serialization.get("location") == "uri":
            params[member] = unquote(name)
        elif (key := shape.serialization.get("name", member)) in query:
            value = query[key][0]
            params[member] = int(value) if shape.type_name == "integer" else value
    return operation, params


def check(shape: Any, params: Any) -> None:
    """Raise ValidationException unless the parameters keep to botocore's model of them."""
    for problem in problems(shape, params, shape.name):
        raise ServiceError("ValidationException", 400, problem)


def problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a value by its shape: members, lengths, ranges, patterns, enums."""
    if shape.type_name == "structure":
        yield from (f"{path} lacks {name}" for name in shape.required_members if name not in value)
        for name, member in value.items():
            if name in shape.members:
                yield from problems(shape.members[name], member, f"{path}.{name}")
            else:
                yield f"{path} has no {name}"
        return
    limits = shape.metadata
    size = len(value) if isinstance(value, str | list) else value
    if isinstance(size, int | float) and not limits.get("min", 0) <= size <= limits.get(
        "max", size
    ):
        yield f"{path} is out of its limits"
    if isinstance(value, str):
        yield from _text_problems(shape, value, path)


def _text_problems(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value, re.ASCII):
        yield f"{path} does not match {pattern}"
    if shape.enum and value not in shape.enum:
        yield f"{path} must be one of {shape.enum}"
    if shape.name == "ScheduleExpressionTimezone" and value not in ZONES:
        yield f"Invalid timezone {value}."
    if shape.name == "ScheduleExpression" and not EXPRESSION.fullmatch(value):
        yield f"Invalid Schedule Expression {value}."
