"""The configuration, from its URL to its queries: token, fetching, redirects, parsing.

Every failure of fetching begins with FETCH_FAILED. Whatever a URL, a header or an error may hold of
a secret is in no message: a URL is shown without its query string, and a refused one not at all.
"""

from __future__ import annotations

import email.utils
import functools
import http.client
import ipaddress
import json
import logging
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

import boto3

from ._calls import CLIENT_CONFIG, Calls, OutOfTimeError, pauses, within
from .schedule_manager import CannotReconcileError, describe, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from ._calls import Clock
    from .schedule_manager import Settings

logger = logging.getLogger(__package__)

FETCH_FAILED = "Failed to fetch config from Git: "
FETCH_SECONDS = 30.0  # for all tries, and at most half of what the invocation has left
SOCKET_SECONDS = 10.0  # for one operation on the connection to the Git host
TRIES = 4
FIRST_PAUSE = 1.0  # seconds before the second try, before jitter, unless the host asks for more
MAX_CONFIG_BYTES = 8 * 1024 * 1024
MAX_URL = 2048
HEADERS = {  # hosts refuse urllib's own name; GitHub's contents URL serves the file only for this
    "User-Agent": "athena-schedule-manager",
    "Accept": "application/vnd.github.raw+json, */*",
}
AUTHORITY = re.compile(r"([0-9A-Za-z][0-9A-Za-z._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
SHA = re.compile("[0-9a-fA-F]{40}")
SECRET_NAME = re.compile("(?i)token|key|secret|sig|pass")
COMPRESSED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ",
    b"(\xb5/\xfd",
    b"x\x01",
    b"x^",
    b"x\x9c",
    b"x\xda",
)


class TransientFetchError(CannotReconcileError):
    """A fetch failed for a reason that may pass: try again, or use the copy fetched before."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Take the message, and the pause in seconds that the Git host asked for, if any."""
        super().__init__(message)
        self.retry_after = retry_after


class RefusedFetchError(CannotReconcileError):
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
        if not pinned and not dry_run:
            self._warn_of_moving_url()
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

    def _warn_of_moving_url(self) -> None:
        if not self._has_warned:
            logger.warning(
                "CONFIG_GIT_URL has no 40-digit commit SHA: what it names may change unnoticed,"
                " and no copy of it can serve while the Git host is unavailable"
            )
        self._has_warned = True

    def fetch(self, url: str, clock: Clock, secret_arn: str = "") -> bytes:
        """Get the document, trying again while the failure may pass, and once with the token anew.

        Raises CannotReconcileError, TransientFetchError of it when tries or time are over.
        """
        if not self._has_opener:
            urllib.request.install_opener(urllib.request.build_opener(RedirectRule))
            self._has_opener = True
        end = clock.monotonic() + min(FETCH_SECONDS, clock.left() / 2)
        self._read_token(secret_arn, clock, end)
        may_be_rotated = bool(secret_arn)
        next_pause = pauses(FIRST_PAUSE)
        tries = TRIES
        while True:
            try:
                return self._try(url, clock, end)
            except RefusedFetchError:
                if not may_be_rotated:
                    raise
                may_be_rotated, self._token = False, ""
                self._read_token(secret_arn, clock, end)
            except TransientFetchError as error:
                tries -= 1
                pause = next(next_pause) if error.retry_after is None else error.retry_after
                if not tries or clock.monotonic() + pause >= end:
                    raise
                clock.sleep(pause)

    def _try(self, url: str, clock: Clock, end: float) -> bytes:
        left = max(end - clock.monotonic(), 0.1)
        read = functools.partial(_read, url, self._token, min(left, SOCKET_SECONDS))
        try:
            return within(read, clock, left)
        except OutOfTimeError:
            raise TransientFetchError(_fetch_message(url, "no whole answer in time")) from None

    def _read_token(self, secret_arn: str, clock: Clock, end: float) -> None:
        """Read the token unless it is known. Raises CannotReconcileError."""
        if not secret_arn:
            self._token = ""
        if self._token or not secret_arn:
            return
        secrets: Any = boto3.client("secretsmanager", config=CLIENT_CONFIG)
        read = functools.partial(secrets.get_secret_value, SecretId=secret_arn)
        calls = Calls(clock)
        try:
            secret = within(lambda: calls.retry(read), clock, max(end - clock.monotonic(), 0.1))
        except OutOfTimeError:
            raise _token_failure("cannot be read in time") from None
        except Exception as error:
            raise _token_failure(f"cannot be read: {describe(error)}") from error
        self._token = _plain_token(secret.get("SecretString", ""))


def _plain_token(secret: str) -> str:
    if secret.lstrip().startswith(("{", "[", '"')):
        raise _token_failure(
            "must be the plain token, not JSON such as the console's key/value pairs;"
            " store it as plain text"
        )
    if not re.fullmatch("[!-~]+", secret):
        raise _token_failure(
            "must be a plain token of printable ASCII characters, without spaces and newlines"
        )
    return secret


def _token_failure(problem: str) -> CannotReconcileError:
    what = f"the secret of CONFIG_GIT_TOKEN_SECRET_ARN {problem}"
    return CannotReconcileError(f"{FETCH_FAILED}{what}")


# --- One request


