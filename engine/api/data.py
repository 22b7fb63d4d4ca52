"""What commands and consoles may ask of the data desk: imports, checks, resampling, what is stored.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import SystemClock
from seams.disk import RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.market.alignment import Alignment
    from engine.market.backfill import Backfill
    from engine.market.catalogue import SetInfo
    from engine.market.examine import Examination
    from engine.market.funding import FundingInfo
    from engine.market.importer import ImportReport
    from engine.market.prices import Prices
    from engine.market.resample import ResampleReport
    from engine.market.shapes import Shape
    from engine.market.universe import History, Universe


class FileShape(Record):
    """How a file is to be read, in plain words; see `engine.market.shapes.Shape`."""

    columns: tuple[str, ...] = ()
    volume: str = ""
    stamps: str = "open"
    timezone: str = "UTC"


AS_IT_IS = FileShape()
Progress = Callable[[int, int], None]
"""Hears (done, total)."""


def import_shaped(
    path: Path,
    venue: str,
    symbol: str,
    interval: str,
    home: Path,
    shape: FileShape,
    repairs: Sequence[str],
    on_progress: Progress | None = None,
) -> tuple[ImportReport, ...]:
    """Validate and store a file of bars of any known shape; see `engine.market.importer.import_file`."""
    from engine.market.importer import import_file
    from engine.market.repair import Repair

    return import_file(
        path,
        venue,
        symbol,
        interval,
        home,
        RealDisk(),
        SystemClock(),
        shape=_shape(shape),
        repairs=frozenset(Repair(repair) for repair in repairs),
        on_progress=on_progress,
    )


def list_data(home: Path) -> list[SetInfo]:
    """Return what is stored."""
    from engine.market.catalogue import list_sets

    return list_sets(home)


def data_coverage(home: Path, venue: str, symbol: str, interval: str) -> SetInfo:
    """Return one set's span, rows, gaps and findings. Raises `engine.market.catalogue.UnknownSet`."""
    from engine.market.catalogue import coverage

    return coverage(home, venue, symbol, interval)


def backfill_of(info: SetInfo) -> Backfill:
    """Return how far back the venue answers today, and what can no longer be fetched."""
    from engine.market.backfill import backfill

    return backfill(info, SystemClock().now_ns())


def examine_file(
    path: Path, interval: str, symbol: str, shape: FileShape, home: Path, against: tuple[str, str, str] | None
) -> Examination:
    """Judge a file without importing it; see `engine.market.examine`."""
    from engine.market.examine import examine_file as examine

    return examine(path, interval, symbol, _shape(shape), home, against)


def examine_set(
    home: Path, series: tuple[str, str, str], against: tuple[str, str, str] | None
) -> Examination:
    """Judge a stored set; see `engine.market.examine`."""
    from engine.market.examine import examine_set as examine

    return examine(home, series, against)


def import_funding(
    path: Path, venue: str, symbol: str, home: Path, shape: FileShape
) -> tuple[FundingInfo, ...]:
    """Validate and store a file of funding rates; see `engine.market.funding_store.import_funding`."""
    from engine.market.funding_store import import_funding as read

    return read(path, venue, symbol, home, RealDisk(), SystemClock(), _shape(shape))


def list_funding(home: Path) -> list[FundingInfo]:
    """Return every stored funding series."""
    from engine.market.funding_store import list_funding as read

    return read(home)


def resample_data(
    home: Path,
    venue: str,
    symbol: str,
    interval: str,
    to_interval: str,
    partial: str,
    *,
    may_replace: bool = False,
) -> tuple[SetInfo, ResampleReport]:
    """Make and store a set of a longer interval; see `engine.market.derived.resample_set`."""
    from engine.market.derived import resample_set
    from engine.market.resample import Partial

    return resample_set(
        home,
        venue,
        symbol,
        interval,
        to_interval,
        Partial(partial),
        SystemClock(),
        may_replace=may_replace,
    )


def import_trades(
    path: Path, venue: str, symbol: str, interval: str, home: Path, shape: FileShape
) -> SetInfo:
    """Make bars of a file of trades and store them; see `engine.market.trades.import_trades`."""
    from engine.market.trades import import_trades as make

    return make(path, venue, symbol, interval, home, RealDisk(), SystemClock(), _shape(shape))


def align_data(home: Path, series: Sequence[tuple[str, str, str]]) -> Alignment:
    """Return the window that all sets cover. Raises `WindowsDisjoint`; see `engine.market.alignment`."""
    from engine.market.alignment import Reach, common_window
    from engine.market.catalogue import coverage
    from engine.market.validation import interval_ns_of

    reaches = {}
    for names in series:
        info, step_ns = coverage(home, *names), interval_ns_of(names[2])
        reaches["/".join(names)] = Reach(
            start_ns=info.first_ns, end_ns=info.last_ns + step_ns, interval_ns=step_ns
        )
    return common_window(reaches)


def data_prices(home: Path, name: str, start_ns: int | None, end_ns: int | None, limit: int) -> Prices:
    """Return the newest stored bars of a symbol in a window; see `engine.market.prices`."""
    from engine.market.prices import prices

    return prices(home, name, start_ns, end_ns, limit)


def seed_data(
    home: Path, bars: int, seed: int, scenario: str, on_progress: Progress | None = None
) -> tuple[tuple[SetInfo, ...], tuple[str, ...]]:
    """Generate sample data where there is none; see `engine.market.seed`."""
    from engine.market.seed import seed_data as make

    return make(home, bars, seed, SystemClock(), RealDisk(), scenario, on_progress)


def import_history(home: Path, path: Path, venue: str) -> History:
    """Keep a venue's history of listings from a CSV file; see `engine.market.universe`."""
    from engine.market.universe import read_history, store_history

    disk = RealDisk()
    history = read_history(disk.read(path), venue, path.name)
    store_history(home, history, disk)
    return history


def derive_history(home: Path, venue: str, interval: str) -> History:
    """Tell a venue's history of listings from stored bars, and keep it."""
    from engine.market.universe import derive_history as derive
    from engine.market.universe import store_history

    history = derive(home, venue, interval, RealDisk())
    store_history(home, history, RealDisk())
    return history


def market_history(home: Path, venue: str) -> History:
    """Return a venue's history of listings."""
    from engine.market.universe import load_history

    return load_history(home, venue, RealDisk())


def market_universe(
    home: Path, venue: str, interval: str, count: int, at_ns: int, days: int, exclude: tuple[str, ...]
) -> Universe:
    """Rank the markets of a date; see `engine.market.universe.universe`."""
    from engine.market.universe import universe

    return universe(home, venue, interval, count, at_ns, RealDisk(), days, exclude)


def _shape(shape: FileShape) -> Shape:
    from engine.market.shapes import Shape
    from engine.market.stamps import Stamps

    return Shape(
        columns=shape.columns,
        volume=shape.volume,
        stamps=Stamps(shape.stamps),
        timezone=shape.timezone,
    )
