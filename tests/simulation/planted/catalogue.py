"""The catalogue: each row breaks one promise of the order path, the account, the switch or the record."""

from __future__ import annotations

from engine import views
from engine.handlers import Handlers
from engine.risk_memory import RiskMemory
from engine.store.facts import FactRows
from engine.store.orders import OrderRows
from engine.trading import custody as custody_module
from engine.trading import orders as orders_module
from engine.trading import session as session_module
from engine.trading import settle as settle_module
from engine.trading.custody import Custody
from engine.trading.ledger import Ledger
from engine.trading.machine import Evidence as E
from engine.trading.nonces import Nonces
from engine.trading.orders import OrderManager
from engine.trading.session import PaperSession
from safety import approval, killswitch
from safety.audit import AuditLog
from safety.canonical import changed
from safety.interlock import Interlock
from safety.killswitch import KillSwitch
from tests.simulation.planted.mutations import (
    accepts_garbage,
    adopted_twice,
    adopts_nothing,
    after_load,
    allowed,
    always_clean,
    at_the_end,
    audit_forks,
    audit_skips,
    booked_again,
    bought_not_sold,
    cleared,
    clock_only,
    day_begins_now,
    dead_at_once,
    deaf_to_holes,
    ended_by_asking,
    fence_dead,
    forgetful_memory,
    forgets_at_start,
    half_filled,
    hash_of_id,
    heals,
    high_water_follows,
    level_of_record,
    limits_of_tomorrow,
    lost_is_done,
    lost_is_refused,
    lost_is_unsent,
    lost_parts,
    no_answers,
    not_kept,
    nothing,
    nothing_async,
    one_reason_less,
    other_facts,
    recorded,
    request,
    row,
    same_epoch,
    says_secret,
    set_,
    signed_anew,
    some_lost,
    still_submitting,
    takes_all,
    twin,
    unheld,
    used_is_refused,
    without,
    without_fee,
    wrap,
)
from tests.simulation.planted.plant import Plant
from venues.sandbox.link import ExchangeLink
from venues.types import OrderStatus as S
from venues.types import Side

