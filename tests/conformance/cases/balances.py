"""Balances: what the stream says an account holds is what REST says, also after a message was lost."""

from __future__ import annotations

from tests.conformance.bench import LOT, Bench
from tests.conformance.suite import Need, case
from venues.contract import BalanceTeller, Pushed


def teller(bench: Bench) -> BalanceTeller:
    assert isinstance(bench.venue, BalanceTeller)
    return bench.venue


async def agree(bench: Bench) -> bool:
    """Tell whether both sources say the same now."""
    pushed, asked = teller(bench).pushed(), await bench.venue.account()
    held = {each.symbol: each.quantity for each in asked.positions if each.quantity}
    return pushed is not None and pushed.held == held and abs(pushed.cash_usd - asked.cash_usd) < 0.01


async def until_they_agree(bench: Bench) -> Pushed:
    for _ in range(30):
        if await agree(bench):
            break
        await bench.clock.sleep(1.0)
        bench.rig.beat()
        await bench.rig.settle()
    pushed = teller(bench).pushed()
    assert pushed is not None and await agree(bench)
    return pushed


@case(Need.BALANCES)
async def the_stream_says_what_rest_says_before_and_after_a_trade(bench: Bench) -> None:
    before = await until_they_agree(bench)
    await bench.buy()
    after = await until_they_agree(bench)
    assert after.cash_usd != before.cash_usd
    assert after.held == {bench.terms.symbol: LOT}


@case(Need.BALANCES)
async def a_lost_balance_is_mended_by_a_whole_picture(bench: Bench) -> None:
    told = teller(bench)
    before = await until_they_agree(bench)
    bench.rig.lose_balances()
    await bench.buy()
    await bench.clock.sleep(0.5)
    told.push_anew()
    after = await until_they_agree(bench)
    assert after.whole_ns > before.whole_ns and after.held == {bench.terms.symbol: LOT}


@case(Need.BALANCES)
async def what_a_broken_stream_said_is_not_told_any_more(bench: Bench) -> None:
    await until_they_agree(bench)
    bench.rig.break_streams()
    await bench.until(lambda: teller(bench).pushed() is None)
    await until_they_agree(bench)
