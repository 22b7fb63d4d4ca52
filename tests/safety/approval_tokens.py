"""Approval tokens tried in every wrong way: twice, altered in any part, too late, by somebody else (S17).

Hypothesis draws what happens to a desk; a model that shares no code with the book says which approvals are
right. Both must agree, case by case. The fast test draws some hundred cases. All:

    python -m tests.safety.approval_tokens --count 100000
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from safety_builders import D, facts, instrument, intent, policy  # noqa: E402

from safety.approval import Moment, Ticket, TicketBook  # noqa: E402
from safety.facts import Preflight  # noqa: E402
from safety.override import FirstSignature  # noqa: E402
from safety.preflight import preflight  # noqa: E402
from safety.reasons import Refusal  # noqa: E402

SECOND = 10**9
START_NS = 1_790_000_000 * SECOND
LIFE_NS, RESERVED_NS, GRACE_NS = 60 * SECOND, 30 * SECOND, SECOND // 2
PEOPLE = ("ada", "bob", "cyd")
SIZE = "0.5"
CHECKS: dict[str, Preflight] = {
    "good": preflight(intent(), facts(), policy(), instrument()),
    "moved": preflight(intent(), facts(mark_price=D("100.5")), policy(), instrument()),
    "warn": preflight(intent(), facts(), policy(max_notional_per_order_usd=D("55")), instrument()),
    "over": preflight(intent(), facts(), policy(max_notional_per_order_usd=D("40")), instrument()),
    "killed": preflight(intent(), facts(kill_level=1), policy(), instrument()),
}
OVER = "over"
"""The only set of checks whose failure is a bound of size: two persons may pass over it."""


class Token(NamedTuple):
    """Everything that an approval brings."""

    ticket_id: str
    hash: str
    operator: str
    size: str | None
    epoch: int
    limits_epoch: int
    principal: str
    mode: str
    """plain, two (persons), override, or cosign."""


@dataclass
class Known:
    """What the model knows of a ticket: who may approve what, until when."""

    checks: str
    epoch: int
    limits_epoch: int
    hash: str
    ends: tuple[int, int]
    changed_ns: int
    state: str = "proposed"
    reviewer: str = ""
    reserved_ns: int = 0
    author: str = ""
    first: tuple[str, str] = ("", "")


@dataclass
class Desk:
    """A book of tickets, the model beside it, and both clocks."""

    book: TicketBook = field(default_factory=TicketBook)
    known: dict[str, Known] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    wall_ns: int = START_NS
    mono_ns: int = 0
    epoch: int = 1
    limits_epoch: int = 1
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def moment(self) -> Moment:
        return Moment(now_ns=self.wall_ns, monotonic_ns=self.mono_ns)

    def propose(self, checks: str, author: str) -> None:
        if len(self.known) == 4:
            return
        name = f"T-{len(self.known)}"
        ticket = self.book.propose(
            name,
            intent(),
            CHECKS[checks],
            epoch=self.epoch,
            limits_epoch=self.limits_epoch,
            moment=self.moment,
            ttl_ns=LIFE_NS,
            proposed_by=author,
        )
        ends = (self.wall_ns + LIFE_NS, self.mono_ns + LIFE_NS)
        self.known[name] = Known(
            checks, self.epoch, self.limits_epoch, ticket.hash, ends, self.mono_ns, author=author
        )

    def look(self, number: int, who: str, checks: str) -> None:
        name = f"T-{number}"
        try:
            shown = self.book.select(name, who, self.moment, CHECKS[checks], self.limits_epoch)
        except Refusal:
            return
        known = self.known[name]
        if (known.checks, known.limits_epoch) != (checks, self.limits_epoch):
            known.checks, known.limits_epoch, known.changed_ns = checks, self.limits_epoch, self.mono_ns
            assert shown.hash != known.hash, "another version has another hash"
            known.hash = shown.hash
        assert shown.hash == known.hash, "the same version keeps its hash"
        known.state, known.reviewer, known.reserved_ns = "reviewing", who, self.mono_ns + RESERVED_NS
        token = Token(name, shown.hash, who, SIZE, known.epoch, known.limits_epoch, f"key-{who}", "plain")
        self.tokens.append(token)

    def wait(self, both_ns: int, wall_ns: int) -> None:
        self.mono_ns += both_ns
        self.wall_ns += both_ns + wall_ns

    def sweep(self) -> None:
        """The engine's second: what is over is closed, a lapsed reservation is free."""
        self.book.expire(self.moment)
        for known in self.known.values():
            if known.state in ("proposed", "reviewing", "cosigning", "approved") and self._is_over(known):
                known.state = "expired"
            elif known.state == "reviewing" and known.reserved_ns <= self.mono_ns:
                known.state, known.reviewer = "proposed", ""

    def restart(self) -> None:
        book = TicketBook()
        book.restore(self.book.all())
        self.book, self.epoch = book, self.epoch + 1
        for known in self.known.values():
            known.state = "over" if known.state != "sent" else known.state

    def loosen(self) -> None:
        self.limits_epoch += 1

    def bring(self, token: Token) -> None:
        """Try a token; book and model must agree whether it counts."""
        right = self._is_right(token)
        try:
            after = self._tried(token)
        except Refusal:
            assert not right, f"refused, and it was right: {token}"
            self.tally["refused"] += 1
            return
        assert right, f"ACCEPTED, and it was wrong: {token}"
        self.tally["accepted"] += 1
        known = self.known[token.ticket_id]
        if token.mode in ("two", "override"):
            known.state, known.first = "cosigning", (token.operator, token.principal)
        else:
            known.state = "approved"
            assert token.operator in after.approved_by.split("+")

    def _tried(self, token: Token) -> Ticket:
        if token.mode == "cosign":
            return self.book.cosign(
                token.ticket_id,
                token.hash,
                token.operator,
                token.principal,
                epoch=token.epoch,
                moment=self.moment,
                limits_epoch=token.limits_epoch,
            )
        first = None
        if token.mode != "plain":
            first = FirstSignature(
                principal=token.principal, is_override=token.mode == "override", reason="drawn"
            )
        return self.book.approve(
            token.ticket_id,
            token.hash,
            token.operator,
            typed_size=token.size,
            epoch=token.epoch,
            moment=self.moment,
            limits_epoch=token.limits_epoch,
            first=first,
        )

    def _is_right(self, token: Token) -> bool:
        known = self.known.get(token.ticket_id)
        if known is None or self._is_over(known):
            return False
        if (token.hash, token.epoch, token.limits_epoch) != (known.hash, known.epoch, known.limits_epoch):
            return False
        if token.mode == "cosign":
            is_other = token.operator not in (known.first[0], known.author)
            return known.state == "cosigning" and is_other and token.principal != known.first[1]
        if known.state != "reviewing" or token.operator != known.reviewer:
            return False
        if self.mono_ns >= known.reserved_ns or self.mono_ns - known.changed_ns < GRACE_NS:
            return False
        if known.checks == "killed" or (known.checks == OVER and token.mode != "override"):
            return False
        return token.size == SIZE if known.checks in ("warn", OVER) else True

    def _is_over(self, known: Known) -> bool:
        return self.wall_ns >= known.ends[0] or self.mono_ns >= known.ends[1]


