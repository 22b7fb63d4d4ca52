"""The ephemeral stream of decisions, for programs that learn from them (QT-13).

`HOME/outputs/decisions/ephemeral.jsonl`: each decision of the immutable stream (the audit chain, which
blocks what it cannot record) as one flat line, with the state of the desk at that moment. It is turned over
when full, may lose lines, and decides nothing: `audit_seq` and `audit_sha256` lead to the record that counts.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.core import Core
from engine.ops.line_queue import LineQueue
from safety.audit_chain import AuditRecord
from seams.clock import NS_PER_MS
from seams.disk import file_size
from venues.types import Record

EVENT_TYPE = "agentic_decision"
FOLDER, NEWEST, BEFORE = "decisions", "ephemeral.jsonl", "ephemeral.1.jsonl"
MAX_WAITING, MAX_BYTES = 5_000, 8 << 20
_OWN = frozenset({"intent_category", "policy_result", "outcome"})


class DecisionLine(Record):
    """One decision. `tool` is the act or step, `args` the rest of what the record says of it; the last five
    are the desk at that moment: levels by name, USD of the day, the fall from the high as a fraction."""

    event_type: str
    ts_ms: int
    epoch: int
    mode: str
    audit_seq: int
    audit_sha256: str
    tool: str
    intent_category: str
    outcome: str
    allowed: bool
    reasons: tuple[str, ...]
    args: dict[str, Any]
    hold_level: str
    kill_level: str
    day_pnl_usd: Decimal
    drawdown: Decimal
    limits_epoch: int


class DecisionStream:
    """Collects decisions as the audit log takes them; a disk that refuses costs nothing but lines."""

    def __init__(self, core: Core, max_bytes: int = MAX_BYTES) -> None:
        self._core = core
        self.folder: Path = core.paths.outputs / FOLDER
        core.disk.make_folder(self.folder)
        size = file_size(self.path) if core.disk.exists(self.path) else 0
        self._queue: LineQueue[DecisionLine] = LineQueue(MAX_WAITING, max_bytes, size)
        core.audit.on_decision = self.take

    @property
    def path(self) -> Path:
        return self.folder / NEWEST

    def take(self, record: AuditRecord) -> None:
        """Keep one decision to be written; the oldest gives way where too many wait."""
        self._queue.take(self._line(record))

    def tend(self) -> None:
        """Write what waits, about once a second; what the disk refuses is tried again with the next."""
        self._queue.write(lambda line: line, lambda: self.path, self._turn_over)

    @property
    def lost(self) -> int:
        """How many lines gave way unwritten."""
        return self._queue.lost

    def _turn_over(self) -> None:
        disk = self._core.disk
        disk.write_atomic(self.folder / BEFORE, disk.read(self.path))
        disk.remove(self.path)
        self._queue.size = 0

    def _line(self, record: AuditRecord) -> DecisionLine:
        core, body = self._core, record.body
        answered = body.get("policy_result")
        policy: dict[str, Any] = answered if isinstance(answered, dict) else {}
        base_usd = Decimal(str(core.settings.risk.initial_equity_usd))
        return DecisionLine(
            event_type=EVENT_TYPE,
            ts_ms=record.at_ns // NS_PER_MS,
            epoch=core.epoch,
            mode=core.mode,
            audit_seq=record.seq,
            audit_sha256=record.hash,
            tool=str(body.get("act") or body.get("step") or "decide"),
            intent_category=str(body.get("intent_category", "")),
            outcome=str(body.get("outcome", "")),
            allowed=policy.get("allowed") is True,
            reasons=tuple(str(each) for each in policy.get("reasons", ())),
            args={name: value for name, value in body.items() if name not in _OWN},
            hold_level=core.interlock.level.name.lower(),
            kill_level=core.kill.level.name.lower(),
            day_pnl_usd=core.risk_memory.day_pnl_usd,
            drawdown=core.risk_memory.drawdown(base_usd),
            limits_epoch=core.limits.epoch,
        )
