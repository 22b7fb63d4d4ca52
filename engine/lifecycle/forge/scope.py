"""What names mean while a strategy is read, and how a construct outside the subset is refused."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from engine.lifecycle.forge.ir import Expr

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class Refused(Exception):
    """A construct outside the subset: `file:line:column`, what it is, and what to write instead."""

    code = "forge_refused"


class Widened(Exception):
    """A local turned out to hold another kind; reading starts again knowing that."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind)
        self.name, self.kind = name, kind


@dataclass
class Scope:
    """Names of one strategy class. `meanings`: module-level name -> (what, which); see `subset`."""

    file: str
    meanings: dict[str, tuple[str, str]]
    constants: dict[str, ast.expr]
    params: dict[str, str] = field(default_factory=dict)
    class_constants: dict[str, ast.expr] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    indicators: dict[str, str] = field(default_factory=dict)
    locals_: dict[str, str] = field(default_factory=dict)
    set_before: set[str] = field(default_factory=set)
    bar_name: str = ""
    is_start: bool = False

    def refuse(self, node: ast.AST, construct: str, remedy: str) -> Refused:
        """Return the refusal of a construct, with its place."""
        return Refused(f"{self.file}:{place(node)}: {construct}: {remedy}")


def place(node: ast.AST) -> str:
    """Return line:column of a node, both counted from 1."""
    return f"{getattr(node, 'lineno', 1)}:{getattr(node, 'col_offset', 0) + 1}"


def make(node: ast.AST, op: str, kind: str, *args: Expr, value: int | str | None = None) -> Expr:
    """Make an expression at a node's place."""
    return Expr(
        op=op,
        kind=kind,
        line=getattr(node, "lineno", 1),
        column=getattr(node, "col_offset", 0) + 1,
        args=args,
        value=value,
    )


def joined(scope: Scope, node: ast.AST, left: str, right: str, what: str) -> str:
    """Return the kind that holds both kinds. Raises `Refused` where there is none."""
    if left == right:
        return left
    kinds = {left, right}
    if kinds == {"int", "bool"}:
        return "int"
    if "wish" in kinds and "float" not in kinds:
        return "wish"
    if kinds == {"int", "float"}:
        raise scope.refuse(node, f"{what} is an int here and a float there", "write the int as a float (0.0)")
    raise scope.refuse(node, f"{what} is {left} here and {right} there", "use one kind for it")
