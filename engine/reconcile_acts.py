"""What an operator decides about a difference, done: adopted, attributed, ignored or flattened.

Every act names the picture it is about by its hash, after a pass made for it: who looked at something
else is refused. It stands in the audit log and the decision log with who, why and what both sides said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from engine.api.reconcile import Act, DecidedRow, Reconcile, Reconciled
from engine.desk import Desk
from engine.flatten import MAX_SLICES
from engine.reconciliation import Found, possible, standing
from engine.residual import close_position
from engine.store.rows import DecisionRecord
from engine.trading.adjustments import Adjustment
from engine.trading.custody import Custody
from engine.trading.differences import Kind
from engine.trading.machine import Evidence
from engine.trading.manual import adopt_order
from engine.unanswered import no_whole_pass, unanswered
from safety.canonical import changed
from safety.intent import IntentCategory
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S
from venues.asked_by import for_a_person
from venues.contract import VenueError
from venues.types import VenuePosition

ZERO = Decimal(0)
IGNORED_FOR_NS = 86_400 * NS_PER_S
"""How long an ignored difference stays quiet, if it stays exactly the same."""
DESK = "operator:reconcile"


async def act(desk: Desk, asked: Reconcile, operator: str, reason: str) -> Reconciled:
    """Make a pass, find the difference that was seen, do what was decided, and keep who, what and why.

    Raises `Refusal`: reason_required, difference_gone, difference_stale, difference_settling,
    act_not_possible, venue_busy, reconcile_unanswered, or what a closing order is refused with.
    """
    core, custody, why = desk.core, desk.custody, clean(reason)
    if not why:
        raise Refusal("reason_required", "an act of reconciliation needs a reason")
    if custody is None:
        raise Refusal("difference_gone", "a paper account lives in this engine: it has no other side")
    await _look(custody)
    found = next((each for each in standing(desk) if each.difference.key == asked.key), None)
    if found is None:
        raise Refusal("difference_gone", clean(asked.key, 80))
    if found.difference.seen(custody.key) != asked.seen:
        raise Refusal("difference_stale", f"{found.difference.key}: venue says {found.difference.theirs}")
    acts, blocked = possible(found)
    if blocked:
        raise Refusal("difference_settling", blocked)
    if asked.act not in {each.act for each in acts}:
        names = ", ".join(each.act for each in acts)
        raise Refusal("act_not_possible", f"{found.difference.key} offers {names}")
    held = await _held(custody, found) if asked.act is Act.FLATTEN else None
    done = _Doing(found, clean(operator, 80), why, asked, held)
    did = await _ACTS[found.difference.kind, asked.act](done)
    if asked.act is not Act.IGNORE:
        custody.look_again()
    core.events.add("reconcile", operator, f"{asked.act} {found.difference.key}: {did}")
    return Reconciled(act=asked.act, key=found.difference.key, did=did, verdict=custody.verdict)


async def _look(custody: Custody) -> None:
    """Make one whole pass now. Raises `Refusal` where the venue did not answer all of it."""
    before = custody.passes
    with for_a_person():
        await custody.reconcile()
    if custody.passes == before:
        raise no_whole_pass(custody)


async def _held(custody: Custody, found: Found) -> VenuePosition | None:
    """Return the venue's position that a flatten would close. Raises `Refusal`."""
    try:
        with for_a_person():
            positions = (await custody.venue.account()).positions
    except VenueError as error:
        raise unanswered(error) from error
    return next((each for each in positions if each.symbol == found.symbol and each.quantity), None)


