"""Fixtures: each is a world by name. No test reaches more than loopback from its process."""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import trustme
from moto.scheduler.models import scheduler_backends
from moto.server import ThreadedMotoServer

from athena_schedule_manager import _calls, index
from tests.world import Faults, GitHost, World, clean_environment, settings_environment
from tests.world.environment import FIGURES, TRIED
from tests.world.model import Scheduler
from tests.world.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mypy_boto3_scheduler import EventBridgeSchedulerClient


ROOT = Path(__file__).parent.parent


class NetworkUsedError(BaseException):
    """A test tried to leave loopback; no `except Exception` may hide it."""


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    address = None
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = arguments[1][0]
    elif event == "socket.getaddrinfo":
        address = arguments[0]
    if address in {None, "", "localhost", "0.0.0.0"}:  # noqa: S104 - a server's own address
        return
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NetworkUsedError(f"{event} {address!r}")


sys.addaudithook(_refuse_the_network)


@pytest.fixture(autouse=True, scope="session")
def _environment() -> None:
    clean_environment(os.environ)
    # The machine's authorities take longer to load than a run takes; who needs one names its own.
    os.environ["SSL_CERT_FILE"] = os.devnull


@pytest.fixture(autouse=True)
def _execution_environment() -> Iterator[None]:
    """Give each test a new execution environment: nothing is remembered from the test before."""
    variables = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(variables)
    index.environment = index.ExecutionEnvironment()


class Workers:
    """Brings home what the workers have tried, where the tests run in several processes."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over a worker's numbers."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["tried"] = dict(TRIED)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add a worker's numbers; one that crashed has none."""
        TRIED.update(getattr(node, "workeroutput", {}).get("tried", {}))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are processors, since some tests wait for real time."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks of pytest-xdist, which is not needed for a single test."""
    config.pluginmanager.register(Workers())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much the fault suite has tried."""
    if TRIED:
        figures = ", ".join(f"{TRIED[name]} {name}" for name in FIGURES)
        terminalreporter.write_line(f"fault suite: {figures}")


# Tracing takes half as long again: it is left out for the tests of the tools, whose coverage is not
# measured, and for those that try much and reach no line that no other test does.
UNTRACED = {"check", "command_line", "deploy", "dump", "next_runs", "operate", "plans", "publish"}
UNTRACED |= {"preview_tool", "schema", "template", "workflows", "zones"}
UNTRACED |= {"copy", "faults", "interleavings", "memory", "processes", "property", "readme"}
UNTRACED |= {"reconcile", "retries", "speed"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Trace a test with its fixtures, or not.

    The marker `no_cover` of pytest-cov stops one of the two that measure in a process of
    pytest-xdist.
    """
    stopped = []
    coverage = sys.modules.get("coverage")
    if coverage and item.path.stem.removeprefix("test_") in UNTRACED:
        while measuring := coverage.Coverage.current():
            measuring.stop()
            stopped.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()


@pytest.fixture
def git_host() -> Iterator[GitHost]:
    """Return a Git host on loopback, over http."""
    with GitHost().running() as host:
        yield host


@pytest.fixture
def tls_git_host() -> Iterator[GitHost]:
    """Return a Git host on loopback, over https, with a certificate that nobody trusts yet."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with GitHost().running(context) as host, authority.cert_pem.tempfile() as path:
        host.certificate_authority = path
        yield host


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """Return the manager's time: its pauses pass at once."""
    made = VirtualTime()
    monkeypatch.setattr(_calls, "MORE_AFTER", 0.02)  # which is waited for
    monkeypatch.setattr(index, "Clock", made.clock)
    return made


@pytest.fixture
def pauses(virtual_time: VirtualTime) -> list[float]:
    """Return the pauses that the manager would have made; none is waited for."""
    return virtual_time.pauses


@pytest.fixture(scope="session")
def story() -> str:
    """Return what the story prints, on a terminal of ASCII: it is played once."""
    command = [sys.executable, "-m", "tests.tools", "story"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(  # noqa: S603 - ours
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Return the URL of moto's server: over HTTP, so that a fault in front of it spares it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def moto_client(moto_server: str) -> EventBridgeSchedulerClient:
    """Return a client of moto's Scheduler that meets no faults."""
    return boto3.client("scheduler", endpoint_url=moto_server)


@pytest.fixture
def manager_environment(git_host: GitHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the manager's environment variables, with the Git host's URL."""
    for name, value in settings_environment(git_host.url()).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def world(
    git_host: GitHost,
    moto_client: EventBridgeSchedulerClient,
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: VirtualTime,
    manager_environment: None,
) -> World:
    """Return a whole world: the real handler, moto's Scheduler, a Git host, and no waiting."""
    del manager_environment
    scheduler_backends.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_client.meta.endpoint_url)
    faults = Faults(index.environment.scheduler_client(), monotonic=virtual_time.monotonic)
    return World(git_host, moto_client, faults, virtual_time)


@pytest.fixture
def strict_world(git_host: GitHost, virtual_time: VirtualTime, manager_environment: None) -> World:
    """Return a whole world like `world`, but with the strict model of the Scheduler."""
    del manager_environment
    scheduler = Scheduler()
    client = boto3.client("scheduler")
    Faults(client, scheduler)
    faults = Faults(index.environment.scheduler_client(), scheduler, virtual_time.monotonic)
    return World(git_host, client, faults, virtual_time)
