"""What a session did, as a file: wishes, tickets, orders and fills in the order of their time (QL-35)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
from sqlalchemy import select

from engine.research.exports import demand_new
from engine.store.reading import Reader, reading
from engine.store.rows import TicketRecord
from engine.store.tables import TICKETS
from seams.clock import iso_z
from seams.disk import Disk
from venues.types import Record

MAX_ORDERS = 1_000_000


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


class SessionAction(Record):
    """One thing that was done. `kind` is wish, ticket, order or fill; `parent` the id it follows from."""

    at_ns: int
    at: str
    kind: str
    id: str
    parent: str
    symbol: str
    strategy: str
    side: str
    quantity: str
    price: str
    status: str
    reason: str


_RANK = {"wish": 0, "ticket": 1, "order": 2, "fill": 3}


def session_actions(reader: Reader, session_id: str) -> tuple[SessionAction, ...]:
    """Return everything a session did, oldest first; of one instant the cause stands before its effect."""
    found = [*_wishes(reader, session_id), *_tickets(reader, session_id), *_orders(reader, session_id)]
    return tuple(sorted(found, key=lambda each: (each.at_ns, _RANK[each.kind], each.id)))


def export_actions(database: Path, session_id: str, target: Path, form: Format, disk: Disk) -> int:
    """Write a session's actions to a new file and return how many there are.

    Raises `StoreUnreadable` without a database, `LookupError` for a session that did nothing known,
    `ExportExists` or `FileNotFoundError` for the file, `OSError` from the disk.
    """
    demand_new([target], disk)
    with reading(database) as reader:
        actions = session_actions(reader, session_id)
    if not actions:
        raise LookupError(f"no action of a session {session_id[:80]!r} is on record")
    disk.write_atomic(target, encoded(actions, form), mode=0o644)
    return len(actions)


def encoded(actions: Sequence[SessionAction], form: Format) -> bytes:
    """Return actions as JSON lines, or as CSV with a header."""
    if form is Format.JSONL:
        return b"".join(msgspec.json.encode(action) + b"\n" for action in actions)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SessionAction.__annotations__)
    writer.writerows(msgspec.structs.astuple(action) for action in actions)  # type: ignore[arg-type]
    return text.getvalue().encode()


def _wishes(reader: Reader, session_id: str) -> Iterator[SessionAction]:
    for row in reader.decisions.decisions_of(session_id):
        side, _, quantity = row.action_taken.partition(" ")
        yield SessionAction(
            at_ns=row.at_ns,
            at=iso_z(row.at_ns),
            kind="wish",
            id=row.decision_id,
            parent="",
            symbol=row.symbol,
            strategy=row.strategy,
            side=side,
            quantity=quantity,
            price="",
            status=row.status,
            reason=row.rejection_reason or row.reason_code,
        )


def _tickets(reader: Reader, session_id: str) -> Iterator[SessionAction]:
    query = select(TICKETS).where(TICKETS.c.session_id == session_id)
    for row in reader.link.rows(query, TicketRecord):
        intent = msgspec.json.decode(row.payload)["intent"]
        yield SessionAction(
            at_ns=row.created_ns,
            at=iso_z(row.created_ns),
            kind="ticket",
            id=row.ticket_id,
            parent=intent["decision_id"],
            symbol=intent["symbol"],
            strategy=intent["strategy_id"],
            side=intent["side"],
            quantity=str(intent["quantity"]),
            price=str(intent["limit_price"]),
            status=row.state,
            reason=row.decided_by,
        )


def _orders(reader: Reader, session_id: str) -> Iterator[SessionAction]:
    strategies: dict[str, str] = {}
    for row in reader.orders.orders_of(session_id, MAX_ORDERS):
        strategies[row.client_order_id] = row.strategy
        yield SessionAction(
            at_ns=row.created_ns,
            at=iso_z(row.created_ns),
            kind="order",
            id=row.client_order_id,
            parent=row.ticket_id,
            symbol=row.symbol,
            strategy=row.strategy,
            side=row.side,
            quantity=f"{row.quantity:f}",
            price=f"{row.limit_price:f}",
            status=row.status,
            reason=row.reason,
        )
    for fill in reader.orders.fills_of_session(session_id):
        yield SessionAction(
            at_ns=fill.recorded_ns,
            at=iso_z(fill.recorded_ns),
            kind="fill",
            id=fill.fill_id,
            parent=fill.client_order_id,
            symbol=fill.symbol,
            strategy=strategies.get(fill.client_order_id, ""),
            side=fill.side,
            quantity=f"{fill.quantity:f}",
            price=f"{fill.price:f}",
            status="maker" if fill.is_maker else "taker",
            reason=f"fee {fill.fee:f}",
        )
