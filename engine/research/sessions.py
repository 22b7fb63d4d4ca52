"""A paper session's folder: written as it runs, complete at its end, judged when read.

States: running → success (completed), failed (exception) or aborted (operator_abort). `stale` is
derived when read and never stored. Every file is replaced atomically.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.api.endpoint import is_alive
from engine.research.schemas import SCHEMA_VERSION, Artifact, MachineContract, Scalar, json_bytes
from engine.research.session_records import PAPER_CONTRACT, SessionMetadata, SessionReport, SessionStatus
from seams.clock import NS_PER_S, Clock, iso_z
from seams.disk import Disk

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,63}")
ENDINGS = {"completed": "success", "exception": "failed", "operator_abort": "aborted"}
"""status_reason at the end → status; the whole state machine, since `running` is the only other state."""

TRADE_COLUMNS = (
    "timestamp",
    "side",
    "close",
    "exec_price",
    "qty",
    "fee",
    "equity_after",
    "slippage",
    "reason",
)
FILES = {
    "metadata": "session_metadata.json",
    "status": "session_status.json",
    "config": "config.json",
    "metrics": "metrics.json",
    "report": "report.json",
    "report_markdown": "run_report.md",
    "trades": "trades.csv",
}


class SessionEnded(Exception):
    """A terminal session was asked to change."""


class SessionFolder:
    """The writer of one session's folder; one owner, `update` about once a second."""

    def __init__(
        self,
        sessions: Path,
        metadata: SessionMetadata,
        config: Mapping[str, object],
        disk: Disk,
        clock: Clock,
    ) -> None:
        assert SESSION_ID.fullmatch(metadata.session_id), metadata.session_id
        self.folder, self.metadata = sessions / metadata.session_id, metadata
        self._config, self._disk, self._clock = dict(config), disk, clock
        self._started_ns = clock.now_ns()
        self._trades = 0
        if disk.exists(self.folder / FILES["status"]):
            raise FileExistsError(f"session {metadata.session_id} exists")
        disk.make_folder(self.folder / "artifacts")
        self.status = _first_status(metadata)
        self._put("metadata", json_bytes(metadata))
        self._put("config", json_bytes(self._config))
        self._put("trades", (",".join(TRADE_COLUMNS) + "\n").encode())
        self._put("status", json_bytes(self.status))

    def update(
        self, *, bars: int, decisions: int, orders: int, fills: int, equity_usd: Decimal, message: str = ""
    ) -> None:
        """Record progress. Raises `SessionEnded` after the end, `OSError` from the disk."""
        self._demand_running()
        self.status = msgspec.structs.replace(  # type: ignore[type-var]
            self.status,
            updated_at=iso_z(self._clock.now_ns()),
            bars=bars,
            decisions=decisions,
            orders=orders,
            fills=fills,
            equity_usd=str(equity_usd),
            message=message,
        )
        self._put("status", json_bytes(self.status))

    def add_trade(
        self,
        *,
        at_ns: int,
        side: str,
        close: Decimal,
        exec_price: Decimal,
        quantity: Decimal,
        fee: Decimal,
        equity_after: Decimal,
        slippage: Decimal,
        reason: str,
    ) -> None:
        """Append one fill to trades.csv, durable when it returns; `slippage` in price units, adverse > 0."""
        self._demand_running()
        text = io.StringIO()
        row = (iso_z(at_ns), side, close, exec_price, quantity, fee, equity_after, slippage, reason)
        csv.writer(text, lineterminator="\n").writerow(row)
        self._disk.append(self.folder / FILES["trades"], text.getvalue().encode())
        self._trades += 1

    def finish(
        self,
        reason: str,
        *,
        metrics: Mapping[str, Scalar],
        decision_sha256: str,
        message: str = "",
        error_type: str | None = None,
    ) -> SessionStatus:
        """End the session: `reason` is completed, exception or operator_abort.

        Metrics and reports first, the terminal status last, so that a terminal session is complete.
        """
        self._demand_running()
        self.status = _ended(self.status, reason, self._clock.now_ns(), self._started_ns, message, error_type)
        self.status = msgspec.structs.replace(self.status, decision_sha256=decision_sha256)  # type: ignore[type-var]
        self._put(
            "metrics", json_bytes({"mode": "paper", "status": self.status.status, "summary": dict(metrics)})
        )
        report = _report(self.metadata, self.status, self._config, dict(metrics), self._listing())
        self._put("report_markdown", _markdown(report).encode())
        self._put("report", json_bytes(report))
        self._put("status", json_bytes(self.status))
        return self.status

    def put_artifact(self, name: str, data: bytes) -> None:
        """Write one file under artifacts/ (journal, alert snapshot)."""
        assert "/" not in name and not name.startswith("."), name
        self._disk.write_atomic(self.folder / "artifacts" / name, data)

    def _put(self, which: str, data: bytes) -> None:
        self._disk.write_atomic(self.folder / FILES[which], data)

    def _listing(self) -> tuple[Artifact, ...]:
        artifacts = []
        for name in (FILES["metadata"], FILES["config"], FILES["metrics"], FILES["trades"]):
            data = self._disk.read(self.folder / name)
            digest = hashlib.sha256(data).hexdigest()
            artifacts.append(Artifact(file_name=name, size_bytes=len(data), sha256=digest))
        return tuple(artifacts)

    def _demand_running(self) -> None:
        if self.status.terminal:
            raise SessionEnded(f"session {self.status.session_id} ended as {self.status.status}")


