"""Sets that are compared cover the same window, or the difference is said or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.alignment import Alignment, Reach, WindowsDisjoint, common_window
from engine.market.catalogue import BarColumns, columns_of
from engine.market.validation import interval_ns_of, phase_ns

from .desk import cut, shared_bars, symbol_of
from .desk import shared as shared_file

MINUTE, HOUR = interval_ns_of("1m"), interval_ns_of("1h")
T0 = 472_000 * HOUR


def flat(interval_ns: int, first: int, count: int) -> BarColumns:
    columns = {name: np.ones(count) for name in ("open", "high", "low", "close", "volume")}
    columns["ts_ms"] = (T0 + first * interval_ns + interval_ns * np.arange(count)) // 10**6
    return columns_of(columns, interval_ns)


def reach_of(bars: BarColumns) -> Reach:
    end_ns = int(bars.ts_ns[-1]) + bars.interval_ns
    return Reach(start_ns=int(bars.ts_ns[0]), end_ns=end_ns, interval_ns=bars.interval_ns)


def align(sets: dict[str, BarColumns]) -> tuple[dict[str, BarColumns], Alignment]:
    found = common_window({name: reach_of(bars) for name, bars in sets.items()})
    return {name: cut(bars, found.start_ns, found.end_ns) for name, bars in sets.items()}, found


def test_minutes_and_hours_are_cut_to_the_same_moments() -> None:
    sets, found = align({"minutes": flat(MINUTE, 7, 300), "hours": flat(HOUR, 0, 10)})
    assert (found.start_ns, found.end_ns) == (T0 + HOUR, T0 + 5 * HOUR)
    assert (len(sets["minutes"]), len(sets["hours"])) == (240, 4)
    assert {reach_of(bars).end_ns for bars in sets.values()} == {found.end_ns}
    assert len(found.notices) == 2 and "minutes covers" in found.notices[0]


def test_equal_windows_need_no_notice_and_keep_their_hash() -> None:
    minutes, hours = flat(MINUTE, 0, 120), flat(HOUR, 0, 2)
    sets, found = align({"minutes": minutes, "hours": hours})
    assert found.notices == () and sets == {"minutes": minutes, "hours": hours}


@pytest.mark.parametrize(("minutes", "hours"), [((0, 60), (1, 5)), ((5, 90), (0, 2))])
def test_no_common_bar_is_a_refusal(minutes: tuple[int, int], hours: tuple[int, int]) -> None:
    with pytest.raises(WindowsDisjoint, match="no common window"):
        align({"minutes": flat(MINUTE, *minutes), "hours": flat(HOUR, *hours)})


INTERVALS = st.sampled_from([interval_ns_of(text) for text in ("1m", "5m", "1h", "1d", "1w")])
REACHES = st.builds(
    lambda step, first, count: Reach(
        start_ns=T0 // step * step + phase_ns(step) + first * step,
        end_ns=T0 // step * step + phase_ns(step) + (first + count) * step,
        interval_ns=step,
    ),
    INTERVALS,
    st.integers(0, 50),
    st.integers(1, 5_000),
)


@given(st.lists(REACHES, min_size=1, max_size=4))
def test_a_common_window_lies_in_every_set_and_on_every_grid(reaches: list[Reach]) -> None:
    named = {str(at): reach for at, reach in enumerate(reaches)}
    try:
        found = common_window(named)
    except WindowsDisjoint:
        return
    for reach in reaches:
        assert reach.start_ns <= found.start_ns < found.end_ns <= reach.end_ns
        for edge in (found.start_ns, found.end_ns):
            assert (edge - phase_ns(reach.interval_ns)) % reach.interval_ns == 0


@pytest.mark.shared
def test_real_minutes_and_hours_of_one_market() -> None:
    minutes = shared_bars("licensed/bars_1m/binance_um/BTCUSDT_1m.parquet", "1m")
    hours = symbol_of(shared_file("licensed/bars_1h/binance_um_1h_setA.parquet"), "BTCUSDT", "1h")
    sets, found = align({"1m": minutes, "1h": hours})
    assert len(sets["1m"]) == 60 * len(sets["1h"]) == 60 * 719 and len(found.notices) == 2
