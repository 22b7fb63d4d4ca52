"""Rules about a venue that is far away: reconciliation, signer and rate budget (C17, C18, C20)."""

from __future__ import annotations

from safety.facts import ReconcileState
from safety.rule import Case, Finding, Level, Rule, at_least, at_most, not_negative, number


def _reconcile_state(case: Case) -> Finding:
    state = ReconcileState(case.facts.venue.reconcile_state)  # type: ignore[arg-type]  # None raises
    return Finding(state is ReconcileState.CLEAN, state, "", ReconcileState.CLEAN)


def _reconcile_age(case: Case) -> Finding:
    age_ms = not_negative(case.facts.venue.reconcile_age_ms)
    return at_most("", age_ms, case.policy.max_reconcile_age_ms, case.policy)


def _nonce(case: Case) -> Finding:
    """The next nonce is above the highest on disk, so that none is ever used twice (I4)."""
    coming, durable = number(case.facts.venue.nonce_next), not_negative(case.facts.venue.nonce_durable)
    return Finding(coming > durable, durable, coming, "")


def _signer(case: Case) -> Finding:
    return at_least(
        not_negative(case.facts.venue.signer_left_ms), not_negative(case.policy.min_signer_left_ms)
    )


def _not_master(case: Case) -> Finding:
    is_master = case.facts.venue.signer_is_master
    return Finding(is_master is False, "unknown" if is_master is None else str(is_master).lower())


def _budget(case: Case) -> Finding:
    left = not_negative(case.facts.venue.budget_left)
    return at_least(left, not_negative(case.policy.min_venue_budget))


_ENTRY = True
_NONCE = ("venue.nonce_next", "venue.nonce_durable")
# fmt: off
# ruff: noqa: E501
VENUE_RULES: tuple[Rule, ...] = (
    Rule("reconcile_not_clean", _ENTRY, _reconcile_state, Level.VENUE, "C17, I16", "the last full reconciliation found no difference", (), ("venue.reconcile_state",)),
    Rule("reconcile_stale", _ENTRY, _reconcile_age, Level.VENUE, "C17", "age of the last full reconciliation, in milliseconds", ("max_reconcile_age_ms",), ("venue.reconcile_age_ms",)),
    Rule("nonce_not_fresh", _ENTRY, _nonce, Level.VENUE, "C18, I4", "the next nonce is above the highest on disk", (), _NONCE),
    Rule("signer_expiring", _ENTRY, _signer, Level.VENUE, "C18", "how long the signing agent stays valid, in milliseconds", ("min_signer_left_ms",), ("venue.signer_left_ms",)),
    Rule("signer_is_master", _ENTRY, _not_master, Level.VENUE, "C18", "the signer is not the account's master key", (), ("venue.signer_is_master",)),
    Rule("venue_budget_low", _ENTRY, _budget, Level.VENUE, "C20", "free share of the venue's rate limit", ("min_venue_budget",), ("venue.budget_left",)),
)
"""What a remote venue must have proved."""
