"""Metrics of closed trades: results, streaks, excursions, splits by side, symbol and reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.codes import Reason

Floats = NDArray[np.float64]
Rows = NDArray[Any]
Found = tuple[float | None, str]
Cell = float | int | str | None

MIN_KELLY_TRADES = 20
CODES = {int(reason): reason.code for reason in Reason}


def profit_factor(pnl: Floats) -> Found:
    """Return the sum of winning over the sum of losing trades' net P&L, as a positive number."""
    if not len(pnl):
        return None, "no_closed_trades"
    lost = float(-np.sum(pnl[pnl < 0]))
    return (float(np.sum(pnl[pnl > 0])) / lost, "not_finite") if lost > 0 else (None, "no_losing_trade")


def payoff_ratio(pnl: Floats) -> Found:
    """Return the average win over the average loss, as a positive number."""
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    if not (len(won) and len(lost)):
        return None, "no_losing_trade" if len(won) else "no_winning_trade"
    return float(np.mean(won)) / -float(np.mean(lost)), "not_finite"


def kelly_fraction(pnl: Floats) -> Found:
    """Return `W - (1 - W) / payoff`. Source: Kelly (1956). Null below 20 trades."""
    if len(pnl) < MIN_KELLY_TRADES:
        return None, f"fewer_than_{MIN_KELLY_TRADES}_trades"
    payoff, why = payoff_ratio(pnl)
    rate = float(np.mean(pnl > 0))
    return (None, why) if payoff is None else (rate - (1 - rate) / payoff, "not_finite")


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values."""
    breaks = np.flatnonzero(~flags)
    return int(np.max(np.diff(np.concatenate([[-1], breaks, [len(flags)]])))) - 1


def traded_notional(trades: Rows) -> Floats:
    """Return each trade's notional, entry and exit together, in quote currency."""
    notional: Floats = trades["units"] * 1e-6 * (trades["entry_fill"] + trades["exit_fill"])
    return notional


def excursions(trades: Rows, high: Floats, low: Floats) -> tuple[Floats, Floats]:
    """Return (mae, mfe) per trade in quote currency, both at least 0.

    `high`, `low` (bars,). Counted are the bars from the entry's to the one before the exit's, and the exit's
    fill. Source: Sweeney (1997), "Maximum Adverse Excursion".
    """
    if not len(trades):
        return np.zeros(0), np.zeros(0)
    spans = np.column_stack([trades["entry_bar"], trades["exit_bar"]]).ravel()
    highest = np.maximum.reduceat(high, spans)[::2]
    lowest = np.minimum.reduceat(low, spans)[::2]
    is_brief = trades["exit_bar"] <= trades["entry_bar"]
    entry, exit_, side = trades["entry_fill"], trades["exit_fill"], trades["side"]
    highest = np.maximum(np.where(is_brief, exit_, highest), exit_)
    lowest = np.minimum(np.where(is_brief, exit_, lowest), exit_)
    up, down = np.maximum(highest - entry, 0.0), np.maximum(entry - lowest, 0.0)
    size = trades["units"] * 1e-6
    return np.where(side > 0, down, up) * size, np.where(side > 0, up, down) * size


def split(trades: Rows, keys: NDArray[Any], names: dict[int, str]) -> tuple[dict[str, Cell], ...]:
    """Return one row for each value of `keys` (trades,), in order of `names`, then of the value."""
    total = float(np.sum(trades["pnl"]))
    values = np.unique(keys)
    return tuple(
        _row(names.get(int(key), str(key)), trades if len(values) == 1 else trades[keys == key], total)
        for key in sorted(values.tolist(), key=lambda key: (key not in names, key))
    )


def _row(name: str, trades: Rows, total: float) -> dict[str, Cell]:
    pnl = np.ascontiguousarray(trades["pnl"])
    wins = int(np.count_nonzero(pnl > 0))
    result = float(np.sum(pnl))
    return {
        "key": name,
        "trades": len(trades),
        "wins": wins,
        "win_rate": wins / len(trades),
        "pnl_usd": result,
        "fees_usd": float(np.sum(trades["fees"])),
        "funding_usd": 0.0 - float(np.sum(trades["funding"])),
        "profit_factor": profit_factor(pnl)[0],
        "share_of_pnl": result / total if total else None,
    }


def splits(trades: Rows, symbols: Sequence[str]) -> dict[str, tuple[dict[str, Cell], ...]]:
    """Return per_side, per_symbol and per_reason."""
    return {
        "per_side": split(trades, trades["side"], {1: "long", -1: "short"}),
        "per_symbol": split(trades, trades["lane"], dict(enumerate(symbols))),
        "per_reason": split(trades, trades["reason"], CODES),
    }
