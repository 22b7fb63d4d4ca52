"""Order books against plain C loops of the same rules, on the same events, side by side in one process.

Workloads W4a (L2 replay), W4b (quoting with latency and queue) and W4c (L3 replay) of the comparison of
peers; `_book_data.py` builds their data sets, and the sha256 below are those that every peer, C and
plain Python agreed on. Ours keeps far levels, counts, checks every event and keeps queues (L3); the C
loops index arrays by tick and check nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _book_data as sets
from benchmarks._rows import Row, row
from native.book_l2 import L2Book
from native.book_l3 import L3Book
from native.depth import BEST_DTYPE, TOP_DTYPE
from native.quotes import QuoteRules
from native.quoting import QuoteSimulation

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
ROUNDS = 9
KNOWN = {"l2": "68045ab2100da7b5", "mm": "d7fc53a2fa7c020a", "l3": "ab7832a6abd1af78"}
L2_LAYOUT = [
    ("ts", "i8"), ("tick", "i4"), ("lot", "i4"), ("kind", "i1"), ("side", "i1"), ("last", "i1"),
    ("pad", "V5"),
]  # fmt: skip
L3_LAYOUT = [
    ("ts", "i8"), ("order", "i8"), ("tick", "i4"), ("size", "i4"), ("action", "i1"), ("side", "i1"),
    ("last", "i1"), ("pad", "V5"),
]  # fmt: skip
L2_FIELDS = {"ts": "ts_ns", "tick": "tick", "lot": "lot", "kind": "kind", "side": "side", "last": "flags"}
L3_FIELDS = {"ts": "ts_ns", "order": "order_id", "action": "action", "size": "size", "last": "flags"} | {
    name: name for name in ("tick", "side")
}
NAMES = {"l2": "L2 replay", "mm": "L2 quoting, latency and queue", "l3": "L3 replay"}
RULES = QuoteRules(tick_size=0.1, lot_size=0.001, order_lots=10)
Records = list[tuple[int, ...]]


def _loop(folder: Path, name: str) -> Callable[..., int]:
    """Compile benchmarks/NAME.c and return its function; numbers of int type go in as C longs."""
    target = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target)], check=True)
    function = getattr(ctypes.CDLL(str(target)), name)
    function.restype = ctypes.c_long
    return lambda *given: int(function(*(_passed(each) for each in given)))


def _passed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.ctypes.data_as(ctypes.c_void_p)
    return ctypes.c_long(value) if isinstance(value, int) else value


def _best(run: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Return the best seconds of each, in turns; of processor time, which a busy machine hurts least."""
    taken = [(run(), other()) for _ in range(rounds)]
    return min(mine for mine, _ in taken), min(its for _, its in taken)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _sha(records: Records) -> str:
    return hashlib.sha256("".join(",".join(map(str, each)) + "\n" for each in records).encode()).hexdigest()[
        :16
    ]


def _result(
    name: str, events: int, seconds: tuple[float, float], ours: Records, theirs: Records
) -> dict[str, Any]:
    digest = _sha([(ts, side, tick) for ts, tick, side in ours] if name == "mm" else ours)
    return {
        "events": events,
        "records": len(ours),
        "sha256": digest,
        "is_equal": ours == theirs and digest == KNOWN[name],
        "c_mevents_s": round(events / seconds[1] / 1e6, 1),
        "mevents_s": round(events / seconds[0] / 1e6, 1),
        "ratio_to_c": round(seconds[1] / seconds[0], 3),
    }


def measure_l2(folder: Path, events: Any, rounds: int = ROUNDS) -> dict[str, Any]:
    """W4a: apply every event, record (time, best bid, best ask) after each message that changed one."""
    loop, table = _loop(folder, "l2"), sets.packed(events, L2_FIELDS, L2_LAYOUT)
    top, count = int(events["tick"].max()), len(events)
    out, best, traded = np.zeros(count, BEST_DTYPE), np.ones((count, 3), np.int64), np.zeros(1, np.int64)
    kept: dict[str, Any] = {}

    def ours() -> float:
        book = L2Book()
        return _timed(lambda: kept.update(ours=book.replay(events, out)))

    def theirs() -> float:
        bids, asks = np.ones(top + 2, np.int32), np.ones(top + 2, np.int32)
        bids[:] = asks[:] = 0
        return _timed(lambda: kept.update(c=loop(table, count, top, bids, asks, best, traded)))

    seconds = _best(ours, theirs, rounds)
    theirs_made = [tuple(each) for each in best[: kept["c"]].tolist()]
    return _result("l2", count, seconds, kept["ours"].tolist(), theirs_made)


