"""The words of the subset: what a bar has, what an answer can carry, which operators there are."""

from __future__ import annotations

import ast
import math

from native.strategy import Signal

NUMBERS = ("int", "float", "bool")
BAR_FIELDS = {
    "ts_ns": "int",
    "index": "int",
    "side": "int",
    "open": "float",
    "high": "float",
    "low": "float",
    "close": "float",
    "volume": "float",
}
ANSWER_FIELDS = {
    "side": ("int", None),
    "strength": ("float", 1.0),
    "stop": ("float", 0.0),
    "target": ("float", 0.0),
    "trail": ("float", 0.0),
    "hold_bars": ("int", 0),
    "partial": ("float", 0.0),
    "partial_target": ("float", 0.0),
    "breakeven": ("float", 0.0),
    "limit": ("float", -1.0),
}
"""What an answer can carry, in the order of the IR: kind, and what None or nothing stands for."""
SIGNAL_FIELDS = Signal._fields
assert set(SIGNAL_FIELDS) <= set(ANSWER_FIELDS), "the forge does not know every field of Signal"
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
MATH_CONSTANTS = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "e": math.e, "tau": math.tau}
MATH_CALLS = {
    "sqrt": "float",
    "fabs": "float",
    "floor": "int",
    "ceil": "int",
    "isnan": "bool",
    "isinf": "bool",
    "isfinite": "bool",
}
NO_LIBRARY = "it needs a mathematics library, which a sealed strategy cannot call"

PLAIN = "use arithmetic, comparisons, if/else, min, max, abs, int, float, bool, math.sqrt and indicators"
REMEDIES: dict[type[ast.expr], str] = {
    ast.List: "keep a window in an indicator",
    ast.Dict: "keep numbers on self",
    ast.Subscript: "keep a window in an indicator",
    ast.Tuple: "return an int, None or Signal(...)",
    ast.Lambda: "write the expression where it is used",
    ast.JoinedStr: "a strategy does not make text",
    ast.NamedExpr: "assign on a line of its own",
}
