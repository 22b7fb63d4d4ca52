"""What a strategy answers and keeps, bar by bar: the interpreted source against the forged library."""

from __future__ import annotations

import marshal
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.lifecycle.verify.corpus import SEED, Bars, Case
from engine.lifecycle.verify.plain import FIELDS, Answer, PlainBar, answered
from engine.lifecycle.verify.report import Divergence
from engine.lifecycle.verify.ways import Answering, Way, getter
from native.strategy import Strategy
from seams.rng import Rng

_FAILURES = (ArithmeticError, ValueError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True)
class Compared:
    """How many bars were compared, how many answers were not None, and the first difference."""

    bars: int
    answers: int
    divergence: Divergence | None = None


def compare_answers(
    case: Case, params: Mapping[str, float], make: Callable[[], Strategy], way: Way
) -> Compared:
    """Drive both over a case's good bars; a strategy that reads the position is given every kind of it."""
    interpreted, forged, answers, index = make(), way.answering(params), 0, -1
    sides = _sides(case.name) if way.reads_side else _flat()
    names = list(forged.state_values())
    kept = getter(names)
    for index, (row, side) in enumerate(zip(good_rows(case), sides, strict=False)):
        bar = PlainBar(index, *row, side)
        wanted, got = _answer_of(interpreted, bar), _forged_answer(forged, bar)
        difference = None
        if not _are_equal(wanted, got):
            difference = _first_difference("answer", FIELDS, wanted, got)
        elif not _are_equal(kept(interpreted), forged.state_tuple()):
            difference = _first_difference("state", names, kept(interpreted), forged.state_tuple())
        if difference is not None:
            layer, field, left, right = difference
            found = Divergence(
                case=case.name, params=dict(params), layer=layer, bar=index, ts_ns=row[0], field=field,
                ways=("interpreted", way.name), values=(left, right),
            )  # fmt: skip
            return Compared(index + 1, answers, found)
        if isinstance(wanted[0], str):
            break  # both failed alike; neither can go on
        answers += wanted[0] is not None
    return Compared(index + 1, answers)


def _are_equal(one: Answer, other: Answer) -> bool:
    """Compare kinds and bits at once; a NaN has many bits, so what seems to differ is looked at again."""
    return marshal.dumps(one, 2) == marshal.dumps(other, 2)


def good_rows(case: Case) -> Bars:
    """Return the bars that the kernel would show to a strategy."""
    found: Bars = []
    for row in case.rows():
        ts, o, h, l, c, v = row
        is_finite = all(map(math.isfinite, row[1:]))
        if is_finite and min(o, l, c) > 0.0 and h >= l and v >= 0.0 and (not found or ts > found[-1][0]):
            found.append(row)
    return found


def _answer_of(strategy: Strategy, bar: PlainBar) -> Answer:
    try:
        return answered(strategy.on_bar(bar))  # type: ignore[arg-type]  # the same fields as the kernel's bar
    except _FAILURES as error:
        return (type(error).__name__,)


def _forged_answer(forged: Answering, bar: PlainBar) -> Answer:
    try:
        return forged.answer(
            bar.ts_ns, bar.index, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.side
        )
    except _FAILURES as error:
        return (type(error).__name__,)


def _first_difference(
    layer: str, names: Sequence[str], left: Answer, right: Answer
) -> tuple[str, str, str, str] | None:
    if len(left) != len(right):
        return layer, names[0], repr(left[0]), repr(right[0])
    for name, one, other in zip(names, left, right, strict=False):
        if not is_same(one, other):
            return layer, name, repr(one), repr(other)
    return None


def is_same(one: object, other: object) -> bool:
    """Whether two values are the same bits: NaN equals NaN, 0.0 does not equal -0.0, 1 does not equal 1.0."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("<d", one) == struct.pack("<d", other) or (one != one and other != other)
    return type(one) is type(other) and one == other


def _sides(name: str) -> Iterator[int]:
    """Yield positions that last a few bars each, also ones that the strategy did not ask for."""
    chance = Rng(SEED).stream("sides", name)
    while True:
        side = chance.choice((0, 0, 1, -1))
        yield from [side] * chance.randrange(1, 25)


def _flat() -> Iterator[int]:
    while True:
        yield 0
