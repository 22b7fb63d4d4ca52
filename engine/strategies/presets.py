"""Presets: a strategy's parameters together with the account and exchange assumptions, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from native.intents import KernelConfig

ORACLE_ACCOUNT = KernelConfig(cash=1_000_000.0, notional_usd=10_000.0, fee_bps=4.5, slippage_bps=1.0)
"""The account of the known answers: 4.5 bps fee, 1 bp adverse slippage, 10,000 a trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One named starting point; `lot` in base units, `tick` 0 leaves prices unrounded."""

    strategy: str
    doc: str
    config: KernelConfig
    params: dict[str, float] = field(default_factory=dict)
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
    "hold": Preset(strategy="buy_and_hold", doc="Buy once and keep.", config=ORACLE_ACCOUNT),
}
