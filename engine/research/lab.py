"""Answers to questions about evidence: one function for each kind, over the folders of a home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.api import lab
from engine.api.home import HomePaths
from engine.api.research import UnknownRun
from engine.api.run_views import TradeRow
from engine.journal import read_rows
from engine.market.catalogue import SetInfo, list_sets
from engine.research.artifacts import RUN_ID
from engine.research.comparison import compare_runs
from engine.research.lab_studies import list_walks, show_sweep, show_walk
from engine.research.reading import show_run
from native.codes import Action, Gate, Reason
from seams.clock import iso_z
from seams.disk import Disk

MAX_POINTS = 2_000
LAST_TRADES = 1_000
MAX_COMPARED = 5
SIDES = {1: "buy", -1: "sell", 0: "-"}
POSITIONS = {1: "long", -1: "short"}


def answer(body: lab.LabQuery, home: Path, disk: Disk) -> lab.LabAnswer:
    """Answer one question. Raises `UnknownRun`, `JournalDamaged`, `OSError` or `ValueError`."""
    return _ANSWERS[type(body)](body, home, disk)


def _show(body: lab.RunShow, home: Path, disk: Disk) -> lab.LabAnswer:
    points = max(2, min(body.points, MAX_POINTS))
    return show_run(HomePaths(home).runs, body.run_id, points, LAST_TRADES, disk)


def _trades(body: lab.RunTrades, home: Path, disk: Disk) -> lab.LabAnswer:
    total, rows = _page(body, home, "trades")
    return lab.TradePage(
        run_id=body.run_id, total=total, start=max(0, body.start), rows=tuple(map(_trade, rows))
    )


def _decisions(body: lab.RunDecisions, home: Path, disk: Disk) -> lab.LabAnswer:
    total, rows = _page(body, home, "decisions")
    return lab.DecisionPage(
        run_id=body.run_id, total=total, start=max(0, body.start), rows=tuple(map(_decision, rows))
    )


def _compare(body: lab.RunCompare, home: Path, disk: Disk) -> lab.LabAnswer:
    ids = tuple(dict.fromkeys(body.run_ids))
    if not 2 <= len(ids) <= MAX_COMPARED:
        raise ValueError(f"2 to {MAX_COMPARED} runs are compared, {len(ids)} were named")
    return compare_runs(HomePaths(home).runs, ids, disk)


def _data(body: lab.DataList, home: Path, disk: Disk) -> lab.LabAnswer:
    return lab.DataSets(rows=tuple(_set(info) for info in list_sets(home, disk)))


_ANSWERS: dict[type, Callable[[Any, Path, Disk], lab.LabAnswer]] = {
    lab.RunShow: _show,
    lab.RunTrades: _trades,
    lab.RunDecisions: _decisions,
    lab.RunCompare: _compare,
    lab.DataList: _data,
    lab.SweepShow: show_sweep,
    lab.WalkList: list_walks,
    lab.WalkShow: show_walk,
}


def _page(body: lab.RunTrades | lab.RunDecisions, home: Path, name: str) -> tuple[int, NDArray[Any]]:
    if not RUN_ID.fullmatch(body.run_id):
        raise UnknownRun(f"no run {body.run_id[:80]!r}")
    journal = HomePaths(home).runs / body.run_id / "journal.h5"
    if not journal.is_file():
        raise UnknownRun(f"no run {body.run_id!r} with a journal")
    count = max(0, min(body.count, lab.PAGE_ROWS))
    return read_rows(journal, name, max(0, body.start), count)


def _trade(row: np.void) -> TradeRow:
    side = int(row["side"])
    return TradeRow(
        entry_at=iso_z(int(row["entry_ts_ns"])),
        exit_at=iso_z(int(row["exit_ts_ns"])),
        side=POSITIONS.get(side, "-"),
        quantity=int(row["units"]) / 1e6,
        entry_price=float(row["entry_fill"]),
        exit_price=float(row["exit_fill"]),
        pnl_usd=float(row["pnl"]),
        reason=_named(Reason, int(row["reason"])),
    )


def _decision(row: np.void) -> lab.DecisionRow:
    return lab.DecisionRow(
        at_ns=int(row["ts_ns"]),
        bar=int(row["step"]),
        lane=int(row["lane"]),
        action=_named(Action, int(row["action"])),
        side=SIDES.get(int(row["side"]), "-"),
        quantity=int(row["units"]) / 1e6,
        price=float(row["price"]),
        reason=_named(Reason, int(row["reason"])),
        gates=tuple(cast(str, gate.name).lower() for gate in Gate(int(row["gates"]))),
    )


def _named(codes: type[Action] | type[Reason], value: int) -> str:
    """Name a code; one that a newer kernel wrote is shown as its number."""
    try:
        return codes(value).name.lower()
    except ValueError:
        return f"code {value}"


def _set(info: SetInfo) -> lab.DataSetRow:
    return lab.DataSetRow(
        venue=info.venue,
        symbol=info.symbol,
        interval=info.interval,
        rows=info.rows,
        first_ns=info.first_ns,
        last_ns=info.last_ns,
        gaps=info.gaps.count,
        missing_bars=info.gaps.missing_bars,
        holes=tuple((hole.after_ns, hole.missing_bars) for hole in info.gaps.largest),
        repairs=info.repairs,
        content_sha256=info.content_sha256,
        source=info.source_name,
    )
