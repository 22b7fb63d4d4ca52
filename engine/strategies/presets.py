"""Presets: a strategy's parameters together with the account and exchange assumptions, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.api.switches import Value
from native.intents import KernelConfig

ORACLE_ACCOUNT = KernelConfig(cash=1_000_000.0, notional_usd=10_000.0, fee_bps=4.5, slippage_bps=1.0)
"""The account of the known answers: 4.5 bps fee, 1 bp adverse slippage, 10,000 a trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One named starting point; `lot` in base units, `tick` 0 leaves prices unrounded.

    `config` is the plain account; `switches` are what it assumes beyond (`engine.api.switches`).
    """

    strategy: str
    doc: str
    config: KernelConfig
    params: dict[str, float | str] = field(default_factory=dict)
    switches: dict[str, Value] = field(default_factory=dict)
    lot: float = 1e-6
    tick: float = 0.0


PRESETS: dict[str, Preset] = {
    "oracle-flip": Preset(
        strategy="ema_cross",
        doc="Always in the market, long above, short below; executed at the next open.",
        config=ORACLE_ACCOUNT,
        params={"fast": 12, "slow": 26, "bracket": 0},
    ),
    "oracle-bracket": Preset(
        strategy="ema_cross",
        doc="Enter on a cross with a stop of 2 ATR, a target of 3 ATR and a trail of 2 ATR.",
        config=ORACLE_ACCOUNT,
        params={"fast": 12, "slow": 26, "bracket": 1, "stop_atr": 2, "target_atr": 3, "trail_atr": 2},
    ),
    "trend-rsi": Preset(
        strategy="rsi_ma_cross",
        doc="Long above the slow average unless overbought; flat below it unless oversold.",
        config=ORACLE_ACCOUNT,
    ),
    "breakout": Preset(
        strategy="donchian_breakout",
        doc="Channel of 20 bars, out by 10, stop of 2 ATR(20): the Turtles' first system, one unit.",
        config=ORACLE_ACCOUNT,
    ),
    "breakout-slow": Preset(
        strategy="donchian_breakout",
        doc="Channel of 55 bars, out by 20: the Turtles' second system, one unit.",
        config=ORACLE_ACCOUNT,
        params={"entry": 55, "exit": 20},
    ),
    "revert": Preset(
        strategy="mean_reversion_z",
        doc="Against two deviations from the mean of 50 bars while ADX is below 25.",
        config=ORACLE_ACCOUNT,
    ),
    "trend": Preset(
        strategy="trend_atr",
        doc="Standard trend entries of medium confidence and above, the whole ladder of exits.",
        config=ORACLE_ACCOUNT,
    ),
    "trend-all": Preset(
        strategy="trend_atr",
        doc="All three entry modes at any confidence.",
        config=ORACLE_ACCOUNT,
        params={"pullback": 1, "slow_drift": 1, "min_confidence": "low"},
    ),
    "hold": Preset(strategy="buy_and_hold", doc="Buy once and keep.", config=ORACLE_ACCOUNT),
}
