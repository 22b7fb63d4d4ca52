"""Statements as the driver takes them: compiled once, their values converted by the columns' own types.

SQLAlchemy's way from a statement to the driver costs several times what SQLite needs to carry it out, and
every order makes a dozen of them before its first byte leaves (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Delete, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], object] | None
Statement = Insert | Update | Delete | Select[*tuple[Any, ...]]


class Prepared(NamedTuple):
    """One statement for one driver: its text, and each parameter's name with how its type is told."""

    text: str
    places: tuple[tuple[str, Convert], ...]
    is_positional: bool

    def parameters(self, values: Mapping[str, object]) -> Any:
        """Return the values as the driver wants them. Raises `KeyError` where one is missing."""
        told = [values[name] if convert is None else convert(values[name]) for name, convert in self.places]
        if self.is_positional:
            return told
        return {name: value for (name, _), value in zip(self.places, told, strict=True)}


def prepare(statement: Statement, dialect: Dialect, names: Sequence[str] | None = None) -> Prepared:
    """Compile a statement whose values are all parameters; `names` are the columns that it writes."""
    compiled = statement.compile(dialect=dialect, column_keys=names)
    assert isinstance(compiled, SQLCompiler)
    assert not compiled.post_compile_params, "a list as a parameter makes another text each time"
    if isinstance(statement, Select):
        answers = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
        assert all(each.result_processor(dialect, None) is None for each in answers), "read as it is kept"
    order = compiled.positiontup if dialect.positional else list(compiled.binds)
    assert order is not None
    places = []
    for name in order:
        bound = compiled.binds[name]
        assert bound.required, f"{name} has its value in the statement"
        places.append((name, bound.type.dialect_impl(dialect).bind_processor(dialect)))
    return Prepared(str(compiled), tuple(places), dialect.positional)


def carry_out(driver: Any, prepared: Prepared, values: Mapping[str, object]) -> Any:
    """Hand a statement to the driver's connection, inside the open transaction; return the driver's cursor.

    Raises the driver's own errors, and `KeyError` where a value is missing.
    """
    cursor = driver.cursor()
    cursor.execute(prepared.text, prepared.parameters(values))
    return cursor