NUMBERS = st.integers(min_value=0, max_value=3)
WHO = st.sampled_from(PEOPLE)
STEPS = st.one_of(
    st.tuples(st.just("propose"), st.sampled_from(list(CHECKS)), st.sampled_from(["", "ada"])),
    st.tuples(st.just("look"), NUMBERS, WHO, st.sampled_from(list(CHECKS))),
    st.tuples(
        st.just("wait"),
        st.sampled_from([SECOND // 10, SECOND // 2, 5 * SECOND, 29 * SECOND, 31 * SECOND]),
        st.sampled_from([0, 0, 0, 61 * SECOND, -3_600 * SECOND]),
    ),
    st.tuples(st.just("sweep")),
    st.tuples(st.sampled_from(["restart", "loosen"])),
)
ALTERATIONS: dict[str, st.SearchStrategy[object]] = {
    "ticket_id": NUMBERS.map(lambda number: f"T-{number}"),
    "hash": st.sampled_from(["0" * 64, "", "f" * 63]),
    "operator": WHO,
    "size": st.sampled_from([None, "5", "0.50001", "NaN"]),
    "epoch": st.integers(min_value=0, max_value=3),
    "limits_epoch": st.integers(min_value=0, max_value=3),
    "principal": WHO.map(lambda who: f"key-{who}"),
}
BRINGS = st.tuples(
    st.just("bring"),
    st.integers(min_value=0, max_value=30),
    st.sampled_from(["plain", "plain", "two", "override", "cosign", "cosign"]),
    st.lists(
        st.one_of(*(st.tuples(st.just(name), value) for name, value in ALTERATIONS.items())), max_size=2
    ),
)
LIVES = st.lists(st.one_of(STEPS, BRINGS, BRINGS), min_size=4, max_size=24)


def play(life: list[tuple[object, ...]], tally: Counter[str]) -> None:
    """Let one desk live through what was drawn. A token is tried as it was shown, and once altered."""
    desk = Desk(tally=tally)
    desk.propose("good", "")
    desk.look(0, "ada", "good")
    for name, *words in life:
        if name != "bring":
            act: Callable[..., None] = getattr(desk, str(name))
            act(*words)
        elif desk.tokens:
            which, mode, alterations = words
            assert isinstance(which, int) and isinstance(alterations, list)
            token = desk.tokens[which % len(desk.tokens)]._replace(mode=str(mode))
            if mode == "cosign":  # who signs second has seen what the first one saw
                token = token._replace(operator="bob", principal="key-bob")
            altered = token._replace(**dict(alterations))
            tally["altered" if altered != token else "as shown"] += 1
            desk.bring(altered)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    tally: Counter[str] = Counter()
    cases = 0

    @seed(wanted.seed)
    @settings(
        max_examples=wanted.count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(LIVES)
    def every_life(life: list[tuple[object, ...]]) -> None:
        nonlocal cases
        cases += 1
        play(life, tally)

    began = time.monotonic()
    every_life()
    wall_s = round(time.monotonic() - began, 1)
    print(json.dumps({"cases": cases, **tally, "wrongly accepted": 0, "wall_s": wall_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
