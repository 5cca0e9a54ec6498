"""The rule of a URL: which is taken, what is shown of it, and where a revision can be in it. Pure.

The standard library alone, since the tools import it, too. A function named `..._problem` returns
what is wrong, to be read after the name of what has the URL, or None.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_URL = 2048  # characters
MAX_PORT = 65535
SHA_DIGITS = 40
SHA = re.compile(f"[0-9a-fA-F]{{{SHA_DIGITS}}}")

# RFC 3986, section 3.2: the authority, here without user and password, as one positive pattern
_HOST = r"[0-9a-z][0-9a-z._-]*|\[[0-9a-f]*:[0-9a-f:.]*\]"
_LOOPBACK = r"localhost|127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|\[::1\]"
_URL = re.compile(rf"(?ai)(https://(?:{_HOST})|http://(?:{_LOOPBACK}))(?::([0-9]{{1,5}}))?/[!-~]*")
_SECRET_NAME = re.compile("(?i)token|key|secret|sig|pass|auth|jwt")


class Place(NamedTuple):
    """Where in a URL a revision is, or can be: its first character, and the one behind its last."""

    begin: int
    end: int


def url_problem(url: str, *, allow_http: bool = True) -> str | None:
    """Say why a URL is refused: it must be https, or http to a loopback host.

    The sentence never shows the URL: a refused one may hold a password anywhere.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if match:
        is_https = match[1].lower().startswith("https:")
        has_port = int(match[2] or 0) <= MAX_PORT
        if has_port and (is_https or allow_http):
            return None
    return (
        f"must look like https://host/path, at most {MAX_URL} printable ASCII characters, without"
        " user and password; http:// is for a loopback host only"
    )


def redacted(url: str) -> str:
    """Return the URL with its query string, which may be a token, replaced."""
    return re.sub(r"[?#].*", "?***", url)


def origin(url: str) -> tuple[str, str]:
    """Return scheme with host, and port, of a URL that is not refused."""
    [(address, port)] = _URL.findall(url)
    default = "443" if address.lower().startswith("https:") else "80"
    return address.lower(), port or default


def revisions(url: str) -> Iterator[Place]:
    """Yield where a revision can be: path segments, and query values not named like a secret."""
    path, _, query = url.partition("#")[0].partition("?")
    yield from _segments(path)
    query_begin = len(path) + 1
    for value in re.finditer("(?:^|&)([^=&]*)=([^&]*)", query):
        if not _SECRET_NAME.search(value[1]):
            yield Place(query_begin + value.start(2), query_begin + value.end(2))


def _segments(path: str) -> Iterator[Place]:
    root = path.index("/", len("https://"))
    for segment in re.compile("/([^/]*)").finditer(path, root):
        yield Place(*segment.span(1))


def pinned_revisions(url: str) -> list[Place]:
    """Return the places that hold a commit SHA: what such a URL names cannot change."""
    return [place for place in revisions(url) if SHA.fullmatch(url[place.begin : place.end])]


def with_revision(url: str, place: Place, sha: str) -> str:
    """Return the URL with a commit SHA in a place of `revisions`."""
    return url[: place.begin] + sha + url[place.end :]


def candidate_problem(url: str, candidate: str) -> str | None:
    """Say why a candidate is refused: it must be the URL at another commit.

    Nothing else of the host can be read with our token.
    """
    pinned = pinned_revisions(url)
    if pinned:
        what = "its commit SHA"
        is_allowed = _has_sha_in(pinned, url, candidate)
    else:
        what = "its branch (path segments, or one query value)"
        is_allowed = (
            _has_sha_in(revisions(url), url, candidate)
            or _has_sha_in(_runs(url, candidate), url, candidate)
            or _is_commit_of_gitea(url, candidate)
        )
    if is_allowed:
        return None
    return f"must be CONFIG_GIT_URL with {what} replaced by a 40-digit SHA"


def _has_sha_in(places: Iterable[Place], url: str, candidate: str) -> bool:
    for place in places:
        sha = candidate[place.begin : place.begin + SHA_DIGITS]
        if SHA.fullmatch(sha) and candidate == with_revision(url, place, sha):
            return True
    return False


def _runs(url: str, candidate: str) -> Iterator[Place]:
    """Yield the runs of path segments for which a SHA can stand: a branch's name has slashes.

    The first two segments and the file's name stay.
    """
    segments = list(_segments(url.partition("#")[0].partition("?")[0]))
    may_go = segments[2:-1]
    ends = {segment.end for segment in may_go}
    replaced = SHA_DIGITS - len(candidate) + len(url)  # characters that the SHA stands for
    for first in may_go:
        end = first.begin + replaced
        if end in ends and end >= first.end:
            yield Place(first.begin, end)


def _is_commit_of_gitea(url: str, candidate: str) -> bool:
    """Tell if `raw/commit/<sha>` stands for `raw/branch/main`."""
    if "/raw/branch/" not in url:
        return False
    moved = url.replace("/raw/branch/", "/raw/commit/", 1)
    begin = moved.find("/raw/commit/") + len("/raw/commit/")
    runs = [run for run in _runs(moved, candidate) if run.begin == begin]
    return _has_sha_in(runs, moved, candidate)
