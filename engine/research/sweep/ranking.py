"""Which trials lead: the raw objective, and the channels efficient, growth and conservative.

    efficient     PnL x (1 - drawdown) x profit factor, the highest
    growth        PnL, the highest with drawdown up to the cap
    conservative  drawdown, the lowest with PnL above 0

A trial must have gained to be in a channel, and holds one place in one channel only. Equal values go by
config_id, ascending, so that no order of work shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.research.sweep.request import Objective
from engine.research.sweep.trials import Result, sharpe_simple
from venues.types import Record

CHANNELS = ("efficient", "growth", "conservative")


class Place(Record):
    """One place of a channel, from 1; `value` is what the channel ranks by."""

    channel: str
    place: int
    config_id: str
    number: int
    value: float


def objective_of(result: Result, objective: Objective, interval_ns: int) -> float:
    """Return what the sweep maximises; minus infinity where it is not defined or the trial was rejected."""
    if result.is_rejected:
        return -math.inf
    value: float | None
    if objective == "sharpe_simple":
        value = sharpe_simple(result, interval_ns)
    elif objective == "profit_factor":
        value = result.profit_factor
    else:
        value = result.score_v1 if objective == "score_v1" else result.total_pnl
    return -math.inf if value is None or math.isnan(value) else value


def leaderboard(results: Sequence[Result], objective: Objective, interval_ns: int) -> list[Result]:
    """Return the results by objective, best first; rejected ones at the end. A config stands once."""
    ordered = sorted(
        results,
        key=lambda result: (-objective_of(result, objective, interval_ns), result.config_id, result.number),
    )
    return list({result.config_id: result for result in reversed(ordered)}.values())[::-1]


def channels(results: Sequence[Result], places: int, drawdown_cap: float) -> list[Place]:
    """Return up to `places` of each channel, filled in turns: all firsts, then all seconds."""
    gained = [result for result in results if not result.is_rejected and result.total_pnl > 0.0]
    orders = {
        "efficient": _by(gained, lambda result: -result.score_v1),
        "growth": _by(
            [result for result in gained if result.max_drawdown <= drawdown_cap],
            lambda result: -result.total_pnl,
        ),
        "conservative": _by(gained, lambda result: result.max_drawdown),
    }
    values: dict[str, Callable[[Result], float]] = {
        "efficient": lambda result: result.score_v1,
        "growth": lambda result: result.total_pnl,
        "conservative": lambda result: result.max_drawdown,
    }
    taken: set[str] = set()
    found: list[Place] = []
    for place in range(1, places + 1):
        for channel in CHANNELS:
            free = next((each for each in orders[channel] if each.config_id not in taken), None)
            if free is None:
                continue
            taken.add(free.config_id)
            found.append(
                Place(
                    channel=channel,
                    place=place,
                    config_id=free.config_id,
                    number=free.number,
                    value=values[channel](free),
                )
            )
    return found


def _by(results: Sequence[Result], key: Callable[[Result], float]) -> list[Result]:
    return sorted(results, key=lambda result: (key(result), result.config_id))
