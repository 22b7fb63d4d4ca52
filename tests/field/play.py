"""Plays a script of the field on a stage, and watches that nothing said about an order is ever wrong.

A script is data: verbs of `Play` with their figures. After each verb, and at the end, what our record says is
held against what the venue's double knows. CLEAN: both sides agree to the last lot and nothing is in doubt.
AMBIGUOUS: something is in doubt, and no new risk is let through until a person has looked. Else: WRONG.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, NamedTuple

from engine.api.corridor import Step
from engine.trading.custody import Verdict
from engine.trading.working import ManagedOrder
from safety.interlock import Action, permits
from seams.clock import NS_PER_MS, NS_PER_S
from tests.corridor.halls import Hall
from tests.corridor.stages import KrakenStage
from tests.venues.hyperliquid_desk import MASTER
from venues.hyperliquid.actions import modify, noop, order_wire
from venues.sandbox.programs import Strike
from venues.sandbox.pushes import PushStrike
from venues.types import OrderStatus, TimeInForce

CLEAN, AMBIGUOUS, WRONG = "CLEAN", "AMBIGUOUS", "WRONG"
MARGIN_S = 40.0
KNOWN = {
    "open": (OrderStatus.OPEN, OrderStatus.PARTIAL),
    "filled": (OrderStatus.FILLED,),
    "canceled": (OrderStatus.CANCELLED,),
    "rejected": (OrderStatus.REJECTED,),
    "unknown": (OrderStatus.UNKNOWN,),
}


class Act(NamedTuple):
    """One line of a script: a verb of `Play` and what it is given."""

    verb: str
    given: tuple[Any, ...]
    more: dict[str, Any]

    def __str__(self) -> str:
        said = [str(each) for each in self.given] + [f"{name}={each}" for name, each in self.more.items()]
        return " ".join([self.verb.replace("_", " "), *said])


def do(verb: str, *given: Any, **more: Any) -> Act:
    """Return one line of a script."""
    assert hasattr(Play, verb), verb
    return Act(verb, given, more)


class Wrong(AssertionError):
    """Something was said that is not true at the venue."""


class Play:
    """One script at work. Every public method is a verb."""

    def __init__(self, hall: Hall) -> None:
        self.hall, self.stage, self.session_id = hall, hall.stage, ""
        self._later: list[asyncio.Task[None]] = []
        self._sessions: list[str] = []
        self._copies = 0
        """How often the network, not we, delivered an order again."""

    async def act(self, act: Act) -> None:
        found = getattr(self, act.verb)(*act.given, **act.more)
        if isinstance(found, Coroutine):
            await found
        await self.stage.clock.sleep(0.01)
        self.never_wrong(str(act))

    # --- what we do ------------------------------------------------------------------------------

    async def gate(self, **form: Any) -> None:
        """Take a session up to its gate."""
        self.session_id = await self.hall.at_gate(**form)
        self._sessions.append(self.session_id)

    async def refused(self, reason: str, **form: Any) -> None:
        """Open a session that its preflight must refuse."""
        state = await self.hall.opened(**form)
        assert reason in state.reasons, state

    async def submit(self) -> None:
        await self.hall.do(self.session_id, Step.SUBMIT)

    async def submit_and_die(self, after_s: float) -> None:
        """The engine is killed while the answer is awaited, and another starts."""
        sending = asyncio.ensure_future(self.submit())
        await self.stage.clock.sleep(after_s)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await self.hall.restart()

    async def restart(self) -> None:
        await self.hall.restart()

    async def cancel(self) -> None:
        await self.hall.do(self.session_id, Step.CANCEL)

    async def look(self) -> None:
        for step in (Step.STATUS, Step.RECONCILE, Step.FILLS):
            await self.hall.do(self.session_id, step)

    async def wait(self, seconds: float) -> None:
        """Let the custodian work; what is said is judged each second."""
        for _ in range(int(seconds)):
            await self.hall.house.tend(1)
            self.never_wrong("waiting")

    async def sleep(self, seconds: float) -> None:
        """Let time pass, in which nobody looks."""
        await self.stage.clock.sleep(seconds)

    def later(self, seconds: float, verb: str, *given: Any, **more: Any) -> None:
        """Do something while other things go on."""

        async def wait() -> None:
            await self.stage.clock.sleep(seconds)
            found = getattr(self, verb)(*given, **more)
            if isinstance(found, Coroutine):
                await found

        self._later.append(asyncio.ensure_future(wait()))

    # --- what the venue and the way there do -------------------------------------------------------

    def strike(self, strike: Strike, **more: Any) -> None:
        self.stage.strike(strike, **more)

    def strikes(self, times: int, strike: Strike, **more: Any) -> None:
        """Let each of the next so many requests of a type meet the fault."""
        for nth in range(1, times + 1):
            self.stage.strike(strike, nth=nth, **more)

    def push(self, strike: PushStrike, **more: Any) -> None:
        self.stage.strike_push(strike, **more)

    def deafen(self) -> None:
        self.stage.deafen()

    def lag(self, seconds: float) -> None:
        self.stage.lag(seconds)

    def cut(self) -> None:
        """No name is resolved and no request leaves; what is under way loses its answer."""
        self.stage.wire.is_up = False
        self.stage.close_streams()

    def mend(self) -> None:
        self.stage.wire.is_up = True

    def close_streams(self, code: int = 1000) -> None:
        self.stage.close_streams(code)

    def market(self, bid: float) -> None:
        """Let the market be quoted here."""
        self.stage.quote(bid, bid + 10)

    def trade(self, price: float, size: float, *, is_buy: bool = False) -> None:
        """The market comes to an order that rests, somebody trades against it, and the market goes again."""
        self.stage.quote(price - 5, price + 5)
        self.stage.trade(price, size, is_buy=is_buy)
        self.stage.quote()

    async def trades(self, times: int, price: float, size: float) -> None:
        for _ in range(times):
            self.trade(price, size)
            await self.stage.clock.sleep(0.01)

    def by_hand(self, price: float, size: float, *, is_buy: bool = True) -> None:
        """Somebody places an order on our account, without a name of ours."""
        self.stage.by_hand(price, size, is_buy=is_buy)

    def end_by_hand(self) -> None:
        self.stage.end_by_hand()

    def modify_by_hand(self, price: float, *, keeps_name: bool = True) -> None:
        """Somebody changes our order; at Hyperliquid it ends, and one with another number lives."""
        stage = self.stage
        if isinstance(stage, KrakenStage):
            (order,) = stage.exchange.trading.open_orders(stage.exchange.trading.accounts["trader"])
            method, field = ("AmendOrder", "limit_price") if keeps_name else ("EditOrder", "price")
            given = {"txid": order.txid, field: f"{price:g}"} | ({} if keeps_name else {"pair": "XBTUSD"})
            said = stage.rig.desk.private(method, key="WINDOW", **given)
            assert said["error"] == [], said
            return
        (order,) = stage.rig.desk.user.live.values()
        made = order_wire(
            order.asset,
            is_buy=order.is_buy,
            price=Decimal(str(price)),
            size=order.remaining,
            tif=TimeInForce.POST_ONLY,
            cloid=order.cloid if keeps_name else None,
        )
        said = stage.rig.desk.act(modify(order.oid, made), MASTER)
        assert "error" not in str(said), said

    def prune_agents(self) -> None:
        """The keys are taken away: removed at Hyperliquid, deleted at Kraken."""
        if isinstance(self.stage, KrakenStage):
            self.stage.exchange.gate.keys.clear()
        else:
            self.stage.exchange.registry.agents.clear()

    def use_our_nonce(self, ahead_ms: int = 0) -> None:
        """Another program with our key uses the nonce that our prepared order carries, or a higher one."""
        if isinstance(self.stage, KrakenStage):
            said = self.stage.rig.desk.private("Balance", key="K", nonce=self._nonce() + ahead_ms)
            assert said["error"] == [], said
            return
        said = self.stage.rig.desk.act(noop(), nonce=self._nonce() + ahead_ms)
        assert said["status"] == "ok", said

    def _nonce(self) -> int:
        return int(self.hall.artifact(self.session_id, "prepared_order")["body"]["venue"]["nonce"])

    def system(self, status: str) -> None:
        """Kraken's engine is in maintenance, cancel_only, post_only or online again."""
        assert isinstance(self.stage, KrakenStage)
        self.stage.exchange.trading.system = status

    def expire_tokens(self) -> None:
        assert isinstance(self.stage, KrakenStage)
        self.stage.exchange.private.tokens.clear()

    def cancels_take(self, seconds: float) -> None:
        """Kraken answers cancels with `pending`, and carries them out later."""
        assert isinstance(self.stage, KrakenStage)
        self.stage.exchange.trading.cancel_pause_ns = int(seconds * NS_PER_S)

    def liquidate(self) -> None:
        """The account's collateral shrinks, the market falls, and the venue closes the position."""
        assert not isinstance(self.stage, KrakenStage)
        self.stage.rig.desk.user.cash = Decimal("0.5")
        self.stage.quote(50_000, 50_010)
        assert not self.stage.held(), "the position was closed by the venue"

    def deliver_again(self) -> None:
        """The network delivers the order's bytes a second time, long after."""
        assert not isinstance(self.stage, KrakenStage), "its double keeps no signed headers"
        (body,) = self.stage.arrived()
        self._copies += 1
        self.stage.rig.desk.send(body)

    def fail_cancels(self, times: int) -> None:
        """The venue answers cancels with an error, and carries none of them out."""
        on = "CancelOrder" if isinstance(self.stage, KrakenStage) else "cancelByCloid"
        self.strikes(times, Strike.STATUS_WITHOUT_APPLY, on=on, value=503)

    def lose_cancel(self) -> None:
        on = "CancelOrder" if isinstance(self.stage, KrakenStage) else "cancelByCloid"
        self.strike(Strike.APPLY_THEN_DROP, on=on)

    def false_cancel(self) -> None:
        """The venue says that the order was cancelled, and it works on."""
        assert not isinstance(self.stage, KrakenStage)
        (order,) = self.stage.rig.desk.user.live.values()
        update = order.update(order.history[-1]) | {"status": "canceled"}
        for session in list(self.stage.exchange.room.sessions):
            session.push({"channel": "orderUpdates", "data": [update]})

    def limit_questions(self, times: int) -> None:
        """The next questions about orders are refused for their rate."""
        if isinstance(self.stage, KrakenStage):
            said = '{"error":["EAPI:Rate limit exceeded"]}'
            for on in ("OpenOrders", "ClosedOrders", "TradesHistory"):
                self.strikes(times, Strike.SAY, on=on, text=said)
        else:
            for on in ("orderStatus", "frontendOpenOrders", "userFillsByTime"):
                self.strikes(times, Strike.STATUS_WITHOUT_APPLY, on=on, value=429)

    def empty_questions(self) -> None:
        """The next questions are answered with what cannot be read, each in its own way."""
        kraken = ("OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx", "Time")
        others = (
            "orderStatus",
            "frontendOpenOrders",
            "userFillsByTime",
            "clearinghouseState",
            "exchangeStatus",
        )
        is_kraken = isinstance(self.stage, KrakenStage)
        for on in kraken if is_kraken else others:
            self.strike(Strike.NULL, on=on)
            self.strike(Strike.SAY, on=on, nth=2, text='{"error":[],"result":null}')
            self.strike(Strike.SAY, on=on, nth=3, text='{"error":[],"result":{"open":7,"trades":[],"a":"b"}}')
            self.strike(Strike.TRUNCATED, on=on, nth=4)
            self.strike(Strike.SAY, on=on, nth=5, text="[]" if is_kraken else "7")

    def skew(self, seconds: float) -> None:
        """The venue's clock, as it tells it, is ahead of ours."""
        ahead_ns = self.stage.clock.now_ns() + int(seconds * NS_PER_S)
        if isinstance(self.stage, KrakenStage):
            text = f'{{"error":[],"result":{{"unixtime":{ahead_ns // NS_PER_S},"rfc1123":""}}}}'
            self.strikes(3, Strike.SAY, on="Time", text=text)
        else:
            text = f'{{"time":{ahead_ns // NS_PER_MS},"specialStatuses":null}}'
            self.strikes(3, Strike.SAY, on="exchangeStatus", text=text)

    async def dead_man(self, seconds: int) -> None:
        """The venue's own timer is armed, and nobody renews it."""
        assert isinstance(self.stage, KrakenStage)
        await self.stage.adapter.cancel_all_after(seconds)
        await self.stage.clock.sleep(seconds + 1)
        self.stage.exchange.advance()

    # --- the judge ---------------------------------------------------------------------------------

    def never_wrong(self, when: str) -> None:
        """What is on record was never more than what is true. Raises `Wrong`."""
        for order in self.orders():
            truth = self.stage.truth(order.order_id)
            filled = sum((each for _, each in truth), Decimal(0))
            is_alive = any(each for each, _ in truth)
            said = f"{when}: {order.order_id} is {order.status}, filled {order.filled}; the venue: {truth}"
            if order.status is OrderStatus.REJECTED and (is_alive or filled):
                raise Wrong(f"refused, and it is not: {said}")
            if order.filled > filled:
                raise Wrong(f"booked more than happened: {said}")
            if order.status is OrderStatus.FILLED and filled < order.request.quantity:
                raise Wrong(f"not filled: {said}")
        bodies = self.stage.arrived()
        sent = len(bodies) - self._copies
        if len(set(bodies)) != sent or sent > len(self._sessions):
            raise Wrong(f"{when}: {sent} orders were sent")

    async def verdict(self) -> str:
        """Let everything come to rest and return what it came to; WRONG with what is wrong."""
        await asyncio.gather(*self._later)
        await self.wait(self.stage.lag_s + MARGIN_S)
        custody = self.hall.house.custody
        unknown = custody.orders.unknown()
        if custody.verdict is not Verdict.CLEAN or unknown:
            is_held = not permits(Action.ADD_RISK, custody.core.interlock.level)
            return AMBIGUOUS if is_held else f"{WRONG}: {custody.verdict}, and new risk is let through"
        for order in self.orders():
            truth = self.stage.truth(order.order_id)
            filled = sum((each for _, each in truth), Decimal(0))
            if (order.is_alive, order.filled) != (any(each for each, _ in truth), filled):
                return f"{WRONG}: {order.order_id} {order.status} {order.filled}, the venue {truth}"
        held = sum((each.quantity for each in custody.ledger.open_holdings()), Decimal(0))
        if float(held) != self.stage.held():
            return f"{WRONG}: we hold {held}, the venue says {self.stage.held()}"
        return CLEAN

    def orders(self) -> list[ManagedOrder]:
        """Return our record of every session's order, as it is now."""
        known = [self.hall.house.custody.orders.known(f"O-{each}") for each in self._sessions]
        return [order for order in known if order is not None]

    def order_state(self) -> str:
        """Return what our record says of the session's order in a word; `none` where there is none."""
        order = self.hall.house.custody.orders.known(f"O-{self.session_id}")
        if order is None:
            return "none"
        return next(word for word, states in KNOWN.items() if order.status in states)
