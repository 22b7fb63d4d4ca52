"""Walk-forward: search on a window, judge on a later one, again and again.

What was chosen never saw its test: the test begins no earlier than `embargo_bars` after its training ends; a
file whose windows overlap is refused (QL-14). The strategy is warmed on bars before the test, with entries
blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from engine.market.catalogue import BarColumns
from engine.research.bars import load_bars
from engine.research.choice import Choice, RunFailed, choose
from engine.research.kernels import EMPTY, Beside, Shelf, kernel_of, shelf_of
from engine.research.metrics import Context, compute_metrics
from engine.research.run import resolved_config
from engine.research.schemas import RunConfig, Scalar
from engine.research.sweep.evaluate import Field
from engine.research.sweep.plan import cut
from engine.research.sweep.proposals import next_trials
from engine.research.sweep.request import SweepRequest, make_request
from engine.research.sweep.trials import Result, Trial, sharpe_simple
from engine.research.switching import fixed_slippage_bps
from engine.research.walk_windows import Split, read_splits, windows
from seams.clock import iso_z
from seams.disk import Disk
from venues.types import Record

Progress = Callable[[int, int], None]

WARM_BARS = 2_000
"""How many bars before a test its strategy is warmed on, at most."""
OWN = ("splits", "rolling", "selection", "constraints", "embargo_bars")
SORT_KEYS = ("total_pnl", "sharpe_simple", "profit_factor", "score_v1", "max_drawdown", "win_rate")
MEASURED = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate", "profit_factor")


class Selection(Record):
    """How the tested configurations are chosen from the training results."""

    sort_by: str = "sharpe_simple"
    ascending: bool = False
    top_k: int = 3


class Constraints(Record):
    """What a configuration must show in training to be chosen."""

    min_trade_trades: int = 0
    max_drawdown: float = 1.0


class WalkRequest(Record):
    """A walk-forward: the search of each split, its windows, and how it chooses."""

    search: SweepRequest
    splits: tuple[Split, ...]
    selection: Selection
    constraints: Constraints
    embargo_bars: int


class Tested(Record):
    """One chosen configuration of one split: what it showed in training and what it gave after."""

    split: str
    rank: int
    config_id: str
    params: dict[str, float]
    train: dict[str, Scalar]
    test: dict[str, Scalar]


class SplitMetrics(Record):
    """What one split was made of: its effective windows, and how many trials it had to choose from."""

    name: str
    train_start: str
    train_end: str
    train_bars: int
    embargo_bars: int
    test_start: str
    test_end: str
    test_bars: int
    trials: int
    eligible: int
    selected: int


@dataclass(frozen=True)
class Walked:
    """The whole result; `equity` is the stitched curve of each split's first choice, from 1."""

    splits: tuple[SplitMetrics, ...]
    tested: tuple[Tested, ...]
    ts_ns: NDArray[np.int64]
    equity: NDArray[np.float64]


