"""The store of candles that grows beyond what a venue keeps: `<home>/candles/VENUE/SYMBOL/INTERVAL/`.

One Parquet file a month, replaced whole or not at all, so that a crash at any point leaves each month as
it was or as it is to be. A bar is stored once it is closed and its grace has passed; a bar that is there
already is replaced only by a source of the same rank or a higher one, and a change of value is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.market.catalogue import BarColumns, UnknownSet, sealed, set_path
from engine.market.validation import BadData, check, interval_ns_of, whole_file
from seams.clock import NS_PER_MS, NS_PER_S
from seams.disk import Disk
from venues.types import Bar, Record

GRACE_NS = 2 * NS_PER_S
"""How long after its end a bar may still change at the venue (OC-16)."""
PRICES = ("open", "high", "low", "close", "volume")
STORED = ("ts_ns", *PRICES, "source")
_META_KEY = b"interlock.candles"
Rows = dict[str, NDArray[Any]]


class Source(IntEnum):
    """Where a bar came from; a higher rank replaces a lower one."""

    STREAM = 1
    """Added up, or pushed, while it happened."""
    REST = 2
    """Answered by the venue after the bar had closed."""


class Series(Record):
    """Which candles: a venue, our symbol, an interval such as `1m`."""

    venue: str
    symbol: str
    interval: str

    @property
    def step_ns(self) -> int:
        """The interval's length. Raises `ValueError`."""
        return interval_ns_of(self.interval)

    @property
    def name(self) -> str:
        return f"{self.venue}/{self.symbol}/{self.interval}"


class Merge(Record):
    """What a write did: bars that are new, that were there word for word, that were replaced by other values
    (`revised`), and that were left out because a better source said otherwise (`refused`)."""

    added: int = 0
    same: int = 0
    revised: int = 0
    refused: int = 0

    def plus(self, other: Merge) -> Merge:
        return Merge(
            added=self.added + other.added,
            same=self.same + other.same,
            revised=self.revised + other.revised,
            refused=self.refused + other.refused,
        )


def is_closed(bar: Bar, now_ns: int) -> bool:
    """Tell whether a bar's grace has passed: before that it may still change."""
    return bar.close_ns + GRACE_NS <= now_ns


def folder_of(home: Path, series: Series) -> Path:
    """Return where a series is kept. Raises `UnsafeName`, or `ValueError` for the interval."""
    set_path(home, series.venue, series.symbol, series.interval)
    return home / "candles" / series.venue / series.symbol / series.interval


class CandleStore:
    """The candles of one home; one process writes a venue's (see `engine.feed.process`), any may read."""

    def __init__(self, home: Path, disk: Disk) -> None:
        self._home, self._disk = home, disk

    def add(self, series: Series, bars: Sequence[Bar], source: Source, now_ns: int) -> Merge:
        """Store closed bars, in any order; what is there already is kept once.

        Raises `BadData` where a bar is not one (nothing is stored then, of any month) and `OSError`;
        after an `OSError` the months before the one that failed are stored, the others are as before.
        """
        if not bars:
            return Merge()
        assert all(is_closed(bar, now_ns) for bar in bars), "a bar that may still change"
        rows = _rows(bars, source)
        _demand_bars(rows, series)
        done = Merge()
        months = rows["ts_ns"].astype("datetime64[ns]").astype("datetime64[M]")
        for month in np.unique(months):
            chosen = {name: values[months == month] for name, values in rows.items()}
            done = done.plus(self._add_month(series, str(month), chosen))
        return done

    def series(self, venue: str = "") -> Iterator[Series]:
        """Yield every series that has bars, by venue, symbol and length of interval."""
        root = self._home / "candles"
        for each in [venue] if venue else self._disk.list(root):
            for symbol in self._disk.list(root / each):
                found = [
                    Series(venue=each, symbol=symbol, interval=interval)
                    for interval in self._disk.list(root / each / symbol)
                    if self._months(root / each / symbol / interval)
                ]
                yield from sorted(found, key=lambda series: series.step_ns)

    def rows(self, series: Series, start_ns: int = 0, end_ns: int = 2**63 - 1) -> Rows:
        """Return the columns `STORED` of the bars that open in `start_ns <= t < end_ns`, in time order.

        Raises `BadData` for a month that differs from its hash.
        """
        folder = folder_of(self._home, series)
        found = [
            self._read_month(series, month)
            for month in self._months(folder)
            if _month_ns(month, 1) > start_ns and _month_ns(month) < end_ns
        ]
        joined = {name: np.concatenate([_EMPTY[name], *(each[name] for each in found)]) for name in STORED}
        first, last = (int(np.searchsorted(joined["ts_ns"], at)) for at in (start_ns, end_ns))
        return {name: values[first:last] for name, values in joined.items()}

    def load(self, series: Series, start_ns: int = 0, end_ns: int = 2**63 - 1) -> BarColumns:
        """Return bars in the form of every other set. Raises `UnknownSet` where there are none, `BadData`."""
        rows = self.rows(series, start_ns, end_ns)
        if not len(rows["ts_ns"]):
            raise UnknownSet(f"no candles of {series.name}; fetch some with: interlock feed backfill")
        columns = {name: np.ascontiguousarray(rows[name]) for name in ("ts_ns", *PRICES)}
        return sealed(columns, series.step_ns)

    def newest_ns(self, series: Series) -> int | None:
        """Return the open time of the newest bar; None where there is none."""
        months = self._months(folder_of(self._home, series))
        return int(self._read_month(series, months[-1])["ts_ns"][-1]) if months else None

    def _add_month(self, series: Series, month: str, new: Rows) -> Merge:
        path = folder_of(self._home, series) / f"{month}.parquet"
        old = self._read_month(series, month) if self._disk.exists(path) else None
        rows, done = merged(old or _EMPTY, new)
        if old is not None and digest(rows) == digest(old):
            return done
        self._disk.make_folder(path.parent)
        self._disk.write_atomic(path, _parquet(rows, series, month))
        return done

    def _months(self, folder: Path) -> list[str]:
        return [
            name.removesuffix(".parquet") for name in self._disk.list(folder) if name.endswith(".parquet")
        ]

    def _read_month(self, series: Series, month: str) -> Rows:
        path = folder_of(self._home, series) / f"{month}.parquet"
        try:
            table = pq.read_table(
                pa.BufferReader(self._disk.read(path)), columns=list(STORED), use_threads=False
            )
            about = msgspec.json.decode((table.schema.metadata or {})[_META_KEY])
            rows: Rows = {name: table.column(name).to_numpy() for name in STORED}
        except (pa.ArrowException, KeyError, msgspec.MsgspecError) as error:
            raise _broken(series, month, str(error)) from error
        if about.get("sha256") != digest(rows) or not len(rows["ts_ns"]):
            raise _broken(series, month, "its content differs from its recorded hash")
        return rows


