"""The strict model of the Scheduler over HTTP or TLS, in a process of its own, under conditions.

These are a latency, a quota and an outage. There are no threads: a call that waits for its latency
costs nothing, so that what a benchmark measures is the client's side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import trustme

from tests.world.environment import GROUP
from tests.world.model import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE_OUTAGE = 100  # calls
OVER = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
HANGS = 8.0  # seconds: longer than the read timeout


class Server:
    """One scheduler, and the conditions under which it answers."""

    def __init__(self) -> None:
        """Begin with an empty one, without conditions."""
        self.writers: set[asyncio.StreamWriter] = set()
        self.control()

    def control(
        self,
        latency: float = 0.0,
        quota: float = 0.0,
        outage: float = 0.0,
        hanging: int = 0,
        groups: dict[str, Any] | None = None,
    ) -> None:
        """Set the seconds a call takes, the calls a second (0: any number), all groups.

        So many schedules, the first by name, are read for longer than any client waits. An
        outage of so many seconds begins with a call in the midst of a run. All connections are
        closed, as those of a client are that was idle between two runs.
        """
        for writer in self.writers:
            writer.close()
        self.latency, self.quota, self.calls = latency, quota, 0
        self.outage, self.out_until = outage, -math.inf
        names = sorted((groups or {}).get(GROUP, {}))
        self.hanging = tuple(f"/{name}?groupName={GROUP}" for name in names[:hanging])
        self.tokens, self.filled = quota / 10, time.monotonic()
        self.scheduler = Scheduler()
        self.scheduler.groups.update(groups or {})

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection until it ends."""
        self.writers.add(writer)
        with contextlib.suppress(*OVER):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                if target == "/control":
                    self.writers.discard(writer)  # it is to be answered
                code, headers, answer = await self.answer(method, target, body)
                if writer.is_closing():
                    break  # the client has waited long enough
                lines = [f"HTTP/1.1 {code} -", f"content-length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + answer)
        self.writers.discard(writer)
        writer.close()

    async def answer(
        self, method: str, target: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a call of the service, or of the test."""
        if target == "/control":
            self.control(**json.loads(body))
        state = {"/control": {}, "/calls": self.calls, "/groups": self.scheduler.groups}
        if target in state:
            return 200, {}, json.dumps(state[target]).encode()
        self.calls += 1
        if method == "GET" and target.endswith(self.hanging):
            await asyncio.sleep(HANGS)
        if self.latency:
            await asyncio.sleep(self.latency)
        if self._is_out():
            return 500, {"x-amzn-errortype": "InternalServerException"}, b'{"Message": "out"}'
        if self.quota and not self._within_quota():
            return 429, {"x-amzn-errortype": "ThrottlingException"}, b'{"Message": "Rate exceeded"}'
        return self.scheduler.answer(method, target, body)

    def _is_out(self) -> bool:
        if self.outage and self.calls > BEFORE_OUTAGE:
            self.out_until, self.outage = time.monotonic() + self.outage, 0.0
        return time.monotonic() < self.out_until

    def _within_quota(self) -> bool:
        """Take a token from a bucket that holds those of a tenth of a second."""
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.filled) * self.quota, self.quota / 10)
        self.filled = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed

    async def serve(self, certificate: str | None = None) -> None:
        """Listen on a free port of loopback, which is printed, until standard input ends."""
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


class RemoteScheduler:
    """The test's end of a model server."""

    def __init__(self, url: str, bundle: str = "") -> None:
        """Take the server's URL, and the file of the authorities that vouch for it."""
        self.url, self.bundle = url, bundle

    def control(self, **conditions: Any) -> None:
        """Set the conditions, and all groups."""
        self._ask("/control", json.dumps(conditions).encode())

    def calls(self) -> int:
        """Return how many calls there were since the conditions were set."""
        return int(self._ask("/calls"))

    def groups(self) -> dict[str, Any]:
        """Return all groups with their schedules."""
        groups: dict[str, Any] = self._ask("/groups")
        return groups

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        context = ssl.create_default_context(cafile=self.bundle) if self.bundle else None
        with urllib.request.urlopen(self.url + path, data=body, context=context) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextlib.contextmanager
def model_server() -> Iterator[RemoteScheduler]:
    """Run the model over plain HTTP in a process of its own until the context ends."""
    with _served() as port:
        yield RemoteScheduler(f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def tls_model_server() -> Iterator[RemoteScheduler]:
    """Run it over TLS; its authority stands among those of the SDK's own bundle, as AWS's do."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    bundle = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    blob = trustme.Blob(bundle + authority.cert_pem.bytes())
    with certificate.tempfile() as path, blob.tempfile() as trusted, _served(path) as port:
        yield RemoteScheduler(f"https://127.0.0.1:{port}", trusted)


@contextlib.contextmanager
def _served(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.world.model_server", *arguments]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.kill()


if __name__ == "__main__":
    asyncio.run(Server().serve(*sys.argv[1:]))
