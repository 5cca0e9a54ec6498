"""The real Lambda runtime, awslambdaric, around the real handler: the log as CloudWatch gets it."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import CRON, EXECUTOR_ARN, OTHER_CRON, QUERIES, document
from tests.test_log import LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import World

needs_awslambdaric = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric has wheels for Linux only",
)
pytestmark = needs_awslambdaric


class RuntimeCall(BaseHTTPRequestHandler):
    """A call of the runtime to the Runtime API."""

    server: RuntimeApi

    def do_GET(self) -> None:
        """Give the next invocation, with every header that the service sends."""
        request_id, event = self.server.events.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 240_000),
            "Lambda-Runtime-Invoked-Function-Arn": EXECUTOR_ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            "Lambda-Runtime-Client-Context": "{}",
            "Lambda-Runtime-Cognito-Identity": "{}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Take a result, or an error of an invocation or of the initialisation."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.results.put((self.path.rpartition("/")[2], json.loads(body)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Runtime API on loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), RuntimeCall)
        self.events: queue.Queue[tuple[str, object]] = queue.Queue()
        self.results: queue.Queue[tuple[str, Any]] = queue.Queue()

    def invoke(self, request_id: str) -> tuple[str, Any]:
        """Invoke the function; return ("response", result) or ("error", what)."""
        self.events.put((request_id, {}))
        return self.results.get(timeout=30)


class Function:
    """A function in the real runtime: invoke it, and read what it logged when it has ended."""

    def __init__(self, handler: str, *, framed: bool = False, cwd: Path | None = None) -> None:
        """Start the runtime; its log goes to stdout, or in frames to a descriptor of its own."""
        self.api = RuntimeApi()
        threading.Thread(target=self.api.serve_forever, args=(0.01,), daemon=True).start()
        read, write = os.pipe()
        environment = os.environ | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "pn-AthenaScheduleManager",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        }
        if framed:
            environment["_LAMBDA_TELEMETRY_LOG_FD"] = str(write)
        self._process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=cwd,
            env=environment,
            stdout=subprocess.DEVNULL if framed else write,
            stderr=subprocess.STDOUT,
            pass_fds=(write,),
        )
        os.close(write)
        self._log = os.fdopen(read, "rb")

    def log(self) -> bytes:
        """End the runtime and return what it logged."""
        self._process.kill()
        self._process.wait()
        self.api.shutdown()
        self.api.server_close()
        with self._log:
            return self._log.read()


def test_every_line_is_time_request_id_level_message_once(world: World) -> None:
    """In the real runtime, from worker threads too, and with newlines in foreign text."""
    started = Function("tests.probe.handler")
    queries = QUERIES | {"two\nlines": {"schedule": CRON}}
    world.git_host.publish({"queries": queries})
    created = started.api.invoke("request-1")
    world.git_host.publish({"queries": {"daily-report": {"schedule": OTHER_CRON}}})
    updated = started.api.invoke("request-2")
    lines = started.log().decode().split("\n")[:-1]
    assert created == ("response", {"created": 1, "updated": 0, "deleted": 0, "failed": 1})
    assert updated == ("response", {"created": 0, "updated": 1, "deleted": 0, "failed": 0})
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    url = world.git_host.url()
    assert [line.split(" ", 1)[1] for line in lines if "worker" not in line] == [
        f"request-1 INFO Fetching config from Git: {url}",
        "request-1 INFO Found 0 existing schedules",
        (
            r"request-1 ERROR Query 'two\nlines' is unusable (its live schedule, if any, is kept):"
            r" the schedule name 'pn-two\nlines' needs an id after the prefix, at most 64"
            " characters in all, and only letters, digits, '-', '_' and '.'; rename the query"
        ),
        f"request-1 INFO CREATE: pn-daily-report (cron: {CRON})",
        (
            'request-1 INFO Reconciliation complete: {"created": 1, "updated": 0, "deleted": 0,'
            ' "failed": 1}'
        ),
        f"request-2 INFO Fetching config from Git: {url}",
        "request-2 INFO Found 1 existing schedules",
        f"request-2 INFO UPDATE: pn-daily-report (cron: {CRON} → {OTHER_CRON})",
        (
            'request-2 INFO Reconciliation complete: {"created": 0, "updated": 1, "deleted": 0,'
            ' "failed": 0}'
        ),
    ]
    assert sorted(line.split(" ", 1)[1] for line in lines if "worker" in line) == [
        rf"request-{run} WARNING worker {number}\nsecond line"
        for run in (1, 2)
        for number in range(3)
    ]


def test_an_error_is_one_error_line_and_a_failed_invocation(world: World) -> None:
    """The runtime's own report behind it has no ERROR as its third word: no double count."""
    started = Function("athena_schedule_manager.index.handler")
    world.git_host.answer(document(b"<html>\n"))
    kind, error = started.api.invoke("request-1")
    world.git_host.publish({"queries": QUERIES})
    after = started.api.invoke("request-2")
    lines = started.log().decode().split("\n")[:-1]
    assert (kind, error["errorType"]) == ("error", "CannotReconcileError")
    assert error["errorMessage"].startswith("Invalid config from Git: it is not UTF-8 JSON")
    assert after == ("response", {"created": 1, "updated": 0, "deleted": 0, "failed": 0})
    errors = [line for line in lines if line.split(" ")[2:3] == ["ERROR"]]
    assert [line.split(" ", 3)[3] for line in errors] == [error["errorMessage"]]


def test_lambdas_own_log_channel_gets_the_same_lines(world: World) -> None:
    """In Lambda each record is a frame of its own on a file descriptor, not a line on stdout."""
    started = Function("athena_schedule_manager.index.handler", framed=True)
    world.git_host.publish({"queries": QUERIES})
    started.api.invoke("request-1")
    log = started.log()
    frames = []
    while log:
        length = int.from_bytes(log[4:8], "big")
        frames.append(log[16 : 16 + length].decode())
        log = log[16 + length :]
    assert len(frames) == 4
    assert [frame for frame in frames if not LINE.fullmatch(frame.removesuffix("\n"))] == []
    assert all(frame.endswith("\n") for frame in frames)
