"""The configuration, from its URL to its queries: token, fetching, redirects, parsing.

Every failure of fetching begins with FETCH_FAILED, but for a document that is too large. Whatever
a URL, a header or an error may hold of a secret is in no message: a URL is shown without its query
string, and a refused one not at all.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import json
import logging
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from email.message import Message
from typing import IO, Any
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
)

from ._calls import (
    TRANSIENT_STATUSES,
    Call,
    Calls,
    Clock,
    OutOfTimeError,
    make_client,
    pause_after,
    reading_answer,
)
from ._urls import candidate_problem, origin, pinned_revisions, redacted, url_problem
from ._words import CannotReconcileError, describe, quoted

logger = logging.getLogger(__package__)

FETCH_FAILED = "Failed to fetch config from Git: "
FETCH_SECONDS = 30.0  # for all tries, and at most half of what the invocation has left
SHORTEST_TRY = 0.1  # seconds that one has at least
SOCKET_SECONDS = 10.0  # for one operation on the connection to the Git host
TRIES = 4
FIRST_PAUSE = 1.0  # seconds before jitter, unless the host says how long
MAX_CONFIG_BYTES = 8 * 1024 * 1024
PIECE = 64 * 1024  # bytes that are read at a time, however small the host's chunks are
HEADERS = {  # hosts refuse urllib's own name; GitHub's contents URL serves the file only for this
    "User-Agent": "athena-schedule-manager",
    "Accept": "application/vnd.github.raw+json, */*",
}
SIGNS = {  # headers that tell what a refusal is
    "cf-mitigated": "a challenge for browsers; let the host allow the function, or use its API",
    "X-GitHub-SSO": "the organisation's single sign-on; authorize the token for the organisation",
}
REFUSED_STATUSES = {401, 403, 404}
TOKEN = re.compile("[!-~]+")  # printable ASCII: what a header can carry
JSON_BEGINNINGS = ("{", "[", '"')
COMPRESSED = rb"\x1f\x8b|PK\x03\x04|BZh|\xfd7zXZ|\(\xb5/\xfd|x[\x01^\x9c\xda]"
METADATA_KEYS = {"content", "documentation_url", "gitObjectType"}  # GitHub, Azure DevOps
NOT_THE_FILE = (  # how the answer begins, what it is, and what to do
    (rb"\s*\Z", "empty", "verify the URL and the commit"),
    (rb"(\xef\xbb\xbf)?\s*<", "a web page", "verify the URL and the access to it"),
    (rb"version https://git-lfs", "a Git LFS pointer", "keep the file out of Git LFS"),
    (COMPRESSED, "compressed", "use a URL that serves it as it is"),
)


class FetchError(CannotReconcileError):
    """The Git host cannot be reached, or has answered without the file.

    `after`: the seconds after which the host wants to be asked again, if it says so.
    """

    def __init__(self, url: str, problem: str, retry_after: float | None = None) -> None:
        super().__init__(f"{FETCH_FAILED}{redacted(url)}: {problem}")
        self.after = retry_after


class TransientFetchError(FetchError):
    """A fetch failed for a reason that may pass: try again, or use the copy fetched before."""


class RefusedFetchError(FetchError):
    """The Git host refused, with 401, 403, 404 or a sign: the token may have been rotated."""


class ConfigSource:
    """The Git host as one execution environment knows it: token, last good copy, what was said."""

    def __init__(self) -> None:
        self.copy: tuple[str, bytes] | None = None  # the last usable document of a URL with a SHA
        self._token = ""
        self._has_warned = False
        self._has_opener = False

    def load_queries(
        self,
        url: str,
        secret_arn: str,
        clock: Clock,
        candidate: str | None = None,
        *,
        dry_run: bool,
    ) -> dict[str, object]:
        """Fetch the configuration, or the candidate instead, and return its queries.

        The content behind a commit SHA cannot change, so a copy serves while the Git host is
        unavailable. A dry run leaves no copy and no warning. Raises CannotReconcileError.
        """
        fetched = url_to_fetch(url, candidate)
        logger.info("Fetching config from Git: %s", redacted(fetched))
        is_pinned = bool(pinned_revisions(fetched))
        if not (is_pinned or dry_run or self._has_warned):
            self._has_warned = True
            logger.warning(
                "CONFIG_GIT_URL has no 40-digit commit SHA: what it names may change unnoticed,"
                " and no copy of it can serve while the Git host is unavailable"
            )
        try:
            document = self.fetch(fetched, clock, secret_arn)
        except TransientFetchError as error:
            if self.copy is None or self.copy[0] != fetched:
                raise
            logger.warning("%s; using the copy fetched before", error)
            document = self.copy[1]
        queries = parse_config(document)
        if is_pinned and not dry_run:
            self.copy = (fetched, document)
        return queries

    def install_opener(self) -> None:
        """Install urllib's opener, once; it loads the authorities that vouch for Git hosts.

        No proxy is used for http: what goes to loopback must not leave the machine.
        """
        if not self._has_opener:
            proxies = {scheme: url for scheme, url in getproxies().items() if scheme == "https"}
            opener = build_opener(WatchedHandler(), RedirectRule, ProxyHandler(proxies))
            urllib.request.install_opener(opener)
            self._has_opener = True

    def fetch(self, url: str, clock: Clock, secret_arn: str = "") -> bytes:
        """Get the document; transient failures are retried, and the secret is read once more.

        Raises CannotReconcileError, and TransientFetchError, which is one, when tries or time end.
        """
        self.install_opener()
        end = clock.monotonic() + min(FETCH_SECONDS, clock.left() / 2)
        may_be_rotated = bool(secret_arn)
        refusal: RefusedFetchError | None = None
        tries = 0
        while True:
            tries += 1
            if secret_arn and not self._token:
                self._token = read_token(secret_arn, clock, end)
            token = self._token if secret_arn else ""
            try:
                return fetch_once(url, token, clock, end)
            except RefusedFetchError as error:
                if not may_be_rotated or tries == TRIES:
                    raise
                refusal = error
                may_be_rotated = False
                self._token = ""
            except TransientFetchError as error:
                pause = pause_after(tries, FIRST_PAUSE) if error.after is None else error.after
                if tries == TRIES or clock.monotonic() + pause >= end:
                    raise refusal or error from None  # no copy serves after a refusal
                clock.sleep(pause)


def read_token(secret_arn: str, clock: Clock, end: float) -> str:
    """Read the token of the Git host. Raises CannotReconcileError."""
    client = make_client("secretsmanager")

    def read() -> str:
        with reading_answer():
            secret = client.get_secret_value(SecretId=secret_arn)
            return str(secret.get("SecretString", ""))

    what = f"{FETCH_FAILED}the secret of CONFIG_GIT_TOKEN_SECRET_ARN"
    try:
        token = Calls(clock).do(Call(read), max(end - clock.monotonic(), SHORTEST_TRY))
    except Exception as error:
        raise CannotReconcileError(f"{what} cannot be read: {describe(error)}") from error
    if not TOKEN.fullmatch(token) or token.startswith(JSON_BEGINNINGS):
        raise CannotReconcileError(
            f"{what} must be the plain token: printable ASCII characters without spaces and"
            " newlines, not JSON such as the console's key/value pairs; store it as plain text"
        )
    return token


# --- One request


def fetch_once(url: str, token: str, clock: Clock, end: float) -> bytes:
    """Make one request; nothing of it is waited for after `end`.

    Raises FetchError, or CannotReconcileError for a redirect or a document that is refused.
    """
    seconds = max(end - clock.monotonic(), SHORTEST_TRY)
    exchange = Exchange(url, token, min(seconds, SOCKET_SECONDS))
    try:
        return Calls(clock).do(exchange, seconds)
    except OutOfTimeError:
        exchange.give_up()
        raise TransientFetchError(url, "no whole answer in time") from None


class Exchange:
    """One request to the Git host and its answer, which can be given up from another thread.

    `timeout` is for one operation on the connection: a host that drips never exceeds it.
    """

    passing_codes = ()

    def __init__(self, url: str, token: str, timeout: float) -> None:
        self._url = url
        self._token = token
        self._timeout = timeout
        self._sockets: list[socket.socket] = []
        self._is_given_up = False

    def attempt(self) -> bytes:
        """Return the document. Raises what `fetch_once` does."""
        _this_thread.exchange = self  # the connections are made in this thread
        try:
            return self._download()
        except CannotReconcileError:
            raise
        except urllib.error.HTTPError as error:
            raise _http_failure(self._url, error) from None
        except Exception as error:  # noqa: BLE001 - its text, the cause's too, may hold the query string
            raise _connection_failure(self._url, error) from None

    def _download(self) -> bytes:
        request = Request(self._url, headers=HEADERS)  # noqa: S310 - url_problem
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - url_problem
            if response.status != http.HTTPStatus.OK:
                raise FetchError(self._url, _no_file(response.status))
            document = bytearray()
            while piece := response.read(PIECE):
                document += piece
                if len(document) > MAX_CONFIG_BYTES:
                    raise invalid_config(f"it is larger than {MAX_CONFIG_BYTES} bytes")
            missing = response.length  # None: the host has announced no length
        if missing:  # which read(n) does not report
            raise TransientFetchError(self._url, f"the answer lacks its last {missing} bytes")
        return bytes(document)

    def watch(self, connection: socket.socket) -> None:
        """Take note of a connection that the exchange has made, to end it when it is given up."""
        self._sockets.append(connection)
        if self._is_given_up:
            self.give_up()

    def give_up(self) -> None:
        """Close the connections: otherwise a hostile host could keep the thread reading."""
        self._is_given_up = True
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                # not the method of a TLS socket, after which a send would go out in plain text
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _ThisThread(threading.local):
    exchange: Exchange | None = None


_this_thread = _ThisThread()


def _watch(connection: http.client.HTTPConnection) -> None:
    if _this_thread.exchange:
        _this_thread.exchange.watch(connection.sock)


class _WatchedConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _watch(self)


class _WatchedTlsConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _watch(self)


class WatchedHandler(HTTPSHandler, HTTPHandler):
    """Open URLs by connections that their exchange knows."""

    def __init__(self) -> None:
        self._context = ssl.create_default_context()
        self._context.set_alpn_protocols(["http/1.1"])
        super().__init__(context=self._context)

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        """Open a URL of a loopback host."""
        return self.do_open(_WatchedConnection, req)

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        """Open an https URL."""
        return self.do_open(_WatchedTlsConnection, req, context=self._context)


def _no_file(status: int) -> str:
    if status == http.HTTPStatus.NON_AUTHORITATIVE_INFORMATION:
        return f"HTTP {status} is a sign-in page, not the file; verify the access to it"
    return f"HTTP {status} is not an answer with a file"


def _http_failure(url: str, error: urllib.error.HTTPError) -> FetchError:
    error.close()
    headers = error.headers or Message()
    what = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    if error.code == http.HTTPStatus.FORBIDDEN and _says_rate_limit(headers):
        what = f"{what}: the host's rate limit is used up"
        return TransientFetchError(url, what, _retry_after(headers))
    if error.code in TRANSIENT_STATUSES:
        return TransientFetchError(url, what, _retry_after(headers))
    for header, sign in SIGNS.items():
        if header in headers:
            return RefusedFetchError(url, f"{what}: {sign}")
    kind = RefusedFetchError if error.code in REFUSED_STATUSES else FetchError
    return kind(url, f"{what}; verify CONFIG_GIT_URL, its commit SHA and the access to it")


def _says_rate_limit(headers: Message) -> bool:
    return headers.get("x-ratelimit-remaining", "").strip() == "0" or "Retry-After" in headers


def _connection_failure(url: str, error: Exception) -> FetchError:
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, OSError) else error
    problem = type(cause).__name__
    if isinstance(cause, OSError) and cause.strerror:
        problem = f"{problem}: {cause.strerror}"
    may_pass = isinstance(cause, OSError | http.client.HTTPException)
    if may_pass and not isinstance(cause, ssl.SSLCertVerificationError):
        return TransientFetchError(url, problem)
    return FetchError(url, f"{problem}; verify CONFIG_GIT_URL")


def _retry_after(headers: Message) -> float | None:
    """Return the seconds of a Retry-After header, which are a number or an HTTP date."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(moment.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


