"""Requests for two persons: nobody alone loosens what protects the desk (C22).

A request is bound to the hash of what it is about. Two names with two keys sign it, within five minutes of
the first signature, in one engine's life; then it is done once. Times are passed in.
"""

from __future__ import annotations

from enum import StrEnum

from safety.canonical import changed, digest
from safety.reasons import Refusal
from safety.text import clean
from safety.ticket import Moment, named
from seams.clock import NS_PER_S
from venues.types import Record

WITHIN_NS = 300 * NS_PER_S
MIN_HASH = 8
MAX_PAIRS = 50


class PairKind(StrEnum):
    """What needs two persons. A ticket that needs them carries both names itself."""

    RESUME = "resume"
    LIMIT_RAISE = "limit_raise"


class Signature(Record):
    """Who signed, with which key."""

    operator: str
    principal: str


class Pair(Record):
    """One request. `expires_ns` and its monotonic twin are 0 while nobody has signed."""

    id: str
    kind: PairKind
    subject: str
    hash: str
    reason: str
    note: str = ""
    """What else is carried out with it: the note that a halt's incident wants."""
    signatures: tuple[Signature, ...] = ()
    expires_ns: int = 0
    expires_monotonic_ns: int = 0

    @property
    def names(self) -> str:
        """Return the names of those who signed, joined as a ticket joins them."""
        return "+".join(signature.operator for signature in self.signatures)


class PairBook:
    """The requests that wait. One that is complete has left the book: it is carried out by who took it."""

    def __init__(self) -> None:
        self._pairs: dict[str, Pair] = {}

    def all(self) -> tuple[Pair, ...]:
        """Return every waiting request, oldest first."""
        return tuple(self._pairs.values())

    def find(self, kind: PairKind, subject: str) -> Pair | None:
        """Return the waiting request of a kind about something."""
        same = (pair for pair in self._pairs.values() if (pair.kind, pair.subject) == (kind, subject))
        return next(same, None)

    def ask(
        self,
        pair_id: str,
        kind: PairKind,
        subject: str,
        content: object,
        reason: str = "",
        note: str = "",
    ) -> Pair:
        """Open a request about `content`, in place of an older one about the same subject.

        Raises `Refusal("too_many_tickets")` where too many wait.
        """
        made = Pair(
            id=pair_id,
            kind=kind,
            subject=clean(subject),
            hash=digest([kind, content]),
            reason=clean(reason),
            note=note,
        )
        before = self.find(kind, made.subject)
        if before is not None:
            if (before.hash, before.reason) == (made.hash, made.reason):
                return before
            del self._pairs[before.id]
        if len(self._pairs) >= MAX_PAIRS:
            raise Refusal("too_many_tickets", f"{MAX_PAIRS} requests wait already")
        self._pairs[pair_id] = made
        return made

    def sign(self, pair_id: str, pair_hash: str, operator: str, principal: str, moment: Moment) -> Pair:
        """Sign a request; the second signature completes it and takes it out of the book.

        Raises `Refusal`: operator_required, principal_required, not_found, approval_expired,
        approval_changed, same_person.
        """
        operator = named(operator)
        if not principal:
            raise Refusal("principal_required")
        pair = self._pairs.get(pair_id)
        if pair is None:
            raise Refusal("not_found", clean(pair_id, 40))
        if _is_over(pair, moment):
            raise Refusal("approval_expired", pair.id)
        if len(pair_hash) < MIN_HASH or not pair.hash.startswith(pair_hash):
            raise Refusal("approval_changed", pair.id)
        if any(operator == each.operator or principal == each.principal for each in pair.signatures):
            raise Refusal("same_person", operator)
        signed = changed(
            pair, signatures=(*pair.signatures, Signature(operator=operator, principal=principal))
        )
        if len(signed.signatures) == 1:
            signed = changed(
                signed,
                expires_ns=moment.now_ns + WITHIN_NS,
                expires_monotonic_ns=moment.monotonic_ns + WITHIN_NS,
            )
            self._pairs[pair_id] = signed
        else:
            del self._pairs[pair_id]
        return signed

    def drop(self, pair_id: str) -> Pair:
        """Take a request out: it was refused, or what it is about is gone. Raises `Refusal("not_found")`."""
        pair = self._pairs.pop(pair_id, None)
        if pair is None:
            raise Refusal("not_found", clean(pair_id, 40))
        return pair

    def expire(self, moment: Moment) -> tuple[Pair, ...]:
        """Take out the requests whose second signature did not come in time, and return them."""
        over = tuple(pair for pair in self._pairs.values() if _is_over(pair, moment))
        for pair in over:
            del self._pairs[pair.id]
        return over


def _is_over(pair: Pair, moment: Moment) -> bool:
    if not pair.signatures:
        return False
    return moment.now_ns >= pair.expires_ns or moment.monotonic_ns >= pair.expires_monotonic_ns
