"""One C function body: statements and expressions of the IR, lowered so that nothing is left to C's order.

Every operation that can fail, or that must happen before the next, is a statement of its own. A failure
leaves the function with the number of its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from engine.lifecycle.forge.ir import Expr, Field, Program, Stmt
from engine.lifecycle.forge.vocabulary import ANSWER_FIELDS
from native.indicator_table import INDICATORS
from native.indicators import MAX_PERIOD

C_KINDS = {"int": "int64_t", "float": "double", "bool": "int", "wish": "il_answer"}
SIGNS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
BY_ORDER = {
    "lt": "{} == -1",
    "le": "{} <= 0",
    "gt": "{} == 1",
    "ge": "({} & ~1) == 0",
    "eq": "{} == 0",
    "ne": "{} != 0",
}
ARGUMENT_BOUNDS: Mapping[str, tuple[float, float]] = {
    "ddof": (0, 1),
    "session_s": (1, 10**9),
    "deviations": (5e-324, 100.0),
    "percent": (0.0, 100.0),
    "interval_s": (5e-324, 1e9),
}
"""Inclusive bounds of arguments that are not periods, as `native.indicators` has them."""
_INT_RANGE = ("OverflowError", "the int does not fit 64 bits")


def c_name(name: str) -> str:
    """Return a name that C takes: letters, digits and underscores of ASCII stay."""
    return re.sub(r"[^0-9A-Za-z_]", lambda found: f"_{ord(found.group()):x}_", name)


class Body:
    """Collects C lines. `leave` is the statement that leaves with a failure, with `{place}` in it."""

    def __init__(self, program: Program, places: list[tuple[str, str]], leave: str) -> None:
        self._kinds = {field.name: field.kind for field in program.indicators}
        self._places, self._leave = places, leave
        self._lines: list[str] = []
        self._depth, self._temporaries = 1, 0

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def declare(self, fields: tuple[Field, ...], kinds: Mapping[str, str]) -> None:
        """Declare locals; the subset has made sure that each is set before it is read."""
        for field in fields:
            start = "il_plain(IL_KEEP)" if field.kind == "wish" else "0"
            self.line(f"{kinds[field.kind]} l_{c_name(field.name)} = {start};")

    def statements(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            self._STATEMENTS[stmt.op](self, stmt)

    def _local(self, stmt: Stmt) -> None:
        self.line(f"l_{c_name(stmt.name)} = {self._value(stmt.expr)};")

    def _keep(self, stmt: Stmt) -> None:
        self.line(f"s->v_{c_name(stmt.name)} = {self._value(stmt.expr)};")

    def _do(self, stmt: Stmt) -> None:
        self.line(f"(void){self._value(stmt.expr)};")

    def _if(self, stmt: Stmt) -> None:
        self.line(f"if ({self._value(stmt.expr)}) {{")
        self._block(lambda: self.statements(stmt.body))
        if stmt.orelse:
            self.line("} else {")
            self._block(lambda: self.statements(stmt.orelse))
        self.line("}")

    def _return(self, stmt: Stmt) -> None:
        if stmt.expr is None:
            self.line("*out = il_plain(IL_KEEP);")
        else:
            answer = self._value(stmt.expr)
            self._fail_if(f"{answer}.want == IL_INVALID", stmt, "ValueError",
                          "on_bar must return None, -1, 0, +1 or a sensible Signal")  # fmt: skip
            self.line(f"*out = {answer};")
        self.line("return 0;")

    def _make(self, stmt: Stmt) -> None:
        """Set up an indicator; one with a ring gets room behind the state."""
        assert stmt.expr is not None
        form, name = INDICATORS[self._kinds[stmt.name]], c_name(stmt.name)
        args = [self._value(arg) for arg in stmt.expr.args]
        named = dict(zip((name for name, _ in form.arguments), args, strict=True))
        for which, operand in named.items():
            low, high = ARGUMENT_BOUNDS.get(which, (1, MAX_PERIOD))
            self._fail_if(f"!({low} <= {operand} && {operand} <= {high})", stmt, "ValueError",
                          f"{form.name}: {which} is outside [{low}, {high}]")  # fmt: skip
        if "fast" in named:
            test = f"!({named['fast']} < {named['slow']})"
            self._fail_if(test, stmt, "ValueError", f"{form.name}: fast must be below slow")
        text = ", ".join(args)
        self.line(f"il_{form.c_name}_init(&s->i_{name}, {text});")
        if form.has_ring:
            room = self._temporary("int", f"il_{form.c_name}_room({text})")
            message = f"{form.name} needs too much room"
            self._fail_if(f"{room} < 1 || room + {room} > IL_MAX_ROOM", stmt, "ValueError", message)
            self.line(f"s->r_{name} = room;")
            self.line(f"room += {room};")

    _STATEMENTS: Mapping[str, Callable[[Body, Stmt], None]] = {
        "local": _local, "keep": _keep, "do": _do, "if": _if, "return": _return, "make": _make,
    }  # fmt: skip

    def _block(self, fill: Callable[[], None]) -> None:
        self._depth += 1
        fill()
        self._depth -= 1

    def _fail_if(self, test: str, node: Expr | Stmt, exception: str, message: str) -> None:
        self._places.append((exception, f"{node.line}:{node.column}: {message}"))
        self.line(f"if (IL_RARE({test}))")
        self.line("    " + self._leave.format(place=len(self._places)))

    def _temporary(self, kind: str, value: str = "") -> str:
        self._temporaries += 1
        name = f"t{self._temporaries}"
        self.line(f"{C_KINDS[kind]} {name}{' = ' + value if value else ''};")
        return name

    def _value(self, expr: Expr | None) -> str:
        """Emit what an expression needs; return an operand that has no effect and cannot fail."""
        assert expr is not None
        return self._EXPRESSIONS[expr.op](self, expr)

    def _constant(self, expr: Expr) -> str:
        if expr.kind != "float":
            return f"INT64_C({expr.value})" if expr.value != -(1 << 63) else "INT64_MIN"
        text = str(expr.value)
        return {"inf": "IL_INF", "-inf": "(-IL_INF)", "nan": '__builtin_nan("")'}.get(text, f"({text})")

    def _none(self, expr: Expr) -> str:
        return self._temporary("wish", "il_plain(IL_KEEP)")

    def _named(self, expr: Expr) -> str:
        prefix = {"local": "l_", "state": "s->v_", "param": "s->p_"}[expr.op]
        return prefix + c_name(str(expr.value))

    def _bar(self, expr: Expr) -> str:
        return f"b->{expr.value}"

    def _converted(self, expr: Expr) -> str:
        inner = self._value(expr.args[0])
        if expr.kind == "wish":
            return self._temporary("wish", f"il_plain(il_side({inner}))")
        return self._temporary(expr.kind, f"({C_KINDS[expr.kind]}){inner}")

    def _truth(self, expr: Expr) -> str:
        return self._temporary("bool", f"{self._value(expr.args[0])} != 0")

    def _arithmetic(self, expr: Expr) -> str:
        left, right = self._value(expr.args[0]), self._value(expr.args[1])
        if expr.kind == "float":
            return self._temporary("float", f"{left} {SIGNS[expr.op]} {right}")
        result = self._temporary("int")
        self._fail_if(f"__builtin_{expr.op}_overflow({left}, {right}, &{result})", expr, *_INT_RANGE)
        return result

    def _divided(self, expr: Expr) -> str:
        left, right = self._value(expr.args[0]), self._value(expr.args[1])
        is_float = expr.args[0].kind == "float"
        self._fail_if(f"{right} == 0", expr, "ZeroDivisionError", "division by zero")
        if expr.op == "div":
            if not is_float:
                self._fail_if(f"!il_is_exact({left}) || !il_is_exact({right})", expr, *_INT_RANGE)
            return self._temporary("float", f"(double){left} / (double){right}")
        if is_float:
            return self._temporary("float", f"il_{expr.op}({left}, {right})")
        self._fail_if(f"{left} == INT64_MIN && {right} == -1", expr, *_INT_RANGE)
        return self._temporary("int", f"il_{expr.op}_int({left}, {right})")

    def _negated(self, expr: Expr) -> str:
        inner = self._value(expr.args[0])
        if expr.kind == "int":
            self._fail_if(f"{inner} == INT64_MIN", expr, *_INT_RANGE)
        return self._temporary(expr.kind, f"-{inner}")

    def _comparison(self, op: str, left: tuple[str, str], right: tuple[str, str]) -> str:
        """Compare (operand, kind) by value; an int and a float as Python does, not by rounding the int."""
        if left[1] == right[1]:
            return f"{left[0]} {SIGNS[op]} {right[0]}"
        if left[1] == "float":
            return self._comparison(SWAPPED[op], right, left)
        return BY_ORDER[op].format(self._temporary("int", f"il_order({left[0]}, {right[0]})"))

    def _compared(self, expr: Expr) -> str:
        left, right = ((self._value(arg), arg.kind) for arg in expr.args)
        return self._temporary("bool", self._comparison(expr.op, left, right))

    def _chained(self, expr: Expr) -> str:
        """`a < b < c`: b once, c only where a < b holds."""
        result, ops = self._temporary("bool", "0"), str(expr.value).split(",")
        left = (self._value(expr.args[0]), expr.args[0].kind)
        for op, arg in zip(ops, expr.args[1:], strict=True):
            right = (self._value(arg), arg.kind)
            self.line(f"{result} = {self._comparison(op, left, right)};")
            self.line(f"if ({result}) {{")
            self._depth += 1
            left = right
        for _ in ops:
            self._depth -= 1
            self.line("}")
        return result

    def _both_or_either(self, expr: Expr) -> str:
        result = self._temporary("bool", self._value(expr.args[0]))
        for arg in expr.args[1:]:
            self.line(f"if ({'' if expr.op == 'and' else '!'}{result}) {{")
            self._depth += 1
            self.line(f"{result} = {self._value(arg)};")
        for _ in expr.args[1:]:
            self._depth -= 1
            self.line("}")
        return result

    def _not(self, expr: Expr) -> str:
        return self._temporary("bool", f"!{self._value(expr.args[0])}")

    def _is_none(self, expr: Expr) -> str:
        return self._temporary("bool", f"{self._value(expr.args[0])}.want == IL_KEEP")

    def _choice(self, expr: Expr) -> str:
        test, body, orelse = expr.args
        result = self._temporary(expr.kind)
        self.line(f"if ({self._value(test)}) {{")
        self._block(lambda: self.line(f"{result} = {self._value(body)};"))
        self.line("} else {")
        self._block(lambda: self.line(f"{result} = {self._value(orelse)};"))
        self.line("}")
        return result

    def _extreme(self, expr: Expr) -> str:
        """Python keeps the first of equals, and the one before a NaN: replaced only when strictly beyond."""
        operands = [self._value(arg) for arg in expr.args]
        result = self._temporary(expr.kind, operands[0])
        for operand in operands[1:]:
            self.line(
                f"{result} = {operand} {'<' if expr.op == 'min' else '>'} {result} ? {operand} : {result};"
            )
        return result

    def _absolute(self, expr: Expr) -> str:
        inner = self._value(expr.args[0])
        if expr.kind == "float":
            return self._temporary("float", f"__builtin_fabs({inner})")
        self._fail_if(f"{inner} == INT64_MIN", expr, *_INT_RANGE)
        return self._temporary("int", f"{inner} < 0 ? -{inner} : {inner}")

    def _whole(self, expr: Expr) -> str:
        """int(x), math.floor(x), math.ceil(x) of a float."""
        inner = self._value(expr.args[0])
        rounded = {"truncate": inner, "floor": f"il_floor({inner})", "ceil": f"-il_floor(-{inner})"}[expr.op]
        self._fail_if(f"{inner} != {inner}", expr, "ValueError", "cannot convert float NaN to integer")
        self._fail_if(f"!il_fits({inner})", expr, *_INT_RANGE)
        return self._temporary("int", f"(int64_t)({rounded})")

    def _root(self, expr: Expr) -> str:
        inner = self._value(expr.args[0])
        self._fail_if(f"{inner} < 0.0", expr, "ValueError", "math domain error")
        return self._temporary("float", f"__builtin_sqrt({inner})")

    def _distance(self, expr: Expr) -> str:
        """A distance where negative numbers mean none; one that is negative itself becomes a NaN, refused."""
        inner = self._value(expr.args[0])
        return self._temporary("float", f'{inner} >= 0.0 ? {inner} : __builtin_nan("")')

    def _classified(self, expr: Expr) -> str:
        inner = self._value(expr.args[0])
        tests = {
            "isnan": "{0} != {0}",
            "isinf": "{0} == IL_INF || {0} == -IL_INF",
            "isfinite": "il_is_finite({0})",
        }
        return self._temporary("bool", tests[expr.op].format(inner))

    def _update(self, expr: Expr) -> str:
        name = str(expr.value)
        form = INDICATORS[self._kinds[name]]
        args = [self._value(arg) for arg in expr.args]
        for arg, operand in zip(expr.args, args, strict=True):
            if arg.kind == "float":
                test = f"!(__builtin_fabs({operand}) < IL_LARGEST_INPUT)"
                self._fail_if(test, expr, "ValueError", "an input is not finite (or beyond 1e100)")
        ring = [f"rings + s->r_{c_name(name)}"] if form.has_ring else []
        call = ", ".join([f"&s->i_{c_name(name)}", *ring, *args])
        return self._temporary("float", f"il_{form.c_name}_step({call})")

    def _get(self, expr: Expr) -> str:
        name, _, output = str(expr.value).partition(".")
        place = f"s->i_{c_name(name)}"
        special = {"is_ready": f"{place}.count >= {place}.warmup", "warmup_bars": f"{place}.warmup"}
        text = special.get(output, f"{place}.{output}")
        return self._temporary(expr.kind, text)

    def _signal(self, expr: Expr) -> str:
        operands = dict(zip(ANSWER_FIELDS, (self._value(arg) for arg in expr.args), strict=True))
        result = self._temporary("wish", f"il_plain(il_side({operands.pop('side')}))")
        for name, operand in operands.items():
            self.line(f"{result}.{name} = {operand};")
        self.line(f"il_check_signal(&{result});")
        return result

    _EXPRESSIONS: Mapping[str, Callable[[Body, Expr], str]] = {
        "const": _constant, "none": _none, "local": _named, "state": _named, "param": _named, "bar": _bar,
        "to_int": _converted, "to_float": _converted, "to_wish": _converted, "truth": _truth,
        "add": _arithmetic, "sub": _arithmetic, "mul": _arithmetic,
        "div": _divided, "floordiv": _divided, "mod": _divided, "neg": _negated,
        "lt": _compared, "le": _compared, "gt": _compared, "ge": _compared, "eq": _compared, "ne": _compared,
        "chain": _chained, "and": _both_or_either, "or": _both_or_either, "not": _not, "is_none": _is_none,
        "choice": _choice, "min": _extreme, "max": _extreme, "abs": _absolute, "fabs": _absolute,
        "truncate": _whole, "floor": _whole, "ceil": _whole, "sqrt": _root,
        "isnan": _classified, "isinf": _classified, "isfinite": _classified,
        "update": _update, "get": _get, "distance": _distance, "signal": _signal,
    }  # fmt: skip
