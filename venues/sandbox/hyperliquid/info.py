"""The questions of `/info`: one table from type to answer. Lists are as old as the venue's lag."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from venues.sandbox.hyperliquid import listing, margin
from venues.sandbox.hyperliquid.accounts import ZERO, User
from venues.sandbox.hyperliquid.candles import INTERVALS_MS, Candles
from venues.sandbox.hyperliquid.executions import FEES_BPS
from venues.sandbox.hyperliquid.gate import request_cap
from venues.sandbox.hyperliquid.house import House
from venues.sandbox.hyperliquid.orders import LIVE, Order, wire_float
from venues.sandbox.hyperliquid.trading import Trading
from venues.sandbox.hyperliquid.upkeep import HOUR_MS, Upkeep

Body = dict[str, Any]
PAGE, FILLS_PAGE, DEPTH = 500, 2_000, 20
ROLE = "userRole"
LIGHT = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)


class BadQuestion(Exception):
    """The question has no such type, or lacks what the type needs: answered with 422."""


BY_ROWS = frozenset(
    {
        "candleSnapshot",
        "fundingHistory",
        "historicalOrders",
        "recentTrades",
        "userFills",
        "userFillsByTime",
        "userFunding",
        "userNonFundingLedgerUpdates",
    }
)
"""Whose answers cost by their rows: fills, history and funding 1 per 20, candles 1 per 60."""


class Info:
    """Answers questions about one exchange."""

    def __init__(
        self,
        trading: Trading,
        house: House,
        candles: Candles,
        upkeep: Upkeep,
        now_ms: Callable[[], int],
        lag_ms: Callable[[], int],
    ) -> None:
        self._trading, self._house, self._candles, self._upkeep = trading, house, candles, upkeep
        self._now_ms, self._lag_ms = now_ms, lag_ms
        self._general: dict[str, Callable[[Body], Any]] = {
            "meta": lambda body: listing.meta(),
            "spotMeta": lambda body: listing.spot_meta(),
            "perpDexs": lambda body: [None],
            "metaAndAssetCtxs": lambda body: [listing.meta(), self._contexts(listing.perps())],
            "spotMetaAndAssetCtxs": lambda body: [listing.spot_meta(), self._contexts(listing.spots())],
            "allMids": lambda body: self.mids(),
            "l2Book": lambda body: self.book(_text(body, "coin")),
            "candleSnapshot": self._candle_snapshot,
            "fundingHistory": self._funding_history,
            "predictedFundings": lambda body: self._predicted(),
            "perpsAtOpenInterestCap": lambda body: [],
            "recentTrades": lambda body: self._trading.executions.trades.get(_text(body, "coin"), [])[-10:][
                ::-1
            ],
            "exchangeStatus": lambda body: {"time": self._now_ms(), "specialStatuses": None},
        }
        self._personal: dict[str, Callable[[User, Body], Any]] = {
            "clearinghouseState": lambda user, body: self.state(user),
            "spotClearinghouseState": lambda user, body: self.balances(user),
            "openOrders": lambda user, body: self._open(user, is_frontend=False),
            "frontendOpenOrders": lambda user, body: self._open(user, is_frontend=True),
            "orderStatus": self._order_status,
            "historicalOrders": lambda user, body: self._historical(user),
            "userFills": lambda user, body: self.fills(user)[::-1][:FILLS_PAGE],
            "userFillsByTime": self._fills_by_time,
            "userFunding": lambda user, body: _window(user.fundings, body, PAGE),
            "userNonFundingLedgerUpdates": lambda user, body: _window(user.ledger, body, PAGE),
            "userFees": lambda user, body: self._fees(user),
            "userRateLimit": lambda user, body: self._rate_limit(user),
            "userAbstraction": lambda user, body: "disabled",
            "extraAgents": lambda user, body: self._agents(user),
            "subAccounts": lambda user, body: self._sub_accounts(user),
            "vaultDetails": lambda user, body: _vault(user),
            "userVaultEquities": lambda user, body: [],
            "userTwapSliceFills": lambda user, body: [],
            "portfolio": lambda user, body: self._portfolio(user),
            "activeAssetData": self._active_asset,
        }

    def kinds(self) -> frozenset[str]:
        """Return the types of question that there are."""
        return frozenset((*self._general, *self._personal, ROLE))

    def answer(self, body: Any) -> Any:
        """Answer one question. Raises `BadQuestion`."""
        if not isinstance(body, dict):
            raise BadQuestion
        kind = _text(body, "type")
        if kind in self._general:
            return self._general[kind](body)
        if kind == ROLE:
            return self._role(_text(body, "user"))
        if kind not in self._personal:
            raise BadQuestion
        address = _text(body, "vaultAddress" if kind == "vaultDetails" else "user")
        user = self._trading.registry.user(address) or User(address.lower())
        return self._personal[kind](user, body)

    # --- the market --------------------------------------------------------------------------------

    def mids(self) -> dict[str, str]:
        """Return a mid for each quoted coin; the last price where a side of the book is empty."""
        found = {}
        for coin, mark in self._trading.marks.items():
            bid, ask = (self._trading.books[coin].best_price(side) for side in (True, False))
            found[coin] = wire_float(mark if bid is None or ask is None else (bid + ask) / 2)
        return found

    def book(self, coin: str, depth: int = DEPTH) -> Body | None:
        if coin not in self._trading.books:
            return None
        sides = [self.side(coin, is_buy, depth) for is_buy in (True, False)]
        return {"coin": coin, "time": self._now_ms(), "levels": sides}

    def side(self, coin: str, is_buy: bool, depth: int) -> list[Body]:
        levels = self._trading.books[coin].levels(is_buy, depth)
        return [{"px": wire_float(x.price), "sz": wire_float(x.size), "n": x.orders} for x in levels]

    def _contexts(self, listings: list[listing.Listing]) -> list[Body]:
        return self._house.contexts(listings, self._upkeep.oracles, self._upkeep.rates_now())

    def context(self, coin: str) -> Body:
        """Return one market's context."""
        return self._contexts([listing.BY_COIN[coin]])[0]

    def _candle_snapshot(self, body: Body) -> list[Body]:
        asked = body.get("req")
        if not isinstance(asked, dict) or asked.get("interval") not in INTERVALS_MS:
            raise BadQuestion
        coin, interval = _text(asked, "coin"), _text(asked, "interval")
        first, last = _time(asked, "startTime", 0), _time(asked, "endTime", self._now_ms())
        return [each.wire(coin, interval) for each in self._candles.window(coin, interval, first, last)]

    def _funding_history(self, body: Body) -> list[Body]:
        coin = _text(body, "coin")
        return _window([each for each in self._upkeep.rates if each["coin"] == coin], body, PAGE)

    def _predicted(self) -> list[Any]:
        next_ms = (self._now_ms() // HOUR_MS + 1) * HOUR_MS
        return [
            [coin, [["HlPerp", {"fundingRate": wire_float(rate), "nextFundingTime": next_ms}]]]
            for coin, rate in self._upkeep.rates_now().items()
        ]

    # --- an account --------------------------------------------------------------------------------

    def state(self, user: User) -> Body:
        return margin.state(user, self._trading.marks, self._now_ms())

    def balances(self, user: User) -> Body:
        return {
            "balances": [
                {
                    "coin": listing.TOKEN_NAMES[token],
                    "token": token,
                    "total": wire_float(total),
                    "hold": wire_float(self._trading.spot_hold(user, token)),
                    "entryNtl": "0.0",
                }
                for token, total in sorted(user.spot.items())
            ]
        }

    def _seen_ms(self) -> int:
        return self._now_ms() - self._lag_ms()

    def _open(self, user: User, *, is_frontend: bool) -> list[Body]:
        found, seen_ms = [], self._seen_ms()
        for order in user.orders.values():
            past = order.seen_at(seen_ms)
            if past is not None and past.status in LIVE and not self._waits(order):
                found.append(
                    order.frontend(past, self._children(order)) if is_frontend else order.basic(past)
                )
        return found

    def _waits(self, order: Order) -> bool:
        """Tell whether an order is shown under its parent instead of by itself."""
        return order.parent is not None and self._trading.orders[order.parent].is_live

    def _children(self, order: Order) -> list[Body]:
        children = (self._trading.orders[oid] for oid in order.children)
        return [child.frontend(child.history[-1]) for child in children if child.is_live]

    def _order_status(self, user: User, body: Body) -> Body:
        asked = body.get("oid")
        order = None
        if isinstance(asked, bool) or not isinstance(asked, int | str):
            raise BadQuestion
        if isinstance(asked, int):
            order = user.orders.get(asked)
        else:
            order = self._trading.by_cloid(user, asked)
        past = None if order is None else order.seen_at(self._seen_ms())
        if order is None or past is None:
            return {"status": "unknownOid"}
        shown = order.frontend(past, self._children(order))
        return {
            "status": "order",
            "order": {"order": shown, "status": past.status, "statusTimestamp": past.at_ms},
        }

    def _historical(self, user: User) -> list[Body]:
        """Return what orders became; an order shows once for each status that it had, newest first."""
        seen_ms = self._seen_ms()
        found: list[tuple[int, int, Body]] = []
        for order in user.orders.values():
            last = ""
            for past in order.history:
                if past.at_ms <= seen_ms and past.status != last:
                    last = past.status
                    entry = {"order": order.frontend(past), "status": last, "statusTimestamp": past.at_ms}
                    found.append((past.at_ms, len(found), entry))
        return [entry for _, _, entry in sorted(found, key=lambda each: each[:2], reverse=True)][:2_000]

    def fills(self, user: User) -> list[Body]:
        """Return the fills that the lists show already, oldest first."""
        seen_ms = self._seen_ms()
        return [fill for fill in user.fills if fill["time"] <= seen_ms]

    def _fills_by_time(self, user: User, body: Body) -> list[Body]:
        return _window(self.fills(user), body, FILLS_PAGE)

    def _fees(self, user: User) -> Body:
        cross, add, spot_cross, spot_add = (wire_float(FEES_BPS[key] / 10_000) for key in FEES_BPS)
        return {
            "dailyUserVlm": [],
            "feeSchedule": {"cross": cross, "add": add, "spotCross": spot_cross, "spotAdd": spot_add},
            "userCrossRate": cross,
            "userAddRate": add,
            "userSpotCrossRate": spot_cross,
            "userSpotAddRate": spot_add,
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialReward": "0.0",
            "nextTrialAvailableTimestamp": None,
        }

    def _rate_limit(self, user: User) -> Body:
        return {
            "cumVlm": wire_float(user.volume.quantize(Decimal("1e-6"))),
            "nRequestsUsed": user.requests,
            "nRequestsCap": request_cap(user),
            "nRequestsSurplus": 0,
        }

    def _role(self, address: str) -> Body:
        registry = self._trading.registry
        agent = registry.agents.get(address.lower())
        if agent is not None:
            return {"role": "agent", "data": {"user": agent.master}}
        user = registry.user(address)
        if user is None:
            return {"role": "missing"}
        return {"role": user.role} | ({"data": {"master": user.master}} if user.role == "subAccount" else {})

    def _agents(self, user: User) -> list[Body]:
        agents = self._trading.registry.agents.values()
        return [
            {"name": each.name, "address": each.address, "validUntil": each.until_ms}
            for each in agents
            if each.master == user.address and each.name
        ]

    def _sub_accounts(self, user: User) -> list[Body] | None:
        subs = self._trading.registry.of_master(user.address, "subAccount")
        return [
            {
                "name": sub.name,
                "subAccountUser": sub.address,
                "master": user.address,
                "clearinghouseState": self.state(sub),
                "spotState": self.balances(sub),
            }
            for sub in subs
        ] or None

    def _portfolio(self, user: User) -> list[Any]:
        value = wire_float(user.account_value(self._trading.marks).quantize(Decimal("1e-6")))
        history = {"accountValueHistory": [[self._now_ms(), value]], "pnlHistory": [], "vlm": "0.0"}
        return [[span, history] for span in ("day", "week", "month", "allTime")]

    def _active_asset(self, user: User, body: Body) -> Body:
        coin = _text(body, "coin")
        if coin not in listing.BY_COIN:
            raise BadQuestion
        each, mark = listing.BY_COIN[coin], self._trading.marks.get(coin, ZERO)
        leverage, is_cross = user.leverage_of(each)
        free = max(
            ZERO,
            user.cross_value(self._trading.marks) - margin.used(user, self._trading.marks, cross_only=True),
        )
        size = (
            wire_float((free * leverage / mark).quantize(Decimal(1).scaleb(-each.sz_decimals)))
            if mark
            else "0.0"
        )
        return {
            "user": user.address,
            "coin": coin,
            "leverage": {"type": "cross" if is_cross else "isolated", "value": leverage},
            "maxTradeSzs": [size, size],
            "availableToTrade": [wire_float(free), wire_float(free)],
            "markPx": wire_float(mark),
        }


def weight_of(body: Any) -> int:
    """Return what a question costs of an address's 1200 a minute (without the parts per item)."""
    kind = body.get("type") if isinstance(body, dict) else None
    if kind in LIGHT:
        return 2
    return 60 if kind == "userRole" else 20


def weight_of_rows(body: Body, said: Any) -> int:
    """Return what the rows of an answer cost beside its question."""
    per_weight = 60 if body["type"] == "candleSnapshot" else 20
    return len(said) // per_weight if body["type"] in BY_ROWS and isinstance(said, list) else 0


def _text(body: Body, name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str):
        raise BadQuestion
    return found


def _time(body: Body, name: str, default: int) -> int:
    found = body.get(name)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int):
        raise BadQuestion
    return found


def _window(items: list[Any], body: Body, limit: int) -> list[Any]:
    """Return the oldest items inside the asked times, both ends inclusive, one page of them."""
    first, last = _time(body, "startTime", 0), _time(body, "endTime", 1 << 62)
    return [item for item in items if first <= item["time"] <= last][:limit]


def _vault(user: User) -> Body | None:
    """Return what is told of a vault; nothing of any other address."""
    if user.role != "vault":
        return None
    return {
        "name": user.name,
        "vaultAddress": user.address,
        "leader": user.master,
        "followers": [],
        "isClosed": False,
        "relationship": {"type": "normal"},
        "allowDeposits": True,
    }
