"""The record of a dry-run engine: one `broker_dry_run.json` for every order that would have been sent."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.core import Core
from engine.judging import policy_by_hand
from engine.trading.custody import Custody
from engine.trading.dry_run import BROKER_FILE, DryRun
from safety.facts import Preflight
from safety.ticket import Ticket
from seams.clock import iso_z
from venues.dry import DryVenue, Would
from venues.evidence import WouldState


class WouldBook:
    """Keeps what the orders of one account would have been."""

    def __init__(self, core: Core, custody: Custody, venue: DryVenue) -> None:
        self._core, self._custody = core, custody
        venue.keep = self.keep

    def keep(self, would: Would) -> None:
        """Write the artifact of one order, durable when this returns. Raises `OSError`."""
        core, order = self._core, self._custody.orders.known(would.request.client_order_id)
        assert order is not None, "an order is on record before anything is asked about it"
        ticket = core.tickets.get(order.ticket_id)
        folder = core.paths.dry_runs / order.order_id
        core.disk.make_folder(folder)
        made = self._artifact(would, ticket, folder)
        core.disk.write_atomic(folder / BROKER_FILE, msgspec.json.format(msgspec.json.encode(made), indent=2))
        request = would.request
        said = f"{would.state.upper()} {request.side} {request.quantity:f} {request.symbol}: {would.said}"
        core.note("would", self._custody.venue.name, said, order_id=order.order_id, code=would.code)

    def _artifact(self, would: Would, ticket: Ticket, folder: Path) -> DryRun:
        core, is_would = self._core, would.state is WouldState.WOULD
        intent = ticket.intent
        return DryRun(
            artifact_type=f"interlock.{self._custody.venue.name}.dry_run_audit",
            schema_version="1.1",
            adapter_name=self._custody.venue.name,
            generated_at=iso_z(core.clock.now_ns()),
            guardrail=None,
            preflight=Preflight(allowed=ticket.allowed, reasons=(), checks=ticket.checks),
            intent=intent,
            policy=policy_by_hand(core, intent),
            payload=would.request if is_would else None,
            path=str(folder / BROKER_FILE),
            mode=core.mode.value,
            environment=core.environment.value,
            account_id=self._custody.account,
            session_id=intent.session_id,
            state=would.state.value,
            reasons=() if is_would else (would.code,),
            said=would.said,
            way=would.way,
            nonce=would.nonce,
            valid_until_ns=would.valid_until_ns,
            venue_fields=would.fields,
            payload_sha256=would.payload_sha256,
        )
