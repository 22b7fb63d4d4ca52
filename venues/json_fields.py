"""A venue's JSON, read field by field or refused: what cannot be read raises `ValueError`. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from venues.contract import OutcomeUnknown

T = TypeVar("T")
Json = dict[str, Any]


def read(reader: Callable[[Any], T], said: object) -> T:
    """Read an answer; one that cannot be read says nothing. Raises `OutcomeUnknown`."""
    try:
        return reader(said)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise OutcomeUnknown(f"an answer that cannot be read: {error}") from error


def table(value: object) -> Json:
    """Read one JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"not an object: {str(value)[:60]!r}")
    return value


def rows(value: object) -> list[Json]:
    """Read a list of JSON objects."""
    if not isinstance(value, list):
        raise ValueError(f"not a list: {str(value)[:60]!r}")
    return [table(each) for each in value]


def text(said: Json, name: str) -> str:
    """Read a text."""
    found = said.get(name)
    if not isinstance(found, str):
        raise ValueError(f"{name} is no text")
    return found


def number(said: Json, name: str) -> int:
    """Read a whole number."""
    found = said.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"{name} is no whole number")
    return found


def amount(said: Json, name: str) -> Decimal:
    """Read a decimal text; NaN and infinities are none."""
    try:
        found = Decimal(text(said, name))
    except InvalidOperation as error:
        raise ValueError(f"{name} is no number") from error
    if not found.is_finite():
        raise ValueError(f"{name} is not finite")
    return found


def price_named(value: object) -> Decimal:
    """Return a price that a venue may leave out; 0 for whatever is no price, because it is only shown."""
    try:
        found = Decimal(value) if isinstance(value, str) and not value.startswith(("+", "-")) else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() and found > 0 else Decimal(0)
