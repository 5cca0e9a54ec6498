"""The configuration, from its URL to its queries: token, fetching, redirects, parsing.

Every failure of fetching begins with FETCH_FAILED. Whatever a URL, a header or an error may hold of
a secret is in no message: a URL is shown without its query string, and a refused one not at all.
"""

import difflib
import email.utils
import functools
import http.client
import json
import logging
import re
import ssl
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from email.message import Message
from typing import IO, Any
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, getproxies

import boto3

from ._calls import CLIENT_CONFIG, TRANSIENT_STATUSES, Calls, Clock, OutOfTimeError, pause_after
from .schedule_manager import QUERY_KEYS, CannotReconcileError, Queries, Settings, describe, quoted

logger = logging.getLogger(__package__)

FETCH_FAILED = "Failed to fetch config from Git: "
FETCH_SECONDS = 30.0  # for all tries, and at most half of what the invocation has left
SOCKET_SECONDS = 10.0  # for one operation on the connection to the Git host
TRIES, FIRST_PAUSE = 4, 1.0  # the pause in seconds, before jitter, unless the host asks for more
MAX_CONFIG_BYTES = 8 * 1024 * 1024
MAX_URL = 2048
HEADERS = {  # hosts refuse urllib's own name; GitHub's contents URL serves the file only for this
    "User-Agent": "athena-schedule-manager",
    "Accept": "application/vnd.github.raw+json, */*",
}
HOST = r"[0-9a-z][0-9a-z._-]*|\[[0-9a-f]*:[0-9a-f:.]*\]"
LOOPBACK = r"localhost|127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|\[::1\]"
URL = re.compile(rf"(?ai)(https://(?:{HOST})|http://(?:{LOOPBACK}))(?::([0-9]{{1,5}}))?/[!-~]*")
MAX_KEYS, MAX_KEY = 100, 50  # so many keys of a query, of so many characters, may have a hint
SHA = re.compile("[0-9a-fA-F]{40}")
SECRET_NAME = re.compile("(?i)token|key|secret|sig|pass")
COMPRESSED = rb"\x1f\x8b|PK\x03\x04|BZh|\xfd7zXZ|\(\xb5/\xfd|x[\x01^\x9c\xda]"
NOT_THE_FILE = (  # how the answer begins, what it is, and what to do
    (rb"\s*\Z", "empty", "verify the URL and the commit"),
    (rb"(\xef\xbb\xbf)?\s*<", "a web page", "verify the URL and the access to it"),
    (rb"version https://git-lfs", "a Git LFS pointer", "keep the file out of Git LFS"),
    (COMPRESSED, "compressed", "use a URL that serves it as it is"),
)


class FetchError(CannotReconcileError):
    """The Git host cannot be reached, or has answered without the file."""

    def __init__(self, url: str, problem: str, retry_after: float | None = None) -> None:
        """Take the URL, what went wrong, and the seconds after which the host wants to be asked."""
        super().__init__(f"{FETCH_FAILED}{redacted(url)}: {problem}")
        self.after = retry_after


class TransientFetchError(FetchError):
    """A fetch failed for a reason that may pass: try again, or use the copy fetched before."""


class RefusedFetchError(FetchError):
    """The Git host answered 401, 403 or 404: the token, if there is one, may have been rotated."""


class ConfigSource:
    """The Git host as one execution environment knows it: token, last good copy, what was said."""

    def __init__(self) -> None:
        """Know nothing yet; urllib's opener is installed at the first fetch."""
        self.copy: tuple[str, bytes] | None = None  # the last usable document of a URL with a SHA
        self._token = ""
        self._has_warned = False
        self._has_opener = False

    def load_queries(
        self, settings: Settings, clock: Clock, candidate: str | None = None, *, dry_run: bool
    ) -> dict[str, object]:
        """Fetch the configuration, or the candidate instead, and return its queries.

        The content behind a commit SHA cannot change, so a copy serves while the Git host is
        unavailable. A dry run leaves no copy and no warning. Raises CannotReconcileError.
        """
        url = url_to_fetch(settings.config_git_url, candidate)
        logger.info("Fetching config from Git: %s", redacted(url))
        pinned = any(SHA.fullmatch(url[begin:end]) for begin, end in revisions(url))
        if not (pinned or dry_run or self._has_warned):
            self._has_warned = True
            logger.warning(
                "CONFIG_GIT_URL has no 40-digit commit SHA: what it names may change unnoticed,"
                " and no copy of it can serve while the Git host is unavailable"
            )
        try:
            document = self.fetch(url, clock, settings.config_git_token_secret_arn)
        except TransientFetchError as error:
            if self.copy is None or self.copy[0] != url:
                raise
            logger.warning("%s; using the copy fetched before", error)
            document = self.copy[1]
        queries = parse_config(document)
        if pinned and not dry_run:
            self.copy = (url, document)
        return queries

    def install_opener(self) -> None:
        """Install urllib's opener, once; it loads the authorities that vouch for Git hosts.

        No proxy is used for http: what goes to loopback is nobody else's.
        """
        if not self._has_opener:
            proxies = ProxyHandler({k: v for k, v in getproxies().items() if k == "https"})
            urllib.request.install_opener(urllib.request.build_opener(RedirectRule, proxies))
            self._has_opener = True

    def fetch(self, url: str, clock: Clock, secret_arn: str = "") -> bytes:
        """Get the document; transient failures are retried, and the secret is read once more.

        Raises CannotReconcileError, and TransientFetchError, which is one, when tries or time end.
        """
        self.install_opener()
        end = clock.monotonic() + min(FETCH_SECONDS, clock.left() / 2)
        may_be_rotated = bool(secret_arn)
        tries = 0
        while True:
            tries += 1
            if secret_arn and not self._token:
                self._token = _read_token(secret_arn, clock, end)
            try:
                return _try(url, self._token if secret_arn else "", clock, end)
            except RefusedFetchError:
                if not may_be_rotated or tries == TRIES:
                    raise
                may_be_rotated, self._token = False, ""
            except TransientFetchError as error:
                pause = pause_after(tries, FIRST_PAUSE) if error.after is None else error.after
                if tries == TRIES or clock.monotonic() + pause >= end:
                    raise
                clock.sleep(pause)


