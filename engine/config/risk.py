"""The risk block: every limit with its default, unit and bound."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from engine.config.fields import Block, Count, Fraction, NotNegative, NotNegativeCount, Positive
from native.rules import SHARED_ACCOUNT

CAP_LEVELS = ("symbol", "strategy", "account", "venue", "desk")


class CapBlock(Block):
    """One subject's own caps in US dollars; what is left out has none."""

    order_usd: Positive | None = None
    exposure_usd: Positive | None = None


class RiskBlock(Block):
    """Limits. Money in US dollars; fractions of equity or of peak; rates per second.

    The first eight keys are AQ's; the others are the desk's hard limits, sized for a paper account of
    100,000 USD. Daily loss and drawdown have a close-only bound and a halt bound (C-36). A looser value
    takes effect after `raise_cooldown_s`, a tighter one at once (`safety.limits`).
    """

    initial_equity_usd: Positive = 100_000.0
    max_portfolio_risk: Fraction = 0.03
    max_leverage: Positive = 5.0
    max_drawdown: Fraction = 0.10
    risk_per_trade_cap: Fraction = 0.04
    kelly_multiplier: NotNegative = 1.0
    min_hold_minutes: NotNegative = 0.0
    max_hold_minutes: NotNegative = 0.0
    """The hold window (AQ-11: 45 to 360): 0 is no bound, since one of hours would end every daily position
    on its first bar. It bounds sessions and, without a preset, research runs."""
    max_order_notional_usd: Positive = 25_000.0
    max_symbol_exposure_usd: Positive = 40_000.0
    max_gross_exposure_usd: Positive = 100_000.0
    max_open_orders: Count = 20
    max_open_positions: Count = 8
    daily_loss_close_only_usd: Positive = 3_000.0
    daily_loss_halt_usd: Positive = 5_000.0
    drawdown_close_only: Fraction = 0.05
    drawdown_halt: Fraction = 0.10
    price_collar: Fraction = 0.01
    price_drift_5min: Fraction = 0.03
    mark_stale_ms: Count = 2_000
    message_rate_per_s: Positive = 5.0
    message_burst: Count = 10
    cancel_reserve: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    warn_fraction: Fraction = 0.8
    max_strategy_exposure_usd: Positive = 80_000.0
    max_venue_exposure_usd: Positive = 200_000.0
    max_desk_exposure_usd: Positive = 250_000.0
    max_alt_longs_usd: Positive = 150_000.0
    max_alt_shorts_usd: Positive = 150_000.0
    """All the desk holds long, or short, in altcoins: they fall and rise together (OC-57)."""
    majors: tuple[str, ...] = SHARED_ACCOUNT.majors
    """The bases that are no altcoins; a symbol that is not understood counts as one."""
    max_volatility_exposure_usd: Positive = 5_000.0
    min_volatility_days: Annotated[int, Field(ge=2)] = 30
    micro_order_notional_usd: Positive = 100.0
    micro_gross_exposure_usd: Positive = 300.0
    micro_min_margin_usd: Positive = 8.0
    """What an entry of the micro stage must bind at the account's leverage: dust proves nothing (OC-82)."""
    max_margin_use: Fraction = 0.5
    min_liquidation_atr: Positive = 3.0
    max_spread: Fraction = 0.01
    market_frozen_ms: Count = 60_000
    market_gap_bars: NotNegativeCount = 3
    clock_drift_ms: Count = 1_000
    max_median_slippage_bps: Positive = 50.0
    """How far the median of the newest 20 fills may lie on the wrong side of the marks decided on."""
    performance_trades: Annotated[int, Field(ge=10, le=250)] = 50
    """How many closed trades a strategy is judged by; before there are as many, it is not."""
    min_profit_factor: NotNegative = 0.25
    min_win_rate: Fraction = 0.1
    exposure_tolerance: Fraction = 0.25
    """How far the market may carry what is held beyond its cap, as a share of it, before new risk is held."""
    max_repeats: Count = 40
    entries_per_minute: Count = 30
    symbol_entries_per_minute: Count = 6
    entry_usd_per_minute: Positive = 250_000.0
    """The value of all entries that the desk sends within a minute."""
    exits_per_minute: Count = 120
    cancels_per_minute: Count = 120
    """More of them are a storm; no cancel is ever refused."""
    storm_refusals: Count = 30
    """More wishes than these that the throttles refuse within a minute are a storm."""
    min_order_gap_ms: NotNegativeCount = 200
    reconcile_stale_ms: Count = 30_000
    signer_min_days: NotNegative = 7.0
    venue_budget_reserve: Fraction = 0.2
    raise_cooldown_s: NotNegative = 900.0
    soft_caps_generation: NotNegativeCount = 0
    """A start under a higher one withdraws the caps that persons tightened while the engine ran (QX-40)."""
    blocked_symbols: tuple[str, ...] = ()
    caps: dict[str, CapBlock] = Field(default_factory=dict)
    """Caps of their own by `level:subject`, such as `symbol:BTC-USD`; the smallest of all holds."""

    @model_validator(mode="after")
    def _holds_as_long_as_it_must(self) -> RiskBlock:
        if 0.0 < self.max_hold_minutes < self.min_hold_minutes:
            raise ValueError(
                f"min_hold_minutes {self.min_hold_minutes:g} is beyond "
                f"max_hold_minutes {self.max_hold_minutes:g}"
            )
        return self

    @field_validator("majors")
    @classmethod
    def _are_bases(cls, majors: tuple[str, ...]) -> tuple[str, ...]:
        """A base is written as the kernel reads it; no base at all makes every symbol an altcoin."""
        for each in majors:
            if not each.isalnum() or each != each.upper():
                raise ValueError(f"{each!r} is not an upper-case base such as BTC")
        return majors

    @field_validator("caps")
    @classmethod
    def _names_a_level(cls, caps: dict[str, CapBlock]) -> dict[str, CapBlock]:
        for name in caps:
            level, _, subject = name.partition(":")
            if level not in CAP_LEVELS or not subject:
                raise ValueError(f"{name!r} is not LEVEL:SUBJECT with a level of {', '.join(CAP_LEVELS)}")
        return caps