def _read(url: str, token: str, timeout: float) -> bytes:
    try:
        request = urllib.request.Request(url, headers=HEADERS)  # noqa: S310 - check_url
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
        raise CannotReconcileError(_fetch_message(url, f"HTTP {code} is not an answer with a file"))
    if isinstance(missing, int) and missing > 0:
        raise TransientFetchError(_fetch_message(url, f"the answer lacks its last {missing} bytes"))
    return document


def _http_failure(url: str, error: urllib.error.HTTPError) -> CannotReconcileError:
    error.close()
    what = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".rstrip()
    if error.code in {408, 429} or error.code >= 500:  # noqa: PLR2004 - statuses of HTTP
        return TransientFetchError(_fetch_message(url, what), _retry_after(error.headers))
    if error.code < 400:  # noqa: PLR2004 - the rest of the redirects
        what = f"{what}: a redirect that cannot be followed; verify CONFIG_GIT_URL"
        return CannotReconcileError(_fetch_message(url, what))
    kind = RefusedFetchError if error.code in {401, 403, 404} else CannotReconcileError
    return kind(
        _fetch_message(url, f"{what}; verify CONFIG_GIT_URL, its commit SHA and the access to it")
    )


def _connection_failure(url: str, error: Exception) -> CannotReconcileError:
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, OSError) else error
    detail = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
    message = _fetch_message(url, f"{type(cause).__name__}{detail}")
    may_pass = isinstance(cause, OSError | http.client.HTTPException)
    if may_pass and not isinstance(cause, ssl.SSLCertVerificationError):
        return TransientFetchError(message)
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


class RedirectRule(urllib.request.HTTPRedirectHandler):
    """Hold every hop of a redirect to the rule of CONFIG_GIT_URL, and never leave https.

    The token goes along on the same host alone. The redirect's body is never read.
    """

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        *rest: Any,  # noqa: ANN401 - passed on
    ) -> urllib.request.Request | None:
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
        f"The event's config_git_url must be CONFIG_GIT_URL with {what} replaced by a 40-digit"
        " commit SHA, and nothing else changed"
    )


def revisions(url: str) -> Iterator[tuple[int, int]]:
    """Yield where a revision can be: path segments, and query values not named like a secret."""
    path, _, query = url.partition("#")[0].partition("?")
    begin = 0
    for number, segment in enumerate(path.split("/")):
        if number > 2:  # noqa: PLR2004 - behind the scheme, nothing, and the authority
            yield begin, begin + len(segment)
        begin += len(segment) + 1
    for pair in query.split("&"):
        name, mark, _ = pair.partition("=")
        if mark and not SECRET_NAME.search(name):
            yield begin + len(name) + 1, begin + len(pair)
        begin += len(pair) + 1


def check_url(url: str, what: str, *, allow_http: bool = True) -> None:
    """Raise CannotReconcileError unless the URL is https, or http to a loopback host.

    The message never shows the URL: a refused one may hold a password anywhere.
    """
    if problem := _url_problem(url, allow_http=allow_http):
        raise CannotReconcileError(f"{FETCH_FAILED}{what} {problem}")


def _url_problem(url: str, *, allow_http: bool) -> str | None:
    if len(url) > MAX_URL or not re.fullmatch("[!-~]+", url):
        return (
            f"must be at most {MAX_URL} printable ASCII characters without spaces;"
            " percent-encode the others"
        )
    try:
        scheme, authority, *_ = urllib.parse.urlsplit(url)
        host = "" if authority[:1] in {"", ":"} else _host_and_port(authority)[0]
    except ValueError:
        return "is not a valid URL" if "@" not in url else "must not hold a user or password"
    if not host:
        return "names no host; it must look like https://host/path"
    if scheme == "https" or (allow_http and scheme == "http" and _is_loopback(host)):
        return None
    return "must begin with https:// (http:// only to a loopback host)"


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Return the host in lower case and the port, or raise ValueError."""
    match = AUTHORITY.fullmatch(authority)
    port = int(match[2][1:] or 0) if match and match[2] else None
    if match is None or (port or 0) > 65535:  # noqa: PLR2004 - the highest port
        raise ValueError
    if authority.startswith("["):
        return str(ipaddress.IPv6Address(match[1][1:-1])), port
    return match[1].lower(), port


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urllib.parse.urlsplit(url)
    host, port = _host_and_port(parts.netloc)
    return parts.scheme, host, port or {"https": 443, "http": 80}.get(parts.scheme)


# --- The document


def parse_config(document: bytes) -> dict[str, object]:
    """Return the document's queries by id; a missing 'queries' never means {}.

    Raises CannotReconcileError that says what the document is instead.
    """
    if problem := _document_problem(document):
        raise invalid_config(problem)
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
    if not isinstance(config, dict):
        raise invalid_config("it must be an object with the key 'queries'")
    queries = config.get("queries")
    if isinstance(queries, dict):
        return queries
    if config.keys() & {"content", "documentation_url"}:
        raise invalid_config(
            "the answer is a description of the file by the host's API, not the file;"
            " use the URL of the raw content"
        )
    raise invalid_config("'queries' is missing or not an object")


def _document_problem(document: bytes) -> str | None:
    if not document.strip():
        return "it is empty"
    if document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "the answer is a web page, not the file; verify the URL and the access to it"
    if document.startswith(b"version https://git-lfs"):
        return "the answer is a Git LFS pointer, not the file; keep the file out of Git LFS"
    if document.startswith(COMPRESSED):
        return "the answer is compressed, not the file; use a URL that serves it as it is"
    return None


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
