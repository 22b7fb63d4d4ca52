"""Accounts of the loopback Hyperliquid: collateral, positions, spot balances, and who may sign for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from venues.sandbox.hyperliquid.listing import BY_COIN, Listing
from venues.sandbox.hyperliquid.orders import Order

ZERO = Decimal(0)
USD_QUANTUM = Decimal("1e-6")
DEFAULT_LEVERAGE = 20


def usd(amount: Decimal) -> Decimal:
    """Round to the venue's six decimals of a dollar."""
    return amount.quantize(USD_QUANTUM, ROUND_HALF_EVEN)


@dataclass(slots=True)
class Position:
    """A signed perpetual position; `isolated_usd` is the margin set aside for it (0 when cross)."""

    szi: Decimal
    entry: Decimal
    isolated_usd: Decimal = ZERO
    funding_all: Decimal = ZERO
    funding_open: Decimal = ZERO
    funding_change: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Moved:
    """What one execution did to a position."""

    start: Decimal
    closed_pnl: Decimal
    direction: str


@dataclass(slots=True)
class User:
    """One address with money: a person's, a sub-account's or a vault's (`master` leads those two)."""

    address: str
    role: str = "user"
    master: str | None = None
    name: str = ""
    cash: Decimal = ZERO
    spot: dict[int, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    leverages: dict[str, tuple[int, bool]] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    live: dict[int, Order] = field(default_factory=dict)
    fills: list[dict[str, Any]] = field(default_factory=list)
    fundings: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    volume: Decimal = ZERO
    requests: int = 0
    bought_requests: int = 0
    scheduled_ms: int | None = None
    firings: tuple[int, int] = (0, 0)
    """The UTC day, and how often the scheduled cancel fired in it."""
    slice_ms: int = 0
    """When a slice of a large position was last liquidated."""

    def leverage_of(self, listing: Listing) -> tuple[int, bool]:
        """Return leverage and whether it is cross."""
        default = (min(DEFAULT_LEVERAGE, listing.max_leverage), not listing.only_isolated)
        return self.leverages.get(listing.coin, default)

    def reducible(self, coin: str, is_buy: bool) -> Decimal:
        """Return how much an order of this side could reduce the position by."""
        position = self.positions.get(coin)
        return ZERO if position is None else max(ZERO, -position.szi if is_buy else position.szi)

    def move(self, listing: Listing, is_buy: bool, size: Decimal, price: Decimal) -> Moved:
        """Book one perpetual execution without its fee: realise what it closes, average what it adds."""
        sign = 1 if is_buy else -1
        held = self.positions.get(listing.coin)
        start, entry = (ZERO, ZERO) if held is None else (held.szi, held.entry)
        after = start + sign * size
        closing = min(size, self.reducible(listing.coin, is_buy))
        pnl = usd(closing * (price - entry) * -sign) if closing else ZERO
        self.cash += pnl
        if after == 0:
            self.positions.pop(listing.coin, None)
        elif held is None or start * after < 0:
            self.positions[listing.coin] = Position(after, price, funding_all=_all(held))
        else:
            if closing == 0:
                held.entry = (abs(start) * entry + size * price) / abs(after)
            held.szi, held.funding_change = after, ZERO
        self._isolate(listing, start, after, price)
        return Moved(start, pnl, _direction(start, after))

    def _isolate(self, listing: Listing, start: Decimal, after: Decimal, price: Decimal) -> None:
        leverage, is_cross = self.leverage_of(listing)
        position = self.positions.get(listing.coin)
        if is_cross or position is None:
            return
        if start * after <= 0:
            position.isolated_usd = usd(abs(after) * price / leverage)
        elif abs(after) > abs(start):
            position.isolated_usd += usd((abs(after) - abs(start)) * price / leverage)
        else:
            position.isolated_usd = usd(position.isolated_usd * after / start)

    def unrealised(self, marks: Mapping[str, Decimal], coins: set[str] | None = None) -> Decimal:
        """Return the open result at these marks, of all positions or of some."""
        return sum(
            (
                position.szi * (marks.get(coin, position.entry) - position.entry)
                for coin, position in self.positions.items()
                if coins is None or coin in coins
            ),
            ZERO,
        )

    def account_value(self, marks: Mapping[str, Decimal]) -> Decimal:
        return self.cash + self.unrealised(marks)

    def is_cross(self, coin: str) -> bool:
        return self.leverage_of(BY_COIN[coin])[1]

    def cross_value(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return what backs the cross positions: everything but what is isolated."""
        cross = {coin for coin in self.positions if self.is_cross(coin)}
        isolated = sum((p.isolated_usd for c, p in self.positions.items() if c not in cross), ZERO)
        return self.cash - isolated + self.unrealised(marks, cross)


def _all(held: Position | None) -> Decimal:
    return ZERO if held is None else held.funding_all


def _direction(start: Decimal, after: Decimal) -> str:
    """Return the venue's display text for what a fill did."""
    if start * after < 0:
        return "Long > Short" if start > 0 else "Short > Long"
    opens = abs(after) > abs(start)
    is_long = (after if opens else start) > 0
    return f"{'Open' if opens else 'Close'} {'Long' if is_long else 'Short'}"


@dataclass(slots=True)
class Agent:
    """A key that may sign for its master until a time."""

    address: str
    master: str
    name: str
    until_ms: int


class Registry:
    """Everybody the exchange knows: users by address, agents by address."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.agents: dict[str, Agent] = {}

    def user(self, address: str) -> User | None:
        return self.users.get(address.lower())

    def open(self, address: str, **given: Any) -> User:
        """Make an account. It must be new."""
        address = address.lower()
        assert address not in self.users
        made = self.users[address] = User(address, **given)
        return made

    def account_of(self, signer: str, now_ms: int) -> User | None:
        """Return whose account a signature moves: the signer's own, or that of the agent's master."""
        agent = self.agents.get(signer)
        if agent is not None:
            return self.users.get(agent.master) if agent.until_ms > now_ms else None
        found = self.users.get(signer)
        return found if found is not None and found.role == "user" else None

    def approve(self, agent: Agent) -> list[str]:
        """Take an agent in the place of those it replaces (same name, or unnamed); return these."""
        gone = [a.address for a in self.agents.values() if (a.master, a.name) == (agent.master, agent.name)]
        for address in gone:
            del self.agents[address]
        self.agents[agent.address] = agent
        return gone

    def expired(self, now_ms: int) -> list[str]:
        """Remove the agents whose time is over; return their addresses."""
        gone = [agent.address for agent in self.agents.values() if agent.until_ms <= now_ms]
        for address in gone:
            del self.agents[address]
        return gone

    def of_master(self, address: str, role: str) -> list[User]:
        return [user for user in self.users.values() if (user.role, user.master) == (role, address)]