class _Doing:
    """One act on its way: what was found, who decided it, why, and what the venue holds of the symbol."""

    def __init__(
        self, found: Found, operator: str, reason: str, asked: Reconcile, held: VenuePosition | None
    ) -> None:
        self.found, self.operator, self.reason, self.asked, self.held = found, operator, reason, asked, held
        self.custody, self.difference, self.core = found.custody, found.difference, found.core

    def keep(self, did: str, until_ns: int = 0) -> str:
        """Put the decision on every record before it takes effect; return what it says."""
        core, difference, now_ns = self.core, self.difference, self.core.clock.now_ns()
        row = DecidedRow(
            at_ns=now_ns,
            operator=self.operator,
            act=self.asked.act,
            key=difference.key,
            seen=self.asked.seen,
            local=clean(difference.ours, 200),
            venue=clean(difference.theirs, 200),
            did=did,
            reason=self.reason,
            until_ns=until_ns,
        )
        facts = msgspec.to_builtins(row)
        said = f"{row.act} {row.key}: {did}; why: {self.reason}"
        core.note("reconcile", self.operator, said, account=self.custody.key, decision=facts)
        core.audit.decision(
            intent_category=IntentCategory.CLEAR,
            policy_result={"allowed": True, "possible": [each.act for each in possible(self.found)[0]]},
            outcome="executed",
            body={"operator": self.operator, **facts},
        )
        with core.store.transaction():
            core.store.decisions.record_decision(
                DecisionRecord(
                    decision_id=core.ids.new("R"),
                    session_id=self.asked.session_id,
                    at_ns=now_ns,
                    symbol=self.found.symbol,
                    strategy=DESK,
                    event_type="reconcile",
                    status="decided",
                    phase=difference.kind,
                    triggered_by=self.operator,
                    action_taken=f"{row.act}: {did}",
                    reason_code=self.asked.seen,
                    context=msgspec.json.encode(row).decode(),
                    config_fingerprint=core.config_fingerprint,
                    run_fingerprint=core.config_fingerprint,
                )
            )
            self.custody.decide(row)
        return did

    def close_of(self, amount: Decimal) -> VenuePosition:
        """Return the position out of which `amount` (signed) can be closed. Raises `Refusal`: closing may
        only make it smaller."""
        held = self.held
        is_part = (
            held is not None and (held.quantity > 0) == (amount > 0) and abs(held.quantity) >= abs(amount)
        )
        if held is None or not is_part:
            there = held.quantity.normalize() if held else ZERO
            said = f"{amount:+f} is no part of the {there:f} held; adopt it, then flatten the position"
            raise Refusal("act_not_possible", said)
        return held


async def _adopt_foreign(doing: _Doing) -> str:
    return _book_foreign(doing)


async def _attribute_foreign(doing: _Doing) -> str:
    if doing.core.store.sessions.get(doing.asked.session_id) is None:
        raise Refusal("unknown_session", clean(doing.asked.session_id, 80))
    return _book_foreign(doing)


def _book_foreign(doing: _Doing) -> str:
    """Make the foreign order ours, with all that it has done."""
    custody, foreign = doing.custody, doing.found.foreign
    assert foreign is not None
    did = doing.keep(f"booked {foreign.said()} as a manual_ intent")
    mark = _mark(custody, foreign.symbol)
    order = adopt_order(doing.core, custody.orders, foreign, doing.asked.session_id, mark)
    custody.foreign.pop(foreign.order_id, None)
    return f"{did} {order.intent_id}"


async def _flatten_foreign(doing: _Doing) -> str:
    foreign = doing.found.foreign
    assert foreign is not None
    if foreign.is_over:
        amount = foreign.held()
        held = doing.close_of(amount)
        _book_foreign(doing)
        return await _close(doing, held, amount)
    did = doing.keep(f"asked the venue to cancel {clean(foreign.order_id, 64)}")
    doing.custody.leaving[foreign.order_id] = doing.operator
    try:
        await doing.custody.venue.cancel(foreign.order_id)
    except VenueError as error:
        did = f"{did}; not confirmed: {clean(str(error), 120)}"
        doing.core.note("cancel_unconfirmed", doing.custody.venue.name, did)
    return did


async def _ignore(doing: _Doing) -> str:
    until_ns = doing.core.clock.now_ns() + IGNORED_FOR_NS
    did = doing.keep("known and not ours, while it stays exactly so, for 24 h at most", until_ns)
    await _look(doing.custody)
    return did


async def _adopt_position(doing: _Doing) -> str:
    return _book_position(doing)


def _book_position(doing: _Doing) -> str:
    """Book what is not ours yet: at the venue's own entry where it names one, else at the mark.

    With its entry the holding becomes the venue's, so that closing it will show no difference of cash again;
    what the way there cost is the difference of cash that the venue shows now.
    """
    difference, custody = doing.difference, doing.custody
    symbol, amount = difference.subject, difference.amount
    held, (theirs, entry) = custody.ledger.holding(symbol), custody.entries.get(symbol, (ZERO, ZERO))
    is_spot = custody.venue.capabilities().pays_in_full
    if not is_spot and entry > 0 and theirs and theirs == held.quantity + amount:
        did = doing.keep(f"booked {amount:+f} {symbol}: held {theirs.normalize():f} at the venue's {entry:f}")
        booking = _adjustment(doing, symbol, amount, entry)
        custody.adjust(changed(booking, ended=held.quantity, ended_at=held.entry_price))
        return did
    price = custody.marks.get(symbol) or held.mark_price
    if price <= 0:
        raise Refusal("difference_settling", f"{symbol} has no price yet")
    in_kind = _in_kind(custody, amount * price)
    how = ", in kind: no cash was paid for it" if in_kind else ""
    did = doing.keep(f"booked {amount:+f} {symbol} at {price:f}{how}")
    custody.adjust(_adjustment(doing, symbol, amount, price, in_kind))
    return did


