"""Planted bugs of tickets, preflight, limits and the risk memory."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.risk_memory import RiskMemory
from engine.trading import session as session_module
from engine.trading.session import PaperSession
from safety import approval
from safety.canonical import changed, digest
from safety.facts import Preflight
from tests.simulation.planted.plant import P0, Changes, Patch, Plant, never, nothing, set_, wrap
from venues.types import Side

Reasons = tuple[str, ...]


def request(**fields: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Alter the request that a ticket is turned into."""

    def make(old: Any) -> Any:
        def request_of(*args: Any) -> Any:
            request = old(*args)
            new = {name: change(getattr(request, name)) for name, change in fields.items()}
            return changed(request, **new)

        return request_of

    return make


def judged(forgive: Callable[[Reasons], Reasons]) -> Patch:
    """Let both judgements, of what is proposed and of what is sent, forgive some reasons."""

    def proposed(old: Any) -> Any:
        def preflight(*args: Any) -> Any:
            verdict: Preflight = old(*args)
            reasons = forgive(verdict.reasons)
            return changed(verdict, allowed=not reasons, reasons=reasons)

        return preflight

    def sent(old: Any) -> Any:
        return lambda *args: forgive(old(*args))

    def change(changes: Changes) -> None:
        changes.wrap(session_module, "preflight", proposed)
        changes.wrap(session_module, "refusals", sent)

    return change


def market_trusted(reasons: Reasons) -> Reasons:
    return tuple(each for each in reasons if not each.startswith(MARKET))


def other_facts(old: Any) -> Any:
    def rows(intent: Any, facts: Any, *rest: Any) -> Any:
        kept = changed(facts, kill_level=2)
        return old(intent, kept, *rest)

    return rows


def hash_of_id(ticket_id: str, version: int, *_: Any) -> str:
    return digest([ticket_id, version])


def limits_of_tomorrow(old: Any) -> Any:
    def propose(self: Any, *args: Any, **facts: Any) -> Any:
        return old(self, *args, **{**facts, "limits_epoch": facts["limits_epoch"] + 1})

    return propose


def forgetful_memory(old: Any) -> Any:
    def start(self: RiskMemory, rows: Any, clock: Any) -> None:
        old(self, rows, clock)
        self.peak_usd = self.day_start_usd = self.total_usd = Decimal(0)
        self.day_start_usd = Decimal(1)

    return start


def high_water_follows(old: Any) -> Any:
    def observe(self: RiskMemory, sessions: Any) -> None:
        old(self, sessions)
        self.peak_usd = self.total_usd

    return observe


def day_begins_now(old: Any) -> Any:
    def observe(self: RiskMemory, sessions: Any) -> None:
        old(self, sessions)
        self.day_start_usd = self.total_usd

    return observe


def clock_trusted(old: Any) -> Any:
    def facts(*args: Any) -> Any:
        return changed(old(*args), last_ns=1)

    return facts


MARKET = ("market_", "price_", "spread_", "notional_")


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("nobody_asks", "supervised entries wait for nobody", P0, set_(PaperSession, "_needs_operator", never)),
    Plant("hash_of_nothing", "an approval is bound to a number only", False, set_(approval, "ticket_hash", hash_of_id)),
    Plant("double_size", "an order is twice its ticket", P0, wrap(session_module, "request_of", request(quantity=lambda quantity: quantity * 2))),
    Plant("tenfold_size", "an order is ten times its ticket", P0, wrap(session_module, "request_of", request(quantity=lambda quantity: quantity * 10))),
    Plant("priced_in_cents", "an order carries a price a hundred times the market's", P0, wrap(session_module, "request_of", request(mark_price=lambda price: price * 100))),
    Plant("other_side", "an order is the opposite of its ticket", P0, wrap(session_module, "request_of", request(side=lambda side: Side.SELL if side is Side.BUY else Side.BUY))),
    Plant("reduce_only_dropped", "exits go out without reduce-only", P0, wrap(session_module, "request_of", request(reduce_only=lambda _: False))),
    Plant("limits_of_tomorrow", "tickets carry another limits epoch", False, wrap(approval.TicketBook, "propose", limits_of_tomorrow)),
    Plant("preflight_off", "every wish is allowed", P0, judged(lambda _: ())),
    Plant("preflight_forgives", "the first reason is dropped", P0, judged(lambda reasons: reasons[1:])),
    Plant("other_facts_recorded", "the journal holds other facts", False, wrap(session_module, "judgement_rows", other_facts)),
    Plant("risk_memory_lost", "a start forgets day and high water", P0, wrap(RiskMemory, "__init__", forgetful_memory)),
    Plant("high_water_follows", "the high-water mark falls with equity", P0, wrap(RiskMemory, "observe", high_water_follows)),
    Plant("day_begins_now", "the day begins at every event", P0, wrap(RiskMemory, "observe", day_begins_now)),
    Plant("sessions_counted_twice", "each session's result counts beside its account's", P0, set_(RiskMemory, "keep", nothing)),
    Plant("clock_trusted", "a clock behind the record is trusted", False, wrap(session_module, "account_facts", clock_trusted)),
    Plant("market_trusted", "prices are not judged", P0, judged(market_trusted)),
)
# fmt: on
