"""What the worlds of the tests and of the story are made of.

A clean environment, a Git host on loopback, faults of the API, and a world with all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import socket
import struct
import threading
from dataclasses import dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse

from athena_schedule_manager import schedule_manager
from athena_schedule_manager.index import handler
from athena_schedule_manager.schedule_manager import Settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    import pytest
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from tests.model import Scheduler

SHA = "0123456789abcdef0123456789abcdef01234567"
REGION = "eu-south-1"
GROUP = "pn-athena-queries"
EXECUTOR_ARN = "arn:aws:lambda:eu-south-1:123456789012:function:pn-AthenaQueryExecutor"
ROLE_ARN = "arn:aws:iam::123456789012:role/pn-athena-scheduler"

NAME = "pn-daily-report"
CRON = "cron(0 2 * * ? *)"
OTHER_CRON = "cron(0 3 * * ? *)"
QUERIES: dict[str, Any] = {"daily-report": {"schedule": CRON}}
SETTINGS = Settings("https://git.example/config.json", EXECUTOR_ARN, ROLE_ARN)
NOTHING_DONE = {"created": 0, "updated": 0, "deleted": 0, "failed": 0}


def clean_environment(environ: MutableMapping[str, str]) -> None:
    """Take away what could lead to a real account or through a proxy, and set up a made-up account.

    Configured endpoints and profiles of the machine count too, so its AWS files are not read; the
    manager's own variables are the tests' and the story's to set, and a make that runs this is not
    the make that a test runs.
    """
    ours = {setting.name.upper() for setting in fields(Settings)} | {"MFLAGS"}
    for name in list(environ):
        foreign = name.startswith(("AWS_", "MAKE")) or name.lower().endswith("_proxy")
        if foreign or name in ours:
            del environ[name]
    environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106 - made up
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_DEFAULT_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )


def scheduler_actions() -> set[str]:
    """Return the IAM actions of the calls that the core makes, read off its source."""
    source = Path(schedule_manager.__file__).read_text("utf-8")
    calls = set(re.findall(r"_client\.((?:create|update|delete|get)_schedule\w*)", source))
    calls |= set(re.findall(r"get_paginator\(\"(\w+)\"\)", source))
    return {f"scheduler:{''.join(map(str.title, call.split('_')))}" for call in calls}


def settings_environment(config_git_url: str) -> dict[str, str]:
    """Return the required environment variables of the manager."""
    return {
        "CONFIG_GIT_URL": config_git_url,
        "QUERY_EXECUTOR_ARN": EXECUTOR_ARN,
        "SCHEDULE_ROLE_ARN": ROLE_ARN,
    }


class Request(BaseHTTPRequestHandler):
    """A request to the Git host, which the answer writes to."""

    server: GitHost

    def do_GET(self) -> None:
        """Give the next answer."""
        self.server.next_answer(self)(self)

    def handle(self) -> None:
        """Serve the connection; a handshake or a client that breaks off is no error here."""
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class GitHost(ThreadingHTTPServer):
    """A Git host on loopback that answers as it is told to: the last answer is given for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port; nothing is served before `running`."""
        super().__init__(("127.0.0.1", 0), Request)
        self.scheme = "http"
        self.certificate_authority = ""
        self.closing = threading.Event()
        self.paths: list[str] = []
        self._answers: list[Callable[[Request], None]] = [status(404)]
        self._lock = threading.Lock()

    def answer(self, *answers: Callable[[Request], None]) -> None:
        """Set the answers to come and forget the requests so far."""
        self._answers = list(answers)
        self.paths = []

    def publish(self, config: object) -> str:
        """Serve a document from now on, and return its URL, which holds a SHA of the content."""
        body = json.dumps(config).encode()
        self.answer(document(body))
        return self.url(hashlib.sha1(body, usedforsecurity=False).hexdigest())

    def next_answer(self, request: Request) -> Callable[[Request], None]:
        """Take note of a request and return what to answer."""
        with self._lock:
            self.paths.append(request.path)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def url(self, ref: str = SHA) -> str:
        """Return the URL of the configuration at a commit or branch."""
        host = f"127.0.0.1:{self.server_address[1]}"
        return f"{self.scheme}://{host}/org/repo/{ref}/query-executor-config.json"

    @contextlib.contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[GitHost]:
        """Serve, in threads of its own, until the context ends."""
        if tls:
            self.scheme = "https"
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self.shutdown()
            thread.join()
            self.server_close()


def document(body: bytes, code: int = 200, **headers: str) -> Callable[[Request], None]:
    """Answer with a body; a header's name is written with _ for -."""

    def answer(request: Request) -> None:
        request.send_response(code)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def status(code: int, **headers: str) -> Callable[[Request], None]:
    """Answer with a status and a body that is no configuration."""
    return document(b"<html>", code, **headers)


def redirect(to: str, code: int = 302) -> Callable[[Request], None]:
    """Answer with a redirect."""
    return document(b"", code, Location=to)


