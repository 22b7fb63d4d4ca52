"""Parts of an engine that holds an account in custody, for tests: core, session, an order sent whole."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from engine.daemon import Seams, build_core
from engine.sim.world import ENVIRON
from engine.store.rows import SessionRecord
from engine.trading.custody import Custody
from engine.trading.rows import ticket_row
from engine.trading.working import ManagedOrder
from safety.approval import ApprovalRule
from safety.facts import Preflight
from safety.intent import ExecutionIntent, IntentCategory
from safety.killbyte import KillByte
from seams.clock import Clock
from seams.disk import Disk
from seams.rng import Rng
from venues.contract import VenueAdapter
from venues.types import OrderRequest

SESSION = "S-1"


def build_custody(clock: Clock, folder: Path, disk: Disk, venue: VenueAdapter) -> Custody:
    """Return the custody of account `a` by a new engine over this folder and disk."""
    seams = Seams(clock, None, Rng(1), disk, pid=1, commit="0" * 40)
    core = build_core(seams, folder, ENVIRON, KillByte.anonymous())
    custody = Custody(core, venue, "a")
    custody.load()
    return custody


def begin_session(custody: Custody, symbol: str) -> None:
    """Put a running session on record: orders belong to one."""
    custody.core.store.sessions.start(
        SessionRecord(
            session_id=SESSION,
            strategies=("ema_cross",),
            symbols=(symbol,),
            feed="exchange",
            is_supervised=False,
            epoch=1,
            folder=SESSION,
            config_fingerprint="c" * 64,
            run_fingerprint="r" * 64,
            started_ns=1,
        )
    )


async def send_whole(
    custody: Custody, request: OrderRequest, name: str, *, limit_price: Decimal, stop_loss: Decimal
) -> ManagedOrder:
    """Send one order the whole way: ticket, rule, record, gate, wire."""
    core = custody.core
    intent = ExecutionIntent(
        request_id=name,
        session_id=SESSION,
        strategy_id="ema_cross",
        decision_id=name,
        config_fingerprint=core.config_fingerprint,
        intent_category=IntentCategory.RISK_INCREASE,
        broker_target=custody.venue.name,
        account_id="a",
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        notional_usd=request.quantity * request.mark_price,
        limit_price=limit_price,
        stop_loss=stop_loss,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        mark_price=request.mark_price,
        mark_age_ms=0,
    )
    verdict = Preflight(allowed=True, reasons=(), checks=())
    ticket = core.tickets.propose(
        f"T-{name}", intent, verdict, epoch=core.epoch, moment=core.moment(), ttl_ns=10**12
    )
    ticket = core.tickets.approve_by_rule(
        ticket.id, ApprovalRule.SANDBOX, epoch=core.epoch, moment=core.moment()
    )
    core.store.tickets.save_ticket(ticket_row(ticket))
    return await custody.orders.send(ticket, request, 0)
