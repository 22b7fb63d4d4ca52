"""Forged strategies against plain C loops of the same rules, on the same bars, in the same process.

Ours keeps trades, decisions and equity per bar; the C loops keep nothing. Best of several rounds,
alternating, in the thread's processor time, so that a busy machine hurts both alike and little.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.kernel import BARS, FLAGS, ROUNDS, _market
from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import Library, load
from engine.strategies import BUNDLED
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel

FLIP = b"""
from interlock import EMA, Strategy, param


class Flip(Strategy):
    fast = param(12, 1, 5000)
    slow = param(26, 2, 10000)

    def on_start(self):
        self.quick, self.lazy = EMA(self.fast), EMA(self.slow)

    def on_bar(self, bar):
        quick, lazy = self.quick.update(bar.close), self.lazy.update(bar.close)
        if bar.index < self.slow - 1:
            return None
        if quick > lazy:
            return 1
        return -1 if quick < lazy else None
"""


def _c_loop(folder: Path, name: str, columns: int) -> Callable[..., int]:
    target, source = folder / f"{name}.so", Path(__file__).with_name(f"{name}.c")
    subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
    function = getattr(ctypes.CDLL(str(target)), name)
    pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
    function.argtypes = [
        *[pointer] * columns, ctypes.c_long, ctypes.c_double, ctypes.c_double, ctypes.c_void_p,
    ]  # fmt: skip
    function.restype = ctypes.c_long
    return function  # type: ignore[no-any-return]  # ctypes gives no type


def _library(source: bytes, class_name: str = "") -> Library:
    built = build(plan_source(source, "benchmark.py", class_name))
    return load(built.record, built.artifact)


def _replayed(market: list[np.ndarray], library: Library, params: dict[str, float]) -> tuple[float, Kernel]:
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=library.instance(params))])
    start = time.thread_time()
    kernel.replay(0, *market)
    return time.thread_time() - start, kernel


def measure(bars: int = BARS, rounds: int = ROUNDS) -> dict[str, float | int | bool]:
    """Return rates in million bars per second, the ratios to C, and whether the results agree."""
    market = _market(bars)
    bundled = BUNDLED["ema_cross"]
    cases = {
        "flip": (_library(FLIP), {"fast": 12.0, "slow": 26.0}, (market[1], market[4])),
        "bracket": (
            _library(bundled.file.read_bytes(), bundled.kind.__name__),
            bundled.kind(bracket=1).values(),
            (market[1], market[2], market[3], market[4]),
        ),
    }
    found: dict[str, float | int | bool] = {"bars": bars}
    is_equal = True
    with tempfile.TemporaryDirectory() as folder:
        for name, (library, params, columns) in cases.items():
            loop, equity = _c_loop(Path(folder), name, len(columns)), ctypes.c_double()
            c_s = ours_s = 9e9
            for _ in range(rounds):
                start = time.thread_time()
                trades = loop(*columns, bars, 12.0, 26.0, ctypes.byref(equity))
                c_s = min(c_s, time.thread_time() - start)
                spent, kernel = _replayed(market, library, params)
                ours_s = min(ours_s, spent)
            is_same = len(kernel.trades()) == trades and abs(kernel.final_equity() - equity.value) < 1e-4
            is_equal = is_equal and is_same
            found |= {
                f"{name}_trades": trades,
                f"{name}_c_mbars_s": round(bars / c_s / 1e6, 1),
                f"{name}_forged_mbars_s": round(bars / ours_s / 1e6, 1),
                f"{name}_ratio_to_c": round(c_s / ours_s, 3),
            }
    return found | {"is_equal": is_equal}


def main(arguments: list[str]) -> int:
    """Print the measurements (`--json` as one object); 1 when ours and C's results differ."""
    result = measure()
    if "--json" in arguments:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24} {value}")
    return 0 if result["is_equal"] else 1
