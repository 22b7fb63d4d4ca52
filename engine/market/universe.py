"""Which markets could have been traded on a date: those listed then, also the ones that died since (OC-74).

A ranking for a date reads nothing after it: listings that began before, bars that had closed. A market
that was delisted later is in; one that had died is out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from engine.market.catalogue import BarColumns, SetInfo, UnknownSet, list_sets, load, raw_columns, set_path
from engine.market.quality import dead_tail
from engine.market.stamps import times_of
from engine.market.validation import BadData, Problem, interval_ns_of, whole_file
from seams.clock import NS_PER_MS, NS_PER_S
from seams.disk import Disk
from venues.types import Record

DAY_NS = 86_400 * NS_PER_S
COLUMNS = ("symbol", "listed", "delisted")
MAX_TOP = 10_000


class Listing(Record):
    """From when to when a market was traded; `delisted_ns` is None while it is. UTC ns."""

    symbol: str
    listed_ns: int
    delisted_ns: int | None


class History(Record):
    """Every market that a venue ever listed, as far as known; `source` says how."""

    venue: str
    source: str
    listings: tuple[Listing, ...]


class Ranked(Record):
    """A market's place: mean value traded per day (price times volume) over the days before the date."""

    rank: int
    symbol: str
    value_per_day: float
    bars: int


class Universe(Record):
    """The largest markets of a date. `left_out` says for each other market why: not_listed, delisted,
    no_data, no_trades, excluded or below. `unknown` were ranked without a listing in the history."""

    venue: str
    interval: str
    at_ns: int
    days: int
    top: tuple[Ranked, ...]
    left_out: dict[str, str]
    unknown: tuple[str, ...]


def read_history(data: bytes, venue: str, source: str) -> History:
    """Read `symbol,listed,delisted` (dates or UTC times; empty while traded). Raises `BadData` with rows."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise whole_file("unreadable_file", str(error)[:120]) from error
    if not rows:
        raise whole_file("empty_file", "there is no row of data")
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        raise whole_file("missing_column", f"a history needs {', '.join(COLUMNS)}", missing[0])
    listings = tuple(_listing(row, at) for at, row in enumerate(rows, start=1))
    names = [listing.symbol for listing in listings]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise _row("conflicting_duplicate", at + 1, "symbol", f"{name[:40]!a} is listed twice")
    return History(venue=venue, source=source, listings=listings)


def store_history(home: Path, history: History, disk: Disk) -> Path:
    """Keep a venue's history, in place of an older one. Raises `UnsafeName` or `OSError`."""
    path = _path(home, history.venue)
    disk.make_folder(path.parent)
    disk.write_atomic(path, msgspec.json.format(msgspec.json.encode(history), indent=2) + b"\n")
    return path


def load_history(home: Path, venue: str, disk: Disk) -> History:
    """Return a venue's history. Raises `UnknownSet` or `BadData`."""
    path = _path(home, venue)
    try:
        return msgspec.json.decode(disk.read(path), type=History)
    except FileNotFoundError as error:
        raise UnknownSet(f"no history of {venue}; make one with: interlock data universe derive") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise whole_file("unreadable_file", f"history of {venue}: {str(error)[:120]!a}") from error


def derive_history(home: Path, venue: str, interval: str, disk: Disk) -> History:
    """Tell listings from stored bars: from the first bar to the standstill at the end, or still traded.

    A set that ends more than a week before the venue's newest bar also counts as delisted. Raises
    `UnknownSet` without any set.
    """
    infos = _sets(home, venue, interval, disk)
    step_ns = interval_ns_of(interval)
    newest = max(info.last_ns for info in infos)
    listings = []
    for info in infos:
        bars = load(home, venue, info.symbol, interval, disk)
        dead = dead_tail(raw_columns(bars))
        ended = info.last_ns + step_ns if newest - info.last_ns > 7 * DAY_NS else None
        delisted = int(bars.ts_ns[dead]) if dead is not None else ended
        listings.append(Listing(symbol=info.symbol, listed_ns=info.first_ns, delisted_ns=delisted))
    return History(venue=venue, source=f"derived from stored {interval} bars", listings=tuple(listings))


