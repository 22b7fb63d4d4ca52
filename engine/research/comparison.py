"""Runs side by side: only where what they were measured on is the same (OC-22, OC-23, OC-46)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.api.research import Comparison, ExcludedRun
from engine.journal import read_equity, read_table
from engine.lifecycle.parity.sources import OF_MODE, Source, most_trusted
from engine.market.validation import interval_ns_of
from engine.research.artifacts import RUN_ID
from engine.research.index import read_row
from engine.research.metrics import compute_metrics
from engine.research.schemas import Identity, RunConfig, RunReport, Scalar
from engine.research.shown import shown_values
from seams.clock import iso_z
from seams.disk import Disk

CONTRACT_KEYS = (
    "kernel_sha256",
    "data_sha256",
    "ticker",
    "interval",
    "start",
    "end",
    "initial_cash",
    "fee_bps",
    "slippage_bps",
    "slippage_mode",
    "sub_data_sha256",
    "stops",
    "lot",
    "tick",
    "seed",
    "funding_sha256",
)
"""What must be equal for two runs' numbers to compare: engine, data, window, account, costs, seed; and every
switch (`engine.api.switches`). What config.json leaves out is off."""
BY_CONTENT = frozenset({"sub_data"})
"""Switches that name data: their content counts, not the name."""

WINDOW_KEYS = frozenset({"start", "end"})
CANONICAL = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
MAX_RUNS = 5


@dataclass(frozen=True)
class Side:
    """One readable run of a comparison."""

    folder: Path
    report: RunReport

    @property
    def contract(self) -> dict[str, Scalar]:
        return contract_of(self.report.config_resolved, self.report.identity)

    @property
    def source(self) -> Source:
        return OF_MODE.get(self.report.header.mode, Source.REPLAY)


def contract_of(config: RunConfig, proof: Identity) -> dict[str, Scalar]:
    """Return what the run's numbers hang on, its strategy and parameters excepted."""
    known = {**msgspec.to_builtins(config), "kernel_sha256": proof.kernel_sha256}
    contract = {name: known[name] for name in CONTRACT_KEYS if name in known}
    return contract | {name: each for name, each in config.switches.items() if name not in BY_CONTENT}


def contract_hash(contract: dict[str, Scalar]) -> str:
    """Return the sha256 (hex) of a contract as sorted JSON."""
    return hashlib.sha256(json.dumps(contract, sort_keys=True, allow_nan=False).encode()).hexdigest()


def compare_runs(runs: Path, run_ids: tuple[str, ...], disk: Disk, *, aligns: bool = False) -> Comparison:
    """Put up to five readable runs side by side and say whether their contracts are equal.

    With `aligns`, runs that differ in nothing but their window are measured anew on the part that they
    share. Raises `ValueError` for more than five runs.
    """
    wanted = tuple(dict.fromkeys(run_ids))
    if len(wanted) > MAX_RUNS:
        raise ValueError(f"{len(wanted)} runs are too many to compare; name two to {MAX_RUNS}")
    sides, excluded = _readable(runs, wanted, disk)
    mixed = _differing([side.contract for side in sides])
    configs = [_flat(side.report.config_resolved) for side in sides]
    values = [side.report.results[0] for side in sides]
    window = ""
    if aligns and mixed and set(mixed) <= WINDOW_KEYS:
        window, values = _aligned(sides)
        mixed = () if window else mixed
    names = dict.fromkeys(name for found in values for name in found)
    disagreeing, trusted = disagreement(sides)
    return Comparison(
        run_ids=tuple(side.report.header.run_id for side in sides),
        metrics={name: tuple(found.get(name) for found in values) for name in names},
        config_delta={
            name: tuple(_text(config.get(name, "")) for config in configs) for name in _differing(configs)
        },
        contract="mixed_contract" if mixed else "same",
        mixed_keys=mixed,
        excluded=tuple(excluded),
        contract_hashes=tuple(contract_hash(side.contract) for side in sides),
        trust=tuple(side.report.trust for side in sides),
        aligned_window=window,
        sources=tuple(side.source for side in sides),
        disagreeing=disagreeing,
        trusted=trusted,
    )


