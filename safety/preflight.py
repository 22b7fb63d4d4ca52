"""The deterministic local judgement before anything reaches an adapter (QL-56)."""

from __future__ import annotations

from safety.facts import AccountFacts, Check, CheckResult, OrderFact, PositionFact, Preflight
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.reasons import REASONS
from safety.rule import case_of, passed
from safety.rules import RULES, found, judge
from venues.types import Instrument

_EXITS = tuple(rule for rule in RULES if not rule.is_for_entries_only)
"""The rules that have something to say of what cannot add risk: the others pass it unseen."""

__all__ = [
    "AccountFacts",
    "Check",
    "CheckResult",
    "OrderFact",
    "PositionFact",
    "Preflight",
    "preflight",
    "refusals",
]


def preflight(
    intent: ExecutionIntent,
    facts: AccountFacts,
    policy: ExecutionPolicy,
    instrument: Instrument | None,
) -> Preflight:
    """Judge an intent by every rule; never stop at the first refusal. Pure: no clock, no I/O.

    What is missing, None, NaN or of the wrong type fails the rules that need it.
    """
    case = case_of(intent, facts, policy, instrument)
    is_entry = case.adds_risk
    checks = tuple(
        [
            judge(rule, case) if is_entry or not rule.is_for_entries_only else passed(rule.code)
            for rule in RULES
        ]
    )
    reasons = tuple(sorted([check.reason for check in checks if check.reason is not None]))
    assert len(checks) == len(RULES), "every rule is judged"
    assert all(code in REASONS for code in reasons), "every reason is explained"
    return Preflight(allowed=not reasons, reasons=reasons, checks=checks)


def refusals(
    intent: ExecutionIntent,
    facts: AccountFacts,
    policy: ExecutionPolicy,
    instrument: Instrument | None,
) -> tuple[str, ...]:
    """Return the reasons with which `preflight` refuses, and none where it allows: every rule is judged the
    same, but what each saw is not made into text, because nobody is shown it."""
    case = case_of(intent, facts, policy, instrument)
    rules = RULES if case.adds_risk else _EXITS
    reasons = tuple(sorted([rule.code for rule in rules if not found(rule, case).is_ok]))
    assert all(code in REASONS for code in reasons), "every reason is explained"
    return reasons
