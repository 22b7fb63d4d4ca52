"""What two persons do together: a reset of halt_all, and the raise of a limit (C22).

Where two persons are needed, a first resume opens a request and the second person's signature carries it
out; a raise waits for its cool-down and for two signatures, whichever comes later. A restart forgets both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.api import commands as c
from engine.api.ticket_views import PairRow
from engine.core import Core
from safety.killbyte import KillLevel
from safety.limits import Change
from safety.reasons import Refusal
from safety.text import clean
from safety.two_person import Pair, PairBook, PairKind
from venues.types import Record

Resume = Callable[[str, str, str], Awaitable[None]]
"""Loosens the latch in the names given, for a reason, with a note for the incident."""


class PairDesk:
    """The requests for two persons of one engine."""

    def __init__(self, core: Core, resume: Resume) -> None:
        self.core, self._resume = core, resume
        self.book = PairBook()
        self._raises: set[tuple[object, ...]] = set()
        core.limits.may_raise = self.may_raise

    def may_raise(self, change: Change) -> bool:
        """Tell whether a raise whose cool-down is over may come into force."""
        return not self.core.needs_two_persons or _key(change) in self._raises

    def needs_two(self) -> bool:
        """Tell whether the latch as it stands is loosened only by two persons."""
        return self.core.needs_two_persons and self.core.kill.level is KillLevel.HALT_ALL

    async def resume(self, command: c.Command, principal: str) -> Record:
        """Ask for the latch to be loosened: the first of two signatures.

        Raises `Refusal`: reason_required, principal_required, same_person.
        """
        if not clean(command.reason):
            raise Refusal("reason_required", "say why it is safe to go on")
        if not principal:
            raise Refusal("principal_required")
        record = self.core.kill.record
        content = [record.trips, record.since_ns, record.by, record.reason, self.core.epoch]
        subject = f"K-{record.trips:04d} by {record.by}: {record.reason}"
        standing = self.book.find(PairKind.RESUME, clean(subject))
        assert isinstance(command.body, c.Resume)
        note = command.body.note
        pair = standing or self.book.ask(
            self.core.ids.new("P"), PairKind.RESUME, subject, [*content, note], command.reason, note
        )
        return await self._sign(pair.id, pair.hash, command.operator, principal)

    async def confirm(self, command: c.Command, principal: str) -> Record:
        """Sign what somebody else asked for."""
        assert isinstance(command.body, c.PairConfirm)
        body = command.body
        return await self._sign(body.pair_id, body.pair_hash.lower(), command.operator, principal)

    async def refuse(self, command: c.Command) -> Record | None:
        """Take a request away; anybody may stop."""
        assert isinstance(command.body, c.PairRefuse)
        pair = self.book.drop(command.body.pair_id)
        said = f"{pair.id} {pair.kind} {pair.subject}: {clean(command.reason) or 'no reason given'}"
        self.core.note("pair_refused", command.operator, said, hash=pair.hash)
        return None

    async def _sign(self, pair_id: str, pair_hash: str, operator: str, principal: str) -> Record:
        core = self.core
        pair = self.book.sign(pair_id, pair_hash, operator, principal, core.moment())
        said = f"{pair.id} {pair.kind} {pair.subject}: signed by {pair.names}"
        core.note("pair_signed", operator, said, hash=pair.hash, principal=principal)
        if len(pair.signatures) == 2:
            if pair.kind is PairKind.RESUME:
                await self._resume(pair.names, pair.reason, pair.note)
            else:
                self._raises |= {_key(c) for c in self._waiting() if c.name == pair.subject}
        return pair_row(pair)

    def tend(self) -> None:
        """Once a second: end what nobody joined, drop what is no longer about anything, ask about raises."""
        core = self.core
        for pair in self.book.expire(core.moment()):
            core.note("pair_expired", "eng", f"{pair.id} {pair.kind} {pair.subject}: {pair.names} alone")
        waiting = {change.name: change for change in self._waiting()}
        for pair in self.book.all():
            is_raise = pair.kind is PairKind.LIMIT_RAISE
            if (is_raise and pair.subject not in waiting) or (not is_raise and not self.needs_two()):
                self.book.drop(pair.id)
        for name, change in waiting.items():
            said = f"{change.before} -> {change.after}"
            standing = self.book.find(PairKind.LIMIT_RAISE, name)
            is_asked = standing is not None and standing.reason == said
            if core.needs_two_persons and not is_asked and _key(change) not in self._raises:
                self.book.ask(core.ids.new("P"), PairKind.LIMIT_RAISE, name, _key(change), said)

    def rows(self) -> tuple[PairRow, ...]:
        """Return what waits for a signature, as people see it."""
        return tuple(pair_row(pair) for pair in self.book.all())

    def _waiting(self) -> tuple[Change, ...]:
        return tuple(waiting.change for waiting in self.core.limits.waiting.values())


def pair_row(pair: Pair) -> PairRow:
    """Return one request as people see it."""
    return PairRow(
        pair_id=pair.id,
        kind=pair.kind,
        subject=pair.subject,
        pair_hash=pair.hash,
        signed_by=tuple(signature.operator for signature in pair.signatures),
        reason=pair.reason,
        expires_ns=pair.expires_ns,
    )


def _key(change: Change) -> tuple[object, ...]:
    return (change.name, change.before, change.after)
