"""Private repositories: the token from Secrets Manager, sent to one host and shown nowhere."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3
import pytest
from moto.secretsmanager.models import secretsmanager_backends

from athena_schedule_manager import _calls, _git, index
from athena_schedule_manager._words import CannotReconcileError
from tests.world import (
    NOTHING_DONE,
    QUERIES,
    GitHost,
    document,
    error_response,
    messages,
    redirect,
    response,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Request, World

TOKEN = "token-of-the-repository"  # noqa: S105 - made up


class Secret:
    """A secret in moto's Secrets Manager, and how often it was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the secret and name it in the environment."""
        secretsmanager_backends.reset()
        self.client: Any = boto3.client("secretsmanager")
        self.arn = self.client.create_secret(Name="git-token", SecretString=TOKEN)["ARN"]
        monkeypatch.setenv("CONFIG_GIT_TOKEN_SECRET_ARN", self.arn)

    def rotate(self, token: str) -> None:
        """Give it another value."""
        self.client.put_secret_value(SecretId=self.arn, SecretString=token)


@pytest.fixture
def secret(world: World, monkeypatch: pytest.MonkeyPatch) -> Secret:
    """Return a secret in the world."""
    del world
    return Secret(monkeypatch)


def guarded(token: str) -> Callable[[Request], None]:
    """Answer like GitHub: 404 without the token."""

    def answer(request: Request) -> None:
        authorized = request.headers.get("Authorization") == f"Bearer {token}"
        (document(b'{"queries": {}}') if authorized else status(404))(request)

    return answer


def authorizations(host: GitHost, *before: Callable[[Request], None]) -> list[str | None]:
    """Let a host answer, then note the Authorization of every request, and serve."""
    seen: list[str | None] = []

    def answer(request: Request) -> None:
        seen.append(request.headers.get("Authorization"))
        document(b'{"queries": {}}')(request)

    host.answer(*before, answer)
    return seen


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every reading of a secret."""
    made: list[str] = []

    def noted(service: str) -> Any:
        made.append(service)
        return _calls.make_client(service)

    monkeypatch.setattr(_git, "make_client", noted)
    return made


def test_the_token_is_sent_and_read_once_per_execution_environment(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a bearer."""
    del secret
    made = reads(monkeypatch)
    world.git_host.answer(guarded(TOKEN))
    assert [world.run() for _ in range(3)] == [NOTHING_DONE] * 3
    assert made == ["secretsmanager"]


def test_without_the_variable_nothing_is_sent_and_nothing_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public repository needs no token."""
    made = reads(monkeypatch)
    seen = authorizations(world.git_host)
    world.run()
    assert (seen, made) == ([None], [])


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_refusal_reads_the_secret_once_more(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It may have been rotated."""
    world.git_host.answer(guarded(TOKEN))
    world.run()
    secret.rotate("new-token")
    made = reads(monkeypatch)
    world.git_host.answer(status(code), guarded("new-token"))
    assert world.run() == NOTHING_DONE
    assert made == ["secretsmanager"]