def read_walk(
    text: bytes, home: Path, disk: Disk, changes: Mapping[str, object] | None = None
) -> tuple[WalkRequest, BarColumns, RunConfig, Shelf]:
    """Read a YAML file with its bars and what stands beside them; `changes` (the command line) win.

    Raises `RunFailed` (invalid_request), `FundingIncomplete` and what the catalogue raises.
    """
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _bad(f"the file is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(fields, dict):
        raise _bad("the file must hold names and values")
    fields = {**fields, **(changes or {})}
    search = make_request({name: value for name, value in fields.items() if name not in OWN})
    bars, symbol, interval = load_bars(search.base, home, disk)
    embargo = fields.get("embargo_bars", round(len(bars) * 0.01))
    if not isinstance(embargo, int) or embargo < 0:
        raise _bad("embargo_bars must be a whole number of 0 or more")
    try:
        selection = msgspec.convert(fields.get("selection", {}), Selection)
        constraints = msgspec.convert(fields.get("constraints", {}), Constraints)
    except msgspec.ValidationError as error:
        raise _bad(str(error)) from error
    if selection.sort_by not in SORT_KEYS or selection.top_k < 1:
        raise _bad(f"selection: sort_by is one of {', '.join(SORT_KEYS)}, top_k at least 1")
    splits = read_splits(fields, bars)
    first = choose(search.base.strategy, search.base.preset, {**search.base.params, **_first(search).params})
    shelf = shelf_of(search.base, first, bars, home, disk)
    config = resolved_config(search.base, first, bars, symbol, interval, shelf.over(bars))
    request = WalkRequest(
        search=search, splits=splits, selection=selection, constraints=constraints, embargo_bars=embargo
    )
    return request, bars, config, shelf


def walk(
    request: WalkRequest,
    bars: BarColumns,
    config: RunConfig,
    shelf: Shelf = EMPTY,
    *,
    workers: int = 2,
    on_progress: Progress | None = None,
) -> Walked:
    """Search, choose and test every split. Raises `RunFailed` where a window has no bars."""
    splits: list[SplitMetrics] = []
    tested: list[Tested] = []
    times: list[NDArray[np.int64]] = []
    curves: list[NDArray[np.float64]] = []
    level = 1.0
    for number, split in enumerate(request.splits):
        train, begin, end = windows(split, bars, request.embargo_bars)
        results = _search(request.search, config, cut(bars, *train), shelf, workers)
        eligible = [each for each in results if _is_eligible(each, request.constraints)]
        chosen = select(eligible, request.selection, bars.interval_ns)
        for rank, result in enumerate(chosen, start=1):
            found, equity = _test(request.search, config, bars, shelf, result, begin, end)
            tested.append(
                Tested(
                    split=split.name,
                    rank=rank,
                    config_id=result.config_id,
                    params=result.params,
                    train=_train_figures(result, config.initial_cash, bars.interval_ns),
                    test=found,
                )
            )
            if rank == 1:
                times.append(bars.ts_ns[begin:end])
                curves.append(level * equity / config.initial_cash)
                level = float(curves[-1][-1])
        splits.append(_describe(split, bars, train, begin, end, len(results), len(eligible), len(chosen)))
        if on_progress is not None:
            on_progress(number + 1, len(request.splits))
    return Walked(
        tuple(splits),
        tuple(tested),
        np.concatenate(times) if times else np.zeros(0, np.int64),
        np.concatenate(curves) if curves else np.zeros(0),
    )


def select(results: Sequence[Result], selection: Selection, interval_ns: int) -> list[Result]:
    """Return the `top_k` by the sort key; those without a value are left out, ties go by config_id."""
    values = {each.number: _value(each, selection.sort_by, interval_ns) for each in results}
    known = [each for each in results if values[each.number] is not None]
    sign = 1.0 if selection.ascending else -1.0
    known.sort(key=lambda each: (sign * float(values[each.number] or 0.0), each.config_id))
    return known[: selection.top_k]


def _search(
    search: SweepRequest, config: RunConfig, bars: BarColumns, shelf: Shelf, workers: int
) -> list[Result]:
    beside = shelf.over(bars)
    field = Field(search.base, _beside(config, beside), bars, beside)
    found: dict[int, Result] = {}
    while todo := next_trials(search, found, bars.interval_ns):
        found |= {each.number: each for each in field.results(todo, workers)}
    return [found[number] for number in sorted(found)]


def _test(
    search: SweepRequest, config: RunConfig, bars: BarColumns, shelf: Shelf, result: Result, begin: int,
    end: int,
) -> tuple[dict[str, Scalar], NDArray[np.float64]]:  # fmt: skip
    """Run a chosen configuration on its test window: figures and equity (test bars,)."""
    choice = choose(search.base.strategy, search.base.preset, {**search.base.params, **result.params})
    before, after = cut(bars, max(0, begin - WARM_BARS), begin), cut(bars, begin, end)
    beside = shelf.over(cut(bars, max(0, begin - WARM_BARS), end))
    kernel = kernel_of(_beside(_with(config, choice), beside), choice, "walk", beside)
    kernel.warm(0, *_columns(before))
    kernel.replay(0, *_columns(after))
    if config.switches.get("close_at_end"):
        kernel.finish(0)
    equity = kernel.equity_curve()[len(before) :]
    trades = kernel.trades()
    trades["entry_bar"] -= len(before)
    trades["exit_bar"] -= len(before)
    context = Context(
        ts_ns=after.ts_ns,
        high=after.high,
        low=after.low,
        slippage_bps=fixed_slippage_bps(config),
        symbols=(config.ticker,),
    )
    funding_usd = None if beside.funding is None else 0.0 - kernel.funding_received()
    values = compute_metrics(
        equity,
        config.initial_cash,
        trades,
        bars.interval_ns,
        kernel.fees_paid(),
        context,
        funding_usd=funding_usd,
    ).values
    return {name: values[name] for name in (*MEASURED, "total_pnl", "sharpe_daily")}, equity


def _is_eligible(result: Result, constraints: Constraints) -> bool:
    return (
        not result.is_rejected
        and result.trades >= constraints.min_trade_trades
        and result.max_drawdown <= constraints.max_drawdown
    )


def _value(result: Result, name: str, interval_ns: int) -> float | None:
    if name == "sharpe_simple":
        return sharpe_simple(result, interval_ns)
    if name == "win_rate":
        return result.wins / result.trades if result.trades else None
    found: float | None = getattr(result, name)
    return found


def _train_figures(result: Result, cash: float, interval_ns: int) -> dict[str, Scalar]:
    return {
        "total_return": result.total_pnl / cash,
        "sharpe_simple": sharpe_simple(result, interval_ns),
        "max_drawdown": result.max_drawdown,
        "trades": result.trades,
        "win_rate": _value(result, "win_rate", interval_ns),
        "profit_factor": result.profit_factor,
    }


def _describe(
    split: Split, bars: BarColumns, train: tuple[int, int], begin: int, end: int, trials: int, eligible: int,
    selected: int,
) -> SplitMetrics:  # fmt: skip
    return SplitMetrics(
        name=split.name,
        train_start=iso_z(int(bars.ts_ns[train[0]])),
        train_end=iso_z(int(bars.ts_ns[train[1] - 1])),
        train_bars=train[1] - train[0],
        embargo_bars=begin - train[1],
        test_start=iso_z(int(bars.ts_ns[begin])),
        test_end=iso_z(int(bars.ts_ns[end - 1])),
        test_bars=end - begin,
        trials=trials,
        eligible=eligible,
        selected=selected,
    )


def _first(search: SweepRequest) -> Trial:
    """Return the first proposal that makes sense. Raises the first one's `RunFailed` if none does."""
    problem: RunFailed | None = None
    for trial in next_trials(search, {}, 1):
        try:
            choose(search.base.strategy, search.base.preset, {**search.base.params, **trial.params})
            return trial
        except RunFailed as error:
            problem = problem or error
    raise problem or _bad("nothing to try")


def _with(config: RunConfig, choice: Choice) -> RunConfig:
    return msgspec.structs.replace(config, params=choice.params)  # type: ignore[type-var]


def _beside(config: RunConfig, beside: Beside) -> RunConfig:
    """Return a window's configuration: it pays the window's funding."""
    sha256 = "" if beside.funding is None else beside.funding.content_sha256
    return msgspec.structs.replace(config, funding_sha256=sha256)  # type: ignore[type-var]


def _columns(bars: BarColumns) -> tuple[NDArray[Any], ...]:
    return (bars.ts_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)


def _bad(message: str) -> RunFailed:
    return RunFailed("invalid_request", message)