def merged(old: Rows, new: Rows) -> tuple[Rows, Merge]:
    """Return both in time order, each time once. `old` is in order already; `new` need not be.

    A bar of `new` replaces one of the same time unless that has a higher source.
    """
    new, repeats = _unique(new)
    at = np.searchsorted(old["ts_ns"], new["ts_ns"])
    is_known = np.zeros(len(at), dtype=np.bool_)
    inside = at < len(old["ts_ns"])
    is_known[inside] = old["ts_ns"][at[inside]] == new["ts_ns"][inside]
    places, known = at[is_known], {name: values[is_known] for name, values in new.items()}
    differs = np.zeros(len(places), dtype=np.bool_)
    for name in PRICES:
        differs |= old[name][places] != known[name]
    wins = known["source"] >= old["source"][places]
    kept = {name: values.copy() for name, values in old.items()}
    for name in STORED:
        kept[name][places[wins]] = known[name][wins]
    rows = {name: np.insert(kept[name], at[~is_known], new[name][~is_known]) for name in STORED}
    return rows, Merge(
        added=int((~is_known).sum()),
        same=int((~differs).sum()) + repeats,
        revised=int((differs & wins).sum()),
        refused=int((differs & ~wins).sum()),
    )


def digest(rows: Rows) -> str:
    """Return the sha256 (hex) over the raw little-endian columns, in the order of `STORED`."""
    made = hashlib.sha256()
    for name in STORED:
        made.update(np.ascontiguousarray(rows[name]).data.cast("B"))
    return made.hexdigest()


def _unique(rows: Rows) -> tuple[Rows, int]:
    """Return rows in time order; of one time the last said counts. Also how many were left out."""
    order = np.argsort(rows["ts_ns"], kind="stable")
    ordered = {name: values[order] for name, values in rows.items()}
    is_last = np.ones(len(order), dtype=np.bool_)
    is_last[:-1] = ordered["ts_ns"][1:] != ordered["ts_ns"][:-1]
    return {name: values[is_last] for name, values in ordered.items()}, int((~is_last).sum())


def _rows(bars: Sequence[Bar], source: Source) -> Rows:
    rows: Rows = {name: np.array([getattr(bar, name) for bar in bars], dtype="<f8") for name in PRICES}
    rows["ts_ns"] = np.array([bar.open_ns for bar in bars], dtype="<i8")
    rows["source"] = np.full(len(bars), int(source), dtype="u1")
    return rows


def _demand_bars(rows: Rows, series: Series) -> None:
    """Raise `BadData` unless every row is a bar on the interval's grid."""
    ordered, _ = _unique(rows)
    columns = {name: ordered[name] for name in PRICES} | {"ts_ms": ordered["ts_ns"] // NS_PER_MS}
    problems, _ = check(columns, series.step_ns)
    if problems:
        raise BadData(problems)


def _month_ns(month: str, later: int = 0) -> int:
    """Return where a month (`2026-11`), or one that many later, begins."""
    return int((np.datetime64(month, "M") + later).astype("datetime64[ns]").astype(np.int64))


def _parquet(rows: Rows, series: Series, month: str) -> bytes:
    about = {"series": series.name, "month": month, "rows": len(rows["ts_ns"]), "sha256": digest(rows)}
    table = pa.table({name: rows[name] for name in STORED})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_META_KEY: msgspec.json.encode(about)}), sink, compression="zstd"
    )
    return bytes(sink.getvalue())


def _broken(series: Series, month: str, why: str) -> BadData:
    said = f"candles {series.name} {month}: {why[:160]!a}; move the file away, then back-fill"
    return whole_file("unreadable_file", said)


_EMPTY: Rows = {
    "ts_ns": np.empty(0, dtype="<i8"),
    **{name: np.empty(0, dtype="<f8") for name in PRICES},
    "source": np.empty(0, dtype="u1"),
}


def bars_of(rows: Rows, series: Series) -> list[Bar]:
    """Return columns as bars, oldest first."""
    step_ns = series.step_ns
    columns = [rows[name].tolist() for name in ("ts_ns", *PRICES)]
    return [
        Bar(
            symbol=series.symbol,
            open_ns=open_ns,
            close_ns=open_ns + step_ns,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        for open_ns, opened, high, low, close, volume in zip(*columns, strict=True)
    ]
