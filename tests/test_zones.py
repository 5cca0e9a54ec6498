"""Time zones: the pinned database wins, and advice on a name never costs hours."""

from __future__ import annotations

import importlib.resources
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager.tools import zones
from athena_schedule_manager.tools.next_runs import next_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGED = Path(str(importlib.resources.files("tzdata").joinpath("zoneinfo")))


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Forget what was read, before and after."""
    cached: list[Any] = [zones.names, zones._plain_names, zones.known_zone, zones.advice, next_runs]
    for function in cached:
        function.cache_clear()
    yield
    zoneinfo.reset_tzpath()
    for function in cached:
        function.cache_clear()


@pytest.fixture
def old_machine(tmp_path: Path, forgetful: None) -> Path:
    """Return the zone files of a machine on which Vancouver is where Tokyo is, and nothing else."""
    del forgetful
    (tmp_path / "America").mkdir()
    tokyo = PACKAGED.joinpath("Asia", "Tokyo").read_bytes()
    (tmp_path / "America" / "Vancouver").write_bytes(tokyo)
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    return tmp_path


@pytest.mark.usefixtures("old_machine")
def test_the_pinned_database_wins_over_the_machines() -> None:
    """British Columbia stays at UTC-7 from November 2026, which an old machine does not know."""
    runs = next_runs("cron(0 2 15 1 ? *)", "America/Vancouver", datetime(2026, 12, 1, tzinfo=UTC))
    assert runs
    assert runs[0].utcoffset() == timedelta(hours=-7)
    assert zones.known_zone("Europe/Rome")


@pytest.mark.usefixtures("old_machine")
def test_without_the_package_the_machines_database_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have nothing but boto3."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.resources, "files", missing)
    monkeypatch.setattr(importlib.resources, "open_text", missing)  # zoneinfo's own way to it
    assert zones.names() == {"America/Vancouver"}
    zone = zones.known_zone("America/Vancouver")
    assert zone
    assert datetime(2027, 1, 15, tzinfo=zone).utcoffset() == timedelta(hours=9)
    assert zones.known_zone("Europe/Rome") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PST", "America/Los_Angeles"),
        ("pdt", "America/Los_Angeles"),
        ("EDT", "America/New_York"),
        ("JST", "Asia/Tokyo"),
        ("CEST", "Europe/Brussels"),
        ("Z", "UTC"),
        ("utc", "UTC"),
        ("UTC+0", "UTC"),
        ("GMT-00:00", "UTC"),
        ("Europe/Milan", "Europe/Rome"),
        ("Asia/Beijing", "Asia/Shanghai"),
        ("america/san francisco", "America/Los_Angeles"),
        ("Europe/Roma", "Europe/Rome"),
        ("europe/rome", "Europe/Rome"),
        ("Europe / Rome", "Europe/Rome"),
        ("America/New York", "America/New_York"),
        ("America/New-York", "America/New_York"),
        ("America/NewYork", "America/New_York"),
        ("America/Sao_Paolo", "America/Sao_Paulo"),
        ("Amercia/New_York", "America/New_York"),
        ("Asia/Singapor", "Asia/Singapore"),
        ("Rome", "Europe/Rome"),
        ("tokyo", "Asia/Tokyo"),
        ("Hawaii", "Pacific/Honolulu"),
        ("Indian/Male", "Indian/Maldives"),
    ],
)
def test_the_name_that_was_meant_is_given(written: str, meant: str) -> None:
    """An abbreviation of one clock, a large city without a zone, a slip of the fingers."""
    assert zones.advice(written) == f"; did you mean {meant!r}?"
    assert zones.known_zone(written) is None
    assert zones.known_zone(meant)


@pytest.mark.parametrize(
    "written",
    [
        "IST",
        "BST",
        "CST",
        "AST",
        "CT",
        "PT",
        "ET",
        "MEZ",
        "Local",
        "xyzzy",
        "",
        "/",
        "Europe/Bern",
        "Petersburg",
        "San Juan",
        "La Rioja",
        "ACT",
        "Victoria",
        "West",
        "East",
        "Atlantic",
        "Europe/Lyon",
        "Asia/Pune",
        "America/Rome",
        "America/Moscow",
        "Etc/UTC+1",
        "Etc/GMT+13",
        "Etc/GMT9",
        "UTC+05:30",
        "UTC+15",
        "UTC-13",
        "GMT+9:30",
        "Pacific Standard Time",
        "(UTC+01:00) Rome",
    ],
)
def test_a_name_that_could_be_hours_off_is_not_given(written: str) -> None:
    """Ambiguous abbreviations, other cities, offsets that have no zone."""
    assert zones.advice(written) == ""
    assert zones.known_zone(written) is None


@pytest.mark.parametrize(
    ("written", "name", "hours"),
    [
        ("UTC+9", "Etc/GMT-9", 9),
        ("UTC +1", "Etc/GMT-1", 1),
        ("GMT-5", "Etc/GMT+5", -5),
        ("+09:00", "Etc/GMT-9", 9),
        ("-0300", "Etc/GMT+3", -3),
        ("utc+14", "Etc/GMT-14", 14),
        ("UTC-12", "Etc/GMT+12", -12),
    ],
)
def test_an_offset_gets_its_zone_with_the_sign_explained(
    written: str, name: str, hours: int
) -> None:
    """The signs of these zones are those of POSIX: west is positive."""
    zone = zones.known_zone(name)
    assert zone
    assert datetime(2027, 1, 1, tzinfo=zone).utcoffset() == timedelta(hours=hours)
    side = "ahead of" if hours > 0 else "behind"
    assert zones.advice(written) == (
        f"; did you mean {name!r}, {abs(hours)} h {side} UTC (the sign in its name is reversed)?"
    )


def test_every_zone_that_is_suggested_exists() -> None:
    """And an abbreviation that is a zone itself needs no advice."""
    suggested = {*zones.ABBREVIATIONS.values(), *zones.CITIES.values()}
    assert suggested <= zones.names()
    assert not zones.ABBREVIATIONS.keys() & zones.names()
    assert not zones.CITIES.keys() & {name.casefold() for name in zones.names()}


def test_a_slip_in_any_zone_is_found_or_nothing_is_said() -> None:
    """Never another zone with other hours: a fourth of all zones, with letters left out."""
    moments = [datetime(2027, month, 1, tzinfo=UTC) for month in (1, 7)]
    for name in sorted(zones.names())[::4]:
        zone = zones.known_zone(name)
        assert zone
        for position in range(0, len(name), 5):
            written = name[:position] + name[position + 1 :]
            advice = zones.advice(written)
            meant = zones.known_zone(advice[16:-2]) if advice else None
            if meant and "/" in written and meant.key.casefold() != written.casefold():
                assert [meant.utcoffset(when) for when in moments] == [
                    zone.utcoffset(when) for when in moments
                ], name
