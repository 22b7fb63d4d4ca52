"""Arming: real money moves only after two steps, by named persons, for a bounded time.

DISARMED: nothing leaves for the venue. ASKED: the first step was made; the venue may be looked at, so that
the account can be reconciled, and nothing can act. ARMED: new risk may pass every other check. TENDED: the
arming ran out, or the engine was restarted: no new risk, while what is at the venue is still watched,
cancelled and reduced. Times are passed in; nothing here does I/O.
"""

from __future__ import annotations

from enum import StrEnum

from safety.canonical import digest
from safety.reasons import Refusal
from safety.ticket import Moment, named
from safety.two_person import Signature
from seams.clock import NS_PER_S
from venues.types import Record

ASKED_NS = 600 * NS_PER_S
"""How long the second step may take; the account is looked at meanwhile."""


class ArmingState(StrEnum):
    DISARMED = "disarmed"
    ASKED = "asked"
    ARMED = "armed"
    TENDED = "tended"


MAY_ASK = frozenset({ArmingState.ASKED, ArmingState.ARMED, ArmingState.TENDED})
"""States in which the venue's address is open."""
MAY_ACT = frozenset({ArmingState.ARMED, ArmingState.TENDED})
"""States in which what acts may leave; new risk is held back in TENDED by the hold `arming`."""


class Condition(Record):
    """One condition of arming: its code, whether it holds, what was seen, what to do if not."""

    code: str
    ok: bool
    said: str
    correction: str = ""


class Asked(Record):
    """The first step. `hash` binds the second step to exactly this; `phrase` is what is typed then."""

    hash: str
    phrase: str
    first: Signature
    reason: str
    until_ns: int
    until_monotonic_ns: int


class Armed(Record):
    """The second step was made: who, and until when on both clocks."""

    by: tuple[Signature, ...]
    reason: str
    since_ns: int
    until_ns: int
    until_monotonic_ns: int

    @property
    def names(self) -> str:
        return "+".join(each.operator for each in self.by)


class Arming:
    """The arming of one engine's life. A new engine begins disarmed, or tended where it left something."""

    def __init__(self, term_ns: int) -> None:
        self._term_ns = term_ns
        self.asked: Asked | None = None
        self.armed: Armed | None = None
        self.is_tended = False

    def state(self, moment: Moment) -> ArmingState:
        """Return the state now; a time that is up counts at once, whoever has noticed it."""
        if self.armed is not None and not _is_over(self.armed, moment):
            return ArmingState.ARMED
        if self.is_tended:
            return ArmingState.TENDED
        if self.asked is not None and not _is_over(self.asked, moment):
            return ArmingState.ASKED
        return ArmingState.DISARMED

    def ask(
        self, operator: str, principal: str, content: object, phrase: str, reason: str, moment: Moment
    ) -> Asked:
        """Make the first step, in place of an older one. Raises `Refusal`: operator_required."""
        first = Signature(operator=named(operator), principal=principal)
        self.asked = Asked(
            hash=digest([content, phrase, first, reason, moment.now_ns]),
            phrase=phrase,
            first=first,
            reason=reason,
            until_ns=moment.now_ns + ASKED_NS,
            until_monotonic_ns=moment.monotonic_ns + ASKED_NS,
        )
        return self.asked

    def second(
        self, operator: str, principal: str, phrase: str, *, needs_two: bool, moment: Moment
    ) -> tuple[Signature, ...]:
        """Judge who makes the second step and what they typed; nothing is changed.

        Raises `Refusal`: not_found where nobody asked, approval_expired, bad_confirmation,
        operator_required, principal_required, same_person.
        """
        asked, operator = self.asked, named(operator)
        if asked is None:
            raise Refusal("not_found", "nobody has asked for arming: interlock arm ask")
        if _is_over(asked, moment):
            raise Refusal("approval_expired", "the first step is too old")
        if phrase != asked.phrase:
            raise Refusal("bad_confirmation", f"type {asked.phrase}")
        mine = Signature(operator=operator, principal=principal)
        if not needs_two:
            return (mine,) if operator == asked.first.operator else (asked.first, mine)
        if not principal or not asked.first.principal:
            raise Refusal("principal_required", "two persons arm, each with a key of their own")
        if operator == asked.first.operator or principal == asked.first.principal:
            raise Refusal("same_person", operator)
        return (asked.first, mine)

    def arm(self, by: tuple[Signature, ...], moment: Moment) -> Armed:
        """Make the second step, whose conditions all hold."""
        assert self.asked is not None and by, "arming is asked for first, by somebody"
        self.armed = Armed(
            by=by,
            reason=self.asked.reason,
            since_ns=moment.now_ns,
            until_ns=moment.now_ns + self._term_ns,
            until_monotonic_ns=moment.monotonic_ns + self._term_ns,
        )
        self.asked, self.is_tended = None, True
        return self.armed

    def lapse(self, moment: Moment) -> str:
        """Forget what is over; return what it was (armed, asked), once, or nothing."""
        if self.armed is not None and _is_over(self.armed, moment):
            self.armed = None
            return ArmingState.ARMED.value
        if self.asked is not None and _is_over(self.asked, moment):
            self.asked = None
            return ArmingState.ASKED.value
        return ""

    def disarm(self, *, leaves_nothing: bool) -> None:
        """Take both steps back; the address closes only where nothing of ours is left at the venue."""
        self.asked = self.armed = None
        self.is_tended = self.is_tended and not leaves_nothing


def phrase_of(venue: str, environment: str, order_usd: str) -> str:
    """Return what is typed at the second step: where, with what money, and how much of it at once."""
    return f"ARM {venue} {environment} {order_usd} USD".upper()


def _is_over(step: Asked | Armed, moment: Moment) -> bool:
    return moment.now_ns >= step.until_ns or moment.monotonic_ns >= step.until_monotonic_ns
