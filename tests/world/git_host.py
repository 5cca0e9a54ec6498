"""A Git host on loopback, and the ways in which it answers or misbehaves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.world.environment import QUERIES, SHA

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


PATH = "/org/repo/{sha}/query-executor-config.json"


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

    def publish(self, config: object, path: str = PATH) -> str:
        """Serve a document from now on, and return its URL, which holds a SHA of the content."""
        body = json.dumps(config).encode()
        self.answer(document(body))
        return self.url(hashlib.sha1(body, usedforsecurity=False).hexdigest(), path)

    def next_answer(self, request: Request) -> Callable[[Request], None]:
        """Take note of a request and return what to answer."""
        with self._lock:
            self.paths.append(request.path)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def url(self, ref: str = SHA, path: str = PATH) -> str:
        """Return the URL of the configuration at a commit or branch."""
        host = f"127.0.0.1:{self.server_address[1]}"
        return f"{self.scheme}://{host}{path.format(sha=ref)}"

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


BODY = json.dumps({"queries": QUERIES}).encode()
SERVED = document(BODY)


def cut_off(request: Request) -> None:
    """Answer with fewer bytes than announced."""
    document(BODY[:-5], Content_Length=str(len(BODY)))(request)


def cut_off_chunk(request: Request) -> None:
    """Answer with a chunk that is not whole."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"ff\r\nshort")


def no_http(request: Request) -> None:
    """Answer something else than HTTP."""
    request.wfile.write(b"SSH-2.0-OpenSSH token=secret\r\n")


TRANSIENT_STATUSES = (408, 429, 500, 501, 502, 503, 504, 505, 520, 522, 525, 530, 599)
# the one table of a Git host's faults: what may pass, and the statuses that no further try changes
HOST_FAULTS = {
    **{str(code): status(code) for code in TRANSIENT_STATUSES},
    "connection reset": reset,
    "short body": cut_off,
    "short chunk": cut_off_chunk,
    "no HTTP": no_http,
}
REFUSALS = [400, 401, 403, 404, 405, 410, 418, 451, 499, 300, 304]
