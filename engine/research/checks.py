"""Look-ahead and warm-up checks: does a decision depend on bars that had not happened yet, or on where the
data begin? They run on every back-test; a run's status says that it ended, its `trust` says what these found.

Method (`docs/metrics.md`, "Checks"): the strategy is run again on prefixes cut at seeded points, and on a
prefix that continues into a mirrored market; and again from later starts. The work is bounded: `points` and
`bars` of each check say how far it looked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.research.kernels import give_sub_bars
from engine.research.schemas import FAILED, NOT_CHECKED, PASSED, Check, RunConfig, worst
from engine.research.switching import DRAWN
from native.codes import Action, Reason
from native.kernel import Kernel
from native.strategy import Strategy
from seams.clock import iso_z
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

CUTS = 3
COMPILED_BUDGET_BARS = 4_000_000
INTERPRETED_BUDGET_BARS = 200_000
"""About how many bars all prefixes together may step (expected; at most twice that)."""
MIRROR_BARS = 20_000
MIN_MIRRORED = 10
SAME_SHARE = 0.9
SUSPICIOUS_T = 3.0
STARTS = 3
SETTLE_BARS = 5_000
SETTLE_FACTORS = (1, 2, 4, 8, 16, 32)
MIN_COMPARED_BARS = 500
DEFAULT_WARMUP_BARS = 100
MAX_PERIOD = 10_000
"""Whole parameters up to this may be periods in bars; the longest is the unit of the warm-ups tried."""
MIN_BARS = 20
COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")

Rows = NDArray[Any]
MakeKernel = Callable[[], Kernel]
Holdings = tuple[NDArray[np.int64], NDArray[np.int64]]


def check_run(
    make_kernel: MakeKernel,
    bars: BarColumns,
    decisions: Rows,
    trades: Rows,
    config: RunConfig,
    is_liquidated: bool = False,
    sub_bars: BarColumns | None = None,
) -> tuple[Check, ...]:
    """Run every check. `make_kernel` gives a new kernel with a new strategy each time."""
    seed, drawn = config.seed, [name for name in DRAWN if name in config.switches]
    decided = decisions[decisions["reason"] != Reason.END_OF_DATA]
    if config.init_state_sha256:
        settled = not_checked("warm_up", "init_state", "it starts from a state, warm, on one bar only")
    elif drawn:
        word = f"{', '.join(drawn)} draw by an order's number, which a later start changes"
        settled = not_checked("warm_up", "seeded_draws", word)
    else:
        settled = warm_up(make_kernel, bars, decided, seed)
    found = (look_ahead(make_kernel, bars, decided, trades, seed, sub_bars), settled)
    return (*found, liquidation(is_liquidated)) if "leverage" in config.switches else found


def liquidation(is_liquidated: bool) -> Check:
    """Tell whether the exchange took a position away: what follows is not the strategy's result."""
    if is_liquidated:
        return check_failed("liquidation", "liquidated", "a position was liquidated; no entry followed", 1, 0)
    return check_passed("liquidation", "no position was liquidated", 1, 0)


def trust_of(checks: tuple[Check, ...]) -> str:
    """Return the worst status: failed, else not_checked (also without checks), else passed."""
    return worst({check.status for check in checks})


