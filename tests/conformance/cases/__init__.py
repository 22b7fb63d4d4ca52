"""The cases, one module for each group; importing this package enters them all."""

from __future__ import annotations

from importlib import import_module

from tests.conformance import denials

GROUPS = {
    "market_data": "market data",
    "precision": "precision",
    "submit": "submit",
    "reject": "reject",
    "cancel": "cancel",
    "modify": "modify",
    "partial_fills": "partial fills",
    "reconnect": "reconnect",
    "restart": "restart reconciliation",
    "ambiguity": "ambiguity",
    "nonce": "nonce",
    "rate_limits": "rate limits",
    "clock": "clock",
    "maintenance": "maintenance",
    "funding": "funding and liquidation",
    "flags": "flags (post-only, reduce-only, time in force)",
    "accounts": "accounts and routing",
    "balances": "balances of two sources",
}
"""Module -> what the group is called."""

for _group in GROUPS:
    import_module(f"{__name__}.{_group}")

__all__ = ["GROUPS", "denials"]
