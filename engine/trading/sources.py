"""The second source: what the venue's stream says an account holds, against what its REST answers say.

The two are never of one instant, so a difference is looked at again: the stream is asked for a whole picture,
and only one that is the same by then, and has stood for a while, is a finding of the reconciliation.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from engine.trading.differences import CENT, ZERO, Difference, Kind
from seams.clock import NS_PER_S, Clock
from venues.contract import BalanceTeller, Pushed, VenueAdapter
from venues.dry import undressed
from venues.types import AccountSnapshot

LASTS_NS = 10 * NS_PER_S
"""For how long a difference must stay the same: longer than a venue's answers lag behind its messages."""
SILENT_NS = 30 * NS_PER_S
"""After so long without a whole picture it is asked for again."""
GRAIN = Decimal("1e-9")
"""The finest quantity that either side means: below it lies how a number was printed."""
CASH = "USD"


class _Doubt(NamedTuple):
    amount: Decimal
    since_ns: int


def between(pushed: Pushed, snapshot: AccountSnapshot) -> tuple[Difference, ...]:
    """List where stream and REST disagree about cash (to the cent) and holdings (signed, by symbol). Pure.

    `ours` is the stream's word, `theirs` that of REST; `amount` is REST less stream.
    """
    rest = {each.symbol: each.quantity for each in snapshot.positions}
    cases = [(CASH, pushed.cash_usd, snapshot.cash_usd, CENT)]
    cases += [
        (name, pushed.held.get(name, ZERO), rest.get(name, ZERO), GRAIN)
        for name in sorted(rest.keys() | pushed.held.keys())
    ]
    return tuple(
        Difference(
            kind=Kind.SOURCES,
            subject=name,
            ours=f"stream {stream.normalize():f}",
            theirs=f"REST {asked.normalize():f}",
            amount=(asked - stream).quantize(grain),
        )
        for name, stream, asked, grain in cases
        if abs(asked - stream) > grain
    )


class Sources:
    """The comparison of one account; a venue that pushes no balances is never doubted."""

    def __init__(self, clock: Clock, venue: VenueAdapter) -> None:
        teller = undressed(venue)
        self._clock, self._teller = clock, teller if isinstance(teller, BalanceTeller) else None
        self._doubts: dict[str, _Doubt] = {}
        self._asked_ns = clock.monotonic_ns()

    def look(self, snapshot: AccountSnapshot) -> tuple[Difference, ...]:
        """Compare with an answer that has just come; return what has lasted."""
        if self._teller is None:
            return ()
        pushed, now_ns = self._teller.pushed(), self._clock.monotonic_ns()
        if pushed is None:
            self._doubts.clear()
            if now_ns - self._asked_ns >= SILENT_NS:
                self._ask(now_ns)
            return ()
        found = between(pushed, snapshot)
        before, self._doubts = self._doubts, {}
        for each in found:
            known = before.get(each.subject)
            is_known = known is not None and known.amount == each.amount
            self._doubts[each.subject] = known if known and is_known else _Doubt(each.amount, now_ns)
        if any(doubt.since_ns == now_ns for doubt in self._doubts.values()):
            self._ask(now_ns)
        return tuple(each for each in found if self._lasts(each, pushed, now_ns))

    def _lasts(self, difference: Difference, pushed: Pushed, now_ns: int) -> bool:
        since_ns = self._doubts[difference.subject].since_ns
        return now_ns - since_ns >= LASTS_NS and pushed.whole_ns >= since_ns

    def _ask(self, now_ns: int) -> None:
        assert self._teller is not None
        self._asked_ns = now_ns
        self._teller.push_anew()