_NEVER = lambda *_: False  # noqa: E731
_ALWAYS = lambda *_, **__: True  # noqa: E731
P0 = True
# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("duplicate_order", "a second order goes out beside each", P0, wrap(ExchangeLink, "submit", twin)),
    Plant("signed_anew", "what is sent is not what was recorded", P0, wrap(ExchangeLink, "submit", signed_anew)),
    Plant("gate_open", "the last gate lets everything through", P0, set_(OrderManager, "_gate_is_open", _ALWAYS)),
    Plant("gate_ignores_holds", "holds do not stop an order", P0, set_(orders_module, "permits", _ALWAYS)),
    Plant("byte_ignored", "the shared kill byte is not read", P0, set_(KillSwitch, "level", property(level_of_record))),
    Plant("all_are_flatten", "every order counts as the operator's flatten", P0, wrap(OrderManager, "_record", recorded(is_flatten=lambda *_: True))),
    Plant("unknown_dies_unproved", "not found is taken as dead", P0, set_(settle_module, "_fence", dead_at_once)),
    Plant("silence_is_rejection", "no answer counts as a refusal", P0, row(S.SUBMITTING, E.NO_ANSWER, S.REJECTED)),
    Plant("fence_says_dead", "the fence never says admitted", P0, set_(ExchangeLink, "fence", fence_dead)),
    Plant("lost_is_unsent", "a timeout counts as not sent", P0, wrap(ExchangeLink, "_send", lost_is_unsent)),
    Plant("lost_is_refused", "a timeout counts as a refusal", P0, wrap(ExchangeLink, "_send", lost_is_refused)),
    Plant("lost_is_done", "a timeout counts as success", False, wrap(ExchangeLink, "submit", lost_is_done)),
    Plant("used_nonce_is_refusal", "a used nonce counts as a refusal", P0, wrap(ExchangeLink, "submit", used_is_refused)),
    Plant("part_fills_lost", "partial fills are not booked", P0, wrap(OrderManager, "fill", lost_parts)),
    Plant("some_fills_lost", "one fill in ten is not booked", P0, wrap(OrderManager, "fill", some_lost)),
    Plant("fills_not_written", "fills are not made durable", P0, set_(OrderRows, "record_fill", nothing)),
    Plant("booked_twice", "the ledger books a fill again", P0, wrap(Ledger, "book", booked_again)),
    Plant("order_not_written", "orders are not made durable", P0, set_(OrderRows, "record_intent_and_order", nothing)),
    Plant("latch_not_written", "the latch file is not written", P0, set_(killswitch, "_write_latch", nothing)),
    Plant("latch_forgotten", "a start clears latch and byte", P0, set_(KillSwitch, "_take_over", forgets_at_start)),
    Plant("latch_heals", "the latch clears by itself", P0, wrap(KillSwitch, "poll", heals)),
    Plant("reset_keeps_epoch", "a reset begins no epoch", False, wrap(KillSwitch, "reset", same_epoch)),
    Plant("nonce_of_clock", "nonces follow the clock alone", P0, set_(Nonces, "next", clock_only)),
    Plant("nonce_not_kept", "nonces are not durable", P0, set_(Nonces, "next", not_kept)),
    Plant("ticket_hash_missing", "the ticket's hash is not recorded", False, wrap(OrderManager, "_record", recorded(ticket_hash=lambda *_: ""))),
    Plant("bytes_change_later", "the bytes change after the record", P0, wrap(OrderManager, "_record", recorded(signed=lambda self, signed: changed(signed, wire=signed.wire + b" ")))),
    Plant("epoch_of_tomorrow", "orders carry a later epoch", False, wrap(OrderManager, "_record", recorded(epoch=lambda self, epoch: epoch + 1))),
    Plant("unknown_holds_nothing", "UNKNOWN and AMBIGUOUS raise no hold", P0, wrap(Interlock, "raise_hold", unheld("ambiguity"))),
    Plant("kill_holds_nothing", "a kill raises no hold", False, wrap(Interlock, "raise_hold", unheld("kill"))),
    Plant("proof_clears_all", "one proof clears every hold", P0, wrap(OrderManager, "_end_ambiguity", cleared)),
    Plant("restart_hopes", "a restart takes what was on its way as fine", P0, wrap(Custody, "load", after_load(still_submitting))),
    Plant("restart_forgets_orders", "a restart forgets living orders", P0, wrap(Custody, "load", after_load(lambda custody: custody.orders.orders.clear()))),
    Plant("restart_forgets_fees", "a restart reads fills without fees", False, wrap(custody_module, "fill_of", without_fee)),
    Plant("restart_flips_sells", "a restart reads sales as purchases", P0, wrap(custody_module, "fill_of", bought_not_sold)),
    Plant("always_clean", "reconciliation always says CLEAN", P0, set_(Custody, "_judge", always_clean)),
    Plant("cash_overlooked", "cash is not compared", False, wrap(Custody, "_compare", without("cash"))),
    Plant("positions_overlooked", "positions are not compared", P0, wrap(Custody, "_compare", without("position"))),
    Plant("foreign_overlooked", "foreign orders are not noticed", False, set_(Custody, "_keep_foreign", nothing)),
    Plant("adoption_not_kept", "an adjustment is not made durable", False, wrap(FactRows, "set", adopts_nothing)),
    Plant("adopted_twice", "a difference can be adopted again before it is compared anew", False, wrap(Custody, "adjust", adopted_twice)),
    Plant("sessions_counted_twice", "each session's result counts beside its account's", P0, set_(RiskMemory, "keep", nothing)),
    Plant("late_fill_at_the_end", "a late fill is booked last", False, set_(Custody, "_book", at_the_end)),
    Plant("fills_not_asked", "missed fills are never asked for", P0, wrap(ExchangeLink, "fills_since", no_answers)),
    Plant("half_filled", "memory counts half of each fill", P0, wrap(OrderManager, "fill", half_filled)),
    Plant("cancel_by_asking", "an asked cancel counts as confirmed", P0, wrap(OrderManager, "cancel", ended_by_asking)),
    Plant("cancels_not_sent", "cancels never leave", P0, set_(ExchangeLink, "cancel", nothing_async)),
    Plant("accepted_is_filled", "an acknowledgement counts as a fill", P0, row(S.SUBMITTING, E.ACCEPTED, S.FILLED)),
    Plant("filled_is_partial", "a full fill leaves the order alive", False, row(S.OPEN, E.FULL_FILL, S.PARTIAL)),
    Plant("cancelled_stays", "a confirmed cancel leaves the order alive", False, row(S.OPEN, E.CANCELLED, S.OPEN)),
    Plant("part_is_all", "a part counts as the whole", P0, row(S.OPEN, E.PART_FILL, S.FILLED)),
    Plant("refused_is_open", "a refusal leaves the order alive", False, row(S.SUBMITTING, E.REFUSED, S.OPEN)),
    Plant("fenced_stays_unknown", "a proof of death is not believed", False, row(S.UNKNOWN, E.FENCED, S.UNKNOWN)),
    Plant("found_is_dead", "found alive counts as cancelled", P0, row(S.UNKNOWN, E.ACCEPTED, S.CANCELLED)),
    Plant("nobody_asks", "supervised entries wait for nobody", P0, set_(PaperSession, "_needs_operator", _NEVER)),
    Plant("hash_of_nothing", "an approval is bound to a number only", False, set_(approval, "ticket_hash", hash_of_id)),
    Plant("double_size", "an order is twice its ticket", P0, wrap(session_module, "request_of", request(quantity=lambda quantity: quantity * 2))),
    Plant("other_side", "an order is the opposite of its ticket", P0, wrap(session_module, "request_of", request(side=lambda side: Side.SELL if side is Side.BUY else Side.BUY))),
    Plant("reduce_only_dropped", "exits go out without reduce-only", P0, wrap(session_module, "request_of", request(reduce_only=lambda _: False))),
    Plant("limits_of_tomorrow", "tickets carry another limits epoch", False, wrap(approval.TicketBook, "propose", limits_of_tomorrow)),
    Plant("preflight_off", "every wish is allowed", P0, wrap(session_module, "preflight", allowed)),
    Plant("preflight_forgives", "the first reason is dropped", P0, wrap(session_module, "preflight", one_reason_less)),
    Plant("other_facts_recorded", "the journal holds other facts", False, wrap(session_module, "judgement_rows", other_facts)),
    Plant("risk_memory_lost", "a start forgets day and high water", P0, wrap(RiskMemory, "__init__", forgetful_memory)),
    Plant("high_water_follows", "the high-water mark falls with equity", P0, wrap(RiskMemory, "observe", high_water_follows)),
    Plant("day_begins_now", "the day begins at every event", P0, wrap(RiskMemory, "observe", day_begins_now)),
    Plant("audit_skips", "the audit log skips a number", False, wrap(AuditLog, "append", audit_skips)),
    Plant("audit_forks", "the audit chain is cut", False, wrap(AuditLog, "append", audit_forks)),
    Plant("secret_noted", "the secret is written to the log", P0, wrap(OrderManager, "_record", says_secret)),
    Plant("always_says_clear", "the status line always says clear", False, set_(views, "LEVEL_WORDS", dict.fromkeys(views.LEVEL_WORDS, "clear"))),
    Plant("feeds_pile_up", "an ended feed goes on listening", False, set_(ExchangeLink, "off_market", nothing)),
    Plant("any_symbol", "market events of any symbol are passed on", False, set_(ExchangeLink, "_frame", takes_all)),
    Plant("garbage_accepted", "garbage is answered as done", False, wrap(Handlers, "on_command", accepts_garbage)),
    Plant("holes_overlooked", "a hole in the stream is not noticed", False, set_(ExchangeLink, "_count", deaf_to_holes)),
)
"""The bugs, in the order of the parts that they break."""
# fmt: on
__all__ = ["PLANTS"]
