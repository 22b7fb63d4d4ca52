"""What to try next: the grid, seeded chance, or TPE; a pure function of request and results so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.research.sweep import tpe
from engine.research.sweep.ranking import objective_of
from engine.research.sweep.request import Axis, SweepRequest, grid, grid_size
from engine.research.sweep.trials import Result, Trial
from seams.rng import Rng, Stream

DRAWS = 200
"""How often a fresh combination is looked for before the space counts as used up."""

Key = tuple[float, ...]


def next_trials(request: SweepRequest, results: Mapping[int, Result], interval_ns: int) -> list[Trial]:
    """Return what to try next, in order of numbers; empty when the sweep is done.

    Grid and random propose all at once. TPE proposes a generation from the results of all earlier ones, so
    the same seed gives the same trials for any number of workers and after any interruption. Trials that
    have results already are left out; nothing left means done.
    """
    return [trial for trial in _batch(request, results, interval_ns) if trial.number not in results]


def _batch(request: SweepRequest, results: Mapping[int, Result], interval_ns: int) -> list[Trial]:
    if request.method != "tpe":
        return _all_at_once(request)
    first = 0
    known: list[Result] = []
    while first < request.trials:
        last = min(first + request.generation, request.trials)
        batch = [results[number] for number in range(first, last) if number in results]
        if len(batch) < last - first:
            return _generation(request, known, first, last, interval_ns)
        known += batch
        first = last
    return []


def _all_at_once(request: SweepRequest) -> list[Trial]:
    names = [axis.name for axis in request.axes]
    if request.method == "grid":
        keys: Sequence[Key] = list(grid(request))
    else:
        keys = _random(request)
    return [
        Trial(number=number, params=dict(zip(names, key, strict=True))) for number, key in enumerate(keys)
    ]


def _random(request: SweepRequest) -> list[Key]:
    """Draw without repetition; a small finite space is shuffled and cut."""
    size = grid_size(request)
    chance = Rng(request.seed).stream("sweep", "random")
    if size and size <= max(4 * request.trials, 1_000):
        keys = list(grid(request))
        chance.shuffle(keys)
        return keys[: request.trials]
    drawn: dict[Key, None] = {}
    misses = 0
    while len(drawn) < request.trials and misses < DRAWS:
        key = draw(request.axes, chance)
        misses = misses + 1 if key in drawn else 0
        drawn.setdefault(key)
    return list(drawn)


def draw(axes: Sequence[Axis], chance: Stream) -> Key:
    """Draw one combination evenly."""
    return tuple(tpe.value_at(axis, chance.random()) for axis in axes)


def _generation(
    request: SweepRequest, known: Sequence[Result], first: int, last: int, interval_ns: int
) -> list[Trial]:
    """Propose trials `first` to `last`; each has its own stream of chance, by its number."""
    names = [axis.name for axis in request.axes]
    seen = {tuple(result.params[name] for name in names) for result in known}
    good = [result for result in known if not result.is_rejected]
    scored = [
        (objective_of(result, request.objective, interval_ns), tuple(result.params[name] for name in names))
        for result in good
    ]
    model = tpe.fit(request.axes, [(score, key) for score, key in scored if math.isfinite(score)])
    trials: list[Trial] = []
    for number in range(first, last):
        chance = Rng(request.seed).stream("sweep", "tpe", number)
        key = _fresh(request.axes, model, seen, chance)
        if key is None:
            break
        seen.add(key)
        trials.append(Trial(number=number, params=dict(zip(names, key, strict=True))))
    return trials


def _fresh(axes: Sequence[Axis], model: tpe.Model | None, seen: set[Key], chance: Stream) -> Key | None:
    """Return the model's best unseen proposal, else a drawn one, else None: all has been tried."""
    if model is not None:
        for key in tpe.propose(axes, model, chance):
            if key not in seen:
                return key
    for _ in range(DRAWS):
        key = draw(axes, chance)
        if key not in seen:
            return key
    return None
