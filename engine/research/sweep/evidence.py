"""What a leaderboard alone does not say: dead axes, luck among many trials, decay out of sample."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from engine.research.risk import expected_best_of
from engine.research.sweep.request import Axis, SweepRequest
from engine.research.sweep.trials import Result, Trial, sharpe_simple
from venues.types import Record

SURE = 0.95
"""A deflated Sharpe ratio below this leaves luck in play, whatever the expected best is."""
PROBED_VALUES = 8
PROBED_TRIALS = 3
Probe = Callable[[Sequence[Trial]], list[Result]]


class AxisReport(Record):
    """Whether a parameter did anything. `verdict`: alive, dead_axis, or not_judged with a `note`.

    Dead: every sampled value gave an identical trace wherever all else was equal. `compared` counts the
    groups of trials that were equal but for this axis.
    """

    name: str
    verdict: str
    values: int
    compared: int
    note: str = ""


class Significance(Record):
    """How good the best of so many trials would look if none had any skill.

    `expected_best_sharpe` is the yearly Sharpe ratio expected of the best among `independent` trials whose
    true ratio is zero and whose measured ones vary as these did. `independent` counts different traces.
    Source: Bailey & López de Prado (2014), "The Deflated Sharpe Ratio", J. Portfolio Management 40(5), eq. 1.
    """

    trials: int
    independent: int
    sharpe_deviation: float | None
    expected_best_sharpe: float | None
    best_sharpe: float | None
    note: str


class Decay(Record):
    """A candidate's figures per bar in the searched window and in the one held out.

    `decay` is 1 - out / in of the yearly Sharpe ratio: 0 keeps all, 1 loses all, above 1 turns negative;
    None where the ratio in sample is not above 0.
    """

    config_id: str
    number: int
    params: dict[str, float]
    in_sharpe: float | None
    out_sharpe: float | None
    in_pnl: float
    out_pnl: float
    out_trades: int
    out_max_drawdown: float
    decay: float | None


def judge_axes(request: SweepRequest, results: Sequence[Result], probe: Probe) -> list[AxisReport]:
    """Judge every axis from trials that differ in it alone; where there are none, `probe` makes some."""
    good = [result for result in results if not result.is_rejected]
    return [_judge(axis, good, probe) for axis in request.axes]


def _judge(axis: Axis, results: Sequence[Result], probe: Probe) -> AxisReport:
    sampled = sorted({result.params[axis.name] for result in results})
    if len(sampled) < 2:
        return _axis(axis, "not_judged", len(sampled), 0, "fewer than two values were sampled")
    groups = _groups(axis, results)
    covered = {value for group in groups for value, _ in group}
    if not groups or len(covered) < len(sampled):
        groups += _groups(axis, probe(_probes(axis, results, sampled)))
    if not groups:
        return _axis(axis, "not_judged", len(sampled), 0, "no two trials differ in this parameter alone")
    traces = [{trace for _, trace in group} for group in groups]
    if any(len(found) > 1 for found in traces):
        return _axis(axis, "alive", len(sampled), len(groups))
    if not any(result.trades for result in results):
        return _axis(axis, "not_judged", len(sampled), len(groups), "no trial traded")
    return _axis(axis, "dead_axis", len(sampled), len(groups), "every value gave the same trades")


def _axis(axis: Axis, verdict: str, values: int, compared: int, note: str = "") -> AxisReport:
    return AxisReport(name=axis.name, verdict=verdict, values=values, compared=compared, note=note)


def _groups(axis: Axis, results: Sequence[Result]) -> list[list[tuple[float, str]]]:
    """Return (value, trace) pairs of trials that are equal but for this axis, two values at least."""
    groups: dict[tuple[tuple[str, float], ...], list[tuple[float, str]]] = defaultdict(list)
    for result in results:
        if not result.is_rejected:
            rest = tuple(sorted((name, value) for name, value in result.params.items() if name != axis.name))
            groups[rest].append((result.params[axis.name], result.trace))
    return [group for group in groups.values() if len({value for value, _ in group}) > 1]


def _probes(axis: Axis, results: Sequence[Result], sampled: Sequence[float]) -> list[Trial]:
    """Vary the axis alone around the most and the least successful trials and the one between."""
    ordered = sorted(results, key=lambda result: (-result.total_pnl, result.config_id))
    places = sorted({0, len(ordered) // 2, len(ordered) - 1})[:PROBED_TRIALS]
    step = max(1, math.ceil(len(sampled) / PROBED_VALUES))
    values = sorted({*sampled[::step], sampled[-1]})
    params = [{**ordered[place].params, axis.name: value} for place in places for value in values]
    return [Trial(number=number, params=each) for number, each in enumerate(params)]


def judge_luck(
    results: Sequence[Result], best: Result, interval_ns: int, deflated: float | None = None
) -> Significance:
    """Return the multiple-testing note of a sweep; `deflated` is the best trial's deflated Sharpe ratio."""
    distinct = {result.trace: result for result in results if not result.is_rejected}
    ratios = [sharpe_simple(result, interval_ns) for result in distinct.values()]
    sharpes = [ratio for ratio in ratios if ratio is not None]
    count = len(sharpes)
    deviation = expected = None
    if count > 1:
        mean = math.fsum(sharpes) / count
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in sharpes) / (count - 1))
        expected = expected_best_of(count, deviation)
    best_sharpe = sharpe_simple(best, interval_ns)
    if expected is None or best_sharpe is None:
        note = "too few different trials to say how lucky the best one is"
    elif best_sharpe <= expected:
        note = f"the best of {count} skill-less trials would look as good: treat it as luck"
    elif deflated is None or deflated < SURE:
        note = (
            f"above what the best of {count} skill-less trials would show on average, but such luck is no "
            "rarity: the held-out bars decide"
        )
    else:
        note = f"rarer luck than the best of {count} skill-less trials; the held-out bars still decide"
    return Significance(
        trials=len(results),
        independent=count,
        sharpe_deviation=deviation,
        expected_best_sharpe=expected,
        best_sharpe=best_sharpe,
        note=note,
    )


def judge_decay(inside: Result, outside: Result, interval_ns: int) -> Decay:
    """Put a candidate's two windows side by side."""
    before, after = sharpe_simple(inside, interval_ns), sharpe_simple(outside, interval_ns)
    decay = None if before is None or after is None or before <= 0.0 else 1.0 - after / before
    return Decay(
        config_id=inside.config_id,
        number=inside.number,
        params=inside.params,
        in_sharpe=before,
        out_sharpe=after,
        in_pnl=inside.total_pnl,
        out_pnl=outside.total_pnl,
        out_trades=outside.trades,
        out_max_drawdown=outside.max_drawdown,
        decay=decay,
    )
