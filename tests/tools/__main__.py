"""Run a tool by its name: `python -m tests.tools check path/to/query-executor-config.json`."""

from __future__ import annotations

import importlib
import sys

from athena_schedule_manager.tools import terminal

if __name__ == "__main__":
    terminal.prepare()  # before the tool's imports, which take a second
    name, *arguments = sys.argv[1:]
    sys.exit(terminal.run(importlib.import_module(f"tests.tools.{name}").main, arguments))
