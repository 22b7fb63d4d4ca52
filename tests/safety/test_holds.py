"""The interlock: the most restrictive hold decides, and each hold clears by its own rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.interlock import (
    GOOD_SAMPLES_NEEDED,
    HOLDS,
    PERMITS,
    Action,
    Clearance,
    ClearRule,
    HoldLevel,
    Interlock,
    clearing_problem,
    permits,
)
from safety.reasons import REASONS, Refusal

TABLE = {
    Action.ADD_RISK: (True, False, False, False),
    Action.REDUCE: (True, True, False, False),
    Action.CANCEL: (True, True, True, True),
    Action.FLATTEN: (True, True, True, True),
}
"""Action -> allowed under clear, close_only, hydrating, halt."""


@pytest.mark.parametrize("action", list(Action))
def test_the_table_of_permits_is_the_products(action: Action) -> None:
    assert tuple(permits(action, level) for level in HoldLevel) == TABLE[action]
    assert set(PERMITS) == set(Action)


def test_an_unknown_level_permits_only_cancel_and_flatten() -> None:
    assert [action for action in Action if permits(action, None)] == [Action.CANCEL, Action.FLATTEN]


def test_every_hold_of_the_product_is_in_the_table() -> None:
    assert set(HOLDS) == {
        "seal", "hydration", "kill", "limits", "ambiguity", "stale_data", "clock_drift",
        "replay_gate", "order_storm", "incident", "arming", "watchdog", "entries_off", "key_dead",
        "venue_closed",
    }  # fmt: skip
    assert all(spec.default_level is not HoldLevel.CLEAR for spec in HOLDS.values())


CODES = st.sampled_from(sorted(HOLDS))
LEVELS = st.sampled_from([level for level in HoldLevel if level is not HoldLevel.CLEAR])


@given(st.lists(st.tuples(CODES, LEVELS, st.sampled_from(["", "BTC"])), max_size=12))
def test_one_more_hold_never_permits_more(raised: list[tuple[str, HoldLevel, str]]) -> None:
    lock = Interlock()
    for code, level, subject in raised:
        before = {action for action in Action if permits(action, lock.level)}
        lock.raise_hold(code, since_ns=1, source="test", evidence="e", subject=subject, level=level)
        assert {action for action in Action if permits(action, lock.level)} <= before
        assert lock.level >= level
    assert lock.level is max((hold.level for hold in lock.holds), default=HoldLevel.CLEAR)


def test_a_standing_hold_gets_stricter_and_keeps_its_first_time() -> None:
    lock = Interlock()
    lock.raise_hold("limits", since_ns=1, source="a", evidence="first")
    weaker = lock.raise_hold("limits", since_ns=2, source="b", evidence="again")
    assert (weaker.since_ns, weaker.evidence) == (1, "first")
    harder = lock.raise_hold("limits", since_ns=3, source="c", evidence="worse", level=HoldLevel.HALT)
    assert (harder.since_ns, harder.level, lock.level) == (1, HoldLevel.HALT, HoldLevel.HALT)


EVERYTHING = Clearance(operator="alice", reason="why", evidence="proof", good_samples=GOOD_SAMPLES_NEEDED)


@pytest.mark.parametrize("code", sorted(HOLDS))
def test_nothing_clears_for_nothing_and_its_rule_clears_it(code: str) -> None:
    lock = Interlock()
    lock.raise_hold(code, since_ns=1, source="test", evidence="e")
    with pytest.raises(Refusal) as refused:
        lock.clear_hold(code, Clearance())
    assert refused.value.code in REASONS and lock.has(code)
    lock.clear_hold(code, EVERYTHING)
    assert lock.level is HoldLevel.CLEAR


NAMED = Clearance(operator="alice", reason="why")
PROOF = Clearance(evidence="venue says so")
SAMPLES = Clearance(good_samples=GOOD_SAMPLES_NEEDED)


@pytest.mark.parametrize(
    ("rule", "brought", "is_enough"),
    [
        (ClearRule.MATCHING_SEAL, NAMED, False),
        (ClearRule.MATCHING_SEAL, PROOF, True),
        (ClearRule.SYNC, NAMED, False),
        (ClearRule.NAMED_OPERATOR, NAMED, True),
        (ClearRule.NAMED_OPERATOR, PROOF, False),
        (ClearRule.NAMED_OPERATOR, Clearance(operator="alice"), False),
        (ClearRule.PROOF_OR_ADJUSTMENT, PROOF, True),
        (ClearRule.PROOF_OR_ADJUSTMENT, NAMED, True),
        (ClearRule.PROOF_OR_ADJUSTMENT, SAMPLES, False),
        (ClearRule.GOOD_SAMPLES, NAMED, False),
        (ClearRule.GOOD_SAMPLES, SAMPLES, True),
        (ClearRule.FRESH_EVIDENCE, NAMED, False),
        (ClearRule.INCIDENT_NOTE, PROOF, False),
        (ClearRule.TWO_STEP_ARMING, NAMED, False),
    ],
)
def test_each_rule_wants_its_own_thing(rule: ClearRule, brought: Clearance, is_enough: bool) -> None:
    assert (clearing_problem(rule, brought) is None) is is_enough


def test_holds_of_one_kind_stand_and_clear_apart() -> None:
    lock = Interlock()
    for order in ("O-1", "O-2"):
        lock.raise_hold("ambiguity", since_ns=1, source="orders", evidence="no answer", subject=order)
    lock.clear_hold("ambiguity", PROOF, "O-1")
    assert lock.has("ambiguity", "O-2") and not permits(Action.ADD_RISK, lock.level)
    with pytest.raises(Refusal, match="not_found"):
        lock.clear_hold("ambiguity", PROOF, "O-1")
