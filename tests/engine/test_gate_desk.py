"""The promotion gates of a running engine: what people say is on the chain, and counts for what it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.api.demo import write_demo_bars
from engine.api.gates import ChecklistTick, ChecklistUntick, ClosedOut, ExitResult, SessionCloseOut, Ticked
from engine.api.home import HomePaths
from engine.api.research import run_request, start_run
from engine.api.views import OverviewView, PromotionRow
from engine.gate_book import records_in
from engine.record import verify_audit
from safety.canonical import changed
from safety.gates import CHECKLIST, MAX_AGE_NS
from safety.principals import OperatorKey, enrol
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.engine.supervised import Supervised

STRATEGY, ITEM = "ema_cross", "risk_limits"
PARAMS: dict[str, float | str] = {"fast": 3.0, "slow": 8.0}


class Desk(Supervised):
    """A desk whose strategy has been run, and has traded one paper session to its end."""

    def __init__(self, home: Path, data: str, **environ: str) -> None:
        super().__init__(home, **environ)
        self.data = data

    def row(self) -> PromotionRow:
        """Return the strategy's promotion as consoles are shown it now."""
        for _ in range(5):
            self.engine.publisher.rebuild(self.engine.questions)
        view = self.engine.publisher.latest["overview"]
        assert isinstance(view, OverviewView)
        return next(row for row in view.promotion if row.strategy == STRATEGY)

    async def trade(self) -> str:
        """Trade one short session to its end, and return its id."""
        start = c.PaperStart(
            strategies=(STRATEGY,), feed=f"replay:{self.data}", params=PARAMS, speed=0.0, max_bars=50
        )
        entry = self.engine.desk.start_paper(start, "ada", "R-session")
        assert entry.task is not None
        while not entry.task.done():
            await self.engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        await self.engine.desk.tend()
        return entry.session.plan.session_id

    def tick(self, item: str = ITEM, **words: str) -> ChecklistTick:
        made = {"strategy": STRATEGY, "item": item, "candidate": self.row().candidate, **words}
        return ChecklistTick(**made)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    data = write_demo_bars(tmp_path, seed=1)
    asked = {"strategy": STRATEGY, "data": data, "params": PARAMS, "max_bars": 400}
    start_run(run_request(asked), tmp_path, clock=FixedClock())
    made = Desk(tmp_path, data)
    yield made
    await made.close()


def problems(row: PromotionRow) -> set[str]:
    return {each for each in row.blockers if each.startswith(("checklist_", "close_out_"))}


async def test_each_item_blocks_by_its_name_until_a_named_person_has_ticked_it(desk: Desk) -> None:
    assert problems(desk.row()) == {f"checklist_unticked:{item}" for item in CHECKLIST}
    reply = await desk.ask(desk.tick(), "mara", reason="read every cap")
    made = msgspec.json.decode(reply.result, type=Ticked)
    row = desk.row()
    assert problems(row) == {f"checklist_unticked:{item}" for item in CHECKLIST if item != ITEM}
    (ticked,) = [each for each in row.checklist if not each.problem]
    assert (ticked.item, ticked.operator, ticked.note) == (ITEM, "mara", "read every cap")
    assert abs(ticked.at_ns - desk.clock.now_ns()) < 60 * 10**9 and ticked.audit_seq == made.audit_seq
    for item in CHECKLIST:
        assert await desk.code(desk.tick(item), "mara", reason="looked") == "ok"
    assert problems(desk.row()) == set()


async def test_a_tick_wants_a_reason_an_item_and_the_candidate_that_is_shown(desk: Desk) -> None:
    tick = desk.tick()
    assert await desk.code(tick) == "reason_required"
    assert await desk.code(desk.tick(item="looks_good"), reason="x") == "not_found"
    assert await desk.code(desk.tick(strategy="none"), reason="x") == "not_found"
    for wrong in ("", tick.candidate[:7], "0" * 64):
        assert await desk.code(desk.tick(candidate=wrong), reason="x") == "candidate_changed"
    assert problems(desk.row()) == {f"checklist_unticked:{item}" for item in CHECKLIST}
    assert await desk.code(desk.tick(candidate=tick.candidate[:8].upper()), reason="x") == "ok"


async def test_the_exit_condition_blocks_what_is_at_the_micro_stage_and_nothing_before_it(desk: Desk) -> None:
    leaving = (
        ExitResult(name="operator_review", ok=False, said="no note"),
        ExitResult(name="alert_artifacts", ok=True, said="current"),
    )
    row, runs = desk.row(), desk.engine.questions.runs_view(1)
    for stage, blocks in (("paper", set()), ("micro", {"exit_condition:operator_review"})):
        (judged,) = desk.engine.publisher.gates.judged((changed(row, stage=stage),), runs, leaving)
        assert {each for each in judged.blockers if each.startswith("exit_condition:")} == blocks


async def test_a_tick_taken_back_blocks_again_and_both_stand_in_the_log(desk: Desk) -> None:
    await desk.ask(desk.tick(), reason="read")
    assert await desk.code(ChecklistUntick(strategy=STRATEGY, item=ITEM)) == "reason_required"
    assert await desk.code(ChecklistUntick(strategy=STRATEGY, item=ITEM), "bob", reason="it changed") == "ok"
    assert f"checklist_unticked:{ITEM}" in desk.row().blockers
    kinds = [record.kind for record in records_in(desk.core.disk, desk.core.paths.audit)]
    assert kinds == ["checklist_tick", "checklist_untick"]


