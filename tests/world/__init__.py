"""What the worlds of the tests and of the tools are made of."""

from tests.world.environment import (
    CRON,
    EXECUTOR_ARN,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    QUERIES,
    ROLE_ARN,
    SETTINGS,
    SHA,
    clean_environment,
    messages,
    settings_environment,
    shown,
)
from tests.world.faults import Faults, error_response, response
from tests.world.git_host import GitHost, Request, document, drip, hang, redirect, reset, status
from tests.world.handled import World

__all__ = [
    "CRON",
    "EXECUTOR_ARN",
    "GROUP",
    "NAME",
    "NOTHING_DONE",
    "OTHER_CRON",
    "QUERIES",
    "ROLE_ARN",
    "SETTINGS",
    "SHA",
    "Faults",
    "GitHost",
    "Request",
    "World",
    "clean_environment",
    "document",
    "drip",
    "error_response",
    "hang",
    "messages",
    "redirect",
    "reset",
    "response",
    "settings_environment",
    "shown",
    "status",
]
