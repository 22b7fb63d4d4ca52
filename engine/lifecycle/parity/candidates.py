"""A sweep's candidates made again one by one: the plan from sweep.json, each cell on a plain kernel.

sweep.json -> the same plan, or another contract -> the leaderboard from trials.jsonl -> each candidate
-> ledger rows, and the differences that the replay report lists
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from engine.journal import JournalDamaged
from engine.lifecycle.parity.ledger import (
    LedgerRow,
    Status,
    axes_of,
    cause_of,
    figures,
    is_bit_equal,
    result_differences,
)
from engine.lifecycle.parity.runs import (
    Where,
    find_data,
    hints_of,
    read_report,
)
from engine.lifecycle.parity.sources import Source, most_trusted
from engine.lifecycle.parity.trace import Cause, Difference
from engine.research.artifacts import trades_csv
from engine.research.choice import RunFailed
from engine.research.schemas import RunReport
from engine.research.sweep.evaluate import Field
from engine.research.sweep.plan import Plan, make_plan
from engine.research.sweep.publish import SweepReport
from engine.research.sweep.ranking import channels, leaderboard
from engine.research.sweep.request import SweepRequest
from engine.research.sweep.trials import Result, Trial, config_id
from seams.disk import Disk

SWEEP_FILE, TRIALS_FILE = "sweep.json", "trials.jsonl"
FINGERPRINT = "sweep_fingerprint"
MUTATED = "config_mutated"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A published sweep as it was recorded, and its plan as it would be made now."""

    run_id: str
    report: SweepReport
    results: tuple[Result, ...]
    plan: Plan


@dataclass(kw_only=True)
class Executed:
    """What executing the candidates gave: ledger rows without their contract, and each one's trades."""

    rows: list[LedgerRow] = field(default_factory=list)
    traces: dict[str, bytes] = field(default_factory=dict)
    replayed: dict[str, Result] = field(default_factory=dict)


def is_sweep(home: Path, run_id: str, disk: Disk) -> bool:
    """Tell whether a run's folder is a sweep's."""
    return disk.exists(home / "outputs" / "runs" / run_id / SWEEP_FILE)


def read_sweep(run_id: str, home: Path, disk: Disk, where: Where) -> Sweep:
    """Read a sweep's folder and remake its plan.

    Raises `UnknownRun`, `JournalDamaged` for tables that do not read, or `RunFailed` with not_reproducible.
    """
    folder = home / "outputs" / "runs" / run_id
    run = read_report(home, run_id, disk)
    try:
        report = msgspec.json.decode(disk.read(folder / SWEEP_FILE), type=SweepReport)
        lines = disk.read(folder / TRIALS_FILE).splitlines()
        results = tuple(msgspec.json.decode(line, type=Result) for line in lines)
        request = msgspec.convert(report.request, SweepRequest)
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalDamaged(f"{run_id}: {SWEEP_FILE} or {TRIALS_FILE}: {error}") from error
    return Sweep(run_id=run_id, report=report, results=results, plan=_plan(request, run, home, disk, where))


def _plan(request: SweepRequest, run: RunReport, home: Path, disk: Disk, where: Where) -> Plan:
    """Make the plan again on bars found by content. Raises `RunFailed` with not_reproducible."""
    hints = hints_of(run.reproduce.get("command", ""))
    data = where.data or find_data(home, run.config_resolved, disk) or hints.get("--data", request.base.data)
    switches = dict(request.base.switches)
    if "sub_data" in switches:
        switches["sub_data"] = hints.get("--sub-data", str(switches["sub_data"]))
    changes: dict[str, object] = {"data": data, "switches": switches}
    if where.strategy or "--strategy" in hints:
        changes["strategy"] = where.strategy or hints["--strategy"]
    base = msgspec.structs.replace(request.base, **changes)  # type: ignore[type-var]
    try:
        return make_plan(msgspec.structs.replace(request, base=base), home, disk)  # type: ignore[type-var]
    except (OSError, LookupError, ValueError, RunFailed) as error:
        raise RunFailed(
            "not_reproducible", f"its bars, strategy or funding are not found: {error}"
        ) from error


