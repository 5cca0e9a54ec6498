"""Faults of the API, below the SDK's parsing, like those of the real service."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from tests.world.model import Scheduler


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
