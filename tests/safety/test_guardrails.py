"""Each guardrail of the tools, and that a bound which admits nothing admits nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from safety.guardrails import CORRECTIONS, MAX_BATCH, Guard, guard

D = Decimal
ORDER: dict[str, object] = {"symbol": "BTC", "side": "buy", "quantity": "0.5", "limit_price": "100"}


def met(*orders: dict[str, object], most: str = "50") -> str:
    found = guard(list(orders), "submit_order", blocked_symbols=("LUNA",), max_order_usd=D(most))
    assert found is None or found.corrective_action == CORRECTIONS[Guard(found.error_code)]
    return "" if found is None else found.error_code


def test_an_order_within_the_guards_meets_none() -> None:
    assert met(ORDER) == "" and met(*[ORDER] * MAX_BATCH) == ""


@pytest.mark.parametrize(
    ("orders", "code"),
    [
        ([{**ORDER, "symbol": "LUNA"}], Guard.BLOCKLIST_SYMBOL),
        ([ORDER] * (MAX_BATCH + 1), Guard.BATCH_LIMIT),
        ([], Guard.BATCH_LIMIT),
        ([{**ORDER, "quantity": "0.501"}], Guard.AMOUNT_LIMIT),
        *[
            ([{**ORDER, "quantity": bad}], Guard.INVALID_AMOUNT)
            for bad in ("0", "-1", "NaN", "Infinity", "x", 0.5, True, None)
        ],
        ([{**ORDER, "limit_price": None}], Guard.INVALID_AMOUNT),
    ],
)
def test_each_guard_has_its_code(orders: list[dict[str, object]], code: Guard) -> None:
    assert met(*orders) == code


def test_the_order_that_meets_it_is_named_and_a_reduction_is_not_too_large() -> None:
    found = guard([ORDER, {**ORDER, "symbol": "LUNA"}], "t", blocked_symbols=("LUNA",), max_order_usd=D(50))
    assert found is not None and found.index == 1 and "LUNA" in found.message
    assert met({**ORDER, "quantity": "9", "reduce_only": True}) == ""
    for most in ("0", "-1", "NaN"):
        assert met(ORDER, most=most) == Guard.AMOUNT_LIMIT
