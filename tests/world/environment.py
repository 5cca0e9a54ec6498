"""The made-up account of the tests and of the story: names, settings, a clean environment."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from athena_schedule_manager._schedules import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    import pytest

SHA = "0123456789abcdef0123456789abcdef01234567"
REGION = "eu-south-1"
GROUP = "pn-athena-queries"
EXECUTOR_ARN = "arn:aws:lambda:eu-south-1:123456789012:function:pn-AthenaQueryExecutor"
ROLE_ARN = "arn:aws:iam::123456789012:role/pn-athena-scheduler"

NAME = "pn-daily-report"
CRON = "cron(0 2 * * ? *)"
OTHER_CRON = "cron(0 3 * * ? *)"
QUERIES: dict[str, Any] = {"daily-report": {"schedule": CRON}}
SETTINGS = Settings("https://git.example/config.json", EXECUTOR_ARN, ROLE_ARN)
TRIED: Counter[str] = Counter()
"""How many worlds, faults and so on were tried, for the last lines of a test or soak run."""
FIGURES = ("worlds", "faults", "freezes", "kills", "orders")
NOTHING_DONE = {"created": 0, "updated": 0, "deleted": 0, "failed": 0}


def clean_environment(environ: MutableMapping[str, str]) -> None:
    """Take away what could lead to a real account or through a proxy, and set up a made-up account.

    Configured endpoints and profiles of the machine count too, so its AWS files are not read; the
    manager's own variables are the tests' and the story's to set, and a make that runs this is not
    the make that a test runs.
    """
    ours = {setting.name.upper() for setting in fields(Settings)} | {"MFLAGS"}
    for name in list(environ):
        foreign = name.startswith(("AWS_", "MAKE")) or name.lower().endswith("_proxy")
        if foreign or name in ours:
            del environ[name]
    environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106 - made up
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_DEFAULT_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )


def settings_environment(config_git_url: str) -> dict[str, str]:
    """Return the required environment variables of the manager."""
    return {
        "CONFIG_GIT_URL": config_git_url,
        "QUERY_EXECUTOR_ARN": EXECUTOR_ARN,
        "SCHEDULE_ROLE_ARN": ROLE_ARN,
    }


def shown(answer: Mapping[str, Any]) -> list[str]:
    """Return the lines of a dry run's answer."""
    return [change["line"] for change in answer["changes"]]


def messages(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return the messages logged at a level, less the one about fetching."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and not record.getMessage().startswith("Fetching")
    ]
