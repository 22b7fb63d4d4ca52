"""The lowest and the highest price of a moving window of time, without a look at all of them."""

from __future__ import annotations

from collections import deque


class Extremes:
    """Prices of the latest `window_ns`, by their own times in ns.

    Of the prices only those are kept that can still be an extreme: a price is forgotten as soon as another,
    not older, is at least as extreme. Each end is then a stair of times and prices, whose first step inside
    the window is the answer; a price costs O(1) on average, the answer one step.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._now_ns = 0
        self._stairs: tuple[deque[tuple[int, float]], deque[tuple[int, float]]] = (deque(), deque())
        """Of lows, and of highs with their sign turned: in both, times and prices rise."""

    def add(self, at_ns: int, price: float) -> None:
        """Learn a price; a time before the newest is put in its place."""
        if at_ns > self._now_ns:
            self._now_ns = at_ns
        oldest_ns = self._now_ns - self._window_ns
        lows, highs = self._stairs
        _step(lows, at_ns, price)
        _step(highs, at_ns, -price)
        while lows and lows[0][0] <= oldest_ns:
            lows.popleft()
        while highs and highs[0][0] <= oldest_ns:
            highs.popleft()

    def of(self, now_ns: int) -> tuple[float, float] | None:
        """Return (lowest, highest) of the prices younger than the window at `now_ns`; None without any."""
        low, high = (self._first(stair, now_ns) for stair in self._stairs)
        return None if low is None or high is None else (low, -high)

    def _first(self, stair: deque[tuple[int, float]], now_ns: int) -> float | None:
        return next((value for at_ns, value in stair if now_ns - at_ns < self._window_ns), None)


def _step(stair: deque[tuple[int, float]], at_ns: int, value: float) -> None:
    """Put one value on a stair; what it makes needless goes, itself where a later one is as low."""
    later = []
    while stair and stair[-1][0] >= at_ns:
        later.append(stair.pop())
    if not later or later[-1][1] > value:
        if later and later[-1][0] == at_ns:
            later.pop()
        while stair and stair[-1][1] >= value:
            stair.pop()
        stair.append((at_ns, value))
    stair.extend(reversed(later))
