"""The reconciliation desk: what differs between record and venue, and what may be done about each.

Pure reads; what an operator decides is done in `engine.reconcile_acts`, and nothing is booked by itself.
"""

from __future__ import annotations

from engine.api import reconcile as r
from engine.api.reconcile import Act, ActRow
from engine.core import Core
from engine.desk import Desk
from engine.trading.custody import Custody, Verdict
from engine.trading.differences import Difference, ForeignOrder, Kind, obstacle
from engine.trading.orders import OrderManager
from engine.trading.working import ManagedOrder
from safety.canonical import changed
from safety.text import clean
from seams.clock import NS_PER_S

SHOWN_DECISIONS = 50
SHOWN_DIFFERENCES = 200


class Found:
    """One difference with what it belongs to."""

    def __init__(self, desk: Desk, custody: Custody, difference: Difference) -> None:
        self.desk, self.custody, self.difference = desk, custody, difference

    @property
    def core(self) -> Core:
        return self.desk.core

    @property
    def foreign(self) -> ForeignOrder | None:
        if self.difference.kind != Kind.FOREIGN:
            return None
        return self.custody.foreign.get(self.difference.subject)

    @property
    def symbol(self) -> str:
        foreign = self.foreign
        if foreign is not None:
            return foreign.symbol
        return self.difference.subject if self.difference.kind == Kind.POSITION else ""


def standing(desk: Desk) -> list[Found]:
    """Return every difference of the account that nobody has set aside; none in paper."""
    custody = desk.custody
    if custody is None:
        return []
    return [
        Found(desk, custody, difference) for difference in (*custody.differences, *_unknown(custody.orders))
    ]


def _unknown(orders: OrderManager) -> list[Difference]:
    return [
        Difference(
            kind=Kind.UNKNOWN,
            subject=order.order_id,
            ours=f"unknown {each.side} {each.quantity.normalize():f} {each.symbol}",
            theirs="shown in no list so far",
        )
        for order in orders.unknown()
        for each in (order.request,)
    ]


def possible(found: Found) -> tuple[tuple[ActRow, ...], str]:
    """Return the acts that are possible now, the proposed one first, and else what must happen first."""
    custody, difference = found.custody, found.difference
    if difference.kind == Kind.UNKNOWN:
        order = custody.orders.orders[difference.subject]
        if not _lag_is_over(custody, order):
            return (), "the venue's lists may still lag; they are asked every second"
        return _UNKNOWN_ACTS, ""
    symbols = {
        Found(found.desk, custody, each).symbol for each in custody.differences if each.kind == Kind.FOREIGN
    }
    blocked = obstacle(difference, custody.differences, symbols)
    if not blocked and custody.verdict is not Verdict.AMBIGUOUS:
        blocked = "answers of a venue lag; it is looked at again every second"
    if blocked:
        return (), blocked
    if difference.kind == Kind.FOREIGN:
        foreign = found.foreign
        if foreign is None:  # settled since the last pass; the next one no longer lists it
            return (), "it is gone; looked at again every second"
        return _foreign_acts(foreign), ""
    fixed = {Kind.CASH: _CASH_ACTS, Kind.SOURCES: _SOURCES_ACTS}
    return _position_acts(found) if difference.kind == Kind.POSITION else fixed[Kind(difference.kind)], ""


_UNKNOWN_ACTS = (
    ActRow(act=Act.FLATTEN, effect="ask the venue to cancel it; what the venue answers is the proof"),
    ActRow(act=Act.ADOPT, effect="take the venue's lists as its end: cancelled with what has filled"),
)
_CASH_ACTS = (ActRow(act=Act.ADOPT, effect="book the amount as paid in, paid out or charged by the venue"),)


_SOURCES_ACTS = (
    ActRow(act=Act.IGNORE, effect="REST is right, on your word: quiet while both say exactly so, for a day"),
)


