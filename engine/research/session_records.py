"""The files of a paper session: one frozen struct each; see `engine.published` for their schemas."""

from __future__ import annotations

from engine.research.schemas import Artifact, Excluded, MachineContract, Scalar
from venues.types import Record

PAPER_CONTRACT = "interlock.paper.result"


class SessionMetadata(Record):
    """session_metadata.json: what was started, by whom, with what."""

    session_id: str
    mode: str
    command: str
    request_id: str
    started_at: str
    operator: str
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    feed: str
    scenario: str
    seed: int
    is_supervised: bool
    pid: int
    git_commit: str
    python_version: str
    kernel_sha256: str
    config_sha256: str
    config_ids: dict[str, str] = {}
    """Strategy -> the id of it with all its parameters, as a sweep and its replay name it (OC-44)."""
    environment: str = ""
    """Where its orders reached a real venue: testnet or mainnet; empty for paper."""


class SessionStatus(Record):
    """session_status.json. `status`: running, success, failed, aborted; stale is never stored."""

    session_id: str
    mode: str
    command: str
    status: str
    request_id: str
    started_at: str
    updated_at: str
    terminal: bool
    status_reason: str
    finished_at: str | None
    duration_seconds: float | None
    message: str
    error_type: str | None
    pid: int
    bars: int
    decisions: int
    orders: int
    fills: int
    equity_usd: str
    decision_sha256: str


class SessionReport(Record):
    """report.json of a paper session."""

    schema_version: str
    artifact_type: str
    status: str
    metadata: SessionMetadata
    session: SessionStatus
    config_resolved: dict[str, object]
    summary: dict[str, Scalar]
    artifacts: tuple[Artifact, ...]
    machine_contract: MachineContract


class SessionIndexRow(Record):
    session_id: str
    status: str
    status_reason: str
    started_at: str
    finished_at: str | None
    strategies: str
    symbols: str
    feed: str
    bars: int
    orders: int
    fills: int
    equity_usd: str
    error_type: str | None
    path: str


class SessionsIndex(Record):
    """paper_sessions_index.json."""

    generated_at: str
    root_dir: str
    n_sessions: int
    sessions: tuple[SessionIndexRow, ...]
    excluded: tuple[Excluded, ...]
