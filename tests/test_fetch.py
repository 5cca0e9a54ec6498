"""Fetching from a real Git host on loopback that misbehaves in every way the contract names."""

from __future__ import annotations

import email.utils
import io
import json
import logging
import time
import traceback
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from athena_schedule_manager import _git, index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager._git import ConfigSource, TransientFetchError, check_url
from athena_schedule_manager.schedule_manager import CannotReconcileError
from tests.world import (
    QUERIES,
    SETTINGS,
    SHA,
    GitHost,
    document,
    drip,
    hang,
    messages,
    redirect,
    reset,
    settings_environment,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Request, World

BODY = json.dumps({"queries": QUERIES}).encode()
SERVED = document(BODY)
TRIES = 4


def fetched(url: str, pauses: list[float], left: float = 240.0) -> bytes:
    """Fetch without waiting; the pauses that would have been made are noted."""
    return ConfigSource().fetch(url, Clock(lambda: left, sleep=pauses.append))


def cut_off(request: Request) -> None:
    """Answer with fewer bytes than announced."""
    document(BODY[:-5], Content_Length=str(len(BODY)))(request)


def cut_off_chunk(request: Request) -> None:
    """Answer with a chunk that is not whole."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"ff\r\nshort")


def no_http(request: Request) -> None:
    """Answer something else than HTTP."""
    request.wfile.write(b"SSH-2.0-OpenSSH token=secret\r\n")


PASSING = [
    *(
        pytest.param(status(code), id=str(code))
        for code in (408, 429, 500, 501, 502, 503, 504, 505, 520, 522, 525, 530, 599)
    ),
    pytest.param(reset, id="connection reset"),
    pytest.param(cut_off, id="short body"),
    pytest.param(cut_off_chunk, id="short chunk"),
    pytest.param(no_http, id="no HTTP"),
]
FINAL = [400, 401, 403, 404, 405, 410, 418, 451, 499, 300, 304]


@pytest.mark.parametrize("answer", PASSING)
def test_a_failure_that_may_pass_is_tried_again(
    git_host: GitHost, answer: Callable[[Request], None], pauses: list[float]
) -> None:
    """Up to three more times, with pauses that grow and jitter."""
    git_host.answer(answer, answer, answer, SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(git_host.paths) == TRIES
    for pause, longest in zip(pauses, (1.0, 2.0, 4.0), strict=True):
        assert 0 <= pause <= longest


@pytest.mark.parametrize("answer", PASSING)
def test_a_failure_that_lasts_ends_after_four_tries(
    git_host: GitHost, answer: Callable[[Request], None], pauses: list[float]
) -> None:
    """The error begins as the specification's table has it."""
    git_host.answer(answer)
    with pytest.raises(TransientFetchError, match=r"^Failed to fetch config from Git: http://127"):
        fetched(git_host.url(), pauses)
    assert len(git_host.paths) == TRIES


@pytest.mark.parametrize("code", FINAL)
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


def test_a_refusal_after_a_passing_failure_ends_the_tries(
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
    assert len(pauses) == TRIES - 1


def test_a_host_that_says_nothing_is_tried_again(
    git_host: GitHost, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the timeout of the connection, which is shorter than that of all tries."""
    assert _git.SOCKET_SECONDS < _git.FETCH_SECONDS == 30.0
    monkeypatch.setattr(_git, "SOCKET_SECONDS", 0.2)
    git_host.answer(hang, SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(git_host.paths) == 2


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
    within = mock.Mock(return_value=BODY)
    monkeypatch.setattr(_git, "within", within)
    clock = Clock(lambda: left, monotonic=lambda: 1000.0)
    assert ConfigSource().fetch("https://git.example/", clock) == BODY
    assert within.call_args.args[2] == seconds


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
def test_a_retry_after_that_is_none_is_ignored(
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


# --- The URL


@pytest.mark.parametrize(
    "url",
    [
        "https://raw.githubusercontent.com/org/repo/main/config.json",
        "https://git.example:8443/a?ref=main&token=x",
        "https://git.example/@scope/config.json",
        "HTTPS://git.example/",
        "https://[2001:db8::1]/config.json",
        "http://localhost:8000/config.json",
        "http://127.0.0.1/config.json",
        "http://127.8.9.1:80/config.json",
        "http://[::1]:8000/config.json",
    ],
)
def test_a_url_that_may_be_fetched(url: str) -> None:
    """Https everywhere, http to loopback for local runs."""
    check_url(url, "CONFIG_GIT_URL")


REFUSED_URLS = [
    pytest.param("http://git.example/secret", "begin with https", id="http"),
    pytest.param("http://localhost.git.example/secret", "begin with https", id="like loopback"),
    pytest.param("http://127.0.0.1.git.example/secret", "begin with https", id="like an address"),
    pytest.param("http://10.0.0.1/secret", "begin with https", id="http to a private address"),
    pytest.param("http://0.0.0.0/secret", "begin with https", id="http to any address"),
    pytest.param("ftp://git.example/secret", "begin with https", id="ftp"),
    pytest.param("file://localhost/secret", "begin with https", id="file with host"),
    pytest.param("ssh://git.example/secret", "begin with https", id="ssh"),
    pytest.param("file:///secret", "names no host", id="file"),
    pytest.param("data:,secret", "names no host", id="data"),
    pytest.param("secret/config.json", "names no host", id="no scheme"),
    pytest.param("git.example/secret", "names no host", id="host without scheme"),
    pytest.param("https:///secret", "names no host", id="no host"),
    pytest.param("https://:443/secret", "names no host", id="port without host"),
    pytest.param("https://user:secret@git.example/x", "user or password", id="password"),
    pytest.param("https://secret@git.example/x", "user or password", id="user"),
    pytest.param("https://@git.example/secret", "user or password", id="empty user"),
    pytest.param(
        "https://user:sec/ret@git.example/x", "user or password", id="password with slash"
    ),
    pytest.param("https://git.example:99999/secret", "is not a valid URL", id="port too high"),
    pytest.param("https://git.example:port/secret", "is not a valid URL", id="port no number"),
    pytest.param(
        "http://[::1].evil.example/secret", "is not a valid URL", id="name after a bracket"
    ),
    pytest.param("http://[::1%5d.evil.example]/secret", "is not a valid URL", id="escaped bracket"),
    pytest.param("http://[fe80::1%25eth0]/secret", "is not a valid URL", id="zone of an address"),
    pytest.param("https://[1.2.3.4]/secret", "is not a valid URL", id="IPv4 in brackets"),
    pytest.param("https://git.example\\secret/", "is not a valid URL", id="backslash"),
    pytest.param("https://git.example/?" + "secret" * 650, "at most 2048", id="3,900 characters"),
    pytest.param("https://[::1/secret", "is not a valid URL", id="bracket"),
    pytest.param("https://git.example/a secret", "without spaces", id="space"),
    pytest.param("https://git.example/a\nsecret", "without spaces", id="newline"),
    pytest.param("ht\ttps://git.example/secret", "without spaces", id="tab"),
    pytest.param("https://git.example/é/secret", "ASCII", id="not ASCII"),
    pytest.param("https://git.example/secret\x7f", "ASCII", id="control character"),
]


@pytest.mark.parametrize(("url", "problem"), REFUSED_URLS)
def test_a_url_that_may_not_be_fetched_is_refused_before_anything_is_opened(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    problem: str,
) -> None:
    """The error names CONFIG_GIT_URL and nothing of what may be a secret in it."""
    monkeypatch.setattr(urllib.request, "urlopen", pytest.fail)
    monkeypatch.setenv("CONFIG_GIT_URL", url)
    with pytest.raises(CannotReconcileError) as raised:
        world.run()
    assert str(raised.value).startswith("Failed to fetch config from Git: CONFIG_GIT_URL ")
    assert problem in str(raised.value)
    assert messages(caplog, logging.ERROR) == [str(raised.value)]
    assert "secret" not in caplog.text + repr(raised.value)
    assert world.faults.calls == []


# --- Redirects


def test_a_redirect_is_followed(git_host: GitHost, pauses: list[float]) -> None:
    """Git hosts move."""
    git_host.answer(redirect("/elsewhere"), redirect(git_host.url("moved"), 307), SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert git_host.paths[1] == "/elsewhere"


@pytest.mark.parametrize(
    "location",
    [
        "http://git.example/secret",
        "ftp://git.example/secret",
        "file:///etc/secret",
        "data:,secret",
        "https://user:secret@git.example/x",
        "http://user:secret@127.0.0.1/x",
        "https://git.example:secret/",
        "http://127.0.0.1.git.example/secret",
    ],
)
def test_every_hop_of_a_redirect_obeys_the_rule(
    git_host: GitHost, location: str, pauses: list[float]
) -> None:
    """Nothing of the refused URL is shown, and it is not tried again."""
    git_host.answer(redirect("/first"), redirect(location), SERVED)
    with pytest.raises(CannotReconcileError, match=r"^Failed to fetch config from Git: ") as raised:
        fetched(git_host.url(), pauses)
    assert not isinstance(raised.value, TransientFetchError)
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    assert (len(git_host.paths), pauses) == (2, [])


def test_a_redirect_without_end_has_an_end(git_host: GitHost, pauses: list[float]) -> None:
    """It is a refusal."""
    git_host.answer(redirect("/again"))
    with pytest.raises(CannotReconcileError, match="HTTP 302 Found"):
        fetched(git_host.url(), pauses)
    assert pauses == []


def test_a_redirect_never_leaves_https(
    git_host: GitHost, tls_git_host: GitHost, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even to loopback: there are other things than Git hosts in a Lambda's sandbox."""
    monkeypatch.setenv("SSL_CERT_FILE", tls_git_host.certificate_authority)
    tls_git_host.answer(SERVED)
    assert fetched(tls_git_host.url(), pauses) == BODY
    tls_git_host.answer(redirect(git_host.url()))
    git_host.answer(SERVED)
    with pytest.raises(CannotReconcileError, match="must begin with https"):
        fetched(tls_git_host.url(), pauses)
    assert git_host.paths == []
    git_host.answer(redirect(tls_git_host.url()))
    tls_git_host.answer(SERVED)
    assert fetched(git_host.url(), pauses) == BODY


def test_a_certificate_that_nobody_trusts_is_never_tried_again(
    tls_git_host: GitHost, pauses: list[float]
) -> None:
    """It will not change by itself, and the copy must not hide it."""
    tls_git_host.answer(SERVED)
    with pytest.raises(CannotReconcileError, match="SSLCertVerificationError") as raised:
        fetched(tls_git_host.url(), pauses)
    assert not isinstance(raised.value, TransientFetchError)
    assert (tls_git_host.paths, pauses) == ([], [])


def test_the_rule_is_installed_once(git_host: GitHost) -> None:
    """At the first fetch; an opener that somebody installs later stays."""
    source, clock = ConfigSource(), Clock(lambda: 240.0)
    git_host.answer(SERVED)
    source.fetch(git_host.url(), clock)
    opener: Any = urllib.request
    installed = opener._opener
    source.fetch(git_host.url(), clock)
    assert opener._opener is installed


# --- Secrets


@pytest.mark.parametrize("answer", [*PASSING, pytest.param(status(404), id="404")])
def test_the_query_string_is_in_no_log_and_no_error(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Request], None],
) -> None:
    """It may be a token, and the Git host may echo it."""
    caplog.set_level(logging.DEBUG)
    world.git_host.answer(answer)
    monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url() + "?token=secret#secret")
    with pytest.raises(CannotReconcileError) as raised:
        world.run()
    assert "json?***" in str(raised.value)
    assert "secret" not in caplog.text + repr(raised.value)
    assert world.git_host.paths[0].endswith("?token=secret")


