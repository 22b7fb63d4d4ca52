"""The checks of a portfolio run: the same questions as of a single run, asked of all lanes together.

Look-ahead: prefixes and a mirrored future of every market at once. Warm-up: each lane by itself, where nobody
else takes its room, must decide the same after a later start; and all lanes together must, from the first
moment at which both starts hold the same. Where capacity binds it need not come: who holds, holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.research.checks import (
    COLUMNS,
    COMPILED_BUDGET_BARS,
    CUTS,
    INTERPRETED_BUDGET_BARS,
    MIN_BARS,
    MIN_COMPARED_BARS,
    MIN_MIRRORED,
    MIRROR_BARS,
    SAME_SHARE,
    SETTLE_BARS,
    STARTS,
    SUSPICIOUS_T,
    Rows,
    between,
    check_failed,
    check_passed,
    cut_bars,
    decide_alone,
    entered,
    first_difference,
    holdings,
    keys,
    liquidation,
    mirrored_path,
    not_checked,
    sequence,
    t_value,
    turned_round,
    until,
    warm_up,
    warmups_of,
)
from engine.research.kernels import give_sub_bars
from engine.research.portfolio_lanes import Again, Lane
from engine.research.schemas import FAILED, PASSED, Check
from engine.research.switching import DRAWN
from native.codes import Action, Reason
from native.portfolio import Portfolio
from native.strategy import Strategy
from seams.clock import iso_z
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.research.run import Replayed

Times = NDArray[np.int64]
MIN_LANE_BARS = 10_000
"""How many bars a lane should get of the warm-up's budget; of more lanes than that allows some are drawn."""
ACCOUNT_SIZED = frozenset(
    {"sizing", "leverage", "portfolio_notional_usd", "symbol_notional_usd", "strategy_notional_usd",
     "alt_longs_usd", "alt_shorts_usd", "max_heat"}
)  # fmt: skip
"""Switches by which what was won before decides what is entered: later starts may differ, and rightly."""


def check_together(again: Again, replayed: Replayed, ts_ns: Times) -> tuple[Check, ...]:
    """Run every check of a portfolio's replay; `ts_ns` are the times of its equity."""
    config = again.config
    decided = replayed.decisions[replayed.decisions["reason"] != Reason.END_OF_DATA]
    if drawn := [name for name in DRAWN if name in config.switches]:
        word = f"{', '.join(drawn)} draw by an order's number, which a later start changes"
        settled = not_checked("warm_up", "seeded_draws", word)
    else:
        settled = warm_up_together(again, decided, ts_ns)
    found = (look_ahead_together(again, decided, replayed.trades, ts_ns), settled)
    return (*found, liquidation(replayed.is_liquidated)) if "leverage" in config.switches else found