def _read_token(secret_arn: str, clock: Clock, end: float) -> str:
    secrets: Any = boto3.client("secretsmanager", config=CLIENT_CONFIG)
    read = functools.partial(secrets.get_secret_value, SecretId=secret_arn)
    calls = Calls(clock)
    what = f"{FETCH_FAILED}the secret of CONFIG_GIT_TOKEN_SECRET_ARN"
    try:
        secret = calls.alone(lambda: calls.retry(read), max(end - clock.monotonic(), 0.1))
    except Exception as error:
        raise CannotReconcileError(f"{what} cannot be read: {describe(error)}") from error
    token: str = secret.get("SecretString", "")
    if not re.fullmatch('(?![{["])[!-~]+', token):
        raise CannotReconcileError(
            f"{what} must be the plain token: printable ASCII characters without spaces and"
            " newlines, not JSON such as the console's key/value pairs; store it as plain text"
        )
    return token


# --- One request


def _try(url: str, token: str, clock: Clock, end: float) -> bytes:
    left = max(end - clock.monotonic(), 0.1)
    read = functools.partial(_read, url, token, min(left, SOCKET_SECONDS))
    try:
        return Calls(clock).alone(read, left)
    except OutOfTimeError:
        raise TransientFetchError(url, "no whole answer in time") from None


def _read(url: str, token: str, timeout: float) -> bytes:
    try:
        request = Request(url, headers=HEADERS)  # noqa: S310 - check_url
        if token:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - check_url
            document: bytes = response.read(MAX_CONFIG_BYTES + 1)
            missing, code = getattr(response, "length", None), getattr(response, "status", 200)
    except CannotReconcileError:
        raise
    except urllib.error.HTTPError as error:
        raise _http_failure(url, error) from None
    except Exception as error:  # noqa: BLE001 - its text, the cause's too, may hold the query string
        raise _connection_failure(url, error) from None
    if len(document) > MAX_CONFIG_BYTES:
        raise invalid_config(f"it is larger than {MAX_CONFIG_BYTES} bytes")
    if isinstance(code, int) and code != http.HTTPStatus.OK:
        raise FetchError(url, f"HTTP {code} is not an answer with a file")
    if isinstance(missing, int) and missing > 0:
        raise TransientFetchError(url, f"the answer lacks its last {missing} bytes")
    return document


def _http_failure(url: str, error: urllib.error.HTTPError) -> FetchError:
    error.close()
    what = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    if error.code in TRANSIENT_STATUSES:
        return TransientFetchError(url, what, _retry_after(error.headers))
    kind = RefusedFetchError if error.code in {401, 403, 404} else FetchError
    return kind(url, f"{what}; verify CONFIG_GIT_URL, its commit SHA and the access to it")


def _connection_failure(url: str, error: Exception) -> FetchError:
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, OSError) else error
    detail = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
    problem = f"{type(cause).__name__}{detail}"
    may_pass = isinstance(cause, OSError | http.client.HTTPException)
    if may_pass and not isinstance(cause, ssl.SSLCertVerificationError):
        return TransientFetchError(url, problem)
    return FetchError(url, f"{problem}; verify CONFIG_GIT_URL")


def _retry_after(headers: Message | None) -> float | None:
    """Return the seconds of a Retry-After header, which are a number or an HTTP date."""
    value = str(headers.get("Retry-After")) if headers else ""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


