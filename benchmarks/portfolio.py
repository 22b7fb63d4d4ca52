"""20 symbols x 4 years of hours under one account, against a fused C loop of the same rules.

Two runs: room for all symbols, where order does not matter and C serves candidates by symbol without ADX; and
room for 5 positions, where both rank every candidate by ADX(14). In each, both must close the same trades for
the same money. C keeps no records, no marks and checks no bar. Figures are million symbol-bars per second of
processor time, best of several alternating rounds.
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

SYMBOLS, PLACES, HOURS, ROUNDS = 20, 5, 35_040, 7


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
    start = time.thread_time()
    portfolio.replay(markets)
    return time.thread_time() - start, portfolio


class _Loop:
    """The C loop over time-major columns of the same markets."""

    def __init__(self, markets: list[list[np.ndarray]], folder: str) -> None:
        target = Path(folder) / "portfolio.so"
        source = Path(__file__).with_name("portfolio.c")
        subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
        columns = [np.ascontiguousarray(np.stack([m[i] for m in markets], axis=1)) for i in (1, 2, 3, 4)]
        pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
        number, real = ctypes.c_long, ctypes.c_double
        rest = (number, ctypes.c_int, real, real, ctypes.c_int, ctypes.c_void_p)
        library = ctypes.CDLL(str(target))
        self.columns = {"portfolio": [columns[0], columns[3]], "ranked": columns}
        self.functions = {"portfolio": library.portfolio, "ranked": library.ranked}
        for name, function in self.functions.items():
            function.argtypes = [*(pointer for _ in self.columns[name]), *rest]
            function.restype = number

    def run(self, name: str, positions: int) -> tuple[float, int, float]:
        """Return seconds, trades and final equity."""
        equity = ctypes.c_double()
        start = time.thread_time()
        trades = self.functions[name](
            *self.columns[name], HOURS, SYMBOLS, 12.0, 26.0, positions, ctypes.byref(equity)
        )
        return time.thread_time() - start, int(trades), equity.value


def measure(rounds: int = ROUNDS) -> dict[str, float | int | bool]:
    """Return rates, ratios to C, and whether both close the same trades for the same money in both runs."""
    markets = _markets()
    result: dict[str, float | int | bool] = {"symbol_bars": SYMBOLS * HOURS, "is_equal": True}
    with tempfile.TemporaryDirectory() as folder:
        loop = _Loop(markets, folder)
        for name, function, positions in (("all", "portfolio", SYMBOLS), ("ranked", "ranked", PLACES)):
            ours = limit = 9e9
            for _ in range(rounds):
                spent, trades, equity = loop.run(function, positions)
                limit = min(limit, spent)
                spent, portfolio = _replay(markets, positions)
                ours = min(ours, spent)
            is_equal = len(portfolio.trades()) == trades and abs(portfolio.final_equity() - equity) < 1e-4
            result["is_equal"] = bool(result["is_equal"]) and is_equal
            result[f"{name}_trades"] = trades
            result[f"{name}_mbars_s"] = round(SYMBOLS * HOURS / ours / 1e6, 1)
            result[f"{name}_c_mbars_s"] = round(SYMBOLS * HOURS / limit / 1e6, 1)
            result[f"{name}_ratio_to_c"] = round(limit / ours, 3)
    return result


def rows() -> tuple[list[Row], bool]:
    """Return the comparison by rows, and whether ours and C's results agree."""
    found = measure()
    unit = "million symbol-bars/s"
    return [
        row("20 symbols, all served", unit, found["all_mbars_s"], found["all_c_mbars_s"]),
        row("20 symbols, ranked for 5", unit, found["ranked_mbars_s"], found["ranked_c_mbars_s"]),
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
