"""The strict model of the Scheduler over HTTP, in a process of its own, with latency and a quota.

Without threads: a call that waits for its latency costs nothing, so that what a benchmark measures
is the client's side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.world.model import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """One scheduler, and the conditions under which it answers."""

    def __init__(self) -> None:
        """Begin with an empty one, without latency and quota."""
        self.control()

    def control(
        self, latency: float = 0.0, quota: float = 0.0, groups: dict[str, Any] | None = None
    ) -> None:
        """Set the seconds a call takes, the calls a second (0: any number), all groups."""
        self.latency, self.quota, self.calls = latency, quota, 0
        self.tokens, self.filled = quota / 10, time.monotonic()
        self.scheduler = Scheduler()
        self.scheduler.groups.update(groups or {})

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                code, headers, answer = await self.answer(method, target, body)
                lines = [f"HTTP/1.1 {code} -", f"content-length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + answer)
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
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.quota and not self._within_quota():
            return 429, {"x-amzn-errortype": "ThrottlingException"}, b'{"Message": "Rate exceeded"}'
        return self.scheduler.answer(method, target, body)

    def _within_quota(self) -> bool:
        """Take a token from a bucket that holds those of a tenth of a second."""
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.filled) * self.quota, self.quota / 10)
        self.filled = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed

    async def serve(self) -> None:
        """Listen on a free port of loopback, which is printed, until standard input ends."""
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


class RemoteScheduler:
    """The test's end of a model server."""

    def __init__(self, url: str) -> None:
        """Take the server's URL."""
        self.url = url

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
        with urllib.request.urlopen(self.url + path, data=body) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextlib.contextmanager
def model_server() -> Iterator[RemoteScheduler]:
    """Run the model in a process of its own until the context ends."""
    command = [sys.executable, "-m", "tests.world.model_server"]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield RemoteScheduler(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        process.stdin.close()
        process.kill()


if __name__ == "__main__":
    asyncio.run(Server().serve())
