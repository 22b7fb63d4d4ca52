"""Column types: exact money, nanoseconds, words, lists, and text that may be absent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Dialect, Integer, Text, TypeDecorator


class Money(TypeDecorator[Decimal]):
    """A decimal kept as text. SQLite's own NUMERIC silently loses digits beyond the 15th."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        assert value.is_finite(), f"not an amount: {value}"
        return format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class OptionalText(TypeDecorator[str]):
    """Text whose empty form is NULL, so that a foreign key may be absent; reads back as ''."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value or None

    def process_result_value(self, value: str | None, dialect: Dialect) -> str:
        return value or ""


class Words(TypeDecorator[Sequence[str]]):
    """A list of strings kept as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        return msgspec.json.encode(list(value or ())).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sequence[str]:
        return msgspec.json.decode(value or "[]", type=list[str])


SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""An automatic primary key; SQLite only counts for the exact type INTEGER."""


def text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def money(name: str) -> Column[Decimal]:
    return Column(name, Money, nullable=False)


def money_or_none(name: str) -> Column[Decimal]:
    return Column(name, Money, nullable=True)


def fingerprints() -> tuple[Column[str] | CheckConstraint, ...]:
    """The two columns that tie a row to its configuration and its code; never empty (OC-39)."""
    return (
        text("config_fingerprint"),
        text("run_fingerprint"),
        CheckConstraint("length(config_fingerprint) > 0", name="config_fingerprint_given"),
        CheckConstraint("length(run_fingerprint) > 0", name="run_fingerprint_given"),
    )


def one_of(column: str, words: Sequence[str]) -> CheckConstraint:
    """Allow only these words in a column."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def positive(column: str) -> CheckConstraint:
    """Allow only amounts above zero in a text decimal column."""
    return CheckConstraint(f"CAST({column} AS NUMERIC) > 0", name=f"{column}_positive")
