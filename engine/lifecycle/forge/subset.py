"""From a strategy's source text to a typed program, or to a refusal that says what to write instead.

Nothing of the file is executed. The module may hold imports, constants and classes; the strategy class
parameters, constants, `on_start` and `on_bar` (`docs/forge.md`).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from engine.lifecycle.forge.ir import Field, Program
from engine.lifecycle.forge.scope import Refused, Scope, Widened
from engine.lifecycle.forge.statements import read_body
from engine.lifecycle.forge.vocabulary import MATH_CALLS, MATH_CONSTANTS
from native.indicator_table import INDICATORS

FACES = ("Bar", "Signal", "Strategy", "param")
HOUSE_MODULES = ("interlock", "native.indicators", "native.strategy")
IGNORED_MODULES = ("__future__", "typing", "collections.abc")
MAX_ROUNDS = 200


def read_strategy(source: str, file: str, class_name: str = "") -> Program:
    """Return the program of the file's only strategy class, or the named one.

    Raises `Refused` with `file:line:column`, the construct and the remedy.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise Refused(f"{file}:{error.lineno}:{error.offset}: {error.msg}: correct the syntax") from error
    module = _Module(file)
    for node in tree.body:
        module.take(node)
    chosen = module.choose(class_name)
    return _read_class(module, chosen)


