"""What a session leaves: its folder, its row in the database, its trades and figures; its shared state."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import NamedTuple, TypedDict

import msgspec

from engine.api.commands import PaperStart
from engine.api.lane_views import page_path
from engine.api.shadow import SHADOW_FILE
from engine.core import Core
from engine.research.identity import python_facts
from engine.research.schemas import json_bytes
from engine.research.session_health import refresh_sessions_index
from engine.research.session_records import SessionMetadata
from engine.research.sessions import ENDINGS, SessionFolder
from engine.store.rows import SessionRecord
from engine.trading.inputs import JOURNAL, JournalledKernel
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from safety.interlock import HoldLevel
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
        environment=plan.environment,
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


class Ending(NamedTuple):
    """How a session ended: a reason of `ENDINGS`, what was said, and what its kernel decided in all."""

    reason: str
    message: str
    error_type: str
    decision_sha256: str


def put_artifacts(session: PaperSession, folder: SessionFolder) -> None:
    """Put the kernel's journal and the shadow's last word into the folder. Raises what the disk refuses."""
    if isinstance(session.kernel, JournalledKernel):
        folder.put_artifact(JOURNAL, session.kernel.journal())
    if session.shadow is not None:
        session.shadow.catch_up()
        folder.put_artifact(SHADOW_FILE, json_bytes(session.shadow.view(session.plan.session_id)))


def why_no_trades(core: Core, session: PaperSession) -> str:
    """Say of a session that filled nothing what stood in its way; "" for one that traded.

    Its status is how it ended, not what it showed: nobody shall take an empty session for a good one.
    """
    counts = session.counts
    if counts.fills:
        return ""
    if counts.denied:
        rows = core.store.risk.judgements(session.plan.session_id)
        (code, _), *_ = Counter(reason for row in rows for reason in row.reasons).most_common(1) or [("?", 0)]
        return f"no trades: {counts.denied} of {counts.decisions} decisions were refused, most by {code}"
    if counts.decisions:
        return f"no trades: {counts.decisions} decisions, and no order of theirs was filled"
    held = [hold.code for hold in core.interlock.holds if hold.level >= HoldLevel.CLOSE_ONLY]
    why = f", entries held by {', '.join(dict.fromkeys(held))}" if held else ""
    return f"no trades: nothing was decided in {counts.bars} bars{why}"


def complete(core: Core, session: PaperSession, folder: SessionFolder, ending: Ending) -> None:
    """Complete a session's folder and its row in the database. Raises what disk and store refuse."""
    session_id, progress = session.plan.session_id, progress_of(session)
    folder.update(**progress)
    folder.finish(
        ending.reason,
        metrics=metrics_of(session),
        decision_sha256=ending.decision_sha256,
        message=ending.message,
        error_type=ending.error_type or None,
    )
    core.store.sessions.progress(session_id, **progress)
    core.store.sessions.finish(
        session_id,
        status=ENDINGS[ending.reason],
        status_reason=ending.reason,
        finished_ns=core.clock.now_ns(),
        message=ending.message,
        decision_sha256=ending.decision_sha256,
    )
    refresh_sessions_index(core.paths.sessions, core.disk, core.clock)
