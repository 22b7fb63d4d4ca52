"""A portfolio run made again from its own folder: lanes over their own windows, then all of them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.lifecycle.parity.contract import Contract, run_contract
from engine.lifecycle.parity.runs import Where, read_config, read_report, read_trace, recorded_contract
from engine.lifecycle.parity.sources import Source
from engine.lifecycle.parity.subject import Subject, claim
from engine.lifecycle.parity.trace import Cause, Difference, Trace
from engine.research import identity
from engine.research.artifacts import config_hash
from engine.research.comparison import contract_hash, contract_of
from engine.research.portfolio import portfolio_config, replay_together, strategies_sha256
from engine.research.portfolio_again import lanes_again
from engine.research.portfolio_lanes import portfolio_of
from engine.research.schemas import RunConfig, RunReport
from seams.disk import Disk

Progress = Callable[[int, int], None]


def portfolio_subject(
    run_id: str, home: Path, disk: Disk, where: Where, on_progress: Progress | None = None
) -> Subject:
    """Return a portfolio run as a subject of replay.

    Raises `UnknownRun`, `JournalDamaged`, or `RunFailed` with not_reproducible where bars or strategies are
    not found.
    """
    report = read_report(home, run_id, disk)
    recorded = read_trace(home / "outputs" / "runs" / run_id / "journal.h5", report)
    config, proof = read_config(home / "outputs" / "runs" / run_id / "config.json", disk), report.identity
    command = report.reproduce.get("command", "")
    request, lanes = lanes_again(config, command, home, disk, data=where.data, strategy=where.strategy)
    found = portfolio_config(request, lanes, [lane.data for lane in config.lanes])

    def execute() -> tuple[Trace, list[Difference]]:
        made = replay_together(portfolio_of(found, lanes, run_id), found, lanes, on_progress, None)
        trace = Trace(decisions=made.decisions, trades=made.trades, equity=made.equity)
        claims = [
            each
            for field, ours in (
                ("decision_sha256", recorded.decision_sha256),
                ("trades_sha256", made.trades_sha256),
            )
            for each in claim("identity", field, getattr(proof, field), ours, Cause.STATE_MACHINE)
        ]
        return trace, claims

    return Subject(
        name=run_id,
        kind="run",
        trusted=Source.REPLAY,
        recorded_contract=recorded_contract(report),
        contract=_contract(report, found, strategies_sha256(lanes, proof.kernel_sha256)),
        recorded=recorded,
        execute=execute,
    )


def _contract(report: RunReport, found: RunConfig, strategy_sha256: str) -> Contract:
    """Return the contract as found now; the recorded hashes must follow from the recorded fields."""
    resolved = contract_of(report.config_resolved, report.identity)
    return {
        **run_contract(found, kernel_sha256=identity.kernel_sha256(), strategy_sha256=strategy_sha256),
        "config_hash": config_hash(report.config_resolved),
        "contract_hash": contract_hash(resolved) if report.contract_hash else "",
    }
