"""Names to strategies: bundled, installed (entry point `interlock.strategies`), a user's file.py[:Class]."""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from engine.strategies.bundled.buy_and_hold import BuyAndHold
from engine.strategies.bundled.donchian_breakout import DonchianBreakout
from engine.strategies.bundled.ema_cross import EmaCross
from engine.strategies.bundled.mean_reversion_z import MeanReversionZ
from engine.strategies.bundled.rsi_ma_cross import RsiMaCross
from engine.strategies.bundled.trend_atr import TrendAtr
from engine.strategies.presets import PRESETS
from native.lanes import BUILTINS, builtin_params
from native.strategy import Strategy

GROUP = "interlock.strategies"
FOLDER = Path(__file__).with_name("bundled")


class StrategyError(Exception):
    """A strategy cannot be loaded; the message names the file and line where there is one.

    `code`: `unknown_strategy` where there is none of that name, else `strategy_invalid`.
    """

    code = "strategy_invalid"


class UnknownStrategy(StrategyError):
    """There is no strategy of this name."""

    code = "unknown_strategy"


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: default, inclusive bounds, and names of its values (from `low` on) where it has any."""

    name: str
    default: float
    low: float
    high: float
    doc: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundled:
    """A strategy that comes with the house: a file in the forge's subset, compiled into the kernel or not."""

    name: str
    kind: type[Strategy]

    @property
    def is_compiled(self) -> bool:
        return self.name in BUILTINS

    @property
    def doc(self) -> str:
        return _doc(self.kind)

    @property
    def params(self) -> tuple[ParamSpec, ...]:
        return _specs(self.kind)

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.py"

    @property
    def presets(self) -> tuple[str, ...]:
        return tuple(name for name, preset in PRESETS.items() if preset.strategy == self.name)


BUNDLED: dict[str, Bundled] = {
    name: Bundled(name, kind)
    for name, kind in {
        "ema_cross": EmaCross,
        "rsi_ma_cross": RsiMaCross,
        "buy_and_hold": BuyAndHold,
        "donchian_breakout": DonchianBreakout,
        "mean_reversion_z": MeanReversionZ,
        "trend_atr": TrendAtr,
    }.items()
}
assert set(BUILTINS) <= set(BUNDLED)