def _foreign_acts(foreign: ForeignOrder) -> tuple[ActRow, ...]:
    ignore = ActRow(act=Act.IGNORE, effect="not ours: quiet while it stays exactly so, for a day")
    if foreign.side is None:
        return (ignore,)
    if foreign.is_over and not foreign.fills:
        return (changed(ignore, effect="it is over and did nothing: note that it was seen"),)
    done = f"with its {len(foreign.fills)} execution(s)" if foreign.fills else "as resting"
    later = "" if foreign.is_over else "; what it does later is ours too"
    adopt = ActRow(act=Act.ADOPT, effect=f"book it {done} as a manual_ intent{later}")
    attribute = ActRow(act=Act.ATTRIBUTE, effect="the same, counted to a session that you name")
    if not foreign.is_over:
        cancel = ActRow(act=Act.FLATTEN, effect="cancel it at the venue; executions stay for you to decide")
        return (cancel, adopt, attribute, ignore)
    said = f"the same, then close {foreign.executed.normalize():f} {foreign.symbol} reduce-only"
    return (adopt, attribute, ActRow(act=Act.FLATTEN, effect=said), ignore)


def _position_acts(found: Found) -> tuple[ActRow, ...]:
    amount, symbol = found.difference.amount, found.difference.subject
    return (
        ActRow(act=Act.ADOPT, effect=f"book {amount:+f} {symbol} at the venue's entry, else its mark"),
        ActRow(act=Act.FLATTEN, effect=f"book {amount:+f} {symbol}, then close that much reduce-only"),
    )


def _lag_is_over(custody: Custody, order: ManagedOrder) -> bool:
    """Tell whether the venue has had its time to show an order that exists."""
    lag_ns = custody.venue.capabilities().lookup_lag_ns
    return custody.core.clock.now_ns() > max(order.sent_ns, order.created_ns) + 2 * lag_ns


# --- as people see it -------------------------------------------------------------------------------


def reconcile_view(core: Core, desk: Desk, seq: int) -> r.ReconcileView:
    """Return the accounts, what differs with both sides and what may be done, and the newest decisions."""
    custody = desk.custody
    if custody is None:
        return r.ReconcileView(seq=seq, at_ns=core.clock.now_ns(), accounts=(), rows=(), decided=())
    found = standing(desk)
    set_aside = [Found(desk, custody, each) for each in custody.set_aside]
    now_ns, age_ns = core.clock.now_ns(), core.clock.monotonic_ns() - custody.heard_ns
    account = r.AccountRow(
        account=custody.account,
        venue=custody.venue.name,
        verdict=custody.verdict,
        agreed_ns=custody.agreed_ns,
        heard_ns=(now_ns - age_ns) // NS_PER_S * NS_PER_S if custody.passes else 0,
        standing=len(found),
        ignored=len(set_aside),
    )
    rows = [_row(each, is_ignored=False) for each in found]
    rows += [_row(each, is_ignored=True) for each in set_aside]
    decided = tuple(reversed(custody.decided[-SHOWN_DECISIONS:]))
    return r.ReconcileView(
        seq=seq, at_ns=now_ns, accounts=(account,), rows=tuple(rows[:SHOWN_DIFFERENCES]), decided=decided
    )


def _row(found: Found, *, is_ignored: bool) -> r.DifferenceRow:
    difference, custody = found.difference, found.custody
    acts, blocked = ((), "") if is_ignored else possible(found)
    state = "ignored" if is_ignored else "settling" if blocked else "standing"
    foreign = found.foreign
    amount = f"{difference.amount.normalize():+f}" if difference.amount else "not ours"
    if difference.kind == Kind.CASH:
        amount = f"{difference.amount:+.2f}"
    return r.DifferenceRow(
        account=custody.key,
        key=difference.key,
        kind=difference.kind,
        subject=clean(difference.subject, 80),
        symbol=found.symbol,
        local=clean(difference.ours, 200),
        venue=clean(difference.theirs, 200),
        difference="not proved" if difference.kind == Kind.UNKNOWN else amount,
        state=state,
        seen=difference.seen(custody.key),
        since_ns=foreign.since_ns if foreign else custody.differs_ns,
        proposed=f"{acts[0].act}: {acts[0].effect}" if acts else "",
        acts=acts,
        blocked_by=blocked,
    )
