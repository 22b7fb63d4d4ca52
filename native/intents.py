"""What goes into the kernel (configuration, lanes) and what comes out (intents, fills, positions).

Units are micro-units of the base asset (1e-6); prices and money are doubles in quote currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from native.rules import (
    NO_GUARDS,
    PLAIN_EXCHANGE,
    PLAIN_SIZING,
    SHARED_ACCOUNT,
    ExchangeRules,
    GuardRules,
    PortfolioRules,
    SizingRules,
)

if TYPE_CHECKING:
    from native.forged import Forged
    from native.strategy import Strategy

Stops = Literal["intrabar", "next_open"]
Matching = Literal["internal", "external"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelConfig:
    """Account and exchange assumptions of one run.

    `stops`: "intrabar" executes stops and targets inside the bar (simulated exchange); "next_open"
    decides them at the close and fills at the next open, which is what external matching always does.
    `stop_atr`: distance in ATR(14) of the stop that an entry intent carries when its strategy names
    none; informational (not executed). `min_hold_bars`, `max_hold_bars`: the window within which a longest
    holding time is kept; at its end a position is ordered closed (`time_exit`), also where its strategy names
    no time (0: no bound). Other exits come when they come. `seed` is part of the identity and of every
    scenario draw. `exchange`, `guards`, `sizing`: assumptions beyond the plain ones, all off by default
    (docs/assumptions.md); `portfolio` is what lanes share, read by `Portfolio` alone.
    """

    cash: float = 1_000_000.0
    notional_usd: float = 10_000.0
    fee_bps: float = 4.5
    slippage_bps: float = 1.0
    seed: int = 0
    stops: Stops = "intrabar"
    stop_atr: float = 2.0
    stop_fallback_bps: float = 200.0
    max_slippage_bps: float = 50.0
    min_notional_usd: float = 0.0
    min_hold_bars: int = 0
    max_hold_bars: int = 0
    keeps_equity: bool = True
    exchange: ExchangeRules = PLAIN_EXCHANGE
    guards: GuardRules = NO_GUARDS
    sizing: SizingRules = PLAIN_SIZING
    portfolio: PortfolioRules = SHARED_ACCOUNT

    @property
    def is_plain(self) -> bool:
        """Whether nothing beyond the plain exchange is switched on."""
        extras = (self.exchange, self.guards, self.sizing)
        idle = ExchangeRules(interval_ns=self.exchange.interval_ns)
        return extras == (idle, NO_GUARDS, PLAIN_SIZING)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSpec:
    """One strategy on one symbol. `strategy`: a built-in's name, a `Strategy` instance or a forged one.

    `lot` in base units (at least 1e-6), `tick` in quote currency (0 = prices are not rounded).
    """

    symbol: str
    strategy: str | Strategy | Forged
    params: Mapping[str, float] = field(default_factory=dict)
    lot: float = 1e-6
    tick: float = 0.0


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A decision to trade, before preflight. `offset` 0 closes (reduce only), 1 opens.

    `limit_price` is the collar (worst acceptable price); `stop_price` is set on entries, None on exits.
    """

    intent_id: str
    lane: int
    step: int
    offset: int
    symbol: str
    side: int
    units: int
    quantity: float
    reason: str
    decision_price: float
    limit_price: float
    stop_price: float | None
    target_price: float | None
    reduce_only: bool
    decided_ts_ns: int


class KernelFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution that the internal simulated exchange made; `fee` in quote currency."""

    intent_id: str
    lane: int
    symbol: str
    side: int
    units: int
    price: float
    fee: float
    ts_ns: int
    reason: str
    reduce_only: bool


class LanePosition(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane holds: `side` -1/0/+1, prices 0.0 when flat, levels None when not executed by us."""

    lane: int = 0
    side: int
    units: int
    entry_price: float
    entry_bar: int
    entry_ts_ns: int
    stop_price: float | None
    target_price: float | None
    unrealised_usd: float
    outstanding: tuple[str, ...]
