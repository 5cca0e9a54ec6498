"""Time for tests: pauses pass at once, for whoever asks how much time has passed."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from athena_schedule_manager._calls import Clock

if TYPE_CHECKING:
    from collections.abc import Callable


class VirtualTime:
    """Real time, and ahead of it by the pauses; those of several threads pass side by side."""

    def __init__(self) -> None:
        """Begin now."""
        self.pauses: list[float] = []
        self.ahead = 0.0
        self._real = time.monotonic
        self._real_now = time.time
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Let nothing but pauses take time, however slow the machine is."""
        begun, today = self._real(), self._real_now()
        self._real, self._real_now = (lambda: begun), (lambda: today)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._real() + self.ahead

    def now(self) -> float:
        """Return the time of day, in seconds since the epoch."""
        return self._real_now() + self.ahead

    def sleep(self, seconds: float) -> None:
        """Let a pause pass for all."""
        end = self.monotonic() + seconds
        with self._lock:
            self.pauses.append(seconds)
            self.ahead = max(self.ahead, end - self._real())

    def until(self, seconds: float) -> Callable[[], float]:
        """Return what tells how much is left of so many seconds from now."""
        end = self.monotonic() + seconds
        return lambda: end - self.monotonic()

    @property
    def clock(self) -> partial[Clock]:
        """What makes clocks of this time; they lack only what is left."""
        return partial(Clock, now=self.now, sleep=self.sleep, monotonic=self.monotonic)