class RedirectRule(HTTPRedirectHandler):
    """Hold every hop of a redirect to the rule of CONFIG_GIT_URL, and never leave https.

    The token goes along on the same host alone. The redirect's body is never read.
    """

    def redirect_request(self, req: Request, fp: IO[bytes], *rest: Any) -> Request | None:  # noqa: ANN401 - passed on
        """Return the request that follows to the URL, the last argument, or raise."""
        fp.close()  # or urllib would read it to its end
        target: str = rest[-1]
        if problem := url_problem(target, allow_http=req.type == "http"):
            raise CannotReconcileError(f"{FETCH_FAILED}the redirect of CONFIG_GIT_URL {problem}")
        following = super().redirect_request(req, fp, *rest)
        token = req.unredirected_hdrs.get("Authorization")
        if following and token and origin(target) == origin(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


def url_to_fetch(url: str, candidate: str | None) -> str:
    """Return the URL, or the candidate if it is the URL at another commit.

    Raises CannotReconcileError, before anything is opened.
    """
    if problem := url_problem(url):
        raise CannotReconcileError(f"{FETCH_FAILED}CONFIG_GIT_URL {problem}")
    if candidate is None:
        return url
    if problem := url_problem(candidate):
        raise CannotReconcileError(f"{FETCH_FAILED}the event's config_git_url {problem}")
    if problem := candidate_problem(url, candidate):
        raise CannotReconcileError(f"The event's config_git_url {problem}")
    return candidate


# --- The document


def parse_config(document: bytes) -> dict[str, object]:
    """Return the document's queries by id; a missing 'queries' never means {}.

    Raises CannotReconcileError that says what the document is instead.
    """
    for beginning, what, cure in NOT_THE_FILE:
        if re.match(beginning, document):
            raise invalid_config(f"the answer is {what}, not the file; {cure}")
    try:
        config = json.loads(
            document.decode("utf-8-sig"),
            object_pairs_hook=_object_of_unique_keys,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise invalid_config("it is nested too deeply") from error
    except ValueError as error:
        reason = str(error).partition(";")[0]  # what follows is advice for programmers
        raise invalid_config(f"it is not UTF-8 JSON: {reason}") from error
    if isinstance(config, dict) and isinstance(config.get("queries"), dict):
        queries: dict[str, object] = config["queries"]
        return queries
    raise invalid_config(_what_it_is(config))


def _what_it_is(config: object) -> str:
    """Say what an answer is instead of a configuration, as far as its shape tells."""
    is_list = isinstance(config, list) and config != []
    keys = config.keys() if isinstance(config, dict) else set()
    if "queries" not in keys and (is_list or "values" in keys):
        return "the answer is a folder's listing; verify that the URL names the file"
    if "queries" not in keys and keys & METADATA_KEYS:
        return "the answer describes the file; use the URL of the raw content"
    return "'queries' is missing or not an object"


def invalid_config(problem: str) -> CannotReconcileError:
    """Return the error of a document that is not a configuration."""
    return CannotReconcileError(f"Invalid config from Git: {problem}")


def _object_of_unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise invalid_config(f"the key {quoted(twice)} appears twice in one object; remove one")
    return unique


def _refuse_constant(name: str) -> float:
    raise invalid_config(f"{name} is not JSON")
