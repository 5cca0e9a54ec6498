"""The real Lambda runtime, awslambdaric, in a process of its own, with a Runtime API."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.world.environment import EXECUTOR_ARN

if TYPE_CHECKING:
    from pathlib import Path

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [^ ]+ (INFO|WARNING|ERROR) .+")
needs_awslambdaric = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric has wheels for Linux only",
)


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