def mark_interrupted(sessions: Path, session_id: str, disk: Disk, clock: Clock) -> SessionStatus:
    """End a session whose engine is gone: failed/exception, error_type engine_restart."""
    folder = sessions / session_id
    status = read_status(folder, disk)
    if status.terminal:
        raise SessionEnded(f"session {session_id} ended as {status.status}")
    ended = _ended(
        status,
        "exception",
        clock.now_ns(),
        None,
        "the engine ended while the session was running",
        "engine_restart",
    )
    disk.write_atomic(folder / FILES["status"], json_bytes(ended))
    return ended


def mark_all_interrupted(sessions: Path, disk: Disk, clock: Clock, own_pid: int) -> tuple[str, ...]:
    """At start: end every running session of another process that is gone; return their ids."""
    ended = []
    for name in disk.list(sessions):
        try:
            status = read_status(sessions / name, disk)
        except (OSError, msgspec.MsgspecError):
            continue
        if not status.terminal and (status.pid == own_pid or not is_alive(status.pid)):
            mark_interrupted(sessions, name, disk, clock)
            ended.append(name)
    return tuple(ended)


def read_status(folder: Path, disk: Disk) -> SessionStatus:
    """Read session_status.json. Raises `OSError` or `msgspec.MsgspecError`."""
    return msgspec.json.decode(disk.read(folder / FILES["status"]), type=SessionStatus)


def read_metadata(folder: Path, disk: Disk) -> SessionMetadata:
    """Read session_metadata.json. Raises `OSError` or `msgspec.MsgspecError`."""
    return msgspec.json.decode(disk.read(folder / FILES["metadata"]), type=SessionMetadata)


def _first_status(metadata: SessionMetadata) -> SessionStatus:
    return SessionStatus(
        session_id=metadata.session_id,
        mode="paper",
        command=metadata.command,
        status="running",
        request_id=metadata.request_id,
        started_at=metadata.started_at,
        updated_at=metadata.started_at,
        terminal=False,
        status_reason="active",
        finished_at=None,
        duration_seconds=None,
        message="",
        error_type=None,
        pid=metadata.pid,
        bars=0,
        decisions=0,
        orders=0,
        fills=0,
        equity_usd="0",
        decision_sha256="",
    )


def _ended(
    status: SessionStatus,
    reason: str,
    now_ns: int,
    started_ns: int | None,
    message: str,
    error_type: str | None,
) -> SessionStatus:
    assert reason in ENDINGS, reason
    assert not status.terminal
    return msgspec.structs.replace(  # type: ignore[type-var]
        status,
        status=ENDINGS[reason],
        status_reason=reason,
        terminal=True,
        updated_at=iso_z(now_ns),
        finished_at=iso_z(now_ns),
        duration_seconds=None if started_ns is None else (now_ns - started_ns) / NS_PER_S,
        message=message or status.message,
        error_type=error_type,
    )


def _report(
    metadata: SessionMetadata,
    status: SessionStatus,
    config: dict[str, object],
    summary: dict[str, Scalar],
    artifacts: tuple[Artifact, ...],
) -> SessionReport:
    return SessionReport(
        schema_version=SCHEMA_VERSION,
        artifact_type="interlock.paper_report",
        status=status.status,
        metadata=metadata,
        session=status,
        config_resolved=config,
        summary=summary,
        artifacts=artifacts,
        machine_contract=MachineContract(
            schema_version=SCHEMA_VERSION,
            contract_type=PAPER_CONTRACT,
            command=metadata.command,
            status=status.status,
            request_id=metadata.request_id,
            run_id=metadata.session_id,
            mode="paper",
            summary=summary,
            artifacts=dict(FILES),
        ),
    )


def _markdown(report: SessionReport) -> str:
    status, metadata = report.session, report.metadata
    lines = [
        f"# Paper session {status.session_id}",
        "",
        f"**{status.status}** ({status.status_reason}) – {status.message or 'no message'}",
        "",
        f"- started {status.started_at}, finished {status.finished_at}, operator {metadata.operator}",
        f"- strategies {', '.join(metadata.strategies)} on {', '.join(metadata.symbols)}",
        f"- feed {metadata.feed}",
        f"- bars {status.bars}, decisions {status.decisions}, orders {status.orders}, fills {status.fills}",
        f"- equity {status.equity_usd} USD",
        f"- kernel `{metadata.kernel_sha256}`, decisions `{status.decision_sha256}`",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {'–' if value is None else value} |" for name, value in report.summary.items()),
        "",
    ]
    return "\n".join(lines)
