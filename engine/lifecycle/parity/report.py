"""What a replay leaves behind: its report, and the release blocker with its judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from engine.lifecycle.parity.trace import MAX_LISTED, TOLERANCE, Difference
from venues.types import Record

REPORT_FILE, BLOCKER_FILE = "replay_report.json", "release_blocker.json"
PASS, FAIL, INVALID = "pass", "fail", "invalid"
MAX_AGE_MIN = 360
NOT_EVIDENCE = "not_evidence"


class Measured(Record):
    """Size and sha256 of one side of the trace."""

    decisions: int
    decision_sha256: str
    trades: int
    trades_sha256: str
    final_equity: float | None


class ReplayReport(Record):
    """replay_report.json. `kind` is run, sweep or session; `verdict` pass, fail, or invalid.

    Invalid: the contracts differ, so that nothing was compared. `is_evidence` is False where another kernel
    than the recorded one executed. `counts` has all differences by cause, `differences` at most 25 of them,
    STATE_MACHINE first; `trusted` names the side that counts where they disagree (`sources.TRUST_ORDER`).
    A sweep's candidates are in the ledger beside it, at `ledger_path`.
    """

    schema_version: str = "1.0"
    artifact_type: str = "interlock.replay_report"
    subject: str
    kind: str
    generated_at: str
    generated_at_ms: int
    verdict: str
    is_evidence: bool
    reason_codes: tuple[str, ...]
    contract: dict[str, object]
    contract_hash: str
    recorded_contract_hash: str
    kernel_sha256: str
    recorded_kernel_sha256: str
    tolerance: float = TOLERANCE
    recorded: Measured | None = None
    replayed: Measured | None = None
    is_bit_equal: bool | None = None
    trusted: str
    counts: dict[str, int]
    differences: tuple[Difference, ...]
    ledger_path: str = ""
    path: str = ""


class ReleaseBlocker(Record):
    """release_blocker.json: whether a replay forbids promotion, and why."""

    blocked: bool
    generated_at_ms: int
    reason_codes: tuple[str, ...]
    report_path: str


def counted(differences: Sequence[Difference]) -> dict[str, int]:
    """Count by cause, in the order of causes."""
    return dict(Counter(each.cause.value for each in differences))


def listed(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return what a report lists: the first 25."""
    return tuple(differences[:MAX_LISTED])


def blocker_of(report: ReplayReport) -> ReleaseBlocker:
    """Return the blocker of a report: only a pass that is evidence does not block."""
    codes = report.reason_codes if report.is_evidence else (*report.reason_codes, NOT_EVIDENCE)
    codes = tuple(dict.fromkeys(codes))
    is_open = report.verdict == PASS and report.is_evidence
    assert is_open or codes, "what blocks says why"
    return ReleaseBlocker(
        blocked=not is_open,
        generated_at_ms=report.generated_at_ms,
        reason_codes=() if is_open else codes,
        report_path=report.path,
    )


def judge_blocker(data: bytes | None, now_ms: int, max_age_min: int = MAX_AGE_MIN) -> tuple[str, ...]:
    """Return why a release_blocker.json blocks; empty only for a fresh one that says it does not.

    `data` None: there is no file. Absent, unreadable, stale (older than `max_age_min`, or from the future)
    and blocked all block.
    """
    if data is None:
        return ("replay_absent",)
    try:
        blocker = msgspec.json.decode(data, type=ReleaseBlocker, strict=True)
    except msgspec.MsgspecError:
        return ("replay_unreadable",)
    age_ms = now_ms - blocker.generated_at_ms
    if not 0 <= age_ms <= max_age_min * 60_000:
        return ("replay_stale",)
    if blocker.blocked or blocker.reason_codes:
        return ("replay_blocked", *blocker.reason_codes)
    return ()
