"""What the check knows of a file: each schedule with its next runs, every problem and every hint.

Needs boto3, as the check does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from athena_schedule_manager._git import parse_config
from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.tools.check import examine
from athena_schedule_manager.tools.next_runs import shown
from athena_schedule_manager.tools.plans import Details, FileView

if TYPE_CHECKING:
    from datetime import datetime

    from athena_schedule_manager._schedules import Schedule

PAUSED = "paused"
STATES = {"ENABLED": "enabled", "DISABLED": PAUSED, None: ""}
EMPTY = (
    '"queries" is {}: this deletes every schedule of the manager, or none if they are more than the'
    " deletion limit."
)


def view_file(document: bytes, project: str, now: datetime) -> FileView:
    """Look at a file without AWS. One that the manager refuses has a remark that says so."""
    try:
        queries = parse_config(document)
    except CannotReconcileError as error:
        return FileView(remarks=(f"The check refuses the file: {error}.",))
    report = examine(queries, project, now)
    return FileView(
        details={name: _details(schedule, now) for name, schedule in report.schedules.items()},
        problems=report.problems,
        hints=tuple(report.hints),
        remarks=() if queries else (EMPTY,),
    )


def _details(schedule: Schedule, now: datetime) -> Details:
    state = STATES[schedule.state]
    runs = shown(schedule.cron, schedule.timezone, now)
    return Details(schedule.cron, schedule.timezone, state, "" if state == PAUSED else runs)
