"""What a pass of custody says of an account, and what that is to the pre-trade rules."""

from __future__ import annotations

from enum import StrEnum

from safety.facts import ReconcileState


class Verdict(StrEnum):
    HYDRATING = "hydrating"
    CLEAN = "clean"
    SETTLING = "settling"
    AMBIGUOUS = "ambiguous"


STATES = {
    Verdict.HYDRATING: ReconcileState.NEVER,
    Verdict.CLEAN: ReconcileState.CLEAN,
    Verdict.SETTLING: ReconcileState.AMBIGUOUS,
    Verdict.AMBIGUOUS: ReconcileState.AMBIGUOUS,
}
"""What a verdict is to the pre-trade rules: only CLEAN lets new risk through."""


def why_not_clean(verdict: Verdict) -> str:
    """Return the reason code of a book that nothing new may rest on: never compared, or in doubt."""
    return "not_hydrated" if verdict is Verdict.HYDRATING else "reconciliation_not_clean"