def look_ahead_together(again: Again, decisions: Rows, trades: Rows, ts_ns: Times) -> Check:
    """Compare decisions of prefixes, and of one that goes on into mirrored markets, byte for byte."""
    lanes, config = again.lanes, again.config
    if len(ts_ns) < MIN_BARS:
        return not_checked("look_ahead", "too_few_bars", f"fewer than {MIN_BARS} bars")
    reach = min(len(ts_ns) - 1, max(MIN_BARS, 2 * INTERPRETED_BUDGET_BARS // (CUTS * len(lanes))))
    draw = Rng(config.seed).stream("look_ahead", config.data_sha256, len(ts_ns))
    cuts = sorted({draw.randint(MIN_BARS // 2, reach) for _ in range(CUTS)})
    stepped = 0
    for count, cut in enumerate(cuts, start=1):
        kernel, until_ns = again.together(), int(ts_ns[cut - 1])
        parts = [_inside(lane.bars, -1, until_ns) for lane in lanes]
        kernel.replay(parts)
        stepped += sum(len(part[0]) for part in parts)
        at = first_difference(kernel.decisions(), until(decisions, until_ns))
        if at is not None:
            word = f"cut after time {cut}, the decisions differ from {iso_z(at)} on"
            return check_failed("look_ahead", "prefix_differs", word, count, stepped)
    end_ns = int(ts_ns[min(len(ts_ns), cut + MIRROR_BARS) - 1])
    futures = [_turned(lane, until_ns, end_ns, kernel, at) for at, lane in enumerate(lanes)]
    kernel.replay(futures)
    stepped += sum(len(future[0]) for future in futures)
    inside = [
        rows[(rows["ts_ns"] > until_ns) & (rows["ts_ns"] <= end_ns)]
        for rows in (decisions, kernel.decisions())
    ]
    real, other = (_lane_keys(rows) for rows in inside)
    share = len(real & other) / len(real) if real else 0.0
    where = f"{len(cuts)} prefixes and mirrored futures of {len(lanes)} lanes"
    if len(real) >= MIN_MIRRORED and share >= SAME_SHARE and t_value(trades["pnl"]) > SUSPICIOUS_T:
        word = f"{share:.0%} of the decisions stay the same in mirrored markets, and the trades win too often"
        return check_failed("look_ahead", "knows_the_future", word, len(cuts) + 1, stepped)
    return check_passed("look_ahead", where, len(cuts) + 1, stepped)


def warm_up_together(again: Again, decisions: Rows, ts_ns: Times) -> Check:
    """Ask each lane alone, then all of them together; the first that does not settle fails the run."""
    found = {at: _alone(again, at, share) for at, share in _asked(again)}
    names = again.config.lanes
    for at, check in found.items():
        if check.status == FAILED:
            word = f"{names[at].symbol} under {names[at].strategy}: {check.detail}"
            return check_failed("warm_up", check.reason, word, check.points, check.bars)
    proven = {names[at].strategy for at, check in found.items() if check.status == PASSED}
    points, bars = sum(each.points for each in found.values()), sum(each.bars for each in found.values())
    if open_ := sorted({lane.strategy for lane in names} - proven):
        first = next(check for at, check in found.items() if names[at].strategy == open_[0])
        return not_checked("warm_up", first.reason, f"{open_[0]}: {first.detail}")
    whole = _as_one(again, decisions, ts_ns)
    if whole.status == FAILED:
        return whole
    settled = sum(check.status == PASSED for check in found.values())
    word = f"{settled} of {len(names)} lanes, each alone, decide the same after a later start; {whole.detail}"
    return check_passed("warm_up", word, points + whole.points, bars + whole.bars)


def _asked(again: Again) -> list[tuple[int, int]]:
    """Return the lanes to ask and how many bars each may have: one of every strategy, then as drawn."""
    lanes = again.config.lanes
    order = list(range(len(lanes)))
    Rng(again.config.seed).stream("warm_up_lanes", again.config.data_sha256, len(lanes)).shuffle(order)
    firsts = list({lanes[at].strategy: at for at in reversed(order)}.values())
    order = [*firsts, *(at for at in order if at not in firsts)]
    budget = _budget(again.lanes)
    count = max(len(firsts), min(len(order), budget // MIN_LANE_BARS))
    return [(at, budget // count) for at in sorted(order[:count])]


def _budget(lanes: Sequence[Lane]) -> int:
    is_slow = any(isinstance(lane.choice.strategy, Strategy) for lane in lanes)
    return INTERPRETED_BUDGET_BARS if is_slow else COMPILED_BUDGET_BARS


def _alone(again: Again, at: int, share: int) -> Check:
    """Check one lane's warm-up within its share of the bars, nobody else taking its room."""
    bars = again.lanes[at].bars
    kernel = again.alone(at)
    is_compiled = not isinstance(kernel.lanes[0].strategy, Strategy)
    part = cut_bars(bars, 0, min(len(bars), max(share, MIN_BARS)), is_compiled)
    decided = decide_alone(kernel, part)
    return warm_up(lambda: again.alone(at), part, decided, again.config.seed)


def _as_one(again: Again, decisions: Rows, ts_ns: Times) -> Check:
    """Start the whole portfolio later: once it holds the same it must decide the same, refusals apart."""
    warmups = sorted({each for lane in again.lanes for each in _warmups(lane, len(ts_ns))})
    room = _budget(again.lanes) // (STARTS * len(again.lanes))
    warmups = [each for each in warmups if each <= room - MIN_COMPARED_BARS]
    if not warmups:
        return check_passed("warm_up", "together they were not started later: the data are too short", 0, 0)
    room = min(room, warmups[-1] + SETTLE_BARS, len(ts_ns) - 1)
    draw = Rng(again.config.seed).stream("warm_up", again.config.data_sha256, len(ts_ns))
    stepped = needed = compared = 0
    differs = False
    whole = _acting(decisions)
    for _ in range(STARTS):
        start = draw.randint(1, len(ts_ns) - room)
        window = ts_ns[start : start + room]
        kernel = again.together()
        parts = [_inside(lane.bars, int(window[0]) - 1, int(window[-1])) for lane in again.lanes]
        kernel.replay(parts)
        stepped += sum(len(part[0]) for part in parts)
        settled, count = _settles(whole, _acting(kernel.decisions()), window, warmups, len(again.lanes))
        if settled is None and not ACCOUNT_SIZED & set(again.config.switches):
            word = f"started together at time {start}, the decisions still differ after {warmups[-1]} times"
            return check_failed("warm_up", "never_settles", word, STARTS, stepped)
        differs |= settled is None
        needed, compared = max(needed, settled or 0), compared + count
    word = f"together they do after {needed} times ({compared} decisions compared)"
    if differs:
        word = "together they may not: what was won before decides sizes"
    elif not compared:
        word = "together they never hold the same: who holds, holds"
    return check_passed("warm_up", word, STARTS, stepped)


def _warmups(lane: Lane, times: int) -> list[int]:
    return warmups_of(lane.choice.strategy, lane.choice.params, times)


def _settles(
    whole: Rows, late: Rows, ts_ns: Times, warmups: Sequence[int], lanes: int
) -> tuple[int | None, int]:
    """Return the shortest of `warmups` after which both decide the same, and how many were compared."""
    last, count = int(ts_ns[-1]), 0
    pairs = [
        (holdings(whole[whole["lane"] == lane]), holdings(late[late["lane"] == lane]))
        for lane in range(lanes)
    ]
    for warmup in warmups:
        begin = int(ts_ns[warmup])
        times = np.unique(np.concatenate([[begin], whole["ts_ns"], late["ts_ns"]]).astype(np.int64))
        times = times[(times >= begin) & (times <= last)]
        same = np.ones(len(times), bool)
        for ours, theirs in pairs:
            same &= entered(ours, times) == entered(theirs, times)
        if not same.any():
            return warmup, 0
        moment = int(times[np.argmax(same)]) + 1
        one, two = (_ordered(between(rows, moment, last)) for rows in (whole, late))
        count = len(one)
        if one == two:
            return warmup, count
    return None, count


def _ordered(rows: Rows) -> list[tuple[int, tuple[int, int, int]]]:
    return list(zip(rows["lane"].tolist(), sequence(rows), strict=True))


def _acting(rows: Rows) -> Rows:
    """Return what changed something, without the end of the data: a wish that stays refused is noted once."""
    found: Rows = rows[(rows["action"] != Action.BLOCKED) & (rows["reason"] != Reason.END_OF_DATA)]
    return found


def _lane_keys(rows: Rows) -> set[tuple[int, tuple[int, int, int]]]:
    return {(int(lane), key) for lane in np.unique(rows["lane"]) for key in keys(rows[rows["lane"] == lane])}


def _inside(bars: BarColumns, after_ns: int, until_ns: int) -> list[NDArray[np.float64]]:
    """Return copies of the columns after a time up to another: nothing reaches past them."""
    begin, end = (int(np.searchsorted(bars.ts_ns, at, side="right")) for at in (after_ns, until_ns))
    return [getattr(bars, name)[begin:end].copy() for name in COLUMNS]


def _turned(lane: Lane, after_ns: int, end_ns: int, kernel: Portfolio, at: int) -> list[NDArray[np.float64]]:
    """Return the bars after a time, their moves turned round at the close before, and so the finer bars."""
    bars = lane.bars
    begin, end = (int(np.searchsorted(bars.ts_ns, at_ns, side="right")) for at_ns in (after_ns, end_ns))
    if lane.beside.sub_bars is not None and 0 < begin < len(bars):
        give_sub_bars(kernel, mirrored_path(lane.beside.sub_bars, bars, begin), at)
    level = float(bars.close[begin - 1] if begin else bars.open[0]) ** 2
    turned = turned_round(bars, begin, end, level)
    return [np.ascontiguousarray(getattr(turned, name)) for name in COLUMNS]