def candidates_of(sweep: Sweep, top: int) -> list[tuple[int, Result]]:
    """Return (rank, result) of the best `top` by the sweep's raw objective, and of its shortlist (OC-41)."""
    request, report = sweep.plan.request, sweep.report
    ordered = leaderboard(list(sweep.results), request.objective, sweep.plan.interval_ns)
    shortlisted = {place.config_id for place in report.channels}
    return [
        (rank, result)
        for rank, result in enumerate(ordered, 1)
        if not result.is_rejected and (rank <= top or result.config_id in shortlisted)
    ]


def demand_config_id(sweep: Sweep, result: Result) -> None:
    """Raise `RunFailed` with config_mutated where a trial's id is not that of what it would run (OC-44)."""
    choice = sweep.plan.choice_of(Trial(number=result.number, params=result.params))
    found = config_id(choice.name, choice.params)
    if found != result.config_id:
        raise RunFailed(MUTATED, f"trial {result.number} is {result.config_id} in the sweep and {found} here")


def execute_candidates(
    sweep: Sweep,
    chosen: list[tuple[int, Result]],
    executed: Executed,
    *,
    demands_bits: bool,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Difference]:
    """Run each candidate on a plain kernel; fill `executed`, return what differs from trials.jsonl."""
    bars = sweep.plan.field()
    axes = axes_of(sweep.plan.request.axes, sweep.results)
    found: list[Difference] = []
    for done, (rank, recorded) in enumerate(chosen, 1):
        replayed, code, trades = _execute(bars, recorded)
        executed.replayed[recorded.config_id] = replayed
        cause = cause_of(recorded, replayed, demands_bits=demands_bits)
        if code or cause is not None:
            executed.traces[recorded.config_id] = trades
            found += result_differences(recorded, replayed, rank)
        executed.rows += _rows(axes, rank, recorded, replayed, cause, code)
        if on_progress is not None:
            on_progress(done, len(chosen))
    return found


def _execute(bars: Field, recorded: Result) -> tuple[Result, str, bytes]:
    """Return the plain kernel's result, an error's code where it could not be made, and its trades."""
    replayed, kernel = bars.plain(Trial(number=recorded.number, params=recorded.params))
    if kernel is None:
        return replayed, replayed.reject_reason.partition(":")[0], b""
    return replayed, "", trades_csv(kernel.trades())


def _rows(
    axes: list[tuple[str, list[float]]],
    rank: int,
    recorded: Result,
    replayed: Result,
    cause: Cause | None,
    code: str,
) -> list[LedgerRow]:
    status = Status.ERROR if code else Status.PASS if cause is None else Status.FAIL
    return [
        LedgerRow(
            axis_index=index,
            axis_path=f"params.{name}",
            sample_index=values.index(recorded.params[name]),
            sample_value=recorded.params[name],
            status=status,
            cause=code or (cause.value if cause is not None else ""),
            config_id=recorded.config_id,
            rank=rank,
            trial=recorded.number,
            cpu=figures(replayed),
            accel=figures(recorded),
            trade_delta=recorded.trades - replayed.trades,
            balance_delta=recorded.final_equity - replayed.final_equity,
            pnl_delta=recorded.total_pnl - replayed.total_pnl,
            is_bit_equal=is_bit_equal(recorded, replayed),
            trusted=most_trusted((Source.REPLAY, Source.ACCELERATED)),
            trace_artifact="" if status is Status.PASS else f"traces/{recorded.config_id}.csv",
            contract_hash="",
        )
        for index, (name, values) in enumerate(axes)
    ]


def table_differences(sweep: Sweep) -> list[Difference]:
    """Return where sweep.json does not follow from trials.jsonl: the best, the counts, the shortlist."""
    request, report = sweep.plan.request, sweep.report
    ordered = leaderboard(list(sweep.results), request.objective, sweep.plan.interval_ns)
    places = channels(ordered, request.shortlist, request.drawdown_cap)
    pairs: dict[str, tuple[object, object]] = {
        "trials": (report.trials, len(sweep.results)),
        "best": (report.best.config_id, ordered[0].config_id if ordered else ""),
        "channels": (
            [(each.channel, each.place, each.config_id) for each in report.channels],
            [(each.channel, each.place, each.config_id) for each in places],
        ),
    }
    return [
        Difference(
            cause=Cause.STATE_MACHINE,
            table=SWEEP_FILE,
            row=-1,
            field=name,
            at_ns=0,
            recorded=str(recorded),
            replayed=str(found),
        )
        for name, (recorded, found) in pairs.items()
        if recorded != found
    ]
