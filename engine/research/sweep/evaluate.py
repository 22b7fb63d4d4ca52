"""Trials to results on this host: flip lanes where they apply, else kernels, compiled ones side by side.

A strategy inside the forge's subset is compiled once and runs in threads; one outside it is interpreted, in
processes. All ways give the same bits.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from engine.bus import follow_parent
from engine.research.choice import Choice, RunFailed, choose
from engine.research.kernels import NOTHING, Beside, kernel_of
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from engine.research.sweep.threads import SIDE_BY_SIDE, in_threads, run_flips, slices_of
from engine.research.sweep.trials import Result, Trial, config_id, result_of
from engine.strategies import StrategyError, load_strategy
from native.cells import replay_cells
from native.kernel import Kernel
from native.strategy import Strategy, StrategyFailed
from native.sweep import FlipMarket, is_plain, replay_cell

if TYPE_CHECKING:
    from engine.lifecycle.forge.load import Library
    from engine.market.catalogue import BarColumns


FLIP = "ema_cross"
PLACE = re.compile(r"[^/:]+\.py:\d+")
LANE_CHUNK, INTERPRETED = 1024, 8
"""How many trials come back at once, at most: of the flip lanes, and of each worker that interprets."""
LANE_BARS = 150_000_000
"""Bars that a worker's lanes step before results come back: some 0.3 s, so that progress shows."""
COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")


