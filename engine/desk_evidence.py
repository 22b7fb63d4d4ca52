"""What a session leaves: its folder, its row in the database, its trades and figures; its shared state."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

import msgspec

from engine.api.commands import PaperStart
from engine.api.lane_views import page_path
from engine.core import Core
from engine.research.identity import python_facts
from engine.research.session_records import SessionMetadata
from engine.research.sessions import SessionFolder
from engine.store.rows import SessionRecord
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from seams.clock import iso_z
from seams.disk import RealDisk
from venues.types import Fill


def session_folder(
    core: Core, session: PaperSession, start: PaperStart, operator: str, request_id: str, now_ns: int
) -> SessionFolder:
    """Begin a session's folder with what it was asked for and what it runs on. Raises `OSError`."""
    plan = session.plan
    _, version = python_facts()
    metadata = SessionMetadata(
        session_id=plan.session_id,
        mode="paper",
        command="paper start",
        request_id=request_id,
        started_at=iso_z(now_ns),
        operator=operator,
        strategies=tuple(dict.fromkeys(strategy for _, strategy in plan.lanes)),
        symbols=tuple(symbol for symbol, _ in plan.lanes),
        feed=plan.feed_name,
        scenario=start.scenario,
        seed=start.seed,
        is_supervised=start.is_supervised,
        pid=core.pid,
        git_commit=core.commit,
        python_version=version,
        kernel_sha256=core.kernel_sha256,
        config_sha256=core.config_fingerprint,
        config_ids=plan.config_ids,
    )
    config = msgspec.to_builtins({"request": start, "settings": core.settings.model_dump(mode="json")})
    return SessionFolder(core.paths.sessions, metadata, config, core.disk, core.clock)


def session_record(core: Core, session: PaperSession, folder: SessionFolder, now_ns: int) -> SessionRecord:
    """Return a starting session's row for the database."""
    plan = session.plan
    return SessionRecord(
        session_id=plan.session_id,
        strategies=tuple(strategy for _, strategy in plan.lanes),
        symbols=tuple(symbol for symbol, _ in plan.lanes),
        feed=plan.feed_name,
        is_supervised=plan.is_supervised,
        epoch=core.epoch,
        folder=str(folder.folder),
        config_fingerprint=core.config_fingerprint,
        run_fingerprint=plan.run_fingerprint,
        started_ns=now_ns,
    )


def share_board(core: Core, session: PaperSession) -> None:
    """Show the session's lanes to other processes; where that fails only the watchers go without."""
    if not isinstance(core.disk, RealDisk):
        return
    try:
        session.board.share(page_path(core.paths.run, session.plan.session_id))
    except OSError as error:
        core.note("state_not_shared", "eng", f"{session.plan.session_id}: {type(error).__name__}: {error}")


def add_trade(session: PaperSession, folder: SessionFolder, order: ManagedOrder, fill: Fill) -> None:
    """Add a fill to the folder's trades, with what it cost against the mark."""
    held = session.ledger.holding(fill.symbol)
    folder.add_trade(
        at_ns=session.market_ns or fill.at_ns,
        side=fill.side,
        close=order.request.mark_price,
        exec_price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee,
        equity_after=session.ledger.equity_usd,
        slippage=(fill.price - held.mark_price) * fill.side.sign,
        reason=order.strategy,
    )


def tell_observers(core: Core, order: ManagedOrder, fill: Fill) -> None:
    """Let observers hear of a fill; one that fails is told once a fill and changes nothing."""
    for name in core.hooks.observed(order.intent_id, fill):
        core.events.add("observer_failed", "eng", f"{name} failed on {fill.fill_id}")


class Progress(TypedDict):
    """How far a session is: what its folder and its row in the database show."""

    bars: int
    decisions: int
    orders: int
    fills: int
    equity_usd: Decimal


def progress_of(session: PaperSession) -> Progress:
    """Return how far a session is."""
    counts = session.counts
    return {
        "bars": counts.bars,
        "decisions": counts.decisions,
        "orders": counts.orders,
        "fills": counts.fills,
        "equity_usd": session.ledger.equity_usd,
    }


def metrics_of(session: PaperSession) -> dict[str, float | int | str | None]:
    """Return a session's figures at its end."""
    counts, ledger = session.counts, session.ledger
    return {
        "bars": counts.bars,
        "decisions": counts.decisions,
        "tickets": counts.tickets,
        "approvals": counts.approvals,
        "denied": counts.denied,
        "orders": counts.orders,
        "fills": counts.fills,
        "final_equity": session.kernel.final_equity(),
        "ledger_equity_usd": float(ledger.equity_usd),
        "max_drawdown_now": ledger.drawdown,
        "trades": len(session.kernel.trades()),
        "errors": len(counts.errors),
    }
