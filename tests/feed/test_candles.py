"""The candle store grows, keeps each bar once, and is whole after a crash at any point."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.candles import GRACE_NS, CandleStore, Merge, Series, Source, bars_of, is_closed
from engine.feed.coverage import ASK_AGAIN_NS, HoleState, coverage, note_empty
from engine.market.catalogue import UnknownSet
from engine.market.validation import BadData
from seams.clock import NS_PER_S, utc_ns
from seams.disk import MemoryDisk, RealDisk
from venues.types import Bar

MINUTE = 60 * NS_PER_S
HOME = Path("/desk")
SERIES = Series(venue="kraken", symbol="BTC-USD", interval="1m")
EDGE = utc_ns("2026-02-01")
"""Where one month's file ends and the next begins."""
NOW = EDGE + 100_000 * MINUTE


def bar(minute: int, close: float = 100.0, from_ns: int = EDGE) -> Bar:
    """A bar so many minutes after (before) the edge of two months."""
    open_ns = from_ns + minute * MINUTE
    return Bar(
        symbol="BTC-USD",
        open_ns=open_ns,
        close_ns=open_ns + MINUTE,
        open=100.0,
        high=max(100.0, close),
        low=min(100.0, close),
        close=close,
        volume=1.0,
    )


def kept(store: CandleStore) -> dict[int, tuple[float, int]]:
    """What a store holds: minute -> (close, source)."""
    rows = store.rows(SERIES)
    found = zip(rows["ts_ns"].tolist(), rows["close"].tolist(), rows["source"].tolist(), strict=True)
    return {(at - EDGE) // MINUTE: (close, source) for at, close, source in found}


class CrashAt(Exception):
    """The process ends here."""


class CrashingDisk(MemoryDisk):
    """Dies before or after its nth operation that changes something."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._step()
        super().write_atomic(path, data, mode)
        self._step()

    def _step(self) -> None:
        if self.left == 0:
            raise CrashAt
        self.left -= 1


def test_bars_are_kept_once_and_in_order_over_months() -> None:
    store = CandleStore(HOME, MemoryDisk())
    assert store.add(SERIES, [bar(2), bar(-2), bar(0)], Source.REST, NOW) == Merge(added=3)
    assert store.add(SERIES, [bar(0), bar(-1), bar(1)], Source.REST, NOW) == Merge(added=2, same=1)
    assert list(kept(store)) == [-2, -1, 0, 1, 2]
    assert [each.open_ns for each in bars_of(store.rows(SERIES), SERIES)] == [
        EDGE + minute * MINUTE for minute in range(-2, 3)
    ]
    window = store.rows(SERIES, EDGE - MINUTE, EDGE + MINUTE)["ts_ns"].tolist()
    assert window == [EDGE - MINUTE, EDGE]
    assert len(store.load(SERIES)) == 5
    assert store.newest_ns(SERIES) == EDGE + 2 * MINUTE
    assert list(store.series()) == [SERIES]


def test_the_venues_answer_replaces_what_was_added_up_and_not_the_other_way() -> None:
    store = CandleStore(HOME, MemoryDisk())
    store.add(SERIES, [bar(0, 101.0), bar(1, 50.0)], Source.STREAM, NOW)
    told = store.add(SERIES, [bar(0, 102.0), bar(1, 50.0)], Source.REST, NOW)
    assert told == Merge(revised=1, same=1)
    assert store.add(SERIES, [bar(0, 99.0)], Source.STREAM, NOW) == Merge(refused=1)
    assert kept(store) == {0: (102.0, Source.REST), 1: (50.0, Source.REST)}
    assert store.add(SERIES, [bar(0, 103.0)], Source.REST, NOW) == Merge(revised=1), "a later answer counts"


def test_a_bar_is_closed_only_after_its_grace() -> None:
    assert not is_closed(bar(0), EDGE + MINUTE + GRACE_NS - 1)
    assert is_closed(bar(0), EDGE + MINUTE + GRACE_NS)
    with pytest.raises(AssertionError):
        CandleStore(HOME, MemoryDisk()).add(SERIES, [bar(0)], Source.REST, EDGE + MINUTE)


@pytest.mark.parametrize("wrong", ["high", "grid", "nan"])
def test_what_is_no_bar_is_refused_with_everything_that_came_with_it(wrong: str) -> None:
    good = bar(1)
    fields = {name: getattr(good, name) for name in Bar.__struct_fields__}
    fields |= {
        "high": {"high": 1.0},
        "grid": {"open_ns": good.open_ns + 1_000_000},
        "nan": {"close": float("nan")},
    }[wrong]
    store = CandleStore(HOME, MemoryDisk())
    with pytest.raises(BadData):
        store.add(SERIES, [bar(0), Bar(**fields), bar(-60_000)], Source.REST, NOW)
    assert not kept(store)


def test_a_month_that_was_changed_outside_is_not_read_and_not_written_over() -> None:
    disk = MemoryDisk()
    store = CandleStore(HOME, disk)
    store.add(SERIES, [bar(0)], Source.REST, NOW)
    path = next(iter(disk.files))
    disk.files[path] = disk.files[path][:-20] + b"x" * 20
    before = dict(disk.files)
    for act in (lambda: store.rows(SERIES), lambda: store.add(SERIES, [bar(1)], Source.REST, NOW)):
        with pytest.raises(BadData, match="move the file away"):
            act()
    assert disk.files == before


def test_an_empty_series_is_unknown() -> None:
    with pytest.raises(UnknownSet, match="interlock feed backfill"):
        CandleStore(HOME, MemoryDisk()).load(SERIES)


def test_a_store_on_a_real_disk_is_read_again(tmp_path: Path) -> None:
    store = CandleStore(tmp_path, RealDisk())
    store.add(SERIES, [bar(minute) for minute in range(-5, 5)], Source.REST, NOW)
    assert list(kept(CandleStore(tmp_path, RealDisk()))) == list(range(-5, 5))
    files = sorted(path.name for path in (tmp_path / "candles/kraken/BTC-USD/1m").iterdir())
    assert files == ["2026-01.parquet", "2026-02.parquet"]


BATCHES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(-6, 6), st.sampled_from([99.0, 100.0, 101.0])), min_size=1, max_size=8
        ),
        st.sampled_from(list(Source)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=120, deadline=None)
@given(BATCHES, st.integers(0, 14))
def test_after_a_crash_at_any_point_each_month_is_as_before_or_as_meant(
    batches: list[tuple[list[tuple[int, float]], Source]], at: int
) -> None:
    """The model: a dictionary, and per month of each batch whether its one write was reached."""
    disk, model = CrashingDisk(at), dict[int, tuple[float, int]]()
    store = CandleStore(HOME, disk)
    before = dict(model)
    try:
        for batch, source in batches:
            before = dict(model)
            for minute, close in batch:
                if minute not in model or source >= model[minute][1]:
                    model[minute] = (close, source)
            store.add(SERIES, [bar(minute, close) for minute, close in batch], source, NOW)
            before = dict(model)
    except CrashAt:
        pass
    found = kept(CandleStore(HOME, disk))  # another process, after the crash
    for is_first in (True, False):
        part = {minute: value for minute, value in found.items() if (minute < 0) is is_first}
        meant = [
            {minute: value for minute, value in each.items() if (minute < 0) is is_first}
            for each in (before, model)
        ]
        assert part in meant
    assert list(found) == sorted(found)
    disk.left = 1_000
    again = CandleStore(HOME, disk)
    for batch, source in batches:  # asking the venue again brings the store to where it was meant to be
        again.add(SERIES, [bar(minute, close) for minute, close in batch], source, NOW)
    assert set(kept(again)) == {minute for batch, _ in batches for minute, _ in batch}


def test_a_hole_is_a_gap_only_after_two_answers_with_a_pause() -> None:
    disk = MemoryDisk()
    store = CandleStore(HOME, disk)
    store.add(SERIES, [bar(0), bar(1), bar(5)], Source.REST, NOW)
    soon = EDGE + 10 * MINUTE
    hole = (EDGE + 2 * MINUTE, EDGE + 5 * MINUTE)

    def state(now_ns: int = soon) -> HoleState:
        return coverage(store, HOME, disk, SERIES, now_ns).holes[0].state

    assert state() is HoleState.OPEN
    note_empty(HOME, disk, SERIES, [hole], soon)
    note_empty(HOME, disk, SERIES, [hole], soon + ASK_AGAIN_NS - 1)
    assert state() is HoleState.OPEN, "two answers in one moment are one"
    note_empty(HOME, disk, SERIES, [hole], soon + ASK_AGAIN_NS)
    assert state() is HoleState.VERIFIED
    store.add(SERIES, [bar(3)], Source.REST, NOW)
    found = coverage(store, HOME, disk, SERIES, soon)
    assert found.missing_bars == 2 and found.verified_gaps == 2, "what is left of it stays verified"


def test_coverage_says_what_lies_beyond_the_venues_cap() -> None:
    disk = MemoryDisk()
    store = CandleStore(HOME, disk)
    store.add(SERIES, [bar(minute) for minute in range(1_000) if minute != 7], Source.REST, NOW)
    found = coverage(store, HOME, disk, SERIES, EDGE + 1_010 * MINUTE)
    assert (found.cap_bars, found.bars, found.missing_bars) == (720, 999, 1)
    assert found.holes[0].state is HoleState.OUT_OF_REACH and found.out_of_reach == 1
    assert found.reaches_back_to_ns == EDGE + 291 * MINUTE
    assert found.beyond_cap_bars == 290 and found.behind_bars == 10
    assert found.sources == {"rest": 999}
