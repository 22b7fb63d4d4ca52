"""Ranking channels, dead axes, luck, decay, TPE: against tables made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from engine.research.sweep import tpe
from engine.research.sweep.evidence import judge_axes, judge_decay, judge_luck
from engine.research.sweep.proposals import next_trials
from engine.research.sweep.ranking import channels, leaderboard, objective_of
from engine.research.sweep.request import Axis, SweepRequest
from engine.research.sweep.trials import Result, Trial
from seams.rng import Rng

from .conftest import request_of

DAY_NS = 86_400 * 10**9


def result(number: int, pnl: float, drawdown: float, factor: float | None, **changes: object) -> Result:
    fields: dict[str, object] = {
        "number": number,
        "params": {"x": float(number)},
        "config_id": f"c{number}",
        "bars": 100,
        "trades": 10,
        "total_pnl": pnl,
        "max_drawdown": drawdown,
        "gross_profit": 2.0 * (factor or 1.0),
        "gross_loss": 0.0 if factor is None else -2.0,
        "trace": f"{number:016x}",
        **changes,
    }
    return Result(**fields)  # type: ignore[arg-type]


# PnL, drawdown, profit factor; efficient = PnL x (1 - DD) x PF
HAND = [
    result(1, 100.0, 0.10, 2.0),  # 180
    result(2, 150.0, 0.40, 1.5),  # 135
    result(3, 140.0, 0.15, 1.2),  # 142.8
    result(4, 20.0, 0.02, 1.1),  # 21.56
    result(5, -50.0, 0.01, 0.5),
    result(6, 30.0, 0.02, 1.3),  # 38.22
    result(7, 60.0, 0.05, None),  # no losing trade: factor 100, 5700
]


def test_channels_match_the_table_made_by_hand() -> None:
    found = [(each.channel, each.place, each.config_id) for each in channels(HAND, 2, 0.20)]
    assert found == [
        ("efficient", 1, "c7"),
        ("growth", 1, "c3"),  # c2 gains more, with more drawdown than the cap
        ("conservative", 1, "c4"),  # c5 lost; c4 and c6 tie at 2 %: the id decides
        ("efficient", 2, "c1"),
        ("growth", 2, "c6"),  # c3, c1 and c7 hold a place already
        ("conservative", 2, "c2"),
    ]
    values = {each.config_id: each.value for each in channels(HAND, 1, 0.20)}
    assert values == {"c7": pytest.approx(5700.0), "c3": 140.0, "c4": 0.02}


def test_ties_go_by_config_id_and_no_channel_is_won_by_a_loss() -> None:
    equal = [result(number, 10.0, 0.1, 1.5, config_id=name) for number, name in enumerate("bca")]
    assert [each.config_id for each in leaderboard(equal, "total_pnl", DAY_NS)] == ["a", "b", "c"]
    assert [each.config_id for each in channels(equal, 1, 0.2)] == ["a", "b", "c"]
    assert channels([result(1, -1.0, 0.1, 0.9)], 3, 1.0) == []


def test_rejected_trials_stand_last_and_a_config_stands_once() -> None:
    rejected = result(9, 0.0, 0.0, 1.0, reject_reason="no")
    same = result(8, 100.0, 0.10, 2.0, config_id="c1")
    ordered = leaderboard([rejected, same, *HAND], "total_pnl", DAY_NS)
    assert ordered[-1] is rejected
    assert [each.number for each in ordered if each.config_id == "c1"] == [1]
    assert objective_of(rejected, "total_pnl", DAY_NS) == -math.inf
    assert objective_of(HAND[6], "profit_factor", DAY_NS) == -math.inf


def request(axes: Sequence[Axis], **changes: object) -> SweepRequest:
    grid = {axis.name: list(axis.values) or {"low": axis.low, "high": axis.high} for axis in axes}
    return request_of(Path("x.csv"), param_grid=grid, **changes)


def traced(params: dict[str, float], trace: str, number: int = 0) -> Result:
    return result(number, 1.0, 0.1, 1.5, params=params, trace=trace)


def test_an_axis_is_dead_only_where_every_value_gives_the_same_trades() -> None:
    axes = [Axis(name="a", values=(1.0, 2.0)), Axis(name="b", values=(1.0, 2.0))]
    grid = [traced({"a": a, "b": b}, f"only-a-{a}", int(2 * a + b)) for a in (1.0, 2.0) for b in (1.0, 2.0)]
    verdicts = {each.name: (each.verdict, each.compared) for each in judge_axes(request(axes), grid, _never)}
    assert verdicts == {"a": ("alive", 2), "b": ("dead_axis", 2)}
    # One group in which it matters is enough to live.
    grid[3] = traced(grid[3].params, "other", 9)
    assert {each.verdict for each in judge_axes(request(axes), grid, _never)} == {"alive"}


def test_an_axis_that_no_two_trials_isolate_is_probed() -> None:
    axes = [Axis(name="a", low=0.0, high=9.0), Axis(name="b", low=0.0, high=9.0)]
    drawn = [traced({"a": float(n), "b": float(n * n)}, f"a{n}", n) for n in range(6)]
    asked: list[Trial] = []

    def probe(trials: Sequence[Trial]) -> list[Result]:
        asked.extend(trials)
        return [traced(trial.params, f"a{trial.params['a']}", trial.number) for trial in trials]

    found = judge_axes(request(axes, method="random", trials=6), drawn, probe)
    assert {each.name: each.verdict for each in found} == {"a": "alive", "b": "dead_axis"}
    assert 0 < len(asked) <= 2 * 3 * 9
    idle = [traced({"a": float(n), "b": float(n)}, "same", n) for n in range(3)]
    idle = [result(each.number, 0.0, 0.0, 1.0, params=each.params, trace="same", trades=0) for each in idle]

    def silence(trials: Sequence[Trial]) -> list[Result]:
        return [result(9, 0.0, 0.0, 1.0, params=each.params, trace="same", trades=0) for each in trials]

    silent = judge_axes(request(axes, method="random", trials=3), idle, silence)
    assert {each.note for each in silent} == {"no trial traded"}


def _never(trials: Sequence[Trial]) -> list[Result]:
    raise AssertionError("the grid says it all")


def sharpe(number: int, mean: float, deviation: float, **changes: object) -> Result:
    """A result of 1000 bars whose returns have this mean and standard deviation (ddof 1)."""
    squares = deviation**2 * 999 + 1000 * mean**2
    return result(number, 1.0, 0.1, 1.5, bars=1000, return_sum=1000 * mean, return_squares=squares, **changes)


def test_the_best_of_many_is_held_against_what_luck_would_show() -> None:
    results = [sharpe(number, 0.0001 * number, 0.01) for number in range(-10, 11)]
    note = judge_luck(results, results[-1], DAY_NS)
    yearly = math.sqrt(365.25)
    ratios = [0.01 * number * yearly for number in range(-10, 11)]
    deviation = math.sqrt(sum(ratio**2 for ratio in ratios) / 20)
    assert note.independent == note.trials == 21
    assert note.best_sharpe == pytest.approx(0.1 * yearly)
    assert note.sharpe_deviation == pytest.approx(deviation)
    # Bailey & López de Prado, eq. 1, for 21 trials: 1.9215 standard deviations.
    assert note.expected_best_sharpe == pytest.approx(1.9215 * deviation, rel=1e-3)
    assert "treat it as luck" in note.note
    same = [sharpe(number, 0.001, 0.01, trace="one") for number in range(50)]
    assert judge_luck(same, same[0], DAY_NS).independent == 1
    star = [*results[:-1], sharpe(10, 0.01, 0.01)]
    for deflated in (None, 0.14, 0.949):
        # Above what luck shows on average is not yet beyond luck.
        assert "such luck is no rarity" in judge_luck(star, star[-1], DAY_NS, deflated).note
    assert "rarer luck" in judge_luck(star, star[-1], DAY_NS, 0.96).note


def test_decay_is_the_share_of_the_sharpe_ratio_that_is_lost() -> None:
    inside = sharpe(1, 0.002, 0.01)
    assert judge_decay(inside, sharpe(1, 0.001, 0.01), DAY_NS).decay == pytest.approx(0.5)
    assert judge_decay(inside, sharpe(1, -0.001, 0.01), DAY_NS).decay == pytest.approx(1.5)
    assert judge_decay(sharpe(1, -0.001, 0.01), inside, DAY_NS).decay is None
    assert judge_decay(inside, result(1, 0.0, 0.0, 1.0, bars=5), DAY_NS).decay is None


AXES = (
    Axis(name="x", low=-5.0, high=5.0),
    Axis(name="y", values=tuple(float(value) for value in range(40))),
    Axis(name="z", low=0.001, high=1000.0, is_log=True),
)


def bowl(params: dict[str, float]) -> float:
    return -((params["x"] - 2.0) ** 2) - (params["y"] - 31.0) ** 2 / 50 - math.log10(params["z"] / 10.0) ** 2


def searched(method: str, seed: int, trials: int = 150) -> list[Result]:
    asked = request(AXES[:2], method=method, trials=trials, seed=seed, generation=10)
    asked = msgspec.structs.replace(asked, axes=AXES)  # type: ignore[type-var]
    found: dict[int, Result] = {}
    while todo := next_trials(asked, found, DAY_NS):
        for trial in todo[::-1]:  # the order in which results come in does not matter
            found[trial.number] = result(trial.number, bowl(trial.params), 0.1, 1.5, params=trial.params)
    assert len(found) == trials
    assert len({tuple(each.params.values()) for each in found.values()}) == trials
    return [found[number] for number in sorted(found)]


def test_tpe_finds_a_better_place_than_chance() -> None:
    """All values are below zero, the best place has zero: half the distance, or less."""
    runs = {method: [searched(method, seed) for seed in range(7)] for method in ("tpe", "random")}
    best = {
        method: sorted(max(each.total_pnl for each in run) for run in found) for method, found in runs.items()
    }
    assert best["tpe"][3] > best["random"][3] / 2
    late = [each.total_pnl for run in runs["tpe"] for each in run[-50:]]
    drawn = [each.total_pnl for run in runs["random"] for each in run]
    assert math.fsum(late) / len(late) > math.fsum(drawn) / len(drawn) / 2


def test_the_same_seed_proposes_the_same_trials() -> None:
    assert searched("tpe", 3) == searched("tpe", 3)
    assert searched("tpe", 3) != searched("tpe", 4)


def test_a_small_space_is_used_up_and_then_the_search_ends() -> None:
    small = request([Axis(name="fast", values=(1.0, 2.0)), Axis(name="slow", values=(3.0, 4.0))],
                    method="tpe", trials=50, generation=3)  # fmt: skip
    found: dict[int, Result] = {}
    while todo := next_trials(small, found, DAY_NS):
        found |= {t.number: result(t.number, 1.0, 0.1, 1.5, params=t.params) for t in todo}
    assert len(found) == 4


@pytest.mark.parametrize("axis", [*AXES, Axis(name="w", low=2.0, high=9.0, is_whole=True)])
def test_places_and_values_of_an_axis_agree(axis: Axis) -> None:
    chance = Rng(1).stream("test")
    for _ in range(300):
        value = tpe.value_at(axis, chance.random())
        assert tpe.value_at(axis, tpe.place(axis, value)) == pytest.approx(value, rel=1e-9)
        assert axis.values or axis.low <= value <= axis.high
        assert not axis.is_whole or value == int(value)
    if axis.is_whole:
        assert {tpe.value_at(axis, chance.random()) for _ in range(300)} == {float(v) for v in range(2, 10)}