def disagreement(sides: list[Side]) -> tuple[tuple[str, ...], str]:
    """Return the runs of one configuration and contract that decided differently, and which of them counts.

    The most trusted source counts (OC-48); where one source says two things, nothing does.
    """
    groups: dict[tuple[str, str], list[Side]] = {}
    for side in sides:
        key = (side.report.header.config_hash, contract_hash(side.contract))
        groups.setdefault(key, []).append(side)
    for group in groups.values():
        if len({side.report.identity.decision_sha256 for side in group}) > 1:
            best = most_trusted(side.source for side in group)
            said = {side.report.identity.decision_sha256 for side in group if side.source is best}
            counts = next(side for side in group if side.source is best)
            ids = tuple(side.report.header.run_id for side in group)
            return ids, counts.report.header.run_id if len(said) == 1 else ""
    return (), ""


def _readable(runs: Path, run_ids: tuple[str, ...], disk: Disk) -> tuple[list[Side], list[ExcludedRun]]:
    sides: list[Side] = []
    excluded: list[ExcludedRun] = []
    for run_id in run_ids:
        found = read_row(runs / run_id, disk) if RUN_ID.fullmatch(run_id) else "not_a_run_id"
        if isinstance(found, str):
            excluded.append(ExcludedRun(run_id=run_id, reason=found))
            continue
        report = msgspec.json.decode(disk.read(runs / run_id / "report.json"), type=RunReport)
        missing = [name for name in CANONICAL if name not in report.summary]
        if missing:
            excluded.append(ExcludedRun(run_id=run_id, reason=f"no_metric: {', '.join(missing)}"))
        else:
            sides.append(Side(runs / run_id, report))
    return sides, excluded


def _differing(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the keys whose values are not the same in every row."""
    names = dict.fromkeys(name for row in rows for name in row)
    return tuple(name for name in names if len({_text(row.get(name, "")) for row in rows}) > 1)


def _aligned(sides: list[Side]) -> tuple[str, list[dict[str, Scalar]]]:
    """Return the shared window and each run's metrics on it; an empty window where there is none.

    Equity starts at its value before the window; trades count when they opened and closed inside.
    """
    curves = [read_equity(side.folder / "journal.h5") for side in sides]
    first = max(int(ts_ns[0]) for ts_ns, _ in curves)
    last = min(int(ts_ns[-1]) for ts_ns, _ in curves)
    if first >= last:
        return "", [side.report.results[0] for side in sides]
    values = [
        _on_window(side, ts_ns, equity, first, last)
        for side, (ts_ns, equity) in zip(sides, curves, strict=True)
    ]
    return f"{iso_z(first)} to {iso_z(last)}", values


def _on_window(
    side: Side, ts_ns: NDArray[np.int64], equity: NDArray[np.float64], first_ns: int, last_ns: int
) -> dict[str, Scalar]:
    begin = int(np.searchsorted(ts_ns, first_ns, side="left"))
    end = int(np.searchsorted(ts_ns, last_ns, side="right"))
    trades = read_table(side.folder / "journal.h5", "trades")
    inside = trades[(trades["entry_ts_ns"] >= first_ns) & (trades["exit_ts_ns"] <= last_ns)]
    config = side.report.config_resolved
    start = float(equity[begin - 1]) if begin else config.initial_cash
    fees = float(np.sum(inside["fees"]))
    funding_usd = -float(np.sum(inside["funding"])) if config.funding_sha256 else None
    found = compute_metrics(
        equity[begin:end], start, inside, interval_ns_of(config.interval), fees, funding_usd=funding_usd
    )
    return dict(found.values)


def _flat(config: RunConfig) -> dict[str, Any]:
    """Return a configuration as names and values, each switch by its own name."""
    fields: dict[str, Any] = msgspec.to_builtins(config)
    return {**fields, **fields.pop("switches", {})}


def _text(value: object) -> str:
    if isinstance(value, dict):
        return shown_values(value)
    return str(value)
