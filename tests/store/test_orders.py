"""Orders are recorded before they are sent, and fills are counted once (OC-28)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from engine.store import Store, StoreConflict
from engine.store.rows import OrderEventRecord
from venues.types import OrderStatus

from .builders import AT, decision, fill, intent, order, session
from .looking import events_of, intents_without_proof

EVENT = OrderEventRecord(client_order_id="O-1", kind="seen", at_ns=AT + 9, recorded_ns=AT + 10)


def test_intent_and_order_come_back_exactly_as_recorded(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    assert store.orders.intent("I-1") == intent()
    assert store.orders.order("O-1") == order()
    assert store.orders.orders_open() == [order()]
    assert intents_without_proof(store.link) == [(intent(), order())]


def test_second_order_for_one_intent_is_refused_and_leaves_nothing(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    with pytest.raises(StoreConflict):
        store.orders.record_intent_and_order(intent(), order("O-2"))
    assert store.orders.order("O-2") is None


def test_failed_order_takes_its_intent_with_it(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    with pytest.raises(StoreConflict):
        store.orders.record_intent_and_order(intent("I-2"), order("O-1", "I-2"))
    assert store.orders.intent("I-2") is None


def test_same_wish_under_another_name_is_refused(store: Store) -> None:
    store.orders.record_intent_and_order(intent(dedupe_key="k"), order())
    with pytest.raises(StoreConflict):
        store.orders.record_intent_and_order(intent("I-2", dedupe_key="k"), order("O-2", "I-2"))


def test_fill_counts_exactly_once(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    after = order(status=OrderStatus.PARTIAL, pending="none", filled=Decimal("0.1"), acked_ns=AT + 5)
    assert store.orders.record_fill(fill(), after)
    assert not store.orders.record_fill(fill(price=Decimal(1)), order(filled=Decimal("0.2")))
    assert store.orders.order("O-1") == after
    assert store.orders.fills_of("O-1") == [fill()]
    assert store.orders.fills_of_account("sandbox", "A") == [fill()]


def test_fill_of_an_unknown_order_is_kept_unmatched(store: Store) -> None:
    assert store.orders.record_fill(fill(client_order_id=""))
    assert store.orders.fills_of_account("sandbox", "A")[0].client_order_id == ""


def test_event_and_order_state_move_together(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    done = order(status=OrderStatus.REJECTED, pending="none", reason="no_margin", done_ns=AT + 9)
    event = OrderEventRecord(client_order_id="O-1", kind="rejected", at_ns=AT + 9, recorded_ns=AT + 10)
    store.orders.record_order_event(event, done)
    assert store.orders.order("O-1") == done
    assert store.orders.orders_open() == []
    assert intents_without_proof(store.link) == []
    assert events_of(store.link, "O-1") == [msgspec.structs.replace(event, seq=1)]


def test_unknown_order_stays_open(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    store.orders.record_order_event(EVENT, order(status=OrderStatus.UNKNOWN, pending="none"))
    assert [row.client_order_id for row in store.orders.orders_open()] == ["O-1"]


def test_order_cannot_change_what_it_was(store: Store) -> None:
    store.orders.record_intent_and_order(intent(), order())
    store.orders.record_order_event(
        EVENT, order(quantity=Decimal(9), limit_price=Decimal(9), venue_order_id="V")
    )
    saved = store.orders.order("O-1")
    assert saved is not None
    assert (saved.quantity, saved.limit_price, saved.venue_order_id) == (
        order().quantity,
        order().limit_price,
        "V",
    )


@pytest.mark.parametrize(
    "changes",
    [{"quantity": Decimal(0)}, {"quantity": Decimal(-1)}, {"status": "sent"}, {"session_id": "nobody"}],
)
def test_impossible_rows_are_refused(store: Store, changes: dict[str, object]) -> None:
    with pytest.raises(StoreConflict):
        store.orders.record_intent_and_order(intent(**changes), order())


def test_grouped_calls_are_one_commit(store: Store) -> None:
    def start_twice() -> None:
        with store.transaction():
            store.sessions.start(session())
            store.facts.set("account", "1", AT)
            store.sessions.start(session())

    with pytest.raises(StoreConflict):
        start_twice()
    assert store.sessions.get("S-1") is None
    assert store.facts.get("account") is None


@pytest.mark.parametrize("missing", ["config_fingerprint", "run_fingerprint"])
def test_decision_without_a_fingerprint_is_refused(store: Store, missing: str) -> None:
    store.decisions.record_decision(decision())
    with pytest.raises(StoreConflict):
        store.decisions.record_decision(decision("D-2", **{missing: ""}))


@pytest.mark.parametrize("is_asked_first", [False, True], ids=["prepared only", "after a query"])
def test_a_commit_that_fails_leaves_nothing_and_nothing_open(store: Store, is_asked_first: bool) -> None:
    """A reference that is only checked at the commit fails there, and SQLite keeps the transaction open."""

    def record() -> None:
        with store.transaction() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA defer_foreign_keys=ON")
            assert not is_asked_first or store.orders.order("O-1") is None
            store.orders.record_intent_and_order(intent(), order(ticket_id="T-of-nobody"))

    with pytest.raises(StoreConflict):
        record()
    assert store.link.rollbacks == 1 and store.orders.order("O-1") is None
    store.orders.record_intent_and_order(intent(), order())
    assert store.orders.order("O-1") == order()


@pytest.mark.parametrize("is_asked_first", [False, True], ids=["prepared only", "after a query"])
def test_a_process_that_ends_inside_a_transaction_ends_though_its_database_is_gone(
    store: Store, is_asked_first: bool
) -> None:
    def record() -> None:
        with store.transaction():
            assert not is_asked_first or store.orders.order("O-1") is None
            store.orders.record_intent_and_order(intent(), order())
            store.abandon()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record()


@pytest.mark.parametrize("is_asked_first", [False, True], ids=["prepared only", "after a query"])
def test_what_breaks_inside_a_transaction_leaves_nothing(store: Store, is_asked_first: bool) -> None:
    def record() -> None:
        with store.transaction():
            assert not is_asked_first or store.orders.order("O-1") is None
            store.orders.record_intent_and_order(intent(), order())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record()
    assert store.orders.order("O-1") is None
    store.orders.record_intent_and_order(intent(), order())
    assert store.orders.order("O-1") == order()
