"""The share of a processor that a process gets, as Lambda gives one: by cgroup, or by stops.

A memory of 1,769 MB buys a whole core, and less of it the same part of one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE_CORE = 1_769  # megabytes
PERIOD = 100_000  # microseconds: the kernel's default
# of cgroup version 1 and 2: the root, the file that sets a group's limit, what to write to it
CONTROLLERS = (
    (Path("/sys/fs/cgroup/cpu"), "cpu.cfs_quota_us", "{quota}"),
    (Path("/sys/fs/cgroup"), "cpu.max", "{quota} {period}"),
)


@contextlib.contextmanager
def limited(pid: int, share: float) -> Iterator[str]:
    """Limit a process until the context ends, which yields how: "cgroup", "stops" or nothing."""
    if share >= 1:
        yield ""
        return
    with contextlib.ExitStack() as stack:
        group = _cgroup(pid, share)
        if group is None:
            stack.enter_context(_stops(pid, share))
        yield "cgroup" if group else "stops"
    if group:
        group.rmdir()  # the process has ended


def _cgroup(pid: int, share: float) -> Path | None:
    """Put the process into a group of its own, if the kernel lets us make one."""
    for root, name, text in CONTROLLERS:
        group = root / f"athena-bench-{pid}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / name).write_text(text.format(quota=int(share * PERIOD), period=PERIOD))
                (group / "cgroup.procs").write_text(str(pid))
            except OSError:
                group.rmdir()
                raise
            return group
    return None


@contextlib.contextmanager
def _stops(pid: int, share: float) -> Iterator[None]:
    """Let the process run for its share of each period: it pays for waiting, too."""
    over = threading.Event()
    period = PERIOD / 1e6

    def work() -> None:
        with contextlib.suppress(ProcessLookupError):
            while not over.wait(period * share):
                os.kill(pid, signal.SIGSTOP)
                over.wait(period * (1 - share))
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
