"""An engine on the account of an exchange that is another process: killed, refused, cut off, found again."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api.commands import Flatten, FlattenDone
from engine.offline import flatten_offline
from safety.killbyte import KillLevel
from venues.contract import Refused
from venues.sandbox.link import ExchangeLink
from venues.types import OrderRequest, OrderType, Side, TimeInForce

from .conftest import eventually
from .live import ExchangeProcess, LiveRig


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveRig]:
    exchange = ExchangeProcess(tmp_path / "exchange")
    rig = LiveRig(tmp_path / "home", exchange)
    yield rig
    await rig.close()
    exchange.close()


def order(name: str) -> OrderRequest:
    return OrderRequest(
        client_order_id=name,
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.01"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(1_000),
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(64_000),
    )


async def test_a_killed_engine_finds_its_account_again_and_nothing_is_lost_or_doubled(live: LiveRig) -> None:
    client = await live.start()
    assert await live.synced() == "clean"
    await live.trade_live(client)
    await live.kill_hard()
    await live.start()
    assert await live.synced(after=1) == "clean"
    arrived = live.exchange.arrived()
    names = [place.order.client_order_id for _, place in arrived]
    ours = {row[0] for row in live.rows("SELECT client_order_id FROM orders")}
    assert names and set(names) <= ours
    assert len({frame for frame, _ in arrived}) == len(set(names)), "an order was signed anew"
    held = {p.symbol: p.quantity for p in (await live.exchange.link().account()).positions}
    booked: dict[str, Decimal] = {}
    for symbol, side, quantity in live.rows("SELECT symbol, side, quantity FROM fills"):
        signed = Decimal(str(quantity)) * Side(str(side)).sign
        booked[str(symbol)] = booked.get(str(symbol), Decimal(0)) + signed
    assert {symbol: quantity for symbol, quantity in booked.items() if quantity} == held


async def test_a_key_file_that_others_can_read_stops_the_start(live: LiveRig) -> None:
    os.chmod(live.exchange.ready.keys["engine"], 0o644)
    process = live.process = live.spawn()
    await eventually(lambda: process.poll() is not None, live.log)
    assert process.returncode == 2
    assert "secret_exposed" in live.log()


async def test_without_an_address_a_live_engine_does_not_start(live: LiveRig) -> None:
    process = live.process = live.spawn(INTERLOCK_EXECUTION__VENUE_URL="")
    await eventually(lambda: process.poll() is not None, live.log)
    assert process.returncode == 2
    assert "invalid_config" in live.log() and "venue_url" in live.log()


async def test_a_live_engine_does_not_start_with_its_watchdogs_key(live: LiveRig) -> None:
    keys = live.exchange.ready.keys
    process = live.process = live.spawn(
        INTERLOCK_WATCHDOG__KEY_FILE=keys["watchdog"], INTERLOCK_EXECUTION__VENUE_KEY_FILE=keys["watchdog"]
    )
    await eventually(lambda: process.poll() is not None, live.log)
    assert process.returncode == 2
    assert "invalid_config" in live.log() and "each needs its own" in live.log()


async def test_the_watchdog_key_cancels_and_cannot_open(live: LiveRig) -> None:
    trader, watchdog = live.exchange.link("engine"), live.exchange.link("watchdog")
    now_ns = await trader.time_ns()
    await trader.submit(trader.sign(order("mine-1"), now_ns // 1_000_000, 0))
    with pytest.raises(Refused, match="not_permitted"):
        await watchdog.submit(watchdog.sign(order("mine-2"), now_ns // 1_000_000 + 1, 0))
    assert (await watchdog.query("mine-2")) is None
    await watchdog.cancel_all()

    async def is_gone() -> bool:
        return not await watchdog.open_orders()

    await eventually(is_gone)


async def test_a_flatten_after_a_crash_closes_what_no_session_watches(live: LiveRig) -> None:
    client = await live.start()
    await live.synced()
    await live.trade_live(client)
    watchdog = live.exchange.link()
    await eventually(lambda: _holds(watchdog), live.log)
    await live.kill_hard()
    client = await live.start()
    await live.synced(after=1)
    done = await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="residue")
    assert done.is_flat and done.closed
    assert not await _holds(watchdog)
    orders = live.rows("SELECT reduce_only FROM orders WHERE strategy = 'operator:flatten'")
    assert orders and all(row == (1,) for row in orders)


async def _holds(link: ExchangeLink) -> bool:
    return any(position.quantity for position in (await link.account()).positions)


@pytest.mark.parametrize("is_frozen", [False, True], ids=["dead engine", "frozen engine"])
async def test_flatten_works_with_no_engine_to_ask(live: LiveRig, is_frozen: bool) -> None:
    client = await live.start()
    await live.synced()
    await live.trade_live(client)
    watchdog = live.exchange.link()
    await eventually(lambda: _holds(watchdog), live.log)
    if is_frozen:
        os.kill(live.pid, signal.SIGSTOP)
    else:
        await live.kill_hard()
    found = await flatten_offline(live.home, live.environ(), "ada", "nobody answers")
    assert (found.way, found.done.is_flat) == ("bare" if is_frozen else "record", True)
    assert found.done.closed and not await _holds(watchdog)
    assert live.latch() is KillLevel.CLOSE_ONLY
    if not is_frozen:
        await live.start()
        assert await live.synced(after=2) == "clean", "what was closed by the record is booked"
