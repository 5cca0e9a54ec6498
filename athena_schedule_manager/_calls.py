"""Calls within what is left of the invocation: the clock, the one retry rule, overlapping calls.

The SDK makes one attempt and its retries are not used: their pauses and quotas differ from version
to version, their quota outlives an invocation, and they go on in threads that nobody waits for.
"""

import math
import operator
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 16
SECOND_AFTER = 1.0  # seconds: of two threads the second starts when the first is still busy then
NO_NEW_CALL, STOP_WAITING = 5.0, 2.0  # seconds left: no call is started; those in flight abandoned
# seconds: after a call's first failure and after the last success of any call; and what is left of
# it, at least, for the calls that follow others of which the last ones failed
PATIENCE, NEXT_PATIENCE = 30.0, 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts, before jitter
CONFLICT = "ConflictException"
TRANSIENT_STATUSES = {408, 429, *range(500, 600)}

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
    """The seconds left of one invocation, and its time: of day, monotonic, and how it pauses."""

    left: Callable[[], float]
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    ended: bool = False  # True: no thread that the invocation abandoned starts another call

    def has_time(self, pause: float = 0.0) -> bool:
        """Tell if a call may start, `pause` seconds from now."""
        return not self.ended and self.left() - pause >= NO_NEW_CALL

    def require_time(self, pause: float = 0.0) -> None:
        """Raise OutOfTimeError unless a call may start, `pause` seconds from now."""
        if not self.has_time(pause):
            raise OutOfTimeError


def pause_after(failures: int, first: float = FIRST_PAUSE) -> float:
    """Return the seconds from the n-th failure to the next attempt: doubled, with full jitter."""
    return random.uniform(0.0, min(first * 2.0 ** (failures - 1), LONGEST_PAUSE))  # noqa: S311 - no secret depends on it


def error_code(error: object) -> str:
    """Return the service's code of an error, or nothing if it is not the service's."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def is_transient(error: Exception) -> bool:
    """Tell if another attempt may succeed: throttling, 5xx, a lost connection, a timeout."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status in TRANSIENT_STATUSES or "Throttl" in error_code(error)
    return isinstance(error, HTTPClientError | NoConnectionError)


def threads_for(count: int) -> int:
    """Return how many calls overlap: about half the root of their number, and two at least.

    A connection costs the processor time of some twenty calls, since the SDK loads its bundle of
    authorities for each; so of two threads the second begins when the first has not ended soon.
    """
    return min(count, THREADS, max(2, round(math.sqrt(count) / 2)))


class Calls:
    """The calls of one invocation: each is tried again by one rule, and all share its patience."""

    def __init__(self, clock: Clock) -> None:
        """Take the invocation's clock; nothing has been called yet."""
        self.clock = clock
        self._last_success = clock.monotonic()
        self._failure: Exception | None = None  # the last one, until an answer comes

    def overlap(
        self, call: Callable[[Item], Result], items: Sequence[Item], seconds: float = math.inf
    ) -> list[Result | Exception]:
        """Call for each item, several at a time; return results or exceptions in their order.

        What was not done in time has the result OutOfTimeError. A call that is in flight then is
        abandoned: its thread goes on to the end of this attempt, and what it returns is dropped.
        """
        earliest = self.clock.monotonic() - (PATIENCE - NEXT_PATIENCE if self._failure else 0.0)
        self._last_success = max(self._last_success, earliest)  # time without a call is no outage
        results: list[Result | Exception] = [OutOfTimeError()] * len(items)
        count = threads_for(len(items)) if self.clock.has_time() else 0
        waiting = deque([*range(len(items)), *[None] * count])  # None ends a thread

        def work() -> None:
            for index in iter(waiting.popleft, None):
                try:
                    results[index] = call(items[index])
                except OutOfTimeError:
                    return
                except Exception as error:  # noqa: BLE001 - it is that item's result
                    results[index] = error

        threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
            thread.join(SECOND_AFTER if count == 2 else 0.0)  # noqa: PLR2004 - a pair
        _wait(threads, self.clock, self.clock.monotonic() + seconds)
        return results[:]

    def alone(self, call: Callable[[], Result], seconds: float = math.inf) -> Result:
        """Call once in a thread that can be abandoned: no socket's timeout ends a host that drips.

        Raises OutOfTimeError when `seconds` or the invocation's time are over.
        """
        [result] = self.overlap(operator.call, [call], seconds)
        if isinstance(result, Exception):
            raise result
        return result

    def retry(self, call: Callable[[], Result], *, conflicts: bool = False) -> Result:
        """Call, and again while the failure is transient, the clock allows it and patience lasts.

        `conflicts`: a ConflictException is transient, too. Raises OutOfTimeError or what the last
        attempt raised. In a lasting outage, when nothing has succeeded for PATIENCE, calls that
        have not begun fail with the failure of the others.
        """
        failures, first_failure = 0, math.inf
        while True:
            self.clock.require_time()
            if (failure := self._failure) and self._outlasted():
                raise failure.with_traceback(None)
            try:
                return self._answered(call())
            except Exception as error:
                if not (is_transient(error) or (conflicts and error_code(error) == CONFLICT)):
                    self._answered(error)
                    raise
                failures, first_failure = failures + 1, min(first_failure, self.clock.monotonic())
                self._failure, pause = error, pause_after(failures)
                if self._outlasted(first_failure, pause):
                    raise
            self.clock.require_time(pause)
            self.clock.sleep(pause)

    def _answered(self, answer: Result) -> Result:
        self._last_success, self._failure = self.clock.monotonic(), None
        return answer

    def _outlasted(self, first_failure: float = math.inf, pause: float = 0.0) -> bool:
        return self.clock.monotonic() + pause - min(first_failure, self._last_success) > PATIENCE


def _wait(threads: Sequence[threading.Thread], clock: Clock, end: float) -> None:
    for thread in threads:
        while thread.is_alive() and clock.left() > STOP_WAITING and clock.monotonic() < end:
            thread.join(0.05)