def test_the_query_string_is_fetched_but_not_logged(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when all goes well, and in the settings' repr."""
    url = world.git_host.publish({"queries": {}})
    monkeypatch.setenv("CONFIG_GIT_URL", url + "?token=secret")
    world.run()
    assert f"Fetching config from Git: {url}?***" in caplog.messages
    assert "secret" not in caplog.text
    environment = settings_environment("https://git.example/?token=secret")
    assert "=secret" not in repr(index.read_settings(environment))


# --- The copy


@pytest.mark.parametrize("answer", PASSING)
def test_the_copy_of_a_pinned_document_serves_while_the_host_is_unavailable(
    world: World, caplog: pytest.LogCaptureFixture, answer: Callable[[Request], None]
) -> None:
    """Its content cannot change; one WARNING that says copy, and why."""
    world.run(QUERIES)
    world.git_host.answer(answer)
    caplog.clear()
    assert world.run() == {"created": 0, "updated": 0, "deleted": 0, "failed": 0}
    [warning] = messages(caplog, logging.WARNING)
    assert warning.startswith("Failed to fetch config from Git: ")
    assert "copy" in warning
    assert messages(caplog, logging.ERROR) == []
    assert len(world.git_host.paths) == TRIES


@pytest.mark.parametrize("code", FINAL)
def test_no_copy_after_a_refusal(world: World, code: int) -> None:
    """Somebody may have taken the document away."""
    world.run(QUERIES)
    world.git_host.answer(status(code))
    with pytest.raises(CannotReconcileError):
        world.run()


def test_no_copy_of_a_document_that_can_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch has no 40 digits, and neither 39 nor 41 are a SHA."""
    for ref in ("main", "a" * 39, "a" * 41, "g" * 40):
        monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url(ref))
        world.run(QUERIES)
        world.git_host.answer(status(503))
        with pytest.raises(TransientFetchError):
            world.run()


def test_no_copy_of_another_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is that of the very URL, and only the last one is kept."""
    world.run(QUERIES)
    monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url("f" * 40))
    world.git_host.answer(status(503))
    with pytest.raises(TransientFetchError):
        world.run()
    world.run({})
    assert index.environment.source.copy
    assert index.environment.source.copy[0] == world.git_host.url("f" * 40)


