"""The second source: a difference of a moment is none, one that lasts is a finding with both sides."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from engine.desk import Desk
from engine.reconciliation import Found, possible
from engine.trading.custody import Verdict
from engine.trading.differences import Kind
from engine.trading.sources import LASTS_NS, SILENT_NS, Sources, between
from seams.clock import NS_PER_S, FixedClock
from tests.engine.test_venue_desk import Room, in_room
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues import test_kraken_adapter as kr
from venues.contract import Pushed
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import AccountSnapshot, VenuePosition

BTC = "BTC-USD"
LASTS_S, SILENT_S = LASTS_NS / NS_PER_S, SILENT_NS / NS_PER_S


class Teller:
    """A venue whose stream says what it is told to say; a whole picture comes when it is asked for."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock, self.asked, self.whole_ns = clock, 0, clock.monotonic_ns()
        self.says: tuple[str, str] | None = ("100", "1")

    def pushed(self) -> Pushed | None:
        if self.says is None:
            return None
        cash, btc = map(Decimal, self.says)
        return Pushed(cash_usd=cash, held={BTC: btc}, whole_ns=self.whole_ns)

    def push_anew(self) -> None:
        self.asked += 1
        self.whole_ns = self.clock.monotonic_ns() + 1


def rest(cash: str, btc: str) -> AccountSnapshot:
    one = Decimal(1)
    coin = VenuePosition(symbol=BTC, quantity=Decimal(btc), entry_price=one, mark_price=one)
    held = (coin,) if coin.quantity else ()
    return AccountSnapshot(
        account_id="a", cash_usd=Decimal(cash), equity_usd=Decimal(cash), positions=held, at_ns=0
    )


def world() -> tuple[FixedClock, Teller, Sources]:
    clock = FixedClock()
    teller = Teller(clock)
    return clock, teller, Sources(clock, cast(Any, teller))


def test_how_a_number_is_printed_is_no_difference() -> None:
    said = Pushed(cash_usd=Decimal("100.004"), held={BTC: Decimal("1.0000000001")}, whole_ns=1)
    assert between(said, rest("100", "1")) == ()
    (found,) = between(said, rest("100", "0"))
    assert (found.kind, found.subject, found.amount) == (Kind.SOURCES, BTC, Decimal(-1))


def test_a_difference_of_a_moment_is_looked_at_again_and_is_none() -> None:
    clock, teller, sources = world()
    assert sources.look(rest("90", "2")) == () and teller.asked == 1, "the stream is asked anew"
    clock.advance(LASTS_S / 2)
    teller.says = ("90", "2")
    assert sources.look(rest("90", "2")) == ()
    clock.advance(LASTS_S)
    assert sources.look(rest("90", "2")) == () and teller.asked == 1


def test_an_answer_that_always_lags_a_little_is_none() -> None:
    """In a busy market both go on changing: each look finds another difference."""
    clock, teller, sources = world()
    for number in range(20):
        teller.says = (str(1_000 - number * (number + 1)), "1")
        assert sources.look(rest(str(1_000 - number * (number - 1)), "1")) == ()
        clock.advance(LASTS_S)


def test_the_same_difference_is_a_finding_once_it_has_lasted() -> None:
    clock, _, sources = world()
    assert sources.look(rest("90", "1")) == ()
    clock.advance(LASTS_S / 2)
    assert sources.look(rest("90", "1")) == ()
    clock.advance(LASTS_S / 2)
    (found,) = sources.look(rest("90", "1"))
    assert (found.ours, found.theirs, found.amount) == ("stream 100", "REST 90", Decimal(-10))
    assert sources.look(rest("100", "1")) == (), "gone as soon as both agree"


def test_a_stream_that_told_nothing_whole_since_is_no_witness() -> None:
    clock, teller, sources = world()
    before_ns = teller.whole_ns
    clock.advance(1)
    sources.look(rest("90", "1"))
    teller.whole_ns = before_ns
    clock.advance(2 * LASTS_S)
    assert sources.look(rest("90", "1")) == ()


