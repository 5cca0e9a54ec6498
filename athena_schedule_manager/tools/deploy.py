"""Deploy the stack: the first time with what is asked or given, later with what the stack has.

    make deploy
    make deploy PARAMETERS='LogRetentionDays=90 AlarmEmail=team@example.org'

`sam deploy` is told everything, reads no file of its own and saves nothing: a samconfig.toml would
keep the URL of the first deployment, and a bare `sam deploy` would bring that URL back and delete
the queries added since.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from athena_schedule_manager.tools import aws, price
from athena_schedule_manager.tools.aws import Stack, call_function, find_stack, look_up, place
from athena_schedule_manager.tools.command_line import NOT_WELL, OK, NotWellError, Parser, StopError
from athena_schedule_manager.tools.delete import delete_stack
from athena_schedule_manager.tools.invoke import problem_of
from athena_schedule_manager.tools.parameters import Parameter, read_parameters, read_template
from athena_schedule_manager.tools.plans import NoPlanError, read_plan
from athena_schedule_manager.tools.terminal import remark, say, shown

TEMPLATE = Path("template.yaml")
SAVED = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
DRY_RUN = {"dry_run": True}
UNUSABLE = ("Failed to fetch config", "Invalid config")  # so a manager's answer to a dry run begins


def main(arguments: list[str]) -> int:
    """Deploy."""
    parser = Parser("deploy", __doc__, {NOT_WELL: "it is deployed, and does not run well"})
    parser.add_stack()
    parser.add_variable("PARAMETERS", "'Name=value ...': parameters of the template")
    parser.add_variable(
        "CONFIRM", "yes to delete or double schedules, or to delete what another project left"
    )
    asked = parser.parse_args(arguments)
    deploy(asked.stack, asked.parameters, is_confirmed=asked.confirm == "yes")
    return OK


def deploy(name: str, words: str, *, is_confirmed: bool) -> None:
    """Deploy the stack of this name."""
    declared = read_declared()
    refuse_saved_url()
    given = read_parameters(words, declared)
    if aws.is_version_1():
        remark(f"This is the AWS CLI 1, which cannot follow a log: install {aws.MANUAL['AWS']}")
    existing = live_stack(name, given, is_confirmed=is_confirmed)
    if existing is None:
        tell_price(given, declared)
        complete(given, declared, name)
    else:
        keep_schedules(existing, given, is_confirmed=is_confirmed)
    require_executor(existing, given)
    if existing is None:
        remove_leftovers(name)
    else:
        require_configuration(existing, given)
        say(f"Updating {name}: parameters that are not given keep the values that the stack has")
    build_and_deploy(name, given)
    deployed = find_stack(name)
    if deployed is None:
        raise StopError(f"{name} does not exist: see what sam deploy printed")
    tell_version(deployed, existing)
    tell_about_alarms(deployed, existing.parameters if existing else {})
    finish(deployed, existing)


# --- What is known before anything is done


def read_declared() -> dict[str, Parameter]:
    """Read the parameters that the template of this folder declares. Raises StopError."""
    if not TEMPLATE.exists():
        raise StopError(f"There is no {TEMPLATE} here: type it in the folder of the repository")
    return read_template(TEMPLATE.read_text("utf-8"))


def refuse_saved_url() -> None:
    """Refuse a file that holds the URL of an earlier deployment."""
    for name in SAVED:
        path = Path(name)
        if path.exists() and "ConfigGitUrl" in path.read_text("utf-8", "replace"):
            raise StopError(
                f"{name} holds a ConfigGitUrl, which a bare sam deploy would bring back over what"
                f" has been published since. Remove {name}: make deploy needs none"
            )


def live_stack(name: str, given: dict[str, str], *, is_confirmed: bool) -> Stack | None:
    """Return the stack to be updated, or None for a first deployment. Raises StopError."""
    stack = aws.settled(name, look_up(name))
    if stack is None or stack.status == aws.WITHOUT_RESOURCES:
        return None
    aws.require_manager(stack)
    if stack.status == "ROLLBACK_COMPLETE":
        refuse_leftovers(stack, given, is_confirmed=is_confirmed)
        return None
    if stack.status not in aws.AT_REST:
        raise StopError(aws.condition(stack))
    aws.tell_roll_back(stack)
    return stack


def refuse_leftovers(stack: Stack, given: dict[str, str], *, is_confirmed: bool) -> None:
    """Refuse to delete what a failed first deployment has left, unless it is of this project."""
    theirs = shown(stack.parameters.get("ProjectName", ""))
    if theirs != given.get("ProjectName", "pn") and not is_confirmed:
        raise StopError(
            f"{stack.name} is what a failed deployment of the project {theirs} has left. If that is"
            f" yours, give ProjectName={theirs} in PARAMETERS; if not, set STACK= to another name,"
            " or add CONFIRM=yes to delete it"
        )


def remove_leftovers(name: str) -> None:
    """Delete what a failed first deployment has left: a stack without resources.

    It is looked at again, since somebody may have deployed while values were asked for.
    """
    stack = find_stack(name)
    if stack and stack.status == "ROLLBACK_COMPLETE":
        say(f"Deleting {name}, which a failed deployment has left behind without resources")
        delete_stack(name)


def keep_schedules(stack: Stack, given: dict[str, str], *, is_confirmed: bool) -> None:
    """Refuse a change that deletes the schedules, or makes a second set. Raises StopError."""
    keys = ("ProjectName", "ExistingScheduleGroupName")
    after = stack.parameters | given
    changed = {key for key in keys if after.get(key) != stack.parameters.get(key)}
    if is_confirmed or not changed:
        return
    group = stack.outputs.get("ScheduleGroupName")
    if stack.parameters.get("ExistingScheduleGroupName"):
        what = "so every query runs twice"
        if "ExistingScheduleGroupName" in changed:
            what = "and each fails, since the execution role is for the new group alone"
        raise StopError(
            f"This makes a second set of schedules. Those in the group {group} whose names begin"
            f" with {stack.parameters.get('ProjectName')}- stay and keep firing, {what}, until you"
            " delete them. If that is meant, add CONFIRM=yes"
        )
    raise StopError(
        f"This deletes the schedule group {group} with all its schedules, their pauses, queues and"
        " retry policies; the next run makes new schedules from the file. Write pauses into the"
        ' file first, as "enabled": false; then add CONFIRM=yes'
    )


def tell_price(given: dict[str, str], declared: dict[str, Parameter]) -> None:
    """Say what a stack costs a month, before the first is made."""
    values = {name: parameter.default for name, parameter in declared.items()} | given
    bill = price.items(
        int(values["MemorySize"]),
        has_dashboard=values["Dashboard"] == "ENABLED",
        has_secret=bool(values["ConfigGitTokenSecretArn"]),
    )
    say(price.sentence(bill))


def complete(given: dict[str, str], declared: dict[str, Parameter], name: str) -> None:
    """Ask for the required parameters that are not given. Raises StopError without a terminal."""
    missing = [key for key, p in declared.items() if p.is_required and key not in given]
    where = f"The Region {place().region} has no stack {name} yet"
    if missing and not sys.stdin.isatty():
        words = " ".join(
            f"{key}=..." for key, p in declared.items() if p.is_required or key in given
        )
        raise StopError(
            f"{where}, and its first deployment needs {' and '.join(missing)}:"
            f" {aws.typed('deploy', name)} PARAMETERS='{words}'. If there is one, set AWS_REGION or"
            " STACK="
        )
    if missing:
        say(f"{where}. To make it, please enter:")
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
        except KeyboardInterrupt:
            remark("\nStopped: nothing has been deployed")
            raise
        problem = parameter.problem(value)
        if problem is None:
            return value
        say(f"{name} {problem}")


def require_executor(existing: Stack | None, given: dict[str, str]) -> None:
    """Refuse an executor that does not exist, as far as that can be known. Raises StopError."""
    before = existing.parameters.get("QueryExecutorArn", "") if existing else ""
    arn = given.get("QueryExecutorArn", before)
    region = arn.split(":")[3]
    words = ["--function-name", arn]
    try:
        aws.aws("lambda", "get-function-configuration", *words, region=region)
    except aws.AwsError as error:
        if "ResourceNotFoundException" in str(error):
            raise StopError(
                f"There is no function {arn}, so every schedule would invoke nothing: nothing has"
                " been deployed; correct QueryExecutorArn"
            ) from None
        remark(f"Whether {arn} exists cannot be seen, so that is not checked: {error}")


def require_configuration(existing: Stack, given: dict[str, str]) -> None:
    """Refuse another ConfigGitUrl that the live manager cannot use. Raises StopError.

    Its dry run tries the same file at another commit, with the token that it has. What else
    changes it cannot try: the run after the deployment does.
    """
    url = given.get("ConfigGitUrl", existing.parameters["ConfigGitUrl"])
    is_same = url == existing.parameters["ConfigGitUrl"]
    if is_same or "ConfigGitTokenSecretArn" in given:
        return
    event = json.dumps(DRY_RUN | {"config_git_url": url})
    try:
        read_plan(aws.invoke_once(existing.output("FunctionName"), event).text)
    except (aws.AwsError, NoPlanError) as error:
        if str(error).startswith(UNUSABLE) and "event's config_git_url" not in str(error):
            raise StopError(f"{shown(str(error))}. Nothing has been changed") from None
        remark(f"Whether ConfigGitUrl can be used cannot be tried before: {shown(str(error))}")


# --- Deploying


def build_and_deploy(name: str, given: dict[str, str]) -> None:
    """Build the artifact and deploy it, with a file without settings in the place of SAM's own."""
    words = ["--stack-name", name, "--region", place().region]
    if place().profile:
        words += ["--profile", place().profile]
    words += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
    words += ["--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    if given:
        words += ["--parameter-overrides", *(override(*item) for item in given.items())]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "samconfig.toml")
        settings.write_text("version = 0.1\n", "utf-8")
        file = ["--config-file", str(settings)]
        call_sam("build", "--build-in-source", *file)
        try:
            call_sam("deploy", *file, *words)
        except KeyboardInterrupt:
            command = aws.raw("cloudformation", "describe-stacks", "--stack-name", name)
            remark(f"What has been begun goes on without this command: see {command}")
            raise


