"""The operator lease: one person at one console acts, and shows by key presses that somebody watches (C21).

Everybody may stop; only who holds the lease may start. It is renewed by the holder's keys, ends after a
minute without one, and dies with the engine. What it covers is rejected when it is lost.
"""

from __future__ import annotations

from safety.reasons import Refusal
from safety.text import clean
from safety.ticket import Moment, named
from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Record

LEASE_NS = 60 * NS_PER_S
MIN_REASON = 4
COMMAND_LINE = ""
"""The console of a command: it acts under its operator's lease, wherever that is held."""


class Held(Record):
    """Who acts, where, and until when on both clocks. `console` is empty for the command line."""

    operator: str
    console: str
    since_ns: int
    until_ns: int
    until_monotonic_ns: int


class OperatorLease:
    """The one lease of an engine. Times are passed in; `term_ns` is how long one key press holds it."""

    def __init__(self, term_ns: int = LEASE_NS) -> None:
        assert term_ns > 0
        self._term_ns = term_ns
        self._held: Held | None = None

    def holder(self, moment: Moment) -> Held | None:
        """Return who holds it now; None where nobody does."""
        held = self._held
        return None if held is None or _is_lapsed(held, moment) else held

    def left_ms(self, moment: Moment) -> int:
        """Return what is left of it in milliseconds, by the clock on which less is left; 0 where none is."""
        held = self.holder(moment)
        if held is None:
            return 0
        return min(held.until_ns - moment.now_ns, held.until_monotonic_ns - moment.monotonic_ns) // NS_PER_MS

    def use(self, operator: str, console: str, moment: Moment) -> Held:
        """Act under the lease: take it where it is free, renew it where it is mine.

        The command line acts under its operator's lease at any console and does not move it; a console
        takes over from its own operator's command line. Raises `Refusal`: operator_required, lease_held.
        """
        operator, held = named(operator), self.holder(moment)
        if held is None:
            return self._give(operator, console, moment.now_ns, moment)
        if held.operator != operator:
            raise Refusal("lease_held", held.operator)
        if console not in (held.console, COMMAND_LINE) and held.console != COMMAND_LINE:
            raise Refusal("lease_held", f"{operator} at another console")
        where = held.console if console == COMMAND_LINE else console
        return self._give(operator, where, held.since_ns, moment)

    def keep(self, operator: str, console: str, moment: Moment) -> Held:
        """Renew it by a key press. Raises `Refusal`: lease_required where it is not held here."""
        held = self.holder(moment)
        if held is None or (held.operator, held.console) != (named(operator), console):
            raise Refusal("lease_required", "it is not held here")
        return self._give(held.operator, held.console, held.since_ns, moment)

    def take(self, operator: str, console: str, reason: str, moment: Moment) -> Held | None:
        """Take it for this console, from whoever holds it; return the one who lost it, if another person.

        Taking it from another person needs a reason in words. Raises `Refusal`: operator_required,
        reason_required.
        """
        operator, before = named(operator), self.holder(moment)
        is_others = before is not None and before.operator != operator
        if is_others and len(clean(reason)) < MIN_REASON:
            raise Refusal("reason_required", "say why you take it over")
        self._give(operator, console, moment.now_ns, moment)
        return before if is_others else None

    def give_up(self, operator: str, moment: Moment) -> Held:
        """Leave it to others. Raises `Refusal`: lease_required where this person does not hold it."""
        held = self.holder(moment)
        if held is None or held.operator != named(operator):
            raise Refusal("lease_required", "you do not hold it")
        self._held = None
        return held

    def lapse(self, moment: Moment) -> Held | None:
        """End a lease whose time is up, and return it once."""
        held = self._held
        if held is None or not _is_lapsed(held, moment):
            return None
        self._held = None
        return held

    def _give(self, operator: str, console: str, since_ns: int, moment: Moment) -> Held:
        self._held = Held(
            operator=operator,
            console=clean(console, 40),
            since_ns=since_ns,
            until_ns=moment.now_ns + self._term_ns,
            until_monotonic_ns=moment.monotonic_ns + self._term_ns,
        )
        return self._held


def _is_lapsed(held: Held, moment: Moment) -> bool:
    return moment.now_ns >= held.until_ns or moment.monotonic_ns >= held.until_monotonic_ns
