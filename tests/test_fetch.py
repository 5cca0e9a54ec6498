"""Fetching from a real Git host on loopback that misbehaves in every way the contract names."""

from __future__ import annotations

import email.utils
import io
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from athena_schedule_manager import _calls, _git
from athena_schedule_manager._calls import Clock
from athena_schedule_manager._git import ConfigSource, TransientFetchError
from athena_schedule_manager._words import CannotReconcileError
from tests.world import QUERIES, SHA, GitHost, document, drip, hang, status
from tests.world.git_host import BODY, HOST_FAULTS, REFUSALS, SERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Request


def fetched(url: str, pauses: list[float], left: float = 240.0) -> bytes:
    """Fetch without waiting; the pauses that would have been made are noted."""
    return ConfigSource().fetch(url, Clock(lambda: left, sleep=pauses.append))


@pytest.mark.parametrize("answer", HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_a_failure_that_may_pass_is_tried_again(
    git_host: GitHost, answer: Callable[[Request], None], pauses: list[float]
) -> None:
    """Up to three more times, with pauses that grow and jitter."""
    git_host.answer(answer, answer, answer, SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(git_host.paths) == _git.TRIES
    for pause, longest in zip(pauses, (1.0, 2.0, 4.0), strict=True):
        assert 0 <= pause <= longest


@pytest.mark.parametrize("answer", HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_a_failure_that_lasts_ends_after_four_tries(
    git_host: GitHost, answer: Callable[[Request], None], pauses: list[float]
) -> None:
    """The error begins as the specification's table has it."""
    git_host.answer(answer)
    with pytest.raises(TransientFetchError, match=r"^Failed to fetch config from Git: http://127"):
        fetched(git_host.url(), pauses)
    assert len(git_host.paths) == _git.TRIES


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_never_tried_again(git_host: GitHost, code: int, pauses: list[float]) -> None:
    """It says what to verify: a 404 may be a private repository too."""
    git_host.answer(status(code))
    with pytest.raises(CannotReconcileError) as raised:
        fetched(git_host.url(), pauses)
    assert not isinstance(raised.value, TransientFetchError)
    assert str(raised.value).startswith(
        f"Failed to fetch config from Git: {git_host.url()}: HTTP {code}"
    )
    assert "verify CONFIG_GIT_URL" in str(raised.value)
    assert (len(git_host.paths), pauses) == (1, [])


@pytest.mark.parametrize("code", [201, 202, 206])
def test_only_200_is_an_answer_with_the_file(
    git_host: GitHost, code: int, pauses: list[float]
) -> None:
    """A part of the file, or a promise of it, must not delete schedules."""
    git_host.answer(document(BODY, code))
    with pytest.raises(CannotReconcileError, match=f"HTTP {code} is not an answer with a file"):
        fetched(git_host.url(), pauses)


def test_a_proxy_is_asked_for_https_alone(
    git_host: GitHost, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes to loopback over http, a token included, is nobody else's."""
    git_host.answer(SERVED)
    with GitHost().running() as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert fetched(git_host.url(), pauses) == BODY
        assert proxy.paths == []
        with pytest.raises(CannotReconcileError, match=r"OSError$"):
            fetched("https://git.example/config.json", pauses)


def test_a_refusal_after_a_transient_failure_ends_the_tries(
    git_host: GitHost, pauses: list[float]
) -> None:
    """What counts is the last answer."""
    git_host.answer(status(503), status(404), SERVED)
    with pytest.raises(CannotReconcileError, match="HTTP 404 Not Found"):
        fetched(git_host.url(), pauses)


def test_a_host_that_refuses_connections_is_tried_again(pauses: list[float]) -> None:
    """It may be restarting."""
    host = GitHost()
    host.server_close()
    with pytest.raises(TransientFetchError, match=r": ConnectionRefusedError: Connection refused$"):
        fetched(host.url(), pauses)
    assert len(pauses) == _git.TRIES - 1


def test_a_host_that_says_nothing_is_tried_again(
    git_host: GitHost, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the timeout of the connection, which is shorter than that of all tries."""
    assert _git.SOCKET_SECONDS < _git.FETCH_SECONDS == 30.0
    monkeypatch.setattr(_git, "SOCKET_SECONDS", 0.5)
    git_host.answer(hang, SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(git_host.paths) >= 2


@pytest.mark.parametrize("answer", [drip, hang])
def test_all_tries_together_have_an_end(
    git_host: GitHost,
    answer: Callable[[Request], None],
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the body drips, so that no socket ever times out."""
    monkeypatch.setattr(_git, "FETCH_SECONDS", 0.4)
    git_host.answer(answer)
    with pytest.raises(TransientFetchError, match=r"no whole answer in time|TimeoutError"):
        fetched(git_host.url(), pauses)
    assert (len(git_host.paths), pauses) == (1, [])


@pytest.mark.parametrize(("left", "seconds"), [(240.0, 30.0), (60.0, 30.0), (20.0, 10.0)])
def test_fetching_takes_half_of_what_the_invocation_has_left_at_most(
    monkeypatch: pytest.MonkeyPatch, left: float, seconds: float
) -> None:
    """So that an error can still be logged before the function is stopped."""
    waits = []

    def do(_: _calls.Calls, job: object, seconds: float) -> bytes:
        assert job
        waits.append(seconds)
        return BODY

    monkeypatch.setattr(_calls.Calls, "do", do)
    clock = Clock(lambda: left, monotonic=lambda: 1000.0)
    assert ConfigSource().fetch("https://git.example/", clock) == BODY
    assert waits == [seconds]


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_in_seconds_is_honoured(
    git_host: GitHost, code: int, pauses: list[float]
) -> None:
    """Instead of our own pause."""
    git_host.answer(status(code, Retry_After="7"), status(code, Retry_After="0"), SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert pauses == [7.0, 0.0]


def test_retry_after_as_a_date_is_honoured(git_host: GitHost, pauses: list[float]) -> None:
    """One in the past means now."""
    soon = email.utils.formatdate(time.time() + 9, usegmt=True)
    past = email.utils.formatdate(time.time() - 9, usegmt=True)
    git_host.answer(status(429, Retry_After=soon), status(429, Retry_After=past), SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert 5 < pauses[0] <= 9
    assert pauses[1] == 0.0


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "NaN", "²", "Wed, 99 Foo 2026"])
def test_a_malformed_retry_after_is_ignored(
    git_host: GitHost, value: str, pauses: list[float]
) -> None:
    """Our own pause is made."""
    git_host.answer(status(429, Retry_After=value), SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert 0 <= pauses[0] <= 1.0


@pytest.mark.parametrize("value", ["31", "86400", "9" * 5000, "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_retry_after_longer_than_the_time_left_ends_the_tries(
    git_host: GitHost, value: str, pauses: list[float]
) -> None:
    """Waiting for it is the next run's business."""
    git_host.answer(status(429, Retry_After=value), SERVED)
    with pytest.raises(TransientFetchError, match="HTTP 429 Too Many Requests"):
        fetched(git_host.url(), pauses)
    assert (len(git_host.paths), pauses) == (1, [])


# --- The document's size


def test_the_largest_document_is_read(git_host: GitHost, pauses: list[float]) -> None:
    """8 MiB."""
    body = b" " * 8 * 1024 * 1024
    git_host.answer(document(body))
    assert fetched(git_host.url(), pauses) == body


def test_a_larger_document_is_refused(git_host: GitHost, pauses: list[float]) -> None:
    """Once and for all: no other try makes it smaller."""
    git_host.answer(document(b" " * (8 * 1024 * 1024 + 1)))
    with pytest.raises(CannotReconcileError, match=r"^Invalid config from Git: it is larger than"):
        fetched(git_host.url(), pauses)
    assert len(git_host.paths) == 1


def test_an_endless_document_is_refused(git_host: GitHost, pauses: list[float]) -> None:
    """One that announces no length."""

    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    git_host.answer(endless)
    with pytest.raises(CannotReconcileError, match=r"^Invalid config from Git: it is larger than"):
        fetched(git_host.url(), pauses)


def test_a_chunked_document_is_read(git_host: GitHost, pauses: list[float]) -> None:
    """It announces no length either."""

    def chunked(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for byte in BODY:
            request.wfile.write(b"1\r\n" + bytes([byte]) + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")

    git_host.answer(chunked)
    assert fetched(git_host.url(), pauses) == BODY


# --- One patch in a test is enough for the Git host


class Answer(io.BytesIO):
    """A stand-in for a response."""

    status = 200
    length = 0


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.HTTPError("https://git.example", 429, "", None, None),  # type: ignore[arg-type]
        urllib.error.URLError("no reason"),
        urllib.error.URLError(TimeoutError("slow")),
        TimeoutError("slow"),
        ConnectionResetError(),
    ],
    ids=repr,
)
def test_one_patch_of_urlopen_stands_for_the_git_host(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], error: Exception
) -> None:
    """With its errors as urllib raises them, and a stand-in for a response."""
    answers: list[Exception | Answer] = [error, Answer(BODY)]

    def urlopen(request: urllib.request.Request, timeout: float) -> Answer:
        assert (request.full_url, timeout) == (f"https://git.example/{SHA}", 10.0)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    clock = Clock(lambda: 240.0, sleep=pauses.append)
    url = f"https://git.example/{SHA}"
    assert ConfigSource().load_queries(url, "", clock, dry_run=False) == QUERIES
    assert len(pauses) == 1


def test_an_error_of_the_system_is_told_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """Where it has some: those are no text of the host's."""
    errors = [OSError(111, "Connection refused"), OSError("secret"), TimeoutError()]
    texts = []
    for error in errors:
        fail = mock.Mock(side_effect=urllib.error.URLError(error))
        monkeypatch.setattr(urllib.request, "urlopen", fail)
        with pytest.raises(TransientFetchError) as raised:
            fetched("https://git.example/", pauses)
        texts.append(str(raised.value).partition("example/: ")[2])
    assert texts == ["ConnectionRefusedError: Connection refused", "OSError", "TimeoutError"]


@pytest.mark.parametrize("error", [ValueError, RuntimeError, UnicodeError, AttributeError])
def test_an_error_that_nobody_foresaw_is_a_failed_fetch_without_its_text(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], error: type[Exception]
) -> None:
    """A ValueError escapes urllib on a Location such as https://[x; its text is not shown."""

    def urlopen(*_: object, **__: object) -> Answer:
        raise error("swordfish")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(CannotReconcileError, match=error.__name__) as raised:
        fetched("https://git.example/?swordfish", pauses)
    assert str(raised.value).startswith(
        "Failed to fetch config from Git: https://git.example/?***:"
    )
    assert "swordfish" not in "".join(traceback.format_exception(raised.value)).replace(
        "?swordfish", ""
    )
    assert pauses == []


# --- What a refusal is


@pytest.mark.parametrize("headers", [{"x_ratelimit_remaining": "0"}, {"Retry_After": "3"}], ids=str)
def test_a_403_that_says_a_rate_limit_is_tried_again(
    git_host: GitHost, pauses: list[float], headers: dict[str, str]
) -> None:
    """As a 429 is."""
    git_host.answer(status(403, **headers), SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(git_host.paths) == 2
    git_host.answer(status(403, **headers | {"Retry_After": "0"}))
    with pytest.raises(TransientFetchError, match="the host's rate limit is used up"):
        fetched(git_host.url(), pauses)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(403, cf_mitigated="challenge"), "HTTP 403 Forbidden: a challenge for browsers"),
        (status(403, X_GitHub_SSO="required; url=x"), "HTTP 403 Forbidden: the organisation's"),
        (status(404, x_ratelimit_remaining="0"), "HTTP 404 Not Found; verify"),
        (status(403, x_ratelimit_remaining="1"), "HTTP 403 Forbidden; verify"),
        (status(203), "HTTP 203 is a sign-in page, not the file"),
    ],
)
def test_what_a_refusal_is_is_said_where_it_tells(
    git_host: GitHost, pauses: list[float], answer: Callable[[Request], None], words: str
) -> None:
    """By a header, or by the status."""
    git_host.answer(answer)
    with pytest.raises(CannotReconcileError, match=words):
        fetched(git_host.url(), pauses)
    assert len(git_host.paths) == 1


# --- Answers that are costly


def chunks(size: int, body: bytes) -> Callable[[Request], None]:
    """Answer with a body in chunks of a size."""
    pieces = [body[begin : begin + size] for begin in range(0, len(body), size)]
    sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)

    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(sent)
        request.wfile.write(b"0\r\n\r\n")

    return answer


def test_small_chunks_cost_no_memory(git_host: GitHost, pauses: list[float]) -> None:
    """An answer that is longer by two-byte chunks costs its length more, and not 70 times that."""
    peaks = []
    for length in (200_000, 400_000):
        body = b" " * length
        git_host.answer(chunks(2, body))
        tracemalloc.start()
        try:
            assert fetched(git_host.url(), pauses) == body
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 5 * 200_000


def endless(begin: bytes, again: bytes) -> tuple[Callable[[Request], None], threading.Event]:
    """Answer without an end; the event is set when nobody reads any more."""
    over = threading.Event()

    def answer(request: Request) -> None:
        try:
            request.wfile.write(begin)
            while not request.server.closing.wait(0.001):
                request.wfile.write(again)
        except OSError:
            over.set()

    return answer, over


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "white space": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "small chunks": (HEAD, b"1\r\n \r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "a chunk's extension": (HEAD + b"1;", b"x"),
    "trailers": (HEAD + b"0\r\n", b"x: y\r\n"),
}


def check_that_it_is_closed(host: GitHost, kind: str) -> None:
    """Give up an exchange with a host that never ends; nobody reads from it afterwards."""
    answer, over = endless(*ENDLESS[kind])
    host.answer(answer)
    with pytest.raises(CannotReconcileError):
        ConfigSource().fetch(host.url(), Clock(lambda: 240.0))
    assert over.wait(20)


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_connection_of_an_exchange_that_is_given_up_is_closed(
    git_host: GitHost, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """So that no thread goes on reading, whatever the host sends."""
    monkeypatch.setattr(_git, "FETCH_SECONDS", 0.3)
    check_that_it_is_closed(git_host, kind)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_tls_connection_of_an_exchange_that_is_given_up_is_closed(
    tls_git_host: GitHost, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is what Git hosts have."""
    monkeypatch.setenv("SSL_CERT_FILE", tls_git_host.certificate_authority)
    monkeypatch.setattr(_git, "FETCH_SECONDS", 0.5)
    check_that_it_is_closed(tls_git_host, kind)


def test_a_connection_that_stands_after_its_exchange_was_given_up_is_closed() -> None:
    """A name lookup may take longer than the run."""
    exchange = _git.Exchange("https://git.example/", "", 1.0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        exchange.give_up()
        exchange.watch(ours)
        assert theirs.recv(1) == b""


def test_a_tls_connection_that_is_given_up_sends_nothing_in_plain_text() -> None:
    """A TLS socket's own shutdown would take away its cipher first, and the token goes out."""
    exchange = _git.Exchange("https://git.example/", "", 1.0)
    ours, theirs = socket.socketpair()
    context = ssl.create_default_context()
    with (
        theirs,
        context.wrap_socket(
            ours, server_hostname="git.example", do_handshake_on_connect=False
        ) as connection,
    ):
        exchange.watch(connection)
        exchange.give_up()
        assert connection._sslobj is not None  # type: ignore[attr-defined] # what encrypts
        with pytest.raises(OSError, match=r".*"):
            connection.sendall(b"swordfish")
