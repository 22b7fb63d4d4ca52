"""Funding series on disk: one Parquet file per (venue, symbol) under `<home>/funding`, imported whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.market.catalogue import UnknownSet, set_path, write_all
from engine.market.funding import (
    MAX_ABS_RATE,
    SIGN,
    FundingInfo,
    Rates,
    Times,
    intervals_of,
    missing_in,
    sha256_of,
    snapped,
)
from engine.market.reading import ALL_SYMBOLS, read_columns, rows_by_symbol, symbols_found, times_found
from engine.market.shapes import SYMBOL, TIME, Shape
from engine.market.validation import BadData, Problem, whole_file
from seams.clock import NS_PER_MS, Clock
from seams.disk import Disk, RealDisk

WANTED = (TIME, "rate")
_META_KEY = b"interlock.funding"
_NO_SHAPE = Shape()


def import_funding(
    path: Path,
    venue: str,
    symbol: str,
    home: Path,
    disk: Disk,
    clock: Clock,
    shape: Shape = _NO_SHAPE,
) -> tuple[FundingInfo, ...]:
    """Read a file of funding rates (fraction of a payment) and store each symbol's, or nothing.

    `symbol` is as for bars: one, or `*` for all of a long table. Raises `BadData` with rows, `UnsafeName`
    for names and `OSError` where the store cannot be written.
    """
    funding_path(home, venue, symbol if symbol != ALL_SYMBOLS else "ALL")
    data = disk.read(path)
    found, layout, _ = read_columns(path.name, data, shape, WANTED)
    times, _ = times_found(found, layout, shape)
    rates: Rates = np.asarray(found["rate"], dtype=np.float64)
    made = []
    names, codes = symbols_found(found) if SYMBOL in found else ((), None)
    for name, chosen in rows_by_symbol(names, codes, symbol):
        rows = np.arange(len(times)) if chosen is None else chosen
        ts_ns, late_ms = _judged(times[rows], rates[rows], rows)
        info = FundingInfo(
            venue=venue,
            symbol=name,
            rows=len(rows),
            first_ns=int(ts_ns[0]),
            last_ns=int(ts_ns[-1]),
            intervals_h=intervals_of(ts_ns),
            missing=int(missing_in(ts_ns).sum()),
            largest_delay_ms=late_ms,
            sign=SIGN,
            content_sha256=sha256_of(ts_ns, rates[rows]),
            source_name=path.name,
            source_sha256=hashlib.sha256(data).hexdigest(),
            imported_ns=clock.now_ns(),
        )
        made.append((info, _parquet(ts_ns, rates[rows], info)))
    write_all([(funding_path(home, venue, info.symbol), data) for info, data in made], disk)
    return tuple(info for info, _ in made)


def list_funding(home: Path, disk: Disk | None = None) -> list[FundingInfo]:
    """Return every stored series by venue and symbol; unreadable files are left out."""
    disk = disk or RealDisk()
    root, found = home / "funding", []
    for venue in disk.list(root):
        for name in disk.list(root / venue):
            try:
                found.append(load_funding(home, venue, name.removesuffix(".parquet"), disk)[0])
            except (BadData, UnknownSet, ValueError):
                continue
    return found


def load_funding(
    home: Path, venue: str, symbol: str, disk: Disk | None = None
) -> tuple[FundingInfo, Times, Rates]:
    """Return a stored series after checking its hash. Raises `UnknownSet` or `BadData`."""
    disk = disk or RealDisk()
    path = funding_path(home, venue, symbol)
    if not disk.exists(path):
        raise UnknownSet(f"no funding for {venue} {symbol}; import some with: interlock data funding import")
    try:
        table = pq.read_table(pa.BufferReader(disk.read(path)))
        info = msgspec.json.decode((table.schema.metadata or {})[_META_KEY], type=FundingInfo)
        ts_ns, rates = (np.ascontiguousarray(table.column(name).to_numpy()) for name in ("ts_ns", "rate"))
    except (pa.ArrowException, OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise whole_file("unreadable_file", f"stored funding {path.name}: {str(error)[:160]!a}") from error
    if sha256_of(ts_ns, rates) != info.content_sha256:
        raise whole_file("unreadable_file", f"stored funding {path.name} differs from its recorded hash")
    return info, ts_ns, rates


def funding_path(home: Path, venue: str, symbol: str) -> Path:
    """Return where a series is kept. Raises `UnsafeName`."""
    set_path(home, venue, symbol, "1h")
    return home / "funding" / venue / f"{symbol}.parquet"


def _judged(ts_ms: Times, rates: Rates, rows: Times) -> tuple[Times, int]:
    """Return nanoseconds on their hours. Raises `BadData` with rows of the file."""
    wrong = [
        ("not_a_number", "rate", ~np.isfinite(rates) | (np.abs(rates) > MAX_ABS_RATE)),
        ("out_of_order", TIME, np.concatenate(([False], ts_ms[1:] < ts_ms[:-1]))),
        ("duplicate_timestamp", TIME, np.concatenate(([False], ts_ms[1:] == ts_ms[:-1]))),
    ]
    problems = [
        Problem(code=code, row=int(rows[at]) + 1, column=column, message=_say(code, ts_ms[at], rates[at]))
        for code, column, mask in wrong
        for at in np.flatnonzero(mask)[:20]
    ]
    if problems:
        raise BadData(tuple(problems))
    ts_ns, late_ms = snapped(ts_ms * NS_PER_MS)
    if (ts_ns[1:] <= ts_ns[:-1]).any():
        raise whole_file("duplicate_timestamp", "two payments belong to the same hour")
    return ts_ns, late_ms


def _say(code: str, ts_ms: np.int64, rate: np.float64) -> str:
    if code == "not_a_number":
        return f"a funding rate is a fraction within {MAX_ABS_RATE:g} of zero; found {rate}"
    return f"payments must rise in time; found {ts_ms}"


def _parquet(ts_ns: Times, rates: Rates, info: FundingInfo) -> bytes:
    table = pa.table({"ts_ns": ts_ns, "rate": rates})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_META_KEY: msgspec.json.encode(info)}), sink, compression="zstd"
    )
    return bytes(sink.getvalue())