def look_ahead(
    make_kernel: MakeKernel,
    bars: BarColumns,
    decisions: Rows,
    trades: Rows,
    seed: int,
    sub_bars: BarColumns | None = None,
) -> Check:
    """Compare decisions of prefixes, and of one prefix with a mirrored future, byte for byte."""
    if len(bars) < MIN_BARS:
        return not_checked("look_ahead", "too_few_bars", f"fewer than {MIN_BARS} bars")
    is_compiled = _is_compiled(make_kernel())
    budget = COMPILED_BUDGET_BARS if is_compiled else INTERPRETED_BUDGET_BARS
    reach = min(len(bars) - 1, 2 * budget // CUTS)
    draw = Rng(seed).stream("look_ahead", bars.content_sha256, len(bars))
    cuts = sorted({draw.randint(MIN_BARS // 2, reach) for _ in range(CUTS)})
    kernels = {cut: make_kernel() for cut in cuts}
    for count, (cut, kernel) in enumerate(kernels.items(), start=1):
        found = decide_alone(kernel, cut_bars(bars, 0, cut, is_compiled))
        at = first_difference(found, until(decisions, int(bars.ts_ns[cut - 1])))
        if at is not None:
            word = f"cut after bar {cut}, the decisions differ from {iso_z(at)} on"
            return check_failed("look_ahead", "prefix_differs", word, count, sum(cuts[:count]))
    middle = cuts[len(cuts) // 2]
    if sub_bars is not None:
        give_sub_bars(kernels[middle], mirrored_path(sub_bars, bars, middle))
    return _mirrored(kernels[middle], bars, decisions, trades, cuts, middle)


def _mirrored(
    kernel: Kernel, bars: BarColumns, decisions: Rows, trades: Rows, cuts: list[int], cut: int
) -> Check:
    """Let a kernel go on past its cut with every move turned round: who knows the real future from elsewhere
    goes on deciding for it."""
    end = min(len(bars), cut + MIRROR_BARS)
    found = decide_alone(kernel, _mirror(bars, cut, end))
    stepped, points = sum(cuts) + end - cut, len(cuts) + 1
    window = (int(bars.ts_ns[cut]), int(bars.ts_ns[end - 1]))
    real, other = (keys(between(rows, *window)) for rows in (decisions, found))
    share = len(real & other) / len(real) if real else 0.0
    where = f"{len(cuts)} prefixes and a mirrored future within the first {end:,} of {len(bars):,} bars"
    if len(real) < MIN_MIRRORED or share < SAME_SHARE:
        return check_passed("look_ahead", where, points, stepped)
    advantage = t_value(trades["pnl"])
    if advantage > SUSPICIOUS_T:
        word = (
            f"{share:.0%} of the decisions after bar {cut} stay the same in a mirrored market, and the "
            f"trades win too often for that to be a calendar rule (t = {advantage:.1f})"
        )
        return check_failed("look_ahead", "knows_the_future", word, points, stepped)
    return check_passed("look_ahead", f"{where}; the decisions do not depend on prices", points, stepped)


def warm_up(make_kernel: MakeKernel, bars: BarColumns, decisions: Rows, seed: int) -> Check:
    """Start later and find how many bars it takes until the decisions are those of the whole run.

    Compared from the first moment after the warm-up at which both are flat or entered together: the
    time, action and side of every decision. Several warm-ups are tried, the longest must be enough.
    """
    kernel = make_kernel()
    warmups = _warmups(kernel, len(bars))
    if not warmups:
        return not_checked("warm_up", "too_few_bars", "the data are too short for a later start")
    if not len(decisions):
        return not_checked("warm_up", "no_decisions", "nothing was decided")
    draw = Rng(seed).stream("warm_up", bars.content_sha256, len(bars))
    stepped, needed, compared = 0, 0, 0
    room = min(warmups[-1] + SETTLE_BARS, len(bars) - 1)
    for _ in range(STARTS):
        start = draw.randint(1, len(bars) - room)
        part = cut_bars(bars, start, start + room, _is_compiled(kernel))
        late = decide_alone(make_kernel(), part)
        stepped += room
        settled, count = _settles(decisions, late, part.ts_ns, warmups)
        if settled is None:
            word = f"started at bar {start}, the decisions still differ after {warmups[-1]} bars"
            return check_failed("warm_up", "never_settles", word, STARTS, stepped)
        needed, compared = max(needed, settled), compared + count
    if not compared:
        return not_checked("warm_up", "never_in_step", "no decision after a later start could be compared")
    word = f"{STARTS} later starts decide the same after {needed} bars ({compared} decisions compared)"
    return check_passed("warm_up", word, STARTS, stepped)


def _warmups(kernel: Kernel, bars: int) -> list[int]:
    """Return the warm-ups to try of a kernel's first lane."""
    lane = kernel.lanes[0]
    return warmups_of(lane.strategy, lane.params, bars)


def warmups_of(strategy: object, params: Mapping[str, float], bars: int) -> list[int]:
    """Return the warm-ups to try: what the strategy states, and multiples of its longest period."""
    own = strategy if isinstance(strategy, Strategy) else None
    values = dict(params) if own is None else own.values()
    stated = 0 if own is None else int(own.warmup_bars)
    periods = [int(value) for value in values.values() if value == int(value) and value <= MAX_PERIOD]
    unit = max(DEFAULT_WARMUP_BARS, stated, *periods)
    tried = {unit * factor for factor in SETTLE_FACTORS} | ({stated} if stated else set())
    return sorted(each for each in tried if each <= bars // 2 - MIN_COMPARED_BARS)


def _settles(whole: Rows, late: Rows, ts_ns: NDArray[np.int64], warmups: list[int]) -> tuple[int | None, int]:
    """Return the shortest of `warmups` after which both decide the same, and how many were compared."""
    last, count = int(ts_ns[-1]), 0
    held = holdings(whole), holdings(late)
    for warmup in warmups:
        begin = _in_step(*held, int(ts_ns[warmup]), last)
        if begin is None:
            return warmup, 0
        one, two = (sequence(between(rows, begin, last)) for rows in (whole, late))
        count = len(one)
        if one == two:
            return warmup, count
    return None, count


def _in_step(one: Holdings, two: Holdings, begin: int, end: int) -> int | None:
    """Return the first moment after `begin` at which both hold the same position, or None.

    The same: both flat, or both entered at the same time. The moment itself is not compared.
    """
    times = np.unique(np.concatenate([[begin], one[0], two[0]]).astype(np.int64))
    times = times[(times >= begin) & (times <= end)]
    same = np.flatnonzero(entered(one, times) == entered(two, times))
    return int(times[same[0]]) + 1 if len(same) else None


def holdings(rows: Rows) -> Holdings:
    """Return the times of decisions that change the position, and the entry's time after each (0: flat)."""
    changing = rows[rows["action"] != Action.BLOCKED]
    return changing["ts_ns"], np.where(changing["action"] == Action.OPEN, changing["ts_ns"], 0)


def entered(held: Holdings, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return when the position held after each of `times` was entered; 0 where there is none."""
    entries = np.concatenate([[0], held[1]])
    found: NDArray[np.int64] = entries[np.searchsorted(held[0], times, side="right")]
    return found


def decide_alone(kernel: Kernel, bars: BarColumns) -> Rows:
    kernel.replay(0, bars.ts_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return kernel.decisions()


def cut_bars(bars: BarColumns, first: int, last: int, is_compiled: bool) -> BarColumns:
    """Return bars `first` to `last` (excluded). Interpreted code gets copies: behind a view of an array
    the whole of it can be reached."""
    part = {name: getattr(bars, name)[first:last] for name in COLUMNS}
    return msgspec.structs.replace(
        bars, **(part if is_compiled else {name: column.copy() for name, column in part.items()})
    )


def _mirror(bars: BarColumns, cut: int, end: int) -> BarColumns:
    """Return bars `cut` to `end` with their moves turned round: p becomes close² / p, the close before."""
    return turned_round(bars, cut, end, float(bars.close[cut - 1]) ** 2)


def turned_round(bars: BarColumns, first: int, end: int, level: float) -> BarColumns:
    part = slice(first, end)
    return msgspec.structs.replace(
        bars,
        ts_ns=bars.ts_ns[part].copy(),
        open=level / bars.open[part],
        high=level / bars.low[part],
        low=level / bars.high[part],
        close=level / bars.close[part],
        volume=bars.volume[part].copy(),
    )


def mirrored_path(subs: BarColumns, bars: BarColumns, cut: int) -> BarColumns:
    """Return finer bars with those after the cut turned round as their bars are."""
    at = int(np.searchsorted(subs.ts_ns, bars.ts_ns[cut], side="left"))
    turned = turned_round(subs, at, len(subs), float(bars.close[cut - 1]) ** 2)
    joined = {name: np.concatenate([getattr(subs, name)[:at], getattr(turned, name)]) for name in COLUMNS}
    return msgspec.structs.replace(subs, **joined)


def first_difference(one: Rows, two: Rows) -> int | None:
    """Return the time of the first row that differs in any byte, or None."""
    if one.tobytes() == two.tobytes():
        return None
    length = min(len(one), len(two))
    unequal = np.flatnonzero(one[:length] != two[:length])
    longer = one if len(one) > len(two) else two
    return int(one["ts_ns"][unequal[0]]) if len(unequal) else int(longer["ts_ns"][length])


def until(rows: Rows, last_ns: int) -> Rows:
    return rows[rows["ts_ns"] <= last_ns]


def between(rows: Rows, first_ns: int, last_ns: int) -> Rows:
    times = rows["ts_ns"]
    return rows[(times >= first_ns) & (times <= last_ns)]


def sequence(rows: Rows) -> list[tuple[int, int, int]]:
    return list(zip(rows["ts_ns"].tolist(), rows["action"].tolist(), rows["side"].tolist(), strict=True))


def keys(rows: Rows) -> set[tuple[int, int, int]]:
    return set(sequence(rows))


def t_value(pnl: NDArray[np.float64]) -> float:
    """Return mean over standard error of the trades' net P&L; 0 below ten trades."""
    deviation = float(np.std(pnl, ddof=1)) if len(pnl) >= MIN_MIRRORED else 0.0
    return float(np.mean(pnl)) / deviation * math.sqrt(len(pnl)) if deviation > 0 else 0.0


def _is_compiled(kernel: Kernel) -> bool:
    return not isinstance(kernel.lanes[0].strategy, Strategy)


def check_passed(name: str, detail: str, points: int, bars: int) -> Check:
    return Check(name=name, status=PASSED, reason="", detail=detail, points=points, bars=bars)


def check_failed(name: str, reason: str, detail: str, points: int, bars: int) -> Check:
    return Check(name=name, status=FAILED, reason=reason, detail=detail, points=points, bars=bars)


def not_checked(name: str, reason: str, detail: str) -> Check:
    return Check(name=name, status=NOT_CHECKED, reason=reason, detail=detail, points=0, bars=0)