def measure_l3(folder: Path, events: Any, rounds: int = ROUNDS) -> dict[str, Any]:
    """W4c: apply every order event, record the best level of both sides when anything of it changed."""
    loop, table = _loop(folder, "l3"), sets.packed(events, L3_FIELDS, L3_LAYOUT)
    top, count = int(events["tick"].max()), len(events)
    out, best, live = np.ones(count, TOP_DTYPE), np.ones((count, 7), np.int64), np.zeros(1, np.int64)
    kept: dict[str, Any] = {}

    def ours() -> float:
        book = L3Book()
        return _timed(lambda: kept.update(ours=book.replay(events, out)))

    def theirs() -> float:
        return _timed(lambda: kept.update(c=loop(table, count, top, best, live)))

    seconds = _best(ours, theirs, rounds)
    theirs_made = [tuple(each) for each in best[: kept["c"]].tolist()]
    return _result("l3", count, seconds, kept["ours"].tolist(), theirs_made)


def measure_mm(folder: Path, feed: sets.L2Set, rounds: int = ROUNDS) -> dict[str, Any]:
    """W4b: quote every 100 ms with 1 ms latency each way and a conservative queue; `events` are ours seen."""
    loop = _loop(folder, "mm")
    local, exchange = (sets.packed(events, L2_FIELDS, L2_LAYOUT) for events in feed)
    top, count = int(max(events["tick"].max() for events in feed)), len(local)
    fills, counts, money = np.ones((100_000, 3), np.int64), np.zeros(4, np.int64), np.zeros(2)
    kept: dict[str, Any] = {}

    def ours() -> float:
        simulation = QuoteSimulation(feed.local, feed.exchange, RULES)
        spent = _timed(lambda: kept.update(result=simulation.run()))
        kept["ours"] = simulation.fills()[["ts_ns", "tick", "side"]]
        return spent

    def theirs() -> float:
        levels = np.ones(4 * (top + 2), np.int32)
        levels[:] = 0
        arguments = (local, count, exchange, len(exchange), top, levels, fills, counts, money)
        return _timed(lambda: kept.update(c=loop(*arguments)))

    seconds = _best(ours, theirs, rounds)
    theirs_made = [tuple(each) for each in fills[: kept["c"]].tolist()]
    found = _result("mm", count, seconds, kept["ours"].tolist(), theirs_made)
    result = kept["result"]
    ours_counts = [result.steps, result.submits, result.cancels, result.position_lots]
    found["is_equal"] &= ours_counts == counts.tolist() and [result.balance, result.fees] == money.tolist()
    return {**found, "balance": round(result.balance, 6), "fees": round(result.fees, 6)}


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return each workload's rates in million events per second, the ratio to C, and equality."""
    with tempfile.TemporaryDirectory() as name:
        folder, feed = Path(name), sets.l2_set()
        found = {"l2": measure_l2(folder, feed.local, rounds), "mm": measure_mm(folder, feed, rounds)}
        del feed
        return {**found, "l3": measure_l3(folder, sets.l3_set(), rounds)}


def rows() -> tuple[list[Row], bool]:
    """Return the comparison by rows, and whether all results agree. Raises FileNotFoundError without data."""
    found = measure()
    table = [
        row(NAMES[name], "10⁶ events/s", each["mevents_s"], each["c_mevents_s"], each["ratio_to_c"])
        for name, each in found.items()
    ]
    return table, all(each["is_equal"] for each in found.values())


def main(arguments: list[str]) -> int:
    """Print the measurements (`--json` as one object); 1 when results differ, 2 without the data folder."""
    if not (sets.L2_FILE.is_file() and sets.L3_FILE.is_file()):
        print(
            f"set INTERLOCK_SHARED: there is no {sets.L2_FILE.name} or {sets.L3_FILE.name}", file=sys.stderr
        )
        return 2
    found = measure()
    if "--json" in arguments:
        print(json.dumps(found))
    else:
        for name, figures in found.items():
            print(f"{name:4} " + "  ".join(f"{key} {value}" for key, value in figures.items()))
    return 0 if all(figures["is_equal"] for figures in found.values()) else 1
