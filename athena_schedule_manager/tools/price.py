"""What a stack costs a month, at the list prices of us-east-1 as they were in November 2026.

Computed for the trigger's every five minutes; EventBridge Scheduler's invocations and the executor
are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

RUNS = 12 * 24 * 30  # a month
SECONDS = 0.5  # that a run of some hundred schedules takes: mostly one fetch and one listing
GIGABYTE_SECOND = 0.0000133334  # dollars, on arm64
REQUEST = 0.0000002  # dollars
ALARM = 0.10  # dollars a month
METRIC = 0.30  # dollars a month, for one of our own
METRICS = 2  # CompletedRuns, and ErrorLines in a month with errors
ALARMS = 5
DASHBOARD = 3.00  # dollars a month, after an account's first three
LOG_BYTES = 1_000  # that a run without changes writes, the runtime's lines included
LOG_GIGABYTE = 0.50  # dollars, taken in
SECRET = 0.40  # dollars a month, for the token of a private repository
BYTES = 1_000_000_000  # a gigabyte
MEGABYTES = 1024  # a gigabyte of memory


@dataclass(frozen=True)
class Item:
    """A line of the bill."""

    name: str
    dollars: float


def items(memory: int, *, has_dashboard: bool, has_secret: bool) -> list[Item]:
    """Return the lines of a month's bill, for a memory in MB."""
    duration = RUNS * SECONDS * memory / MEGABYTES * GIGABYTE_SECOND
    bill = [
        Item("the function", duration + RUNS * REQUEST),
        Item("its log", RUNS * LOG_BYTES / BYTES * LOG_GIGABYTE),
        Item(f"{METRICS} metrics", METRICS * METRIC),
        Item(f"{ALARMS} alarms", ALARMS * ALARM),
    ]
    if has_dashboard:
        bill.append(Item("the dashboard, unless it is one of the account's first three", DASHBOARD))
    if has_secret:
        bill.append(Item("the token's secret", SECRET))
    return bill


def sentence(bill: list[Item]) -> str:
    """Return what it costs, in one sentence."""
    total = sum(item.dollars for item in bill)
    parts = ", ".join(f"{item.name} ${item.dollars:.2f}" for item in bill)
    return f"At list prices the stack costs some ${total:.2f} a month: {parts}"
