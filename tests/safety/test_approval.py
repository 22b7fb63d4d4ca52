"""Tickets: approved once, in time, by the reviewer, for exactly what was shown."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from safety_builders import D, facts, instrument, intent, policy

from safety.approval import (
    DEFAULT_TTL_NS,
    FINAL_STATES,
    GRACE_NS,
    MAX_OPEN_TICKETS,
    OPEN_STATES,
    REJECT_REASONS,
    RESERVATION_NS,
    TRANSITIONS,
    ApprovalRule,
    Moment,
    Ticket,
    TicketBook,
    TicketEvent,
    TicketState,
)
from safety.approval_measures import measure_rows, measures
from safety.canonical import changed
from safety.intent import ExecutionIntent, IntentCategory
from safety.preflight import Preflight, preflight
from safety.reasons import Refusal

START_NS = 1_790_000_000_000_000_000
GOOD = preflight(intent(), facts(), policy(), instrument())
MOVED = preflight(intent(), facts(mark_price=D("100.5")), policy(), instrument())
NEAR = preflight(intent(), facts(), policy(max_notional_per_order_usd=D("55")), instrument())
BAD = preflight(intent(), facts(kill_level=1), policy(), instrument())


def at(after_ns: int) -> Moment:
    return Moment(now_ns=START_NS + after_ns, monotonic_ns=after_ns)


def reviewing(checked: object = GOOD) -> tuple[TicketBook, Ticket]:
    book = TicketBook()
    book.propose("T-1", intent(), checked, epoch=1, moment=at(0))  # type: ignore[arg-type]
    return book, book.select("T-1", "alice", at(GRACE_NS))


def approve(book: TicketBook, ticket: Ticket, after_ns: int = GRACE_NS, **changes: object) -> Ticket:
    arguments: dict[str, object] = {"typed_size": None, "epoch": 1, "moment": at(after_ns)}
    who, seen = changes.pop("operator", "alice"), changes.pop("hash", ticket.hash)
    return book.approve(ticket.id, seen, who, **{**arguments, **changes})  # type: ignore[arg-type]


def refused(book: TicketBook, ticket: Ticket, after_ns: int = GRACE_NS, **changes: object) -> str:
    with pytest.raises(Refusal) as refusal:
        approve(book, ticket, after_ns, **changes)
    return refusal.value.code


def test_a_reviewed_ticket_is_approved_once() -> None:
    book, ticket = reviewing()
    assert approve(book, ticket).state is TicketState.APPROVED
    assert refused(book, ticket) == "ticket_used"


def test_the_wrong_hash_epoch_person_or_moment_is_refused() -> None:
    book, ticket = reviewing()
    assert refused(book, ticket, hash="0" * 64) == "ticket_hash_mismatch"
    assert refused(book, ticket, epoch=2) == "wrong_epoch"
    assert refused(book, ticket, operator="bob") == "ticket_review_required"
    assert refused(book, ticket, operator=" ") == "operator_required"
    assert refused(book, ticket, GRACE_NS - 1) == "ticket_changed"
    assert refused(book, ticket, GRACE_NS + RESERVATION_NS) == "ticket_review_required"
    assert refused(book, ticket, DEFAULT_TTL_NS) == "ticket_expired"
    assert book.get("T-1").state is TicketState.REVIEWING


@pytest.mark.parametrize("clock", ["now_ns", "monotonic_ns"])
def test_either_clock_alone_expires_a_ticket(clock: str) -> None:
    book, ticket = reviewing()
    late = {"now_ns": START_NS + GRACE_NS, "monotonic_ns": GRACE_NS}
    late[clock] += DEFAULT_TTL_NS
    assert refused(book, ticket, moment=Moment(**late)) == "ticket_expired"
    assert [closed.id for closed in book.expire(Moment(**late))] == ["T-1"]


def test_fresh_checks_make_a_new_version_that_must_be_read() -> None:
    book, ticket = reviewing()
    again = book.select("T-1", "alice", at(10 * GRACE_NS), MOVED)
    assert again.version == 2 and again.hash != ticket.hash
    assert refused(book, ticket, 12 * GRACE_NS, hash=ticket.hash) == "ticket_hash_mismatch"
    assert refused(book, again, 10 * GRACE_NS + 1) == "ticket_changed"
    assert approve(book, again, 11 * GRACE_NS).state is TicketState.APPROVED


def test_a_warning_asks_for_the_typed_size_and_a_failure_refuses() -> None:
    book, ticket = reviewing(NEAR)
    assert refused(book, ticket) == "bad_confirmation"
    assert refused(book, ticket, typed_size="5") == "bad_confirmation"
    assert refused(book, ticket, typed_size="NaN") == "bad_confirmation"
    assert approve(book, ticket, typed_size=" 0.50 ").state is TicketState.APPROVED
    book, ticket = reviewing(BAD)
    assert refused(book, ticket, typed_size="0.5") == "checks_failed"


def test_a_reservation_keeps_others_out_until_it_lapses() -> None:
    book, _ = reviewing()
    with pytest.raises(Refusal, match="ticket_reserved"):
        book.select("T-1", "bob", at(2 * GRACE_NS))
    assert book.expire(at(GRACE_NS + RESERVATION_NS)) == ()
    assert book.get("T-1").state is TicketState.PROPOSED
    assert book.select("T-1", "bob", at(GRACE_NS + RESERVATION_NS)).reviewer == "bob"


def test_a_rejection_says_why() -> None:
    book, _ = reviewing()
    for digit, text in ((0, ""), (7, ""), (6, " ")):
        with pytest.raises(Refusal, match="reason_required"):
            book.reject("T-1", "alice", digit, text)
    assert len(REJECT_REASONS) == 6
    assert book.reject("T-1", "alice", 1).closed_reason == "alice: price moved"


def test_a_restart_rejects_what_was_open() -> None:
    book, ticket = reviewing()
    approve(book, ticket)
    again = TicketBook()
    assert [t.id for t in again.restore(book.all())] == ["T-1"]
    assert again.get("T-1").state is TicketState.REJECTED


def test_the_queue_is_bounded_and_ids_are_used_once() -> None:
    book = TicketBook()
    for number in range(MAX_OPEN_TICKETS):
        book.propose(f"T-{number}", intent(), GOOD, epoch=1, moment=at(0))
    with pytest.raises(Refusal, match="too_many_tickets"):
        book.propose("T-more", intent(), GOOD, epoch=1, moment=at(0))
    with pytest.raises(Refusal, match="duplicate_request"):
        book.propose("T-1", intent(), GOOD, epoch=1, moment=at(0))


def test_only_a_review_or_a_named_rule_leads_to_approval_and_nothing_leaves_a_final_state() -> None:
    into = [pair for pair, after in TRANSITIONS.items() if after is TicketState.APPROVED]
    assert into == [
        (TicketState.PROPOSED, TicketEvent.APPROVE_BY_RULE),
        (TicketState.REVIEWING, TicketEvent.APPROVE),
        (TicketState.COSIGNING, TicketEvent.APPROVE),
    ]
    assert not [pair for pair in TRANSITIONS if pair[0] in FINAL_STATES]
    assert [pair for pair in TRANSITIONS if pair[1] is TicketEvent.SEND] == [
        (TicketState.APPROVED, TicketEvent.SEND)
    ]


def by_rule(
    book: TicketBook, rule: ApprovalRule = ApprovalRule.PAPER, *, epoch: int = 1, after_ns: int = 0
) -> Ticket:
    return book.approve_by_rule("T-1", rule, epoch=epoch, moment=at(after_ns))


def waiting(checks: Preflight = GOOD, wish: ExecutionIntent | None = None) -> TicketBook:
    book = TicketBook()
    book.propose("T-1", wish or intent(), checks, epoch=1, moment=at(0))
    return book


def test_a_rule_approves_at_once_and_once_in_its_own_name() -> None:
    book = waiting()
    assert by_rule(book).approved_by == "rule:paper"
    with pytest.raises(Refusal, match="ticket_used"):
        by_rule(book)


def test_a_rule_is_refused_what_a_person_reviews_what_fails_what_is_old() -> None:
    reviewed = waiting()
    reviewed.select("T-1", "alice", at(0))
    for book, code, epoch, after_ns in (
        (reviewed, "ticket_used", 1, 0),
        (waiting(BAD), "checks_failed", 1, 0),
        (waiting(), "wrong_epoch", 2, 0),
        (waiting(), "ticket_expired", 1, DEFAULT_TTL_NS),
    ):
        with pytest.raises(Refusal, match=code):
            by_rule(book, epoch=epoch, after_ns=after_ns)


def test_the_flatten_rule_covers_only_a_flatten() -> None:
    closing = changed(intent(), reduce_only=True, intent_category=IntentCategory.FLATTEN)
    assert by_rule(waiting(wish=closing), ApprovalRule.FLATTEN).approved_by == "rule:flatten"
    for wish in (
        intent(),
        changed(intent(), intent_category=IntentCategory.FLATTEN),
        changed(intent(), reduce_only=True),
    ):
        with pytest.raises(Refusal, match="not_permitted"):
            by_rule(waiting(wish=wish), ApprovalRule.FLATTEN)


def test_nobody_signs_as_a_rule_and_no_later_event_approves() -> None:
    book = waiting()
    for act in (
        lambda: book.select("T-1", "rule:paper", at(0)),
        lambda: book.reject("T-1", " rule:flatten", 1),
    ):
        with pytest.raises(Refusal, match="operator_required"):
            act()
    with pytest.raises(Refusal, match="ticket_review_required"):
        book.advance("T-1", TicketEvent.APPROVE_BY_RULE)


def test_measures_count_what_people_decided_and_how_hastily() -> None:
    book = TicketBook()
    for number, checked in enumerate((GOOD, NEAR, GOOD, GOOD)):
        book.propose(f"T-{number}", intent(), checked, epoch=1, moment=at(0))
    second = 2 * GRACE_NS
    for number, seconds in ((0, 1), (1, 5)):
        shown = book.select(f"T-{number}", "alice", at(second))
        late = at((1 + seconds) * second)
        book.approve(shown.id, shown.hash, "alice", typed_size="0.5", epoch=1, moment=late)
    book.reject("T-2", "alice", 1, moment=at(9 * second))
    book.approve_by_rule("T-3", ApprovalRule.PAPER, epoch=1, moment=at(0))
    found = measures(book.all())
    assert (found.approved, found.rejected, found.within_2s, found.over_warn) == (2, 1, 1, 1)
    assert (found.median_ms, found.slowest_ms) == (6_000, 9_000)
    assert dict(measure_rows(found))["approved within 2 s"] == "1 of 2 (50%)"
    assert measures(()).median_ms is None


class Tickets(RuleBasedStateMachine):
    """Two operators, three tickets, a clock, restarts and epochs, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.book, self.after_ns, self.epoch, self.count = TicketBook(), 0, 1, 0
        self.approved: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.seen: dict[tuple[str, str], str] = {}

    ids = st.integers(min_value=1, max_value=3).map(lambda number: f"T-{number}")
    people = st.sampled_from(["alice", "bob"])

    @rule()
    def propose(self) -> None:
        if self.count < 3:
            self.count += 1
            self.book.propose(f"T-{self.count}", intent(), GOOD, epoch=self.epoch, moment=at(self.after_ns))

    @rule(seconds=st.sampled_from([0.1, 0.5, 10, 31]))
    def wait(self, seconds: float) -> None:
        self.after_ns += int(seconds * 1e9)

    @rule(ticket_id=ids, who=people, checks=st.sampled_from([GOOD, MOVED, BAD]))
    def select(self, ticket_id: str, who: str, checks: object) -> None:
        try:
            shown = self.book.select(ticket_id, who, at(self.after_ns), checks)  # type: ignore[arg-type]
        except Refusal:
            return
        self.seen[ticket_id, who] = shown.hash

    @rule(ticket_id=ids, who=people)
    def approve(self, ticket_id: str, who: str) -> None:
        moment = at(self.after_ns)
        shown = self.seen.get((ticket_id, who), "")
        try:
            ticket = self.book.approve(
                ticket_id, shown, who, typed_size="0.5", epoch=self.epoch, moment=moment
            )
        except Refusal:
            return
        self.approved[ticket_id] = self.approved.get(ticket_id, 0) + 1
        assert shown == ticket.hash and ticket.allowed and ticket.epoch == self.epoch
        assert moment.now_ns < ticket.expires_ns and moment.monotonic_ns < ticket.expires_monotonic_ns

    @rule(ticket_id=ids, event=st.sampled_from(list(TicketEvent)))
    def advance(self, ticket_id: str, event: TicketEvent) -> None:
        try:
            self.book.advance(ticket_id, event)
        except Refusal:
            return
        if event is TicketEvent.SEND:
            self.sent[ticket_id] = self.sent.get(ticket_id, 0) + 1

    @rule()
    def expire(self) -> None:
        self.book.expire(at(self.after_ns))
        for ticket in self.book.open():
            assert ticket.expires_monotonic_ns > self.after_ns

    @rule()
    def restart(self) -> None:
        book = TicketBook()
        book.restore(self.book.all())
        assert book.open() == ()
        self.book = book

    @rule()
    def new_epoch(self) -> None:
        self.epoch += 1

    @invariant()
    def the_tickets_told_apart_are_those_of_the_book(self) -> None:
        waiting = [ticket for ticket in self.book.all() if ticket.state in OPEN_STATES]
        assert self.book.open() == tuple(sorted(waiting, key=lambda ticket: (ticket.expires_ns, ticket.id)))
        for who in ("alice", "bob"):
            states = (TicketState.REVIEWING, TicketState.COSIGNING)
            mine = [each for each in self.book.all() if each.state in states and each.reviewer == who]
            assert self.book.in_hand_of(who) == tuple(mine)

    @invariant()
    def nothing_happens_twice(self) -> None:
        assert all(count == 1 for count in (*self.approved.values(), *self.sent.values()))
        assert set(self.sent) <= set(self.approved)

    @invariant()
    def what_went_out_was_approved(self) -> None:
        for ticket in self.book.all():
            if ticket.state not in OPEN_STATES | FINAL_STATES:
                assert ticket.approved_by


TestTickets = Tickets.TestCase
TestTickets.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
