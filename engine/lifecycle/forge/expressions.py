"""Python expressions to typed IR; what has no exact native meaning is refused with a remedy."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from engine.lifecycle.forge.ir import Expr
from engine.lifecycle.forge.scope import INT_MAX, INT_MIN, Scope, joined, make
from engine.lifecycle.forge.vocabulary import (
    ANSWER_FIELDS,
    ARITHMETIC,
    BAR_FIELDS,
    COMPARISONS,
    MATH_CALLS,
    MATH_CONSTANTS,
    NO_LIBRARY,
    NUMBERS,
    PLAIN,
    REMEDIES,
    SIGNAL_FIELDS,
)
from native.indicator_table import INDICATORS


def read(scope: Scope, node: ast.expr) -> Expr:
    """Return an expression's IR. Raises `Refused`."""
    reader = _READERS.get(type(node))
    if reader is None:
        raise scope.refuse(
            node, f"{type(node).__name__} is outside the subset", REMEDIES.get(type(node), PLAIN)
        )
    return reader(scope, node)


def number(scope: Scope, node: ast.expr, what: str) -> Expr:
    """Return the IR of something that must be a number."""
    found = read(scope, node)
    if found.kind not in NUMBERS:
        raise scope.refuse(node, f"{what} may be None or a Signal", "keep a number and a bool beside it")
    return found


def condition(scope: Scope, node: ast.expr) -> Expr:
    """Return the IR of a truth value."""
    found = number(scope, node, "a condition")
    return found if found.kind == "bool" else make(node, "truth", "bool", found)


def as_kind(node: ast.AST, expr: Expr, kind: str) -> Expr:
    """Return the expression converted where its kind differs (bool to int, a number to a wish)."""
    return expr if expr.kind == kind else make(node, f"to_{kind}", kind, expr)


def _constant(scope: Scope, node: ast.Constant) -> Expr:
    value = node.value
    if value is None:
        return make(node, "none", "wish")
    if isinstance(value, bool):
        return make(node, "const", "bool", value=int(value))
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise scope.refuse(node, f"{value} does not fit 64 bits", "write it as a float")
        return make(node, "const", "int", value=value)
    if isinstance(value, float):
        return make(node, "const", "float", value=value.hex())
    raise scope.refuse(node, f"{type(value).__name__} literal", "a strategy's values are numbers and bools")


def _name(scope: Scope, node: ast.Name) -> Expr:
    name = node.id
    if name in scope.locals_:
        if name not in scope.set_before:
            raise scope.refuse(node, f"{name} may have no value here", "set it on every path before")
        return make(node, "local", scope.locals_[name], value=name)
    if name in scope.constants:
        return _named_constant(scope, node, scope.constants[name])
    what, which = scope.meanings.get(name, ("", ""))
    if what == "math" and which in MATH_CONSTANTS:
        return make(node, "const", "float", value=MATH_CONSTANTS[which].hex())
    if name == scope.bar_name:
        raise scope.refuse(node, "the bar itself as a value", f"use its fields ({name}.close, ...)")
    raise scope.refuse(node, f"{name} is not known here", "use locals, self, the bar, or module constants")


def _named_constant(scope: Scope, node: ast.AST, value: ast.expr) -> Expr:
    """Return a module's or class's constant; its value is a literal, at most with a sign."""
    found = read(Scope(scope.file, scope.meanings, {}), value)
    return make(node, found.op, found.kind, *found.args, value=found.value)


def _attribute(scope: Scope, node: ast.Attribute) -> Expr:
    base, name = node.value, node.attr
    if isinstance(base, ast.Name) and base.id == "self" and "self" not in scope.locals_:
        return _own(scope, node, name)
    if isinstance(base, ast.Name) and base.id == scope.bar_name:
        if name not in BAR_FIELDS:
            raise scope.refuse(node, f"the bar has no {name}", f"it has {', '.join(BAR_FIELDS)}")
        return make(node, "bar", BAR_FIELDS[name], value=name)
    if isinstance(base, ast.Name) and scope.meanings.get(base.id) == ("module", "math"):
        if name in MATH_CONSTANTS:
            return make(node, "const", "float", value=MATH_CONSTANTS[name].hex())
        raise scope.refuse(node, f"math.{name} as a value", f"known are {', '.join(MATH_CONSTANTS)}")
    if (indicator := own_name(base)) in scope.indicators:
        form = INDICATORS[scope.indicators[indicator]]
        kinds = {
            **dict.fromkeys(form.outputs, "float"),
            "count": "int",
            "warmup_bars": "int",
            "is_ready": "bool",
        }
        if name not in kinds:
            what = f"{form.name} has no attribute {name}"
            raise scope.refuse(node, what, f"it has {', '.join(kinds)}; call update(...)")
        return make(node, "get", kinds[name], value=f"{indicator}.{name}")
    raise scope.refuse(node, f"attribute {name}", "only self, its indicators, the bar and math have any")


