"""What commands may ask of indicators over stored bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seams.disk import Disk, RealDisk
from venues.types import Record

FORMATS = ("csv", "parquet", "jsonl")
ENDINGS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class IndicatorDump(Record):
    """What was written: `columns` with the nulls of each; `data` where no file was named."""

    symbol: str
    interval: str
    rows: int
    columns: dict[str, int]
    format: str
    path: str
    data: bytes


def dump_indicators(
    home: Path,
    data: str,
    specs: Sequence[str],
    out: Path | None = None,
    *,
    form: str = "",
    start_ns: int | None = None,
    end_ns: int | None = None,
    max_bars: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
) -> IndicatorDump:
    """Compute indicators over a data set and write them; see `engine.research.indicator_columns`.

    Raises `RunFailed` with invalid_request or no_bars, and what the catalogue raises for its data.
    """
    from engine.research import indicator_columns as columns
    from engine.research.bars import load_bars
    from engine.research.choice import RunFailed
    from engine.research.request import RunRequest

    disk = disk or RealDisk()
    named = form or (ENDINGS.get(out.suffix.lower(), "") if out is not None else "csv")
    kind = next((each for each in columns.FORMATS if each == named), None)
    if kind is None:
        raise RunFailed(
            "invalid_request", f"no format {form or 'follows from the name'}; use {', '.join(FORMATS)}"
        )
    if kind == "parquet" and out is None:
        raise RunFailed("invalid_request", "parquet needs a file: --out FILE.parquet")
    request = RunRequest(data=data, start_ns=start_ns, end_ns=end_ns, max_bars=max_bars)
    bars, symbol, interval = load_bars(request, home, disk)
    asked = [columns.wanted(spec, bars.interval_ns) for spec in specs]
    if not asked:
        raise RunFailed("invalid_request", "no indicator is named; pass --indicator EMA(20)")
    table = columns.indicator_table(bars, asked, on_progress)
    written = columns.written(table, kind)
    if out is not None:
        disk.make_folder(out.parent)
        disk.write_atomic(out, written, mode=0o644)
    names = [name for each in asked for name in each.columns]
    return IndicatorDump(
        symbol=symbol,
        interval=interval,
        rows=len(bars),
        columns={name: table[name].null_count for name in names},
        format=kind,
        path="" if out is None else str(out),
        data=b"" if out is not None else written,
    )
