"""The order machine row by row: what no evidence may do, and what late truth always does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trading.machine import TABLE, Evidence, after
from venues.types import TERMINAL, OrderStatus

FILLS = (Evidence.PART_FILL, Evidence.FULL_FILL, Evidence.OVERFILL)
VENUE_PROOFS = (Evidence.REFUSED, Evidence.FENCED, Evidence.CANCELLED, Evidence.OPERATOR_ENDED, *FILLS)
S, E = OrderStatus, Evidence


def test_every_status_answers_every_evidence() -> None:
    assert set(TABLE) == {(status, evidence) for status in OrderStatus for evidence in Evidence}


@pytest.mark.parametrize("evidence", [e for e in Evidence if e not in VENUE_PROOFS])
def test_unknown_never_becomes_terminal_without_a_proof(evidence: Evidence) -> None:
    assert after(S.UNKNOWN, evidence).status not in TERMINAL


def test_no_answer_is_never_an_end_and_a_second_send_that_did_not_leave_proves_nothing() -> None:
    for status in OrderStatus:
        if status not in TERMINAL:
            assert after(status, E.NO_ANSWER).status not in TERMINAL
    assert after(S.UNKNOWN, E.UNSENT).status is S.UNKNOWN
    assert after(S.SUBMITTING, E.UNSENT).status is S.REJECTED


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("evidence", list(Evidence))
def test_a_terminal_status_is_left_or_moved_only_with_an_alarm(
    status: OrderStatus, evidence: Evidence
) -> None:
    move = after(status, evidence)
    assert move.status is status or move.alarm
    if evidence in FILLS:
        assert move.alarm, "a fill after the end is true, and is said aloud"


def test_an_accepted_order_that_is_then_refused_is_unknown_not_dead() -> None:
    for evidence in (E.REFUSED, E.FENCED):
        for status in (S.OPEN, S.PARTIAL):
            assert after(status, evidence) == (S.UNKNOWN, "venue_contradiction")


def test_an_order_that_ended_and_works_is_not_proved_any_more() -> None:
    for status in (S.CANCELLED, S.FILLED):
        assert after(status, E.ALIVE) == (S.UNKNOWN, "venue_contradiction")
    assert after(S.REJECTED, E.ALIVE) == (S.OPEN, "late_truth")


@given(st.lists(st.sampled_from([e for e in Evidence if e not in VENUE_PROOFS]), max_size=30))
def test_without_a_proof_no_history_ends_an_order_that_may_have_left(history: list[Evidence]) -> None:
    status = after(S.SUBMITTING, E.NO_ANSWER).status
    for evidence in history:
        status = after(status, evidence).status
        assert status not in TERMINAL


@given(st.lists(st.sampled_from(list(Evidence)), max_size=30))
def test_a_whole_fill_ends_as_filled_whatever_came_before(history: list[Evidence]) -> None:
    status = S.SUBMITTING
    for evidence in history:
        status = after(status, evidence).status
    assert after(status, E.FULL_FILL).status is S.FILLED
