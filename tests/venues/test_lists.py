"""A venue's lists are asked for again: a change is known within the hour, and an old list sizes nothing."""

from __future__ import annotations

import pytest

from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.venues import test_hyperliquid_adapter as hyperliquid
from tests.venues import test_kraken_adapter as kraken
from venues.contract import OutcomeUnknown, Refused
from venues.lists import EVERY_S, RETRY_S, STALE_S, Lists
from venues.sandbox.programs import Fault, Strike


class Venue:
    """Says what it lists, or nothing."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.clock, self.asked, self.is_silent = VirtualClock(self.loop), 0, False

    async def ask(self) -> None:
        self.asked += 1
        if self.is_silent:
            raise OutcomeUnknown("nobody answers")


def test_it_is_asked_each_hour_and_soon_after_a_refusal_that_it_explains() -> None:
    venue = Venue()

    async def play() -> None:
        lists = Lists(venue.ask, venue.clock)
        refused = lists.problem()
        assert refused is not None and refused.code == "metadata_stale"
        lists.start("lists")
        await venue.clock.sleep(1)
        assert venue.asked == 1 and lists.problem() is None
        await venue.clock.sleep(EVERY_S - RETRY_S)
        assert venue.asked == 1
        await venue.clock.sleep(2 * RETRY_S)
        assert venue.asked == 2
        lists.heard(Refused("insufficient_margin", "too little"))
        await venue.clock.sleep(2 * RETRY_S)
        assert venue.asked == 2, "no list explains that"
        lists.heard(Refused("bad_price", "Price must be divisible by tick size."))
        await venue.clock.sleep(2 * RETRY_S)
        assert venue.asked == 3
        await lists.close()

    run_virtual(play(), venue.loop)


def test_what_is_old_sizes_nothing_until_it_is_answered() -> None:
    venue = Venue()

    async def play() -> None:
        lists = Lists(venue.ask, venue.clock)
        lists.start("lists")
        await venue.clock.sleep(1)
        venue.is_silent = True
        await venue.clock.sleep(STALE_S - RETRY_S)
        assert lists.problem() is None and venue.asked > 100, "asked again and again from the hour on"
        await venue.clock.sleep(2 * RETRY_S)
        refused = lists.problem()
        assert refused is not None and "6.0 hours ago" in str(refused)
        venue.is_silent = False
        await venue.clock.sleep(2 * RETRY_S)
        assert lists.problem() is None
        await lists.close()

    run_virtual(play(), venue.loop)


HOUR_S = EVERY_S + 2 * RETRY_S


def test_kraken_takes_over_what_changed_and_refuses_what_is_listed_no_more() -> None:
    async def life(rig: kraken.Rig) -> None:
        assert (await rig.place()).wire
        rig.desk.exchange.trading.pair_status["XXBTZUSD"] = "cancel_only"
        await rig.clock.sleep(HOUR_S)
        with pytest.raises(Refused, match="BTC-USD is cancel_only"):
            await rig.place()
        rig.desk.exchange.trading.pair_status["XXBTZUSD"] = "online"
        empty = '{"error":[],"result":{}}'
        rig.desk.exchange.program.add(Fault(nth=1, on="AssetPairs", strike=Strike.SAY, text=empty))
        await rig.clock.sleep(HOUR_S)
        with pytest.raises(Refused, match="BTC-USD is delisted"):
            await rig.place()
        assert {each.symbol for each in rig.adapter.instruments()} >= {"BTC-USD"}, (
            "what is held keeps its name"
        )
        await rig.clock.sleep(HOUR_S)
        assert (await rig.place()).wire

    kraken.virtual(life)


def test_kraken_sizes_by_what_it_brings_along_for_a_short_while_only() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = kraken.Rig(loop)
        for nth in range(1, 200):
            rig.desk.exchange.program.add(
                Fault(nth=nth, on="AssetPairs", strike=Strike.STATUS_WITHOUT_APPLY, value=502)
            )
        await rig.up()
        assert (await rig.place()).wire
        await rig.clock.sleep(60)
        before = len(rig.desk.exchange.log)
        signed = rig.sign()
        assert signed.wire == b""
        with pytest.raises(Refused, match="metadata_stale: the venue last said what it lists never"):
            await rig.adapter.submit(signed)
        assert all("AddOrder" not in str(each) for each in list(rig.desk.exchange.log)[before:])
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_hyperliquid_takes_over_a_new_lot_after_the_venue_refused_by_it() -> None:
    async def scene(rig: hyperliquid.Rig) -> None:
        await rig.place()
        said = '{"universe":[{"name":"BTC","szDecimals":1,"maxLeverage":40,"marginTableId":56}]}'
        item = '{"error":"Order has invalid size. asset=0"}'
        refused = '{"status":"ok","response":{"type":"order","data":{"statuses":[' + item + "]}}}"
        rig.strike(Strike.SAY, text=refused)
        rig.strike(Strike.SAY, on="meta", text=said)
        with pytest.raises(Refused, match="bad_quantity"):
            await rig.place()
        arrived = len(rig.bodies)
        await rig.clock.sleep(2 * RETRY_S)
        with pytest.raises(Refused, match="bad_quantity"):
            await rig.place()
        assert len(rig.bodies) == arrived, "now it is refused here"
        market = rig.adapter.market_of("BTC-PERP")
        assert market is not None and market.sz_decimals == 1

    hyperliquid.on_rig(scene)


def test_hyperliquid_sizes_nothing_by_an_old_list() -> None:
    async def scene(rig: hyperliquid.Rig) -> None:
        for nth in range(1, 2_000):
            rig.strike(Strike.STATUS_WITHOUT_APPLY, on="meta", nth=nth, value=502)
        await rig.clock.sleep(STALE_S + 60)
        arrived = len(rig.bodies)
        with pytest.raises(Refused, match="metadata_stale"):
            await rig.place()
        assert len(rig.bodies) == arrived

    hyperliquid.on_rig(scene)
