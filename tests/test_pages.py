"""The pages on deploying and operating, held against the template, the Makefile and the tools."""

from __future__ import annotations

import re
import shlex

from athena_schedule_manager.tools import price
from athena_schedule_manager.tools.__main__ import TOOLS
from tests.tools.transformed import TEMPLATE, template

ROOT = TEMPLATE.parent
PAGES = ROOT / "athena_schedule_manager" / "docs"
README = (ROOT / "README.md").read_text("utf-8")
DEPLOYING = (PAGES / "deploying.md").read_text("utf-8")
OPERATING = (PAGES / "operating.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
DECLARED = template()["Parameters"]
RESOURCES = template()["Resources"]


def commands(page: str) -> list[list[str]]:
    """Return the words of each command of make on a page, in code and in blocks."""
    found = re.findall(r"`(make [^`]+)`", page.replace("\n     ", " "))
    for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
        found += re.findall(r"(?m)^ *(make (?:[^'\n]|'[^']*')+)", block)
    return [shlex.split(command.partition(" > ")[0])[1:] for command in found]


def test_the_alarms_are_the_templates() -> None:
    """All of them, and no other."""
    alarms = {n for n, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    section = OPERATING.partition("## Alarms")[2].partition("\n## ")[0]
    named = re.findall(r"(?m)^\| `(\w+)` \|", section)
    assert {f"{name}Alarm" for name in named} == alarms


def test_the_price_on_the_page_is_the_computed_one() -> None:
    """For the parameters' defaults; the alarms are as many as a stack has."""
    bill = price.items(DECLARED["MemorySize"]["Default"], has_dashboard=True, has_secret=False)
    written = DEPLOYING.partition("<!-- price -->")[2].partition("<!-- /price -->")[0]
    rows = re.findall(r"(?m)^\| (.+) \| ([0-9.]+) \|$", written)
    assert rows == [(item.name, f"{item.dollars:.2f}") for item in bill]
    total = sum(item.dollars for item in bill)
    assert f"Together ${total:.2f}, or ${total - price.DASHBOARD:.2f} while" in DEPLOYING
    assert f"[some ${total:.0f} a month](" in README
    assert price.SECONDS == 0.5
    assert f"last half a second and to log {price.LOG_BYTES:,} bytes" in DEPLOYING
    secret = price.items(512, has_dashboard=False, has_secret=True)[-1]
    assert f"costs ${secret.dollars:.2f} more" in DEPLOYING
    alarms = [r for r in RESOURCES.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    one_of_two = {"HasQueue", "HasNoQueue"}
    assert len([r for r in alarms if r.get("Condition") not in one_of_two]) + 1 == price.ALARMS
    filters = [r for r in RESOURCES.values() if r["Type"] == "AWS::Logs::MetricFilter"]
    assert len(filters) == price.METRICS


def test_the_figures_are_the_templates() -> None:
    """Days of the queue, intervals of the heartbeat."""
    days = RESOURCES["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] // 86_400
    assert f"what was dropped for {days} days" in OPERATING
    assert RESOURCES["HeartbeatAlarm"]["Properties"]["EvaluationPeriods"] == 3
    assert "for three intervals" in OPERATING


def test_each_tool_of_the_stack_is_on_a_page() -> None:
    """And is a target of make."""
    named = {words[0] for words in [*commands(DEPLOYING), *commands(OPERATING)]}
    elsewhere = {"check", "preview", "publish"}
    assert TOOLS.keys() - elsewhere <= named
