"""Shelves expire, chattering is withheld, floods are grouped, and priority 1 is never withheld."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ops.alarm_burden import CHATTER_RINGS, MAX_SHELF_MINUTES
from engine.ops.alarms import SHELVED, AlarmDesk, UnknownAlarm, alarm_id_of
from safety.reasons import Refusal
from tests.ops.test_alarms import SPECS, at, spec


def desk() -> AlarmDesk:
    return AlarmDesk({**SPECS, "urgent": spec("urgent", priority=1), "low": spec("low", priority=3)})


def ring(alarms: AlarmDesk, code: str, subject: str, second: float) -> str:
    return alarms.raise_alarm(code, subject, "hub", "m", at(second))


def rung(alarms: AlarmDesk) -> list[str]:
    heard: list[str] = []
    alarms.on_ring.append(lambda row: heard.append(f"{row.code} {row.subject}"))
    return heard


def test_a_shelved_alarm_is_shown_does_not_ring_and_comes_back_by_itself() -> None:
    alarms = desk()
    heard = rung(alarms)
    name = ring(alarms, "plain", "x", 0)
    row = alarms.shelve(name, "ada", "maintenance", 10, at(1))
    assert (row.state, row.shelved_by, row.shelved_why) == (SHELVED, "ada", "maintenance")
    assert alarms.unacked == 0 and len(heard) == 1
    alarms.clear("plain", "x", at(2))
    ring(alarms, "plain", "x", 90)
    assert len(heard) == 1 and alarms.rows()[0].state == SHELVED
    alarms.tick(at(600))
    assert alarms.rows()[0].state == SHELVED
    alarms.tick(at(601))
    assert alarms.rows()[0].state == "UNACK" and len(heard) == 2, "what still stands must be seen again"


def test_a_shelf_whose_condition_went_away_ends_in_silence() -> None:
    alarms = desk()
    heard = rung(alarms)
    name = ring(alarms, "plain", "x", 0)
    alarms.ack(name, "ada", at(1))
    alarms.shelve(name, "ada", "known", 1, at(1))
    alarms.clear("plain", "x", at(2))
    alarms.tick(at(100))
    assert not alarms.rows() and len(heard) == 1


@pytest.mark.parametrize(
    ("code", "reason", "minutes", "refused"),
    [
        ("urgent", "why", 10, "alarm_not_shelvable"),
        ("plain", " ", 10, "reason_required"),
        ("plain", "why", MAX_SHELF_MINUTES + 1, "shelf_too_long"),
        ("plain", "why", 0, "shelf_too_long"),
        ("plain", "why", float("nan"), "shelf_too_long"),
    ],
)
def test_what_may_not_be_shelved_is_refused(code: str, reason: str, minutes: float, refused: str) -> None:
    alarms = desk()
    name = ring(alarms, code, "x", 0)
    with pytest.raises(Refusal) as caught:
        alarms.shelve(name, "ada", reason, minutes, at(1))
    assert caught.value.code == refused and alarms.rows()[0].state == "UNACK"
    with pytest.raises(UnknownAlarm):
        alarms.unshelve("A-none", at(1))


def test_unshelving_rings_what_stands() -> None:
    alarms = desk()
    name = ring(alarms, "plain", "x", 0)
    alarms.shelve(name, "ada", "why", 10, at(1))
    assert alarms.unshelve(name, at(2)).state == "UNACK"


def chatter(alarms: AlarmDesk, code: str, times: int) -> None:
    for number in range(times):
        ring(alarms, code, "x", number * 4)
        alarms.clear(code, "x", at(number * 4 + 2))


def test_a_chattering_alarm_stops_ringing_and_still_stands() -> None:
    alarms = desk()
    heard = rung(alarms)
    chatter(alarms, "plain", 12)
    assert len(heard) == CHATTER_RINGS and alarms.suppressed == 12 - CHATTER_RINGS
    assert alarms.view(1, at(50)).rows[0].is_chattering
    ring(alarms, "plain", "x", 120)
    assert len(heard) == CHATTER_RINGS + 1, "a minute later it rings again"


def test_priority_1_rings_every_time() -> None:
    alarms = desk()
    heard = rung(alarms)
    chatter(alarms, "urgent", 12)
    assert len(heard) == 12


def test_a_flood_is_grouped_by_code_with_what_began_it() -> None:
    alarms = desk()
    for number in range(9):
        ring(alarms, "plain", f"s{number}", number)
    assert not alarms.view(1, at(9)).groups
    for number in range(3):
        ring(alarms, "low", f"s{number}", 10 + number)
    view = alarms.view(1, at(20))
    assert view.is_flood and view.rate_10min == 12
    assert [(group.code, group.count, group.first_subject) for group in view.groups] == [
        ("plain", 9, "s0"),
        ("low", 3, "s0"),
    ]


@given(st.lists(st.tuples(st.sampled_from(["raise", "clear", "shelve", "ack", "tick"]), st.integers(0, 400))))
def test_whatever_happens_an_alarm_of_priority_1_that_stands_is_shown_and_rings(
    acts: list[tuple[str, int]],
) -> None:
    alarms, second = desk(), 0
    heard = rung(alarms)
    is_standing = False
    for act, wait in acts:
        second += wait
        name = alarm_id_of("urgent", "x")
        if act == "raise":
            before = len(heard)
            ring(alarms, "urgent", "x", second)
            assert len(heard) == before + (not is_standing)
            is_standing = True
        elif act == "clear":
            alarms.clear("urgent", "x", at(second))
            is_standing = False
        elif act == "tick":
            alarms.tick(at(second))
        else:
            with pytest.raises((Refusal, UnknownAlarm)):
                alarms.shelve(name, "ada", "why", 5, at(second))
        states = {row.code: row.state for row in alarms.rows()}
        assert not is_standing or states["urgent"] in ("UNACK", "ACKED")
