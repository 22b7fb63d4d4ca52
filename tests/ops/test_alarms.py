"""The alarm desk follows its table, survives restarts and never loses an alarm."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ops.alarm_states import ACTIVE, TRANSITIONS, UNSEEN, Phase, Trigger, after
from engine.ops.alarms import MAX_ALARMS, OTHERS, AlarmDesk, UnknownAlarm, alarm_id_of
from engine.store import Store, StoreFailed
from engine.store.rows import AlarmRecord
from safety.alarm_codes import ALARMS, AlarmSpec
from seams.clock import NS_PER_S, FixedClock
from venues.types import Mode


def spec(code: str, **changes: object) -> AlarmSpec:
    row = AlarmSpec(
        code=code, priority=2, title="t", consequence="c", respond_within="5 minutes", first_action="look",
        runbook="r.md#x", is_latched=False, on_delay_s=0.0, deadband_s=0.0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


SPECS = {
    "plain": spec("plain"),
    "latched": spec("latched", is_latched=True, priority=1),
    "slow": spec("slow", on_delay_s=5.0),
    "chatty": spec("chatty", deadband_s=60.0),
}
T = 1_790_000_000 * NS_PER_S


def at(seconds: float) -> int:
    return T + round(seconds * NS_PER_S)


def states(desk: AlarmDesk) -> list[str]:
    return [row.state for row in desk.rows()]


STORIES = [
    ("plain", "raise", ["UNACK"]),
    ("plain", "raise ack", ["ACKED"]),
    ("plain", "raise clear", ["RTN-UN"]),
    ("plain", "raise clear ack", []),
    ("plain", "raise ack clear", []),
    ("plain", "raise clear raise", ["UNACK"]),
    ("plain", "raise ack raise", ["ACKED"]),
    ("plain", "raise reset", ["UNACK"]),
    ("latched", "raise clear", ["LATCH"]),
    ("latched", "raise ack clear", ["LATCH"]),
    ("latched", "raise clear ack", ["LATCH"]),
    ("latched", "raise clear reset", []),
    ("latched", "raise ack clear reset", []),
    ("latched", "raise reset", ["UNACK"]),
    ("latched", "raise ack clear raise", ["UNACK"]),
]


@pytest.mark.parametrize(("code", "story", "expected"), STORIES)
def test_alarm_follows_the_table(code: str, story: str, expected: list[str]) -> None:
    desk = AlarmDesk(SPECS)
    for second, act in enumerate(story.split()):
        now = at(second)
        if act == "raise":
            desk.raise_alarm(code, "BTC", "hub", "text", now)
        elif act == "clear":
            desk.clear(code, "BTC", now)
        elif act == "ack":
            desk.ack(alarm_id_of(code, "BTC"), "ada", now)
        else:
            desk.reset(code, "ada", now)
    assert states(desk) == expected


def test_on_delay_hides_what_does_not_last() -> None:
    desk = AlarmDesk(SPECS)
    desk.raise_alarm("slow", "x", "hub", "m", at(0))
    desk.tick(at(4))
    assert states(desk) == []
    desk.clear("slow", "x", at(4.5))
    desk.raise_alarm("slow", "x", "hub", "m", at(5))
    desk.tick(at(9.9))
    assert (states(desk), desk.suppressed) == ([], 1)
    desk.tick(at(10))
    assert states(desk) == ["UNACK"]


def test_deadband_shows_but_does_not_ring_again() -> None:
    desk = AlarmDesk(SPECS)
    alarm_id = desk.raise_alarm("chatty", "x", "hub", "m", at(0))
    desk.ack(alarm_id, "ada", at(1))
    desk.clear("chatty", "x", at(2))
    desk.raise_alarm("chatty", "x", "hub", "m", at(3))
    assert (states(desk), desk.rate_10min(at(3)), desk.rows()[0].acked_by) == (["ACKED"], 1, "ada")
    desk.clear("chatty", "x", at(4))
    desk.raise_alarm("chatty", "x", "hub", "m", at(65))
    assert (states(desk), desk.rows()[0].count) == (["UNACK"], 2)


def test_first_out_marks_the_first_of_a_cascade() -> None:
    desk = AlarmDesk(SPECS)
    desk.raise_alarm("plain", "first", "hub", "m", at(0))
    desk.raise_alarm("latched", "second", "hub", "m", at(1))
    assert {row.subject: row.is_first_out for row in desk.rows()} == {"first": True, "second": False}
    assert [row.subject for row in desk.rows()] == ["second", "first"]


def test_flood_has_hysteresis() -> None:
    desk = AlarmDesk(SPECS)
    for number in range(11):
        desk.raise_alarm("plain", f"s{number}", "hub", "m", at(number * 10))
    assert desk.is_flooding and desk.rate_10min(at(100)) == 11
    desk.tick(at(660))
    assert (desk.is_flooding and desk.rate_10min(at(660)) == 5 - 1 + 0) or desk.rate_10min(at(660)) < 5
    desk.tick(at(720))
    assert not desk.is_flooding


def test_unknown_alarm_is_refused() -> None:
    with pytest.raises(UnknownAlarm):
        AlarmDesk(SPECS).ack("A-none", "ada", T)


def test_full_desk_rings_under_others() -> None:
    desk = AlarmDesk(SPECS)
    for number in range(MAX_ALARMS + 5):
        desk.raise_alarm("plain", f"s{number}", "hub", "m", T)
    rows = desk.rows()
    assert len(rows) == MAX_ALARMS + 1
    assert OTHERS in {row.subject for row in rows}


def test_restart_keeps_latches_and_asks_for_proof_of_the_rest(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "paper.db", Mode.PAPER, FixedClock())
    desk = AlarmDesk(SPECS, store)
    desk.raise_alarm("latched", "kill", "eng", "m", at(0))
    seen = desk.raise_alarm("plain", "seen", "eng", "m", at(0))
    desk.raise_alarm("plain", "unseen", "eng", "m", at(0))
    desk.ack(seen, "ada", at(1))
    again = AlarmDesk(SPECS, store)
    again.reload(at(9))
    assert {row.subject: row.state for row in again.rows()} == {"kill": "LATCH", "unseen": "RTN-UN"}
    again.raise_alarm("plain", "seen", "eng", "m", at(10))
    assert [row.state for row in again.rows() if row.subject == "seen"] == ["UNACK"]
    store.close()


def test_a_shelf_lives_over_a_restart_until_its_time_and_never_for_priority_one(tmp_path: Path) -> None:
    def desk_on(specs: dict[str, AlarmSpec], seconds: float) -> AlarmDesk:
        made = AlarmDesk(specs, store)
        made.reload(at(seconds))
        return made

    low = {"low": spec("low", priority=2)}
    store = Store.open(tmp_path / "paper.db", Mode.PAPER, FixedClock())
    first = desk_on(low, 0)
    name = first.raise_alarm("low", "s", "eng", "m", at(1))
    first.shelve(name, "ada", "maintenance", 60, at(2))
    later = desk_on(low, 600)
    (row,) = later.rows(at(600))
    assert (row.state, row.shelved_by, row.shelved_why) == ("SHELVED", "ada", "maintenance")
    rings: list[str] = []
    later.on_ring.append(lambda rung: rings.append(rung.alarm_id))
    later.raise_alarm("low", "s", "eng", "m", at(601))
    assert not rings and later.unacked == 0
    later.tick(at(3_700))
    assert rings == [name], "its time is over and the condition stands"
    assert desk_on(low, 3_800).rows(at(3_800))[0].state == "RTN-UN", "an ended shelf is forgotten"
    again = desk_on(low, 3_900)
    again.shelve(name, "ada", "again", 60, at(3_900))
    assert desk_on({"low": spec("low", priority=1)}, 3_901).rows(at(3_901))[0].state == "RTN-UN"
    store.keep_shelf(name, "{torn", at(3_902))
    assert desk_on(low, 3_903).rows(at(3_903))[0].state == "RTN-UN"
    store.close()


class BrokenKeeper:
    """Fails until told otherwise."""

    def __init__(self) -> None:
        self.is_broken, self.saved = True, 0

    def keep_shelf(self, alarm_id: str, text: str, at_ns: int) -> None:
        raise StoreFailed("refused")

    def shelves(self) -> dict[str, str]:
        return {}

    def save_alarm(self, alarm: AlarmRecord) -> None:
        if self.is_broken:
            raise StoreFailed("full")
        self.saved += 1

    def alarms(self) -> list[AlarmRecord]:
        return []


def test_alarm_rings_although_the_database_refuses() -> None:
    keeper = BrokenKeeper()
    desk = AlarmDesk(SPECS, keeper)
    desk.raise_alarm("latched", "db", "eng", "m", at(0))
    assert states(desk) == ["UNACK"] and keeper.saved == 0
    keeper.is_broken = False
    desk.tick(at(1))
    assert keeper.saved == 1


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["raise", "clear", "ack", "reset", "tick"]),
        st.sampled_from(sorted(SPECS)),
        st.floats(0, 100),
    ),
    max_size=60,
)


@given(ACTS)
def test_whatever_happens_nothing_unseen_disappears(acts: list[tuple[str, str, float]]) -> None:
    desk, now = AlarmDesk(SPECS), T
    for act, code, wait_s in acts:
        now += round(wait_s * NS_PER_S)
        before = {row.code: row.state for row in desk.rows()}
        if act == "raise":
            desk.raise_alarm(code, "x", "hub", "m", now)
        elif act == "clear":
            desk.clear(code, "x", now)
        elif act == "reset":
            desk.reset(code, "ada", now)
        elif act == "ack" and code in before:
            desk.ack(alarm_id_of(code, "x"), "ada", now)
        else:
            desk.tick(now)
        after_act = {row.code: row.state for row in desk.rows()}
        for known, state in before.items():
            if state in ("UNACK", "RTN-UN") and known not in after_act:
                assert act == "ack", (act, known, state)
            if state == "LATCH" and known not in after_act:
                assert act == "reset"
        assert all(row.count >= 1 for row in desk.rows())


def test_table_keeps_its_promises() -> None:
    for (phase, trigger), result in TRANSITIONS.items():
        assert phase is not result
        assert not (trigger is Trigger.ACK and result in UNSEEN)
        assert not (trigger in (Trigger.CLEAR, Trigger.CLEAR_LATCHED) and result in ACTIVE)
        assert not (phase in ACTIVE and trigger is Trigger.RESET)
    for phase in Phase:
        assert after(phase, Trigger.RING) in ACTIVE


def test_every_alarm_of_the_table_is_rung_by_some_part() -> None:
    """A row that nothing rings promises what nobody keeps."""
    root = Path(__file__).resolve().parents[2]
    paths = sorted((root / "engine").rglob("*.py"))
    said = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    assert [code for code in ALARMS if f'"{code}"' not in said] == []
