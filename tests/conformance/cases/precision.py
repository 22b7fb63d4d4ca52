"""Precision: rounding never asks for more than was decided, and what has no meaning never leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.bench import LOT, Bench, Refused
from tests.conformance.suite import case
from venues.contract import AlreadySeen
from venues.types import Side


async def _never_leaves(bench: Bench, *codes: str, **changes: Any) -> None:
    """Demand a refusal with one of these codes, and that nothing works or fills."""
    refusal = await bench.refused(**changes)
    assert not codes or refusal.code in codes, refusal.code
    await bench.rig.settle()
    assert not bench.rig.live() and not bench.rig.held()


def _proves_it(bench: Bench, refusal: Refused, code: str) -> None:
    """Refusing what would have to be rounded is as good as rounding it the safe way."""
    assert refusal.code == code and not bench.rig.live()


@case()
async def a_finer_quantity_is_refused_or_rounded_down(bench: Bench) -> None:
    asked = LOT + bench.terms.lot / 3
    try:
        name = await bench.place(quantity=asked)
    except Refused as refusal:
        return _proves_it(bench, refusal, "bad_quantity")
    truth = bench.truth(name)
    assert truth is not None and asked - bench.terms.lot < truth.quantity <= asked


@case()
async def a_buy_off_the_tick_never_pays_more(bench: Bench) -> None:
    asked = Decimal("59000.123456")
    try:
        name = await bench.place(limit_price=asked)
    except Refused as refusal:
        return _proves_it(bench, refusal, "bad_price")
    truth = bench.truth(name)
    assert truth is not None and asked - 1 < truth.price <= asked


@case()
async def a_sale_off_the_tick_never_takes_less(bench: Bench) -> None:
    await bench.buy()
    asked = Decimal("61000.123456")
    try:
        name = await bench.place(side=Side.SELL, reduce_only=True, limit_price=asked)
    except Refused as refusal:
        return _proves_it(bench, refusal, "bad_price")
    truth = bench.truth(name)
    assert truth is not None and asked <= truth.price < asked + 1


@case()
async def a_quantity_on_the_lot_arrives_exactly(bench: Bench) -> None:
    asked = LOT + 3 * bench.terms.lot
    truth = bench.truth(await bench.place(quantity=asked))
    assert truth is not None and truth.quantity == asked


@case()
async def a_price_on_the_tick_arrives_exactly(bench: Bench) -> None:
    asked = Decimal(58_123)
    truth = bench.truth(await bench.place(limit_price=asked))
    assert truth is not None and truth.price == asked


@case()
async def nothing_is_bought_for_zero(bench: Bench) -> None:
    await _never_leaves(bench, "bad_quantity", "min_quantity", quantity=Decimal(0))


@case()
async def a_negative_quantity_is_refused(bench: Bench) -> None:
    await _never_leaves(bench, "bad_quantity", quantity=-LOT)


@case()
async def a_quantity_that_is_no_number_is_refused(bench: Bench) -> None:
    for text in ("NaN", "Infinity", "-Infinity"):
        await _never_leaves(bench, "bad_quantity", quantity=Decimal(text))


@case()
async def a_price_that_is_no_number_is_refused(bench: Bench) -> None:
    for text in ("NaN", "Infinity"):
        await _never_leaves(bench, "bad_price", limit_price=Decimal(text))


@case()
async def a_price_of_zero_or_below_is_refused(bench: Bench) -> None:
    for price in (Decimal(0), Decimal(-59_000)):
        await _never_leaves(bench, "bad_price", limit_price=price)


@case()
async def dust_is_refused(bench: Bench) -> None:
    await _never_leaves(bench, "bad_quantity", "min_quantity", quantity=Decimal("1e-12"))


@case()
async def an_order_below_the_venues_minimum_is_refused(bench: Bench) -> None:
    await _never_leaves(bench, bench.terms.codes["too_small"], quantity=bench.terms.too_small)


@case()
async def a_symbol_nobody_lists_is_refused(bench: Bench) -> None:
    await _never_leaves(bench, "unknown_symbol", symbol="NOSUCH-THING")


@case()
async def what_was_refused_here_stays_refused(bench: Bench) -> None:
    """The same refused order sent again is refused again: it never slips out at the second try."""
    signed = bench.sign(quantity=Decimal("NaN"))
    for _ in range(3):
        with pytest.raises((Refused, AlreadySeen)):
            await bench.venue.submit(signed)
    assert not bench.rig.live()
