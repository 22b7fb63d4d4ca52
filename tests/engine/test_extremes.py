"""The window's extremes are those of a plain look at every price in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.trading.extremes import Extremes

WINDOW_NS = 10
STEPS = st.lists(st.tuples(st.integers(-6, 8), st.integers(1, 9)), min_size=1, max_size=60)


@given(steps=STEPS, ahead_ns=st.integers(0, 14))
def test_the_extremes_are_those_of_a_look_at_every_price_however_late_some_came(
    steps: list[tuple[int, int]], ahead_ns: int
) -> None:
    window, seen, at_ns, now_ns = Extremes(WINDOW_NS), [], 100, 100
    for step_ns, price in steps:
        at_ns += step_ns
        now_ns = max(now_ns, at_ns)
        window.add(at_ns, float(price))
        seen.append((at_ns, float(price)))
        for asked_ns in (now_ns, now_ns + ahead_ns):
            inside = [each for told_ns, each in seen if asked_ns - told_ns < WINDOW_NS]
            assert window.of(asked_ns) == ((min(inside), max(inside)) if inside else None)


def test_only_what_can_still_be_an_extreme_is_kept() -> None:
    window = Extremes(1_000_000)
    for at_ns in range(10_000):
        window.add(at_ns, 100.0 + (at_ns % 2))
    assert sum(len(stair) for stair in window._stairs) <= 4
