"""Calls within what is left of the invocation: the clock, the patience, and a line of jobs.

The SDK makes one attempt and its retries are not used: their pauses and quotas differ from version
to version, their quota outlives an invocation, and they go on in threads that nobody waits for.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import http
import math
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

Result = TypeVar("Result")
Answer_co = TypeVar("Answer_co", covariant=True)

THREADS = 16  # at most
MORE_AFTER = 1.0  # seconds in which no attempt has ended: another thread joins
POLL = 0.05  # seconds between two looks at the clock while threads work
NO_NEW_CALL = 5.0  # seconds left of the invocation: no call is started
STOP_WAITING = 2.0  # seconds left of the invocation: calls in flight are abandoned
PATIENCE = 30.0  # seconds after a job's first failure, and after the last answer to any
NEXT_PATIENCE = 10.0  # seconds of it that an operation has at least, whatever came before
FIRST_PAUSE = 0.1  # seconds between a job's first two attempts, before jitter
LONGEST_PAUSE = 5.0  # seconds between any two
CONFLICT = "ConflictException"
TRANSIENT_STATUSES = {408, 429, *range(500, 600)}

# the SDK's own timeouts are 60 s: longer than our patience
CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 1},
)


# --- The client


def make_client(service: str) -> Any:  # noqa: ANN401 - the SDK makes its classes at run time
    """Return a client of a service, which makes one attempt for each call."""
    session: Any = _session()
    return session.client(service, config=CLIENT_CONFIG)


@functools.cache
def _session() -> boto3.Session:
    """Return a session of the SDK that reads dates as we do; it loads a service's model once."""
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_date)
    return boto3.Session(botocore_session=session)


def read_date(value: float | str) -> datetime:
    """Read a date as the service writes it; the SDK's own parser takes half of a listing's time."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return parse_timestamp(value)


# --- Failures


class OutOfTimeError(Exception):
    """Too little of the invocation is left to start a call: the next run makes it."""


class UnreadableAnswerError(Exception):
    """The service has not answered as its model says; it may have done what was asked."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"an answer that cannot be read ({problem})")


@contextlib.contextmanager
def reading_answer() -> Iterator[None]:
    """Raise UnreadableAnswerError where the SDK, or who takes members of an answer, cannot read it.

    A 5xx with a JSON list, bytes that are no text, or an answer without its members end in an
    AttributeError, a KeyError and so on, which say nothing.
    """
    try:
        yield
    except (ClientError, BotoCoreError, OutOfTimeError):
        raise
    except Exception as error:
        raise UnreadableAnswerError(type(error).__name__) from error


def error_code(error: object) -> str:
    """Return the service's code of an error, or nothing if it is not the service's."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_transient(error: Exception) -> bool:
    """Tell if another attempt may succeed: throttling, 5xx, a lost connection, a timeout."""
    if isinstance(error, ClientError):
        return _http_status(error) in TRANSIENT_STATUSES or "Throttl" in error_code(error)
    return isinstance(error, HTTPClientError | NoConnectionError | UnreadableAnswerError)


class NotTriedError(Exception):
    """A call was not made, since in a lasting outage it would have failed like the others."""

    def __init__(self, failure: Exception) -> None:
        last = f"{type(failure).__name__}: {failure}"
        super().__init__(f"not tried: no call was answered for {PATIENCE:g} s; the last was {last}")


def may_be_done(error: Exception) -> bool:
    """Tell if the service may have done what was asked, though the call failed."""
    if isinstance(error, ClientError):
        return _http_status(error) >= http.HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return False  # nothing was sent
    return is_transient(error)


def _http_status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


# --- Time


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

    def require_time(self) -> None:
        """Raise OutOfTimeError unless a call may start."""
        if not self.has_time():
            raise OutOfTimeError


class Patience:
    """How long the calls of an invocation are tried again while they fail for the time being.

    A job fails for good 30 s after its first failure. All jobs do when no call has been answered
    for 30 s, those that were never tried, too: so a lasting outage ends a run within a minute.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.failure: Exception | None = None  # the last one, until a call is answered
        self._monotonic = monotonic
        self._last_answer = monotonic()

    def answered(self) -> None:
        """Take note of an answer, a refusal included: the service is there."""
        self._last_answer = self._monotonic()
        self.failure = None

    def failed(self, error: Exception) -> None:
        """Take note of a failure that may pass."""
        self.failure = error

    def next_operation(self) -> None:
        """Begin an operation: the time before was no outage; after a failure 10 s are left."""
        now = self._monotonic()
        if self.failure is None:
            self._last_answer = now
        else:
            self._last_answer = max(self._last_answer, now - PATIENCE + NEXT_PATIENCE)

    def is_over(self, since: float = math.inf, pause: float = 0.0) -> bool:
        """Tell if it will be over after a pause.

        `since`: when the job failed first; without it, for a job that was never tried.
        """
        begin = min(since, self._last_answer)
        return self._monotonic() + pause - begin > PATIENCE


