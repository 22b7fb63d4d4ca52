"""The simulated exchange: hand-computed fills, each id executed once, faults as scripted, state kept."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seams.clock import NS_PER_S, FixedClock
from tests.venues.paper_orders import T0, D, fills, limit, order
from venues.contract import OutcomeUnknown, Refused, Retryable, VenueAdapter
from venues.sandbox.venue import Fault, FaultKind, SandboxVenue
from venues.types import (
    Accepted,
    Bar,
    BarOpen,
    Cancelled,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    Quote,
    Side,
    TimeInForce,
)


def opened(price: float, at_s: int = 60, symbol: str = "BTC-PERP") -> BarOpen:
    return BarOpen(symbol=symbol, open_ns=T0 + at_s * NS_PER_S, price=price)


def quote(bid: float, ask: float) -> Quote:
    return Quote(symbol="BTC-PERP", at_ns=T0, bid=bid, ask=ask)


def venue_with_events(**options: object) -> tuple[SandboxVenue, list[OrderEvent]]:
    venue, events = SandboxVenue(FixedClock(T0), **options), []  # type: ignore[arg-type]
    venue.on_order_event(events.append)
    return venue, events


def test_it_is_a_venue_adapter() -> None:
    adapter: VenueAdapter = SandboxVenue(FixedClock())
    assert adapter.capabilities().has_reduce_only
    assert len(adapter.instruments()) == 4


async def test_a_market_order_fills_at_the_next_open_with_slippage_and_taker_fee() -> None:
    venue, events = venue_with_events(slippage_bps=2.0, taker_fee_bps=D("4.5"))
    await venue.submit(order())
    venue.on_market(quote(59_999, 60_001))
    venue.on_market(opened(3_000.0, symbol="ETH-PERP"))
    assert [type(event) for event in events] == [Accepted]
    venue.on_market(opened(60_000.0))
    (fill,) = fills(events)
    assert float(fill.price) == 60_000.0 * (1.0 + 1 * 2.0 * 1e-4)
    assert fill.fee == D("13.50270000")  # 0.5 * 60,012 * 4.5 / 10,000
    account = await venue.account()
    assert account.cash_usd == D(100_000) - D("13.5027")
    assert account.equity_usd == account.cash_usd - D("0.5") * D(12)


async def test_a_round_trip_realises_its_result() -> None:
    venue, events = venue_with_events(slippage_bps=0.0, taker_fee_bps=D(10))
    await venue.submit(order("A"))
    venue.on_market(opened(60_000.0))
    await venue.submit(order("B", side=Side.SELL, quantity=D("0.8")))
    venue.on_market(opened(61_000.0, 120))
    account = await venue.account()
    # +0.5 * 1,000 realised; fees 30 and 48.8; 0.3 short from 61,000.
    assert account.cash_usd == D(100_000) + 500 - 30 - D("48.8")
    assert (account.positions[0].quantity, account.positions[0].entry_price) == (D("-0.3"), D(61_000))
    assert [fill.fill_id for fill in fills(events)] == ["SBXF-0000001", "SBXF-0000002"]


async def test_next_quote_fills_at_the_far_side_rounded_against_us() -> None:
    venue, events = venue_with_events(fill_at="next_quote", slippage_bps=1.0)
    await venue.submit(order("A"))
    await venue.submit(order("B", side=Side.SELL))
    venue.on_market(quote(59_999.9, 60_000.1))
    assert [fill.price for fill in fills(events)] == [D("60006.2"), D("59993.9")]


async def test_fills_at_the_open_may_be_rounded_to_the_tick() -> None:
    venue, events = venue_with_events(slippage_bps=1.0, price_grid="tick")
    await venue.submit(order("A"))
    await venue.submit(order("B", side=Side.SELL))
    venue.on_market(opened(60_000.5))
    assert [fill.price for fill in fills(events)] == [
        D("60006.6"),
        D("59994.4"),
    ]  # 60,006.50005; 59,994.49995


async def test_a_market_order_beyond_its_bound_is_cancelled() -> None:
    venue, events = venue_with_events(slippage_bps=0.0)
    await venue.submit(order("A", limit_price=D(60_100)))
    venue.on_market(opened(60_100.1))
    assert isinstance(events[-1], Cancelled)
    assert events[-1].reason == "price_bound"
    assert not fills(events)


async def test_a_limit_order_rests_until_the_price_trades_through() -> None:
    venue, events = venue_with_events(maker_fee_bps=D(1))
    venue.on_market(quote(60_000, 60_001))
    await venue.submit(limit("A", "59900"))
    bar = {"symbol": "BTC-PERP", "open": 59_950.0, "high": 60_000.0, "close": 59_950.0, "volume": 1.0}
    venue.on_market(
        Bar(open_ns=T0 - 60 * NS_PER_S, close_ns=T0, low=59_000.0, **bar)
    )  # began before the order
    venue.on_market(Bar(open_ns=T0, close_ns=T0 + 60 * NS_PER_S, low=59_900.0, **bar))  # a touch
    assert [each.status for each in await venue.open_orders()] == [OrderStatus.OPEN]
    venue.on_market(Bar(open_ns=T0 + 60 * NS_PER_S, close_ns=T0 + 120 * NS_PER_S, low=59_899.9, **bar))
    (fill,) = fills(events)
    assert (fill.price, fill.fee, fill.is_maker) == (D(59_900), D("2.995"), True)
    assert not await venue.open_orders()


async def test_cancel_ends_a_resting_order_once() -> None:
    venue, events = venue_with_events()
    await venue.submit(limit("A", "59900"))
    await venue.cancel("A")
    assert isinstance(events[-1], Cancelled)
    for oid, code in (("A", "already_ended"), ("B", "unknown_order")):
        with pytest.raises(Refused, match=code):
            await venue.cancel(oid)


async def test_reduce_only_never_opens_or_flips() -> None:
    venue, events = venue_with_events()
    with pytest.raises(Refused, match="reduce_only_nothing"):
        await venue.submit(order("A", reduce_only=True))
    await venue.submit(order("B"))
    venue.on_market(opened(60_000.0))
    for oid in ("C", "E"):
        await venue.submit(order(oid, side=Side.SELL, quantity=D("0.4"), reduce_only=True))
    venue.on_market(opened(60_000.0, 120))
    assert [fill.quantity for fill in fills(events)] == [D("0.5"), D("0.4"), D("0.1")]
    assert [event.client_order_id for event in events if isinstance(event, Cancelled)] == ["E"]
    assert (await venue.account()).positions == ()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order(symbol="DOGE"), "unknown_symbol"),
        (order(quantity=D("0.00005")), "bad_quantity"),
        (order(quantity=D(0)), "bad_quantity"),
        (order(quantity=D("NaN")), "bad_quantity"),
        (order(quantity=D("0.0001")), "min_notional"),
        (order(quantity=D(100)), "insufficient_margin"),
        (limit("A", "59900.05"), "bad_price"),
        (limit("A", "60100", time_in_force=TimeInForce.POST_ONLY), "post_only_would_cross"),
    ],
)
async def test_what_a_venue_would_refuse_is_refused_with_a_code(request_: OrderRequest, code: str) -> None:
    venue, events = venue_with_events()
    venue.on_market(quote(59_999, 60_001) if code != "min_notional" else quote(50_000, 50_001))
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            await venue.submit(request_)
        assert refusal.value.code == code
    assert not events
    assert venue.journal["A"].status is OrderStatus.REJECTED
    assert venue.journal["A"].received == 2


async def test_scripted_faults_meet_the_nth_order() -> None:
    venue, events = venue_with_events()
    venue.script(Fault(nth=1, kind=FaultKind.REJECT, code="max_orders"))
    venue.script(Fault(nth=2, kind=FaultKind.APPLY_THEN_DROP))
    venue.script(Fault(nth=3, kind=FaultKind.DROP_WITHOUT_APPLY))
    venue.script(Fault(nth=4, kind=FaultKind.RETRYABLE))
    with pytest.raises(Refused, match="max_orders"):
        await venue.submit(order("A"))
    for oid in ("B", "C"):
        with pytest.raises(OutcomeUnknown):
            await venue.submit(order(oid))
    with pytest.raises(Retryable):
        await venue.submit(order("E"))
    assert not events
    applied = await venue.query("B")
    assert applied is not None
    assert applied.status is OrderStatus.OPEN
    assert await venue.query("C") is None
    venue.on_market(opened(60_000.0))
    assert [fill.client_order_id for fill in await venue.fills_since(0)] == ["B"]


async def test_one_id_cannot_name_two_orders() -> None:
    venue, _ = venue_with_events()
    await venue.submit(order("A"))
    with pytest.raises(Refused, match="duplicate_client_order_id"):
        await venue.submit(order("A", quantity=D("0.4")))
    assert venue.journal["A"].request.quantity == D("0.5")


async def test_the_state_survives_json_and_goes_on_where_it_was() -> None:
    venue, _ = venue_with_events()
    await venue.submit(order("A"))
    venue.on_market(opened(60_000.0))
    await venue.submit(order("B"))
    await venue.submit(limit("C", "100"))
    text = json.dumps(venue.export_state())
    again, events = venue_with_events()
    again.import_state(json.loads(text))
    assert again.export_state() == venue.export_state()
    assert await again.account() == await venue.account()
    await again.submit(order("A"))
    again.on_market(opened(60_000.0, 120))
    assert [fill.client_order_id for fill in fills(events)] == ["B"]
    assert fills(events)[0].fill_id == "SBXF-0000002"
    with pytest.raises(ValueError, match="version"):
        again.import_state(json.loads(text) | {"version": 9})
    with pytest.raises(ValueError, match="not a sandbox state"):
        again.import_state({"account": 1})
    assert len(again.journal) == 3


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("submit"), st.integers(0, 5), st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 4)
        ),
        st.tuples(st.just("open"), st.integers(0, 0), st.just(Side.BUY), st.integers(90, 110)),
        st.tuples(st.just("restart"), st.integers(0, 0), st.just(Side.BUY), st.integers(0, 0)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(STEPS, st.dictionaries(st.integers(1, 8), st.sampled_from(list(FaultKind)), max_size=4))
def test_no_id_is_ever_executed_twice(
    steps: list[tuple[str, int, Side, int]], faults: dict[int, FaultKind]
) -> None:
    """Repeats, faults and restarts in any order: what is filled per id never exceeds what was ordered."""
    venue, events = venue_with_events()
    for nth, kind in faults.items():
        venue.script(Fault(nth=nth, kind=kind))

    async def submit(number: int, side: Side, lots: int) -> None:
        with contextlib.suppress(Refused, Retryable, OutcomeUnknown):
            await venue.submit(
                order(f"O{number}", side=side, quantity=D(lots) / 10, reduce_only=number % 2 == 1)
            )

    for what, number, side, amount in steps:
        if what == "submit":
            asyncio.run(submit(number, side, amount))
        elif what == "open":
            venue.on_market(opened(amount * 600.0))
        else:
            state = json.loads(json.dumps(venue.export_state()))
            venue, _ = venue_with_events()
            venue.on_order_event(events.append)
            venue.import_state(state)
    done = fills(events)
    assert len({fill.fill_id for fill in done}) == len(done)
    for oid, entry in venue.journal.items():
        filled = sum((fill.quantity for fill in done if fill.client_order_id == oid), D(0))
        assert filled == entry.filled <= entry.request.quantity
    signed = sum((fill.quantity * fill.side.sign for fill in done), D(0))
    assert sum((p.quantity for p in asyncio.run(venue.account()).positions), D(0)) == signed
