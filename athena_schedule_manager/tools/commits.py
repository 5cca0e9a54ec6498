"""A commit: in a URL, at the head of a branch, and what it holds of a file.

The host of a branch is asked by git, in the clone in which the tool runs. The standard library
alone.
"""

from __future__ import annotations

import os
import re
import subprocess

from athena_schedule_manager._urls import pinned_revisions, with_revision
from athena_schedule_manager.tools.command_line import StopError

COMMIT = re.compile("[0-9a-f]{40}")
PLACE = "{sha}"  # stands for the commit in a URL that somebody writes
REMOTE = "origin"


# --- In a URL


def require_commit(text: str) -> str:
    """Return the text if it is a commit SHA. Raises StopError."""
    if not COMMIT.fullmatch(text):
        raise StopError("SHA is not a commit SHA: give all 40 digits, in lower case")
    return text


def commit_in(url: str) -> str | None:
    """Return the commit that a URL names, or None."""
    try:
        places = pinned_revisions(url)
    except ValueError:  # it has no path
        return None
    if not places:
        return None
    return url[places[0].begin : places[0].end].lower()


def at_commit(url: str, commit: str) -> str:
    """Return the URL at another commit. Raises StopError where it names none."""
    if PLACE in url:
        return url.replace(PLACE, commit)
    if commit_in(url) is None:
        raise StopError(
            "The URL (ConfigGitUrl, or --url) has no commit SHA to replace. If it names a branch,"
            " merging publishes."
        )
    return with_revision(url, pinned_revisions(url)[0], commit)


# --- On a branch


def head_of(branch: str) -> str:
    """Ask the host for the head of a branch, as it is now. Raises StopError."""
    listed = git("ls-remote", REMOTE, f"refs/heads/{branch}")
    commit = listed.partition("\t")[0]
    if not COMMIT.fullmatch(commit):
        raise StopError(f"The host of this clone has no branch {branch}")
    return commit


def fetch(*commits: str) -> None:
    """Get commits from the host, without their history. Raises StopError."""
    missing = [commit for commit in commits if not is_here(commit)]
    if missing:
        git("fetch", "--quiet", "--no-tags", "--depth=1", REMOTE, *missing)


def is_here(commit: str) -> bool:
    """Tell whether the clone has a commit."""
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}")
    except StopError:
        return False
    return True


# --- What it holds of a file


def is_same_file(path: str, one: str, other: str) -> bool:
    """Tell whether two commits hold the same file; if that cannot be told, they do not."""
    try:
        fetch(one, other)
        return git("rev-parse", f"{one}:{path}") == git("rev-parse", f"{other}:{path}")
    except StopError:
        return False


def read_file(path: str, commit: str) -> bytes:
    """Return the file as a commit holds it. Raises StopError."""
    fetch(commit)
    if not git("ls-tree", commit, "--", path):
        raise StopError(f"The commit {commit} has no file {path}: give its path in the repository")
    return _run("cat-file", "blob", f"{commit}:{path}")


def git(*words: str) -> str:
    """Run git and return what it prints. Raises StopError with what it complains of."""
    return _run(*words).decode("utf-8", "replace").strip()


def _run(*words: str) -> bytes:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}  # nobody is there to answer
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            ["git", *words],  # noqa: S607 - the git of the PATH is meant
            capture_output=True,
            check=False,
            env=environment,
        )
    except OSError as error:
        raise StopError(f"git cannot be started: {error.strerror}") from error
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip()
        raise StopError(f"git {words[0]} failed: {complaint or 'nothing found'}")
    return done.stdout