def override(name: str, value: str) -> str:
    """Write a parameter as SAM's parser takes it: quoted, since it refuses `Name=` alone.

    In the long form, since that parser looks for the long form inside the value of a short one.
    """
    escaped = value.replace('"', '\\"')
    return f'ParameterKey={name},ParameterValue="{escaped}"'


def call_sam(operation: str, *words: str) -> None:
    """Call the SAM CLI and show what it prints. Raises StopError if it fails."""
    done = aws.call("SAM", [operation, *words], place().environment(), show_line_of_sam)
    if done.returncode:
        raise StopError(f"sam {operation} failed, see above")


def show_line_of_sam(line: str) -> None:
    """Print a line of SAM's, but for its advice, which brings an old URL back, and for tokens."""
    if re.match(r"\[\*\]|Commands you can use next|Above settings can be stored|=+$", line.strip()):
        return
    redacted = re.sub(r"(https?://[^\s\"'?#]+)\?[^\s\"']*", r"\1?***", line)
    say(shown(redacted.expandtabs()))


# --- What is told afterwards


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
        command = stack.typed("deploy", "PARAMETERS='AlarmEmail=<your address>'")
        say(f"Alarms notify nobody: {command}, or AlarmTopicArn=<an SNS topic>")


def finish(stack: Stack, before: Stack | None) -> None:
    """Look whether it runs: a dry run after a first deployment, a run after an update."""
    if before is None:
        try_it(stack)
    wanted = stack.parameters.get("TriggerState", "ENABLED")
    now = aws.trigger_state(stack)
    if wanted == "DISABLED":
        tell_paused(stack, before)
    elif before:
        run_once(stack)
    if (wanted, now) == ("ENABLED", "DISABLED"):
        raise NotWellError(
            "The trigger is off although the stack says ENABLED, so changes in Git are not"
            f" followed. Type {stack.typed('resume')}"
        )
    if (wanted, now) == ("DISABLED", "ENABLED"):
        raise NotWellError(
            "The trigger is on although the stack says DISABLED, so it runs all the same. Type"
            f" {stack.typed('pause')}, or {stack.typed('resume')} to keep it on"
        )


