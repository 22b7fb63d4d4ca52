"""20 symbols x 4 years of hours under one account, entries ranked for capacity, against a fused C loop.

The C loop serves candidates by symbol, keeps no records, no ADX and no marks; with room for all symbols both
must close the same trades. Figures are million symbol-bars per second, best of several alternating rounds.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._rows import Row, row
from benchmarks.kernel import FLAGS
from native.intents import KernelConfig, LaneSpec
from native.portfolio import Portfolio
from native.rules import PortfolioRules

SYMBOLS, HOURS, ROUNDS = 20, 35_040, 7


def _markets() -> list[list[np.ndarray]]:
    chance = np.random.default_rng(20)
    markets = []
    for _ in range(SYMBOLS):
        close = 100.0 * np.exp(np.cumsum(chance.normal(0, 0.006, HOURS)))
        open_ = np.concatenate([close[:1], close[:-1]])
        high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
        ts = np.arange(HOURS, dtype=np.int64) * 3_600_000_000_000
        markets.append([ts, open_, high, low, close, np.ones(HOURS)])
    return markets


def _replay(markets: list[list[np.ndarray]], positions: int) -> tuple[float, Portfolio]:
    rules = PortfolioRules(max_entries=SYMBOLS, max_positions=positions)
    lanes = [
        LaneSpec(symbol=f"S{i:02}", strategy="ema_cross", params={"fast": 12, "slow": 26})
        for i in range(SYMBOLS)
    ]
    portfolio = Portfolio(replace(KernelConfig(), portfolio=rules), lanes)
    start = time.perf_counter()
    portfolio.replay(markets)
    return time.perf_counter() - start, portfolio


def measure(rounds: int = ROUNDS) -> dict[str, float | int | bool]:
    """Return rates, the ratio to C, and whether both close the same trades for the same money."""
    markets = _markets()
    opens, closes = (np.ascontiguousarray(np.stack([m[i] for m in markets], axis=1)) for i in (1, 4))
    best = {"c": 9e9, "all": 9e9, "ranked": 9e9}
    equity = ctypes.c_double()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "portfolio.so"
        source = Path(__file__).with_name("portfolio.c")
        subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
        loop = ctypes.CDLL(str(target)).portfolio
        pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
        number, real = ctypes.c_long, ctypes.c_double
        loop.argtypes = [pointer, pointer, number, ctypes.c_int, real, real, ctypes.c_int, ctypes.c_void_p]
        loop.restype = number
        for _ in range(rounds):
            start = time.perf_counter()
            trades = loop(opens, closes, HOURS, SYMBOLS, 12.0, 26.0, SYMBOLS, ctypes.byref(equity))
            best["c"] = min(best["c"], time.perf_counter() - start)
            spent, portfolio = _replay(markets, SYMBOLS)
            best["all"] = min(best["all"], spent)
            best["ranked"] = min(best["ranked"], _replay(markets, 5)[0])
    rates = {name: SYMBOLS * HOURS / seconds / 1e6 for name, seconds in best.items()}
    return {
        "symbol_bars": SYMBOLS * HOURS,
        "trades": int(trades),
        "is_equal": len(portfolio.trades()) == trades and abs(portfolio.final_equity() - equity.value) < 1e-4,
        "c_mbars_s": round(rates["c"], 1),
        "all_served_mbars_s": round(rates["all"], 1),
        "ranked_for_5_mbars_s": round(rates["ranked"], 1),
        "ranked_ratio_to_c": round(rates["ranked"] / rates["c"], 3),
    }


def rows() -> tuple[list[Row], bool]:
    """Return the comparison by rows, and whether ours and C's results agree."""
    found = measure()
    unit = "million symbol-bars/s"
    return [
        row("20 symbols, all served", unit, found["all_served_mbars_s"], found["c_mbars_s"]),
        row("20 symbols, ranked for 5", unit, found["ranked_for_5_mbars_s"], found["c_mbars_s"]),
    ], bool(found["is_equal"])


def main(arguments: list[str]) -> int:
    """Print the measurements (`--json` as one object); 1 when ours and C's results differ."""
    result = measure()
    if "--json" in arguments:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24} {value}")
    return 0 if result["is_equal"] else 1
