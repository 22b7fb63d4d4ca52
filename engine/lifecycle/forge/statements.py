"""Python statements to IR, following which names surely have a value on every path."""

from __future__ import annotations

import ast

from engine.lifecycle.forge.expressions import as_kind, condition, number, own_name, read
from engine.lifecycle.forge.ir import Expr, Stmt
from engine.lifecycle.forge.scope import Scope, Widened, joined, make
from engine.lifecycle.forge.vocabulary import ARITHMETIC
from native.indicator_table import INDICATORS

_REMEDIES: dict[type[ast.stmt], str] = {
    ast.For: "keep a running value or an indicator instead of looping",
    ast.While: "a bar's work is bounded; use if",
    ast.Try: "test before you divide; a failure stops the strategy",
    ast.Raise: "return None instead",
    ast.Assert: "use if",
    ast.With: "a strategy opens nothing",
    ast.Import: "import at the top of the file",
    ast.ImportFrom: "import at the top of the file",
    ast.FunctionDef: "write the code where it is used",
    ast.Global: "keep state on self",
    ast.Delete: "assign another value",
    ast.Match: "use if/elif",
}


def read_body(scope: Scope, body: list[ast.stmt]) -> tuple[tuple[Stmt, ...], bool]:
    """Return the statements and whether their end can be reached. Raises `Refused`, `Widened`."""
    found: list[Stmt] = []
    for node in body:
        if isinstance(node, ast.Pass) or _is_text(node):
            continue
        if isinstance(node, ast.Return):
            found.append(_return(scope, node))
            return tuple(found), False
        if isinstance(node, ast.If):
            stmt, goes_on = _if(scope, node)
            found.append(stmt)
            if not goes_on:
                return tuple(found), False
        else:
            found += _simple(scope, node)
    return tuple(found), True


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _stmt(node: ast.AST, op: str, name: str = "", expr: Expr | None = None) -> Stmt:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    return Stmt(op=op, line=line, column=column, name=name, expr=expr)


def _return(scope: Scope, node: ast.Return) -> Stmt:
    if scope.is_start:
        raise scope.refuse(node, "return in on_start", "use if/else")
    if node.value is None:
        return _stmt(node, "return")
    found = read(scope, node.value)
    if found.kind == "float":
        raise scope.refuse(node, "a float answer", "return -1, 0, 1, None or Signal(...)")
    return _stmt(node, "return", expr=as_kind(node.value, found, "wish"))


def _if(scope: Scope, node: ast.If) -> tuple[Stmt, bool]:
    test = condition(scope, node.test)
    before = set(scope.set_before)
    body, body_goes_on = read_body(scope, node.body)
    after_body = scope.set_before
    scope.set_before = set(before)
    orelse, orelse_goes_on = read_body(scope, node.orelse)
    if body_goes_on and orelse_goes_on:
        scope.set_before &= after_body
    elif body_goes_on:
        scope.set_before = after_body
    stmt = _stmt(node, "if", expr=test)
    return Stmt(
        op="if", line=stmt.line, column=stmt.column, expr=test, body=body, orelse=orelse
    ), body_goes_on or orelse_goes_on


