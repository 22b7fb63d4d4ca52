"""The `VenueAdapter` of Kraken spot.

Spot means: there is no short and no reduce-only. A sale can only sell what is held, and the venue itself
refuses more; what would open a short, or "reduce" one, is refused here before it leaves. Orders carry a
deadline, which is their fence, and our client id, which is a name and no protection: nothing is ever sent
anew to find out what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from seams.clock import NS_PER_S, Clock
from seams.wire import Caller, MayLeave, MessageLink, always
from venues.answers import Answers, Told
from venues.contract import (
    AlreadySeen,
    Capabilities,
    Fence,
    OutcomeUnknown,
    Refused,
    Signed,
    Trading,
)
from venues.keyfile import KeyFile
from venues.kraken import translate
from venues.kraken.asking import readable
from venues.kraken.balances import Balances
from venues.kraken.capabilities import LOOKUP_LAG_NS, PAIRS, capabilities
from venues.kraken.client import KrakenClient, Tier
from venues.kraken.history import MISSING_NS, History
from venues.kraken.names import MOST, Names
from venues.kraken.outcomes import Submitted, submitted, txid_of
from venues.kraken.points import Points
from venues.kraken.precision import NAME, Rules
from venues.kraken.stream import MarketStream, OwnStream
from venues.kraken.system import System
from venues.kraken.translate import Json, amount, table
from venues.listeners import Listeners
from venues.lists import Lists
from venues.outbox import Outbox
from venues.refusals import demand_no_vault, no_fence, no_replace
from venues.types import (
    Accepted,
    AccountSnapshot,
    Fill,
    Instrument,
    OrderEvent,
    OrderRequest,
    OrderType,
    Side,
    VenueOrder,
    VenuePosition,
)

QUOTE = "ZUSD"
BROUGHT_ALONG_S = 30.0
"""For how long `PAIRS` may be sized by while the venue has not said yet what it lists."""


class KrakenAdapter:
    """One account of Kraken spot."""

    def __init__(
        self,
        caller: Caller,
        authority: str,
        own: MessageLink,
        market: MessageLink,
        key: KeyFile,
        clock: Clock,
        *,
        bar_ns: int = 60 * NS_PER_S,
        pairs: Sequence[Rules] = PAIRS,
        lookup_lag_ns: int = LOOKUP_LAG_NS,
        tier: Tier | None = None,
        desk: str = "",
    ) -> None:
        demand_no_vault(key)
        self._heard = heard = Listeners()
        self.on_order_event, self.on_link = heard.on_order_event, heard.on_link
        self.on_market, self.off_market = heard.on_market, heard.off_market
        self._clock, self._key, self._lag_ns = clock, key, lookup_lag_ns
        self._client = KrakenClient(caller, authority, key, clock, tier or Tier())
        self._pairs = tuple(pairs)
        self._rules = {each.symbol: each for each in pairs}
        self._symbols = {
            name: each.symbol for each in pairs for name in (each.pair_id, each.altname, each.wsname)
        }
        self._names = Names(desk or key.key)
        self._answers = Answers()
        self._history = History(self._client, self._symbols, self._names, clock, lookup_lag_ns, self._answers)
        self._system = system = System()
        coins = {each.symbol.partition("-")[0]: each.symbol for each in pairs}
        self._balances = Balances(own, coins, clock)
        self._own = OwnStream(
            own, self._token, self._symbols, self._names, system, self._balances, self._event, self._whole
        )
        self.pushed, self.push_anew = self._balances.pushed, self._balances.anew
        self._market = MarketStream(market, pairs, bar_ns, system, heard.tell_market)
        self._outbox, self.points = Outbox(), Points(clock)
        self._lists = Lists(self._refresh, clock, BROUGHT_ALONG_S)
        self.is_up = False

    # --- what it is ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return NAME

    @property
    def signer(self) -> str:
        return f"{NAME}:{self._key.key}"

    def capabilities(self) -> Capabilities:
        return capabilities(self._lag_ns + MISSING_NS)

    def use_desk(self, desk: str) -> None:
        """Mark orders as this desk's from now on (see `names`)."""
        self._names.use(desk)

    def instruments(self) -> Sequence[Instrument]:
        return tuple(rules.instrument() for rules in self._rules.values())

    @property
    def listening(self) -> int:
        """How many listen to the market."""
        return self._heard.listening

    def start(self) -> None:
        self._own.start()
        self._market.start()
        self._lists.start("kraken pairs")

    async def close(self) -> None:
        await self._lists.close()
        await self._own.close()
        await self._market.close()
        await self._client.close()

    # --- orders ----------------------------------------------------------------------------------

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        """See `VenueAdapter.sign`. What may not leave is signed as nothing and refused by `submit`."""
        name, wire, refusal = request.client_order_id, b"", self.judge(request)
        if refusal is None:
            wire = self._client.signed_order(self.fields(request, valid_until_ns), nonce)
            self.points.signed(name, request.symbol)
        else:
            self._outbox.refuse(name, refusal)
        return Signed(client_order_id=name, nonce=nonce, valid_until_ns=valid_until_ns, wire=wire)

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        """Refused: the venue's edit loses the client id, and its amend has no bytes of its own to prove."""
        name = request.client_order_id
        self._outbox.refuse(name, no_replace(NAME))
        return Signed(client_order_id=name, nonce=nonce, valid_until_ns=valid_until_ns, wire=b"")

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        name = signed.client_order_id
        if not signed.wire:
            raise self._outbox.refusal_of(name)
        self.points.placed(name)
        outcome = await self._client.send(signed.wire, may_leave)
        if outcome.answer is not None:
            self._answers.submitted(name, outcome.answer)
        match submitted(outcome):
            case Submitted.ACCEPTED:
                txid = txid_of(outcome)
                self._names.learn(txid, name)
                self._event(Accepted(client_order_id=name, venue_order_id=txid, at_ns=self._clock.now_ns()))
            case Submitted.REFUSED:
                refusal = Refused(outcome.code, outcome.said)
                self._lists.heard(refusal)
                raise refusal
            case Submitted.NONCE_USED:
                # Also where these bytes leave for the first time: what lies between us and the venue may
                # have sent them twice, and the answer to the second copy came first.
                raise AlreadySeen(outcome.said)
            case _:
                raise OutcomeUnknown(f"{outcome.code}: {outcome.said}")

    async def cancel(self, client_order_id: str) -> None:
        self.points.cancelled(client_order_id)
        heard = self._answers.cancels(client_order_id)
        await self._client.cancel(self._named(client_order_id), heard)

    async def cancel_all(self) -> None:
        """Ask for the cancel of every working order of the account, whoever placed it."""
        await self._client.ask("CancelAll")

    @readable
    async def cancel_all_after(self, seconds: int) -> str:
        """See `LiveVenue.cancel_all_after`."""
        answer = table(await self._client.ask("CancelAllOrdersAfter", timeout=str(seconds)))
        return str(answer["triggerTime"])

    def judge(self, request: OrderRequest) -> Refused | None:
        """Return why this order must not leave, or None. Pure."""
        rules, stale = self._rules.get(request.symbol), self._lists.problem()
        if rules is None:
            return Refused("unknown_symbol", request.symbol)
        if stale is not None:
            return stale
        name, is_sale = request.client_order_id, request.side is Side.SELL
        if not (0 < len(name) <= MOST and name.isascii() and name.isprintable()):
            return Refused("bad_client_order_id", f"{name!r} is not 1 to {MOST} plain characters")
        if is_sale != request.reduce_only:
            said = "a sale closes and a purchase opens: spot has no short"
            return Refused("spot_no_short", f"{request.side} with reduce_only={request.reduce_only}: {said}")
        if not request.quantity.is_finite() or request.quantity <= 0:
            return Refused("bad_quantity", f"{request.quantity} is no quantity")
        limit = request.limit_price
        if not limit.is_finite() or limit < 0 or (limit == 0 and request.order_type is OrderType.LIMIT):
            return Refused("bad_price", f"{limit} is no price")
        price = rules.price(limit, request.side) or request.mark_price
        problem = rules.problem(rules.volume(request.quantity), price)
        return self._system.problem(request) if problem is None else Refused(*problem)

    def rules(self, symbol: str) -> Rules | None:
        """Return what the venue says of a pair of ours, None where it is none."""
        return self._rules.get(symbol)

    @readable
    async def validate(self, request: OrderRequest, nonce: int) -> str:
        """Let the venue judge an order without placing it; return how it describes the order.

        Raises `Retryable`, `Refused` with the venue's reason, or `OutcomeUnknown`.
        """
        refusal = self.judge(request)
        if refusal is not None:
            raise refusal
        fields = self.fields(request) | {"validate": "true"}
        outcome = await self._client.send(self._client.signed_order(fields, nonce), always)
        match submitted(outcome, is_validate=True):
            case Submitted.VALIDATED:
                return str(table(table(outcome.result)["descr"])["order"])
            case Submitted.REFUSED | Submitted.NONCE_USED:
                raise Refused(outcome.code, outcome.said)
            case _:
                raise OutcomeUnknown(f"{outcome.code}: {outcome.said}")

    async def fence(self, signed: Signed) -> Fence:
        """Kraken burns no nonces on demand; `has_fence` says so."""
        raise no_fence(NAME)

    # --- questions -------------------------------------------------------------------------------

    @readable
    async def time_ns(self) -> int:
        """Return the venue's clock. It says whole seconds: inside that second our own clock counts."""
        said_ns = int(str(table(await self._client.public("Time"))["unixtime"])) * NS_PER_S
        return min(max(self._clock.now_ns(), said_ns), said_ns + NS_PER_S - 1)

    @readable
    async def query(self, client_order_id: str) -> VenueOrder | None:
        return await self._history.query(client_order_id)

    def told(self, client_order_id: str) -> Told:
        """Return what the venue last answered about an order; no I/O."""
        return self._answers.of(client_order_id, self._names.of(client_order_id))

    @readable
    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self._history.open_orders()

    @readable
    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return await self._history.fills_since(since_ns, may_remember=self.is_up)

    @readable
    async def account(self) -> AccountSnapshot:
        """Return cash and coins; the venue knows no entry price, so the mark stands there too."""
        owned = {
            asset: amount(table(said)["balance"])
            for asset, said in table(await self._client.ask("BalanceEx")).items()
        }
        coins = [rules for rules in self._rules.values() if owned.get(rules.base, 0)]
        marks = await self._marks(coins) if coins else {}
        positions = tuple(
            VenuePosition(
                symbol=rules.symbol,
                quantity=owned[rules.base],
                entry_price=marks[rules.symbol],
                mark_price=marks[rules.symbol],
            )
            for rules in coins
        )
        cash = owned.get(QUOTE, Decimal(0))
        return AccountSnapshot(
            account_id=self._key.account,
            cash_usd=cash,
            equity_usd=cash + sum((each.quantity * each.mark_price for each in positions), Decimal(0)),
            positions=positions,
            at_ns=self._clock.now_ns(),
        )

    @property
    def trading(self) -> Trading:
        """See `StateTeller.trading`."""
        return self._system.trading

    async def ask_trading(self) -> Trading:
        """See `StateTeller.ask_trading`."""
        self._system.take(await self.system_status())
        return self._system.trading

    @readable
    async def system_status(self) -> str:
        """Return the venue's state: online, maintenance, cancel_only, post_only."""
        return str(table(await self._client.public("SystemStatus"))["status"])

    @property
    def client(self) -> KrakenClient:
        """Whoever asks what the engine does not: how we stand with the venue."""
        return self._client

    @property
    def account_name(self) -> str:
        return self._key.account

    @readable
    async def permissions(self) -> frozenset[str]:
        """Return what the asking key may do; one that can withdraw must not be used."""
        said = table(await self._client.ask("GetApiKeyInfo"))["permissions"]
        if not isinstance(said, list):
            raise ValueError("permissions are no list")
        return frozenset(map(str, said))

    # --- inside ----------------------------------------------------------------------------------

    def fields(self, request: OrderRequest, valid_until_ns: int = 0) -> dict[str, str]:
        """Return an order's fields as they go out, under the client id that carries our mark."""
        fields = translate.order_fields(request, self._rules[request.symbol], valid_until_ns)
        return fields | self._named(request.client_order_id)

    def _named(self, name: str) -> dict[str, str]:
        """Return how a request names an order: by our id, or a foreign one by the venue's."""
        if name.startswith(translate.FOREIGN):
            return {"txid": name.removeprefix(translate.FOREIGN)}
        return {"cl_ord_id": self._names.of(name)}

    async def _marks(self, coins: Sequence[Rules]) -> dict[str, Decimal]:
        """Return the coins' prices, from the stream where it has them."""
        marks = {rules.symbol: self._market.mid(rules.symbol) for rules in coins}
        missing = [rules for rules in coins if not marks[rules.symbol]]
        if missing:
            said = table(await self._client.public("Ticker", pair=",".join(r.altname for r in missing)))
            for rules in missing:
                marks[rules.symbol] = _last(table(said[rules.pair_id]))
        return marks

    @readable
    async def _token(self) -> str:
        return str(table(await self._client.ask("GetWebSocketsToken"))["token"])

    async def _refresh(self) -> None:
        """Take over what the venue says of our pairs; one that it lists no more is closed."""
        wanted = ",".join(rules.altname for rules in self._pairs)
        said = table(await self._client.public("AssetPairs", pair=wanted))
        self._rules = {
            rules.symbol: translate.rules_of(rules.pair_id, table(said[rules.pair_id]))
            if rules.pair_id in said
            else rules.gone()
            for rules in self._pairs
        }

    def _whole(self, is_whole: bool) -> None:
        self.is_up = is_whole
        if is_whole:
            self._history.on_whole()
        self._heard.tell_link(is_whole)

    def _event(self, event: OrderEvent) -> None:
        if isinstance(event, Fill):
            self._history.remember(event)
        self._heard.tell_event(event)


def _last(ticker: Json) -> Decimal:
    last = ticker["c"]
    if not isinstance(last, list) or not last:
        raise OutcomeUnknown("a ticker without a last price")
    return amount(last[0])