class Field:
    """One window of bars under one account; what a trial needs besides its parameters."""

    def __init__(
        self, request: RunRequest, config: RunConfig, bars: BarColumns, beside: Beside = NOTHING
    ) -> None:
        self.request, self.config, self.bars, self.beside = request, config, bars, beside
        self.columns = tuple(getattr(bars, name) for name in COLUMNS)
        self._closes = bool(config.switches.get("close_at_end"))
        self._lanes: FlipMarket | None = None
        self._has_lanes = not self._closes  # the lanes leave open what is open
        self._library: Library | None = None
        self._was_forged = False
        self._forging = threading.Lock()
        self._check_bars()

    @property
    def count(self) -> int:
        """How many bars there are."""
        return len(self.columns[0])

    def _check_bars(self) -> None:
        """Step over the bars once, so that later failures are the strategy's. Raises `RunFailed`."""
        config = msgspec.structs.replace(self.config, params={})  # type: ignore[type-var]
        try:
            kernel_of(config, choose("buy_and_hold", "", {}), "sweep", self.beside).replay(0, *self.columns)
        except ValueError as error:
            raise RunFailed("bad_bars", str(error)) from error

    def choose(self, trial: Trial) -> Choice:
        """Return the trial's strategy. Raises `RunFailed`: this combination makes no sense."""
        return choose(self.request.strategy, self.request.preset, {**self.request.params, **trial.params})

    def results(self, trials: Sequence[Trial], workers: int) -> list[Result]:
        """Return the trials' results in their order, the same for any number of threads."""
        made: dict[int, Result] = {}
        flips: list[tuple[Trial, Choice]] = []
        others: list[tuple[Trial, Choice]] = []
        for trial in trials:
            try:
                choice = self.choose(trial)
            except RunFailed as error:
                made[trial.number] = self._rejected(trial, error)
            else:
                (flips if self.is_flip(choice) else others).append((trial, choice))
        others += self._run_flips(flips, workers, made)
        compiled = [pair for pair in others if not self.is_interpreted(pair[1])]
        interpreted = [pair for pair in others if self.is_interpreted(pair[1])]
        parts = in_threads(self._side_by_side, slices_of(compiled, workers), workers)
        parts.append(in_threads(lambda pair: self._single(*pair), interpreted, workers))
        for result in chain.from_iterable(parts):
            made[result.number] = result
        return [made[trial.number] for trial in trials]

    def is_flip(self, choice: Choice) -> bool:
        """Tell whether the flip lanes can run this strategy on these bars."""
        if choice.strategy != FLIP or choice.params["bracket"] != 0.0:
            return False
        return self._prepared(choice) is not None

    def _prepared(self, choice: Choice) -> FlipMarket | None:
        """Prepare the bars for the lanes once; None where the lanes do not know this account."""
        if self._lanes is None and self._has_lanes:
            account = kernel_of(self._with(choice), choice, "sweep", self.beside).config
            try:
                if is_plain(account):
                    self._lanes = FlipMarket(account, self.config.lot, self.config.tick, *self.columns)
            except ValueError:
                pass  # a close that cannot size an entry: the general path blocks that entry
            self._has_lanes = self._lanes is not None
        return self._lanes

    def _with(self, choice: Choice) -> RunConfig:
        return msgspec.structs.replace(self.config, params=choice.params)  # type: ignore[type-var]

    def _run_flips(
        self, flips: list[tuple[Trial, Choice]], workers: int, made: dict[int, Result]
    ) -> list[tuple[Trial, Choice]]:
        """Fill `made` from the lanes; return what they could not hold."""
        left: list[tuple[Trial, Choice]] = []
        if not flips:
            return left
        assert self._lanes is not None
        pairs = [(int(choice.params["fast"]), int(choice.params["slow"])) for _, choice in flips]
        for (trial, choice), cell in zip(flips, run_flips(self._lanes, pairs, workers), strict=True):
            if cell["is_inexact"]:
                left.append((trial, choice))
            else:
                made[trial.number] = self._result(trial, choice, cell, float(cell["final_equity"]))
        return left

    def _side_by_side(self, pairs: list[tuple[Trial, Choice]]) -> list[Result]:
        """Replay compiled combinations together; what its strategy raises rejects a combination."""
        made: list[Result] = []
        ready: list[tuple[Trial, Choice, Kernel]] = []
        for trial, choice in pairs:
            try:
                ready.append((trial, choice, self._kernel(choice)))
            except RunFailed as error:
                made.append(self._rejected(trial, error))
        kernels = [kernel for _, _, kernel in ready]
        cells, failures = replay_cells(kernels, *self.columns, closes=self._closes)
        for (trial, choice, _), cell, failure in zip(ready, cells, failures, strict=True):
            made.append(self._failed(trial, failure) if failure else self._cell_result(trial, choice, cell))
        return made

    def _single(self, trial: Trial, choice: Choice) -> Result:
        """Replay one combination that is interpreted; what its strategy raises rejects it."""
        try:
            cell = replay_cell(self._kernel(choice), *self.columns, closes=self._closes)
        except RunFailed as error:
            return self._rejected(trial, error)
        except StrategyFailed as error:
            return self._failed(trial, error)
        return self._cell_result(trial, choice, cell)

    def _cell_result(self, trial: Trial, choice: Choice, cell: Any) -> Result:
        final_equity = float(cell["final_equity"])
        if cell["is_inexact"]:
            # Beyond fixed point: the plain replay keeps every trade and sums them exactly.
            whole = self._kernel(self.choose(trial))
            whole.replay(0, *self.columns)
            if self._closes:
                whole.finish(0)
            final_equity = whole.final_equity()
        return self._result(trial, choice, cell, final_equity)

    def plain(self, trial: Trial) -> tuple[Result, Kernel | None]:
        """Return what one plain kernel makes of a trial, with its records: no lanes, nothing forged.

        A combination that makes no sense gives a rejected result and no kernel.
        """
        try:
            kernel = kernel_of(self._with(choice := self.choose(trial)), choice, "replay", self.beside)
            kernel.replay(0, *self.columns)
            if self._closes:
                kernel.finish(0)
            choice = self.choose(trial)  # an interpreted strategy has a state: a second kernel needs its own
            fresh = kernel_of(self._with(choice), choice, "replay", self.beside)
            cell = replay_cell(fresh, *self.columns, closes=self._closes)
        except RunFailed as error:
            return self._rejected(trial, error), None
        except StrategyFailed as error:
            return self._failed(trial, error), None
        assert (int(cell["trades"]), float(cell["fees"])) == (len(kernel.trades()), kernel.fees_paid())
        return self._result(trial, choice, cell, kernel.final_equity()), kernel

    def _kernel(self, choice: Choice) -> Kernel:
        """Return a fresh kernel, of the forged strategy where there is one."""
        library = self._forge() if isinstance(choice.strategy, Strategy) else None
        if library is not None:
            forged = library.instance(choice.params)
            choice = dataclasses.replace(choice, strategy=forged)
        return kernel_of(self._with(choice), choice, "sweep", self.beside)

    def is_interpreted(self, choice: Choice) -> bool:
        """Tell whether the strategy needs the interpreter at every bar."""
        return isinstance(choice.strategy, Strategy) and self._forge() is None

    def _forge(self) -> Library | None:
        """Compile the strategy's file once; None where it is outside the subset or nothing compiles it."""
        with self._forging:
            if not self._was_forged:
                self._library, self._was_forged = forged_library(self.request), True
        return self._library

    def _result(self, trial: Trial, choice: Choice, cell: Any, final_equity: float) -> Result:
        identity = config_id(choice.name, choice.params)
        return result_of(trial, identity, cell, final_equity, self.config.initial_cash)

    def _failed(self, trial: Trial, error: StrategyFailed) -> Result:
        """Reject by file and line only: tables must not say where a trial ran, nor whether it was forged."""
        place = PLACE.search(str(error))
        return self._rejected(trial, RunFailed("strategy_failed", place[0] if place else ""))

    def _rejected(self, trial: Trial, error: RunFailed) -> Result:
        identity = config_id(self.config.strategy, {**self.config.params, **trial.params})
        reason = f"{error.code}: {error}"
        return Result(number=trial.number, params=trial.params, config_id=identity, reject_reason=reason)


