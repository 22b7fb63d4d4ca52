"""Before Hyperliquid has listed its markets: what is not known yet is not called unsupported or unknown."""

from __future__ import annotations

from decimal import Decimal

from seams.virtual import VirtualLoop, run_virtual
from tests.venues.test_hyperliquid_adapter import Rig
from venues.hyperliquid.evidence import HyperliquidEvidence
from venues.types import OrderRequest, OrderType, Side, TimeInForce

UNASKED = ("key_not_ready", "account_visibility_unavailable")


def request(symbol: str) -> OrderRequest:
    return OrderRequest(
        client_order_id="O-1-0001",
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal("0.01"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(59_000),
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(60_005),
    )


def test_a_market_is_called_unsupported_only_by_a_venue_that_has_listed_what_it_has() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = Rig(loop)
        evidence = HyperliquidEvidence(rig.adapter, rig.clock)
        for ask, more in ((evidence.preflight, ()), (evidence.readiness, UNASKED)):
            assert (await ask(request("BTC-PERP"))).reasons == (*more, "venue_not_ready")
        await rig.up()
        assert (await evidence.preflight(request("BTC-PERP"))).reasons == ()
        assert (await evidence.preflight(request("DOGE-PERP"))).reasons == ("market_not_supported",)
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_an_order_is_cancelled_before_the_markets_are_listed() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        name = await rig.place()
        await rig.adapter.close()
        rig.adapter = rig.make(rig.adapter.key)  # a new engine, that knows this name and nothing else yet
        await rig.adapter.cancel(name)
        assert not await rig.adapter.open_orders()
        await rig.adapter.close()

    run_virtual(play(), loop)
