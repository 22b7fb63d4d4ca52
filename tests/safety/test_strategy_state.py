"""The strategy's states: the whole table, what is illegal, and that any facts settle (QX-41)."""

from __future__ import annotations

from itertools import product

import pytest

from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from safety.strategy_state import (
    TRANSITIONS,
    Observation,
    StrategyFacts,
    StrategyState,
    after,
    level_of,
    observed,
    walk,
)

S, O = StrategyState, Observation
EXPECTED = """
VOID     warm        VIGIL
VOID     doubted     RECOVERY
VOID     halted      HALT
VIGIL    holding     ENGAGED
VIGIL    restricted  HEDGE
VIGIL    doubted     RECOVERY
VIGIL    halted      HALT
ENGAGED  flat        VIGIL
ENGAGED  restricted  HEDGE
ENGAGED  doubted     RECOVERY
ENGAGED  halted      HALT
HEDGE    released    VIGIL
HEDGE    doubted     RECOVERY
HEDGE    halted      HALT
HALT     resumed     RECOVERY
RECOVERY proved      VOID
RECOVERY halted      HALT
"""
ROWS = [tuple(line.split()) for line in EXPECTED.strip().splitlines()]
FACTS = [
    StrategyFacts(is_warm=warm, is_holding=holding, is_proved=proved, hold_level=hold, kill_level=kill)
    for warm, holding, proved, hold, kill in product(
        (False, True), (False, True), (False, True), (None, *HoldLevel), (None, *KillLevel)
    )
]


def facts(**changes: object) -> StrategyFacts:
    given: dict[str, object] = {
        "is_warm": True, "is_holding": False, "is_proved": True, "hold_level": HoldLevel.CLEAR,
        "kill_level": KillLevel.CLEAR, **changes,
    }  # fmt: skip
    return StrategyFacts(**given)  # type: ignore[arg-type]


def test_the_table_is_the_one_that_was_specified() -> None:
    assert {(s.name, o.value, n.name) for (s, o), n in TRANSITIONS.items()} == set(ROWS)
    assert [state.value for state in S] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("state", "observation"), [pair for pair in product(S, O) if pair not in TRANSITIONS]
)
def test_what_is_not_in_the_table_is_refused(state: StrategyState, observation: Observation) -> None:
    with pytest.raises(Refusal) as error:
        after(state, observation)
    assert error.value.code == "illegal_transition"


def test_a_halt_is_left_by_recovery_alone_and_recovery_never_to_a_position() -> None:
    assert {n for (s, _), n in TRANSITIONS.items() if s is S.HALT} == {S.RECOVERY}
    assert {n for (s, _), n in TRANSITIONS.items() if s is S.RECOVERY} == {S.VOID, S.HALT}


@pytest.mark.parametrize("state", S)
def test_every_fact_settles_and_what_settled_stays(state: StrategyState) -> None:
    for each in FACTS:
        settled = walk(state, each)
        assert observed(settled, each) is None and walk(settled, each) is settled
        level = level_of(each.hold_level, each.kill_level)
        if settled in (S.VIGIL, S.ENGAGED):
            assert level is HoldLevel.CLEAR and each.is_proved and each.is_holding is (settled is S.ENGAGED)
        if level is HoldLevel.HALT:
            assert settled is S.HALT
        if settled is S.HEDGE:
            assert level is HoldLevel.CLOSE_ONLY


@pytest.mark.parametrize(
    ("state", "changes", "wanted"),
    [
        (S.VOID, {"is_warm": False}, S.VOID),
        (S.VOID, {}, S.VIGIL),
        (S.VIGIL, {"is_holding": True}, S.ENGAGED),
        (S.ENGAGED, {"is_holding": True, "hold_level": HoldLevel.CLOSE_ONLY}, S.HEDGE),
        (S.ENGAGED, {"is_holding": True, "kill_level": KillLevel.CLOSE_ONLY}, S.HEDGE),
        (S.HEDGE, {"is_holding": True}, S.ENGAGED),
        (S.ENGAGED, {"kill_level": KillLevel.HALT_ALL}, S.HALT),
        (S.HALT, {"is_proved": False}, S.RECOVERY),
        (S.HALT, {"is_holding": True}, S.ENGAGED),
        (S.HALT, {"is_warm": False}, S.VOID),
        (S.VIGIL, {"hold_level": HoldLevel.HYDRATING}, S.RECOVERY),
        (S.VIGIL, {"is_proved": False}, S.RECOVERY),
        (S.RECOVERY, {"hold_level": HoldLevel.CLOSE_ONLY}, S.HEDGE),
        (S.VIGIL, {"hold_level": None}, S.HALT),
        (S.VIGIL, {"kill_level": None}, S.HALT),
    ],
)
def test_facts_lead_where_they_must(
    state: StrategyState, changes: dict[str, object], wanted: StrategyState
) -> None:
    assert walk(state, facts(**changes)) is wanted
