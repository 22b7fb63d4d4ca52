"""The validation bundle of a run (OC-78): the run made again, then stressed; gates say what it is worth."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from engine.api.research import UnknownRun
from engine.market.catalogue import BarColumns
from engine.market.validation import BadData
from engine.research import identity
from engine.research.artifacts import RUN_ID
from engine.research.bars import load_bars
from engine.research.candidates import CandidateBook
from engine.research.choice import RunFailed, choose
from engine.research.comparison import contract_hash, contract_of
from engine.research.kernels import Beside, beside_of, kernel_of
from engine.research.portfolio_validation import proved_together
from engine.research.remake import read_record
from engine.research.request import RunRequest
from engine.research.robustness import (
    Concentration,
    CostStress,
    MonteCarlo,
    Sensitivity,
    concentration,
    cost_stress,
    monte_carlo,
    sensitivity,
)
from engine.research.schemas import FAILED, NOT_CHECKED, PASSED, RunConfig, RunReport, json_bytes, worst
from engine.research.walk_publish import WalkResult
from seams.clock import FixedClock
from seams.disk import Disk
from venues.types import Record

MIN_TRADES = 30
MAX_SYMBOL_SHARE = 0.5


class Gate(Record):
    """One condition: `status` is passed, failed or not_checked; `found` against `bound` in words."""

    name: str
    status: str
    found: str
    bound: str


class PinnedBaseline(Record):
    """The baseline by its id and its decisions' hash, so that another run cannot take its place unseen.

    `is_itself`: the validated run is the baseline; a reference is not held against itself.
    """

    run_id: str
    decision_sha256: str
    total_return: float | None
    is_comparable: bool
    is_itself: bool


class Validation(Record):
    """validation.json of a run. `verdict` is the worst of its gates; `path` is where it was written.

    `baseline` is the run that was the baseline when the gates were judged, None without one (OC-51).
    """

    schema_version: str
    artifact_type: str
    run_id: str
    verdict: str
    gates: tuple[Gate, ...]
    sensitivity: Sensitivity
    costs: CostStress
    monte_carlo: MonteCarlo
    concentration: Concentration
    walk_forward: WalkResult | None
    path: str
    baseline: PinnedBaseline | None = None


def validate(
    run_id: str,
    home: Path,
    disk: Disk,
    *,
    data: str = "",
    strategy: str = "",
    walk_id: str = "",
    iterations: int = 1_000,
    workers: int = 2,
) -> Validation:
    """Make a run again, stress it, and write `outputs/validations/<run_id>.json`.

    `data` and `strategy` name files that the run's configuration knows by their last name only; `data` may be
    the folder of a portfolio's. Raises `UnknownRun`; `RunFailed` with `not_reproducible` where bars,
    strategy, kernel or decisions differ.
    """
    folder = home / "outputs" / "runs" / run_id
    report = _read(folder, run_id, disk)
    config = report.config_resolved
    record = read_record(folder / "journal.h5")
    trades = record.trades.copy()
    pnl = np.ascontiguousarray(trades["pnl"])
    walked = _walk(home, walk_id, config, disk) if walk_id else None
    if config.lanes:
        proved = proved_together(report, home, disk, data, strategy)
        costs, fragile = proved.cost_stress(), proved.sensitivity()
        trades["lane"] = proved.symbols[trades["lane"]]
    else:
        request = request_of(config, data, strategy)
        bars, beside = _proved(report, request, home, disk)
        costs = cost_stress(request, config, bars, beside)
        fragile = sensitivity(request, config, bars, workers, beside)
    spread = concentration(trades, record.equity, record.ts_ns, config.initial_cash)
    baseline = _baseline(report, home, disk)
    gates = (*_gates(report, costs, spread, walked), *_against(report, baseline))
    path = home / "outputs" / "validations" / f"{run_id}.json"
    made = Validation(
        schema_version="1.0",
        artifact_type="interlock.validation",
        run_id=run_id,
        verdict=worst({gate.status for gate in gates}),
        gates=gates,
        sensitivity=fragile,
        costs=costs,
        monte_carlo=monte_carlo(pnl, config.initial_cash, iterations, config.seed),
        concentration=spread,
        walk_forward=walked,
        path=str(path),
        baseline=baseline,
    )
    disk.make_folder(path.parent)
    disk.write_atomic(path, json_bytes(made))
    return made


def _read(folder: Path, run_id: str, disk: Disk) -> RunReport:
    if not RUN_ID.fullmatch(run_id):
        raise UnknownRun(f"no run {run_id[:80]!r}: not_a_run_id")
    try:
        return msgspec.json.decode(disk.read(folder / "report.json"), type=RunReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnknownRun(f"no run {run_id[:80]!r}: {type(error).__name__}") from error


def request_after(runs: Path, run_id: str, disk: Disk) -> RunRequest:
    """Return the request that goes on where a run ended: everything resolved, from the bar after its last.

    Raises `UnknownRun`.
    """
    config = _read(runs / run_id, run_id, disk).config_resolved
    request = request_of(config, "", "")
    return msgspec.structs.replace(request, start_ns=request.end_ns, end_ns=None)  # type: ignore[type-var]


def request_of(config: RunConfig, data: str, strategy: str) -> RunRequest:
    """Return the request that gives the run again: everything resolved, the window by its ends.

    Raises `RunFailed` for a portfolio's, whose lanes are found one by one (`portfolio_again`).
    """
    if config.lanes:
        raise RunFailed(
            "invalid_request", "a portfolio run has no request of one symbol; start it by its command"
        )
    start_ns, last_ns = (
        int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))
        for text in (config.start, config.end)
    )
    return RunRequest(
        strategy=strategy or config.strategy,
        preset=config.preset,
        data=data or config.data,
        params={**config.params},
        symbol=config.ticker,
        interval=config.interval,
        start_ns=start_ns,
        end_ns=last_ns + 1,
        cash=config.initial_cash,
        notional_usd=config.notional_usd,
        fee_bps=config.fee_bps,
        slippage_bps=config.slippage_bps,
        slippage_mode=config.slippage_mode,
        stops=config.stops,
        switches=dict(config.switches),
        lot=config.lot,
        tick=config.tick,
        seed=config.seed,
        funding=config.funding,
        funding_marks=config.funding_marks,
        max_missing_funding=config.funding_missing,
    )


def _proved(report: RunReport, request: RunRequest, home: Path, disk: Disk) -> tuple[BarColumns, Beside]:
    """Return the bars and what stood beside them, after they gave the decisions again. Raises `RunFailed`."""
    proof, config = report.identity, report.config_resolved
    try:
        bars, _, _ = load_bars(request, home, disk)
    except (OSError, BadData) as error:
        raise _differs(f"its bars {request.data} cannot be read; name the file with --data") from error
    choice = choose(request.strategy, request.preset, request.params)
    strategy = identity.strategy_sha256(choice.name, config.params, choice.source_sha256)
    for is_same, what in (
        (bars.content_sha256 == proof.data_sha256, "the bars differ"),
        (identity.kernel_sha256() == proof.kernel_sha256, "the kernel is another build"),
        (strategy == proof.strategy_sha256, "the strategy's source or parameters differ"),
    ):
        if not is_same:
            raise _differs(f"{what}; make the run again and validate that")
    beside = beside_of(request, choice, bars, home, disk)
    kernel = kernel_of(config, choice, report.header.run_id, beside)
    kernel.replay(0, bars.ts_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)
    if config.switches.get("close_at_end"):
        kernel.finish(0)
    if kernel.decision_hash() != proof.decision_sha256:
        raise _differs("the decisions differ from the run's")
    return bars, beside


def _walk(home: Path, walk_id: str, config: RunConfig, disk: Disk) -> WalkResult:
    folder = home / "outputs" / "walkforward" / walk_id
    try:
        if not RUN_ID.fullmatch(walk_id):
            raise RunFailed("invalid_request", f"no walk-forward {walk_id[:80]!r}")
        data = msgspec.json.decode(disk.read(folder / "report.json"))["data_sha256"]
        found = msgspec.json.decode(disk.read(folder / "walkforward_summary.json"), type=WalkResult)
    except (OSError, KeyError, msgspec.MsgspecError) as error:
        raise RunFailed("invalid_request", f"no walk-forward {walk_id[:80]!r}") from error
    if data != config.data_sha256:
        raise RunFailed("mixed_contract", f"walk-forward {walk_id} was made on other data than the run")
    return found


def _gates(
    report: RunReport, costs: CostStress, spread: Concentration, walked: WalkResult | None
) -> tuple[Gate, ...]:
    """Return the gates of schemas.md, "Validate gate", and the run's own trust."""
    trades = report.results[0]["trades"]
    symbols = len(report.tables.get("per_symbol", ()))
    share = spread.largest_symbol_share if symbols > 1 else None
    daily = walked.median_oos_daily_return if walked else None
    return (
        Gate(name="trust", status=report.trust, found=report.trust, bound="passed"),
        _gate("trades", float(trades or 0) >= MIN_TRADES, f"{trades}", f"at least {MIN_TRADES}"),
        _gate("net_at_20_bps", costs.pnl_at_20_bps > 0, f"{costs.pnl_at_20_bps:,.2f}", "above 0"),
        _gate("median_oos_daily_return", None if daily is None else daily > 0, f"{daily}", "above 0"),
        _gate("largest_symbol", None if share is None else share < MAX_SYMBOL_SHARE, f"{share}", "below 0.5"),
    )