def own_name(node: ast.expr) -> str:
    """Return NAME of `self.NAME`, else an empty string."""
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return node.attr if is_own else ""  # type: ignore[attr-defined]  # an Attribute, as tested


def _own(scope: Scope, node: ast.Attribute, name: str) -> Expr:
    if name in scope.state and not (scope.is_start and f"self.{name}" not in scope.set_before):
        return make(node, "state", scope.state[name], value=name)
    if name in scope.params:
        return make(node, "param", scope.params[name], value=name)
    if name in scope.class_constants:
        return _named_constant(scope, node, scope.class_constants[name])
    if name in scope.indicators:
        raise scope.refuse(
            node, f"indicator self.{name} as a value", f"use self.{name}.update(...) or .value"
        )
    raise scope.refuse(node, f"self.{name} has no value yet", "set it in on_start")


def _binary(scope: Scope, node: ast.BinOp) -> Expr:
    if isinstance(node.op, ast.Pow):
        raise scope.refuse(node, "** (its rounding is the library's)", "write the product: x * x")
    op = ARITHMETIC.get(type(node.op))
    if op is None:
        raise scope.refuse(node, f"operator {type(node.op).__name__}", "use + - * / // %")
    left, right = number(scope, node.left, "an operand"), number(scope, node.right, "an operand")
    is_float = "float" in (left.kind, right.kind)
    kind = "float" if is_float or op == "div" else "int"
    inner = "float" if is_float else "int"
    return make(node, op, kind, as_kind(node.left, left, inner), as_kind(node.right, right, inner))


def _unary(scope: Scope, node: ast.UnaryOp) -> Expr:
    if isinstance(node.op, ast.Not):
        return make(node, "not", "bool", condition(scope, node.operand))
    if isinstance(node.op, ast.Invert):
        raise scope.refuse(node, "operator ~", "use not")
    if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _constant(scope, ast.copy_location(ast.Constant(-value), node))
    inner = number(scope, node.operand, "an operand")
    inner = as_kind(node.operand, inner, "int") if inner.kind == "bool" else inner
    return inner if isinstance(node.op, ast.UAdd) else make(node, "neg", inner.kind, inner)


def _boolean(scope: Scope, node: ast.BoolOp) -> Expr:
    """`and`/`or` of bools; of numbers Python would give an operand, which must be asked for by name."""
    op = "and" if isinstance(node.op, ast.And) else "or"
    return make(node, op, "bool", *(_truth_only(scope, value, op) for value in node.values))


def _truth_only(scope: Scope, node: ast.expr, op: str) -> Expr:
    found = number(scope, node, "a condition")
    if found.kind != "bool":
        raise scope.refuse(node, f"{op} of a number gives the number", "compare it (x != 0), or use if/else")
    return found


def _compare(scope: Scope, node: ast.Compare) -> Expr:
    first = node.ops[0]
    if len(node.ops) == 1 and isinstance(first, ast.Is | ast.IsNot):
        return _is_none(scope, node, isinstance(first, ast.Is))
    ops = [COMPARISONS.get(type(op), "") for op in node.ops]
    if "" in ops:
        raise scope.refuse(node, "membership or identity", "use < <= > >= == !=")
    args = [number(scope, arg, "a compared value") for arg in (node.left, *node.comparators)]
    args = [as_kind(node, arg, "int") if arg.kind == "bool" else arg for arg in args]
    if len(ops) == 1:
        return make(node, ops[0], "bool", *args)
    return make(node, "chain", "bool", *args, value=",".join(ops))


