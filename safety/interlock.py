"""The interlock: independent holds, and what each action may do under the most restrictive of them.

Holds are facts with a source and a rule for clearing them; nothing clears by being forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from safety.canonical import changed
from safety.reasons import Refusal
from venues.types import Record


class HoldLevel(IntEnum):
    """How much a hold forbids; a larger number wins."""

    CLEAR = 0
    CLOSE_ONLY = 1
    HYDRATING = 2
    HALT = 3


class Action(StrEnum):
    ADD_RISK = "add_risk"
    REDUCE = "reduce"
    CANCEL = "cancel"
    FLATTEN = "flatten"


PERMITS: Mapping[Action, frozenset[HoldLevel]] = {
    Action.ADD_RISK: frozenset({HoldLevel.CLEAR}),
    Action.REDUCE: frozenset({HoldLevel.CLEAR, HoldLevel.CLOSE_ONLY}),
    Action.CANCEL: frozenset(HoldLevel),
    Action.FLATTEN: frozenset(HoldLevel),
}
"""Action -> the levels under which it may go on. What is not in the table may not."""


class ClearRule(StrEnum):
    """What it takes to clear a hold."""

    MATCHING_SEAL = "matching_seal"
    SYNC = "sync"
    NAMED_OPERATOR = "named_operator"
    PROOF_OR_ADJUSTMENT = "proof_or_adjustment"
    GOOD_SAMPLES = "good_samples"
    FRESH_EVIDENCE = "fresh_evidence"
    INCIDENT_NOTE = "incident_note"
    TWO_STEP_ARMING = "two_step_arming"


class HoldSpec(Record):
    """One row of the interlock table."""

    code: str
    default_level: HoldLevel
    clear_rule: ClearRule
    raised_by: str
    cleared_by: str


def _specs(*rows: tuple[str, HoldLevel, ClearRule, str, str]) -> dict[str, HoldSpec]:
    return {
        code: HoldSpec(code=code, default_level=level, clear_rule=rule, raised_by=raised, cleared_by=cleared)
        for code, level, rule, raised, cleared in rows
    }


_OPERATOR = "a named operator with a reason"
HOLDS: Mapping[str, HoldSpec] = _specs(
    (
        "seal",
        HoldLevel.CLOSE_ONLY,
        ClearRule.MATCHING_SEAL,
        "the strategy's build hash does not match a sealed record",
        "a matching seal, nothing else",
    ),
    (
        "hydration",
        HoldLevel.HYDRATING,
        ClearRule.SYNC,
        "the engine has not yet synced with the venue",
        "the sync itself",
    ),
    (
        "kill",
        HoldLevel.HALT,
        ClearRule.NAMED_OPERATOR,
        "operator, file, environment, signal or a failing safety evaluator",
        _OPERATOR,
    ),
    (
        "limits",
        HoldLevel.CLOSE_ONLY,
        ClearRule.NAMED_OPERATOR,
        "a daily loss, drawdown, slippage or performance limit was breached",
        _OPERATOR,
    ),
    (
        "ambiguity",
        HoldLevel.CLOSE_ONLY,
        ClearRule.PROOF_OR_ADJUSTMENT,
        "an order is UNKNOWN, or ledger and venue disagree",
        "proof from the venue, or a named operator's booked adjustment",
    ),
    (
        "stale_data",
        HoldLevel.CLOSE_ONLY,
        ClearRule.GOOD_SAMPLES,
        "the feed is older than its bound",
        "enough good samples in a row",
    ),
    (
        "clock_drift",
        HoldLevel.CLOSE_ONLY,
        ClearRule.GOOD_SAMPLES,
        "the clock is off by more than its bound",
        "enough good samples in a row",
    ),
    (
        "replay_gate",
        HoldLevel.CLOSE_ONLY,
        ClearRule.FRESH_EVIDENCE,
        "replay evidence is missing, stale or failed",
        "fresh passing evidence",
    ),
    (
        "order_storm",
        HoldLevel.CLOSE_ONLY,
        ClearRule.NAMED_OPERATOR,
        "the same trade was repeated, or orders or cancels stormed, beyond a bound",
        _OPERATOR,
    ),
    (
        "key_dead",
        HoldLevel.HALT,
        ClearRule.PROOF_OR_ADJUSTMENT,
        "the venue does not take our key: only cancels and the operator's flatten are still asked for",
        "a new key that the venue proves, or a named operator's resume",
    ),
    (
        "venue_closed",
        HoldLevel.CLOSE_ONLY,
        ClearRule.SYNC,
        "the venue says that it takes cancels only, or nothing",
        "the venue's word that it is open again and a clean reconciliation; after a maintenance the alarm's "
        "acknowledgement, too",
    ),
    (
        "entries_off",
        HoldLevel.CLOSE_ONLY,
        ClearRule.FRESH_EVIDENCE,
        "the configuration says decision.allows_entries: false",
        "the configuration, once it allows entries again",
    ),
    (
        "incident",
        HoldLevel.HALT,
        ClearRule.INCIDENT_NOTE,
        "a HALT opened an incident that is not closed",
        "an incident note by a named operator",
    ),
    (
        "watchdog",
        HoldLevel.CLOSE_ONLY,
        ClearRule.SYNC,
        "a watchdog is required, and none beats",
        "its beat",
    ),
    (
        "arming",
        HoldLevel.CLOSE_ONLY,
        ClearRule.TWO_STEP_ARMING,
        "live mode is not armed, or the arming lease ran out",
        "two-step arming by a named operator",
    ),
)
"""Code -> what the hold is for and who may clear it."""

GOOD_SAMPLES_NEEDED = 5
MAX_HOLDS = 1000


class Hold(Record):
    """One standing hold. `subject` tells holds of one kind apart, such as an order id or a symbol."""

    code: str
    subject: str
    level: HoldLevel
    since_ns: int
    source: str
    evidence: str
    clear_rule: ClearRule


class Clearance(Record):
    """What somebody brings to clear a hold; empty where they bring nothing."""

    operator: str = ""
    reason: str = ""
    evidence: str = ""
    good_samples: int = 0
    second_operator: str = ""


def permits(action: Action, level: HoldLevel | None) -> bool:
    """Tell whether an action may go on at a level; an unknown level or action is refused.

    Cancels and the operator's flatten are allowed at every level, also at an unknown one.
    """
    if action in (Action.CANCEL, Action.FLATTEN):
        return True
    return level is not None and level in PERMITS.get(action, frozenset())


def clearing_problem(rule: ClearRule, clearance: Clearance) -> str | None:
    """Return the reason code that keeps a hold standing, or None where it may be cleared."""
    is_named, has_reason = bool(clearance.operator.strip()), bool(clearance.reason.strip())
    has_evidence = bool(clearance.evidence.strip())
    if rule is ClearRule.GOOD_SAMPLES:
        return None if clearance.good_samples >= GOOD_SAMPLES_NEEDED else "not_enough_good_samples"
    if rule in (ClearRule.SYNC, ClearRule.MATCHING_SEAL, ClearRule.FRESH_EVIDENCE):
        return None if has_evidence else "evidence_required"
    if rule is ClearRule.PROOF_OR_ADJUSTMENT and has_evidence and not is_named:
        return None
    if not is_named:
        return "operator_required"
    if not has_reason:
        return "reason_required"
    if rule is ClearRule.TWO_STEP_ARMING and not has_evidence:
        return "evidence_required"
    return None


class Interlock:
    """The standing holds of one engine. Plain state; times are passed in."""

    def __init__(self) -> None:
        self._holds: dict[tuple[str, str], Hold] = {}

    @property
    def level(self) -> HoldLevel:
        """The most restrictive level of all standing holds."""
        if not self._holds:
            return HoldLevel.CLEAR
        return max([hold.level for hold in self._holds.values()])

    @property
    def holds(self) -> tuple[Hold, ...]:
        """All standing holds, most restrictive first, then by code and subject."""
        return tuple(sorted(self._holds.values(), key=lambda hold: (-hold.level, hold.code, hold.subject)))

    def has(self, code: str, subject: str = "") -> bool:
        return (code, subject) in self._holds

    def raise_hold(
        self,
        code: str,
        *,
        since_ns: int,
        source: str,
        evidence: str,
        subject: str = "",
        level: HoldLevel | None = None,
    ) -> Hold:
        """Raise a hold, or make a standing one stricter; never weaker. The first cause stays on record."""
        spec = HOLDS[code]
        wanted = spec.default_level if level is None else level
        assert wanted is not HoldLevel.CLEAR, "a hold holds something"
        assert len(self._holds) < MAX_HOLDS or (code, subject) in self._holds, "holds are bounded"
        standing = self._holds.get((code, subject))
        if standing is not None and standing.level >= wanted:
            return standing
        hold = Hold(
            code=code,
            subject=subject,
            level=wanted,
            since_ns=since_ns if standing is None else standing.since_ns,
            source=source,
            evidence=evidence,
            clear_rule=spec.clear_rule,
        )
        self._holds[(code, subject)] = hold
        return hold

    def restate(self, code: str, subject: str, evidence: str) -> None:
        """Let a standing hold say what stands now; since when, and how strict, stays."""
        hold = self._holds.get((code, subject))
        if hold is not None:
            self._holds[(code, subject)] = changed(hold, evidence=evidence)

    def clear_hold(self, code: str, clearance: Clearance, subject: str = "") -> Hold:
        """Clear a hold by its rule and return it. Raises `Refusal` where the rule is not met."""
        hold = self._holds.get((code, subject))
        if hold is None:
            raise Refusal("not_found", f"no hold {code} {subject}".rstrip())
        problem = clearing_problem(hold.clear_rule, clearance)
        if problem is not None:
            raise Refusal(problem, f"hold {code} clears by {HOLDS[code].cleared_by}")
        del self._holds[(code, subject)]
        return hold