def test_a_refusal_that_lasts_is_an_error(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two requests in all; other refusals read nothing again."""
    del secret
    world.git_host.answer(status(404))
    with pytest.raises(CannotReconcileError, match="HTTP 404"):
        world.run()
    assert len(world.git_host.paths) == 2
    made = reads(monkeypatch)
    world.git_host.answer(status(410))
    with pytest.raises(CannotReconcileError, match="HTTP 410"):
        world.run()
    assert (len(world.git_host.paths), made) == (1, [])


@pytest.mark.parametrize("codes", [(500, 500, 404), (500, 500, 500, 404), (404, 500, 500, 500)])
def test_a_rotated_token_is_tried_within_the_four_tries(
    world: World, secret: Secret, codes: tuple[int, ...]
) -> None:
    """However the refusal is mixed with failures that pass."""
    del secret
    world.git_host.answer(*map(status, codes), document(b'{"queries": {}}'))
    if len(codes) < _git.TRIES:
        assert world.run() == NOTHING_DONE
    else:
        with pytest.raises(CannotReconcileError, match="HTTP 404"):
            world.run()
    assert len(world.git_host.paths) == _git.TRIES


def test_a_redirect_elsewhere_gets_no_token(world: World, secret: Secret) -> None:
    """Another port is another host; on the same host it goes along."""
    del secret
    with GitHost().running() as elsewhere:
        seen = authorizations(elsewhere)
        world.git_host.answer(redirect(elsewhere.url()))
        world.run()
        assert seen == [None]
        elsewhere.answer(redirect(world.git_host.url()))
        seen = authorizations(world.git_host, redirect(elsewhere.url()))
        world.run()
        assert seen == [None]
    seen = authorizations(world.git_host, redirect("/moved"))
    world.run()
    assert (seen, world.git_host.paths[1:]) == ([f"Bearer {TOKEN}"], ["/moved"])


@pytest.mark.parametrize(
    "value",
    ['{"token": "x"}', '["x"]', '"x"', "two\nlines", "end\n", "nul\0", "sp ace", "é", "\x7f", " "],
)
def test_a_secret_that_is_no_token_fetches_nothing_and_is_not_shown(
    world: World, caplog: pytest.LogCaptureFixture, secret: Secret, value: str
) -> None:
    """Control characters would end the header; urllib would print them."""
    secret.rotate(value)
    with pytest.raises(CannotReconcileError, match="CONFIG_GIT_TOKEN_SECRET_ARN must be") as raised:
        world.run(QUERIES)
    assert world.git_host.paths == []
    assert value == " " or value not in str(raised.value)
    assert messages(caplog, logging.ERROR) == [str(raised.value)]


def test_a_secret_that_cannot_be_read_fetches_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, denied, or no string: the error names the variable."""
    monkeypatch.setenv("CONFIG_GIT_TOKEN_SECRET_ARN", "arn:aws:secretsmanager:none")
    with pytest.raises(CannotReconcileError, match="CONFIG_GIT_TOKEN_SECRET_ARN cannot be read: "):
        world.run(QUERIES)
    client: Any = boto3.client("secretsmanager")
    arn = client.create_secret(Name="binary", SecretBinary=b"x")["ARN"]
    monkeypatch.setenv("CONFIG_GIT_TOKEN_SECRET_ARN", arn)
    with pytest.raises(CannotReconcileError, match="CONFIG_GIT_TOKEN_SECRET_ARN must be"):
        world.run(QUERIES)
    assert world.git_host.paths == []


def test_a_secrets_manager_that_is_throttled_for_a_while_is_asked_again(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the one retry rule: the SDK makes one attempt."""
    client: Any = boto3.client("secretsmanager", config=_calls.CLIENT_CONFIG)
    answers = [error_response("ThrottlingException", 429), error_response("InternalError", 500)]
    events: Any = client.meta.events
    events.register("before-send", lambda **_: answers.pop() if answers else None)
    monkeypatch.setattr(_git, "make_client", lambda _: client)
    world.git_host.answer(guarded(TOKEN))
    assert (world.run(), answers, len(world.pauses)) == (NOTHING_DONE, [], 2)
    assert secret.arn


def test_a_secrets_manager_that_hangs_is_not_waited_for(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is a part of that of fetching."""
    del secret
    over = threading.Event()
    monkeypatch.setattr(_git, "FETCH_SECONDS", 0.2)
    hanging = mock.Mock(get_secret_value=lambda **_: over.wait(10))
    monkeypatch.setattr(_git, "make_client", lambda _: hanging)
    with pytest.raises(
        CannotReconcileError, match="CONFIG_GIT_TOKEN_SECRET_ARN cannot be read: out"
    ):
        world.run(QUERIES)
    over.set()
    assert world.git_host.paths == []


def test_the_token_is_in_no_log_no_error_and_no_repr(
    world: World, caplog: pytest.LogCaptureFixture, secret: Secret
) -> None:
    """Whatever the Git host does with it."""
    caplog.set_level(logging.INFO)
    logging.getLogger("athena_schedule_manager").setLevel(logging.DEBUG)

    def echo(request: Request) -> None:
        request.wfile.write(f"{request.headers['Authorization']}\r\n".encode())

    for answer in (guarded(TOKEN), status(404), status(500), echo, redirect(f"ftp://{TOKEN}/")):
        world.git_host.answer(answer)
        try:
            found = repr(world.run())
        except CannotReconcileError as error:
            found = "".join(traceback.format_exception(error)) + repr(error)
        assert TOKEN not in found
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(index.read_settings({**_environment(), "X": secret.arn}))


def _environment() -> dict[str, str]:
    return dict.fromkeys(["CONFIG_GIT_URL", "QUERY_EXECUTOR_ARN", "SCHEDULE_ROLE_ARN"], "x")


def test_a_dry_run_of_a_candidate_is_authorized_too(world: World, secret: Secret) -> None:
    """It is on the same host."""
    del secret
    world.git_host.answer(guarded(TOKEN))
    event = {"dry_run": True, "config_git_url": world.git_host.url("f" * 40)}
    assert world.run(event=event) == NOTHING_DONE | {"changes": []}


def test_a_copy_does_not_serve_after_a_refusal(
    world: World, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the tries with the secret that was read again fail for another reason."""
    del secret
    world.git_host.publish({"queries": QUERIES})
    assert world.run() == NOTHING_DONE | {"created": 1}
    world.git_host.answer(status(404), status(503))
    with pytest.raises(CannotReconcileError, match="HTTP 404"):
        world.run()
    assert "copy" not in caplog.text


@pytest.mark.parametrize("body", [b"[]", b"\xff\xfe{"])
def test_an_answer_of_secrets_manager_that_cannot_be_read_is_asked_for_again(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """As one of the Scheduler is."""
    client: Any = _calls.make_client("secretsmanager")
    answers = [response(body, 500), response(body, 500)]
    client.meta.events.register("before-send", lambda **_: answers.pop() if answers else None)
    monkeypatch.setattr(_git, "make_client", lambda _: client)
    world.git_host.answer(guarded(TOKEN))
    assert (world.run(), answers) == (NOTHING_DONE, [])
    assert secret.arn