def _is_none(scope: Scope, node: ast.Compare, is_positive: bool) -> Expr:
    other, left = node.comparators[0], read(scope, node.left)
    if not (isinstance(other, ast.Constant) and other.value is None and left.kind == "wish"):
        raise scope.refuse(node, "identity of numbers", "`is None` is for a local that holds an answer")
    found = make(node, "is_none", "bool", left)
    return found if is_positive else make(node, "not", "bool", found)


def _choice(scope: Scope, node: ast.IfExp) -> Expr:
    test = condition(scope, node.test)
    body, orelse = read(scope, node.body), read(scope, node.orelse)
    kind = joined(scope, node, body.kind, orelse.kind, "the choice")
    return make(
        node, "choice", kind, test, as_kind(node.body, body, kind), as_kind(node.orelse, orelse, kind)
    )


def _call(scope: Scope, node: ast.Call) -> Expr:
    target = node.func
    if isinstance(target, ast.Attribute) and (name := own_name(target.value)) in scope.indicators:
        return _update(scope, node, name, target.attr)
    what, which = _callee(scope, target)
    if what == "face" and which == "Signal":
        return _signal(scope, node)
    if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
        raise scope.refuse(node, "named or starred arguments", "give plain arguments in order")
    if what == "math":
        return _math(scope, node, which)
    if what == "builtin":
        return _BUILTINS[which](scope, node)
    if what == "indicator":
        raise scope.refuse(
            node, f"{which}(...) inside an expression", "make it in on_start: self.x = EMA(...)"
        )
    raise scope.refuse(node, f"call of {ast.unparse(target)}", PLAIN)


def _callee(scope: Scope, target: ast.expr) -> tuple[str, str]:
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        is_math = scope.meanings.get(target.value.id) == ("module", "math")
        return ("math", target.attr) if is_math else ("", "")
    if not isinstance(target, ast.Name) or target.id in scope.locals_:
        return "", ""
    is_builtin = (
        target.id in _BUILTINS and target.id not in scope.meanings and target.id not in scope.constants
    )
    return ("builtin", target.id) if is_builtin else scope.meanings.get(target.id, ("", ""))


def _update(scope: Scope, node: ast.Call, name: str, method: str) -> Expr:
    form = INDICATORS[scope.indicators[name]]
    if method != "update":
        raise scope.refuse(node, f"self.{name}.{method}(...)", "only update(...) is forged")
    if node.keywords or len(node.args) != len(form.inputs):
        what = f"update with {len(node.args)} arguments"
        raise scope.refuse(node, what, f"give {', '.join(form.inputs)} in this order")
    if scope.is_start:
        raise scope.refuse(node, "update in on_start", "there is no bar yet; update in on_bar")
    args = [number(scope, arg, "an input") for arg in node.args]
    for index, (which, arg) in enumerate(zip(form.inputs, args, strict=True)):
        if which == "ts_ns" and arg.kind == "float":
            raise scope.refuse(node, "a float time", "give bar.ts_ns")
        args[index] = as_kind(node, arg, "int" if which == "ts_ns" else "float")
    return make(node, "update", "float", *args, value=name)


