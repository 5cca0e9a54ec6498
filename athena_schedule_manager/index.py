"""The Lambda function's shell around the core in `schedule_manager`.

One invocation: settings from the environment, the configuration from Git, the reconciliation, the
counters. Here are the log format, the rules of fetching, and the one client.
"""

from __future__ import annotations

import email.utils
import functools
import http.client
import ipaddress
import json
import logging
import math
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, dataclass, fields, replace
from typing import IO, TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .schedule_manager import (
    THREADS,
    CannotReconcileError,
    Clock,
    ExistingSchedule,
    Result,
    ScheduleGroup,
    Settings,
    brief,
    describe,
    one_line,
    preview_plan,
    reconcile,
    with_jitter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

logger = logging.getLogger(__package__)

FETCH_FAILED = "Failed to fetch config from Git: "  # every failure here begins so
FETCH_SECONDS = 30.0  # for all tries, and never more than half of what the invocation has left
SOCKET_SECONDS = 10.0  # for one operation on the connection to the Git host
FETCH_PAUSES = (0.5, 1.0, 2.0)  # seconds before each further try, unless the Git host asks for more
PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_CONFIG_BYTES = 8 * 1024 * 1024
DRY_RUN = "DRY RUN "  # before every line of a dry run
LONGEST_INVOCATION = 900_000  # milliseconds that a call by hand, without a context, has left


def handler(event: object, context: object) -> dict[str, Any]:
    """Reconcile once and return {"created": n, "updated": n, "deleted": n, "failed": n}.

    Raises what made comparing impossible, after one ERROR line and before any write. A dry run
    returns "changes" too, or {"error": "..."} alone, and logs nothing above INFO; a wrong event
    of ours is refused with an error in the same way.
    """
    set_up_logging(getattr(context, "aws_request_id", None))
    milliseconds = getattr(context, "get_remaining_time_in_millis", lambda: LONGEST_INVOCATION)
    clock = Clock(lambda: milliseconds() / 1000)
    try:
        order = read_order(event)
    except CannotReconcileError as error:
        logger.info("%s%s", DRY_RUN, error)  # nothing is done, whatever was meant
        return {"error": str(error)}
    return preview(order, clock) if order.dry_run else run(order, clock)


@dataclass(frozen=True, slots=True)
class Order:
    """What an event asks for beyond the usual; events of EventBridge ask for nothing."""

    dry_run: bool = False
    config_git_url: str | None = None
    max_deletions: int | None = None


def read_order(event: object) -> Order:
    """Read our keys of an event. Raises CannotReconcileError for one of a wrong type."""
    asked = event if isinstance(event, dict) else {}
    ours = {key.name: asked[key.name] for key in fields(Order) if key.name in asked}
    order = Order(**ours)
    limit = order.max_deletions
    if type(order.dry_run) is not bool:
        raise CannotReconcileError(
            f"The event's dry_run must be true or false, not {brief(order.dry_run)}"
        )
    if "max_deletions" in ours and (type(limit) is not int or limit < 0):
        raise CannotReconcileError(
            f"The event's max_deletions must be a whole number, 0 or more, not {brief(limit)}"
        )
    if "config_git_url" in ours and not (order.dry_run and isinstance(order.config_git_url, str)):
        raise CannotReconcileError(
            "The event's config_git_url must be a string, and goes with dry_run: true only"
        )
    return order


def run(order: Order, clock: Clock) -> dict[str, Any]:
    """Reconcile, and log how it ended."""
    try:
        results = _reconcile(order, clock)
    except Exception as error:
        logger.error("%s", _sentence(error))  # noqa: TRY400 - one line, without a traceback
        raise
    logger.info("Reconciliation complete: %s", json.dumps(results))
    return results


def preview(order: Order, clock: Clock) -> dict[str, Any]:
    """Do the same up to the point of applying; what is logged is marked and never above INFO."""
    logger.addFilter(_as_dry_run)
    try:
        return _reconcile(order, clock, preview_plan)
    except Exception as error:  # noqa: BLE001 - told to who asked, and it must ring no alarm
        logger.info("%s", _sentence(error))
        return {"error": _sentence(error)}
    finally:
        logger.removeFilter(_as_dry_run)


def _as_dry_run(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    record.msg = f"{DRY_RUN}{record.msg}"
    return True


def _sentence(error: Exception) -> str:
    foreseen = isinstance(error, CannotReconcileError)
    return str(error) if foreseen else f"Unexpected error: {describe(error)}"


def _reconcile(order: Order, clock: Clock, *carry_out: Any) -> dict[str, Any]:  # noqa: ANN401
    settings = read_settings(os.environ)
    remembered = dict(memory(settings)) if order.dry_run else memory(settings)
    if order.max_deletions is not None:
        settings = replace(settings, max_deletions=order.max_deletions)
    queries = load_queries(settings, clock, order)
    group = ScheduleGroup(scheduler_client(), settings, clock)
    return reconcile(group, settings, queries, remembered, *carry_out)


# the default timeouts of 60 s and the legacy retry mode would outlast the function
CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 8},
)


