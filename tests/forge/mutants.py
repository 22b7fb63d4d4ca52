"""Programs that differ from a given one in a single operator, constant or name."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.lifecycle.forge.ir import Expr, Program, Stmt

SWAPS: dict[str, tuple[str, ...]] = {
    "add": ("sub",),
    "sub": ("add",),
    "mul": ("add",),
    "floordiv": ("mod",),
    "mod": ("floordiv",),
    "lt": ("le", "ge"),
    "le": ("lt", "gt"),
    "gt": ("ge", "lt"),
    "ge": ("gt", "le"),
    "eq": ("ne",),
    "ne": ("eq",),
    "and": ("or",),
    "or": ("and",),
    "min": ("max",),
    "max": ("min",),
}
FIELDS = {"open": "close", "close": "open", "high": "low", "low": "high"}


def mutants(program: Program) -> Iterator[tuple[str, Program]]:
    """Yield (what was changed, the program) for every single change."""
    for room in ("start", "bar"):
        body: tuple[Stmt, ...] = getattr(program, room)
        for what, changed in _bodies(body):
            yield f"{room}: {what}", msgspec.structs.replace(program, **{room: changed})


def _bodies(body: tuple[Stmt, ...]) -> Iterator[tuple[str, tuple[Stmt, ...]]]:
    for index, stmt in enumerate(body):
        for what, changed in _statements(stmt):
            yield what, (*body[:index], changed, *body[index + 1 :])


def _statements(stmt: Stmt) -> Iterator[tuple[str, Stmt]]:
    if stmt.expr is not None:
        for what, expr in _expressions(stmt.expr):
            yield what, msgspec.structs.replace(stmt, expr=expr)
    for room in ("body", "orelse"):
        for what, changed in _bodies(getattr(stmt, room)):
            yield what, msgspec.structs.replace(stmt, **{room: changed})
    if stmt.op == "if" and stmt.expr is not None:
        negated = Expr(op="not", kind="bool", line=stmt.line, column=stmt.column, args=(stmt.expr,))
        yield f"{stmt.line}: if -> if not", msgspec.structs.replace(stmt, expr=negated)


def _expressions(expr: Expr) -> Iterator[tuple[str, Expr]]:
    for what, changed in _changes(expr):
        yield f"{expr.line}:{expr.column}: {what}", changed
    for index, arg in enumerate(expr.args):
        for what, changed in _expressions(arg):
            args = (*expr.args[:index], changed, *expr.args[index + 1 :])
            yield what, msgspec.structs.replace(expr, args=args)


def _changes(expr: Expr) -> Iterator[tuple[str, Expr]]:
    for op in SWAPS.get(expr.op, ()):
        yield f"{expr.op} -> {op}", msgspec.structs.replace(expr, op=op)
    if expr.op == "div" and expr.args[0].kind == "float":
        yield "div -> mul", msgspec.structs.replace(expr, op="mul")
    if expr.op in ("not", "neg", "abs"):
        yield f"{expr.op} -> nothing", expr.args[0]
    if expr.op == "chain":
        ops = str(expr.value).split(",")
        for index, op in enumerate(ops):
            for other in SWAPS[op]:
                value = ",".join((*ops[:index], other, *ops[index + 1 :]))
                yield f"chain {op} -> {other}", msgspec.structs.replace(expr, value=value)
    if expr.op == "const" and expr.kind == "int":
        yield f"{expr.value} + 1", msgspec.structs.replace(expr, value=int(expr.value or 0) + 1)
    if expr.op == "const" and expr.kind == "float":
        changed = float.fromhex(str(expr.value)) * 1.25 + 0.125
        yield f"{expr.value} -> {changed}", msgspec.structs.replace(expr, value=changed.hex())
    if expr.op == "bar" and expr.value in FIELDS:
        yield f"{expr.value} -> {FIELDS[expr.value]}", msgspec.structs.replace(expr, value=FIELDS[expr.value])
