"""SHIM, to be deleted: the names of the core that the check uses, wherever the core has them.

Afterwards tests/tools/check.py imports `parse_config` from `athena_schedule_manager._git`, and
`CannotReconcileError`, `Settings`, `desired_state` and `hints` from `.schedule_manager`.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from athena_schedule_manager import schedule_manager
from athena_schedule_manager.schedule_manager import CannotReconcileError, Settings, desired_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CannotReconcileError", "Settings", "desired_state", "hints", "parse_config"]

KEYS = ["schedule", "cron", "timezone", "enabled", "description"]


def _parse_config() -> Callable[[bytes], dict[str, object]]:
    try:
        module: Any = importlib.import_module("athena_schedule_manager._git")
    except ModuleNotFoundError:
        module = importlib.import_module("athena_schedule_manager.index")
    parse: Callable[[bytes], dict[str, object]] = module.parse_config
    return parse


def _hints(queries: Mapping[str, object]) -> list[str]:
    found = []
    for query_id, query in queries.items():
        for key in query if isinstance(query, dict) else ():
            plain = key.lower().replace("-", "").replace("_", "")
            meant = difflib.get_close_matches(plain, KEYS, 1, 0.8)
            if key not in KEYS and meant:
                found.append(
                    f"HINT: query {query_id!r}: {key!r} is not a key of the manager;"
                    f" did you mean {meant[0]!r}?"
                )
    return found


parse_config = _parse_config()
hints: Callable[[Mapping[str, object]], list[str]] = getattr(schedule_manager, "hints", _hints)