class RedirectRule(HTTPRedirectHandler):
    """Hold every hop of a redirect to the rule of CONFIG_GIT_URL, and never leave https.

    The token goes along on the same host alone. The redirect's body is never read.
    """

    def redirect_request(self, req: Request, fp: IO[bytes], *rest: Any) -> Request | None:  # noqa: ANN401 - passed on
        """Return the request that follows to the URL, the last argument, or raise."""
        fp.close()  # or urllib would read it to its end
        check_url(rest[-1], "the redirect of CONFIG_GIT_URL", allow_http=req.type == "http")
        following = super().redirect_request(req, fp, *rest)
        token = req.unredirected_hdrs.get("Authorization")
        if following and token and _origin(rest[-1]) == _origin(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


# --- URLs


def redacted(url: str) -> str:
    """Return the URL with its query string, which may be a token, replaced."""
    return re.sub(r"[?#].*", "?***", url)


def url_to_fetch(url: str, candidate: str | None) -> str:
    """Return the URL, or the candidate if it is the URL at another commit.

    Nothing else of the host can be read with our token. Raises CannotReconcileError.
    """
    check_url(url, "CONFIG_GIT_URL")
    if candidate is None:
        return url
    check_url(candidate, "the event's config_git_url")
    places = list(revisions(url))
    pinned = [place for place in places if SHA.fullmatch(url[slice(*place)])]
    for begin, end in pinned or places:
        revision = candidate[begin : len(candidate) - len(url[end:])]
        if SHA.fullmatch(revision) and candidate == url[:begin] + revision + url[end:]:
            return candidate
    what = "its commit SHA" if pinned else "one path segment or query value"
    raise CannotReconcileError(
        f"The event's config_git_url must be CONFIG_GIT_URL with {what} replaced by a 40-digit SHA"
    )


def revisions(url: str) -> Iterator[tuple[int, int]]:
    """Yield where a revision can be: path segments, and query values not named like a secret."""
    path, _, query = url.partition("#")[0].partition("?")
    for segment in re.compile("/([^/]*)").finditer(path, path.index("/", len("https://"))):
        yield segment.span(1)
    for value in re.finditer("(?:^|&)([^=&]*)=([^&]*)", query):
        if not SECRET_NAME.search(value[1]):
            yield len(path) + 1 + value.start(2), len(path) + 1 + value.end(2)


def check_url(url: str, what: str, *, allow_http: bool = True) -> None:
    """Raise CannotReconcileError unless the URL is https, or http to a loopback host.

    The message never shows the URL: a refused one may hold a password anywhere.
    """
    match = URL.fullmatch(url) if len(url) <= MAX_URL else None
    secure = match and (allow_http or match[1].lower().startswith("https:"))
    if not match or not secure or int(match[2] or 0) > 65535:  # noqa: PLR2004 - the highest port
        raise CannotReconcileError(
            f"{FETCH_FAILED}{what} must look like https://host/path, at most {MAX_URL} printable"
            " ASCII characters, without user and password; http:// is for a loopback host only"
        )


def _origin(url: str) -> tuple[str, str]:
    address, port = URL.findall(url)[0]
    return address.lower(), port or ("443" if address.lower().startswith("https:") else "80")


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
    config = config if isinstance(config, dict) else {}
    if isinstance(queries := config.get("queries"), dict):
        return queries
    if config.keys() & {"content", "documentation_url"}:
        raise invalid_config("the answer describes the file; use the URL of the raw content")
    raise invalid_config("'queries' is missing or not an object")


def invalid_config(problem: str) -> CannotReconcileError:
    """Return the error of a document that is not a configuration."""
    return CannotReconcileError(f"Invalid config from Git: {problem}")


def _object_of_unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise invalid_config(f"the key {quoted(twice)} appears twice in one object; remove one")
    return unique


def _refuse_constant(name: str) -> float:
    raise invalid_config(f"{name} is not JSON")


def hints(queries: Queries) -> list[str]:
    """Return a line for each key of a query that looks like a misspelt key of ours. Pure.

    The file is shared with the Query Executor, so such a key is never refused.
    """
    return [
        f"HINT: query {quoted(query_id)}: {quoted(key)} is not read; did you mean '{near}'?"
        for query_id, query in queries.items()
        if isinstance(query, dict)
        for key in list(query)[:MAX_KEYS]
        if (near := _near_key(key))
    ]


@functools.lru_cache(maxsize=1024)  # the queries of a file have the same few keys
def _near_key(key: str) -> str | None:
    if key in QUERY_KEYS or len(key) > MAX_KEY:
        return None
    plain = re.sub(r"[\s_-]", "", key).lower()
    return next(iter(difflib.get_close_matches(plain, QUERY_KEYS, n=1, cutoff=0.8)), None)
