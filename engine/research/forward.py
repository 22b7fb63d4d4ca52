"""Forward sessions: a strategy that goes on over bars as they come in, resumed from the kernel's own state.

However often a session is resumed, its decisions are those of one run over the whole window (QL-15): the
kernel's exported state is all that is carried over, and what was seen before must not have changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.research import identity
from engine.research.artifacts import make_run_id, trades_csv
from engine.research.bars import load_bars
from engine.research.choice import Choice, RunFailed, choose, forged
from engine.research.forward_files import (
    EQUITY,
    MODE,
    TRADES,
    Forward,
    ForwardBook,
    ForwardState,
    Holding,
    equity_csv,
)
from engine.research.funding import funding_of
from engine.research.kernels import Beside, kernel_of
from engine.research.metrics import Context, compute_metrics
from engine.research.request import RunRequest
from engine.research.run import CHUNK_BARS, RunCancelled, resolved_config
from engine.research.schemas import RunConfig
from engine.research.switching import resolved_switches
from native.kernel import Kernel
from seams.clock import Clock, iso_z
from seams.disk import Disk

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.market.funding import FundingWindow

Progress = Callable[[int, int], None]
COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")


Advanced = tuple[ForwardState, dict[str, bytes]]
"""A state, and the tables beside it."""


def start_forward(
    request: RunRequest,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    source_run: str = "",
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> ForwardState:
    """Start a session over the bars that are there and write its folder; see `advance`."""
    book = ForwardBook(home, disk)
    choice = choice_of(request, home, disk)
    bars, symbol, interval = load_bars(request, home, disk)
    beside = Beside(funding=_unending(request, choice, bars, home, disk))
    config = resolved_config(request, choice, bars, symbol, interval, beside)
    now_ns = clock.now_ns()
    with book.writing():
        session = Forward(
            session_id=make_run_id(now_ns, MODE, config, book.root),
            created_at=iso_z(now_ns),
            source_run=source_run,
            source_sha256=choice.source_sha256,
            request=request,
        )
        made = advance(session, None, home, disk, on_progress=on_progress, is_cancelled=is_cancelled)
        assert made is not None, "a session that is new has new bars"
        book.write(session, *made)
    return made[0]


def resume_forward(
    session_id: str,
    home: Path,
    disk: Disk,
    *,
    rebuilds: bool = False,
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> tuple[ForwardState, int]:
    """Go on with a session; return its state and how many bars were new. Without any, nothing is written."""
    book = ForwardBook(home, disk)
    with book.writing():
        session, old = book.read(session_id)
        made = advance(
            session, old, home, disk, rebuilds=rebuilds, on_progress=on_progress, is_cancelled=is_cancelled
        )
        if made is None:
            return old, 0
        book.write(session, *made)
    return made[0], made[0].bars - old.bars


def choice_of(request: RunRequest, home: Path, disk: Disk) -> Choice:
    """Return what the session's request runs. Raises `RunFailed`."""
    choice = choose(request.strategy, request.preset, request.params)
    return forged(choice, home, disk) if request.is_forged else choice