class LocalExecutor:
    """Runs trials on this host's processors: threads, or processes for interpreted strategies."""

    def __init__(self, field: Field, workers: int) -> None:
        self._field, self._workers = field, workers
        self._pool: ProcessPoolExecutor | None = None

    def results(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        """Yield results a chunk at a time; the caller may stop between chunks."""
        if not trials:
            return
        is_interpreted, is_flip = self._kind(trials)
        turns = INTERPRETED if is_interpreted else SIDE_BY_SIDE
        workers = max(1, self._workers)
        chunk = workers * turns
        if is_flip:
            chunk = min(LANE_CHUNK, max(workers, workers * LANE_BARS // self._field.count))
        for first in range(0, len(trials), chunk):
            part = trials[first : first + chunk]
            if is_interpreted and self._workers > 1:
                yield self._in_processes(part)
            else:
                yield self._field.results(part, self._workers)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _kind(self, trials: Sequence[Trial]) -> tuple[bool, bool]:
        """Tell from the first combination that makes sense: is it interpreted, is it a flip?"""
        for trial in trials:
            try:
                choice = self._field.choose(trial)
            except RunFailed:
                continue
            return self._field.is_interpreted(choice), self._field.is_flip(choice)
        return False, False

    def _in_processes(self, trials: Sequence[Trial]) -> list[Result]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_enter,
                initargs=(self._field.request, self._field.config, self._field.bars, self._field.beside),
            )
        return list(self._pool.map(_one, trials))

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def forged_library(request: RunRequest) -> Library | None:
    """Forge the file of a request's strategy; None where there is none, or it is outside the subset."""
    # Here, not above: a sweep of compiled strategies must not pay for the forge.
    from engine.lifecycle.forge.build import BuildFailed, build, plan_source
    from engine.lifecycle.forge.load import load
    from engine.lifecycle.forge.scope import Refused

    try:
        loaded = load_strategy(request.strategy)
        if loaded.is_compiled or loaded.file is None:
            return None
        built = build(plan_source(loaded.file.read_bytes(), str(loaded.file), loaded.class_name))
        if built.record.source_sha256 != loaded.source_sha256:
            return None  # the file changed since it was loaded: what was asked for is what runs
        return load(built.record, built.artifact)
    except (StrategyError, Refused, BuildFailed, OSError):
        return None


_FIELDS: list[Field] = []


def _enter(request: RunRequest, config: RunConfig, bars: BarColumns, beside: Beside) -> None:
    """Prepare a worker process: it ends with its parent, and leaves Ctrl-C to it."""
    follow_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _FIELDS.append(Field(request, config, bars, beside))


def _one(trial: Trial) -> Result:
    return _FIELDS[0].results([trial], 1)[0]
