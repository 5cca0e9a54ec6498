"""Which URLs may be fetched, where redirects may lead, and that no URL shows its secrets."""

from __future__ import annotations

import http
import logging
import traceback
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager._git import ConfigSource, TransientFetchError
from athena_schedule_manager._urls import origin, url_problem
from athena_schedule_manager._words import CannotReconcileError
from tests.world import GitHost, messages, redirect, settings_environment, status
from tests.world.git_host import BODY, HOST_FAULTS, SERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Request, World


def fetched(url: str, pauses: list[float], left: float = 240.0) -> bytes:
    """Fetch without waiting; the pauses that would have been made are noted."""
    return ConfigSource().fetch(url, Clock(lambda: left, sleep=pauses.append))


@pytest.mark.parametrize(
    "url",
    [
        "https://raw.githubusercontent.com/org/repo/main/config.json",
        "https://git.example:8443/a?ref=main&token=x",
        "https://git.example/@scope/config.json",
        "HTTPS://git.example/",
        "https://[2001:db8::1]/config.json",
        "https://[2001:db8::10]/config.json",
        "http://localhost:8000/config.json",
        "http://127.0.0.1/config.json",
        "http://127.8.9.1:80/config.json",
        "http://127.250.0.255/config.json",
        "http://[::1]:8000/config.json",
    ],
)
def test_a_url_that_may_be_fetched(url: str) -> None:
    """Https everywhere, http to loopback for local runs."""
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "other", "is_same"),
    [
        ("https://git.example/a", "HTTPS://Git.Example:443/b?c=d", True),
        ("http://localhost/a", "http://localhost:80/b", True),
        ("https://git.example/a", "https://git.example:80/a", False),
        ("http://localhost/a", "http://localhost:443/a", False),
        ("https://git.example/a", "https://www.git.example/a", False),
    ],
)
def test_a_token_goes_on_to_the_same_origin_alone(url: str, other: str, is_same: bool) -> None:  # noqa: FBT001 - a case of the table
    """Scheme, host and port, of which each scheme has its own where none is written."""
    assert (origin(url) == origin(other)) is is_same


REFUSED_URLS = {
    "http": "http://git.example/swordfish",
    "like loopback": "http://localhost.git.example/swordfish",
    "like an address": "http://127.0.0.1.git.example/swordfish",
    "http to a private address": "http://10.0.0.1/swordfish",
    "http to any address": "http://0.0.0.0/swordfish",
    "ftp": "ftp://git.example/swordfish",
    "file with host": "file://localhost/swordfish",
    "ssh": "ssh://git.example/swordfish",
    "file": "file:///swordfish",
    "data": "data:,swordfish",
    "no scheme": "swordfish/config.json",
    "host without scheme": "git.example/swordfish",
    "no host": "https:///swordfish",
    "port without host": "https://:443/swordfish",
    "password": "https://user:swordfish@git.example/x",
    "user": "https://swordfish@git.example/x",
    "empty user": "https://@git.example/swordfish",
    "password with slash": "https://user:sec/ret@git.example/x",
    "port too high": "https://git.example:99999/swordfish",
    "port no number": "https://git.example:port/swordfish",
    "name after a bracket": "http://[::1].evil.example/swordfish",
    "escaped bracket": "http://[::1%5d.evil.example]/swordfish",
    "zone of an address": "http://[fe80::1%25eth0]/swordfish",
    "IPv4 in brackets": "https://[1.2.3.4]/swordfish",
    "backslash": "https://git.example\\swordfish/",
    "3,900 characters": "https://git.example/?" + "swordfish" * 650,
    "bracket": "https://[::1/swordfish",
    "space": "https://git.example/a swordfish",
    "newline": "https://git.example/a\nsecret",
    "tab": "ht\ttps://git.example/swordfish",
    "not ASCII": "https://git.example/é/swordfish",
    "control character": "https://git.example/swordfish\x7f",
}