def advance(
    session: Forward,
    old: ForwardState | None,
    home: Path,
    disk: Disk,
    *,
    rebuilds: bool = False,
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Advanced | None:
    """Step a session over the bars that are new; None where there are none.

    `rebuilds` replays from the beginning, for another build of the kernel: the decisions must be those of
    before. Raises `RunFailed` (not_reproducible: bars, payments, strategy, kernel or decisions changed),
    `RunCancelled`, or what the stores raise; then nothing has changed.
    """
    choice = choice_of(session.request, home, disk)
    if choice.source_sha256 != session.source_sha256:
        raise _changed("the strategy's source is another", "start a session of its own for it")
    bars, symbol, interval = load_bars(session.request, home, disk)
    if old is not None:
        _demand_same_past(old, bars, rebuilds)
        if len(bars) == old.bars and not rebuilds:
            return None
    funding = _unending(session.request, choice, bars, home, disk)
    if old is not None and _funding_sha256(funding, old.last_ns) != old.funding_sha256:
        raise _changed("funding payments that it has booked changed", "restore the series")
    beside = Beside(funding=funding)
    config = resolved_config(session.request, choice, bars, symbol, interval, beside)
    kernel = kernel_of(config, choice, session.session_id, beside)
    done = 0
    if old is not None and not rebuilds:
        _restore(kernel, old)
        done = old.bars
    elif old is not None:
        _replay(kernel, bars, 0, old.bars, on_progress, is_cancelled)
        if kernel.decision_hash() != old.decision_sha256:
            raise _changed("this build decides otherwise on bars it has seen", "start a new session")
        done = old.bars
    _replay(kernel, bars, done, len(bars), on_progress, is_cancelled)
    return _state(session, config, kernel, bars, funding)


def _demand_same_past(old: ForwardState, bars: BarColumns, rebuilds: bool) -> None:
    if len(bars) < old.bars or _bars_sha256(bars, old.bars) != old.bars_sha256:
        raise _changed("bars that it has seen changed", "restore the data, or start a new session")
    if old.kernel_sha256 != identity.kernel_sha256() and not rebuilds:
        raise _changed("the kernel is another build", "resume with --rebuild: it compares the decisions")


def _restore(kernel: Kernel, old: ForwardState) -> None:
    try:
        kernel.import_state(old.kernel_state)
    except ValueError as error:
        raise _changed(str(error), "resume with --rebuild") from error
    assert kernel.state_hash() == old.state_sha256, "a state goes in as it came out"


def _unending(
    request: RunRequest, choice: Choice, bars: BarColumns, home: Path, disk: Disk
) -> FundingWindow | None:
    """Return a session's payments. Raises `RunFailed` too for switches that need to know where it ends."""
    foreign = sorted({"close_at_end", "sub_data"} & set(resolved_switches(request, choice.switches)))
    foreign += ["init_state"] if request.init_state else []
    if foreign:
        raise RunFailed("invalid_request", f"a session that goes on cannot assume {', '.join(foreign)}")
    return funding_of(request, bars, home, disk)


def _replay(
    kernel: Kernel,
    bars: BarColumns,
    first: int,
    end: int,
    on_progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
) -> None:
    for begin in range(first, end, CHUNK_BARS):
        if is_cancelled is not None and is_cancelled():
            raise RunCancelled(kernel.run_id)
        part = slice(begin, min(begin + CHUNK_BARS, end))
        try:
            kernel.replay(0, *(getattr(bars, name)[part] for name in COLUMNS))
        except ValueError as error:
            raise RunFailed("bad_bars", str(error)) from error
        if on_progress is not None:
            on_progress(part.stop, end)


def _state(
    session: Forward, config: RunConfig, kernel: Kernel, bars: BarColumns, funding: FundingWindow | None
) -> Advanced:
    trades, equity, held = kernel.trades(), kernel.equity_curve(), kernel.position(0)
    paid = None if funding is None else 0.0 - kernel.funding_received()
    context = Context(
        ts_ns=bars.ts_ns,
        high=bars.high,
        low=bars.low,
        slippage_bps=config.slippage_bps,
        symbols=(config.ticker,),
        trials=session.request.trials,
    )
    found = compute_metrics(
        equity,
        config.initial_cash,
        trades,
        bars.interval_ns,
        kernel.fees_paid(),
        context,
        paid,
        (held,) if held.side else (),
    )
    tables = {
        TRADES: trades_csv(trades),
        EQUITY: equity_csv(bars.ts_ns, equity, config.initial_cash),
    }
    exported = kernel.export_state()
    state = ForwardState(
        session_id=session.session_id,
        strategy=config.strategy,
        params=config.params,
        ticker=config.ticker,
        interval=config.interval,
        interval_ns=bars.interval_ns,
        data=config.data,
        bars=len(bars),
        start=config.start,
        last_bar=iso_z(int(bars.ts_ns[-1])),
        last_ns=int(bars.ts_ns[-1]),
        initial_cash=config.initial_cash,
        equity_usd=kernel.final_equity(),
        fees_usd=kernel.fees_paid(),
        funding_usd=paid,
        position=Holding(
            side=held.side,
            quantity=held.units * 1e-6,
            entry_price=held.entry_price,
            unrealised_usd=held.unrealised_usd,
            stop_price=held.stop_price,
            target_price=held.target_price,
        ),
        trades=len(trades),
        wins=kernel.wins(),
        metrics=found.values,
        null_reasons=found.null_reasons,
        decision_sha256=kernel.decision_hash(),
        trades_sha256=kernel.trades_sha256(),
        bars_sha256=_bars_sha256(bars, len(bars)),
        funding_sha256=_funding_sha256(funding, int(bars.ts_ns[-1])),
        kernel_sha256=identity.kernel_sha256(),
        files={name: hashlib.sha256(data).hexdigest() for name, data in tables.items()},
        state_sha256=hashlib.sha256(exported).hexdigest(),
        kernel_state=exported,
    )
    return state, tables


def _bars_sha256(bars: BarColumns, count: int) -> str:
    """Return the sha256 over the first bars' columns, little-endian."""
    digest = hashlib.sha256()
    for name in COLUMNS:
        digest.update(np.ascontiguousarray(getattr(bars, name)[:count]).tobytes())
    return digest.hexdigest()


def _funding_sha256(funding: FundingWindow | None, until_ns: int) -> str:
    """Return the sha256 over the payments that the kernel has booked; empty without funding."""
    if funding is None:
        return ""
    return hashlib.sha256(funding.payments[funding.payments["ts_ns"] <= until_ns].tobytes()).hexdigest()


def _changed(what: str, correction: str) -> RunFailed:
    return RunFailed("not_reproducible", f"{what}; {correction}")
