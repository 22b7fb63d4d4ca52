"""The contents of a sweep's folder: the best trial's whole run, and around it everything that was tried."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec

from engine.research.artifacts import Fill, make_run_id, sweep_staging
from engine.research.choice import Choice
from engine.research.findings import count_earlier_runs, find_out
from engine.research.index import refresh_runs_index
from engine.research.kernels import kernel_of
from engine.research.publish import Kind, publish_run
from engine.research.reproduce import sweep_command
from engine.research.run import identify, replay
from engine.research.schemas import RunConfig, json_bytes
from engine.research.sweep.evidence import (
    AxisReport,
    Decay,
    Significance,
    judge_axes,
    judge_decay,
    judge_luck,
)
from engine.research.sweep.plan import Plan
from engine.research.sweep.ranking import Place, channels, leaderboard
from engine.research.sweep.trial_store import TrialStore
from engine.research.sweep.trials import Result, Trial, sharpe_simple
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

MODE, COMMAND, CONTRACT = "sweep", "sweep start", "interlock.sweep.result"
TOP = 20
COLUMNS = ("rank", "config_id", "number", "score_v1", "total_pnl", "max_drawdown", "total_trades", "wins",
           "profit_factor", "sharpe_simple", "final_equity", "fees", "trace", "channel", "rejected",
           "reject_reason")  # fmt: skip


class Row(Record):
    """One line of the leaderboard; `rank` from 1 in order of the objective, 0 where rejected."""

    rank: int
    config_id: str
    number: int
    params: dict[str, float]
    score_v1: float
    total_pnl: float
    max_drawdown: float
    total_trades: int
    wins: int
    profit_factor: float | None
    sharpe_simple: float | None
    final_equity: float
    fees: float
    trace: str
    channel: str
    rejected: bool
    reject_reason: str


class SweepReport(Record):
    """sweep.json: how the sweep was made, and what stands beside its leaderboard."""

    schema_version: int
    sweep_id: str
    fingerprint: str
    request: dict[str, object]
    trials: int
    rejected: int
    searched_bars: int
    embargo_bars: int
    held_out_bars: int
    best: Row
    channels: tuple[Place, ...]
    axes: tuple[AxisReport, ...]
    multiple_testing: Significance
    deflated_sharpe: float | None
    out_of_sample: tuple[Decay, ...]
    rejected_example: str = ""
    """Why one of the rejected trials was; each one's reason is in leaderboard.json."""


class SweepResult(Record):
    """What a sweep gave: its folder, its report and the head of its leaderboard."""

    run_id: str
    path: str
    name: str
    report: SweepReport
    leaderboard: tuple[Row, ...]


def publish_sweep(
    plan: Plan, store: TrialStore, workers: int, home: Path, disk: Disk, clock: Clock
) -> SweepResult:
    """Judge the stored results, replay the best, write the folder whole, refresh the index.

    Raises `RunFailed` or `OSError`.
    """
    request = plan.request
    ordered = leaderboard(list(store.results.values()), request.objective, plan.interval_ns)
    best = ordered[0]
    independent = max(1, judge_luck(ordered, best, plan.interval_ns).independent)
    runs = home / "outputs" / "runs"
    disk.make_folder(runs)
    sweep_staging(runs)
    choice = plan.choice_of(Trial(number=best.number, params=best.params))
    config = plan.config_of(choice)
    created_ns = clock.now_ns()
    run_id = make_run_id(created_ns, MODE, config, runs)
    replayed = replay(config, choice, plan.searched, run_id, None, None, plan.beside)
    assert (replayed.final_equity, len(replayed.trades)) == (best.final_equity, best.trades), "not its run"
    findings = find_out(
        config,
        plan.searched,
        replayed,
        lambda: kernel_of(config, plan.choice_of(Trial(number=0, params=best.params)), "check", plan.beside),
        trials=independent,
        earlier_runs=count_earlier_runs(runs.parent / "runs_index.json", config.data_sha256, disk),
        beside=plan.beside,
    )
    places = channels(ordered, request.shortlist, request.drawdown_cap)
    rows = rows_of(ordered, places, plan.interval_ns)
    found = findings.metrics.values.get("deflated_sharpe")
    deflated = found if isinstance(found, float) else None
    report = _report(plan, store, ordered, places, rows[0], deflated, workers)
    base = msgspec.structs.replace(  # type: ignore[type-var]
        request.base, params=choice.params, trials=independent, command=sweep_command(request)
    )
    more = _files(plan, store, report, rows, choice, config)
    folder = publish_run(
        runs / run_id,
        base,
        config,
        identify(config, choice, plan.searched, replayed),
        findings,
        replayed,
        plan.searched.ts_ns,
        iso_z(created_ns),
        Kind(mode=MODE, command=COMMAND, contract=CONTRACT, leaderboard_size=len(rows), more=more),
    )
    refresh_runs_index(runs, disk, clock)
    return SweepResult(
        run_id=run_id,
        path=str(folder),
        name=request.base.name,
        report=report,
        leaderboard=tuple(rows[:TOP]),
    )


