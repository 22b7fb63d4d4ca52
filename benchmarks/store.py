"""How long one durable intent takes: intent and order in one commit, WAL, synchronous=FULL."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from engine.store import Store, database_path
from engine.store.rows import IntentRecord, OrderRecord
from seams.clock import SystemClock
from venues.types import Mode, OrderType, Side, TimeInForce

INSERTS = 2000


def measure(folder: Path, inserts: int = INSERTS) -> dict[str, float | int]:
    """Return p50, p99 and the largest duration in milliseconds over `inserts` durable intents."""
    began = time.perf_counter_ns()
    store = Store.open(database_path(folder, Mode.PAPER), Mode.PAPER, SystemClock())
    open_ms = (time.perf_counter_ns() - began) / 1e6
    durations = []
    for number in range(inserts):
        intent, order = _intent(number), _order(number)
        began = time.perf_counter_ns()
        store.orders.record_intent_and_order(intent, order)
        durations.append((time.perf_counter_ns() - began) / 1e6)
    store.close()
    durations.sort()
    return {
        "inserts": inserts,
        "p50_ms": round(durations[inserts // 2], 4),
        "p99_ms": round(durations[inserts * 99 // 100], 4),
        "max_ms": round(durations[-1], 4),
        "open_new_ms": round(open_ms, 1),
    }


def main(arguments: list[str]) -> int:
    """Print the figures; `--folder` names the disk to measure."""
    parser = argparse.ArgumentParser(prog="benchmarks store", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--inserts", type=int, default=INSERTS, help="how many durable intents")
    parser.add_argument("--folder", default=None, help="where to put the temporary database")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = {"benchmark": "store", **measure(Path(folder), options.inserts)}
    if options.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:12} {value}" for name, value in figures.items()))
    return 0


def _intent(number: int) -> IntentRecord:
    return IntentRecord(
        intent_id=f"I-{number}",
        session_id="",
        strategy="benchmark",
        decision_id=f"D-{number}",
        category="paper_trade",
        venue="sandbox",
        account="A",
        symbol="BTC",
        side=Side.BUY,
        quantity=Decimal("0.01"),
        notional_usd=Decimal("600"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("60000"),
        stop_loss=Decimal("59000"),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=Decimal("60000"),
        intent_hash="0" * 64,
        config_fingerprint="c" * 64,
        run_fingerprint="r" * 64,
        created_ns=number,
    )


def _order(number: int) -> OrderRecord:
    return OrderRecord(
        client_order_id=f"O-{number}",
        intent_id=f"I-{number}",
        session_id="",
        strategy="benchmark",
        venue="sandbox",
        account="A",
        symbol="BTC",
        side=Side.BUY,
        quantity=Decimal("0.01"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("60000"),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=Decimal("60000"),
        payload="{}",
        created_ns=number,
    )
