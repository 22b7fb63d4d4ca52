"""The store of bar sets: one Parquet file per (venue, symbol, interval) under `<home>/data`.

A set is identified by its content hash: sha256 over the raw little-endian bytes of ts_ns (int64), open,
high, low, close, volume (float64), in this order. The set's metadata is inside the file, so that one
atomic write commits both; the JSON beside it is a copy for people and other tools.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.market.quality import Finding
from engine.market.reading import ARROW_ENDINGS, read_parquet, read_table
from engine.market.validation import CODES, BadData, Columns, Gaps, check, gaps_of, interval_ns_of, whole_file
from seams.clock import NS_PER_MS
from seams.disk import Disk, RealDisk
from venues.types import Bar, Record

_SAFE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,63}")
_META_KEY = b"interlock.set"
_STORED = ("ts_ns", "open", "high", "low", "close", "volume")


class BarColumns(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One set of bars in memory: equal-length C-contiguous columns; `ts_ns` are open times, UTC."""

    ts_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    content_sha256: str
    interval_ns: int

    def __len__(self) -> int:
        return len(self.ts_ns)

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> list[Bar]:
        """Return the bars that open in `start_ns <= t < end_ns`."""
        first, last = (int(np.searchsorted(self.ts_ns, at, side="left")) for at in (start_ns, end_ns))
        return [self.bar(symbol, row) for row in range(first, last)]

    def bar(self, symbol: str, row: int) -> Bar:
        open_ns = int(self.ts_ns[row])
        return Bar(
            symbol=symbol,
            open_ns=open_ns,
            close_ns=open_ns + self.interval_ns,
            open=float(self.open[row]),
            high=float(self.high[row]),
            low=float(self.low[row]),
            close=float(self.close[row]),
            volume=float(self.volume[row]),
        )


class Derivation(Record):
    """How a set was made from another stored one."""

    from_interval: str
    from_sha256: str
    rule: str
    with_holes: int
    dropped: int


class SetInfo(Record):
    """A stored set's metadata; `first_ns` and `last_ns` are the first and last open times.

    `repairs` says what an import changed, in order; `derived` is set where the bars were not imported;
    `findings` is what to know about the set, judged when it was stored.
    """

    venue: str
    symbol: str
    interval: str
    rows: int
    first_ns: int
    last_ns: int
    gaps: Gaps
    content_sha256: str
    source_name: str
    source_sha256: str
    imported_ns: int
    repairs: tuple[str, ...] = ()
    derived: Derivation | None = None
    findings: tuple[Finding, ...] = ()


class UnsafeName(ValueError):
    """A venue, symbol or interval that is not a plain file name."""


class UnknownSet(LookupError):
    """No set is stored under this venue, symbol and interval."""


def set_path(home: Path, venue: str, symbol: str, interval: str) -> Path:
    """Return where a set is kept. Raises `UnsafeName`, or `ValueError` for the interval."""
    for what, name in (("venue", venue), ("symbol", symbol)):
        if not _SAFE_NAME.fullmatch(name):
            raise UnsafeName(
                f"{what} must be letters, digits, '-', '_' or '.', such as BTC-PERP; got {name[:40]!a}"
            )
    interval_ns_of(interval)
    return home / "data" / venue / symbol / f"{interval}.parquet"


def columns_of(columns: Columns, interval_ns: int) -> BarColumns:
    """Make a set of validated columns (`ts_ms` and prices) and compute its content hash."""
    ts_ns = np.ascontiguousarray(columns["ts_ms"].astype(np.int64) * NS_PER_MS, dtype="<i8")
    prices = {name: np.ascontiguousarray(columns[name], dtype="<f8") for name in _STORED[1:]}
    return sealed({"ts_ns": ts_ns, **prices}, interval_ns)


