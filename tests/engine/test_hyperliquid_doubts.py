"""Orders under random faults of the loopback Hyperliquid: whatever goes wrong on the way, in the end our
record says what the venue says, and nothing was placed twice."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.trading.custody import Verdict
from engine.trading.working import ManagedOrder
from seams.http import decode_request
from seams.virtual import VirtualLoop, run_virtual
from tests.engine.house import begin_session, send_whole
from tests.engine.test_custody_hyperliquid import House
from tests.venues.test_hyperliquid_adapter import Rig
from venues.contract import Fence, OutcomeUnknown, Refused, Signed
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

REQUESTS = ("order", "order", "order", "orderStatus", "noop", "userFillsByTime", "frontendOpenOrders")
VALUES = {Strike.DELAY_BEFORE: 3.0, Strike.DELAY_AFTER: 6.0, Strike.DRIP: 0.5, Strike.STATUS: 502.0}
VALUES |= {Strike.STATUS_WITHOUT_APPLY: 500.0}
TEXTS = {
    Strike.SAY: '{"status":"ok"}',
    Strike.APPLY_THEN_SAY: "[]",
    Strike.REDIRECT: "http://elsewhere.invalid/",
}
ORDERS = 12


async def send(house: House, number: int, chance: random.Random) -> ManagedOrder:
    """Send one order the whole way: ticket, rule, record, gate, wire."""
    is_market = chance.random() < 0.5
    price = Decimal(60_010) if is_market else Decimal(59_000 + 10 * number)
    request = OrderRequest(
        client_order_id=f"O-1-{number:04d}",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.001"),
        order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
        limit_price=price,
        time_in_force=TimeInForce.IOC if is_market else TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(60_005),
    )
    return await send_whole(
        house.custody, request, f"D-1-{number:04d}", limit_price=price, stop_loss=Decimal(50_000)
    )


def strike_at_random(rig: Rig, chance: random.Random) -> None:
    """Let one request and perhaps one push go wrong, soon."""
    strike = chance.choice([each for each in Strike if each is not Strike.STATE])  # Kraken's own
    rig.exchange.program.add(
        Fault(
            nth=chance.randint(1, 2),
            on=chance.choice(REQUESTS),
            strike=strike,
            value=VALUES.get(strike, 0.0),
            text=TEXTS.get(strike, ""),
        )
    )
    if chance.random() < 0.6:
        channel = chance.choice(("orderUpdates", "userFills"))
        push = chance.choice(list(PushStrike))
        rig.exchange.pushes.add(PushFault(nth=1, on=channel, strike=push, for_ms=2_000))


async def play(loop: VirtualLoop, folder: Path, seed: int) -> int:
    """Send orders through faults; then let both sides agree. Return how many faults struck."""
    chance = random.Random(seed)
    rig = await Rig(loop).up()
    rig.desk.user.cash = Decimal(1_000_000)
    house = House(folder, rig)
    begin_session(house.custody, "BTC-PERP")
    assert await house.settle() is Verdict.CLEAN
    rig.exchange.lag_ms = chance.choice((0, 300, 1_100))
    orders = []
    for number in range(1, ORDERS + 1):
        strike_at_random(rig, chance)
        orders.append(await send(house, number, chance))
        if chance.random() < 0.3 and orders[-1].is_alive:
            await house.custody.orders.cancel(orders[-1].order_id)
        for _ in range(chance.randint(0, 3)):
            await house.custody.tend()
            await rig.clock.sleep(chance.choice((0.1, 1.0)))
    struck = len(rig.exchange.program.struck) + len(rig.exchange.pushes.struck)
    rig.exchange.program._waiting.clear()
    rig.exchange.pushes._waiting.clear()
    await converge(house)
    compare(house, orders)
    await rig.adapter.close()
    house.custody.core.store.close()
    return struck


async def converge(house: House) -> None:
    """Faults have stopped: within a minute both sides agree."""
    for _ in range(60):
        house.custody.is_dirty = True
        await house.custody.tend()
        if house.custody.verdict is Verdict.CLEAN and not house.custody.orders.unknown():
            return
        await house.rig.clock.sleep(1)
    raise AssertionError((house.custody.verdict, house.custody.differences, house.custody.orders.unknown()))


def compare(house: House, orders: list[ManagedOrder]) -> None:
    """Every order of ours is at the venue at most once, and both sides say the same of it."""
    rig = house.rig
    ids = rig.adapter._cloids
    placed: dict[str, list[object]] = {}
    for theirs in rig.desk.user.orders.values():
        placed.setdefault(ids.name_of(theirs.cloid, theirs.oid), []).append(theirs)
    assert set(placed) <= {order.order_id for order in orders}, "nothing at the venue is a stranger"
    filled = Decimal(0)
    for order in orders:
        copies = [each for each in rig.desk.user.orders.values() if each.cloid == ids.of(order.order_id)]
        assert len(copies) <= 1, f"{order.order_id} was placed {len(copies)} times"
        assert order.status is not OrderStatus.UNKNOWN
        if not copies:
            assert order.status is OrderStatus.REJECTED and order.filled == 0, order
            continue
        theirs = copies[0]
        assert order.filled == theirs.size - theirs.remaining
        assert order.is_alive == theirs.is_live, (order, theirs)
        filled += order.filled
    held = rig.desk.user.positions.get("BTC")
    assert filled == (held.szi if held else 0) == house.custody.ledger.holding("BTC-PERP").quantity


@pytest.mark.parametrize("seed", range(12))
def test_doubts_end_in_what_the_venue_proves(tmp_path: Path, seed: int) -> None:
    loop = VirtualLoop()
    struck = run_virtual(play(loop, tmp_path, seed), loop)
    assert struck > 5, "the faults did strike"


@pytest.mark.parametrize("plant", ["refused", "sent_anew", "fence_dead"])
def test_a_planted_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    """A lost answer taken for a refusal, an order signed and sent anew, a fence that always holds."""
    if plant == "refused":
        monkeypatch.setattr(HyperliquidAdapter, "submit", doubt_is_refusal(HyperliquidAdapter.submit))
    elif plant == "sent_anew":
        monkeypatch.setattr(HyperliquidAdapter, "submit", sent_anew(HyperliquidAdapter.submit))
    else:
        monkeypatch.setattr(HyperliquidAdapter, "fence", always_dead)

    def is_found(seed: int) -> bool:
        loop = VirtualLoop()
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            run_virtual(play(loop, folder, seed), loop)
        except AssertionError:
            return True
        return False

    assert any(is_found(seed) for seed in range(12))


def doubt_is_refusal(submit: Any) -> Any:
    async def planted(self: HyperliquidAdapter, *given: Any) -> None:
        try:
            await submit(self, *given)
        except OutcomeUnknown as doubt:
            raise Refused("planted", str(doubt)) from doubt

    return planted


def sent_anew(submit: Any) -> Any:
    async def planted(self: HyperliquidAdapter, signed: Signed, *given: Any) -> None:
        try:
            await submit(self, signed, *given)
        except OutcomeUnknown:
            found = decode_request(signed.wire)
            assert found is not None
            said = msgspec.json.decode(found[0].body)
            nonce = said["nonce"] + 500
            wire = self._client.signed(said["action"], nonce, said["expiresAfter"])
            await submit(
                self,
                Signed(
                    client_order_id=signed.client_order_id,
                    nonce=nonce,
                    valid_until_ns=signed.valid_until_ns,
                    wire=wire,
                ),
                *given,
            )

    return planted


async def always_dead(self: HyperliquidAdapter, signed: Signed) -> Fence:
    return Fence.DEAD
