"""What a desk on the sandbox market is: bars of a second, sizes, paces, and what its demo provokes."""

from __future__ import annotations

from engine.config.settings import ExecutionBlock
from venues.sandbox.odds import Odds
from venues.sandbox.scenarios import Stall

SANDBOX_BAR_S = 1.0
SANDBOX_TICKS_PER_S = 4.0
SANDBOX_NOTIONAL_USD = 15_000.0
SANDBOX_STOP_ATR = 15.5
"""The stop on a ticket, where its strategy names none: the two ATR of a minute's bars in those of a second,
or the market would be past it before anybody has read the ticket."""
DEMO_REJECTED_ORDER = 3
DEMO_STALLS = (Stall(symbol="XRP-PERP", after_s=5.0, for_s=8.0, every_s=180.0),)
"""What the demo provokes: the third order is refused by the venue, one symbol's quotes stop for a while."""
SANDBOX_PARAMS: dict[str, dict[str, float]] = {
    "ema_cross": {"fast": 8.0, "slow": 21.0},
    "rsi_ma_cross": {"ma_fast": 8.0, "ma_slow": 24.0, "rsi_period": 14.0},
}
"""Faster than the defaults, so that a one-second market shows a desk at work within seconds; no faster than
the throttles, which count by the minute, let four symbols trade: they would wait more than they act."""


def odds_of(execution: ExecutionBlock, seed: int) -> Odds:
    """Return what a paper venue draws of its orders' fate, as the settings say, from a session's seed."""
    return Odds(
        seed=seed,
        min_latency_ms=execution.min_latency_ms,
        max_latency_ms=execution.max_latency_ms,
        partial_fill_probability=execution.partial_fill_probability,
        max_slippage_bps=execution.max_slippage_bps,
        reject_probability=execution.reject_probability,
        timeout_probability=execution.timeout_probability,
    )