@functools.cache
def scheduler_client() -> EventBridgeSchedulerClient:
    """Return the execution environment's client, which outlives the invocation."""
    return boto3.client("scheduler", config=CLIENT_CONFIG)


@functools.lru_cache(maxsize=1)
def memory(settings: Settings) -> dict[str, ExistingSchedule]:  # noqa: ARG001 - the key
    """Return what the execution environment remembers of the schedules, while settings last."""
    return {}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings; blank is not set. Raises CannotReconcileError naming all that miss."""
    values: dict[str, Any] = {}
    missing = []
    for setting in fields(Settings):
        name = setting.name.upper()
        if value := environ.get(name, "").strip():
            values[setting.name] = value
        elif setting.default is MISSING:
            missing.append(name)
    if missing:
        raise CannotReconcileError(
            f"Missing required environment variables: {', '.join(missing)};"
            " set them in the function's configuration"
        )
    if limit := values.get("max_deletions"):
        if not re.fullmatch("[0-9]{1,9}", limit):
            raise CannotReconcileError(
                f"MAX_DELETIONS must be a whole number, 0 or more, not {brief(limit)}"
            )
        values["max_deletions"] = int(limit)
    return Settings(**values)


# --- The log


class LineFormatter(logging.Formatter):
    """`timestamp aws_request_id level message`: UTC with milliseconds, and one event one line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, request_id: str, end: str) -> None:
        """Take the id for records that carry none, and what ends a line."""
        super().__init__(
            "%(asctime)s %(aws_request_id)s %(levelname)s %(message)s",
            defaults={"aws_request_id": request_id},
        )
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        """Format the record with a traceback, if it has one, on the same line."""
        return one_line(super().format(record)) + self._end


def set_up_logging(request_id: str | None) -> None:
    """Give the handlers of the root logger our format, and show our own INFO lines.

    The runtime has put its handler there, whose filter adds the request id to every record. It
    writes what it gets, so its lines need an end; handlers of streams have a terminator.
    """
    logging.basicConfig()  # does nothing in the runtime: only without one there is no handler
    logger.setLevel(logging.INFO)
    for log_handler in logging.getLogger().handlers:
        end = "" if hasattr(log_handler, "terminator") else "\n"
        log_handler.setFormatter(LineFormatter(request_id or "-", end))


# --- The configuration from Git


class PassingFetchError(CannotReconcileError):
    """A fetch failed for a reason that may pass: try again, or use the copy fetched before."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Take the message, and the pause in seconds that the Git host asked for, if any."""
        super().__init__(message)
        self.retry_after = retry_after


class RefusedFetchError(CannotReconcileError):
    """The Git host answered 401, 403 or 404: the token, if there is one, may have been rotated."""


# the last usable document by its URL, at most one, and only of a URL that holds a commit SHA
_copies: dict[str, bytes] = {}


def load_queries(settings: Settings, clock: Clock, order: Order) -> dict[str, object]:
    """Fetch the configuration, or the candidate that the event names, and return its queries.

    The content behind a commit SHA cannot change, so a copy serves while the Git host is unwell.
    A dry run leaves no copy and uses up no warning. Raises CannotReconcileError.
    """
    url = _url_to_fetch(settings.config_git_url, order.config_git_url)
    logger.info("Fetching config from Git: %s", redacted(url))
    without_tokens = re.sub(r"(?i)[^?&]*(token|key|secret|sig|pass)[^?&=]*=[^&]*", "", url)
    pinned = re.search(r"(?i)(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", without_tokens)
    if not pinned and not order.dry_run:
        warn_of_moving_url()
    try:
        document = fetch(url, clock, settings.config_git_token_secret_arn)
    except PassingFetchError as error:
        if url not in _copies:
            raise
        logger.warning("%s; using the copy fetched before", error)
        document = _copies[url]
    queries = parse_config(document)
    if pinned and not order.dry_run:
        _copies.clear()
        _copies[url] = document
    return queries