async def test_a_tick_of_other_settings_another_run_or_last_month_does_not_count(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.ask(desk.tick(), reason="read")
    before = desk.core.config_fingerprint
    desk.core.config_fingerprint = "f" * 64
    assert f"checklist_other_candidate:{ITEM}" in desk.row().blockers
    desk.core.config_fingerprint = before
    assert f"checklist_other_candidate:{ITEM}" not in desk.row().blockers
    desk.clock.step_ns += MAX_AGE_NS + 10**9
    assert f"checklist_stale:{ITEM}" in desk.row().blockers
    asked = {"strategy": STRATEGY, "data": desk.data, "params": {"fast": 4.0, "slow": 8.0}, "max_bars": 400}
    start_run(run_request(asked), tmp_path, clock=desk.clock)
    assert f"checklist_other_candidate:{ITEM}" in desk.row().blockers


async def test_ticks_and_notes_are_read_back_from_the_chain_by_the_next_engine(
    desk: Desk, tmp_path: Path
) -> None:
    session_id = await desk.trade()
    assert f"close_out_missing:{session_id}" in desk.row().blockers
    await desk.ask(desk.tick(), "mara", reason="read")
    assert await desk.code(SessionCloseOut(session_id=session_id, text="calm"), "bob") == "ok"
    before = desk.row()
    assert problems(before) == {f"checklist_unticked:{item}" for item in CHECKLIST if item != ITEM}
    await desk.close()
    again = Desk(tmp_path, desk.data)
    try:
        row = again.row()
        assert (row.checklist, row.notes) == (before.checklist, before.notes)
        assert [(note.session_id, note.operator, note.note) for note in row.notes] == [
            (session_id, "bob", "calm")
        ]
    finally:
        await again.close()


async def test_a_note_is_of_a_session_that_is_over_and_of_what_it_left(desk: Desk, tmp_path: Path) -> None:
    assert await desk.code(SessionCloseOut(session_id="PS-none", text="x")) == "session_not_over"
    session_id = await desk.trade()
    desk.row()
    assert await desk.code(SessionCloseOut(session_id=session_id, text=" ")) == "reason_required"
    reply = await desk.ask(SessionCloseOut(session_id=session_id, text="calm"), "bob")
    assert len(msgspec.json.decode(reply.result, type=ClosedOut).evidence) == 64
    assert problems(desk.row()) & {f"close_out_missing:{session_id}"} == set()
    await desk.close()
    status = HomePaths(tmp_path).sessions / session_id / "session_status.json"
    kept = status.read_bytes()
    found = msgspec.json.decode(kept)
    status.write_bytes(msgspec.json.encode({**found, "orders": found["orders"] + 1}))
    again = Desk(tmp_path, desk.data)
    try:
        assert f"close_out_other_evidence:{session_id}" in again.row().blockers
    finally:
        await again.close()


@pytest.mark.parametrize("how", ["edited", "removed", "slipped in"])
async def test_a_tick_that_was_touched_on_the_disk_is_found_and_no_engine_starts_on_it(
    desk: Desk, tmp_path: Path, how: str
) -> None:
    await desk.ask(desk.tick(), "mara", reason="read")
    await desk.close()
    core = desk.core
    assert verify_audit(RealDisk(), core.paths, core.settings.record).ok
    lines = core.paths.audit.read_bytes().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if b'"kind":"checklist_tick"' in line)
    touched = {
        "edited": [*lines[:place], lines[place].replace(b"mara", b"bobb"), *lines[place + 1 :]],
        "removed": [*lines[:place], *lines[place + 1 :]],
        "slipped in": [
            *lines[:place],
            lines[place].replace(ITEM.encode(), b"venue_key"),
            *lines[place:],
        ],
    }[how]
    core.paths.audit.write_bytes(b"".join(touched))
    assert not verify_audit(RealDisk(), core.paths, core.settings.record).ok
    with pytest.raises(Exception, match="audit log broken"):
        Desk(tmp_path, desk.data)


async def test_a_tick_that_was_put_behind_the_end_of_the_log_counts_for_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.ask(desk.tick(), "mara", reason="read")
    await desk.close()
    line = next(
        line
        for line in desk.core.paths.audit.read_bytes().splitlines(keepends=True)
        if b"checklist_tick" in line
    )
    with desk.core.paths.audit.open("ab") as log:
        log.write(line.replace(ITEM.encode(), b"venue_key"))
    assert not verify_audit(RealDisk(), desk.core.paths, desk.core.settings.record).ok
    again = Desk(tmp_path, desk.data)  # as a line that a crash left: moved aside, and on the record
    try:
        assert "checklist_unticked:venue_key" in again.row().blockers
        assert b"audit.torn_tail" in again.core.paths.audit.read_bytes()
    finally:
        await again.close()


async def test_where_two_persons_are_needed_a_name_without_a_key_ticks_nothing(tmp_path: Path) -> None:
    data = write_demo_bars(tmp_path, seed=1)
    asked = {"strategy": STRATEGY, "data": data, "params": PARAMS, "max_bars": 400}
    start_run(run_request(asked), tmp_path, clock=FixedClock())
    desk = Desk(tmp_path, data, SUPERVISION__NEEDS_TWO_PERSONS="true")
    try:
        assert await desk.code(desk.tick(), "mara", reason="read") == "principal_required"
        key = OperatorKey(b"m" * 32)
        enrol(RealDisk(), desk.core.paths.operators, "mara", key.public_key, 1)
        assert await desk.code(desk.tick(), "mara", reason="read", key=key) == "ok"
        (record,) = records_in(desk.core.disk, desk.core.paths.audit)
        assert record.body["principal"]
    finally:
        await desk.close()
