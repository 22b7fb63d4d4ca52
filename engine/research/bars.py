"""The bars of a run: a file or a stored set, cut to the window; and the finer bars inside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.research.choice import RunFailed
from engine.research.request import RunRequest
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

FILE_SUFFIXES = (".csv", ".gz", ".parquet", ".pq", ".txt")


def load_bars(request: RunRequest, home: Path, disk: Disk) -> tuple[BarColumns, str, str]:
    """Return the bars of the request's window, their symbol and interval."""
    from engine.market import catalogue

    name = request.data
    if name.lower().endswith(FILE_SUFFIXES):
        path = Path(name).expanduser()
        bars = catalogue.load_file(path, request.interval or None)
        symbol = request.symbol or symbol_of(path.name)
        interval = request.interval or interval_text(bars.interval_ns)
    else:
        parts = name.split("/")
        if len(parts) != 3:
            raise RunFailed("invalid_request", f"data must be a file or VENUE/SYMBOL/INTERVAL, not {name!r}")
        bars = catalogue.load(home, parts[0], parts[1], parts[2])
        symbol, interval = parts[1], parts[2]
    bars = _window(bars, request.start_ns, request.end_ns, request.max_bars)
    if not len(bars):
        raise RunFailed("no_bars", f"no bars of {name} lie in the window")
    return bars, symbol, interval


def symbol_of(file_name: str) -> str:
    """Guess a symbol from a file name: the part before the first underscore or dot."""
    return re.split(r"[_.]", file_name, maxsplit=1)[0].upper() or "UNKNOWN"


def interval_text(interval_ns: int) -> str:
    """Write an interval such as 1m, 4h or 1d."""
    seconds = interval_ns // 1_000_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def load_sub_bars(name: str, bars: BarColumns, home: Path, disk: Disk) -> BarColumns:
    """Return the finer bars inside a run's bars. Raises as `load_bars`, and where they are no finer."""
    subs, _, _ = load_bars(RunRequest(data=name), home, disk)
    return inside(subs, bars, name)


def inside(subs: BarColumns, bars: BarColumns, name: str) -> BarColumns:
    """Return the finer bars inside `bars`. Raises `RunFailed` where there are none, or they are no finer."""
    found = _window(subs, int(bars.ts_ns[0]), int(bars.ts_ns[-1]) + bars.interval_ns, 0)
    if not len(found):
        raise RunFailed("no_bars", f"no bars of {name} lie in the window")
    if not 0 < subs.interval_ns < bars.interval_ns or bars.interval_ns % subs.interval_ns:
        raise RunFailed("invalid_request", f"the bars of {name} do not divide the run's bars")
    return found


def short_name(data: str) -> str:
    """Return what a configuration calls its data: a file by its last name only."""
    return Path(data).name if data.lower().endswith(FILE_SUFFIXES) else data


def _window(bars: BarColumns, start_ns: int | None, end_ns: int | None, max_bars: int) -> BarColumns:
    """Cut to `start_ns <= t < end_ns` and at most `max_bars`; the content hash stays that of the whole
    set (the window is recorded beside it)."""
    if start_ns is None and end_ns is None and not max_bars:
        return bars
    first = 0 if start_ns is None else int(np.searchsorted(bars.ts_ns, start_ns, side="left"))
    last = len(bars) if end_ns is None else int(np.searchsorted(bars.ts_ns, end_ns, side="left"))
    last = min(last, first + max_bars) if max_bars else last
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    return msgspec.structs.replace(bars, **{name: getattr(bars, name)[first:last] for name in names})
