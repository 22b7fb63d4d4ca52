"""After a start: what a dead engine left behind is ended, with its reason on the record."""

from __future__ import annotations

import msgspec

from engine.api.lane_views import page_path
from engine.core import Core
from engine.research.session_health import refresh_sessions_index
from engine.research.sessions import mark_all_interrupted
from engine.store.rows import OrderEventRecord
from venues.sandbox.scenarios import VENUE_NAME
from venues.types import OrderStatus


def recover(core: Core) -> list[str]:
    """End orders, tickets and sessions of a dead engine; return the interrupted sessions' ids.

    A paper venue lives inside its engine, so what it had not filled (and we have not recorded) never
    will be: that is its proof (`docs/decisions/008-paper-venue-ends-with-its-engine.md`).
    """
    now_ns = core.clock.now_ns()
    for order in core.store.orders.orders_open():
        if order.venue != VENUE_NAME:
            continue  # its venue outlives us: custody asks it
        event = OrderEventRecord(
            client_order_id=order.client_order_id,
            kind=OrderStatus.CANCELLED,
            payload='{"why":"paper_venue_ended"}',
            at_ns=now_ns,
            recorded_ns=now_ns,
        )
        ended = msgspec.structs.replace(  # type: ignore[type-var]
            order,
            status=OrderStatus.CANCELLED,
            pending="none",
            reason="paper_venue_ended",
            done_ns=now_ns,
        )
        core.store.orders.record_order_event(event, ended)
    for ticket in core.store.tickets.tickets_undecided():
        closed = msgspec.structs.replace(  # type: ignore[type-var]
            ticket, state="rejected", decided_ns=now_ns, decided_by="engine restart"
        )
        core.store.tickets.save_ticket(closed)
    lost = [row.session_id for row in core.store.sessions.sessions_running()]
    mark_all_interrupted(core.paths.sessions, core.disk, core.clock, core.pid)
    for session_id in lost:
        message = "the engine ended while the session was running"
        core.store.sessions.finish(
            session_id, status="failed", status_reason="exception", finished_ns=now_ns, message=message
        )
        page = page_path(core.paths.run, session_id)
        if core.disk.exists(page):
            core.disk.remove(page)
        core.note("session_interrupted", "eng", session_id)
        core.alarm("session_failed", session_id, "eng", message)
    if lost:
        refresh_sessions_index(core.paths.sessions, core.disk, core.clock)
    return lost