def raw_columns(bars: BarColumns) -> Columns:
    """Return the columns in the form in which files are judged (`ts_ms` and prices)."""
    columns: Columns = {"ts_ms": bars.ts_ns // NS_PER_MS}
    return {**columns, **{name: getattr(bars, name) for name in _STORED[1:]}}


def store(home: Path, bars: BarColumns, info: SetInfo, disk: Disk) -> Path:
    """Write a set whole or not at all, in place of an older one. Raises `OSError`."""
    store_all(home, [(bars, info)], disk)
    return set_path(home, info.venue, info.symbol, info.interval)


def store_all(home: Path, sets: Sequence[tuple[BarColumns, SetInfo]], disk: Disk) -> None:
    """Write all sets, or put back what was there before and raise `OSError`."""
    files: list[tuple[Path, bytes]] = []
    for bars, info in sets:
        assert info.content_sha256 == bars.content_sha256 and info.rows == len(bars)
        path = set_path(home, info.venue, info.symbol, info.interval)
        meta = msgspec.json.encode(info)
        files.append((path, _parquet_bytes(bars, meta)))
        files.append((path.with_suffix(".json"), msgspec.json.format(meta, indent=2) + b"\n"))
    write_all(files, disk)


def write_all(files: Sequence[tuple[Path, bytes]], disk: Disk) -> None:
    """Write all files, or put back what was there before and raise `OSError`."""
    undo: list[tuple[Path, bytes | None]] = []
    try:
        for path, data in files:
            disk.make_folder(path.parent)
            before = disk.read(path) if disk.exists(path) else None
            disk.write_atomic(path, data)
            undo.append((path, before))
    except OSError:
        for path, before in reversed(undo):
            if before is None:
                disk.remove(path)
            else:
                disk.write_atomic(path, before)
        raise


def list_sets(home: Path, disk: Disk | None = None) -> list[SetInfo]:
    """Return the metadata of every stored set, by venue, symbol, interval; unreadable files are left out."""
    disk = disk or RealDisk()
    root, found = home / "data", []
    for venue in disk.list(root):
        for symbol in disk.list(root / venue):
            for name in disk.list(root / venue / symbol):
                if name.endswith(".json"):
                    info = _read_info(root / venue / symbol / name, disk)
                    found += [info] if info is not None else []
    return sorted(found, key=lambda info: (info.venue, info.symbol, interval_ns_of(info.interval)))


def coverage(home: Path, venue: str, symbol: str, interval: str, disk: Disk | None = None) -> SetInfo:
    """Return what is stored of one set: its span, rows and gaps. Raises `UnknownSet`."""
    path = set_path(home, venue, symbol, interval).with_suffix(".json")
    info = _read_info(path, disk or RealDisk())
    if info is None:
        raise UnknownSet(f"no data for {venue} {symbol} {interval}; import some with: interlock data import")
    return info


def load(home: Path, venue: str, symbol: str, interval: str, disk: Disk | None = None) -> BarColumns:
    """Return a stored set after checking its content hash. Raises `UnknownSet` or `BadData`."""
    path = set_path(home, venue, symbol, interval)
    if not (disk or RealDisk()).exists(path):
        raise UnknownSet(f"no data for {venue} {symbol} {interval}; import some with: interlock data import")
    try:
        source = pa.BufferReader(disk.read(path)) if disk is not None else pa.memory_map(str(path))
        table = pq.read_table(source, columns=list(_STORED))
        info = msgspec.json.decode((table.schema.metadata or {})[_META_KEY], type=SetInfo)
        columns = {name: np.ascontiguousarray(table.column(name).to_numpy()) for name in _STORED}
    except (pa.ArrowException, OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise whole_file("unreadable_file", f"stored set {path.name}: {str(error)[:160]!a}") from error
    bars = sealed(columns, interval_ns_of(interval))
    if bars.content_sha256 != info.content_sha256:
        raise whole_file("unreadable_file", f"stored set {path.name}: content differs from its recorded hash")
    return bars


def load_file(path: Path, interval: str | None = None) -> BarColumns:
    """Read a bar file directly, with the importer's validation; `interval` None takes the smallest step.

    Raises `BadData`, or `ValueError` for the interval's text.
    """
    try:
        is_parquet = path.suffix.lower() in ARROW_ENDINGS
        table = (
            read_parquet(pa.memory_map(str(path))) if is_parquet else read_table(path.name, path.read_bytes())
        )
    except OSError as error:
        raise whole_file("unreadable_file", error.strerror or type(error).__name__) from error
    if len(table.symbol_names) > 1:
        raise whole_file("many_symbols", f"{CODES['many_symbols']}; import the file first", "symbol")
    interval_ns = smallest_step_ns(table.columns) if interval is None else interval_ns_of(interval)
    problems, _ = check(table.columns, interval_ns)
    if problems:
        raise BadData(problems)
    return columns_of(table.columns, interval_ns)


def smallest_step_ns(columns: Columns) -> int:
    """Return the smallest positive step between rows; a minute where there is none."""
    steps = np.diff(columns["ts_ms"].astype(np.int64, copy=False))
    rising = steps[steps > 0]
    return int(rising.min()) * NS_PER_MS if len(rising) else interval_ns_of("1m")


def info_of(
    bars: BarColumns,
    *,
    venue: str,
    symbol: str,
    interval: str,
    source_name: str,
    source_sha256: str,
    imported_ns: int,
    repairs: tuple[str, ...] = (),
    derived: Derivation | None = None,
    findings: tuple[Finding, ...] = (),
) -> SetInfo:
    """Describe a set for storing."""
    return SetInfo(
        venue=venue,
        symbol=symbol,
        interval=interval,
        rows=len(bars),
        first_ns=int(bars.ts_ns[0]),
        last_ns=int(bars.ts_ns[-1]),
        gaps=gaps_of(bars.ts_ns, bars.interval_ns),
        content_sha256=bars.content_sha256,
        source_name=source_name,
        source_sha256=source_sha256,
        imported_ns=imported_ns,
        repairs=repairs,
        derived=derived,
        findings=findings,
    )


def sealed(columns: Mapping[str, NDArray[np.int64] | NDArray[np.float64]], interval_ns: int) -> BarColumns:
    """Make a set of contiguous columns with `ts_ns` and compute its content hash."""
    digest = hashlib.sha256()
    for name in _STORED:
        digest.update(columns[name].data.cast("B"))
    return BarColumns(**columns, content_sha256=digest.hexdigest(), interval_ns=interval_ns)  # type: ignore[arg-type]


def _parquet_bytes(bars: BarColumns, meta: bytes) -> bytes:
    table = pa.table({name: getattr(bars, name) for name in _STORED}).replace_schema_metadata(
        {_META_KEY: meta}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    return bytes(sink.getvalue())


def _read_info(path: Path, disk: Disk) -> SetInfo | None:
    try:
        return msgspec.json.decode(disk.read(path), type=SetInfo)
    except (OSError, msgspec.MsgspecError):
        return None
