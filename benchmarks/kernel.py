"""Kernel speed against a plain C loop of the same rules, on the same bars, in the same process.

Ours keeps trades, decisions and equity per bar; the C loop keeps nothing. Best of several rounds,
alternating, in the thread's processor time, so that a busy machine hurts both alike and little.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._rows import Row, row
from native.indicators import EMA
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Bar, Strategy

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
BARS, ROUNDS = 1_000_000, 15


class _Flip(Strategy):
    def on_start(self) -> None:
        self.fast, self.slow = EMA(12).update, EMA(26).update

    def on_bar(self, bar: Bar) -> int:
        close = bar.close
        return 1 if self.fast(close) > self.slow(close) else -1


def _market(count: int) -> list[np.ndarray]:
    """A seeded random walk: ts_ns, open, high, low, close, volume."""
    chance = np.random.default_rng(20)
    close = 20_000.0 * np.exp(np.cumsum(chance.normal(0, 0.0008, count)))
    open_ = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0003, np.minimum(open_, close) * 0.9997
    return [np.arange(count, dtype=np.int64) * 60_000_000_000, open_, high, low, close, np.ones(count)]


def _c_loop(folder: Path) -> ctypes.CDLL:
    target = folder / "flip.so"
    source = Path(__file__).with_name("flip.c")
    subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
    library = ctypes.CDLL(str(target))
    pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
    library.flip.argtypes = [
        pointer,
        pointer,
        ctypes.c_long,
        ctypes.c_double,
        ctypes.c_double,
        ctypes.c_void_p,
    ]
    library.flip.restype = ctypes.c_long
    return library


def _replay(market: list[np.ndarray], lane: LaneSpec) -> tuple[float, Kernel]:
    kernel = Kernel(KernelConfig(), [lane])
    start = time.thread_time()
    kernel.replay(0, *market)
    return time.thread_time() - start, kernel


def measure(bars: int = BARS, rounds: int = ROUNDS) -> dict[str, float | int | bool]:
    """Return rates in million bars per second, the ratio to C, and whether the results agree."""
    market = _market(bars)
    flip = {"fast": 12.0, "slow": 26.0}
    best = {"c": 9e9, "flip": 9e9, "bracket": 9e9, "python": 9e9}
    with tempfile.TemporaryDirectory() as folder:
        library = _c_loop(Path(folder))
        equity = ctypes.c_double()
        for _ in range(rounds):
            start = time.thread_time()
            trades = library.flip(market[1], market[4], bars, 12.0, 26.0, ctypes.byref(equity))
            best["c"] = min(best["c"], time.thread_time() - start)
            spent, kernel = _replay(market, LaneSpec(symbol="X", strategy="ema_cross", params=flip))
            best["flip"] = min(best["flip"], spent)
            bracket = LaneSpec(symbol="X", strategy="ema_cross", params={**flip, "bracket": 1.0})
            best["bracket"] = min(best["bracket"], _replay(market, bracket)[0])
        for _ in range(rounds // 3):
            spent = _replay(market, LaneSpec(symbol="X", strategy=_Flip()))[0]
            best["python"] = min(best["python"], spent)
    rates = {name: bars / seconds / 1e6 for name, seconds in best.items()}
    return {
        "bars": bars,
        "trades": int(trades),
        "is_equal": len(kernel.trades()) == trades and abs(kernel.final_equity() - equity.value) < 1e-4,
        "c_mbars_s": round(rates["c"], 1),
        "flip_mbars_s": round(rates["flip"], 1),
        "bracket_mbars_s": round(rates["bracket"], 1),
        "interpreted_mbars_s": round(rates["python"], 2),
        "flip_ratio_to_c": round(rates["flip"] / rates["c"], 3),
    }


def rows() -> tuple[list[Row], bool]:
    """Return the comparison by rows, and whether ours and C's results agree."""
    found = measure()
    unit = "million bars/s"
    return [
        row("flip", unit, found["flip_mbars_s"], found["c_mbars_s"]),
        row("bracket, beside C's flip", unit, found["bracket_mbars_s"], found["c_mbars_s"]),
        row("interpreted flip", unit, found["interpreted_mbars_s"], found["c_mbars_s"]),
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
