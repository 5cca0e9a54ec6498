"""Faults of the API, below the SDK's parsing, like those of the real service."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from tests.world.model import Scheduler

    Rule = Callable[[str, AWSPreparedRequest], AWSResponse | None]


class _RawBody(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk


@dataclass(frozen=True)
class Fault:
    """What the service or the network does instead of answering, and for how long.

    A number of calls, or seconds from the first call on; without either, for good.
    """

    error: tuple[str, int] | Exception | bytes  # bytes: the body of a 500
    times: int | None = None
    seconds: float | None = None
    served: bool = False  # the service does what it was asked, and only the answer is lost
    after: int = 0  # so many calls are answered before

    @property
    def description(self) -> str:
        """How an ERROR line describes it."""
        if isinstance(self.error, tuple):
            return f"{self.error[0]}: told to answer {self.error[0]}"
        return f"{type(self.error).__name__}: {self.error!s}"

    def happen(self) -> AWSResponse:
        """Answer with the error, or raise it."""
        if isinstance(self.error, Exception):
            raise self.error
        if isinstance(self.error, bytes):
            return response(self.error, 500)
        return error_response(*self.error)


SILENT = ReadTimeoutError(endpoint_url="https://scheduler.test")
LOST = ConnectionClosedError(endpoint_url="https://scheduler.test")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://scheduler.test")
THROTTLED, SERVER_ERROR = ("ThrottlingException", 429), ("InternalServerException", 500)
CONFLICT = ("ConflictException", 409)

# the one table of faults: what passes within the patience of the retry rule, what lasts longer,
# what no retry changes, and the two answers that have a meaning of their own
TRANSIENT = {
    "throttled for a while": Fault(THROTTLED, times=7),
    "throttled for 20 s": Fault(THROTTLED, seconds=20),
    "server errors for a while": Fault(SERVER_ERROR, times=7),
    "server errors for 2 s": Fault(SERVER_ERROR, seconds=2),
    "unavailable for 20 s": Fault(("ServiceUnavailableException", 503), seconds=20),
    "connections reset for a while": Fault(LOST, times=7),
    "connections reset for 8 s": Fault(LOST, seconds=8),
    "unreachable for 5 s": Fault(UNREACHABLE, seconds=5),
    "hanging until the read timeout, once": Fault(SILENT, times=1),
    "a list as a body, for a while": Fault(b"[]", times=3),
    "a body that is no text, for a while": Fault(b"\xff\xfe{", times=3),
    "answer lost, once": Fault(LOST, times=1, served=True),
    "answer lost for 8 s": Fault(SILENT, seconds=8, served=True),
}
OUTLASTING = {
    "throttled for good": Fault(THROTTLED),
    "server errors for good": Fault(SERVER_ERROR),
    "connections reset for good": Fault(LOST),
    "hanging until the read timeout, always": Fault(SILENT),
}
FINAL = {
    "denied": Fault(("AccessDeniedException", 403)),
    "invalid": Fault(("ValidationException", 400)),
    "quota exceeded": Fault(("ServiceQuotaExceededException", 402)),
}
LASTING = OUTLASTING | FINAL
CONFLICTS = {
    "conflict for a while": Fault(CONFLICT, times=3),
    "conflict for 20 s": Fault(CONFLICT, seconds=20),
    "conflict for good": Fault(CONFLICT),
}
ABSENT = {"not found": Fault(("ResourceNotFoundException", 404))}
FAULTS = TRANSIENT | LASTING | CONFLICTS | ABSENT


class Faults:
    """Faults of the API, put between a client and its service, and the calls that were made.

    They come in below the SDK's parsing, like those of the real service.
    """

    def __init__(
        self,
        client: EventBridgeSchedulerClient,
        scheduler: Scheduler | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch a client, whose requests go to a model of the service if there is one."""
        self._monotonic = monotonic
        self.threads: set[threading.Thread] = set()
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.ended: list[tuple[str, int]] = []
        self.rules: list[Rule] = []
        self.scheduler = scheduler
        events: Any = client.meta.events
        self.events = events
        events.register("provide-client-params.scheduler", self._take_note)
        events.register("after-call.scheduler", self._take_note_of_end)
        events.register_first("before-send.scheduler", self._answer)

    def _take_note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.threads.add(threading.current_thread())
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

    def wait_for_threads(self) -> None:
        """Wait for the end of all threads that made calls, those that a run has given up."""
        for thread in self.threads - {threading.current_thread(), threading.main_thread()}:
            thread.join(20)
            assert not thread.is_alive()
        self.threads.clear()

    def rule(self, rule: Rule) -> None:
        """Let a rule answer or raise before all others; what it does not answer goes on."""
        self.rules.insert(0, rule)

    def remove(self, rule: Rule) -> None:
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
                over = left[0] < 0
            return None if over else fault()

        self.rule(rule)

    def put(self, operation: str, fault: Fault, name: str = "") -> Rule:
        """Put a fault of the table into an operation (for one name); return the rule, to end it."""
        lock = threading.Lock()
        left = [float("inf") if fault.times is None else fault.times]
        end = [float("inf")] if fault.seconds is None else list[float]()
        before = iter(range(fault.after))

        def rule(asked: str, request: AWSPreparedRequest) -> AWSResponse | None:
            if asked != operation or not request.url.partition("?")[0].endswith(name):
                return None
            with lock:
                if next(before, None) is not None:
                    return None
                end.append(self._monotonic() + (fault.seconds or 0.0))  # the first one counts
                left[0] -= 1
                if left[0] < 0 or self._monotonic() >= end[0]:
                    return None
            if fault.served:
                self.serve(request)
            return fault.happen()

        self.rule(rule)
        return rule

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


class Hanging:
    """Calls of an operation that hang until they are let go, and the clock that ends meanwhile.

    The clock stands still until so many calls hang and so many others have ended: no test depends
    on how fast the machine is.
    """

    def __init__(self, faults: Faults, operation: str, calls: int = 1, ended: int = 0) -> None:
        """Hang every call of the operation; the clock ends when `calls` of them hang."""
        self._faults, self._calls, self._ended = faults, calls, len(faults.ended) + ended
        self._begun = 0
        self._over = threading.Event()
        faults.hook(operation, self._hang)

    def hang(self) -> None:
        """Hang until it is over."""
        self._begun += 1
        self._over.wait(20)

    def _hang(self) -> AWSResponse:
        self.hang()
        return error_response(*THROTTLED)

    def left(self) -> float:
        """Return the seconds left of the invocation."""
        over = self._begun >= self._calls and len(self._faults.ended) >= self._ended
        return 1.9 if over else 60.0

    def let_go(self) -> None:
        """End the fault, and wait for all threads that the run has given up."""
        self._faults.rules.clear()
        self._over.set()
        self._faults.wait_for_threads()
