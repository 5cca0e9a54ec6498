"""Calls within what is left of the invocation: the clock, the one retry rule, overlapping calls.

The SDK makes one attempt and its retries are not used: their pauses and quotas differ from version
to version, their quota outlives an invocation, and they go on in threads that nobody waits for.
"""

from __future__ import annotations

import math
import operator
import queue
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 16
NO_NEW_CALL = 5.0  # seconds: with less left than this no call is started
STOP_WAITING = 2.0  # seconds: with this much left the calls in flight are abandoned
PATIENCE = 30.0  # seconds: after a call's first failure, and after the last success of any call
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts, before jitter
CONFLICT = "ConflictException"

# the SDK's own timeouts are 60 s: longer than the function lives
CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 1},
)


class OutOfTimeError(Exception):
    """Too little of the invocation is left to start a call: the next run makes it."""


@dataclass(slots=True)
class Clock:
    """One invocation's seconds left, its pauses, the time of day and a time that only grows."""

    left: Callable[[], float]
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    ended: bool = False

    def end(self) -> None:
        """End the invocation: no thread that it abandoned starts another call."""
        self.ended = True

    def has_time(self, pause: float = 0.0) -> bool:
        """Tell if a call may start, `pause` seconds from now."""
        return not self.ended and self.left() - pause >= NO_NEW_CALL

    def require_time(self, pause: float = 0.0) -> None:
        """Raise OutOfTimeError unless a call may start, `pause` seconds from now."""
        if not self.has_time(pause):
            raise OutOfTimeError


def pauses(first: float = FIRST_PAUSE) -> Iterator[float]:
    """Yield the pauses before further attempts, in seconds: they double, with full jitter."""
    longest = first
    while True:
        yield random.uniform(0.0, longest)  # noqa: S311 - no secret depends on it
        longest = min(longest * 2, LONGEST_PAUSE)


def error_code(error: Exception) -> str:
    """Return the service's code of an error, or nothing if it is not the service's."""
    return (
        str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""
    )


def is_transient(error: Exception) -> bool:
    """Tell if another attempt may succeed: throttling, 5xx, a lost connection, a timeout."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status in {408, 429} or status >= 500 or "Throttl" in error_code(error)  # noqa: PLR2004 - statuses of HTTP
    return isinstance(error, HTTPClientError | NoConnectionError)


def is_transient_or_conflict(error: Exception) -> bool:
    """Tell the same for an update or a delete, where a ConflictException may pass, too."""
    return error_code(error) == CONFLICT or is_transient(error)


class Calls:
    """The calls of one invocation: each is tried again by one rule, and all share its patience."""

    def __init__(self, clock: Clock) -> None:
        """Take the invocation's clock; nothing has been called yet."""
        self.clock = clock
        self._last_success: float | None = None
        self._failure: Exception | None = None  # of this phase, if nothing succeeded since

    def retry(
        self, call: Callable[[], Result], transient: Callable[[Exception], bool] = is_transient
    ) -> Result:
        """Call, and again while the failure is transient, the clock allows it and patience lasts.

        Raises OutOfTimeError or what the last attempt raised. In a lasting outage, when nothing has
        succeeded for PATIENCE, calls that have not begun fail with the failure of the others.
        """
        first_failure = math.inf
        next_pause = pauses()
        while True:
            self.clock.require_time()
            if (failure := self._failure) and self._outlasted(math.inf):
                raise failure.with_traceback(None)
            try:
                result = call()
            except Exception as error:
                if not transient(error):
                    self._succeeded()  # it is an answer
                    raise
                first_failure = min(first_failure, self.clock.monotonic())
                self._failure, pause = error, next(next_pause)
                if self._outlasted(first_failure, pause):
                    raise
            else:
                self._succeeded()
                return result
            self.clock.require_time(pause)
            self.clock.sleep(pause)

    def overlap(
        self, call: Callable[[Item], Result], items: Sequence[Item]
    ) -> list[Result | Exception]:
        """Call for each item as the function `overlap` does, or for none if there is no time."""
        self._begin()
        if not self.clock.has_time():
            return [OutOfTimeError()] * len(items)
        return overlap(call, items, self.clock)

    def alone(self, call: Callable[[], Result]) -> Result:
        """Call once as the function `within` does."""
        self._begin()
        return within(call, self.clock)

    def _begin(self) -> None:
        """Begin another operation, which may work where the last one did not."""
        if self._failure is None:
            self._last_success = None  # what passed since, without a call, is no outage
        self._failure = None

    def _succeeded(self) -> None:
        self._last_success, self._failure = self.clock.monotonic(), None

    def _outlasted(self, first_failure: float, pause: float = 0.0) -> bool:
        now = self.clock.monotonic()
        if self._last_success is None:  # patience begins with the first failure
            self._last_success = now
        return now + pause - min(first_failure, self._last_success) > PATIENCE


def threads_for(count: int) -> int:
    """Return how many calls overlap: about half the root of their number, and two at least.

    A connection costs the processor time of some twenty calls, since the SDK loads its bundle of
    authorities for each; the second one is for the calls that must not wait for one that hangs.
    """
    return min(count, THREADS, max(2, round(math.sqrt(count) / 2)))


def overlap(
    call: Callable[[Item], Result], items: Sequence[Item], clock: Clock, seconds: float = math.inf
) -> list[Result | Exception]:
    """Call for each item, several at a time; return results or exceptions in the items' order.

    The result of an item that was not done in time is OutOfTimeError. A call that is in flight then
    is abandoned: its thread goes on, and what it returns is dropped.
    """
    results: list[Result | Exception] = [OutOfTimeError()] * len(items)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(items)):
        waiting.put(index)

    def work() -> None:
        while not waiting.empty():
            try:
                index = waiting.get_nowait()
                results[index] = call(items[index])
            except (OutOfTimeError, queue.Empty):
                return
            except Exception as error:  # noqa: BLE001 - it is that item's result
                results[index] = error

    threads = [threading.Thread(target=work, daemon=True) for _ in range(threads_for(len(items)))]
    end = clock.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and clock.left() > STOP_WAITING and clock.monotonic() < end:
            thread.join(0.05)
    return results[:]


def within(call: Callable[[], Result], clock: Clock, seconds: float = math.inf) -> Result:
    """Call in a thread that can be abandoned: no timeout of a socket ends a host that drips.

    Raises OutOfTimeError when `seconds` or the invocation's time are over.
    """
    [result] = overlap(operator.call, [call], clock, seconds)
    if isinstance(result, Exception):
        raise result
    return result