def pause_after(failures: int, first: float = FIRST_PAUSE) -> float:
    """Return the seconds from the n-th failure to the next attempt: doubled, with full jitter."""
    longest = min(first * 2.0 ** (failures - 1), LONGEST_PAUSE)
    return random.uniform(0.0, longest)  # noqa: S311 - no secret depends on it


# --- The line


class Job(Protocol[Answer_co]):
    """Something to be done by calls of an API, which an attempt makes and may fail to make.

    What a job must know of its earlier attempts it keeps itself.
    """

    @property
    def passing_codes(self) -> Collection[str]:
        """Codes of the service's errors that may pass for this job, besides the transient ones."""

    def attempt(self) -> Answer_co:
        """Return the result, or raise what went wrong."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """A job of one call."""

    attempt: Callable[[], Result]
    passing_codes = ()


@dataclass(order=True, slots=True)
class _Place(Generic[Result]):
    """The place of a job in the line: in the order of the time before which it is not tried."""

    not_before: float
    turn: int  # among those that have not been tried
    number: int = field(compare=False)  # of the job, and of its result
    job: Job[Result] = field(compare=False)
    failures: int = field(default=0, compare=False)
    first_failure: float = field(default=math.inf, compare=False)
    last_failure: Exception | None = field(default=None, compare=False)


def _line_up(jobs: Sequence[Job[Result]]) -> list[_Place[Result]]:
    """Return the places of jobs that have not been tried, as a heap."""
    turns = random.sample(range(len(jobs)), len(jobs))
    places = []
    for number, job in enumerate(jobs):
        places.append(_Place(-math.inf, turns[number], number, job))
    heapq.heapify(places)
    return places


class Calls:
    """Calls of an invocation: they share its clock, and a patience of their own."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._patience = Patience(clock.monotonic)

    def do_all(
        self, jobs: Sequence[Job[Result]], seconds: float = math.inf
    ) -> list[Result | Exception]:
        """Do the jobs, several at a time; return results or exceptions in their order.

        What was not done in time has the result OutOfTimeError. A call that is in flight then is
        abandoned: its thread goes on to the end of this attempt, and what it returns is dropped.
        """
        self._patience.next_operation()
        line = _Line(jobs, self.clock, self._patience)
        line.work_off(seconds)
        return line.results[:]

    def do(self, job: Job[Result], seconds: float = math.inf) -> Result:
        """Do one job, in a thread that can be abandoned: no socket's timeout ends a slow host.

        Raises OutOfTimeError when `seconds` or the invocation's time are over.
        """
        [result] = self.do_all([job], seconds)
        if isinstance(result, Exception):
            raise result
        return result


