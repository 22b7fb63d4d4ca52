"""Switchable assumptions of the kernel: the simulated exchange, guards on entries and exits, sizing.

Every default is "off": with all defaults a lane is plain and runs the short path.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

SlippageMode = Literal["fixed", "atr"]
TimeInForce = Literal["gtc", "ioc"]
SizingMode = Literal["notional", "equity", "risk", "kelly"]
Rank = Literal["adx", "momentum", "volatility", "calm", "strength"]
RANKS: tuple[Rank, ...] = ("adx", "momentum", "volatility", "calm", "strength")
QUOTES = ("USD", "USDT", "USDC", "EUR")
MAX_TIERS = 8


def require(is_good: bool, message: str) -> None:
    """Raise ValueError with `message` unless `is_good`; false for NaN comparisons too."""
    if not is_good:
        raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRules:
    """What the simulated exchange does beyond "market orders fill whole at the next open".

    `slippage_mode` "atr": clamp(`slippage_atr` * ATR(14)/close, low, high) instead of the fixed bps.
    `maker_fee_bps` None: as the taker's. `entry_limit_bps` None: entries are market orders; else they rest
    as limit orders that far on the better side of the close, fill when the price trades through, at a mere
    touch with `touch_fill_probability`, and are withdrawn after `limit_bars` (0: never).
    `fill_share`: share of the previous bar's volume that a bar can fill (0: no bound); what is left of an
    entry rests ("gtc") or is withdrawn ("ioc"), what is left of an exit always rests.
    `latency_ms` plus up to `latency_jitter_ms`: an order acts at the first open of a bar or sub-bar at or
    after its decision and that. `reject_probability`, `timeout_probability`: draws per (seed, order); a
    timed-out order acts `timeout_ms` later. `leverage` above 0 switches margin and liquidation on:
    `maintenance` tiers are (position notional from, rate). `max_gap_bars`: more missing bars than that block
    the entry decided at the next close and drop the one due at its open (0: off).
    `interval_ns`: the bars' length; latency, gaps and sub-bars need it.
    """

    slippage_mode: SlippageMode = "fixed"
    slippage_atr: float = 0.05
    slippage_low_bps: float = 2.0
    slippage_high_bps: float = 30.0
    maker_fee_bps: float | None = None
    entry_limit_bps: float | None = None
    touch_fill_probability: float = 0.0
    limit_bars: int = 0
    time_in_force: TimeInForce = "gtc"
    fill_share: float = 0.0
    latency_ms: float = 0.0
    latency_jitter_ms: float = 0.0
    reject_probability: float = 0.0
    timeout_probability: float = 0.0
    timeout_ms: float = 5_000.0
    leverage: float = 0.0
    maintenance: tuple[tuple[float, float], ...] = ((0.0, 0.005),)
    liquidation_fee_bps: float = 0.0
    max_gap_bars: int = 0
    interval_ns: int = 0
    has_funding: bool = False
    has_sub_bars: bool = False

    def check(self) -> None:
        """Raise ValueError for what is out of bounds."""
        require(
            self.slippage_mode in ("fixed", "atr"), f"slippage_mode is fixed or atr: {self.slippage_mode}"
        )
        require(self.time_in_force in ("gtc", "ioc"), f"time_in_force is gtc or ioc: {self.time_in_force}")
        require(
            0.0 <= self.slippage_low_bps <= self.slippage_high_bps < 10_000.0
            and 0.0 <= self.slippage_atr < 1e3,
            "slippage: 0 <= low <= high < 10000 bps, and a factor that is not negative",
        )
        for name in ("touch_fill_probability", "reject_probability", "timeout_probability", "fill_share"):
            require(0.0 <= getattr(self, name) <= 1.0, f"{name}={getattr(self, name)} is outside [0, 1]")
        for name in ("latency_ms", "latency_jitter_ms", "timeout_ms"):
            require(0.0 <= getattr(self, name) <= 86_400_000.0, f"{name} is at most a day")
        for fee in (self.maker_fee_bps or 0.0, self.entry_limit_bps or 0.0, self.liquidation_fee_bps):
            require(-10_000.0 < fee < 10_000.0, f"{fee} bps is outside (-10000, 10000)")
        require((self.entry_limit_bps or 0.0) >= 0.0, "entry_limit_bps must not be negative")
        require(
            min(self.limit_bars, self.max_gap_bars, self.interval_ns) >= 0,
            "bars and interval_ns are not negative",
        )
        needs = (
            self.latency_ms + self.latency_jitter_ms + self.timeout_probability > 0.0
            or self.max_gap_bars > 0
            or self.has_sub_bars
        )
        require(self.interval_ns > 0 or not needs, "latency, timeouts, gaps and sub-bars need interval_ns")
        self._check_margin()

    def _check_margin(self) -> None:
        require(0.0 <= self.leverage <= 1_000.0, f"leverage={self.leverage} is outside [0, 1000]")
        require(1 <= len(self.maintenance) <= MAX_TIERS, f"1 to {MAX_TIERS} maintenance tiers")
        froms = [tier[0] for tier in self.maintenance]
        rates = [tier[1] for tier in self.maintenance]
        require(froms[0] == 0.0 and froms == sorted(set(froms)), "maintenance tiers start at 0 and rise")
        require(all(math.isfinite(x) for x in froms + rates), "maintenance tiers must be finite")
        require(rates == sorted(rates) and rates[0] >= 0.0 and rates[-1] < 1.0, "rates rise within [0, 1)")

    def deductions(self) -> tuple[float, ...]:
        """Return what each tier deducts, so that margin = notional * rate - deduction has no steps."""
        out = [0.0]
        for (_, below), (start, rate) in zip(self.maintenance, self.maintenance[1:], strict=False):
            out.append(out[-1] + start * (rate - below))
        return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRules:
    """When not to believe a bar, and when not to enter again.

    `glitch_move` (share of the last close) and `glitch_atr`: a bar that reaches further than either away from
    the last close is a bad print: its levels are not executed and no entry is decided on it (0: off).
    `cooldown_s`: after an exit, entries in the same direction wait that long, counted between bars; not
    after a flip, never for exits.
    """

    glitch_move: float = 0.0
    glitch_atr: float = 0.0
    cooldown_s: float = 0.0

    def check(self) -> None:
        """Raise ValueError for what is out of bounds."""
        for name in ("glitch_move", "glitch_atr", "cooldown_s"):
            require(0.0 <= getattr(self, name) < 1e9, f"{name}={getattr(self, name)} must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingRules:
    """How large an entry is, before the envelope's multiplier and the lot.

    "notional": the configured notional. "equity": `fraction` of equity. "risk": a stop-out costs `fraction`
    of equity, at most equity times the leverage (1 where leverage is off). "kelly": `kelly_multiplier` times
    the Kelly fraction p - (1-p)/b of the lane's own closed trades, p shrunk to 1/2 and b to 1 by
    `kelly_prior` imagined trades, at most `fraction`; `fraction` itself below `kelly_min_trades`.
    `max_notional_usd` caps each entry (0: no cap).
    """

    mode: SizingMode = "notional"
    fraction: float = 0.02
    kelly_multiplier: float = 0.5
    kelly_prior: float = 20.0
    kelly_min_trades: int = 30
    max_notional_usd: float = 0.0

    def check(self) -> None:
        """Raise ValueError for what is out of bounds."""
        require(self.mode in ("notional", "equity", "risk", "kelly"), f"unknown sizing mode {self.mode}")
        require(0.0 <= self.fraction <= 100.0, f"fraction={self.fraction} is outside [0, 100]")
        require(0.0 <= self.kelly_multiplier <= 1.0, "kelly_multiplier is outside [0, 1]")
        require(
            0.0 <= self.kelly_prior < 1e9 and self.kelly_min_trades >= 0, "Kelly's numbers are not negative"
        )
        require(0.0 <= self.max_notional_usd < 1e15, "max_notional_usd must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioRules:
    """What lanes share: in which order entries are served, and the caps that they meet (0: no cap).

    `rank` breaks ties of strength, the higher first: "adx" ADX(14); "momentum" the close against the one 19
    bars before, in the direction of the wish; "volatility" ATR(14)/close, "calm" the other way round; or
    "strength": the strategy's own strength unrounded, and nothing else. `max_entries` per time,
    `max_positions` at once. Notional of all positions and entries on their way, of one symbol's, of one
    strategy's: an entry shrinks to what is left. Altcoins long, short (every symbol whose base is not among
    `majors`) and `max_heat` (what all stops together would lose, as a share of equity) block.
    """

    rank: Rank = "adx"
    max_entries: int = 6
    max_positions: int = 20
    max_notional_usd: float = 0.0
    max_symbol_notional_usd: float = 0.0
    max_strategy_notional_usd: float = 0.0
    max_alt_longs_usd: float = 0.0
    max_alt_shorts_usd: float = 0.0
    max_heat: float = 0.0
    majors: tuple[str, ...] = ("BTC",)

    def check(self) -> None:
        """Raise ValueError for what is out of bounds."""
        require(self.rank in RANKS, f"rank is one of {', '.join(RANKS)}: {self.rank}")
        require(self.max_entries >= 0 and self.max_positions >= 0, "capacities are not negative")
        for name in ("max_notional_usd", "max_symbol_notional_usd", "max_strategy_notional_usd",
                     "max_alt_longs_usd", "max_alt_shorts_usd", "max_heat"):  # fmt: skip
            require(0.0 <= getattr(self, name) < 1e15, f"{name} must not be negative")
        require(all(each and each == each.upper() for each in self.majors), "majors are upper-case bases")

    @property
    def has_caps(self) -> bool:
        """Whether any cap is on beyond places and the notional of all."""
        caps = (self.max_symbol_notional_usd, self.max_strategy_notional_usd, self.max_alt_longs_usd,
                self.max_alt_shorts_usd, self.max_heat)  # fmt: skip
        return any(cap > 0.0 for cap in caps)


def hold_window(min_minutes: float, max_minutes: float, interval_ns: int) -> dict[str, int]:
    """Return a hold window in bars: never beyond its end, at least one bar. Raises `ValueError`.

    Where bars are longer than the window, a position is held one bar.
    """
    if not 0.0 <= min_minutes <= (max_minutes or math.inf):
        raise ValueError(f"a hold window of {min_minutes:g} to {max_minutes:g} minutes ends before it begins")
    if not (min_minutes or max_minutes):
        return {"min_hold_bars": 0, "max_hold_bars": 0}
    minute_bars = 60e9 / interval_ns
    most = max(1, math.floor(max_minutes * minute_bars)) if max_minutes else 0
    least = math.ceil(min_minutes * minute_bars)
    return {"min_hold_bars": min(least, most) if most else least, "max_hold_bars": most}


def is_major(symbol: str, majors: tuple[str, ...]) -> bool:
    """Tell whether a symbol's base is one of `majors`: BTC, BTC-PERP, BTC/USDT, BTCUSDT; not BTCDOM-PERP."""
    base = re.split(r"[-/_:]", symbol.upper(), maxsplit=1)[0]
    return any(base in (major, *(major + quote for quote in QUOTES)) for major in majors)


PLAIN_EXCHANGE, NO_GUARDS, PLAIN_SIZING = ExchangeRules(), GuardRules(), SizingRules()
SHARED_ACCOUNT = PortfolioRules()
