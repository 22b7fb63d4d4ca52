"""Corridor sessions for the console: lists and single ones, health and alerts, from the files alone."""

from __future__ import annotations

from pathlib import Path

from engine.api.corridor import PackManifest, SubmitAlert, SubmitRow, SubmitsHealth, SubmitView
from engine.api.home import HomePaths
from engine.api.submits_views import EvidenceReadiness
from engine.config import load_settings
from engine.corridor import readiness, reading
from engine.corridor.pack import pack
from engine.corridor.registry import SubmitAttempt, SubmitsIndex, index_submits, stub_submit
from engine.venue import REPOSITORY
from seams.clock import SystemClock
from seams.disk import RealDisk


def list_submits(home: Path) -> tuple[SubmitRow, ...]:
    """Return every corridor session, newest first."""
    return reading.rows(HomePaths(home).submits, RealDisk())


def show_submit(home: Path, session_id: str) -> SubmitView:
    """Return one corridor session with its steps. Raises `Refusal`: not_found, artifact_altered."""
    return reading.show(HomePaths(home).submits, session_id, RealDisk(), SystemClock().now_ns())


def submits_health(home: Path) -> SubmitsHealth:
    """Return the health of all sessions, computed from their artifacts."""
    return reading.health(HomePaths(home).submits, RealDisk(), SystemClock())


def submits_alerts(home: Path) -> tuple[SubmitAlert, ...]:
    """Return the most pressing alert of each session that has one, the most pressing first."""
    return reading.alerts(HomePaths(home).submits, RealDisk())


def submits_index(home: Path) -> SubmitsIndex:
    """Write the registry's index from the folders. Raises `OSError`."""
    return index_submits(HomePaths(home).submits, RealDisk(), SystemClock())


def submit_stub(home: Path, session_id: str) -> SubmitAttempt:
    """Say what a submit would send now; nothing is sent. Raises `Refusal`: not_found, artifact_altered."""
    return stub_submit(HomePaths(home).submits, session_id, RealDisk(), SystemClock())


def pack_evidence(home: Path, session_id: str, paper_session: str) -> PackManifest:
    """Write a session's evidence pack. Raises `Refusal`: not_found, artifact_altered; `OSError`."""
    paths = HomePaths(home)
    return pack(paths.submits, paths.sessions, session_id, paper_session, RealDisk())


def evidence_readiness(home: Path, environ: dict[str, str], corridor: str) -> EvidenceReadiness:
    """Judge whether a supervised pass can leave its evidence, and write the artifact.

    Raises `Refusal` (invalid_request), `ConfigError`, `OSError`.
    """
    settings = load_settings(home, environ).settings
    return readiness.evidence_readiness(home, settings, corridor, REPOSITORY, RealDisk(), SystemClock())