class _Module:
    """What the names at the top of the file mean."""

    def __init__(self, file: str) -> None:
        self.meanings: dict[str, tuple[str, str]] = {}
        self.constants: dict[str, ast.expr] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.scope = Scope(file, self.meanings, self.constants)

    def take(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                is_math = alias.name == "math"
                self._bind(
                    node,
                    alias.asname or alias.name,
                    ("module", "math") if is_math else ("opaque", alias.name),
                )
        elif isinstance(node, ast.ImportFrom):
            self._take_import(node)
        elif isinstance(node, ast.ClassDef):
            self._bind(node, node.name, ("class", node.name))
            self.classes[node.name] = node
        elif isinstance(node, ast.FunctionDef):
            self._bind(node, node.name, ("opaque", node.name))
        elif (pair := _assigned(node)) is not None:
            name, value = pair
            self._bind(node, name, ("constant" if is_number(value) else "opaque", name))
            if is_number(value):
                self.constants[name] = value
        elif not (_is_type_checking(node) or _is_docstring(node)):
            what = f"{type(node).__name__} at module level"
            raise self.scope.refuse(node, what, "keep imports, constants and classes there")

    def _take_import(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name, bound = alias.name, alias.asname or alias.name
            if node.module in IGNORED_MODULES:
                self._bind(node, bound, ("opaque", name))
            elif node.module in HOUSE_MODULES and name in INDICATORS:
                self._bind(node, bound, ("indicator", name))
            elif node.module in HOUSE_MODULES and name in FACES:
                self._bind(node, bound, ("face", name))
            elif node.module == "math" and (name in MATH_CALLS or name in MATH_CONSTANTS):
                self._bind(node, bound, ("math", name))
            else:
                self._bind(node, bound, ("opaque", f"{node.module}.{name}"))

    def _bind(self, node: ast.AST, name: str, meaning: tuple[str, str]) -> None:
        if name in self.meanings:
            raise self.scope.refuse(node, f"{name} is bound twice", "give each name one meaning")
        self.meanings[name] = meaning

    def choose(self, class_name: str) -> ast.ClassDef:
        found = [node for node in self.classes.values() if self._is_strategy(node)]
        if class_name:
            found = [node for node in found if node.name == class_name]
        if len(found) != 1:
            names = ", ".join(node.name for node in found) or "none"
            what = f"strategy class {class_name or '(any)'}"
            raise Refused(f"{self.scope.file}:1:1: {what}: found {names}: derive one directly from Strategy")
        return found[0]

    def _is_strategy(self, node: ast.ClassDef) -> bool:
        return any(
            isinstance(base, ast.Name) and self.meanings.get(base.id) == ("face", "Strategy")
            for base in node.bases
        )


def _assigned(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return (name, value) of a plain assignment to one name."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return node.target.id, node.value
    return None


def is_number(node: ast.expr) -> bool:
    """Whether an expression is a number or bool literal, at most with a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return is_number(node.operand)
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@dataclass
class _Parts:
    """A strategy class taken apart."""

    params: dict[str, str]
    constants: dict[str, ast.expr]
    on_start: ast.FunctionDef | None
    on_bar: ast.FunctionDef


def _read_class(module: _Module, node: ast.ClassDef) -> Program:
    if len(node.bases) != 1 or node.keywords or node.decorator_list:
        raise module.scope.refuse(node, "decorators or further bases", "derive from Strategy alone")
    parts = _take_apart(module.scope, node)
    widened: dict[str, str] = {}
    for _ in range(MAX_ROUNDS):
        try:
            return _read_methods(module, node.name, parts, widened)
        except Widened as found:
            widened[found.name] = found.kind
    raise module.scope.refuse(node, "kinds that never settle", "give each name one kind")


def _take_apart(scope: Scope, node: ast.ClassDef) -> _Parts:
    params: dict[str, str] = {}
    constants: dict[str, ast.expr] = {}
    methods: dict[str, ast.FunctionDef] = {}
    for item in node.body:
        pair = _assigned(item)
        if isinstance(item, ast.FunctionDef):
            methods[_method_name(scope, item)] = item
        elif pair is not None and pair[0] in (*params, *constants):
            raise scope.refuse(item, f"{pair[0]} is bound twice", "give each name one meaning")
        elif pair is not None and _is_param(scope, pair[1]):
            params[pair[0]] = _param_kind(scope, pair[1])
        elif pair is not None and is_number(pair[1]):
            constants[pair[0]] = pair[1]
        elif not (_is_docstring(item) or isinstance(item, ast.Pass)):
            what = f"{type(item).__name__} in the class body"
            raise scope.refuse(item, what, "use param(...), number constants, on_start and on_bar")
    if "on_bar" not in methods:
        raise scope.refuse(node, f"{node.name} has no on_bar", "write on_bar(self, bar)")
    return _Parts(params, constants, methods.get("on_start"), methods["on_bar"])


def _method_name(scope: Scope, node: ast.FunctionDef) -> str:
    expected = {"on_start": 1, "on_bar": 2}
    if node.name not in expected:
        raise scope.refuse(node, f"method {node.name}", "write the code in on_start and on_bar")
    given = node.args
    plain = given.args if not (given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg) else []
    if node.decorator_list or given.defaults or len(plain) != expected[node.name] or plain[0].arg != "self":
        raise scope.refuse(node, f"signature of {node.name}", "write on_start(self) and on_bar(self, bar)")
    return node.name


def _is_param(scope: Scope, value: ast.expr) -> bool:
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    return is_call and scope.meanings.get(value.func.id) == ("face", "param")  # type: ignore[attr-defined]


def _param_kind(scope: Scope, value: ast.expr) -> str:
    assert isinstance(value, ast.Call)
    named = {keyword.arg: keyword.value for keyword in value.keywords}
    default = value.args[0] if value.args else named.get("default")
    if isinstance(default, ast.Name):
        default = scope.constants.get(default.id)
    if default is None or not is_number(default):
        raise scope.refuse(value, "a parameter's default that is not a number", "write the number")
    return "int" if isinstance(ast.literal_eval(default), int) else "float"


def _read_methods(module: _Module, name: str, parts: _Parts, widened: dict[str, str]) -> Program:
    scope = Scope(module.scope.file, module.meanings, module.constants)
    scope.params, scope.class_constants = dict(parts.params), dict(parts.constants)
    warmup = scope.class_constants.pop("warmup_bars", ast.Constant(0))
    warmup_bars = ast.literal_eval(warmup)
    if not isinstance(warmup_bars, int):
        raise scope.refuse(warmup, "warmup_bars that is not an int", "write a whole number")
    scope.state = _known(widened, "self.")
    scope.is_start, scope.locals_ = True, _known(widened, "start.")
    start = read_body(scope, parts.on_start.body)[0] if parts.on_start is not None else ()
    start_locals = scope.locals_
    for attribute in scope.state:
        if f"self.{attribute}" not in scope.set_before:
            assert parts.on_start is not None
            what = f"self.{attribute} is set on some paths only"
            raise scope.refuse(parts.on_start, what, "set it on every path of on_start")
    scope.is_start, scope.bar_name = False, parts.on_bar.args.args[1].arg
    scope.locals_, scope.set_before = _known(widened, "bar."), set()
    bar, _ = read_body(scope, parts.on_bar.body)
    return Program(
        name=name,
        params=_fields(scope.params),
        state=_fields(scope.state),
        indicators=_fields(scope.indicators),
        start_locals=_fields(start_locals),
        bar_locals=_fields(scope.locals_),
        start=start,
        bar=bar,
        warmup_bars=warmup_bars,
    )


def _known(widened: dict[str, str], room: str) -> dict[str, str]:
    return {key.removeprefix(room): kind for key, kind in widened.items() if key.startswith(room)}


def _fields(kinds: dict[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name=name, kind=kind) for name, kind in kinds.items())