def _baseline(report: RunReport, home: Path, disk: Disk) -> PinnedBaseline | None:
    """Read the baseline of this moment. Raises `UnknownRun` where its run is gone, or `CandidatesDamaged`."""
    runs = home / "outputs" / "runs"
    run_id = CandidateBook(runs, disk, FixedClock()).read().baseline_run_id
    if run_id is None:
        return None
    other = _read(runs / run_id, run_id, disk)
    mine, theirs = (contract_of(each.config_resolved, each.identity) for each in (report, other))
    total = other.results[0].get("total_return")
    return PinnedBaseline(
        run_id=run_id,
        decision_sha256=other.identity.decision_sha256,
        total_return=float(total) if isinstance(total, int | float) else None,
        is_comparable=contract_hash(mine) == contract_hash(theirs),
        is_itself=run_id == report.header.run_id,
    )


def _against(report: RunReport, baseline: PinnedBaseline | None) -> tuple[Gate, ...]:
    """Return the gate of the baseline; not checked where the two were not measured on the same."""
    if baseline is None or baseline.is_itself:
        return ()
    bound = f"at least that of {baseline.run_id}, {baseline.total_return}"
    mine = report.results[0].get("total_return")
    if not (baseline.is_comparable and baseline.total_return is not None and isinstance(mine, int | float)):
        return (_gate("baseline_return", None, "", bound),)
    return (_gate("baseline_return", mine >= baseline.total_return, f"{mine}", bound),)


def _gate(name: str, is_kept: bool | None, found: str, bound: str) -> Gate:
    status = NOT_CHECKED if is_kept is None else PASSED if is_kept else FAILED
    return Gate(name=name, status=status, found=found if is_kept is not None else "unknown", bound=bound)


def _differs(message: str) -> RunFailed:
    return RunFailed("not_reproducible", message)
