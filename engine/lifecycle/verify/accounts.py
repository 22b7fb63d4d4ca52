"""What the kernel makes of a strategy: decisions, trades and equity of one way against another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lifecycle.verify.answers import is_same
from engine.lifecycle.verify.corpus import Case
from engine.lifecycle.verify.report import Divergence
from native import reference
from native.codes import Action
from native.forged import Forged
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Strategy, StrategyFailed

CONFIGS: tuple[KernelConfig, ...] = (KernelConfig(), KernelConfig(stops="next_open"))
TRADE_FIELDS = ("entry_bar", "exit_bar", "side", "units", "entry_fill", "exit_fill", "pnl")


@dataclass(frozen=True)
class Account:
    """What one way came to: tables of events by (bar, fields), and single facts at the end."""

    decisions: NDArray[Any]
    trades: NDArray[Any]
    equity: NDArray[np.float64]
    facts: dict[str, object] = field(default_factory=dict)


def run_account(
    case: Case, config: KernelConfig, strategy: str | Strategy | Forged, params: Mapping[str, float]
) -> Account:
    """Replay a case, past every bar that the kernel refuses, until its end or the strategy's failure."""
    named = dict(params) if isinstance(strategy, str) else {}
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=strategy, params=named)])
    refused: list[int] = []
    start, failure = 0, ""
    while start < len(case):
        before = kernel.bar_count(0)
        try:
            kernel.replay(0, *case.part(start))  # type: ignore[arg-type]  # six columns
            break
        except StrategyFailed as error:
            at = start + kernel.bar_count(0) - before
            failure = f"{type(error.__cause__).__name__} at bar {at}"
            break
        except ValueError:
            refused.append(start + kernel.bar_count(0) - before)
            start = refused[-1] + 1
    facts: dict[str, object] = {
        "failure": failure,
        "refused": refused,
        "bars": kernel.bar_count(0),
        "final_equity": kernel.final_equity(),
        "fees": kernel.fees_paid(),
        "position": kernel.position(0),
    }
    return Account(kernel.decisions(0), kernel.trades(0), kernel.equity_curve(0), facts)


def reference_account(
    case: Case, config: KernelConfig, wanted: Sequence[int | None], max_contracts: float = 0.0
) -> Account:
    """Trade what was wanted in the plain-Python twin (no levels, stops "intrabar", entries up to the cap)."""
    cap = int(max_contracts * 1e6)
    twin = reference.follow(config, wanted, [row[:5] for row in case.rows()], None, cap)
    return _of_twin(twin, case)


def builtin_reference(case: Case, config: KernelConfig, name: str, params: Mapping[str, float]) -> Account:
    """Run a compiled built-in's plain-Python twin."""
    return _of_twin(reference.run(config, name, params, [row[:5] for row in case.rows()]), case)


def _of_twin(twin: reference.Twin, case: Case) -> Account:
    decisions = np.frombuffer(b"".join(twin.records), Kernel(CONFIGS[0], [_IDLE]).decisions().dtype)
    trades = np.zeros(len(twin.trades), Kernel(CONFIGS[0], [_IDLE]).trades().dtype)
    for index, row in enumerate(twin.trades):
        for name, value in zip(TRADE_FIELDS, row, strict=True):
            trades[name][index] = value
    facts: dict[str, object] = {
        "bars": len(case),
        "final_equity": twin.final_equity(float(case.prices[3][-1])),
    }
    return Account(decisions, trades, np.array(twin.equity), facts)


_IDLE = LaneSpec(symbol="X", strategy="buy_and_hold")


def is_plain(case: Case, account: Account) -> bool:
    """Whether the plain-Python twin models everything that happened: no bar refused, no entry blocked."""
    is_blocked = bool((account.decisions["action"] == int(Action.BLOCKED)).any())
    return not (account.facts["refused"] or account.facts["failure"] or is_blocked)


def compare_accounts(
    case: Case, params: Mapping[str, float], ways: tuple[str, str], left: Account, right: Account
) -> Divergence | None:
    """Return the first event that differs: decisions, then trades, equity and the facts both have."""
    found = (
        _first_row("decision", "step", left.decisions, right.decisions, left.decisions.dtype.names or ())
        or _first_row("trade", "exit_bar", left.trades, right.trades, TRADE_FIELDS)
        or _first_mark(left.equity, right.equity)
        or _first_fact(left, right)
    )
    if found is None:
        return None
    bar, name, one, other = found
    bar = min(bar, len(case) - 1)
    return Divergence(
        case=case.name, params=dict(params), layer="account", bar=bar, ts_ns=int(case.ts_ns[bar]), field=name,
        ways=ways, values=(one, other),
    )  # fmt: skip


_Found = tuple[int, str, str, str]


def _first_row(
    what: str, bar_field: str, left: NDArray[Any], right: NDArray[Any], names: Sequence[str]
) -> _Found | None:
    count = min(len(left), len(right))
    differs = np.zeros(count, dtype=bool)
    for name in names:
        differs |= left[name][:count].view(_bits(left[name])) != right[name][:count].view(_bits(right[name]))
    if differs.any():
        row = int(differs.argmax())
        name = next(n for n in names if not is_same(left[n][row].item(), right[n][row].item()))
        return int(left[bar_field][row]), f"{what}.{name}", repr(left[name][row]), repr(right[name][row])
    if len(left) == len(right):
        return None
    extra, is_left = (left, True) if len(left) > count else (right, False)
    text = ", ".join(f"{name}={extra[name][count]}" for name in names)
    return int(extra[bar_field][count]), what, *((text, "nothing") if is_left else ("nothing", text))


def _bits(column: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(f"<i{column.dtype.itemsize}")


def _first_mark(left: NDArray[np.float64], right: NDArray[np.float64]) -> _Found | None:
    count = min(len(left), len(right))
    differs = left[:count].view(np.int64) != right[:count].view(np.int64)
    if differs.any():
        bar = int(differs.argmax())
        return bar, "equity", repr(float(left[bar])), repr(float(right[bar]))
    return None if len(left) == len(right) else (count, "equity", f"{len(left)} bars", f"{len(right)} bars")


def _first_fact(left: Account, right: Account) -> _Found | None:
    for name in left.facts:
        if name in right.facts and not is_same(left.facts[name], right.facts[name]):
            return max(0, len(left.equity) - 1), name, repr(left.facts[name]), repr(right.facts[name])
    return None
