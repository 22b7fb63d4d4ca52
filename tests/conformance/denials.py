"""How a venue that lacks something is shown to refuse it: with a reason, and with nothing sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.bench import LOT, Bench, Refused, demand_code
from tests.conformance.rig import Halt, Who
from tests.conformance.suite import Need, denial
from venues.contract import BalanceTeller, CashTeller, StateTeller
from venues.refusals import NO_DEAD_MAN, NO_FENCE, NO_REPLACE
from venues.types import Side


@denial(Need.REPLACE)
async def changes_no_order(bench: Bench) -> None:
    old = await bench.place()
    sent = len(bench.rig.sent())
    signed = bench.venue.sign_change(bench.request(), old, bench.nonce(), 0)
    assert signed.wire == b"", "nothing is signed that must not be sent"
    assert (await bench.refusal_of(signed)).code == NO_REPLACE
    truth = bench.truth(old)
    assert truth is not None and truth.is_live and len(bench.rig.sent()) == sent


@denial(Need.FENCE)
async def burns_no_nonce(bench: Bench) -> None:
    signed = bench.sign()
    with pytest.raises(Refused) as refused:
        await bench.venue.fence(signed)
    assert refused.value.code == NO_FENCE and not bench.rig.sent()
    assert bench.capabilities.has_expiry, "without a fence, bytes must at least expire"


@denial(Need.REDUCE_ONLY)
async def reduces_nothing(bench: Bench) -> None:
    """Spot: a purchase cannot reduce, and a sale that may open is a short."""
    for changes in ({"side": Side.BUY, "reduce_only": True}, {"side": Side.SELL, "reduce_only": False}):
        assert (await bench.refused(**changes)).code == "spot_no_short"
    assert not bench.rig.sent() and not bench.rig.live()


@denial(Need.FUNDING)
async def pays_nothing_by_the_clock(bench: Bench) -> None:
    assert not isinstance(bench.venue, CashTeller), "who has no funding tells none"
    await bench.buy()
    before = (await bench.venue.account()).cash_usd
    await bench.rig.hour()
    assert (await bench.venue.account()).cash_usd == before
    assert bench.rig.held() == LOT


@denial(Need.SUB_ACCOUNTS)
async def acts_for_no_sub_account(bench: Bench) -> None:
    with pytest.raises(ValueError, match="sub-account"):
        bench.rig.adapter(Who.SUB)


@denial(Need.BUDGET)
async def answers_a_flood(bench: Bench) -> None:
    """No budget is declared, so none may be met."""
    await bench.place()
    for _ in range(300):
        assert len(await bench.venue.open_orders()) == 1


@denial(Need.STATE)
async def says_nothing_of_itself(bench: Bench) -> None:
    """Nobody believes such a venue to be open for want of a message: what it refuses is learnt by asking."""
    assert not isinstance(bench.venue, StateTeller), "who has no such channel tells no state"
    bench.rig.halt(Halt.MARKET)
    assert (await bench.refused()).code == bench.terms.codes["halted"]
    assert bench.rig.live() == 0


@denial(Need.BALANCES)
async def pushes_no_balances(bench: Bench) -> None:
    """There is one source: what REST says follows a trade, and nothing claims to be a second."""
    assert not isinstance(bench.venue, BalanceTeller)
    before = (await bench.venue.account()).cash_usd
    await bench.buy()
    assert (await bench.venue.account()).cash_usd != before


@denial(Need.DEAD_MAN)
async def arms_no_switch(bench: Bench) -> None:
    """Whether the venue has none or refuses us: it is never said to be armed, and nothing is cancelled."""
    name = await bench.place()
    with pytest.raises(Refused) as refused:
        await bench.venue.cancel_all_after(60)
    demand_code(refused.value)
    assert refused.value.code in (NO_DEAD_MAN, "dead_man_refused")
    await bench.clock.sleep(61)
    truth = bench.truth(name)
    assert truth is not None and truth.is_live


@denial(Need.MARGIN)
async def lends_nothing(bench: Bench) -> None:
    """Paid in full: nothing beyond the cash is bought, so nothing can be taken away."""
    refusal = await bench.refused(quantity=Decimal(1_000))
    assert refusal.code == bench.terms.codes["unfunded"]
    account = await bench.venue.account()
    assert account.equity_usd == account.cash_usd and not account.positions
