"""The record of what consoles were shown: what is put in comes out, bounded; a torn end costs itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.api.past import KEY_EVERY, Frame, NotRecorded, Packer, PastRecord, Segment, file_name
from engine.api.views import EventRow, EventsView, OrdersView, View
from engine.core import Core
from engine.ops import past as past_room
from engine.ops.past import PastRecorder
from seams.clock import NS_PER_S, FixedClock
from seams.rng import Rng
from tests.ops.cores import make_core

START = 1_795_230_847 * NS_PER_S
ROUNDS = 3 * KEY_EVERY


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = make_core(tmp_path / "home")
    made.clock = FixedClock(START)
    yield made
    made.store.close()


def events(seq: int) -> EventsView:
    row = EventRow(seq=seq, at_ns=seq, kind="note", actor="eng", text=f"event {seq} " + "x" * 200)
    return EventsView(seq=seq, at_ns=START + seq, rows=(row,))


def body(view: View) -> bytes:
    return msgspec.json.encode(view)


def clock_of(core: Core) -> FixedClock:
    assert isinstance(core.clock, FixedClock)
    return core.clock


async def recorded(core: Core, rounds: int = ROUNDS, max_mib: int = 64) -> PastRecorder:
    """Publish a view a second, and one that never changes at the beginning."""
    recorder = PastRecorder(core, core.paths.past, max_mib)
    recorder.shown("orders", body(OrdersView(seq=1, at_ns=START, rows=())))
    for seq in range(rounds):
        recorder.shown("events", body(events(seq)))
        if seq % 5 == 0:
            await recorder.flush()
        clock_of(core).advance(1.0)
    await recorder.close()
    return recorder


async def test_every_instant_comes_back_as_it_was(core: Core) -> None:
    await recorded(core)
    record = PastRecord(core.paths.home)
    for second in (0, 1, KEY_EVERY - 1, KEY_EVERY, KEY_EVERY + 1, ROUNDS - 1, ROUNDS + 1_000):
        moment = record.at(START + second * NS_PER_S)
        seq = min(second, ROUNDS - 1)
        assert moment.views == (events(seq), OrdersView(seq=1, at_ns=START, rows=()))
        assert moment.heard_ns == START + seq * NS_PER_S
    with pytest.raises(NotRecorded, match="it begins at"):
        record.at(START - 1)


async def test_steps_go_from_change_to_change_over_the_files(core: Core) -> None:
    await recorded(core, rounds=1_300)  # three files of ten minutes
    record = PastRecord(core.paths.home)
    assert len(record.files()) == 3
    edge = START + 700 * NS_PER_S
    assert record.after(edge) == edge + NS_PER_S and record.before(edge) == edge - NS_PER_S
    for name in record.files()[1:]:
        begin = int(name[:20])
        assert record.before(begin) == begin - NS_PER_S
        assert record.after(begin - NS_PER_S) == begin
        assert len(record.at(begin).views) == 2, "each file begins with the latest of every view"
    assert record.before(START) is None and record.after(START + 1_299 * NS_PER_S) is None


async def test_a_torn_end_and_a_flipped_byte_cost_only_what_follows(core: Core) -> None:
    await recorded(core)
    (name,) = PastRecord(core.paths.home).files()
    path = core.paths.past / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    torn = PastRecord(core.paths.home)
    assert not torn.spans()[0].is_whole
    assert torn.at(START + 3 * NS_PER_S).views[0] == events(3)
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    flipped = PastRecord(core.paths.home)
    assert not flipped.spans()[0].is_whole and flipped.at(START).views[0] == events(0)


async def test_the_oldest_files_make_room(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_room, "MAX_FILE_BYTES", 2_000)
    monkeypatch.setattr(past_room, "MIB", 10_000)
    await recorded(core, rounds=400, max_mib=1)
    files = PastRecord(core.paths.home).files()
    assert sum((core.paths.past / name).stat().st_size for name in files) <= 10_000 + 2_000
    assert int(files[0][:20]) > START, "the first of them is gone"


async def test_a_disk_that_refuses_is_an_alarm_and_the_next_file_is_complete(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = await recorded(core, rounds=3)

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(past_room, "append_lazily", refuse)
        recorder.shown("orders", body(OrdersView(seq=9, at_ns=START + 9, rows=())))
        await recorder.flush()
    assert [row.code for row in core.alarms.rows()] == ["past_not_recorded"] and recorder.lost == 1
    clock_of(core).advance(1.0)
    recorder.shown("events", body(events(7)))
    await recorder.flush()
    moment = PastRecord(core.paths.home).at(clock_of(core).now_ns())
    assert moment.views == (events(7), OrdersView(seq=9, at_ns=START + 9, rows=()))
    assert [row.state for row in core.alarms.rows()] == ["RTN-UN"]


async def test_what_nobody_writes_away_stays_bounded(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_room, "MAX_WAITING_BYTES", 2_000)
    recorder = PastRecorder(core, core.paths.past, 64)
    for seq in range(100):
        recorder.shown("events", body(events(seq)))
        assert sum(len(frame.body) for frame in recorder._waiting) <= 2_000
    assert recorder.lost and core.alarms.rows()[0].code == "past_not_recorded"
    await recorder.flush()
    assert PastRecord(core.paths.home).at(START).views[0] == events(99)


async def test_nothing_is_kept_where_nothing_may_be(core: Core) -> None:
    recorder = PastRecorder(core, core.paths.past, 0)
    recorder.shown("events", body(events(1)))
    recorder.tend()
    await recorder.close()
    assert not core.paths.past.exists()


async def test_a_write_never_holds_up_the_loop(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = PastRecorder(core, core.paths.past, 64)
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(path: Path, data: bytes) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    monkeypatch.setattr(past_room, "append_lazily", slow)
    recorder.shown("events", body(events(1)))
    clock_of(core).advance(5.0)
    recorder.tend()
    for seq in range(2, 50):  # the loop turns while the disk hangs
        recorder.shown("events", body(events(seq)))
        recorder.tend()
        await asyncio.sleep(0)
    assert recorder._task is not None and not recorder._task.done()
    gate.set()
    await recorder.close()


def test_a_view_larger_than_any_window_comes_back_and_stays_small() -> None:
    rng = Rng(2).stream("past")
    rows = [f'{{"id":{n},"mark":{rng.random()},"why":"{rng.random()}"}}' for n in range(4_000)]
    packer, start, bodies = Packer(), 1, list[bytes]()
    data = b""
    for number in range(5):
        rows[rng.randrange(4_000)] = f'{{"id":0,"mark":{rng.random()},"why":"changed"}}'
        rows.insert(rng.randrange(4_000), '{"id":1}')
        bodies.append(",".join(rows).encode())
        before, data = (
            len(data),
            data + packer.pack([Frame(at_ns=start + number, name="big", body=bodies[-1])]),
        )
    assert len(bodies[-1]) > 200_000 and len(data) - before < len(bodies[-1]) / 20
    segment = Segment(file_name(start, 1), data)
    assert [segment.at(start + number)["big"].body for number in range(5)] == bodies


def test_a_view_costs_little_more_than_what_changed_in_it() -> None:
    packer, rng = Packer(), Rng(1).stream("past")
    rows = tuple(
        EventRow(seq=n, at_ns=n, kind="note", actor="eng", text=f"{rng.random()}") for n in range(100)
    )
    whole = body(EventsView(seq=1, at_ns=1, rows=rows))
    first = len(packer.pack([Frame(at_ns=1, name="events", body=whole)]))
    again = len(packer.pack([Frame(at_ns=2, name="events", body=whole.replace(b'"seq":1,', b'"seq":2,'))]))
    assert again < first / 10 and file_name(1, 2) == "00000000000000000001-2.past"
