"""Time zones: those of the tz database, and the name that was probably meant.

The package `tzdata`, where it is installed, wins over the machine's own files: it is pinned, and
those of a machine may be years old.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import zoneinfo
from zoneinfo import ZoneInfo

# abbreviations that mean one clock alone; the ambiguous ones (IST, BST, CST, AST, ...) are left out
ABBREVIATIONS = {
    "AEDT": "Australia/Sydney",
    "AWST": "Australia/Perth",
    "AKDT": "America/Anchorage",
    "AKST": "America/Anchorage",
    "BRT": "America/Sao_Paulo",
    "CEST": "Europe/Brussels",
    "CAT": "Africa/Maputo",
    "EAT": "Africa/Nairobi",
    "EDT": "America/New_York",
    "EEST": "Europe/Athens",
    "HKT": "Asia/Hong_Kong",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MDT": "America/Denver",
    "MSK": "Europe/Moscow",
    "NZDT": "Pacific/Auckland",
    "NZST": "Pacific/Auckland",
    "PDT": "America/Los_Angeles",
    "PKT": "Asia/Karachi",
    "PST": "America/Los_Angeles",
    "SAST": "Africa/Johannesburg",
    "SGT": "Asia/Singapore",
    "WAT": "Africa/Lagos",
    "WIB": "Asia/Jakarta",
    "Z": "UTC",
}
# large cities and others without a zone of their own
CITIES = {
    "america/atlanta": "America/New_York",
    "america/boston": "America/New_York",
    "america/dallas": "America/Chicago",
    "america/houston": "America/Chicago",
    "america/miami": "America/New_York",
    "america/san_francisco": "America/Los_Angeles",
    "america/seattle": "America/Los_Angeles",
    "america/washington": "America/New_York",
    "asia/bangalore": "Asia/Kolkata",
    "asia/beijing": "Asia/Shanghai",
    "asia/delhi": "Asia/Kolkata",
    "asia/mumbai": "Asia/Kolkata",
    "asia/new_delhi": "Asia/Kolkata",
    "asia/osaka": "Asia/Tokyo",
    "asia/shenzhen": "Asia/Shanghai",
    "arizona": "America/Phoenix",
    "europe/barcelona": "Europe/Madrid",
    "europe/frankfurt": "Europe/Berlin",
    "europe/geneva": "Europe/Zurich",
    "europe/hamburg": "Europe/Berlin",
    "europe/milan": "Europe/Rome",
    "europe/munich": "Europe/Berlin",
    "europe/naples": "Europe/Rome",
    "europe/turin": "Europe/Rome",
    "hawaii": "Pacific/Honolulu",
    "indian/male": "Indian/Maldives",
}
CONTINENTS = {
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe"),
    *("Indian", "Pacific"),
}
REGIONS = {f"Australia/{name}" for name in ("ACT", "North", "South", "Victoria", "West")}
OFFSET = re.compile("(?ai)(?:utc|gmt)? ?([+-])(0?[0-9]|1[0-4])(?::?00)?")
MOST_BEHIND = 12  # hours: there is Etc/GMT+12, and Etc/GMT-14


@functools.cache
def names() -> frozenset[str]:
    """Return the names of all zones; none if neither the package nor the machine has them."""
    try:
        listed = importlib.resources.files("tzdata").joinpath("zones").read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return frozenset(zoneinfo.available_timezones())
    return frozenset(listed.split())


@functools.cache
def known_zone(name: str) -> ZoneInfo | None:
    """Return the zone, or None if the tz database has none of this name."""
    if name not in names():
        return None
    try:
        packaged = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        with packaged.open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (ModuleNotFoundError, FileNotFoundError):
        return ZoneInfo(name)


@functools.cache
def advice(name: str) -> str:
    """Return the end of a message on an unknown zone: the name that was meant, or ""."""
    offset = OFFSET.fullmatch(name.strip())
    if offset:
        return _fixed_offset(offset[1], int(offset[2]))
    meant = ABBREVIATIONS.get(name.strip().upper()) or _close_name(name)
    return f"; did you mean {meant!r}?" if meant else ""


def _fixed_offset(sign: str, hours: int) -> str:
    if hours == 0:
        return "; did you mean 'UTC'?"
    if sign == "-" and hours > MOST_BEHIND:
        return ""
    zone = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
    side = "ahead of" if sign == "+" else "behind"
    return f"; did you mean {zone!r}, {hours} h {side} UTC (the sign in its name is reversed)?"


def _close_name(name: str) -> str | None:
    """Return the one zone whose name differs in a slip of the fingers, or lacks its continent."""
    plain = _plain(name)
    if plain in CITIES:
        return CITIES[plain]
    zones = _plain_names()
    if plain in zones:
        return zones[plain]
    if "/" in plain:
        close = [zone for text, zone in zones.items() if _is_slip_of(plain, text)]
    else:
        close = [zone for text, zone in zones.items() if text.endswith(f"/{plain}")]
    is_clear = len(close) == 1 and ("/" in plain or _is_of_a_city(close[0]))
    return close[0] if is_clear else None


@functools.cache
def _plain_names() -> dict[str, str]:
    return {_plain(zone): zone for zone in sorted(names())}


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", re.sub(r"\s*/\s*", "/", name.strip())).casefold()


def _is_of_a_city(zone: str) -> bool:
    """Tell whether a name is Continent/City, and not that of a part of a country."""
    continent, *places = zone.split("/")
    return continent in CONTINENTS and len(places) == 1 and zone not in REGIONS


def _is_slip_of(written: str, zone: str) -> bool:
    """Tell whether one letter is missing, added or wrong, or two neighbours have changed places.

    A city's first letter must be right: Rome is not in America, and Nome is.
    """
    if zone.startswith("etc/") or written.rpartition("/")[2][:1] != zone.rpartition("/")[2][:1]:
        return False
    start = 0
    while start < min(len(written), len(zone)) and written[start] == zone[start]:
        start += 1
    end = 0
    shorter = min(len(written), len(zone)) - start
    while end < shorter and written[-1 - end] == zone[-1 - end]:
        end += 1
    left = written[start : len(written) - end]
    right = zone[start : len(zone) - end]
    swapped = len(left) == 2 and left == right[::-1]  # noqa: PLR2004 - two letters
    return swapped or max(len(left), len(right)) <= 1