def _simple(scope: Scope, node: ast.stmt) -> list[Stmt]:
    if isinstance(node, ast.Assign):
        return _assign(scope, node, node.targets, node.value)
    if isinstance(node, ast.AnnAssign):
        if node.value is None:
            raise scope.refuse(node, "a declaration without a value", "give it a value")
        return _assign(scope, node, [node.target], node.value)
    if isinstance(node, ast.AugAssign):
        return _augmented(scope, node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [_stmt(node, "do", expr=read(scope, node.value))]
    remedy = _REMEDIES.get(type(node), "use assignments, if/elif/else and return")
    raise scope.refuse(node, f"{type(node).__name__} statement", remedy)


def _assign(scope: Scope, node: ast.stmt, targets: list[ast.expr], value: ast.expr) -> list[Stmt]:
    if len(targets) == 1 and isinstance(targets[0], ast.Tuple):
        return _unpack(scope, node, targets[0], value)
    if len(targets) == 1 and (name := own_name(targets[0])) and _indicator_class(scope, value):
        return [_make(scope, node, name, value)]
    found = read(scope, value)
    return [_store(scope, target, found) for target in targets]


def _unpack(scope: Scope, node: ast.stmt, target: ast.Tuple, value: ast.expr) -> list[Stmt]:
    """`a, b = x, y`: all values first, into locals no source can name, then the targets in order."""
    if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
        raise scope.refuse(node, "unpacking", "write as many values as names: a, b = x, y")
    pairs = list(zip(target.elts, value.elts, strict=True))
    if all(_indicator_class(scope, item) for _, item in pairs):
        return [_make(scope, node, own_name(name), item) for name, item in pairs]
    stored, moves = [], []
    for index, (name, item) in enumerate(pairs):
        found = read(scope, item)
        between = f"${getattr(node, 'lineno', 0)}_{getattr(node, 'col_offset', 0)}_{index}"
        scope.locals_.setdefault(between, found.kind)
        stored.append(_stmt(item, "local", between, as_kind(item, found, scope.locals_[between])))
        moves.append(
            (
                name,
                Expr(
                    op="local", kind=found.kind, line=item.lineno, column=item.col_offset + 1, value=between
                ),
            )
        )
    return stored + [_store(scope, name, moved) for name, moved in moves]


def _augmented(scope: Scope, node: ast.AugAssign) -> list[Stmt]:
    if type(node.op) not in ARITHMETIC:
        raise scope.refuse(node, f"operator {type(node.op).__name__}=", "use += -= *= /= //= %=")
    target = ast.copy_location(_as_value(scope, node.target), node.target)
    value = ast.copy_location(ast.BinOp(target, node.op, node.value), node)
    return [_store(scope, node.target, read(scope, value))]


def _as_value(scope: Scope, target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if own_name(target):
        return ast.Attribute(target.value, target.attr, ast.Load())  # type: ignore[attr-defined]  # an Attribute
    raise scope.refuse(target, "this target", "assign to a local or to self.NAME")


def _store(scope: Scope, target: ast.expr, found: Expr) -> Stmt:
    if isinstance(target, ast.Name):
        return _store_local(scope, target, found)
    name = own_name(target)
    if not name:
        raise scope.refuse(target, "this target", "assign to a local or to self.NAME")
    if name in scope.params or name in scope.class_constants or name in scope.indicators:
        raise scope.refuse(target, f"self.{name} is a parameter, constant or indicator", "use another name")
    if found.kind == "wish":
        raise scope.refuse(
            target, f"None or a Signal kept in self.{name}", "keep a number and a bool beside it"
        )
    if name not in scope.state:
        if not scope.is_start:
            raise scope.refuse(target, f"self.{name} first set in on_bar", "give it a value in on_start")
        scope.state[name] = found.kind
    kind = joined(scope, target, scope.state[name], found.kind, f"self.{name}")
    if kind != scope.state[name]:
        raise Widened(f"self.{name}", kind)
    if scope.is_start:
        scope.set_before.add(f"self.{name}")
    return _stmt(target, "keep", name, as_kind(target, found, kind))


def _store_local(scope: Scope, target: ast.Name, found: Expr) -> Stmt:
    name = target.id
    if name in ("self", scope.bar_name):
        raise scope.refuse(target, f"assignment to {name}", "use another name")
    kind = joined(scope, target, scope.locals_.setdefault(name, found.kind), found.kind, name)
    if kind != scope.locals_[name]:
        raise Widened(f"{'start' if scope.is_start else 'bar'}.{name}", kind)
    scope.set_before.add(name)
    return _stmt(target, "local", name, as_kind(target, found, kind))


def _indicator_class(scope: Scope, value: ast.expr) -> str:
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name)):
        return ""
    what, which = scope.meanings.get(value.func.id, ("", ""))
    return which if what == "indicator" else ""


def _make(scope: Scope, node: ast.stmt, name: str, value: ast.expr) -> Stmt:
    assert isinstance(value, ast.Call)
    which = _indicator_class(scope, value)
    if not scope.is_start or not name:
        raise scope.refuse(value, f"{which}(...) here", "make it in on_start: self.x = EMA(...)")
    if name in scope.state or name in scope.params or name in scope.class_constants:
        raise scope.refuse(value, f"self.{name} is already a number", "use another name")
    if name in scope.indicators:
        raise scope.refuse(value, f"self.{name} is made twice", "make each indicator once")
    scope.indicators[name] = which
    return _stmt(value, "make", name, make(value, "arguments", "int", *_arguments(scope, value, which)))


def _arguments(scope: Scope, value: ast.Call, which: str) -> list[Expr]:
    """Return an indicator's arguments in the order of its table, defaults filled in."""
    form = INDICATORS[which]
    names = [name for name, _ in form.arguments]
    given: dict[str, ast.expr] = dict(zip(names, value.args, strict=False))
    for keyword in value.keywords:
        if keyword.arg not in names or keyword.arg in given:
            raise scope.refuse(
                value, f"{which} argument {keyword.arg}", f"it has {', '.join(names)}, each once"
            )
        given[keyword.arg] = keyword.value
    if len(value.args) > len(names):
        raise scope.refuse(value, f"{which} with {len(value.args)} arguments", f"it has {', '.join(names)}")
    found = []
    for name, default in form.arguments:
        if name not in given and default is None:
            raise scope.refuse(value, f"{which} without {name}", f"it needs {', '.join(names)}")
        node = given.get(name) or ast.copy_location(ast.Constant(default), value)
        expr = number(scope, node, name)
        if form.is_whole(name) and expr.kind == "float":
            raise scope.refuse(node, f"a float {name}", "give an int parameter, or int(...)")
        found.append(as_kind(node, expr, "int" if form.is_whole(name) else "float"))
    return found