def _url_to_fetch(url: str, candidate: str | None) -> str:
    check_url(url, "CONFIG_GIT_URL")
    if candidate is None:
        return url
    check_url(candidate, "the event's config_git_url")
    if _origin(candidate) != _origin(url):
        raise CannotReconcileError(
            "The event's config_git_url must have the scheme, host and port of CONFIG_GIT_URL"
        )
    return candidate


@functools.cache
def warn_of_moving_url() -> None:
    """Warn once an execution environment."""
    logger.warning(
        "CONFIG_GIT_URL holds no 40-digit commit SHA: what it names may change unnoticed,"
        " and no copy of it can serve while the Git host is down"
    )


def fetch(url: str, clock: Clock, secret_arn: str = "") -> bytes:
    """Get the document, trying again while the failure may pass, and once with the secret anew.

    Raises CannotReconcileError, or its kind PassingFetchError when the tries or the time are over.
    """
    install_redirect_rule()
    end = time.monotonic() + min(FETCH_SECONDS, clock.left() / 2)
    token = _token_until(end, secret_arn)
    pauses = iter(FETCH_PAUSES)
    may_be_rotated = bool(token)
    while True:
        try:
            return _read_until(end, url, token)
        except RefusedFetchError:
            if not may_be_rotated:
                raise
            may_be_rotated = False
            git_token.cache_clear()
            token = _token_until(end, secret_arn)
        except PassingFetchError as error:
            pause = next(pauses, math.inf)
            delay = with_jitter(pause) if error.retry_after is None else error.retry_after
            if pause == math.inf or time.monotonic() + delay >= end:
                raise
            clock.sleep(delay)


@functools.cache
def git_token(secret_arn: str) -> str:
    """Return the secret, read once an execution environment. Raises CannotReconcileError."""
    secrets: Any = boto3.client("secretsmanager", config=CLIENT_CONFIG)
    try:
        token = secrets.get_secret_value(SecretId=secret_arn).get("SecretString", "")
    except Exception as error:
        raise _token_failure(f"cannot be read: {describe(error)}") from error
    if not re.fullmatch("[!-~]+", token):
        raise _token_failure(
            "must be a plain string of printable ASCII characters, without spaces and newlines"
        )
    return str(token)


def _token_until(end: float, secret_arn: str) -> str:
    try:
        return _call_until(end, git_token, secret_arn) if secret_arn else ""
    except TimeoutError:
        raise _token_failure("cannot be read in time") from None


def _token_failure(problem: str) -> CannotReconcileError:
    what = f"the secret of CONFIG_GIT_TOKEN_SECRET_ARN {problem}"
    return CannotReconcileError(f"{FETCH_FAILED}{what}")


def _read_until(end: float, url: str, token: str) -> bytes:
    timeout = min(max(end - time.monotonic(), 0.1), SOCKET_SECONDS)
    try:
        return _call_until(end, _read, url, token, timeout)
    except TimeoutError:
        raise PassingFetchError(_fetch_message(url, "no whole answer in time")) from None