@pytest.mark.parametrize("url", REFUSED_URLS.values(), ids=REFUSED_URLS)
def test_a_url_that_may_not_be_fetched_is_refused_before_anything_is_opened(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The error names CONFIG_GIT_URL and the rule, and nothing of what may be a secret in it."""
    monkeypatch.setattr(urllib.request, "urlopen", pytest.fail)
    monkeypatch.setenv("CONFIG_GIT_URL", url)
    with pytest.raises(CannotReconcileError) as raised:
        world.run()
    assert str(raised.value) == (
        "Failed to fetch config from Git: CONFIG_GIT_URL must look like https://host/path, at most"
        " 2048 printable ASCII characters, without user and password; http:// is for a loopback"
        " host only"
    )
    assert messages(caplog, logging.ERROR) == [str(raised.value)]
    assert "swordfish" not in caplog.text + repr(raised.value)
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
        "http://git.example/swordfish",
        "ftp://git.example/swordfish",
        "file:///etc/swordfish",
        "data:,swordfish",
        "https://user:swordfish@git.example/x",
        "http://user:swordfish@127.0.0.1/x",
        "https://git.example:swordfish/",
        "http://127.0.0.1.git.example/swordfish",
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
    assert "swordfish" not in "".join(traceback.format_exception(raised.value))
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
    with pytest.raises(CannotReconcileError, match="must look like https"):
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


def test_what_else_opens_urls_in_the_process_does_so_as_before(git_host: GitHost) -> None:
    """The opener is everybody's; a thread that has no exchange of its own has none to end."""
    git_host.answer(SERVED, SERVED)
    ConfigSource().fetch(git_host.url(), Clock(lambda: 240.0))
    with urllib.request.urlopen(git_host.url()) as answer:  # noqa: S310 - loopback
        assert answer.status == http.HTTPStatus.OK


def test_the_body_of_a_redirect_is_never_read(git_host: GitHost, pauses: list[float]) -> None:
    """600 MB of it were read, and by a thread that had been given up."""
    sent = []

    def endless_redirect(request: Request) -> None:
        request.send_response(302)
        request.send_header("Location", "/moved")
        request.send_header("Content-Length", str(600 * 1024 * 1024))
        request.end_headers()
        for _ in range(600):
            request.wfile.write(b" " * 1024 * 1024)
            sent.append(1)

    git_host.answer(endless_redirect, SERVED)
    assert fetched(git_host.url(), pauses) == BODY
    assert len(sent) < 40


def test_a_request_names_the_tool_and_asks_for_the_raw_file(
    git_host: GitHost, pauses: list[float]
) -> None:
    """Some hosts answer 403 to urllib's own name; also after a redirect."""
    seen: list[tuple[str | None, str | None]] = []

    def picky(request: Request) -> None:
        headers = request.headers
        seen.append((headers.get("User-Agent"), headers.get("Accept")))
        refused = "urllib" in str(headers.get("User-Agent"))
        (status(403) if refused else SERVED)(request)

    git_host.answer(redirect("/moved"), picky)
    assert fetched(git_host.url(), pauses) == BODY
    assert seen == [("athena-schedule-manager", "application/vnd.github.raw+json, */*")]


# --- Secrets


@pytest.mark.parametrize("answer", [*HOST_FAULTS.values(), status(404)], ids=[*HOST_FAULTS, "404"])
def test_the_query_string_is_in_no_log_and_no_error(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Request], None],
) -> None:
    """It may be a token, and the Git host may echo it."""
    caplog.set_level(logging.DEBUG)
    world.git_host.answer(answer)
    monkeypatch.setenv("CONFIG_GIT_URL", world.git_host.url() + "?token=swordfish#swordfish")
    with pytest.raises(CannotReconcileError) as raised:
        world.run()
    assert "json?***" in str(raised.value)
    assert "swordfish" not in caplog.text + repr(raised.value)
    assert world.git_host.paths[0].endswith("?token=swordfish")


def test_the_query_string_is_fetched_but_not_logged(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when all goes well, and in the settings' repr."""
    url = world.git_host.publish({"queries": {}})
    monkeypatch.setenv("CONFIG_GIT_URL", url + "?token=swordfish")
    world.run()
    assert f"Fetching config from Git: {url}?***" in caplog.messages
    assert "swordfish" not in caplog.text
    environment = settings_environment("https://git.example/?token=swordfish")
    assert "=swordfish" not in repr(index.read_settings(environment))
