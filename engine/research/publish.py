"""The contents of a run's folder, made from one replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.journal import write_journal
from engine.research import identity
from engine.research.artifacts import Fill, config_hash, trades_csv, write_folder
from engine.research.comparison import contract_hash, contract_of
from engine.research.findings import Findings
from engine.research.page import Recorded, to_html
from engine.research.report import run_markdown
from engine.research.reproduce import reproduce_command
from engine.research.request import RunRequest
from engine.research.run import MODE, Replayed, status_of
from engine.research.schemas import (
    REPORT_TYPE,
    RUN_CONTRACT,
    SCHEMA_VERSION,
    Artifact,
    Identity,
    MachineContract,
    ReportHeader,
    RunConfig,
    RunMetadata,
    RunMetrics,
    RunReport,
    Scalar,
    json_bytes,
)

SUMMARY = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
FILES = {
    "metadata": "metadata.json",
    "config": "config.json",
    "metrics": "metrics.json",
    "report": "report.json",
    "report_markdown": "report.md",
    "report_html": "report.html",
    "trades": "trades.csv",
    "journal": "journal.h5",
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What sort of run a folder is of; `more` are the files that this sort has besides, by name."""

    mode: str
    command: str
    contract: str
    leaderboard_size: int = 1
    more: Mapping[str, Fill] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """The folder's files by the names that programs know them by."""
        return {**FILES, **{name.replace(".", "_"): name for name in self.more}}


RUN = Kind(mode=MODE, command="run start", contract=RUN_CONTRACT)


def publish_run(
    final: Path,
    request: RunRequest,
    config: RunConfig,
    proof: Identity,
    findings: Findings,
    replayed: Replayed,
    ts_ns: NDArray[np.int64],
    created_at: str,
    kind: Kind = RUN,
) -> Path:
    """Write the run's folder whole and return it. Raises `OSError` or `JournalDamaged`."""
    status = status_of(replayed)
    summary: dict[str, Scalar] = {name: findings.metrics.values[name] for name in SUMMARY}
    executable, version = identity.python_facts()
    header = ReportHeader(
        run_id=final.name,
        mode=kind.mode,
        created_at=created_at,
        git_commit=identity.git_commit(),
        python_version=version,
        config_path=request.config_path,
        config_hash=config_hash(config),
        request_id=request.request_id,
    )

    def journal(path: Path) -> None:
        write_journal(
            path,
            ts_ns=ts_ns,
            equity=replayed.equity,
            trades=replayed.trades,
            decisions=replayed.decisions,
            excursions=findings.excursions,
            identity={
                "run_id": header.run_id,
                "kernel_sha256": proof.kernel_sha256,
                "strategy_sha256": proof.strategy_sha256,
                "config_sha256": proof.config_sha256,
                "data_sha256": proof.data_sha256,
                "decision_sha256": proof.decision_sha256,
            },
        )

    files: dict[str, Fill] = {
        "metadata.json": json_bytes(_metadata(header, status, request, proof, executable, summary, kind)),
        "config.json": json_bytes(config),
        "metrics.json": json_bytes(_metrics(status, findings, summary, kind)),
        "trades.csv": trades_csv(replayed.trades, [lane.symbol for lane in config.lanes]),
        "journal.h5": journal,
        **kind.more,
    }

    def reports(written: tuple[Artifact, ...]) -> dict[str, bytes]:
        text = json_bytes(_report(header, status, request, config, proof, findings, summary, written, kind))
        # Read back, so that the reports for people are made of exactly what the file says.
        report = msgspec.json.decode(text, type=RunReport)
        record = Recorded(ts_ns, replayed.equity, replayed.trades, findings.excursions)
        return {
            "report.md": run_markdown(report).encode(),
            "report.html": to_html(report, record).encode(),
            "report.json": text,
        }

    return write_folder(final, files, reports)


def _metadata(
    header: ReportHeader,
    status: str,
    request: RunRequest,
    proof: Identity,
    executable: str,
    summary: dict[str, Scalar],
    kind: Kind,
) -> RunMetadata:
    return RunMetadata(
        run_id=header.run_id,
        mode=kind.mode,
        command=kind.command,
        status=status,
        created_at=header.created_at,
        git_commit=header.git_commit,
        python_executable=executable,
        python_version=header.python_version,
        config_path=header.config_path,
        config_hash=header.config_hash,
        request_id=header.request_id,
        name=request.name,
        identity=proof,
        summary=summary,
    )


def _metrics(status: str, findings: Findings, summary: dict[str, Scalar], kind: Kind) -> RunMetrics:
    metrics = findings.metrics
    return RunMetrics(
        mode=kind.mode,
        command=kind.command,
        status=status,
        summary=summary,
        best_result=metrics.values,
        null_reasons=metrics.null_reasons,
        leaderboard_size=kind.leaderboard_size,
        trust=findings.trust,
        checks=findings.checks,
        baselines=findings.baselines,
        bootstrap=findings.bootstrap,
        tables=metrics.tables,
    )


def _report(
    header: ReportHeader,
    status: str,
    request: RunRequest,
    config: RunConfig,
    proof: Identity,
    findings: Findings,
    summary: dict[str, Scalar],
    written: tuple[Artifact, ...],
    kind: Kind,
) -> RunReport:
    return RunReport(
        schema_version=SCHEMA_VERSION,
        artifact_type=REPORT_TYPE,
        status=status,
        header=header,
        reproduce={"command": reproduce_command(request)},
        config_resolved=config,
        identity=proof,
        results=(findings.metrics.values,),
        artifacts=written,
        summary=summary,
        machine_contract=MachineContract(
            schema_version=SCHEMA_VERSION,
            contract_type=kind.contract,
            command=kind.command,
            status=status,
            request_id=header.request_id,
            run_id=header.run_id,
            mode=kind.mode,
            summary=summary,
            artifacts=kind.files,
        ),
        trust=findings.trust,
        checks=findings.checks,
        null_reasons=findings.metrics.null_reasons,
        baselines=findings.baselines,
        bootstrap=findings.bootstrap,
        tables=findings.metrics.tables,
        multiple_testing=findings.testing,
        contract_hash=contract_hash(contract_of(config, proof)),
    )
