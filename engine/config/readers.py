"""Who reads each setting: a key that nothing reads says so here, in the documents and in `interlock check`.

A test walks the settings and finds each key in one of the two tables, and its reader's code using it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from engine.config.settings import Settings

if TYPE_CHECKING:
    from engine.config.layers import Loaded

POLICY, LIMITS, BOOK = "engine/trading/pipeline.py", "engine/limits.py", "engine/limit_book.py"
CONDUCT = "engine/conduct.py"
SESSION, RUN = "engine/trading/setup.py", "engine/research/run.py"

READ: Mapping[str, tuple[str, ...]] = {
    "engine/assembly.py": ("engine.mode", "engine.environment", "supervision.operator_lease_s"),
    "engine/config/layers.py": ("engine.overlay",),
    "engine/crash_loop.py": ("engine.crash_loop_deaths",),
    "engine/config/settings.py": ("decision.provider",),
    "engine/core.py": (
        "decision.allows_entries",
        "supervision.needs_two_persons",
        "supervision.second_person_above_usd",
    ),
    "engine/ticket_desk.py": ("supervision.allows_override",),
    "engine/venue.py": ("execution.venue_url", "execution.venue_key_file"),
    "engine/arming_rules.py": (
        "execution.allowed_venues",
        "execution.allowed_symbols",
        "execution.allowed_strategies",
    ),
    "engine/keeping.py": ("execution.arming_hours",),
    "engine/dead_man.py": ("execution.arms_dead_man",),
    "engine/record.py": (
        "record.audit_key_file",
        "record.audit_anchor_file",
        "record.audit_segment_mib",
        "record.audit_head_every_s",
    ),
    "engine/watching.py": (
        "watchdog.is_required",
        "watchdog.close_only_after_s",
        "watchdog.cancel_after_s",
        "watchdog.key_file",
        "watchdog.alarm_command",
    ),
    "engine/feed/opening.py": (
        "feed.hyperliquid_url",
        "feed.kraken_url",
        "feed.intervals",
        "feed.allows_rest",
        "feed.rest_requests",
        "feed.mids_stale_s",
        "feed.candles_stale_s",
    ),
    "engine/outlets.py": ("alarms.sinks", "record.past_max_mib"),
    "engine/keys.py": ("execution.key_max_age_days", "watchdog.drill_key_file"),
    "engine/ops/snapshots.py": ("analytics.paper_stale_after_minutes",),
    SESSION: (
        "engine.warmup_bars",
        "risk.initial_equity_usd",
        "risk.min_hold_minutes",
        "risk.max_hold_minutes",
        "execution.fee_bps",
        "execution.slippage_bps",
        "execution.ticket_expiry_s",
        "market.feed_stale_ms",
    ),
    "engine/trading/sandbox_desk.py": (
        "execution.max_latency_ms",
        "execution.max_slippage_bps",
        "execution.min_latency_ms",
        "execution.partial_fill_probability",
        "execution.reject_probability",
        "execution.timeout_probability",
    ),
    RUN: ("analytics.run_cash_usd", "analytics.run_notional_usd"),
    LIMITS: (
        "risk.daily_loss_halt_usd",
        "risk.drawdown_halt",
        "risk.exposure_tolerance",
        "risk.max_drawdown",
    ),
    "engine/storm.py": ("risk.cancels_per_minute", "risk.storm_refusals"),
    CONDUCT: (
        "risk.max_median_slippage_bps",
        "risk.min_profit_factor",
        "risk.min_win_rate",
        "risk.performance_trades",
    ),
    BOOK: ("risk.raise_cooldown_s", "risk.soft_caps_generation"),
    POLICY: (
        "risk.blocked_symbols",
        "risk.caps",
        "risk.cancel_reserve",
        "risk.clock_drift_ms",
        "risk.daily_loss_close_only_usd",
        "risk.drawdown_close_only",
        "risk.entries_per_minute",
        "risk.entry_usd_per_minute",
        "risk.exits_per_minute",
        "risk.majors",
        "risk.mark_stale_ms",
        "risk.market_frozen_ms",
        "risk.market_gap_bars",
        "risk.max_alt_longs_usd",
        "risk.max_alt_shorts_usd",
        "risk.max_desk_exposure_usd",
        "risk.max_gross_exposure_usd",
        "risk.max_leverage",
        "risk.max_margin_use",
        "risk.max_open_orders",
        "risk.max_open_positions",
        "risk.max_order_notional_usd",
        "risk.max_portfolio_risk",
        "risk.max_repeats",
        "risk.max_spread",
        "risk.max_strategy_exposure_usd",
        "risk.max_symbol_exposure_usd",
        "risk.max_venue_exposure_usd",
        "risk.max_volatility_exposure_usd",
        "risk.message_burst",
        "risk.message_rate_per_s",
        "risk.micro_gross_exposure_usd",
        "risk.micro_min_margin_usd",
        "risk.micro_order_notional_usd",
        "risk.min_liquidation_atr",
        "risk.min_order_gap_ms",
        "risk.min_volatility_days",
        "risk.price_collar",
        "risk.price_drift_5min",
        "risk.reconcile_stale_ms",
        "risk.risk_per_trade_cap",
        "risk.signer_min_days",
        "risk.symbol_entries_per_minute",
        "risk.venue_budget_reserve",
        "risk.warn_fraction",
    ),
}
"""Module -> the keys that act because of its code; other readers of a key may exist."""

_GENERATED = "simulated prices come from a named scenario (`--scenario`)"
_QGITA = "the QGITA signal is not built"
_FUSION = "no scores are fused: a strategy of the kernel decides alone"
_SHOWN = "histories are bounded by what is asked for, and by the engine's own bounds"
_LOOK = "the terminal is looked at instead (NO_COLOR, its encoding, its size)"

IDLE: Mapping[str, str] = {
    "engine.trading_pairs": "a session names its symbols (`--symbol`)",
    "engine.seed": "a run and a session name their seed (`--seed`)",
    "ingestion.initial_price": _GENERATED,
    "ingestion.exchanges": _GENERATED,
    "qgita.lattice": _QGITA,
    "qgita.min_confidence": _QGITA,
    "qgita.neutral_confidence": _QGITA,
    "qgita.history_limit": _QGITA,
    "decision.buy_threshold": _FUSION,
    "decision.sell_threshold": _FUSION,
    "decision.minimum_confidence": _FUSION,
    "decision.ensemble_weight": _FUSION,
    "decision.sentiment_weight": _FUSION,
    "decision.qgita_weight": _FUSION,
    "decision.strategy": "a run and a session name their strategy (`--strategy`)",
    "decision.params": "a run and a session name their parameters (`--set`)",
    "risk.kelly_multiplier": "a session's entries are of one size; a run has `--kelly-multiplier`",
    "analytics.equity_history": _SHOWN,
    "analytics.trade_history": _SHOWN,
    "analytics.minimum_points": _SHOWN,
    "market.venue": "a session names its feed (`--feed`)",
    "market.interval": "a session takes the bars of its feed",
    "market.gap_limit_bars": "it is `risk.market_gap_bars`; a run has `--gap-limit-bars`",
    "console.theme": _LOOK,
    "console.refresh_hz": _LOOK,
    "console.uses_ascii": _LOOK,
    "console.bell": _LOOK,
}
"""Key -> why nothing reads it, and what to use. It is accepted because files of the field hold it (AQ-25)."""


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every dotted key with its default; a mapping or a list is one key."""
    for name, each in model.model_fields.items():
        inner = each.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", each.get_default(call_default_factory=True)