def _signal(scope: Scope, node: ast.Call) -> Expr:
    names, has_stars = ", ".join(SIGNAL_FIELDS), any(isinstance(arg, ast.Starred) for arg in node.args)
    if len(node.args) > len(SIGNAL_FIELDS) or has_stars:
        raise scope.refuse(node, "too many or starred arguments of Signal", f"it has {names}")
    given: dict[str, ast.expr] = dict(zip(SIGNAL_FIELDS, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in SIGNAL_FIELDS or keyword.arg in given:
            raise scope.refuse(node, f"Signal argument {keyword.arg}", f"it has {names}, each once")
        given[keyword.arg] = keyword.value
    if "side" not in given:
        raise scope.refuse(node, "Signal without side", "give -1, 0 or 1")
    side = number(scope, given["side"], "a side")
    if side.kind == "float":
        raise scope.refuse(node, "a float side", "give -1, 0 or 1")
    found = {"side": as_kind(node, side, "int")}
    for name, (kind, default) in ANSWER_FIELDS.items():
        if name != "side":
            found[name] = _part(scope, given.get(name, node), kind, default, is_given=name in given)
    # Python evaluates in the order written; ours is the table's, which only failures can tell apart.
    is_in_order = list(given) == [name for name in ANSWER_FIELDS if name in given]
    if not is_in_order and any(_has_effect(part) for part in found.values()):
        raise scope.refuse(
            node, "Signal arguments in another order", f"write them as {', '.join(ANSWER_FIELDS)}"
        )
    return make(node, "signal", "wish", *(found[name] for name in ANSWER_FIELDS))


def _part(scope: Scope, node: ast.AST, kind: str, default: float | int | None, *, is_given: bool) -> Expr:
    """Return one field of an answer; None and nothing are the default."""
    if not is_given or (isinstance(node, ast.Constant) and node.value is None):
        assert default is not None
        value = float(default).hex() if kind == "float" else int(default)
        return make(node, "const", kind, value=value)
    assert isinstance(node, ast.expr)
    if isinstance(node, ast.IfExp):
        test = condition(scope, node.test)
        body = _part(scope, node.body, kind, default, is_given=True)
        orelse = _part(scope, node.orelse, kind, default, is_given=True)
        return make(node, "choice", kind, test, body, orelse)
    found = number(scope, node, "a level")
    if kind == "int" and found.kind == "float":
        raise scope.refuse(node, "a float where bars are counted", "give an int, or int(...)")
    found = as_kind(node, found, kind)
    # Below zero is how an answer says that there is none; said in so many words it is a failure.
    return make(node, "distance", kind, found) if default is not None and default < 0 else found


def _has_effect(expr: Expr) -> bool:
    return expr.op in ("update", "div", "floordiv", "mod", "sqrt") or any(map(_has_effect, expr.args))


def _math(scope: Scope, node: ast.Call, name: str) -> Expr:
    if name not in MATH_CALLS:
        raise scope.refuse(node, f"math.{name}", f"{NO_LIBRARY}; known are {', '.join(MATH_CALLS)}")
    args = _arguments(scope, node, 1, f"math.{name}")
    if name in ("floor", "ceil") and args[0].kind != "float":
        return as_kind(node, args[0], "int")
    return make(node, name, MATH_CALLS[name], as_kind(node, args[0], "float"))


def _arguments(scope: Scope, node: ast.Call, count: int, what: str) -> list[Expr]:
    if len(node.args) != count:
        raise scope.refuse(node, f"{what} with {len(node.args)} arguments", f"give {count}")
    return [number(scope, arg, "an argument") for arg in node.args]


def _least_or_greatest(scope: Scope, node: ast.Call) -> Expr:
    name = node.func.id  # type: ignore[attr-defined]  # a Name, by `_callee`
    if len(node.args) < 2:
        raise scope.refuse(node, f"{name} of a collection", "give two or more numbers")
    args = [number(scope, arg, "an argument") for arg in node.args]
    kind = args[0].kind
    for arg in args[1:]:
        kind = joined(scope, node, kind, arg.kind, f"{name}(...)")
    kind = "int" if kind == "bool" else kind
    return make(node, name, kind, *(as_kind(node, arg, kind) for arg in args))


def _absolute(scope: Scope, node: ast.Call) -> Expr:
    (arg,) = _arguments(scope, node, 1, "abs")
    arg = as_kind(node, arg, "int") if arg.kind == "bool" else arg
    return make(node, "abs", arg.kind, arg)


def _conversion(kind: str) -> Callable[[Scope, ast.Call], Expr]:
    def convert(scope: Scope, node: ast.Call) -> Expr:
        (arg,) = _arguments(scope, node, 1, kind)
        if kind == "bool":
            return arg if arg.kind == "bool" else make(node, "truth", "bool", arg)
        if kind == "int" and arg.kind == "float":
            return make(node, "truncate", "int", arg)
        return as_kind(node, arg, kind)

    return convert


_BUILTINS: dict[str, Callable[[Scope, ast.Call], Expr]] = {
    "min": _least_or_greatest,
    "max": _least_or_greatest,
    "abs": _absolute,
    "int": _conversion("int"),
    "float": _conversion("float"),
    "bool": _conversion("bool"),
}
_READERS: dict[type[ast.expr], Callable[[Scope, Any], Expr]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _choice,
    ast.Call: _call,
}