def _call_until(end: float, call: Callable[..., Result], *arguments: object) -> Result:
    """Call in a thread of its own: no timeout of a socket ends a host that drips.

    Raises TimeoutError when the time is over; the thread is abandoned.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(call, *arguments).result(max(end - time.monotonic(), 0.1))
    finally:
        pool.shutdown(wait=False)


def _read(url: str, token: str, timeout: float) -> bytes:
    try:
        asked: str | urllib.request.Request = url
        if token:
            asked = urllib.request.Request(url)  # noqa: S310 - check_url
            asked.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(asked, timeout=timeout) as response:  # noqa: S310 - check_url
            document: bytes = response.read(MAX_CONFIG_BYTES + 1)
            missing = getattr(response, "length", None)
    except CannotReconcileError:
        raise
    except urllib.error.HTTPError as error:
        raise _http_failure(url, error) from None
    except Exception as error:  # noqa: BLE001 - its text, the cause's too, may hold the query string
        raise _connection_failure(url, error) from None
    if len(document) > MAX_CONFIG_BYTES:
        raise _invalid_config(f"it is larger than {MAX_CONFIG_BYTES} bytes")
    if isinstance(missing, int) and missing > 0:
        raise PassingFetchError(_fetch_message(url, f"the answer lacks its last {missing} bytes"))
    return document


def _http_failure(url: str, error: urllib.error.HTTPError) -> CannotReconcileError:
    error.close()
    what = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    if error.code in PASSING_STATUSES:
        return PassingFetchError(_fetch_message(url, what), _retry_after(error.headers))
    kind = RefusedFetchError if error.code in {401, 403, 404} else CannotReconcileError
    return kind(
        _fetch_message(url, f"{what}; verify CONFIG_GIT_URL, its commit SHA and the access to it")
    )


def _connection_failure(url: str, error: Exception) -> CannotReconcileError:
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, OSError) else error
    detail = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
    message = _fetch_message(url, f"{type(cause).__name__}{detail}")
    passing = isinstance(cause, OSError | http.client.HTTPException)
    if passing and not isinstance(cause, ssl.SSLCertVerificationError):
        return PassingFetchError(message)
    return CannotReconcileError(f"{message}; verify CONFIG_GIT_URL")


def _fetch_message(url: str, what: str) -> str:
    return f"{FETCH_FAILED}{redacted(url)}: {what}"


def _retry_after(headers: Message | None) -> float | None:
    """Return the seconds of a Retry-After header, which are a number or an HTTP date."""
    value = str(headers.get("Retry-After")) if headers else ""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def redacted(url: str) -> str:
    """Return the URL with its query string, which may be a token, replaced."""
    return re.sub(r"[?#].*", "?***", url)


def check_url(url: str, what: str, *, allow_http: bool = True) -> None:
    """Raise CannotReconcileError unless the URL is https, or http to a loopback host.

    The message never shows the URL: a refused one may hold a password anywhere.
    """
    if problem := _url_problem(url, allow_http=allow_http):
        raise CannotReconcileError(f"{FETCH_FAILED}{what} {problem}")


def _url_problem(url: str, *, allow_http: bool) -> str | None:
    if not re.fullmatch("[!-~]+", url):
        return "must be of printable ASCII characters without spaces; percent-encode the others"
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no valid URL"
    if not host:
        return "names no host; it must look like https://host/path"
    if "@" in parts.netloc:
        return "must not hold a user or password"
    if parts.scheme == "https" or (allow_http and parts.scheme == "http" and _is_loopback(host)):
        return None
    return "must begin with https:// (http:// only to a loopback host)"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


class RedirectRule(urllib.request.HTTPRedirectHandler):
    """Hold every hop of a redirect to the rule of CONFIG_GIT_URL, and never leave https.

    The token goes along on the same host alone.
    """

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        *rest: Any,  # noqa: ANN401 - passed on
    ) -> urllib.request.Request | None:
        """Return the request that follows to the URL, the last argument, or raise."""
        try:
            check_url(rest[-1], "the redirect of CONFIG_GIT_URL", allow_http=req.type == "http")
        except CannotReconcileError:
            fp.close()
            raise
        following = super().redirect_request(req, fp, *rest)
        token = req.unredirected_hdrs.get("Authorization")
        if following and token and _origin(rest[-1]) == _origin(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


@functools.cache
def install_redirect_rule() -> None:
    """Make urlopen follow RedirectRule, once an execution environment."""
    urllib.request.install_opener(urllib.request.build_opener(RedirectRule))


def parse_config(document: bytes) -> dict[str, object]:
    """Return the document's queries by id. Raises CannotReconcileError: absence is no {}."""
    if not document.strip():
        raise _invalid_config("it is empty")
    try:
        config = json.loads(
            document.decode("utf-8-sig"),
            object_pairs_hook=_object_of_unique_keys,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise _invalid_config("it is nested too deeply") from error
    except ValueError as error:
        raise _invalid_config(f"it is not UTF-8 JSON: {error}") from error
    if not isinstance(config, dict):
        raise _invalid_config("it must be an object with the key queries")
    queries = config.get("queries")
    if not isinstance(queries, dict):
        raise _invalid_config(
            "queries must be there and be an object; to delete every schedule, write {} for it"
        )
    return queries


def _invalid_config(problem: str) -> CannotReconcileError:
    return CannotReconcileError(f"Invalid config from Git: {problem}")


def _object_of_unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise _invalid_config(f"the key {brief(twice)} stands twice in one object; remove one")
    return unique


def _refuse_constant(name: str) -> float:
    raise _invalid_config(f"{name} is not JSON")