def universe(
    home: Path,
    venue: str,
    interval: str,
    count: int,
    at_ns: int,
    disk: Disk,
    days: int = 30,
    exclude: Sequence[str] = (),
) -> Universe:
    """Rank the markets that could be traded at `at_ns` by value traded over the `days` before it.

    Raises `UnknownSet` where nothing of the venue and interval is stored, `ValueError` for odd numbers.
    """
    if not (1 <= count <= MAX_TOP and 1 <= days <= 3_650):
        raise ValueError(f"count must be 1..{MAX_TOP} and days 1..3650, not {count} and {days}")
    infos = _sets(home, venue, interval, disk)
    try:
        listed = {listing.symbol: listing for listing in load_history(home, venue, disk).listings}
    except UnknownSet:
        listed = {}
    left_out: dict[str, str] = {
        symbol: _why_not(listing, at_ns) or "no_data" for symbol, listing in listed.items()
    }
    ranked: list[tuple[float, int, str]] = []
    for info in infos:
        why = "excluded" if info.symbol in exclude else _why_not(listed.get(info.symbol), at_ns)
        value, bars = (0.0, 0) if why else _traded(_load(home, info, disk), at_ns, days)
        why = why or ("no_data" if not bars else "no_trades" if not value else "")
        if why:
            left_out[info.symbol] = why
        else:
            left_out[info.symbol] = "below"
            ranked.append((value, bars, info.symbol))
    ranked.sort(key=lambda row: (-row[0], row[2]))
    top = tuple(
        Ranked(rank=place, symbol=symbol, value_per_day=value, bars=bars)
        for place, (value, bars, symbol) in enumerate(ranked[:count], start=1)
    )
    chosen = {row.symbol for row in top}
    return Universe(
        venue=venue,
        interval=interval,
        at_ns=at_ns,
        days=days,
        top=top,
        left_out={symbol: why for symbol, why in sorted(left_out.items()) if symbol not in chosen},
        unknown=tuple(row.symbol for row in top if listed and row.symbol not in listed),
    )


def listed_at(history: History, at_ns: int) -> list[str]:
    """Return the symbols that could be traded at a time, those that died since among them, by name."""
    return sorted(listing.symbol for listing in history.listings if not _why_not(listing, at_ns))


def _why_not(listing: Listing | None, at_ns: int) -> str:
    """Say why a market could not be traded at a time; nothing where it could, or is not in the history."""
    if listing is None:
        return ""
    if listing.listed_ns > at_ns:
        return "not_listed"
    return "delisted" if listing.delisted_ns is not None and listing.delisted_ns <= at_ns else ""


def _traded(bars: BarColumns, at_ns: int, days: int) -> tuple[float, int]:
    """Return value traded per day in bars that closed by `at_ns`, and how many bars that were."""
    first = int(np.searchsorted(bars.ts_ns, at_ns - days * DAY_NS, side="left"))
    last = int(np.searchsorted(bars.ts_ns + bars.interval_ns, at_ns, side="right"))
    if last <= first:
        return 0.0, 0
    typical = (bars.high[first:last] + bars.low[first:last] + bars.close[first:last]) / 3
    return float((typical * bars.volume[first:last]).sum()) / days, last - first


def _load(home: Path, info: SetInfo, disk: Disk) -> BarColumns:
    return load(home, info.venue, info.symbol, info.interval, disk)


def _sets(home: Path, venue: str, interval: str, disk: Disk) -> list[SetInfo]:
    interval_ns_of(interval)
    infos = [info for info in list_sets(home, disk) if (info.venue, info.interval) == (venue, interval)]
    if not infos:
        raise UnknownSet(f"no {interval} data of {venue}; import some with: interlock data import")
    return infos


def _listing(row: dict[str, str], at: int) -> Listing:
    symbol = (row["symbol"] or "").strip()
    if not symbol:
        raise _row("unsafe_symbol", at, "symbol", "the symbol is empty")
    listed = _time(row["listed"], at, "listed")
    delisted = _time(row["delisted"], at, "delisted") if (row["delisted"] or "").strip() else None
    if delisted is not None and delisted <= listed:
        raise _row("out_of_order", at, "delisted", f"{symbol[:40]!a} was delisted before it was listed")
    return Listing(symbol=symbol, listed_ns=listed, delisted_ns=delisted)


def _time(text: str | None, at: int, column: str) -> int:
    word = (text or "").strip()
    column_of = pa.array([int(word)]) if word.isdigit() and len(word) > 8 else pa.array([word])
    try:
        return int(times_of(column, column_of, "UTC")[0][0]) * NS_PER_MS
    except BadData as bad:
        raise _row("not_a_time", at, column, bad.problems[0].message) from bad


def _row(code: str, row: int, column: str, message: str) -> BadData:
    return BadData((Problem(code=code, row=row, column=column, message=message),))


def _path(home: Path, venue: str) -> Path:
    set_path(home, venue, "ALL", "1h")
    return home / "universe" / f"{venue}.json"