def reset(request: Request) -> None:
    """Reset the connection instead of an answer."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def drip(request: Request) -> None:
    """Send the headers, and then white space without end, faster than any socket times out."""
    request.send_response(200)
    request.end_headers()
    while not request.server.closing.wait(0.05):
        request.wfile.write(b" ")


def hang(request: Request) -> None:
    """Answer nothing."""
    request.server.closing.wait()


def messages(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return the messages logged at a level, less the one about fetching."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and not record.getMessage().startswith("Fetching")
    ]


class _RawBody(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk


class Faults:
    """Faults of the API, put between a client and its service, and the calls that were made.

    They come in below botocore's retries and its parsing, like those of the real service.
    """

    def __init__(
        self, client: EventBridgeSchedulerClient, scheduler: Scheduler | None = None
    ) -> None:
        """Watch a client, whose requests go to a model of the service if there is one."""
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.ended: list[tuple[str, int]] = []
        self.rules: list[Callable[[str, AWSPreparedRequest], AWSResponse | None]] = []
        self.scheduler = scheduler
        events: Any = client.meta.events
        events.register("provide-client-params.scheduler", self._take_note)
        events.register("after-call.scheduler", self._take_note_of_end)
        events.register_first("before-send.scheduler", self._answer)

    def _take_note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.calls.append(model.name)
        self.requests.append(params)

    def _take_note_of_end(self, model: Any, **_: object) -> None:
        self.ended.append((model.name, len(self.calls)))

    def _answer(
        self, request: AWSPreparedRequest, event_name: str, **_: object
    ) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        for rule in self.rules:
            if answer := rule(operation, request):
                return answer
        return self.serve(request)

    def serve(self, request: AWSPreparedRequest) -> AWSResponse | None:
        """Let the model answer; without one the request goes on to where the client sends it."""
        if self.scheduler is None:
            return None
        body: Any = request.body
        code, headers, answer = self.scheduler.answer(str(request.method), request.url, body)
        return response(answer, code, **headers)

    def rule(self, rule: Callable[[str, AWSPreparedRequest], AWSResponse | None]) -> None:
        """Let a rule answer or raise before all others; what it does not answer goes on."""
        self.rules.insert(0, rule)

    def remove(self, rule: Callable[[str, AWSPreparedRequest], AWSResponse | None]) -> None:
        """Let the fault be over."""
        self.rules.remove(rule)

    def hook(
        self,
        operation: str,
        fault: Callable[[], AWSResponse | None],
        name: str = "",
        times: int | None = None,
    ) -> None:
        """Let a fault answer the HTTP requests of an operation (for one name, some times only)."""
        lock = threading.Lock()
        left = [float("inf") if times is None else times]

        def rule(asked: str, request: AWSPreparedRequest) -> AWSResponse | None:
            if asked != operation or not request.url.partition("?")[0].endswith(name):
                return None
            with lock:
                left[0] -= 1
                return fault() if left[0] >= 0 else None

        self.rule(rule)

    def error(self, operation: str, code: str, http_status: int = 400, **when: Any) -> None:
        """Let an operation fail with an error of the service."""
        self.hook(operation, lambda: error_response(code, http_status), **when)

    def exception(self, operation: str, exception: Exception, **when: Any) -> None:
        """Let the connection fail."""

        def fault() -> AWSResponse:
            raise exception

        self.hook(operation, fault, **when)


def response(body: bytes, code: int = 200, **headers: str) -> AWSResponse:
    """Return a response of the service."""
    found: Any = {"content-type": "application/json", **headers}
    return AWSResponse("http://test", code, found, _RawBody(body))


def error_response(error: str, code: int) -> AWSResponse:
    """Return an error as the service sends it."""
    body = json.dumps({"Message": f"told to answer {error}"}).encode()
    return response(body, code, **{"x-amzn-errortype": error})


@dataclass
class World:
    """The real handler between a Git host and a mocked Scheduler."""

    git_host: GitHost
    client: EventBridgeSchedulerClient
    """For arranging and looking; it meets no faults."""
    faults: Faults
    pauses: list[float] = field(default_factory=list)

    def run(
        self,
        queries: object = None,
        left: Callable[[], float] = lambda: 240.0,
        event: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Invoke the handler, with a document of these queries unless None."""
        if queries is not None:
            self.git_host.publish({"queries": queries})
        self.faults.calls.clear()
        self.faults.requests.clear()
        context = SimpleNamespace(
            aws_request_id="request-id", get_remaining_time_in_millis=lambda: int(left() * 1000)
        )
        return handler(event or {}, context)

    def create_group(self, name: str = GROUP) -> None:
        """Make a schedule group by hand; never one that exists, for moto would empty it."""
        self.client.create_schedule_group(Name=name)

    def create(self, name: str, group: str = GROUP, **overrides: Any) -> None:
        """Create a schedule by hand, as the manager would for a query, save for the overrides."""
        try:
            self.client.get_schedule_group(Name=group)
        except self.client.exceptions.ResourceNotFoundException:
            self.create_group(group)
        target: Mapping[str, Any] = overrides.pop("Target", {})
        self.client.create_schedule(
            **{
                "Name": name,
                "GroupName": group,
                "ScheduleExpression": CRON,
                "ScheduleExpressionTimezone": "UTC",
                "Description": "Managed by Athena Schedule Manager",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": EXECUTOR_ARN,
                    "RoleArn": ROLE_ARN,
                    "Input": json.dumps({"query_id": name.removeprefix("pn-")}),
                    **target,
                },
                **overrides,
            }
        )

    def live(self) -> dict[str, dict[str, Any]]:
        """Return all schedules of all groups, by group/name, without what any update changes."""
        found = {}
        for page in self.client.get_paginator("list_schedules").paginate():
            for summary in page["Schedules"]:
                group, name = summary["GroupName"], summary["Name"]
                schedule: dict[str, Any] = {**self.client.get_schedule(GroupName=group, Name=name)}
                for key in ("ResponseMetadata", "LastModificationDate"):
                    schedule.pop(key, None)
                found[f"{group}/{name}"] = schedule
        return found

    def ours(self) -> dict[str, str]:
        """Return the expressions of the group's schedules by name."""
        prefix = f"{GROUP}/"
        return {
            key.removeprefix(prefix): schedule["ScheduleExpression"]
            for key, schedule in self.live().items()
            if key.startswith(prefix)
        }