def _report(
    plan: Plan,
    store: TrialStore,
    ordered: list[Result],
    places: list[Place],
    best: Row,
    deflated: float | None,
    workers: int,
) -> SweepReport:
    """Return what stands beside the leaderboard: the axes, the luck, the held-out bars."""
    field = plan.field()
    return SweepReport(
        schema_version=1,
        sweep_id=plan.sweep_id,
        fingerprint=plan.fingerprint,
        request=_portable(plan),
        trials=len(store.results),
        rejected=sum(result.is_rejected for result in ordered),
        searched_bars=len(plan.searched),
        embargo_bars=plan.embargo_bars,
        held_out_bars=0 if plan.held_out is None else len(plan.held_out),
        best=best,
        channels=tuple(places),
        axes=tuple(judge_axes(plan.request, ordered, lambda trials: field.results(trials, workers))),
        multiple_testing=judge_luck(ordered, ordered[0], plan.interval_ns, deflated),
        deflated_sharpe=deflated,
        rejected_example=next((result.reject_reason for result in ordered if result.is_rejected), ""),
        out_of_sample=tuple(_decays(plan, ordered, places, workers)),
    )


def _files(
    plan: Plan, store: TrialStore, report: SweepReport, rows: list[Row], choice: Choice, config: RunConfig
) -> dict[str, Fill]:
    """Return the files that a sweep has beside those of its best trial's run."""
    trials = sorted(store.results.values(), key=lambda result: result.number)
    return {
        "sweep.json": json_bytes(report),
        "leaderboard.csv": leaderboard_csv(rows, [axis.name for axis in plan.request.axes]),
        "leaderboard.json": json_bytes(rows),
        "best_config.json": json_bytes({"strategy": choice.name, "params": choice.params}),
        "config_resolved.json": json_bytes(config),
        "trials.jsonl": b"".join(msgspec.json.encode(result) + b"\n" for result in trials),
    }


def rows_of(ordered: list[Result], places: list[Place], interval_ns: int) -> list[Row]:
    """Return the leaderboard's rows; a channel reads as `efficient 1`."""
    held = {place.config_id: f"{place.channel} {place.place}" for place in places}
    return [
        Row(
            rank=0 if result.is_rejected else rank,
            config_id=result.config_id,
            number=result.number,
            params=result.params,
            score_v1=result.score_v1,
            total_pnl=result.total_pnl,
            max_drawdown=result.max_drawdown,
            total_trades=result.trades,
            wins=result.wins,
            profit_factor=result.profit_factor,
            sharpe_simple=None if result.is_rejected else sharpe_simple(result, interval_ns),
            final_equity=result.final_equity,
            fees=result.fees,
            trace=result.trace,
            channel=held.get(result.config_id, ""),
            rejected=result.is_rejected,
            reject_reason=result.reject_reason,
        )
        for rank, result in enumerate(ordered, 1)
    ]


def leaderboard_csv(rows: list[Row], axes: list[str]) -> bytes:
    """Return leaderboard.csv: the parameters stand after the config's id; numbers read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS[:2], *axes, *COLUMNS[2:]])
    for row in rows:
        fields = msgspec.structs.asdict(row)  # type: ignore[arg-type]
        cells = [row.rank, row.config_id, *(repr(row.params[name]) for name in axes)]
        cells += ["" if fields[name] is None else fields[name] for name in COLUMNS[2:]]
        writer.writerow(cells)
    return text.getvalue().encode()


def _decays(plan: Plan, ordered: list[Result], places: list[Place], workers: int) -> list[Decay]:
    """Run the candidates, chosen in sample, over the held-out bars: each a plain run on that window."""
    if plan.held_out is None:
        return []
    wanted = {place.number for place in places}
    wanted |= {result.number for result in ordered[: plan.request.candidates] if not result.is_rejected}
    inside = [result for result in ordered if result.number in wanted]
    field = plan.held_out_field()
    trials = [Trial(number=result.number, params=result.params) for result in inside]
    outside = field.results(trials, workers)
    return [judge_decay(*pair, plan.interval_ns) for pair in zip(inside, outside, strict=True)]


def _portable(plan: Plan) -> dict[str, object]:
    """Return the request without what depends on where it was made."""
    request = msgspec.structs.replace(plan.request, base=plan.portable_base)  # type: ignore[type-var]
    fields = msgspec.to_builtins(request)
    assert isinstance(fields, dict)
    return fields
