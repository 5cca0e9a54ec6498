"""Deploy the stack: the first time with what is asked or given, later with what the stack has.

    make deploy
    make deploy PARAMETERS='LogRetentionDays=90 AlarmEmail=team@example.org'

`sam deploy` is told everything and saves nothing: a samconfig.toml would keep the URL of the first
deployment, and a bare `sam deploy` would bring that URL back and delete the queries added since.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.aws import Stack, delete_stack, find_stack, invoke, wait_for
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import say

TEMPLATE = Path("template.yaml")
SAVED = Path("samconfig.toml")


def main(arguments: list[str]) -> int:
    """Deploy."""
    parser = Parser("deploy", __doc__)
    parser.add_stack()
    parser.add_variable("PARAMETERS", "'Name=value ...': parameters of the template")
    parser.add_variable("CONFIRM", "yes to make a change that deletes schedules")
    asked = parser.parse_args(arguments)
    deploy(asked.stack, asked.parameters, asked.confirm)
    return OK


def deploy(name: str, words: str, confirm: str) -> None:
    """Deploy the stack of this name."""
    declared = read_template(TEMPLATE.read_text("utf-8"))
    refuse_saved_url()
    given = read_parameters(words, declared)
    existing = live_stack(name)
    if existing is None:
        complete(given, declared, name)
    else:
        keep_group(existing, given, confirm)
        say(f"Updating {name}: parameters that are not given keep the values that the stack has")
    call_sam("build", "--build-in-source")
    call_sam("deploy", *deployment_words(name, given))
    deployed = find_stack(name)
    if deployed is None:
        raise StopError(f"{name} does not exist: see what sam deploy printed")
    before = existing.parameters if existing else {}
    tell_version(deployed, existing)
    tell_about_alarms(deployed, before)
    finish(deployed, before)


def deployment_words(name: str, given: dict[str, str]) -> list[str]:
    """Return what sam deploy is told."""
    words = ["--stack-name", name, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
    words += ["--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    if given:
        words += ["--parameter-overrides", *(override(*item) for item in given.items())]
    return words


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template."""

    description: str
    pattern: str
    constraint: str
    is_required: bool

    def problem(self, value: str) -> str | None:
        """Return what is wrong with a value, as far as the template's pattern tells."""
        if re.fullmatch(self.pattern, value):
            return None
        return self.constraint


def read_template(text: str) -> dict[str, Parameter]:
    """Read the parameters that the template declares, in its order."""
    section = re.split(r"(?m)^(?=\S)", text.partition("\nParameters:\n")[2], maxsplit=1)[0]
    parameters = {}
    for name, body in re.findall(r"(?m)^  (\w+):\n((?:    .*\n)+)", section):
        lines = dict(re.findall(r"(?m)^    (\w+): ((?:>-\n(?:      .*\n)+|.*))", body))
        parameters[name] = Parameter(
            " ".join(lines["Description"].removeprefix(">-").split()),
            lines.get("AllowedPattern", ".*"),
            lines["ConstraintDescription"],
            "Default" not in lines,
        )
    return parameters


def read_parameters(text: str, declared: dict[str, Parameter]) -> dict[str, str]:
    """Read the words of PARAMETERS. Raises StopError for the first that is wrong."""
    given: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or name not in declared:
            raise StopError(
                f"PARAMETERS: {word} must be Name=value, with the name of a parameter of the"
                f" template: {', '.join(declared)}"
            )
        if name in given:
            raise StopError(f"PARAMETERS: {name} appears twice")
        if problem := declared[name].problem(value):
            raise StopError(f"PARAMETERS: {word} is refused: {name} {problem}")
        given[name] = value
    return given


def override(name: str, value: str) -> str:
    """Write a parameter as SAM's parser takes it: quoted, since it refuses `Name=` alone.

    In the long form, since that parser looks for the long form inside the value of a short one.
    """
    escaped = value.replace('"', '\\"')
    return f'ParameterKey={name},ParameterValue="{escaped}"'


def refuse_saved_url() -> None:
    """Refuse a samconfig.toml that holds the URL of an earlier deployment."""
    if SAVED.exists() and "ConfigGitUrl" in SAVED.read_text("utf-8", "replace"):
        raise StopError(
            f"{SAVED} holds a ConfigGitUrl, which a bare sam deploy would bring back over what has"
            f" been published since. Remove {SAVED}: make deploy needs none"
        )


