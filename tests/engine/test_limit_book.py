"""Limits are lowered at once and raised after the cool-down, and neither clock nor restart shortens it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.risk import CapBlock, RiskBlock
from engine.limit_book import LimitBook, flat_limits, with_limits
from engine.store import Store, database_path
from seams.clock import NS_PER_S, FixedClock
from venues.types import Mode

MINUTE = 60


class WallStep(FixedClock):
    """A clock whose wall time can be set without any time going by."""

    offset_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.offset_ns


@pytest.fixture
def clock() -> WallStep:
    return WallStep()


@pytest.fixture
def store(tmp_path: Path, clock: WallStep) -> Iterator[Store]:
    opened = Store.open(database_path(tmp_path, Mode.PAPER), Mode.PAPER, clock)
    yield opened
    opened.close()


def risk(**changes: object) -> RiskBlock:
    return RiskBlock.model_validate(changes)


def test_the_first_start_takes_what_is_configured(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk(max_leverage=3.0))
    assert book.take(risk(max_leverage=3.0)) == []
    assert (book.epoch, book.risk.max_leverage) == (1, 3.0)


def test_a_lower_limit_holds_at_once_and_a_raise_waits_fifteen_minutes(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk())
    first = book.sha256
    notes = book.take(risk(max_leverage=4.0, max_open_orders=30))
    assert [note.kind for note in notes] == ["limit_lowered", "limit_raise_pending"]
    assert (book.risk.max_leverage, book.risk.max_open_orders, book.epoch) == (4.0, 20, 2)
    assert book.sha256 != first and book.left_s("max_open_orders") == 15 * MINUTE
    clock.advance(15 * MINUTE - 1)
    assert book.take(risk(max_leverage=4.0, max_open_orders=30)) == []
    clock.advance(1)
    assert [note.kind for note in book.mature(risk(max_leverage=4.0, max_open_orders=30))] == ["limit_raised"]
    assert (book.risk.max_open_orders, book.epoch) == (30, 3)


def test_another_raise_begins_its_own_wait_and_one_taken_back_ends(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk())
    book.take(risk(max_leverage=6.0))
    clock.advance(14 * MINUTE)
    assert [note.kind for note in book.take(risk(max_leverage=9.0))] == ["limit_raise_pending"]
    clock.advance(14 * MINUTE)
    assert book.mature(risk(max_leverage=9.0)) == [] and book.risk.max_leverage == 5.0
    assert [note.kind for note in book.take(risk())] == ["limit_raise_withdrawn"]
    clock.advance(60 * MINUTE)
    assert book.mature(risk()) == [] and book.risk.max_leverage == 5.0


def test_neither_a_clock_step_nor_a_restart_shortens_the_wait(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk())
    book.take(risk(max_leverage=6.0))
    clock.offset_ns = 86_400 * NS_PER_S
    assert book.mature(risk(max_leverage=6.0)) == []
    again = LimitBook(store.risk, clock, risk(max_leverage=6.0))
    assert [note.kind for note in again.take(risk(max_leverage=6.0))] == ["limit_raise_pending"]
    assert (again.risk.max_leverage, again.epoch, again.sha256) == (5.0, 1, book.sha256)


def test_a_shorter_cool_down_is_itself_a_raise(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk())
    book.take(risk(raise_cooldown_s=0.0, max_leverage=6.0))
    assert (book.risk.raise_cooldown_s, book.risk.max_leverage) == (900.0, 5.0)


def test_a_set_survives_being_flattened() -> None:
    whole = risk(
        caps={"symbol:BTC": CapBlock(order_usd=50.0), "strategy:a/b": CapBlock(exposure_usd=9.0)},
        blocked_symbols=("LUNA", "ABC"),
        majors=("BTC", "ETH"),
    )
    again = with_limits(RiskBlock(), flat_limits(whole))
    assert again.caps == whole.caps and set(again.blocked_symbols) == {"LUNA", "ABC"}
    assert again.model_dump(exclude={"blocked_symbols"}) == whole.model_dump(exclude={"blocked_symbols"})


def test_every_epoch_is_on_the_record(store: Store, clock: WallStep) -> None:
    book = LimitBook(store.risk, clock, risk())
    book.take(risk(max_leverage=4.0))
    kept = store.risk.limits()
    assert kept is not None and (kept.epoch, kept.limits_hash) == (2, book.sha256)
    assert kept.why == "max_leverage: 5.0 -> 4.0" and kept.at_ns == clock.now_ns()
