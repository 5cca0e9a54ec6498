"""A Lambda handler around the real one that also logs from worker threads, as a library might."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from athena_schedule_manager import index


def handler(event: object, context: object) -> dict[str, Any]:
    """Run the real handler, then log a warning of two lines from each of three threads."""
    results = index.handler(event, context)
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(logging.getLogger("library").warning, "worker %d\nsecond line", number)
    return results