def test_a_document_that_was_not_understood_is_no_copy(world: World) -> None:
    """And it does not replace a good one."""
    world.run(QUERIES)
    world.git_host.answer(document(b"<html>"))
    with pytest.raises(CannotReconcileError, match="Invalid config"):
        world.run()
    world.git_host.answer(status(503))
    assert world.run()["failed"] == 0


def test_every_run_fetches(world: World) -> None:
    """The copy is for bad days only."""
    world.run(QUERIES)
    world.run({"weekly": QUERIES["daily-report"]})
    assert world.ours().keys() == {"pn-weekly"}


@pytest.mark.parametrize(
    ("ref", "warnings"),
    [
        ("main", 1),
        ("v1.2.3", 1),
        ("a" * 39, 1),
        ("a" * 41, 1),
        (SHA, 0),
        (SHA.upper(), 0),
        (f"raw?ref={SHA}", 0),
        (f"raw?ref=main&private_token={SHA}", 1),
        (f"main?token={SHA}", 1),
        (f"raw?token={'b' * 40}&at={SHA}", 0),
    ],
)
def test_a_url_without_a_sha_is_served_with_one_warning_per_environment(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ref: str,
    warnings: int,
) -> None:
    """What it names may change without a deployment."""
    base = world.git_host.url("").removesuffix("/query-executor-config.json")
    monkeypatch.setenv("CONFIG_GIT_URL", base + ref)
    world.run(QUERIES)
    world.run()
    found = messages(caplog, logging.WARNING)
    assert len(found) == warnings
    assert all("SHA" in message for message in found)


# --- One patch in a test stands for the Git host


class Answer(io.BytesIO):
    """The least that a stand-in for a response has."""


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
    """With its errors as urllib raises them, and a response that is but a stream."""
    answers: list[Exception | Answer] = [error, Answer(BODY)]

    def urlopen(request: urllib.request.Request, timeout: float) -> Answer:
        assert (request.full_url, timeout) == (f"https://git.example/{SHA}", 10.0)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    clock = Clock(lambda: 240.0, sleep=pauses.append)
    settings = replace(SETTINGS, config_git_url=f"https://git.example/{SHA}")
    assert ConfigSource().load_queries(settings, clock, dry_run=False) == QUERIES
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
    """A ValueError escapes urllib on a Location such as https://[secret; its text is not shown."""

    def urlopen(*_: object, **__: object) -> Answer:
        raise error("secret")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(CannotReconcileError, match=error.__name__) as raised:
        fetched("https://git.example/?secret", pauses)
    assert str(raised.value).startswith(
        "Failed to fetch config from Git: https://git.example/?***:"
    )
    assert "secret" not in "".join(traceback.format_exception(raised.value)).replace("?secret", "")
    assert pauses == []
