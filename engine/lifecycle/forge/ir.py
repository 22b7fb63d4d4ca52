"""The typed intermediate representation: what the strategy says, with nothing of Python left to decide.

Kinds: `int` (64 bits, overflow fails), `float` (IEEE double), `bool`, `wish` (what `on_bar` answers).
Every node keeps its place in the source. The JSON form is stored beside the artifact.
"""

from __future__ import annotations

from collections.abc import Iterator

from venues.types import Record

IR_VERSION = 1


class Expr(Record):
    """One operation. `value` is a literal (floats as exact hex text), a name, or the operator's detail."""

    op: str
    kind: str
    line: int
    column: int
    args: tuple[Expr, ...] = ()
    value: int | str | None = None


class Stmt(Record):
    """One statement: `local` and `keep` set a variable, `make` an indicator, `if`, `return`, `do`."""

    op: str
    line: int
    column: int
    name: str = ""
    expr: Expr | None = None
    body: tuple[Stmt, ...] = ()
    orelse: tuple[Stmt, ...] = ()


class Field(Record):
    """A parameter, an attribute, a local or an indicator (whose kind is its class) by name."""

    name: str
    kind: str


class Program(Record):
    """A whole strategy. `locals_` are those of `on_start` and of `on_bar`."""

    name: str
    params: tuple[Field, ...]
    state: tuple[Field, ...]
    indicators: tuple[Field, ...]
    start_locals: tuple[Field, ...]
    bar_locals: tuple[Field, ...]
    start: tuple[Stmt, ...]
    bar: tuple[Stmt, ...]
    warmup_bars: int
    ir_version: int = IR_VERSION

    @property
    def reads_side(self) -> bool:
        """Whether an answer can depend on what is held."""
        return any(expr.op == "bar" and expr.value == "side" for expr in expressions(self.bar))

    @property
    def has_levels(self) -> bool:
        """Whether an answer can carry strength, stop or target."""
        return any(expr.op == "signal" for expr in expressions(self.bar))


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Yield every statement, outer ones first."""
    for stmt in body:
        yield stmt
        yield from statements(stmt.body)
        yield from statements(stmt.orelse)


def expressions(body: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Yield every expression of every statement, outer ones first."""
    for stmt in statements(body):
        if stmt.expr is not None:
            yield from nested(stmt.expr)


def nested(expr: Expr) -> Iterator[Expr]:
    """Yield an expression and everything inside it."""
    yield expr
    for arg in expr.args:
        yield from nested(arg)
