"""Names to strategies: the bundled compiled ones, and user files `path/to/file.py[:Class]`."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from engine.strategies.presets import PRESETS
from native.lanes import BUILTINS, builtin_params
from native.strategy import Strategy


class StrategyError(Exception):
    """A strategy cannot be loaded; the message names the file and line where there is one."""


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: default and inclusive bounds."""

    name: str
    default: float
    low: float
    high: float
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A compiled strategy that comes with the house."""

    name: str
    doc: str
    params: tuple[ParamSpec, ...]

    @property
    def presets(self) -> tuple[str, ...]:
        return tuple(name for name, preset in PRESETS.items() if preset.strategy == self.name)


BUNDLED: dict[str, Bundled] = {
    bundled.name: bundled
    for bundled in (
        Bundled(
            "ema_cross",
            "Two exponential averages: always in the market, or (bracket=1) crosses with stop and target.",
            (
                ParamSpec("fast", 12, 1, 5_000, "fast average, bars"),
                ParamSpec("slow", 26, 2, 10_000, "slow average, bars"),
                ParamSpec("bracket", 0, 0, 1, "1: enter on crosses with stop, target and trail"),
                ParamSpec("stop_atr", 2, 0, 50, "stop distance in ATR(14)"),
                ParamSpec("target_atr", 3, 0, 50, "target distance in ATR(14)"),
                ParamSpec("trail_atr", 2, 0, 50, "trail distance in ATR(14); 0 does not trail"),
            ),
        ),
        Bundled(
            "rsi_ma_cross",
            "Long while the fast average is above the slow and RSI is below rsi_buy_max; "
            "flat once it is below and RSI is above rsi_sell_min; else keep.",
            (
                ParamSpec("rsi_period", 14, 2, 1_000, "Wilder's RSI, bars"),
                ParamSpec("ma_fast", 20, 1, 5_000, "fast plain average, bars"),
                ParamSpec("ma_slow", 100, 2, 10_000, "slow plain average, bars"),
                ParamSpec("rsi_buy_max", 70, 0, 100, "no entry at or above"),
                ParamSpec("rsi_sell_min", 30, 0, 100, "no exit at or below"),
            ),
        ),
        Bundled("buy_and_hold", "Buy at the second bar's open and keep.", ()),
    )
}
assert set(BUNDLED) == set(BUILTINS)


@dataclass(frozen=True, slots=True)
class LoadedStrategy:
    """A strategy ready for lanes. `build(params)` gives what `LaneSpec.strategy` takes, anew each time.

    `source_sha256` is that of a user file's bytes, or of the bundled name.
    """

    name: str
    doc: str
    params: tuple[ParamSpec, ...]
    is_compiled: bool
    source_sha256: str
    build: Callable[[Mapping[str, float]], str | Strategy]

    def complete(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return all parameters, defaults filled in. Raises `StrategyError` for unknown or out of bounds."""
        unknown = sorted(set(given) - {spec.name for spec in self.params})
        if unknown:
            known = ", ".join(spec.name for spec in self.params) or "none"
            raise StrategyError(f"{self.name} has no parameter {', '.join(unknown)} (it has: {known})")
        values = {spec.name: float(given.get(spec.name, spec.default)) for spec in self.params}
        for spec in self.params:
            if not spec.low <= values[spec.name] <= spec.high:
                raise StrategyError(
                    f"{spec.name}={values[spec.name]:g} is outside [{spec.low:g}, {spec.high:g}]"
                )
        return values


def load_strategy(spec: str) -> LoadedStrategy:
    """Load a bundled name or a user file. Raises `StrategyError`; a user file's code runs on loading."""
    if spec in BUNDLED:
        return _load_bundled(BUNDLED[spec])
    path_text, _, class_name = spec.partition(":")
    if not path_text.endswith(".py"):
        raise StrategyError(
            f"no strategy {spec!r}: bundled are {', '.join(BUNDLED)}; or give file.py[:Class]"
        )
    return _load_file(Path(path_text), class_name)


def _load_bundled(bundled: Bundled) -> LoadedStrategy:
    def build(params: Mapping[str, float]) -> str:
        try:
            builtin_params(bundled.name, params)
        except ValueError as error:
            raise StrategyError(str(error)) from error
        return bundled.name

    digest = hashlib.sha256(bundled.name.encode()).hexdigest()
    return LoadedStrategy(bundled.name, bundled.doc, bundled.params, True, digest, build)


def _load_file(path: Path, class_name: str) -> LoadedStrategy:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StrategyError(f"{path}: {error.strerror}") from error
    chosen = _choose(path, _run_module(path, source), class_name)
    params = tuple(ParamSpec(p.name, p.default, p.low, p.high, p.doc) for p in chosen.params.values())

    def build(values: Mapping[str, float]) -> Strategy:
        try:
            return chosen(**values)
        except Exception as error:
            raise StrategyError(f"{_where(path, error)}: {type(error).__name__}: {error}") from error

    doc = (chosen.__doc__ or "").strip().partition("\n")[0]
    return LoadedStrategy(chosen.__name__, doc, params, False, hashlib.sha256(source).hexdigest(), build)


def _run_module(path: Path, source: bytes) -> ModuleType:
    """Execute the file as a module of its own; nothing is put on the import path."""
    module = ModuleType(f"strategy_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise StrategyError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise StrategyError(f"{_where(path, error)}: {type(error).__name__}: {error}") from error
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


def _where(path: Path, error: BaseException) -> str:
    """Return file:line of the innermost frame inside the user's file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