def test_a_silent_stream_is_asked_again_and_doubts_nobody() -> None:
    clock, teller, sources = world()
    teller.says = None
    assert sources.look(rest("90", "1")) == () and teller.asked == 0
    clock.advance(SILENT_S)
    assert sources.look(rest("90", "1")) == () and teller.asked == 1


def at_kraken(room: Room) -> kr.Rig:
    assert isinstance(room.rig, kr.Rig)
    return room.rig


async def passes(room: Room, count: int) -> None:
    for _ in range(count):
        await room.custody.reconcile()
        await room.rig.clock.sleep(6)


def test_a_lost_push_is_mended_and_rings_nothing(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        rig = at_kraken(room)
        account = rig.desk.exchange.trading.accounts["trader"]
        await passes(room, 2)
        rig.desk.exchange.sockets.pushes.add(PushFault(nth=1, on="balances", strike=PushStrike.DROP))
        account.balances["ZUSD"] += 5
        rig.desk.exchange.sockets.on_transfer(account, "ZUSD", Decimal(5))
        await passes(room, 5)
        assert [each.kind for each in room.custody.differences] == [Kind.CASH], "only the record lacks it"

    in_room(tmp_path, lambda loop: kr.Rig(loop), scene)


def test_two_sources_that_go_on_disagreeing_are_a_finding_with_both_sides(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        rig = at_kraken(room)
        sockets = rig.desk.exchange.sockets
        await passes(room, 2)
        assert room.custody.verdict is Verdict.CLEAN
        honest = sockets._wealth

        def wrong(account: Any, asset: str) -> Any:
            told = honest(account, asset)
            return told | {"balance": told["balance"] + 7} if asset == "ZUSD" else told

        sockets._wealth = wrong  # type: ignore[method-assign]
        room.rig.adapter.push_anew()
        await rig.clock.sleep(1)
        await passes(room, 9)
        assert room.custody.verdict is Verdict.AMBIGUOUS
        (found,) = room.custody.differences
        assert (found.kind, found.subject, found.amount) == (Kind.SOURCES, "USD", Decimal(-7))
        assert found.ours.startswith("stream ") and found.theirs.startswith("REST ")
        assert "reconciliation_difference" in room.alarms()
        acts, blocked = possible(Found(Desk(room.core, room.custody), room.custody, found))
        assert [each.act for each in acts] == ["ignore"] and not blocked
        sockets._wealth = honest  # type: ignore[method-assign]
        rig.own.drop()
        await rig.clock.sleep(5)
        await passes(room, 3)
        assert room.custody.verdict is Verdict.CLEAN

    in_room(tmp_path, lambda loop: kr.Rig(loop), scene)


def test_the_other_venues_pushed_state_is_compared_too(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        assert isinstance(room.rig, hl.Rig)
        exchange = room.rig.exchange

        async def looks(count: int) -> None:
            for _ in range(count):
                exchange.advance()
                await room.rig.clock.sleep(0.1)
                await passes(room, 1)

        await looks(3)
        assert room.custody.verdict is Verdict.CLEAN and room.rig.adapter.pushed() is not None
        honest = exchange.info.state

        def wrong(user: Any) -> Any:
            told = honest(user)
            summary = told["marginSummary"]
            more = str(Decimal(summary["accountValue"]) + 9)
            return told | {"marginSummary": summary | {"accountValue": more}}

        for session in exchange.room.sessions:
            session._room.info.state = wrong  # type: ignore[method-assign]
        state = room.rig.adapter.account

        async def asked() -> AccountSnapshot:
            exchange.info.state = honest  # type: ignore[method-assign]
            try:
                return await state()
            finally:
                exchange.info.state = wrong  # type: ignore[method-assign]

        room.rig.adapter.account = asked  # type: ignore[method-assign]
        await looks(9)
        (found,) = room.custody.differences
        assert (found.kind, found.subject, found.amount) == (Kind.SOURCES, "USD", Decimal(-9))

    in_room(tmp_path, hl.Rig, scene)
