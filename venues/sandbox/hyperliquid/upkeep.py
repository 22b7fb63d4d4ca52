"""What happens at the loopback Hyperliquid without a request: funding, liquidation, timers, deleveraging.

Sources: venue documentation, "Funding", "Liquidations", "Auto-deleveraging" (venues.md 3.12).
"""

from __future__ import annotations

from decimal import Decimal

from venues.hyperliquid.precision import size_down
from venues.sandbox.hyperliquid import margin
from venues.sandbox.hyperliquid.accounts import ZERO, User, usd
from venues.sandbox.hyperliquid.forgetting import forget
from venues.sandbox.hyperliquid.house import House
from venues.sandbox.hyperliquid.listing import BY_COIN, perps
from venues.sandbox.hyperliquid.orders import wire_float
from venues.sandbox.hyperliquid.trading import Trading

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
INTEREST_8H, CLAMP_8H = Decimal("0.0001"), Decimal("0.0005")
CAP_HOUR = Decimal("0.04")
SLICE_ABOVE_USD, SLICE, COOLDOWN_MS = Decimal(100_000), Decimal("0.2"), 30_000
BACKSTOP = Decimal(2) / 3
"""Below this share of the maintenance margin the book is not asked any more."""
RATES_KEPT = 10_000


def hourly_rate(premium: Decimal) -> Decimal:
    """Return one hour's funding rate: (premium + clamp(interest - premium)) / 8, capped."""
    gap = max(-CLAMP_8H, min(CLAMP_8H, INTEREST_8H - premium))
    return max(-CAP_HOUR, min(CAP_HOUR, (premium + gap) / 8))


class Upkeep:
    """Called with the time; does what is due."""

    def __init__(self, trading: Trading, house: House, now_ms: int) -> None:
        self._trading, self._house = trading, house
        self._hour = now_ms // HOUR_MS
        self.premiums: dict[str, Decimal] = {}
        self.oracles: dict[str, Decimal] = {}
        """Set to let the oracle stray from the mark."""
        self.rates: list[dict[str, object]] = []
        """What funding cost, hour by hour: the newest of all coins."""

    def rate_of(self, coin: str) -> Decimal:
        return hourly_rate(self.premiums.get(coin, ZERO))

    def rates_now(self) -> dict[str, Decimal]:
        return {each.coin: self.rate_of(each.coin) for each in perps()}

    def advance(self, now_ms: int) -> None:
        """Do what is due at this time."""
        hour = now_ms // HOUR_MS
        while self._hour < hour:
            self._hour += 1
            self._fund(self._hour * HOUR_MS)
            forget(self._trading, now_ms)
            del self.rates[:-RATES_KEPT]
        for user in list(self._trading.registry.users.values()):
            if user.scheduled_ms is not None and user.scheduled_ms <= now_ms:
                self._fire_schedule(user, now_ms)
            self._liquidate(user, now_ms)

    def _fund(self, at_ms: int) -> None:
        """Pay funding for one hour: longs pay when the rate is positive."""
        for listing in perps():
            mark = self._trading.marks.get(listing.coin)
            if mark is None or listing.is_delisted:
                continue
            rate, oracle = self.rate_of(listing.coin), self.oracles.get(listing.coin, mark)
            premium = self.premiums.get(listing.coin, ZERO)
            self.rates.append(
                {
                    "coin": listing.coin,
                    "fundingRate": wire_float(rate),
                    "premium": wire_float(premium),
                    "time": at_ms,
                }
            )
            for user in self._trading.registry.users.values():
                position = user.positions.get(listing.coin)
                if position is not None:
                    self.pay(user, listing.coin, -usd(position.szi * oracle * rate), rate, at_ms)

    def pay(self, user: User, coin: str, amount: Decimal, rate: Decimal, at_ms: int) -> None:
        """Move one payment of funding, and tell the account."""
        position = user.positions[coin]
        user.cash += amount
        position.funding_all -= amount
        position.funding_open -= amount
        position.funding_change -= amount
        if not user.is_cross(coin):
            position.isolated_usd += amount
        delta = {
            "type": "funding",
            "coin": coin,
            "usdc": wire_float(amount),
            "szi": wire_float(position.szi),
            "fundingRate": wire_float(rate),
            "nSamples": None,
        }
        user.fundings.append({"time": at_ms, "hash": "0x" + "0" * 64, "delta": delta})
        said = {key: delta[key] for key in ("coin", "usdc", "szi", "fundingRate", "nSamples")} | {
            "time": at_ms
        }
        self._trading.audience.on_event(user.address, {"funding": said})

    def _fire_schedule(self, user: User, now_ms: int) -> None:
        """The dead-man's switch: cancel everything, count the firing."""
        user.scheduled_ms = None
        day, count = user.firings
        today = now_ms // DAY_MS
        user.firings = (today, count + 1 if day == today else 1)
        for order in list(user.live.values()):
            self._trading.end(order, "scheduledCancel")

    # --- liquidation ---------------------------------------------------------------------------------

    def _liquidate(self, user: User, now_ms: int) -> None:
        """Take the positions whose margin is gone: through the book, or to the backstop."""
        coins = margin.in_danger(user, self._trading.marks)
        if not coins or now_ms - user.slice_ms < COOLDOWN_MS:
            return
        for order in list(user.live.values()):
            self._trading.end(order, "liquidatedCanceled")
        marks = self._trading.marks
        value, keeps = user.cross_value(marks), margin.cross_maintenance(user, marks)
        notional = sum((abs(user.positions[coin].szi) * marks[coin] for coin in coins), ZERO)
        is_backstop = value < BACKSTOP * keeps
        for coin in coins:
            position = user.positions[coin]
            size = abs(position.szi)
            if not is_backstop and size * marks[coin] > SLICE_ABOVE_USD:
                size = size_down(size * SLICE, BY_COIN[coin].sz_decimals) or size
                user.slice_ms = now_ms
            self._take(user, coin, size, is_backstop=is_backstop)
        said = {
            "lid": now_ms,
            "liquidator": "0x" + "f" * 40,
            "liquidated_user": user.address,
            "liquidated_ntl_pos": wire_float(usd(notional)),
            "liquidated_account_value": wire_float(usd(value)),
        }
        self._trading.audience.on_event(user.address, {"liquidation": said})

    def _take(self, user: User, coin: str, size: Decimal, *, is_backstop: bool) -> None:
        """Close some of a position: at the mark to the backstop, else against the book."""
        mark = self._trading.marks[coin]
        method = "backstop" if is_backstop else "market"
        note = {"liquidatedUser": user.address, "markPx": wire_float(mark), "method": method}
        self._trading.force(user, coin, size, mark if is_backstop else None, {"liquidation": note})

    def deleverage(self, user: User, coin: str) -> None:
        """Close a position at the previous mark because somebody on the other side could not pay (ADL)."""
        position = user.positions[coin]
        price = self._house.previous[coin]
        self._trading.force(user, coin, abs(position.szi), price, {"dir": "Auto-Deleveraging"})

    def delist(self, coin: str) -> None:
        """Settle a market: orders end, positions close at the mark."""
        for user in self._trading.registry.users.values():
            for order in [o for o in user.live.values() if o.coin == coin]:
                self._trading.end(order, "delistedCanceled")
            position = user.positions.get(coin)
            if position is not None:
                mark = self._trading.marks[coin]
                self._trading.force(user, coin, abs(position.szi), mark, {"dir": "Settlement"})
        self._trading.halted.add(coin)