class _Line(Generic[Result]):
    """A line of jobs, and the threads that try them.

    The first job in the line is tried by whichever thread is free. One that fails for the time
    being goes back into the line, and its thread takes the next: so every job is tried once before
    any is tried twice, and those that fail or hang do not hold up the others. The line begins in
    random order: otherwise the same schedules that hang would come first in every run.
    """

    def __init__(self, jobs: Sequence[Job[Result]], clock: Clock, patience: Patience) -> None:
        self.results: list[Result | Exception] = [OutOfTimeError()] * len(jobs)
        self._places = _line_up(jobs)
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()  # of the places
        self._last_sign = clock.monotonic()  # an attempt has ended, or a thread has begun

    def work_off(self, seconds: float) -> None:
        """Do the jobs; return when each has its result, or the time is over."""
        end = self._clock.monotonic() + seconds
        count = threads_for(len(self._places)) if self._clock.has_time() else 0
        threads: list[threading.Thread] = []
        for _ in range(count):
            self._add_thread(threads)
        while working := [thread for thread in threads if thread.is_alive()]:
            if self._clock.left() <= STOP_WAITING or self._clock.monotonic() >= end:
                return
            if len(threads) < THREADS and self._is_held_up():
                self._add_thread(threads)
            working[0].join(POLL)

    def _add_thread(self, threads: list[threading.Thread]) -> None:
        """Start one more thread; if the system has no more, those that there are do the work."""
        self._last_sign = self._clock.monotonic()
        thread = threading.Thread(target=self._work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not threads:
                raise
        else:
            threads.append(thread)

    def _is_held_up(self) -> bool:
        """Tell if a job could be tried and has been waiting for calls that take long."""
        now = self._clock.monotonic()
        with self._lock:
            is_waiting = bool(self._places) and self._places[0].not_before <= now
        return is_waiting and now - self._last_sign > MORE_AFTER

    def _work(self) -> None:
        """Try one job after the other, until none is in the line or the time is over."""
        try:
            while place := self._next_place():
                self._wait_for(place)
                self._try_once(place)
        except OutOfTimeError:
            return  # which is what the jobs that are left have as their results

    def _next_place(self) -> _Place[Result] | None:
        with self._lock:
            return heapq.heappop(self._places) if self._places else None

    def _wait_for(self, place: _Place[Result]) -> None:
        """Wait until the job may be tried again; to wait for its turn costs it no patience."""
        if not place.failures:
            return
        pause = place.not_before - self._clock.monotonic()
        if pause <= 0:
            overdue = -pause
            place.first_failure += overdue
            return
        if not self._clock.has_time(pause):
            raise OutOfTimeError
        self._clock.sleep(pause)

    def _try_once(self, place: _Place[Result]) -> None:
        """Make an attempt; keep its result, or put the job back into the line."""
        self._clock.require_time()
        failure_of_others = self._patience.failure
        if failure_of_others and self._patience.is_over():
            self.results[place.number] = place.last_failure or NotTriedError(failure_of_others)
            return
        try:
            result: Result | Exception = place.job.attempt()
            self._patience.answered()
        except OutOfTimeError:
            raise
        except Exception as error:  # noqa: BLE001 - it is that job's result
            if self._put_back(place, error):
                return
            result = error
        finally:
            self._last_sign = self._clock.monotonic()
        self.results[place.number] = result

    def _put_back(self, place: _Place[Result], error: Exception) -> bool:
        """Put the job back, if its failure may pass and patience lasts; tell if it was."""
        if not is_transient(error) and error_code(error) not in place.job.passing_codes:
            self._patience.answered()
            return False
        now = self._clock.monotonic()
        place.failures += 1
        place.last_failure = error
        place.first_failure = min(place.first_failure, now)
        pause = pause_after(place.failures)
        place.not_before = now + pause
        self._patience.failed(error)
        if self._patience.is_over(place.first_failure, pause):
            return False
        with self._lock:
            heapq.heappush(self._places, place)
        return True


def threads_for(count: int) -> int:
    """Return how many threads begin on so many jobs: half the root of their number.

    A connection costs the processor time of some twenty calls, since the SDK loads its bundle of
    authorities for each. More threads join where calls take long (`MORE_AFTER`).
    """
    half_the_root = max(int(math.sqrt(count) / 2), 1)
    return min(count, half_the_root, THREADS)