def tell_paused(stack: Stack, before: Stack | None) -> None:
    """Say what does not happen while the trigger is paused."""
    command = stack.typed("resume")
    say(f"The trigger is paused: until {command}, only {stack.typed('invoke')} runs it")
    was = before.parameters.get("QueryExecutorArn") if before else None
    if before and was != stack.parameters.get("QueryExecutorArn"):
        say("Schedules still have the former executor, and are denied until the next run")


def try_it(stack: Stack) -> None:
    """Make a dry run, so that a wrong URL or token is known at once. Raises NotWellError."""
    say("A dry run, which changes nothing:")
    _, answer = call_function(stack.output("FunctionName"), json.dumps(DRY_RUN))
    tell_failures(answer)
    if problem := problem_of(answer, stack):
        payload = f"PAYLOAD='{json.dumps(DRY_RUN)}'"
        raise NotWellError(
            f"The stack is deployed, and a run would not go well. {problem}. Correct the file, or"
            f" a parameter with {stack.typed('deploy')} PARAMETERS=...;"
            f" {stack.typed('invoke', payload)} tries it again"
        )
    plan = json.loads(answer)
    counters = ", ".join(f"{plan[name]} {name}" for name in ("created", "updated", "deleted"))
    paused = stack.parameters.get("TriggerState") == "DISABLED"
    when = "" if paused else ". The trigger makes it within five minutes"
    say(f"A run would make this: {counters}{when}")


def tell_failures(answer: str) -> None:
    """Print the line of each failure that a dry run foresees."""
    try:
        failures = read_plan(answer).failures
    except NoPlanError:
        return  # what is wrong with the answer is told after this
    for failure in failures:
        say(shown(failure.line))


def run_once(stack: Stack) -> None:
    """Run, so that schedules have the new executor and role at once. Raises NotWellError."""
    say("Running once:")
    try:
        log, answer = call_function(stack.output("FunctionName"), "{}", "--log-type", "Tail")
    except NotWellError as error:
        command = f"{stack.typed('deploy')} PARAMETERS=..."
        raise NotWellError(
            f"The stack is deployed, and this run was not well. {error}. Correct the file, or a"
            f" parameter with {command}"
        ) from None
    aws.show_text(log)
    aws.show_text(answer)
    if problem := problem_of(answer, stack):
        raise NotWellError(f"The stack is deployed, and this run was not well. {problem}")
