"""The comparison contract: what must be equal before two traces compare at all (OC-23, OC-46)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import msgspec

from engine.lifecycle.parity.trace import Cause, Difference, in_order
from engine.research.schemas import RunConfig
from engine.research.sweep.trials import config_id

Contract = dict[str, object]
KERNEL = "kernel_sha256"
DATA_KEYS = frozenset(
    {"symbols", "interval", "sub_interval", "start", "end", "data", "data_sha256", "funding_sha256", "lanes"}
)
"""Keys whose difference is of cause DATA; all others are CONFIG."""
MIXED = "mixed_contract"


def run_contract(config: RunConfig, *, kernel_sha256: str, strategy_sha256: str) -> Contract:
    """Return the contract of a run: every assumption of config.json, and what executed it."""
    fields = msgspec.to_builtins(config)
    symbol, params = fields.pop("ticker"), fields.pop("params")
    return {
        **fields,
        "symbols": [symbol],
        "sub_interval": "",
        "init_state_sha256": config.init_state_sha256,
        "config_ids": [config_id(config.strategy, params)],
        "strategy_sha256": strategy_sha256,
        KERNEL: kernel_sha256,
    }


def contract_sha256(contract: Mapping[str, object]) -> str:
    """Return the sha256 (hex) of a contract as sorted JSON."""
    return hashlib.sha256(json.dumps(contract, sort_keys=True, allow_nan=False).encode()).hexdigest()


def contract_differences(
    recorded: Mapping[str, object], executed: Mapping[str, object], *, but: frozenset[str] = frozenset()
) -> list[Difference]:
    """Return what differs between two contracts, DATA first; keys named in `but` may differ."""
    names = sorted((set(recorded) | set(executed)) - but)
    found = [
        Difference(
            cause=Cause.DATA if name in DATA_KEYS else Cause.CONFIG,
            table="contract",
            row=-1,
            field=name,
            at_ns=0,
            recorded=json.dumps(recorded.get(name)),
            replayed=json.dumps(executed.get(name)),
        )
        for name in names
        if recorded.get(name) != executed.get(name)
    ]
    return in_order(found)
