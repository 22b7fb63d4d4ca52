"""Which strategy runs: a compiled built-in, a named preset, or a Python strategy by name or path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from native.kernel import BUILTINS
from native.strategy import Strategy

PRESETS: dict[str, dict[str, float]] = {"oracle-flip": {"bracket": 0.0}, "oracle-bracket": {"bracket": 1.0}}
ORACLE_ACCOUNT = {"cash": 1_000_000.0, "notional_usd": 10_000.0, "fee_bps": 4.5, "slippage_bps": 1.0}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into the kernel's lane; `account` holds assumptions a preset fixes (cash, fees)."""

    name: str
    strategy: str | Strategy
    params: dict[str, float]
    source: str = ""
    account: dict[str, float] = field(default_factory=dict)


def choose(strategy: str, preset: str, params: Mapping[str, float]) -> Choice:
    """Resolve names to a `Choice`. Raises `RunFailed` with `unknown_strategy` or `invalid_request`."""
    from engine.research.run import RunFailed

    if preset and preset not in PRESETS:
        raise RunFailed("invalid_request", f"unknown preset {preset!r}; known: {', '.join(sorted(PRESETS))}")
    base = PRESETS[preset] if preset else {}
    name = strategy or ("ema_cross" if preset else "")
    builtin = name.replace("-", "_")
    if builtin not in BUILTINS:
        raise RunFailed(
            "unknown_strategy", f"unknown strategy {name!r}; known: {', '.join(sorted(BUILTINS))}"
        )
    unknown = sorted(params.keys() - BUILTINS[builtin].keys())
    if unknown:
        raise RunFailed("invalid_request", f"{name} has no parameter {unknown[0]!r}")
    account = dict(ORACLE_ACCOUNT) if preset else {}
    return Choice(
        name=builtin, strategy=builtin, params={**BUILTINS[builtin], **base, **params}, account=account
    )
