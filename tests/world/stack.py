"""A stack that make deploys and publishes to, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.world.environment import SHA

ROOT = Path(__file__).parent.parent.parent

STAND_IN = """#!{python}
import json, os, pathlib, sys
state = pathlib.Path({state!r})
stack = json.loads(state.read_text()) if state.exists() else None
tool, *words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with open({log!r}, "a") as log:
    log.write(json.dumps([tool, *words]) + "\\n")
if "invoke" in words:
    if stack.get("invoke") == "denied":
        sys.exit("An error occurred (AccessDenied)")
    payload = words[words.index("--payload") + 1].removeprefix("fileb://")
    pathlib.Path(words[-1]).write_text(pathlib.Path(payload).read_text())
    print(stack.get("invoke", "None"), "bG9nIGxpbmU=", sep="\\t")
if "describe-stacks" in words:
    print("a warning of the tool's own", file=sys.stderr)
    if "OutputKey" in words[-1]:
        sys.exit(print("function-name"))
    if stack is None:
        sys.exit("An error occurred (ValidationError): Stack with id x does not exist")
    if "denied" in stack:
        sys.exit("An error occurred (AccessDenied)")
    query = words[words.index("--query") + 1]
    others = "\\t".join(f"ParameterKey={{k}},UsePreviousValue=true" for k in stack["others"])
    print(others if "!=" in query else stack["url"])
if "update-stack" in words:
    [new] = [w for w in words if w.startswith("ParameterKey=ConfigGitUrl,ParameterValue=")]
    stack["url"] = new.partition("ParameterValue=")[2].strip('"')
    state.write_text(json.dumps(stack))
if tool == "sam" and words[0] == "deploy":
    if "--guided" in words:
        stack = {{"url": {first!r}, "others": ["QueryExecutorArn", "ProjectName"]}}
    else:
        stack["url"] = words[words.index("--parameter-overrides") + 1].partition("=")[2]
    state.write_text(json.dumps(stack))
"""


class Stack:
    """A stack that make deploys and publishes to."""

    def __init__(self, place: Path) -> None:
        """Put the stand-ins into a folder; there is no stack yet."""
        self.state, self.calls = place / "state.json", place / "calls.jsonl"
        self.first = f"https://git.example/org/{SHA}/c.json?x=1&y=2"
        for tool in ("aws", "sam"):
            script = STAND_IN.format(
                python=sys.executable, state=str(self.state), log=str(self.calls), first=self.first
            )
            (place / tool).write_text(script)
            (place / tool).chmod(0o700)
        (place / "Makefile").write_text((ROOT / "Makefile").read_text("utf-8"))
        self.place = place

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run make in the folder."""
        command = ["make", *words, f"AWS={self.place}/aws", f"SAM={self.place}/sam"]
        return subprocess.run(command, cwd=self.place, capture_output=True, text=True, check=False)  # noqa: S603 - ours

    def url(self) -> str:
        """Return the URL that the stack has."""
        return str(json.loads(self.state.read_text())["url"])

    def last(self) -> list[str]:
        """Return the words of the last call."""
        words: list[str] = json.loads(self.calls.read_text().splitlines()[-1])
        return words
