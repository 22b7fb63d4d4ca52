"""numba: the same rules as one compiled loop with trade records and nothing else."""

import math

import _peer
import numba
import numpy as np


@numba.njit
def _flip(opened, close, fast, slow, notional, fee, slippage, entries, exits, sides, sizes):
    a, b = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    quick = lazy = close[0]
    side = want = units = wanted = count = entry_bar = 0
    entry = realised = 0.0
    for i in range(len(close)):
        if want != 0:
            price = opened[i]
            if side != 0:
                paid, size = price * (1.0 - side * slippage), units / 1e6
                realised += side * size * (paid - entry) - (entry + paid) * size * fee
                entries[count], exits[count], sides[count], sizes[count] = entry_bar, i, side, units
                count += 1
            side, units, entry_bar, want = want, wanted, i, 0
            entry = price * (1.0 + side * slippage)
        if i > 0:
            quick = a * close[i] + (1.0 - a) * quick
            lazy = b * close[i] + (1.0 - b) * lazy
        if i >= slow - 1:
            wish = 1 if quick > lazy else (-1 if quick < lazy else side)
            if wish != side:
                want, wanted = wish, math.floor(notional / close[i] * 1e6)
    if side != 0:
        size = units / 1e6
        realised += side * size * (close[-1] - entry) - entry * size * fee
    return count, realised


def main():
    """Run and report."""
    market, rounds = _peer.bars()
    words = [np.zeros(len(market["close"]), np.int64) for _ in range(4)]
    rules = (_peer.FAST, _peer.SLOW, _peer.NOTIONAL, _peer.FEE, _peer.SLIPPAGE)

    def run(count=None):
        return _flip(market["open"][:count], market["close"][:count], *rules, *words)

    run(3000)
    seconds, (count, realised) = _peer.timed(rounds, run)
    trades = list(zip(*(column[:count] for column in words), strict=True))
    note = "a loop of these rules only: no marks, no decisions, no checks"
    _peer.report(numba.__version__, seconds, trades, _peer.CASH + realised, note)


main()