def idle_keys(loaded: Loaded) -> tuple[str, ...]:
    """Return the keys that somebody's own file, variable or option sets and nothing reads."""
    from engine.config.layers import flatten, is_shipped

    default = dict(flatten(Settings().model_dump(mode="json")))
    now = dict(flatten(loaded.settings.model_dump(mode="json")))
    named = {
        key: next((idle for idle in IDLE if key == idle or key.startswith(f"{idle}.")), "")
        for key in now
        if now[key] != default.get(key)
        and loaded.origins.get(key, "defaults") != "defaults"
        and not is_shipped(loaded.origins.get(key, ""))
    }
    return tuple(sorted({idle for idle in named.values() if idle}))


def to_markdown() -> str:
    """Return `docs/settings.md`."""
    places = {key: place for place, held in READ.items() for key in held}
    lines = [
        "# Settings",
        "",
        "Made from the code by `make docs`; `interlock config show --origin` says where a value is from. A",
        "key that nothing reads is accepted and does nothing; `interlock check` names those that you set.",
        "",
        "| key | default | read by, or why by nothing |",
        "|---|---|---|",
    ]
    for key, default in keys():
        where = f"`{places[key]}`" if key in places else f"**nothing**: {IDLE[key]}"
        lines.append(f"| `{key}` | {_shown(default)} | {where} |")
    return "\n".join([*lines, ""])


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":  # python -m engine.config.readers > docs/settings.md
    sys.stdout.write(to_markdown())
