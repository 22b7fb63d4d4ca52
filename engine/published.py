"""The files that other programs may read: each one's struct, and `docs/schemas` made from them.

python -m engine.published      write docs/schemas
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.api.shadow import ShadowView
from engine.lifecycle.parity.ledger import LedgerRow
from engine.lifecycle.parity.report import ReleaseBlocker, ReplayReport
from engine.lifecycle.parity.sweeps import CandidateConfig, CandidateList
from engine.ops.event_log import LoggedEvent
from engine.research.forward_files import Forward, ForwardState
from engine.research.forward_report import PortfolioReport
from engine.research.schemas import (
    CandidateStore,
    RunConfig,
    RunMetadata,
    RunMetrics,
    RunReport,
    RunsIndex,
    json_bytes,
)
from engine.research.session_records import SessionMetadata, SessionReport, SessionsIndex, SessionStatus
from engine.research.sweep.publish import Row, SweepReport
from engine.research.sweep.trials import Result
from engine.research.walk_forward import SplitMetrics, Tested
from engine.research.walk_publish import WalkConfig, WalkReport, WalkResult
from engine.state.init_state import InitState
from seams.disk import RealDisk

PUBLISHED: dict[str, Any] = {
    "run.config": RunConfig,
    "run.metadata": RunMetadata,
    "run.metrics": RunMetrics,
    "run.report": RunReport,
    "runs_index": RunsIndex,
    "candidates": CandidateStore,
    "session.metadata": SessionMetadata,
    "session.status": SessionStatus,
    "session.report": SessionReport,
    "paper_sessions_index": SessionsIndex,
    "sweep": SweepReport,
    "sweep.trials_row": Result,
    "sweep.leaderboard": tuple[Row, ...],
    "walkforward.config": WalkConfig,
    "walkforward.report": WalkReport,
    "walkforward.summary": WalkResult,
    "walkforward.split_metrics": tuple[SplitMetrics, ...],
    "walkforward.selected_configs": tuple[Tested, ...],
    "forward.session": Forward,
    "forward.portfolio_state": ForwardState,
    "portfolio.report": PortfolioReport,
    "session.shadow": ShadowView,
    "event": LoggedEvent,
    "init_state": InitState,
    "parity.ledger_row": LedgerRow,
    "parity.replay_report": ReplayReport,
    "parity.release_blocker": ReleaseBlocker,
    "parity.candidates": CandidateList,
    "parity.candidate": CandidateConfig,
}
"""A schema's name → what the file, or a line of it (`_row`), holds."""


def published_schemas() -> dict[str, bytes]:
    """Return each file's JSON Schema by file name, as kept in `docs/schemas`."""
    schemas = {name: msgspec.json.schema(kind, schema_hook=_anything) for name, kind in PUBLISHED.items()}
    return {f"{name}.json": json_bytes(schema) for name, schema in schemas.items()}


def _anything(kind: type) -> dict[str, object]:
    """A configuration tree is described by the settings, not here."""
    assert kind is object, kind
    return {"description": "see the settings"}


if __name__ == "__main__":  # python -m engine.published: write docs/schemas
    for name, schema in published_schemas().items():
        RealDisk().write_atomic(Path("docs/schemas") / name, schema, mode=0o644)
