"""The settings move the paper venue: latency, parts, slippage, mishaps (AQ-17, AQ-18); sessions replay."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api import parity
from engine.api.commands import PaperStart
from engine.config import ConfigError, load_settings
from engine.daemon import Engine, Seams, build_core
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from safety.killbyte import KillByte
from seams.clock import NS_PER_MS, FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.sandbox.embedded import EmbeddedVenue
from venues.types import Fill, OrderStatus

START = PaperStart(
    strategies=("ema_cross",), symbols=("BTC-PERP",), scenario="sideways", speed=200.0, max_bars=200, seed=3
)
EXACT = "minLatencyMs: 0, maxLatencyMs: 0, partialFillProbability: 0, maxSlippageBps: 0"


async def traded(home: Path, execution: str) -> tuple[PaperSession, list[tuple[int, ManagedOrder, Fill]]]:
    """Run one session under these settings; return it and each fill with the market's time."""
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "interlock.yaml").write_text(f"execution: {{{execution}}}\n")
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    engine = Engine(core)
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        heard: list[tuple[int, ManagedOrder, Fill]] = []
        venue = entry.session.orders.venue
        assert isinstance(venue, EmbeddedVenue)
        entry.session.on_fill.append(
            lambda order, fill: heard.append((venue.venue._market_ns, order, fill))  # noqa: SLF001
        )
        assert entry.task is not None
        while not entry.task.done():
            await engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        return entry.session, heard
    finally:
        await engine.close()


def placed_ns(session: PaperSession, order: ManagedOrder) -> int:
    venue = session.orders.venue
    assert isinstance(venue, EmbeddedVenue)
    return venue.venue.journal[order.order_id].placed_ns


async def test_every_order_comes_in_parts_that_add_up_and_the_session_replays(tmp_path: Path) -> None:
    session, heard = await traded(tmp_path, f"{EXACT}, partialFillProbability: 1.0")
    parts = Counter(order.order_id for _, order, _ in heard)
    ended = [order for order in session.orders.orders.values() if order.status is OrderStatus.FILLED]
    assert len(ended) > 10 and {parts[order.order_id] for order in ended} == {2}
    for order in session.orders.orders.values():
        own = [fill.quantity for _, of, fill in heard if of.order_id == order.order_id]
        assert sum(own, Decimal(0)) == order.filled <= order.request.quantity
    found = parity.replay(tmp_path, session.plan.session_id, clock=FixedClock())
    assert found.verdict == "pass"


async def test_an_order_fills_no_earlier_than_its_latency(tmp_path: Path) -> None:
    late, heard = await traded(tmp_path / "late", f"{EXACT}, minLatencyMs: 600, maxLatencyMs: 700")
    waits = [at_ns - placed_ns(late, order) for at_ns, order, _ in heard]
    assert len(waits) > 10 and min(waits) >= 600 * NS_PER_MS
    at_once, heard = await traded(tmp_path / "at_once", EXACT)
    waits = [at_ns - placed_ns(at_once, order) for at_ns, order, _ in heard]
    assert len(waits) > 10 and min(waits) < 600 * NS_PER_MS


async def test_orders_that_are_refused_or_unanswered_leave_the_books_right(tmp_path: Path) -> None:
    odds = "rejectProbability: 0.3, timeoutProbability: 0.3, partialFillProbability: 0.5"
    session, heard = await traded(tmp_path, odds)
    venue = session.orders.venue
    assert isinstance(venue, EmbeddedVenue)
    orders = list(session.orders.orders.values())
    met = {order.status for order in orders}
    assert (
        met <= {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.UNKNOWN}
        and orders
    )
    unknown = [order.order_id for order in orders if order.status is OrderStatus.UNKNOWN]
    last = [order.order_id for order in orders[-2:]]
    assert set(unknown) <= set(last), "only one of the last may not have been asked about at the market's end"
    flow = sum((fill.quantity * fill.side.sign for _, _, fill in heard), Decimal(0))
    assert session.ledger.holding("BTC-PERP").quantity == flow
    known = [fill.fill_id for fill in await venue.fills_since(0) if fill.client_order_id not in unknown]
    assert known == [fill.fill_id for _, order, fill in heard if order.order_id not in unknown]


@pytest.mark.parametrize(
    ("execution", "said"),
    [
        ("minLatencyMs: 200", "beyond max_latency_ms"),
        ("rejectProbability: 0.6, timeoutProbability: 0.6", "together are beyond 1"),
    ],
)
def test_odds_that_cannot_be_are_refused(tmp_path: Path, execution: str, said: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "interlock.yaml").write_text(f"execution: {{{execution}}}\n")
    with pytest.raises(ConfigError, match=said):
        load_settings(tmp_path, {})
