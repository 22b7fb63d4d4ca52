"""An order made by hand is completed first, then corrected, and only then judged."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.intent import MissingFields
from safety.order_form import InvalidFields, feedback, figure

GOOD: dict[str, object] = {
    "symbol": "BTC-PERP", "side": "buy", "quantity": "0.25", "order_type": "limit", "time_in_force": "gtc",
    "limit_price": "64000", "stop_loss": "63000",
}  # fmt: skip


def test_a_right_form_needs_no_correction() -> None:
    assert feedback(GOOD, "submit") is None
    assert (
        feedback({**GOOD, "take_profit": "65000", "reduce_only": False, "mark_price": ""}, "submit") is None
    )


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_is_missing_is_said_before_what_is_wrong(name: str) -> None:
    said = feedback({**GOOD, name: None, "colour": "red"}, "submit")
    assert isinstance(said, MissingFields) and said.missing_fields == (name,)


WRONG: dict[str, tuple[object, ...]] = {
    "quantity": (0.25, "NaN", "Infinity", "-1", "0", 0, True, "1" * 80, "one"),
    "limit_price": (64000.5, "1e", -5),
    "stop_loss": ("64000", "64001"),
    "take_profit": ("63999", "64000", 1.5),
    "side": ("up", 1),
    "order_type": ("stop",),
    "time_in_force": ("day",),
    "reduce_only": ("yes", 1),
    "symbol": (7, "X" * 80),
    "leverage": ("5",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_wrong_field_is_named_with_its_correction(name: str, value: object) -> None:
    said = feedback({**GOOD, name: value}, "submit")
    assert isinstance(said, InvalidFields)
    assert (said.error_code, said.invalid_fields) == ("INVALID_FIELDS", (name,))
    assert f"{name}: " in said.corrective_action


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_figure_is_exact_and_above_zero_or_none(value: Decimal) -> None:
    read = figure(str(value))
    if read is not None:
        assert value.is_finite() and read == value > 0