def _in_kind(custody: Custody, worth_usd: Decimal) -> Decimal:
    """Return the cash to book with an unexplained position that is worth so much (USD, signed).

    At spot a booking takes its price out of the cash that we expect. Where the venue's cash shows no such
    payment the coins were there before us, or came as coins: then they are paid in at their worth.
    """
    if not custody.venue.capabilities().pays_in_full:
        return ZERO
    cash_usd = sum((each.amount for each in custody.differences if each.kind == Kind.CASH), ZERO)
    return worth_usd if abs(cash_usd) < abs(cash_usd + worth_usd) else ZERO


async def _flatten_position(doing: _Doing) -> str:
    held = doing.close_of(doing.difference.amount)
    _book_position(doing)
    return await _close(doing, held, doing.difference.amount)


async def _close(doing: _Doing, held: VenuePosition, amount: Decimal) -> str:
    """Close `amount` (signed) of what is held, in the slices that an order may carry."""
    rest, names = amount, list[str]()
    while rest and len(names) < MAX_SLICES:
        order = await close_position(doing.core, doing.custody, held, rest, doing.operator)
        rest -= order.request.quantity.copy_sign(amount)
        names.append(f"{order.order_id} {order.status}")
    said = f"booked; {', '.join(names)} close {abs(amount - rest).normalize():f} {held.symbol} reduce-only"
    doing.core.note("reconcile", doing.operator, said)
    return said


async def _adopt_cash(doing: _Doing) -> str:
    did = doing.keep(f"booked {doing.difference.amount:+.2f} USD")
    doing.custody.adjust(_adjustment(doing, "", ZERO, ZERO, doing.difference.amount))
    return did


async def _adopt_unknown(doing: _Doing) -> str:
    order = doing.custody.orders.orders[doing.difference.subject]
    did = doing.keep(f"ended {order.order_id} with {order.filled.normalize():f} filled")
    doing.custody.orders.take(order, Evidence.OPERATOR_ENDED, f"{doing.operator}: {doing.reason}")
    return did


async def _flatten_unknown(doing: _Doing) -> str:
    did = doing.keep(f"asked the venue to cancel {doing.difference.subject}")
    order = await doing.custody.orders.cancel(doing.difference.subject)
    return f"{did}: {order.status}"


def _mark(custody: Custody, symbol: str) -> Decimal:
    """Return the venue's mark in USD, else our ledger's newest price; 0 where there is none."""
    return custody.marks.get(symbol) or custody.ledger.holding(symbol).mark_price


def _adjustment(
    doing: _Doing, symbol: str, quantity: Decimal, price: Decimal, cash_usd: Decimal = ZERO
) -> Adjustment:
    return Adjustment(
        symbol=symbol,
        quantity=quantity,
        price=price,
        cash_usd=cash_usd,
        operator=doing.operator,
        reason=doing.reason,
        at_ns=doing.core.clock.now_ns(),
    )


_ACTS: Mapping[tuple[str, Act], Callable[[_Doing], Awaitable[str]]] = {
    (Kind.FOREIGN, Act.ADOPT): _adopt_foreign,
    (Kind.FOREIGN, Act.ATTRIBUTE): _attribute_foreign,
    (Kind.FOREIGN, Act.IGNORE): _ignore,
    (Kind.FOREIGN, Act.FLATTEN): _flatten_foreign,
    (Kind.POSITION, Act.ADOPT): _adopt_position,
    (Kind.POSITION, Act.FLATTEN): _flatten_position,
    (Kind.CASH, Act.ADOPT): _adopt_cash,
    (Kind.SOURCES, Act.IGNORE): _ignore,
    (Kind.UNKNOWN, Act.ADOPT): _adopt_unknown,
    (Kind.UNKNOWN, Act.FLATTEN): _flatten_unknown,
}
