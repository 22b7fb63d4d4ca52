"""A run's switches as the kernel's rules, and the finer bars that they may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.api.switches import BY_NAME, GENERATED, Value, chosen, read
from engine.market.validation import interval_ns_of
from engine.research.choice import RunFailed
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from native.intents import KernelConfig
from native.rules import ExchangeRules, GuardRules, PortfolioRules, SizingRules, hold_window
from seams.clock import NS_PER_S

SIZINGS = {"fixed": "notional", "fraction": "equity", "risk": "risk", "kelly": "kelly"}
ACCOUNT = ("cash", "notional_usd", "fee_bps", "slippage_bps")
DRAWN = ("latency_jitter_ms", "reject_probability", "timeout_probability", "touch_fill_probability")
"""Switches that draw by an order's number: a run that starts later draws otherwise."""


def resolved_switches(request: RunRequest, preset: Mapping[str, Value]) -> dict[str, Value]:
    """Return what is switched on: the request's words over the preset's. Raises `RunFailed`."""
    try:
        return read({**preset, **request.switches})
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error


def kernel_config(config: RunConfig, *, has_funding: bool = False) -> KernelConfig:
    """Return the kernel's configuration of a run. Raises `ValueError` for what it cannot be."""
    # The length of a bar is what latency, gaps and sub-bars are counted in; a plain run does not need it.
    interval_ns = interval_ns_of(config.interval) if config.switches else 0
    return KernelConfig(
        cash=config.initial_cash,
        notional_usd=config.notional_usd,
        fee_bps=config.fee_bps,
        slippage_bps=config.slippage_bps,
        seed=config.seed,
        stops="intrabar" if config.stops == "intrabar" else "next_open",
        **rules_of(config.switches, config.slippage_mode, interval_ns, has_funding),
    )


def generated_config(assumed: Mapping[str, object], seed: int, interval_ns: int) -> KernelConfig:
    """Return the configuration of a generated market's account: 100,000, stops at the next open.

    `assumed`: switches and account names (`GENERATED`). Raises `ValueError`.
    """
    own: dict[str, Any] = {name: float(str(assumed[name])) for name in ACCOUNT if name in assumed}
    switches = read({name: value for name, value in assumed.items() if name not in (*own, "slippage_mode")})
    if foreign := sorted(set(switches) - set(GENERATED)):
        raise ValueError(f"a generated market cannot assume {', '.join(foreign)}")
    mode = chosen("slippage_mode", str(assumed.get("slippage_mode", "fixed")))
    rules = rules_of(switches, mode, interval_ns if switches else 0)
    return KernelConfig(**{"cash": 100_000.0, **own}, stops="next_open", seed=seed, **rules)


def rules_of(
    switches: Mapping[str, Value], slippage_mode: str, interval_ns: int, has_funding: bool = False
) -> dict[str, Any]:
    """Return the kernel's own, exchange, guards, sizing and portfolio rules. Raises `ValueError`."""
    interval_s = interval_ns / NS_PER_S
    convert: dict[str, Callable[[Any], object]] = {
        "glitch_pct": lambda percent: percent / 100.0,
        "cooldown_bars": lambda bars: bars * interval_s,
        "sizing": lambda word: SIZINGS[word],
        "maintenance_margin": tiers,
        "majors": lambda words: tuple(word.strip() for word in words.split(",")),
    }
    parts: dict[str, dict[str, Any]] = {
        "kernel": _own(switches, interval_ns), "exchange": {}, "guards": {}, "sizing": {}, "portfolio": {},
    }  # fmt: skip
    for name, value in switches.items():
        row = BY_NAME[name]
        if row.part in parts and row.part != "kernel":
            parts[row.part][row.field] = convert[name](value) if name in convert else value
    exchange = {**parts["exchange"], "slippage_mode": slippage_mode, "has_funding": has_funding}
    exchange["has_sub_bars"] = bool(switches.get("sub_data"))
    exchange["interval_ns"] = interval_ns
    return {
        **parts["kernel"],
        "exchange": ExchangeRules(**exchange),
        "guards": GuardRules(**parts["guards"]),
        "sizing": SizingRules(**parts["sizing"]),
        "portfolio": PortfolioRules(**parts["portfolio"]),
    }


def _own(switches: Mapping[str, Value], interval_ns: int) -> dict[str, Any]:
    """Return the kernel's own rules."""
    least, most = (float(switches.get(f"{end}_hold_minutes", 0.0)) for end in ("min", "max"))
    return {
        "min_notional_usd": switches.get("min_notional_usd", 0.0),
        **hold_window(least, most, interval_ns),
    }


def tiers(text: str) -> tuple[tuple[float, float], ...]:
    """Read maintenance tiers, `0.005` or `0:0.005,100000:0.01`. Raises `ValueError`."""
    pairs = [part.rpartition(":") for part in text.split(",")]
    try:
        return tuple((float(start or 0.0), float(rate)) for start, _, rate in pairs)
    except ValueError:
        raise ValueError(f"maintenance_margin is a rate, or NOTIONAL:RATE,..., not {text!r}") from None


def fixed_slippage_bps(config: RunConfig) -> float | None:
    """Return the slippage of every fill, None where it is not the same for all."""
    is_fixed = config.slippage_mode == "fixed" and "entry_limit_bps" not in config.switches
    return config.slippage_bps if is_fixed else None


def with_costs(config: RunConfig, fee_bps: float, slippage_bps: float) -> RunConfig:
    """Return the run under other costs, the same for every fill."""
    changes = {"fee_bps": fee_bps, "slippage_bps": slippage_bps, "slippage_mode": "fixed"}
    switches = {name: value for name, value in config.switches.items() if name != "maker_fee_bps"}
    return msgspec.structs.replace(config, **changes, switches=switches)  # type: ignore[type-var]
