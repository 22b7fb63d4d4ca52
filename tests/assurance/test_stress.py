"""Under twice the load, and on the way out: the throttle keeps its share, exits stay in the collar."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.api.commands import PaperStart
from engine.closing import closing_intent, closing_limit, slice_of
from engine.config.risk import RiskBlock
from engine.daemon import Engine, Seams, build_core
from engine.flatten import _close_slice, flatten
from engine.trading.pipeline import bounds_of
from engine.trading.traffic import RATE_WINDOW_NS, Traffic
from safety.canonical import changed
from safety.killbyte import KillByte
from safety.preflight import preflight
from seams.clock import NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from tests.safety.safety_builders import facts, instrument, intent, policy
from venues.types import Instrument, Side

D = Decimal
RISK = RiskBlock()
PEAK_PER_S = RISK.message_rate_per_s
"""The rate that the desk is configured for: more than the bundled strategies ever send."""


def test_at_twice_the_peak_the_gates_stand_and_cancels_pass() -> None:
    """A minute of submits at twice the peak and a cancel for each: the throttle never gives way."""
    traffic, bounds = Traffic(), policy()
    limit = bounds_of(RISK)["max_messages_per_window"]
    assert isinstance(limit, int)
    bounds = changed(bounds, max_messages_per_window=limit, cancel_reserve=D(str(RISK.cancel_reserve)))
    submits: list[int] = []
    refused = cancels = 0
    for turn in range(round(60 * 2 * PEAK_PER_S)):
        now_ns = round(turn * NS_PER_S / (2 * PEAK_PER_S))
        wish = intent(request_id=f"R-{turn}")
        seen = facts(messages_in_window=traffic.messages(now_ns))
        verdict = preflight(wish, seen, bounds, instrument())
        if verdict.allowed:
            traffic.sent(now_ns, wish.symbol, wish.side, wish.request_id, is_entry=True)
            submits.append(now_ns)
        else:
            assert verdict.reasons == ("message_rate_exceeded",)
            refused += 1
        if turn % 4 == 0:  # a cancel is counted, and is asked by nobody whether it may
            traffic.message(now_ns)
            cancels += 1
    assert refused > len(submits) > 0 and cancels == 2 * PEAK_PER_S * 60 / 4
    for at_ns in submits:
        in_window = [each for each in submits if 0 <= at_ns - each < RATE_WINDOW_NS]
        assert len(in_window) <= limit * (1 - RISK.cancel_reserve)


def _coin(lot: str, tick: str = "0.01") -> Instrument:
    return changed(instrument(), lot=D(lot), tick=D(tick))


@given(
    units=st.integers(min_value=1, max_value=10**7),
    mark=st.decimals(min_value="0.01", max_value="100000", places=2),
    most=st.integers(min_value=1, max_value=100_000),
    lot=st.sampled_from(["0.001", "0.1", "1"]),
    sign=st.sampled_from([1, -1]),
)
def test_slices_of_any_position_add_up_and_none_is_larger_than_an_order(
    units: int, mark: Decimal, most: int, lot: str, sign: int
) -> None:
    coin, left, sent = _coin(lot), D(units) * D(lot) * sign, 0
    whole = left
    while left and sent < 50:
        part = slice_of(coin, left, mark, D(most))
        assert part % D(lot) == 0 and part * sign > 0 and abs(part) <= abs(left)
        assert abs(part) * mark <= max(D(most), mark * D(lot)) + mark * D(lot)
        left, sent = left - part, sent + 1
    assert left == 0 or abs(left) < abs(whole)


@given(
    mark=st.decimals(min_value="0.05", max_value="100000", places=2),
    collar=st.decimals(min_value="0.0001", max_value="0.5", places=4),
    side=st.sampled_from(list(Side)),
)
def test_a_closing_price_is_never_beyond_the_desks_collar(mark: Decimal, collar: Decimal, side: Side) -> None:
    coin = _coin("0.001", "0.01")
    limit = closing_limit(coin, side, mark, collar)
    assert (limit - mark) * side.sign <= mark * min(collar, D("0.01"))
    wish = closing_intent(
        coin,
        D(-side.sign),
        mark,
        name="F",
        session_id="S",
        account="A-1",
        fingerprint="c" * 64,
        collar=collar,
    )
    verdict = preflight(
        wish, facts(mark_price=mark), policy(price_collar_bps=collar * 10_000), coin
    )  # fmt: skip
    assert "price_collar_exceeded" not in verdict.reasons


async def test_a_slice_that_is_refused_leaves_no_ticket_for_a_person(tmp_path: Path) -> None:
    """It would pass every hold as a flatten, at whatever time somebody approved it."""
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    engine = Engine(core)
    try:
        start = PaperStart(strategies=("ema_cross",), scenario="bull", seed=3, speed=60.0)
        session = engine.desk.start_paper(start, "tester", "R-1").session
        async with asyncio.timeout(60):
            while not session.ledger.open_holdings():  # noqa: ASYNC110  # what is awaited has no event
                await asyncio.sleep(0.01)
        held, before = session.ledger.open_holdings()[0], {row.id for row in core.tickets.all()}
        session.judge = lambda intent: changed(  # type: ignore[method-assign]
            preflight(*session._snapshot(intent)), allowed=False, reasons=("price_collar_exceeded",)
        )
        assert not await _close_slice(core, session, held, "ana")
        assert {row.id for row in core.tickets.all()} == before
        assert any("price_collar_exceeded" in row.text for row in core.events.page())
    finally:
        await engine.close()


async def test_a_flatten_stays_within_the_collar_and_goes_in_slices(tmp_path: Path) -> None:
    """A desk whose collar is half a percent, and whose orders are a fifth of its position, ends flat."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "interlock.yaml").write_text("risk: {price_collar: 0.005}\n")
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    engine = Engine(core)
    try:
        start = PaperStart(strategies=("ema_cross",), scenario="bull", seed=3, speed=60.0)
        entry = engine.desk.start_paper(start, "tester", "R-1")
        async with asyncio.timeout(60):
            while not entry.session.ledger.open_holdings():  # noqa: ASYNC110  # what is awaited has no event
                await asyncio.sleep(0.01)
        held = entry.session.ledger.open_holdings()[0]
        tighter = core.settings.risk.model_copy(update={"max_order_notional_usd": 2500.0})
        core.settings = core.settings.model_copy(update={"risk": tighter})
        done = await flatten(core, engine.desk, "ana", "practice")
        assert done.is_flat and held.symbol in done.closed
        exits = [order for order in entry.session.orders.orders.values() if order.is_flatten and order.filled]
        assert len(exits) >= 4
        for order in exits:
            request = order.request
            away = (request.limit_price - request.mark_price) * request.side.sign
            assert away <= request.mark_price * D("0.005")
            assert request.quantity * request.mark_price <= D("2500") + request.mark_price * D("0.01")
    finally:
        await engine.close()
