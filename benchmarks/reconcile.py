"""Custody of an account with a long record: its restart, and a pass that is told every execution again.

    python -m benchmarks reconcile [--orders N] [--fills N] [--json]

The record is a database of its own (WAL, synchronous=FULL); the venue answers from memory, so that what is
timed is ours: reading the record, booking the ledger, finding each execution known, comparing both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from benchmarks.store import _intent, _order
from benchmarks.tick_to_wire import ENVIRON
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.store.link import columns_of
from engine.store.rows import FillRecord
from engine.trading.custody import Custody, Verdict
from safety.canonical import changed
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.contract import Capabilities, LinkListener, OrderListener
from venues.types import AccountSnapshot, Fill, Instrument, Mode, OrderStatus, Side, VenueOrder, VenuePosition

ORDERS, FILLS = 10_000, 100_000
CASH = Decimal(1_000_000)
PRICE, SIZE = Decimal(60_000), Decimal("0.001")


class Memory:
    """A venue that lists what it is given: every execution, whatever is asked from."""

    name, signer = "sandbox", "bench"

    def __init__(self, fills: list[Fill]) -> None:
        self.fills = fills

    def capabilities(self) -> Capabilities:
        return Capabilities(
            venue="sandbox",
            has_reduce_only=True,
            has_native_stop=False,
            has_dead_man_switch=False,
            has_test_order=False,
        )

    def instruments(self) -> Sequence[Instrument]:
        return ()

    def on_order_event(self, listener: OrderListener) -> None:
        """Nothing is pushed."""

    def on_link(self, listener: LinkListener) -> None:
        """It is always there."""

    async def time_ns(self) -> int:
        return time.time_ns()

    async def open_orders(self) -> Sequence[VenueOrder]:
        return ()

    async def query(self, client_order_id: str) -> VenueOrder | None:
        return None

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return self.fills

    async def account(self) -> AccountSnapshot:
        held = sum((fill.quantity * fill.side.sign for fill in self.fills), Decimal(0))
        cash = CASH - sum((fill.fee for fill in self.fills), Decimal(0))
        positions = (
            (VenuePosition(symbol="BTC", quantity=held, entry_price=PRICE, mark_price=PRICE),) if held else ()
        )
        return AccountSnapshot(
            account_id="A", cash_usd=cash, equity_usd=cash, positions=positions, at_ns=time.time_ns()
        )


def fill(number: int, orders: int, at_ns: int) -> Fill:
    """Return one execution: buys and sells in turns, so that the position stays small."""
    return Fill(
        fill_id=f"F-{number}",
        client_order_id=f"O-{number % orders}",
        symbol="BTC",
        side=Side.BUY if number % 2 == 0 else Side.SELL,
        quantity=SIZE,
        price=PRICE,
        fee=Decimal("0.027"),
        is_maker=False,
        at_ns=at_ns + number,
    )


def write(core: Core, orders: int, fills: list[Fill]) -> None:
    """Put a record into the database of a core, past the engine: as if it had traded for long."""
    rows: dict[str, list[dict[str, object]]] = {"intents": [], "orders": [], "fills": []}
    for number in range(orders):
        rows["intents"].append(
            columns_of(changed(_intent(number), status="ordered", dedupe_key=f"D-{number}"))
        )
        filled = changed(
            _order(number), status=OrderStatus.FILLED, pending="none", filled=Decimal("0.01"), done_ns=1
        )
        rows["orders"].append(columns_of(filled))
    for each in fills:
        row = FillRecord(
            venue="sandbox",
            account="A",
            fill_id=each.fill_id,
            client_order_id=each.client_order_id,
            session_id="",
            symbol=each.symbol,
            side=each.side,
            quantity=each.quantity,
            price=each.price,
            fee=each.fee,
            is_maker=each.is_maker,
            at_ns=each.at_ns,
            recorded_ns=each.at_ns,
        )
        rows["fills"].append(columns_of(row))
    core.store.facts.set("opening:sandbox:A", str(CASH), 1)
    core.store.close()
    with sqlite3.connect(core.paths.database / f"{Mode.LIVE}.db") as database:
        for table, found in rows.items():
            names = list(found[0])
            holes = ", ".join("?" for _ in names)
            database.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({holes})",
                [tuple(map(_cell, each.values())) for each in found],
            )


def _cell(value: object) -> object:
    if isinstance(value, tuple | list):
        return json.dumps(value)
    return str(value) if isinstance(value, Decimal) else value


async def measure(folder: Path, orders: int, count: int) -> dict[str, float]:
    """Return seconds of wall and of the processor for each step."""
    at_ns = time.time_ns() - 86_400 * 10**9
    fills = [fill(number, orders, at_ns) for number in range(count)]
    write(_core(folder), orders, fills)
    core, venue = _core(folder), Memory(list(fills))
    figures: dict[str, float] = {"orders": orders, "fills": count}
    custody = Custody(core, venue, "A")  # type: ignore[arg-type]
    with Timed(figures, "restart"):
        custody.load()
    with Timed(figures, "first_pass"):
        verdict = await custody.reconcile()
    assert verdict is Verdict.CLEAN, custody.differences
    with Timed(figures, "next_pass"):
        verdict = await custody.reconcile()
    assert verdict is Verdict.CLEAN, custody.differences
    core.store.close()
    return figures


def _core(folder: Path) -> Core:
    return build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), folder, ENVIRON, KillByte.anonymous())


class Timed:
    """Times a block: `NAME_s` by the wall, `NAME_cpu_s` by the processor."""

    def __init__(self, figures: dict[str, float], name: str) -> None:
        self._figures, self._name = figures, name

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        self._figures[f"{self._name}_s"] = round(time.perf_counter() - self._began[0], 2)
        self._figures[f"{self._name}_cpu_s"] = round(time.process_time() - self._began[1], 2)


def main(arguments: list[str]) -> int:
    """Print the times; a pass that does not end CLEAN is an error."""
    parser = argparse.ArgumentParser(prog="benchmarks reconcile", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--orders", type=int, default=ORDERS, help="how many orders are on record")
    parser.add_argument("--fills", type=int, default=FILLS, help="how many executions")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), given.orders, given.fills))
    if given.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:22} {value}" for name, value in figures.items()))
    return 0