def live_stack(name: str) -> Stack | None:
    """Return the stack to be updated, or None for a first deployment. Raises StopError.

    A first try that failed leaves a stack without resources, which can only be deleted.
    """
    stack = find_stack(name)
    if stack is None or stack.status == "REVIEW_IN_PROGRESS":
        return None
    if stack.status == "ROLLBACK_COMPLETE":
        say(f"Deleting {name}, which a failed deployment has left behind without resources")
        delete_stack(name)
        return None
    if stack.status == "DELETE_IN_PROGRESS":
        say(f"Waiting until {name} is deleted")
        wait_for("stack-delete-complete", name)
        return None
    if not stack.status.endswith("_COMPLETE"):
        raise StopError(
            f"{name} is in the state {stack.status}: wait until that has ended, or see its events"
            f" with aws cloudformation describe-stack-events --stack-name {name}"
        )
    if "ConfigGitUrl" not in stack.parameters:
        raise StopError(f"{name} has no parameter ConfigGitUrl: it is another stack; set STACK=")
    return stack


def keep_group(stack: Stack, given: dict[str, str], confirm: str) -> None:
    """Refuse a change that deletes the stack's schedule group. Raises StopError."""
    if stack.parameters.get("ExistingScheduleGroupName"):
        return
    changed = stack.parameters | given
    keys = ("ProjectName", "ExistingScheduleGroupName")
    kept = all(changed.get(key) == stack.parameters.get(key) for key in keys)
    if not kept and confirm != "yes":
        raise StopError(
            f"This deletes the schedule group {stack.outputs.get('ScheduleGroupName')} with all its"
            " schedules, their pauses, queues and retry policies; the next run makes new schedules"
            ' from the file. Write pauses into the file first, as "enabled": false; then add'
            " CONFIRM=yes"
        )


def complete(given: dict[str, str], declared: dict[str, Parameter], name: str) -> None:
    """Ask for the required parameters that are not given. Raises StopError without a terminal."""
    missing = [key for key, p in declared.items() if p.is_required and key not in given]
    if missing and not sys.stdin.isatty():
        raise StopError(
            f"This Region has no stack {name} yet, and its first deployment needs"
            f" {' and '.join(missing)}: make deploy"
            f" PARAMETERS='{' '.join(f'{key}=...' for key in missing)}'. If there is one, set"
            " AWS_REGION or STACK="
        )
    if missing:
        say(f"This Region has no stack {name} yet. To make it, please enter:")
    for key in missing:
        given[key] = ask(key, declared[key])


def ask(name: str, parameter: Parameter) -> str:
    """Ask for a value until it is one that the template takes."""
    say(f"\n{name}: {parameter.description}")
    while True:
        try:
            value = input(f"{name} = ").strip()
        except EOFError:
            raise StopError("\nStopped: nothing has been deployed") from None
        problem = parameter.problem(value)
        if problem is None:
            return value
        say(f"{name} {problem}")


def call_sam(*words: str) -> None:
    """Call the SAM CLI. Raises StopError if it fails."""
    try:
        done = aws.run([*aws.program("SAM"), *words], os.environ, say)
    except OSError as error:
        raise StopError(f"The SAM CLI cannot be started: {error}") from error
    if done.returncode:
        raise StopError(f"sam {words[0]} failed, see above")


def tell_version(stack: Stack, before: Stack | None) -> None:
    """Say which version the stack has now, and which it had."""
    now = stack.outputs.get("Version", "?")
    if before is None:
        say(f"Deployed {now}")
    else:
        say(f"Deployed {now}, was {before.outputs.get('Version', 'older than 3.0.0')}")


def tell_about_alarms(stack: Stack, before: dict[str, str]) -> None:
    """Say whom the alarms notify, if that is nobody, or nobody yet."""
    email = stack.parameters.get("AlarmEmail")
    if email and email != before.get("AlarmEmail"):
        say("AWS has sent a mail to AlarmEmail: alarms notify that address once it is confirmed")
    elif not email and not stack.parameters.get("AlarmTopicArn"):
        say(
            "Alarms notify nobody: make deploy PARAMETERS=AlarmEmail=<your address>,"
            " or AlarmTopicArn=<an SNS topic>"
        )


def finish(stack: Stack, before: dict[str, str]) -> None:
    """Run once after an update, so that schedules have the new executor and role at once."""
    if stack.parameters.get("TriggerState") == "DISABLED":
        say("The trigger is paused: until make resume, only make invoke runs the function")
        if before and before.get("QueryExecutorArn") != stack.parameters.get("QueryExecutorArn"):
            say("Schedules still have the former executor, and are denied until the next run")
    elif before:
        say("Deployed. Running once:")
        invoke(stack.output("FunctionName"), "{}")
    else:
        say("The trigger makes the first run within minutes; make invoke makes it now")
