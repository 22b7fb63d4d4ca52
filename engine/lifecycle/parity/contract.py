"""The comparison contract: what must be equal before two traces compare at all (OC-23, OC-46)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec

from engine.lifecycle.parity.trace import Cause, Difference, in_order
from engine.research.schemas import RunConfig
from engine.research.sweep.trials import config_id
from venues.types import Record

Contract = dict[str, object]
KERNEL = "kernel_sha256"
DATA_KEYS = frozenset(
    {"symbols", "interval", "sub_interval", "start", "end", "data", "data_sha256", "funding_sha256"}
)
"""Keys whose difference is of cause DATA; all others are CONFIG."""
MIXED = "mixed_contract"


class LedgerContract(Record):
    """The contracts of a ledger's rows: one hash, or a ledger that is invalid as a whole."""

    contract_hashes: tuple[str, ...]
    verdict: str


def run_contract(config: RunConfig, *, kernel_sha256: str, strategy_sha256: str) -> Contract:
    """Return the contract of a run or candidate: every assumption of config.json, and what executed it."""
    fields = msgspec.to_builtins(config)
    symbol, params = fields.pop("ticker"), fields.pop("params")
    return {
        **fields,
        "symbols": [symbol],
        "sub_interval": "",
        "init_state_sha256": "",
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


def judge_ledger(contract_hashes: Sequence[str]) -> LedgerContract:
    """Judge a ledger by the contract hashes of its rows: more than one makes the whole run invalid."""
    kinds = tuple(sorted(set(contract_hashes)))
    return LedgerContract(contract_hashes=kinds, verdict="same" if len(kinds) == 1 else MIXED)