def _doc(kind: type[Strategy]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _specs(kind: type[Strategy]) -> tuple[ParamSpec, ...]:
    return tuple(ParamSpec(p.name, p.default, p.low, p.high, p.doc, p.choices) for p in kind.params.values())


@dataclass(frozen=True, slots=True)
class LoadedStrategy:
    """A strategy ready for lanes. `build(params)` gives what `LaneSpec.strategy` takes, anew each time.

    `source_sha256` is that of the file's bytes, or of a compiled strategy's name. `file` is the source where
    there is one (what the forge reads), `class_name` the class in it.
    """

    name: str
    doc: str
    params: tuple[ParamSpec, ...]
    is_compiled: bool
    source_sha256: str
    build: Callable[[Mapping[str, float]], str | Strategy]
    file: Path | None = None
    class_name: str = ""

    def complete(self, given: Mapping[str, float | str]) -> dict[str, float]:
        """Return all parameters as numbers, defaults filled in.

        Raises `StrategyError` for a parameter that is unknown, out of bounds or a name that is no choice.
        """
        unknown = sorted(set(given) - {spec.name for spec in self.params})
        if unknown:
            known = ", ".join(spec.name for spec in self.params) or "none"
            raise StrategyError(f"{self.name} has no parameter {', '.join(unknown)} (it has: {known})")
        values = {spec.name: _number(spec, given.get(spec.name, spec.default)) for spec in self.params}
        for spec in self.params:
            if not spec.low <= values[spec.name] <= spec.high:
                raise StrategyError(
                    f"{spec.name}={values[spec.name]:g} is outside [{spec.low:g}, {spec.high:g}]"
                )
        return values


def _number(spec: ParamSpec, value: float | str) -> float:
    """Return the number of a value; text must be one of the choices: nothing unknown is guessed."""
    if not isinstance(value, str):
        return float(value)
    if value not in spec.choices:
        known = ", ".join(spec.choices)
        raise StrategyError(
            f"{spec.name}={value!r} is none of {known}" if known else f"{spec.name}={value!r} is not a number"
        )
    return float(spec.low + spec.choices.index(value))


def load_strategy(spec: str) -> LoadedStrategy:
    """Load a bundled name, an installed one or a user file; the last two run the author's code.

    Raises `StrategyError`.
    """
    if spec in BUNDLED:
        bundled = BUNDLED[spec]
        return _load_compiled(bundled) if bundled.is_compiled else _of_class(spec, bundled.kind, bundled.file)
    path_text, _, class_name = spec.partition(":")
    if path_text.endswith(".py"):
        return _load_file(Path(path_text), class_name)
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if spec not in installed:
        known = ", ".join([*BUNDLED, *sorted(set(installed) - set(BUNDLED))])
        raise UnknownStrategy(f"no strategy {spec!r}: there are {known}; or give file.py[:Class]")
    return _load_installed(installed[spec])


def _load_compiled(bundled: Bundled) -> LoadedStrategy:
    def build(params: Mapping[str, float]) -> str:
        try:
            builtin_params(bundled.name, params)
        except ValueError as error:
            raise StrategyError(str(error)) from error
        return bundled.name

    digest = hashlib.sha256(bundled.name.encode()).hexdigest()
    return LoadedStrategy(
        name=bundled.name,
        doc=bundled.doc,
        params=bundled.params,
        is_compiled=True,
        source_sha256=digest,
        build=build,
        file=bundled.file,
        class_name=bundled.kind.__name__,
    )


def _load_installed(point: EntryPoint) -> LoadedStrategy:
    """Load what another distribution offers under the group; it must be a `Strategy` class."""
    where = f"entry point {point.name} = {point.value}"
    try:
        kind = point.load()
    except Exception as error:
        raise StrategyError(f"{where}: {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise StrategyError(f"{where}: {kind!r} is not a Strategy class")
    return _of_class(point.name, kind, Path(inspect.getfile(kind)))


def _load_file(path: Path, class_name: str) -> LoadedStrategy:
    source = _read(path)
    kind = _choose(path, run_module(path, source), class_name)
    return _of_class(kind.__name__, kind, path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StrategyError(f"{path}: {error.strerror}") from error


def _of_class(name: str, kind: type[Strategy], path: Path) -> LoadedStrategy:
    def build(values: Mapping[str, float]) -> Strategy:
        try:
            return kind(**values)
        except Exception as error:
            raise StrategyError(f"{where_of(path, error)}: {type(error).__name__}: {error}") from error

    return LoadedStrategy(
        name=name,
        doc=_doc(kind),
        params=_specs(kind),
        is_compiled=False,
        source_sha256=hashlib.sha256(_read(path)).hexdigest(),
        build=build,
        file=path,
        class_name=kind.__name__,
    )


def run_module(path: Path, source: bytes) -> ModuleType:
    """Execute a user's file as a module of its own; nothing is put on the import path.

    Raises `StrategyError` with file and line.
    """
    module = ModuleType(f"strategy_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise StrategyError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise StrategyError(f"{where_of(path, error)}: {type(error).__name__}: {error}") from error
    return module


def _choose(path: Path, module: ModuleType, class_name: str) -> type[Strategy]:
    """Pick the named class, or the only Strategy defined in the file."""
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    }
    if class_name:
        if class_name not in found:
            raise StrategyError(
                f"{path}: no Strategy class {class_name} (found: {', '.join(found) or 'none'})"
            )
        return found[class_name]
    if len(found) != 1:
        raise StrategyError(f"{path}: needs exactly one Strategy class, found {', '.join(found) or 'none'}")
    return next(iter(found.values()))


def where_of(path: Path, error: BaseException) -> str:
    """Return file:line of the innermost frame inside the user's file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
