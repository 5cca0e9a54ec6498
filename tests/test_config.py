"""The configuration document: what is understood, and that nothing else deletes anything."""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import zlib
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager._git import parse_config
from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, NAME, NOTHING_DONE, QUERIES, document, messages

if TYPE_CHECKING:
    from tests.world import World

NOT_UNDERSTOOD = [
    pytest.param(b"", "empty", id="empty"),
    pytest.param(b" \n\t", "empty", id="white space"),
    pytest.param(b"\xef\xbb\xbf", "UTF-8 JSON", id="a byte order mark alone"),
    pytest.param(b"<html>", "a web page, not the file", id="HTML"),
    pytest.param(b'{"queries": {}', "UTF-8 JSON", id="cut off"),
    pytest.param(b'{"queries": {}} x', "UTF-8 JSON: Extra data", id="more behind it"),
    pytest.param(b'{"queries": {},}', "UTF-8 JSON", id="trailing comma"),
    pytest.param(b"{'queries': {}}", "UTF-8 JSON", id="single quotes"),
    pytest.param(b'\xff{"queries": {}}', "UTF-8 JSON", id="not UTF-8"),
    pytest.param('{"queries": {"é": 1}}'.encode("latin-1"), "UTF-8 JSON", id="Latin-1"),
    pytest.param('{"queries": {}}'.encode("utf-16"), "UTF-8 JSON", id="UTF-16"),
    pytest.param(b'{"queries": {}, "n": NaN}', "NaN is not JSON", id="NaN"),
    pytest.param(b'{"queries": {}, "n": -Infinity}', "-Infinity is not JSON", id="infinity"),
    pytest.param(b'{"queries": {}, "n": ' + b"9" * 5000 + b"}", "UTF-8 JSON", id="endless number"),
    pytest.param(b"[" * 100_000, "nested too deeply", id="nested absurdly"),
    pytest.param(b'{"queries":' * 100_000, "nested too deeply", id="objects nested absurdly"),
    pytest.param(b"\xef\xbb\xbf\n<!DOCTYPE html>", "a web page", id="a web page with a mark"),
    pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", id="LFS"),
    pytest.param(gzip.compress(b'{"queries": {}}'), "compressed", id="gzip"),
    pytest.param(bz2.compress(b'{"queries": {}}'), "compressed", id="bzip2"),
    pytest.param(lzma.compress(b'{"queries": {}}'), "compressed", id="xz"),
    pytest.param(b"PK\x03\x04\x14\x00", "compressed", id="zip"),
    pytest.param(b"\x28\xb5\x2f\xfd\x04\x00", "compressed", id="zstd"),
    pytest.param(zlib.compress(b'{"queries": {}}'), "compressed", id="deflate"),
    pytest.param(b'{"content": "e30=", "encoding": "base64"}', "describes the file", id="envelope"),
    pytest.param(
        b'{"message": "x", "documentation_url": "y"}', "describes the file", id="API error"
    ),
    pytest.param(b"null", "'queries' is missing", id="null"),
    pytest.param(b"[]", "'queries' is missing", id="array"),
    pytest.param(b'"queries"', "'queries' is missing", id="string"),
    pytest.param(b"{}", "'queries' is missing", id="no queries"),
    pytest.param(b'{"Queries": {}}', "'queries' is missing", id="queries in another case"),
    pytest.param(b'{"queries": null}', "'queries' is missing", id="queries is null"),
    pytest.param(b'{"queries": []}', "'queries' is missing", id="queries is an array"),
    pytest.param(b'{"queries": ""}', "'queries' is missing", id="queries is a string"),
    pytest.param(b'{"queries": 0}', "'queries' is missing", id="queries is zero"),
    pytest.param(b'{"queries": false}', "'queries' is missing", id="queries is false"),
    pytest.param(b'{"queries": {}, "queries": {"a": {}}}', "'queries'", id="queries twice"),
    pytest.param(b'{"queries": {"a": {}, "b": {}, "a": {}}}', "'a'", id="a query twice"),
    pytest.param(b'{"queries": {"a": {}, "\\u0061": {}}}', "'a'", id="twice, once escaped"),
    pytest.param(b'{"queries": {"a": {"cron": 1, "cron": 1}}}', "'cron'", id="a field twice"),
    pytest.param(b'{"queries": {}, "x": [{"y": {"z": 1, "z": 2}}]}', "'z'", id="the executor's"),
    pytest.param(b'{"queries": {}, "k\\n": 1, "k\\n": 2}', r"'k\n'", id="a key with a newline"),
]


@pytest.mark.parametrize(("body", "problem"), NOT_UNDERSTOOD)
def test_a_document_that_is_not_understood_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture, body: bytes, problem: str
) -> None:
    """One ERROR line that says what is wrong, raised, no call to the API at all."""
    world.create(NAME)
    world.git_host.answer(document(body))
    with pytest.raises(CannotReconcileError) as raised:
        world.run()
    assert str(raised.value).startswith("Invalid config from Git: ")
    assert problem in str(raised.value)
    assert str(raised.value).isprintable()
    assert messages(caplog, logging.ERROR) == [str(raised.value)]
    assert world.faults.calls == []
    assert world.ours() == {NAME: CRON}


def test_an_explicit_empty_object_deletes_everything(world: World) -> None:
    """That is what it says."""
    world.create(NAME)
    assert world.run({}) == NOTHING_DONE | {"deleted": 1}
    assert world.ours() == {}


def test_a_byte_order_mark_is_fine(world: World) -> None:
    """Editors on Windows write it."""
    world.git_host.answer(document(b"\xef\xbb\xbf" + json.dumps({"queries": QUERIES}).encode()))
    assert world.run() == NOTHING_DONE | {"created": 1}


def test_other_keys_are_none_of_our_business() -> None:
    """The file is shared with the Query Executor."""
    body = b'{"version": 1, "queries": {"a": {"alerts": [{}, {}]}}, "slack": {"queries": null}}'
    assert parse_config(body) == {"a": {"alerts": [{}, {}]}}


def test_a_key_may_appear_in_several_objects() -> None:
    """Twice in one object is the error, not twice in the document."""
    assert parse_config(b'{"queries": {"a": {"cron": "x"}, "b": {"cron": "x"}}, "cron": 1}') == {
        "a": {"cron": "x"},
        "b": {"cron": "x"},
    }


def test_many_keys_are_checked_in_a_moment() -> None:
    """A search for each key in all others would take hours."""
    keys = ",".join(f'"{number}": 1' for number in range(200_000))
    with pytest.raises(CannotReconcileError, match="'199999'"):
        parse_config(f'{{"queries": {{{keys}, "199999": 1}}}}'.encode())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'[{"name": "c.json", "type": "file"}]', "a folder's listing"),
        (b'{"values": [], "page": 1}', "a folder's listing"),
        (b'{"objectId": "1", "gitObjectType": "blob"}', "describes the file"),
        (b'{"values": 1, "queries": []}', "'queries' is missing or not an object"),
    ],
)
def test_what_a_git_host_answers_instead_of_the_file_is_named(body: bytes, problem: str) -> None:
    """By its shape; no message tells how to delete everything."""
    with pytest.raises(CannotReconcileError, match=problem):
        parse_config(body)
