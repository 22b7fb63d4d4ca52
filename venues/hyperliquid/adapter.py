"""The `VenueAdapter` of Hyperliquid perpetuals.

An agent signs, its master (or a sub-account or vault) holds the money. The same signed bytes execute at
most once, whatever is sent twice; a noop with an order's nonce, or the order's expiry, is its fence. What
the venue would refuse is refused here before it leaves, and rounding never asks for more than was decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from seams.clock import NS_PER_MS, Clock
from seams.wire import Caller, MayLeave, MessageLink, always
from venues.contract import (
    AlreadySeen,
    Capabilities,
    Fence,
    OutcomeUnknown,
    Pushed,
    Refused,
    Retryable,
    Signed,
    VenueError,
)
from venues.hyperliquid import actions, translate
from venues.hyperliquid.budget import WEIGHT_A_MINUTE, Budget
from venues.hyperliquid.capabilities import LOOKUP_LAG_NS, NAME, WATCHED, capabilities
from venues.hyperliquid.client import HyperliquidClient, demand
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.draft import draft
from venues.hyperliquid.history import History
from venues.hyperliquid.outcomes import Outcome, Verdict
from venues.hyperliquid.places import Places
from venues.hyperliquid.readiness import UNASKED, Answered, examine, unanswered
from venues.hyperliquid.stream import Stream
from venues.hyperliquid.translate import Json, Market
from venues.json_fields import read
from venues.keyfile import KeyFile
from venues.listeners import Listeners
from venues.lists import Lists
from venues.outbox import Outbox
from venues.types import (
    Accepted,
    AccountSnapshot,
    CashEvent,
    Fill,
    Instrument,
    OrderRequest,
    VenueOrder,
)

RETRY_S, PROBLEM_S = 1.0, 30.0  # the latter after an answer that names what is wrong: a person must act


class HyperliquidAdapter:
    """One account of Hyperliquid. `desk` is the unrepeatable name of whose orders these are."""

    def __init__(
        self,
        caller: Caller,
        authority: str,
        link: MessageLink,
        key: KeyFile,
        clock: Clock,
        *,
        desk: str,
        bar_ns: int,
        is_mainnet: bool = False,
        coins: Sequence[str] = WATCHED,
        lookup_lag_ns: int = LOOKUP_LAG_NS,
        weight_a_minute: int = WEIGHT_A_MINUTE,
    ) -> None:
        self._heard = heard = Listeners()
        self.on_order_event, self.on_link = heard.on_order_event, heard.on_link
        self.on_market, self.off_market = heard.on_market, heard.off_market
        self._clock, self._key, self._lag_ns, self._coins = clock, key, lookup_lag_ns, tuple(coins)
        self.budget = Budget(clock, weight_a_minute)
        self._client = HyperliquidClient(caller, authority, key, clock, self.budget, is_mainnet=is_mainnet)
        self._cloids = Cloids(desk)
        self._history = History(self._client, self._cloids)
        self.told, self.booked_since = self._history.told, self._history.booked_since
        self._stream = Stream(
            link,
            self._client.user,
            coins,
            self._cloids,
            clock,
            bar_ns,
            heard.tell_event,
            heard.tell_market,
            self._whole,
        )
        self._markets: dict[str, Market] = {}
        self._mids: dict[str, Decimal] = {}
        self._outbox = Outbox()
        self.places = Places()
        """Where orders stand; whoever keeps a record lets it remember."""
        self._lists = Lists(self._ask_lists, clock)
        self._preparing: asyncio.Task[None] | None = None
        self.is_ready = self.is_up = False
        self.readiness = UNASKED

    def use_desk(self, desk: str) -> None:
        """Mark client ids as this desk's from now on; before the first order."""
        self._cloids.use(desk)

    # --- what it is ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return NAME

    @property
    def signer(self) -> str:
        return f"{NAME}:{self._key.key.lower()}"

    def capabilities(self) -> Capabilities:
        return capabilities(self._lag_ns)

    def instruments(self) -> Sequence[Instrument]:
        """Return the watched markets; none before orders may leave, so that nobody trades on them."""
        found: list[Instrument] = []
        if not self.is_ready:
            return ()
        for coin in self._coins:
            market, mark = self._markets.get(coin), self._mid(coin)
            if market is not None and not market.is_delisted and mark is not None:
                found.append(market.instrument(mark, *self.readiness.fees_bps))
        return tuple(found)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why orders may not leave: what is wrong with keys, account or markets."""
        return self.readiness.problems

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.readiness.warnings

    @property
    def listening(self) -> int:
        """How many listen to the market."""
        return self._heard.listening

    def start(self) -> None:
        self._preparing = asyncio.get_running_loop().create_task(self._prepare(), name="hyperliquid lists")
        self._stream.start()

    async def close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self._lists.close()
        await self._stream.close()
        await self._client.close()

    # --- orders ----------------------------------------------------------------------------------

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        """See `VenueAdapter.sign`. What may not leave is signed as nothing and refused by `submit`."""
        return self._sign(request, nonce, valid_until_ns, lambda order: actions.place([order]))

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        """See `LiveVenue.sign_change`. The venue cancels the old order first and may then refuse the new."""
        old = self._history.asked_by(replaces)
        return self._sign(request, nonce, valid_until_ns, lambda order: actions.modify(old, order))

    def _sign(
        self, request: OrderRequest, nonce: int, valid_until_ns: int, action_of: Callable[[Json], Json]
    ) -> Signed:
        name, wire = request.client_order_id, b""
        try:
            order = self._order(request)
            self.places.note(request)
            expires_ms = valid_until_ns // NS_PER_MS if valid_until_ns else None
            wire = self._client.signed(action_of(order), nonce, expires_ms)
        except Refused as refusal:
            self._outbox.refuse(name, refusal)
        self._outbox.add(nonce)
        return Signed(client_order_id=name, nonce=nonce, valid_until_ns=valid_until_ns, wire=wire)

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        name = signed.client_order_id
        if not signed.wire:
            raise self._outbox.refusal_of(name)
        is_first = self._outbox.take(signed.nonce)
        try:
            verdict = (await self._client.send(signed.wire, 1, may_leave, self._history.submit_of(name)))[0]
        except Retryable:
            if is_first:
                self._outbox.add(signed.nonce)
            raise
        if verdict.outcome in (Outcome.RESTING, Outcome.FILLED):
            now_ns = self._clock.now_ns()
            self._heard.tell_event(
                Accepted(client_order_id=name, venue_order_id=str(verdict.oid), at_ns=now_ns)
            )
            return
        if verdict.outcome is Outcome.SEEN:
            raise AlreadySeen(verdict.text)
        if verdict.outcome is Outcome.REJECTED and (is_first or _concerns_every_copy(verdict)):
            refusal = Refused(verdict.code, verdict.text)
            self._lists.heard(refusal)
            raise refusal
        raise OutcomeUnknown(f"{verdict.outcome}: {verdict.text}")

    def recall(self, request: OrderRequest) -> None:
        """See `Recaller.recall`."""
        self.places.note(request)

    async def cancel(self, client_order_id: str) -> None:
        heard = self._history.cancel_of(client_order_id)
        asset, by = self.places.number_of(client_order_id), self._history.asked_by(client_order_id)
        if asset is not None:  # nothing to ask: found by the venue before its lists show it
            action = (
                actions.cancel([(asset, by)])
                if isinstance(by, int)
                else actions.cancel_by_cloid([(asset, by)])
            )
        else:
            found = await self._history.look(client_order_id)
            if found is None:
                raise Refused("unknown_order", client_order_id)
            coin, oid = read(translate.place_of, found["order"])
            await self._demand_lists()
            action = actions.cancel([(self._asset(coin), oid)])
        demand((await self._client.act(action, heard=heard))[0], Outcome.CANCELLED)

    async def cancel_all(self) -> None:
        """Ask for the cancel of every working order of the account, whoever placed it."""
        await self._demand_lists()
        said = await self._client.about_us("frontendOpenOrders")
        listed = read(lambda rows: [translate.place_of(each) for each in translate.rows(rows)], said)
        items = [(self._asset(coin), oid) for coin, oid in listed if coin in self._markets]
        if items:
            for verdict in await self._client.act(actions.cancel(items), len(items)):
                if verdict.code != "already_ended":
                    demand(verdict, Outcome.CANCELLED)

    async def fence(self, signed: Signed) -> Fence:
        if not signed.wire:
            return Fence.DEAD  # it was never signed: no bytes of it exist
        verdict = await self._client.burn(actions.noop(), signed.nonce)
        if verdict.outcome is Outcome.DONE:
            return Fence.DEAD
        if verdict.outcome is Outcome.SEEN:
            return Fence.ADMITTED  # used, or sunk below what the venue keeps: nothing can use it any more
        raise OutcomeUnknown(f"the fence was not taken: {verdict.text}")

    async def cancel_all_after(self, seconds: int) -> str:
        """See `LiveVenue.cancel_all_after`. Most accounts are `Refused`: it needs a million traded."""
        at_ms = self._clock.now_ns() // NS_PER_MS + seconds * 1_000 if seconds else None
        demand((await self._client.act(actions.schedule_cancel(at_ms)))[0], Outcome.DONE)
        return str(at_ms or 0)

    async def update_leverage(self, symbol: str, leverage: int, *, is_cross: bool) -> None:
        """Set a market's leverage. Raises `Refused` where the venue does not take it."""
        asset = self._asset(symbol.removesuffix(translate.SUFFIX))
        action = actions.update_leverage(asset, leverage, is_cross=is_cross)
        demand((await self._client.act(action))[0], Outcome.DONE)

    # --- questions -------------------------------------------------------------------------------

    async def time_ns(self) -> int:
        said = await self._client.ask("exchangeStatus")
        return read(lambda status: translate.number(translate.table(status), "time") * NS_PER_MS, said)

    async def query(self, client_order_id: str) -> VenueOrder | None:
        return await self._history.query(client_order_id)

    async def past_order(self, client_order_id: str) -> VenueOrder | None:
        """See `EndTeller.past_order`."""
        return await self._history.past_order(client_order_id)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self._history.open_orders()

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return await self._history.fills_since(since_ns)

    async def cash_events_since(self, since_ns: int) -> Sequence[CashEvent]:
        """Return funding from a time on, oldest first."""
        return await self._history.funding_since(since_ns)

    async def account(self) -> AccountSnapshot:
        said = await self._client.about_us("clearinghouseState")
        return read(lambda state: translate.account(state, self._client.user), said)

    def pushed(self) -> Pushed | None:
        """See `BalanceTeller.pushed`."""
        return self._stream.pushed()

    def push_anew(self) -> None:
        """See `BalanceTeller.push_anew`: the venue pushes all of it again by itself."""

    @property
    def has_lists(self) -> bool:
        """Whether the venue has said which markets it has."""
        return bool(self._markets)

    def market_of(self, symbol: str) -> Market | None:
        """Return what the venue lists under our symbol; None for nothing, or before it was asked."""
        return self._markets.get(symbol.removesuffix(translate.SUFFIX))

    def judge(self, request: OrderRequest) -> Refused | None:
        """Return why this order would not leave, or None."""
        try:
            self._order(request)
        except Refused as refusal:
            return refusal
        return None

    @property
    def client(self) -> HyperliquidClient:
        """Whoever asks what the engine does not: how we stand with the venue."""
        return self._client

    @property
    def key(self) -> KeyFile:
        return self._key

    async def rate_budget(self) -> tuple[int, int]:
        """Return how many actions the address has used, and how many it may."""
        said = translate.table(await self._client.about_us("userRateLimit"))
        return translate.number(said, "nRequestsUsed"), translate.number(said, "nRequestsCap")

    # --- getting ready ---------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Ask for markets, fees, keys and account mode until all is known; then tell the engine."""
        answered: Answered = {}
        while not self.is_ready:
            try:
                await self._demand_lists()
                found = await examine(self._client, self._key, self._clock.now_ns() // NS_PER_MS, answered)
                self.readiness, self.is_ready = found, not found.problems
                answered, pause_s = ({}, PROBLEM_S) if found.problems else (answered, RETRY_S)
            except (VenueError, ValueError, KeyError) as error:
                self.readiness, pause_s = unanswered(error), RETRY_S
            if self.is_ready:
                self._lists.start("hyperliquid markets")
                self._whole(self._stream.is_whole)
                return
            await self._clock.sleep(pause_s)

    async def _demand_lists(self) -> None:
        if not self._markets:
            await self._ask_lists()
            self._lists.answered()

    async def _ask_lists(self) -> None:
        """Take over what the venue lists, and its mids."""
        mids = read(translate.table, await self._client.ask("allMids"))
        self._mids = read(
            lambda said: {coin: translate.amount(said, coin) for coin in self._coins if coin in said},
            mids,
        )
        self._markets = read(translate.markets, await self._client.ask("meta"))
        self.places.listed(self._markets)

    # --- inside ----------------------------------------------------------------------------------

    def _order(self, request: OrderRequest) -> Json:
        """Return an order on the venue's grid. Raises `Refused` for one that must not leave."""
        market = self._markets.get(request.symbol.removesuffix(translate.SUFFIX))
        if not self.is_ready:
            raise Refused("venue_not_ready", "; ".join(self.problems))
        stale = self._lists.problem()
        if stale is not None:
            raise stale
        if market is None:
            raise Refused("unknown_symbol", f"{request.symbol} is not listed")
        mark = request.mark_price or self._mid(market.coin)
        return draft(request, market, mark, self._cloids.of(request.client_order_id))

    def _asset(self, coin: str) -> int:
        market = self._markets.get(coin)
        if market is None:
            raise Refused("unknown_symbol", coin)
        return market.asset

    def _mid(self, coin: str) -> Decimal | None:
        """Return a market's last mid: the stream's, else the one it was listed with."""
        streamed = self._stream.bars.mid(translate.symbol_of(coin))
        return Decimal(repr(streamed)) if streamed is not None else self._mids.get(coin)

    def _whole(self, is_whole: bool) -> None:
        self.is_up = is_whole and self.is_ready
        self._heard.tell_link(self.is_up)


def _concerns_every_copy(verdict: Verdict) -> bool:
    """Tell whether a refusal proves that no earlier copy of these bytes acted either.

    An item's own refusal, and an expiry, are said only of a nonce that was still unused (venues.md 3.5).
    """
    return verdict.is_item or verdict.code == "expired"
