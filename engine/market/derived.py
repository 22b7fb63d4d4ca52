"""Stored sets made of stored sets: resampled, kept beside the imported ones, traceable to their source."""

from __future__ import annotations

from pathlib import Path

from engine.market.catalogue import (
    Derivation,
    SetInfo,
    UnknownSet,
    coverage,
    info_of,
    load,
    raw_columns,
    set_path,
    store,
)
from engine.market.quality import findings_of
from engine.market.resample import Partial, ResampleReport, resample
from engine.market.validation import interval_ns_of
from seams.clock import Clock
from seams.disk import Disk, RealDisk


class SetExists(ValueError):
    """A set that was imported would be replaced by a derived one; `code` is set_exists."""

    code = "set_exists"


class NothingLeft(ValueError):
    """The rule left no bar; nothing was stored. `code` is data_invalid."""

    code = "data_invalid"


def resample_set(
    home: Path,
    venue: str,
    symbol: str,
    from_interval: str,
    to_interval: str,
    partial: Partial,
    clock: Clock,
    *,
    disk: Disk | None = None,
    may_replace: bool = False,
) -> tuple[SetInfo, ResampleReport]:
    """Resample a stored set and store the result under the longer interval.

    Raises `UnknownSet`, `BadData`, `BadInterval`, `NothingLeft`, `OSError`; and `SetExists` where an
    imported set, or one derived from another interval, stands in its place and `may_replace` is False.
    """
    set_path(home, venue, symbol, to_interval)
    source = load(home, venue, symbol, from_interval, disk)
    bars, report = resample(source, interval_ns_of(to_interval), partial)
    if not len(bars):
        raise NothingLeft(f"no {to_interval} bar is complete under the rule '{partial}'; nothing was stored")
    derived = Derivation(
        from_interval=from_interval,
        from_sha256=source.content_sha256,
        rule=f"resample partial={partial}",
        with_holes=report.with_holes,
        dropped=report.dropped_edges + report.dropped_holed,
    )
    if not may_replace:
        _demand_place(home, venue, symbol, to_interval, derived, disk)
    info = info_of(
        bars,
        venue=venue,
        symbol=symbol,
        interval=to_interval,
        source_name=f"{venue}/{symbol}/{from_interval}",
        source_sha256=source.content_sha256,
        imported_ns=clock.now_ns(),
        derived=derived,
        findings=findings_of(raw_columns(bars), bars.interval_ns),
    )
    store(home, bars, info, disk or RealDisk())
    return info, report


def _demand_place(
    home: Path, venue: str, symbol: str, interval: str, derived: Derivation, disk: Disk | None
) -> None:
    """Let a derived set renew itself, and nothing else."""
    try:
        found = coverage(home, venue, symbol, interval, disk)
    except UnknownSet:
        return
    if found.derived is None or found.derived.from_interval != derived.from_interval:
        raise SetExists(
            f"{venue}/{symbol}/{interval} was {'imported' if found.derived is None else 'made from another'}"
            " and would be lost"
        )
