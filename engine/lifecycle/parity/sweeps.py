"""A sweep as a subject of replay: its best trial's whole run, its candidates, and what promotion reads.

outputs/parity/<sweep>/parity_ledger.jsonl          the candidates, axis by axis
                       traces/<config_id>.csv       the plain kernel's trades of those that differ
                       candidates/<config_id>.json  what exactly would be deployed
                       candidates.json              each candidate's standing
                       replay_report.json, release_blocker.json
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.lifecycle.parity.candidates import (
    FINGERPRINT,
    Executed,
    Sweep,
    candidates_of,
    demand_config_id,
    execute_candidates,
    read_sweep,
    table_differences,
)
from engine.lifecycle.parity.contract import KERNEL, Contract
from engine.lifecycle.parity.ledger import (
    LEDGER_FILE,
    LedgerRow,
    Status,
    in_order,
    judge_ledger,
    to_lines,
)
from engine.lifecycle.parity.report import PASS, REPORT_FILE, ReplayReport
from engine.lifecycle.parity.runs import Progress, Where, run_subject
from engine.lifecycle.parity.sources import Source, most_trusted
from engine.lifecycle.parity.subject import Subject
from engine.lifecycle.parity.trace import Difference, Trace
from engine.research.candidates import FILE as BOOK_FILE
from engine.research.schemas import CandidateStore, RunConfig, json_bytes
from engine.research.sweep.trials import Result, Trial
from seams.disk import Disk
from venues.types import Record

CANDIDATES_FILE, CANDIDATES_FOLDER, TRACES_FOLDER = "candidates.json", "candidates", "traces"
NOT_VALIDATED = "not_checked"


class CandidateConfig(Record):
    """candidates/<config_id>.json: a candidate as the sweep tried it, nothing added, nothing changed (OC-44).

    `strategy` is as the sweep named it, `params` are all its parameters, `source_sha256` is of its source.
    """

    schema_version: int = 1
    config_id: str
    sweep_run_id: str
    strategy: str
    preset: str
    params: dict[str, float]
    source_sha256: str
    kernel_sha256: str
    config: RunConfig


class CandidateRow(Record):
    """One candidate's standing. That a stage is finished says nothing about trust (OC-88): that is
    `canonical_cpu_verified`, true where the plain kernel gave the sweep's figures, and the gates.

    Figures are the plain kernel's, the more trusted source; drawdown in percent. `candidate_mode` is its
    place on the shortlist, as `efficient 1`, or empty. `replay_equivalence_count`: rows compared.
    """

    config_id: str
    config_path: str
    rank: int
    score_v1: float
    total_pnl: float
    max_drawdown_pct: float
    total_trades: int
    profit_factor: float | None
    rejected: bool
    reject_reason: str
    pipeline_stage: str
    sweep_stage: str
    replay_stage: str
    validation_gate: str
    canonical_cpu_verified: bool
    candidate_mode: str
    replay_report_path: str
    replay_equivalence_report_path: str
    replay_equivalence_status: str
    replay_equivalence_count: int
    schema_version: int = 1


class CandidateList(Record):
    """candidates.json: of which replay (`generated_at_ms` is its report's), beside which baseline (OC-51)."""

    schema_version: int = 1
    sweep_run_id: str
    generated_at_ms: int
    baseline_run_id: str | None
    ledger_verdict: str
    candidates: tuple[CandidateRow, ...]


def sweep_subject(
    run_id: str, home: Path, disk: Disk, where: Where, top: int, on_progress: Progress | None = None
) -> Subject:
    """Return a sweep as a subject of replay.

    Raises as `read_sweep` and `run_subject`, and `RunFailed` with config_mutated where a candidate's id is
    not that of its parameters.
    """
    best = run_subject(run_id, home, disk, where)
    sweep = read_sweep(run_id, home, disk, where)
    chosen = candidates_of(sweep, top)
    for _, result in chosen:
        demand_config_id(sweep, result)
    executed = Executed()
    is_own = best.recorded_contract[KERNEL] == best.contract[KERNEL]

    def execute() -> tuple[Trace, list[Difference]]:
        trace, claims = best.execute()
        found = execute_candidates(sweep, chosen, executed, demands_bits=is_own, on_progress=on_progress)
        return trace, [*claims, *table_differences(sweep), *found]

    def publish(report: ReplayReport, folder: Path) -> ReplayReport:
        return _publish(sweep, chosen, executed, report, folder, home, disk)

    def with_sweep(contract: Contract, fingerprint: str) -> Contract:
        ids = sorted(result.config_id for _, result in chosen)
        return {**contract, "config_ids": ids, FINGERPRINT: fingerprint}

    return Subject(
        name=run_id,
        kind="sweep",
        trusted=most_trusted((Source.REPLAY, Source.ACCELERATED)),
        recorded_contract=with_sweep(best.recorded_contract, sweep.report.fingerprint),
        contract=with_sweep(best.contract, sweep.plan.fingerprint),
        recorded=best.recorded,
        execute=execute,
        publish=publish,
    )


def _publish(
    sweep: Sweep,
    chosen: list[tuple[int, Result]],
    executed: Executed,
    report: ReplayReport,
    folder: Path,
    home: Path,
    disk: Disk,
) -> ReplayReport:
    """Write ledger, traces and candidates; where the contract is mixed there are none."""
    rows = [
        msgspec.structs.replace(row, contract_hash=report.contract_hash)  # type: ignore[type-var]
        for row in in_order(executed.rows)
    ]
    for name in (folder, folder / TRACES_FOLDER, folder / CANDIDATES_FOLDER):
        disk.make_folder(name)
    disk.write_atomic(folder / LEDGER_FILE, to_lines(rows))
    for config_id, trades in executed.traces.items():
        disk.write_atomic(folder / TRACES_FOLDER / f"{config_id}.csv", trades)
    standing = []
    for rank, result in chosen:
        if result.config_id not in executed.replayed:
            continue
        config = _config_of(sweep, result, report)
        disk.write_atomic(folder / CANDIDATES_FOLDER / f"{config.config_id}.json", json_bytes(config))
        own = [row for row in rows if row.config_id == result.config_id]
        standing.append(_row_of(sweep, rank, executed.replayed[result.config_id], own, report))
    listed = CandidateList(
        sweep_run_id=sweep.run_id,
        generated_at_ms=report.generated_at_ms,
        baseline_run_id=_baseline(home, disk),
        ledger_verdict=judge_ledger(rows).verdict if rows else report.verdict,
        candidates=tuple(standing),
    )
    disk.write_atomic(folder / CANDIDATES_FILE, json_bytes(listed))
    named: ReplayReport = msgspec.structs.replace(  # type: ignore[type-var]
        report, ledger_path=str(folder / LEDGER_FILE)
    )
    return named


def _config_of(sweep: Sweep, result: Result, report: ReplayReport) -> CandidateConfig:
    plan = sweep.plan
    choice = plan.choice_of(Trial(number=result.number, params=result.params))
    return CandidateConfig(
        config_id=result.config_id,
        sweep_run_id=sweep.run_id,
        strategy=plan.request.base.strategy or choice.name,
        preset=plan.request.base.preset,
        params=choice.params,
        source_sha256=choice.source_sha256,
        kernel_sha256=report.kernel_sha256,
        config=plan.config_of(choice),
    )


def _row_of(
    sweep: Sweep, rank: int, replayed: Result, rows: list[LedgerRow], report: ReplayReport
) -> CandidateRow:
    is_equal = all(row.status is Status.PASS for row in rows)
    places = {place.config_id: f"{place.channel} {place.place}" for place in sweep.report.channels}
    return CandidateRow(
        config_id=replayed.config_id,
        config_path=f"{CANDIDATES_FOLDER}/{replayed.config_id}.json",
        rank=rank,
        score_v1=replayed.score_v1,
        total_pnl=replayed.total_pnl,
        max_drawdown_pct=100.0 * replayed.max_drawdown,
        total_trades=replayed.trades,
        profit_factor=replayed.profit_factor,
        rejected=replayed.is_rejected,
        reject_reason=replayed.reject_reason,
        pipeline_stage="replay",
        sweep_stage="finished",
        replay_stage="finished",
        validation_gate=NOT_VALIDATED,
        canonical_cpu_verified=is_equal and report.verdict == PASS and report.is_evidence,
        candidate_mode=places.get(replayed.config_id, ""),
        replay_report_path=REPORT_FILE,
        replay_equivalence_report_path=LEDGER_FILE,
        replay_equivalence_status=PASS if is_equal else "fail",
        replay_equivalence_count=len(rows),
    )


def _baseline(home: Path, disk: Disk) -> str | None:
    """Return the baseline of the book of candidates; none where there is no readable book."""
    path = home / "outputs" / BOOK_FILE
    if not disk.exists(path):
        return None
    try:
        return msgspec.json.decode(disk.read(path), type=CandidateStore).baseline_run_id
    except msgspec.MsgspecError:
        return None
