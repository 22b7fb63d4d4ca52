"""What a peer's script needs: the bars, the rules, a clock, one JSON line. Runs in the peer's environment.

The rules are the flip oracle's: EMA 12 and 26 seeded with the first close, decided at a close from bar 25 on,
filled at the next open with 1 basis point of slippage, 4.5 basis points of fee, 10,000 a trade, sizes rounded
down to a millionth.
"""

import hashlib
import json
import sys
import time

import numpy as np

FAST, SLOW = 12, 26
CASH, NOTIONAL, FEE, SLIPPAGE = 1_000_000.0, 10_000.0, 0.00045, 0.0001


def bars():
    """Return the columns by name and how many rounds to run, as given on the command line."""
    with np.load(sys.argv[1]) as file:
        return {name: np.ascontiguousarray(file[name]) for name in file.files}, int(sys.argv[2])


def units(price):
    """Return micro-units that the notional buys."""
    return int(np.floor(NOTIONAL / price * 1e6))


def trades_sha256(trades):
    """Return the sha256 of (entry bar, exit bar, side, micro-units), one line each, in order."""
    digest = hashlib.sha256()
    for trade in trades:
        digest.update(b"%d,%d,%d,%d\n" % tuple(int(word) for word in trade))
    return digest.hexdigest()


def paired(fills):
    """Return the closed trades of (bar, signed micro-units) fills of an account that flips."""
    trades, held, entry_bar = [], 0, 0
    for bar, change in fills:
        if held:
            trades.append((entry_bar, bar, 1 if held > 0 else -1, abs(held)))
        held, entry_bar = held + change, bar
    return trades


def timed(rounds, work):
    """Return the least processor seconds of several runs, and the last run's result."""
    least, result = 9e9, None
    for _ in range(rounds):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def report(version, seconds, trades, final_equity, note=""):
    """Print what the table needs."""
    found = {
        "version": version,
        "cpu_s": seconds,
        "trades": len(trades),
        "trades_sha256": trades_sha256(trades),
        "final_equity": float(final_equity),
        "note": note,
    }
    print(json.dumps(found))


def counts_sha256(counts):
    """Return the sha256 of what a quoting run counted: steps, submits, cancels, fills, position in lots."""
    return hashlib.sha256(",".join(str(int(each)) for each in counts).encode()).hexdigest()


def report_counts(version, seconds, events, counts, money, note=""):
    """Print what the table needs of a quoting run; `money` is what it ends with beside its position."""
    found = {
        "version": version,
        "cpu_s": seconds,
        "events": events,
        "trades": int(counts[3]),
        "trades_sha256": counts_sha256(counts),
        "final_equity": float(money),
        "note": note,
    }
    print(json.dumps(found))
