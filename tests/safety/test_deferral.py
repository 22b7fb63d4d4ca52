"""A deferral changes the order of reading, never a ticket's hash or the end of its life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safety_builders import facts, instrument, intent, policy

from safety.approval import RESERVATION_NS, Moment, Ticket, TicketBook, TicketState
from safety.deferral import LAST_LOOK_NS, is_deferred, queue
from safety.preflight import preflight
from safety.reasons import Refusal
from seams.clock import NS_PER_S

START_NS = 1_790_000_000_000_000_000
GOOD = preflight(intent(), facts(), policy(), instrument())
TTL_S = 60


def at(after_s: float) -> Moment:
    return Moment(now_ns=START_NS + round(after_s * NS_PER_S), monotonic_ns=round(after_s * NS_PER_S))


def book_of(*names: str) -> TicketBook:
    """Tickets that expire one second after the other."""
    book = TicketBook()
    for place, name in enumerate(names):
        book.propose(name, intent(), GOOD, epoch=1, moment=at(place), ttl_ns=TTL_S * NS_PER_S)
    return book


def order(book: TicketBook, after_s: float) -> list[str]:
    return [ticket.id for ticket in queue(book.open(), at(after_s).now_ns)]


def refusal(book: TicketBook, name: str, operator: str, after_s: float, seconds: float = 0.0) -> str:
    with pytest.raises(Refusal) as refused:
        book.defer(name, operator, at(after_s), seconds, "")
    return refused.value.code


def test_a_deferred_ticket_leaves_the_head_and_returns_to_it_when_its_time_is_over() -> None:
    book = book_of("T-1", "T-2", "T-3")
    book.defer("T-2", "ada", at(4), 20, "waits for the print")
    assert order(book, 4) == ["T-1", "T-3", "T-2"]
    assert order(book, 23.9) == ["T-1", "T-3", "T-2"]
    assert order(book, 24) == ["T-2", "T-1", "T-3"]


def test_it_is_the_head_at_once_when_all_others_are_decided() -> None:
    book = book_of("T-1", "T-2")
    book.defer("T-1", "ada", at(2), 20, "")
    book.reject("T-2", "ada", 1)
    assert order(book, 3) == ["T-1"]


def test_hash_version_and_expiry_stay_and_a_review_ends() -> None:
    book = book_of("T-1")
    before = book.select("T-1", "ada", at(1))
    after = book.defer("T-1", "ada", at(2), 10, "look at the book first\x1b[31m")
    kept = (after.hash, after.version, after.expires_ns, after.expires_monotonic_ns)
    assert kept == (before.hash, before.version, before.expires_ns, before.expires_monotonic_ns)
    assert (after.state, after.reviewer) == (TicketState.PROPOSED, "")
    assert after.deferred_by == "ada" and "\x1b" not in after.deferred_why
    assert [t.id for t in book.expire(at(TTL_S))] == ["T-1"], "it expires when it would"


def test_whoever_takes_it_up_again_ends_the_deferral() -> None:
    book = book_of("T-1", "T-2")
    book.defer("T-1", "ada", at(2), 20, "")
    taken = book.select("T-1", "bob", at(3))
    assert not is_deferred(taken, at(3).now_ns) and order(book, 3) == ["T-1", "T-2"]


def test_what_another_reviews_what_is_over_and_what_is_no_time_are_refused() -> None:
    book = book_of("T-1")
    book.select("T-1", "ada", at(1))
    assert refusal(book, "T-1", "bob", 2) == "ticket_reserved"
    book.defer("T-1", "bob", at(1 + RESERVATION_NS / NS_PER_S), 1, "")
    assert refusal(book, "T-1", "bob", 40, -1.0) == "invalid_request"
    assert refusal(book, "T-1", "bob", 40, float("nan")) == "invalid_request"
    assert refusal(book, "T-1", "rule:paper", 40) == "operator_required"
    assert refusal(book, "T-1", "bob", TTL_S) == "ticket_expired"
    assert refusal(book, "T-9", "bob", 40) == "unknown_ticket"


@given(st.floats(0, 59.9), st.floats(0, 1e5))
def test_there_is_always_time_left_to_read_it(after_s: float, seconds: float) -> None:
    book = book_of("T-1")
    ticket: Ticket = book.defer("T-1", "ada", at(after_s), seconds, "")
    left_ns = ticket.expires_ns - at(after_s).now_ns
    assert ticket.deferred_until_ns > at(after_s).now_ns or left_ns < 2
    assert ticket.expires_ns - ticket.deferred_until_ns >= min(LAST_LOOK_NS, left_ns // 2)
