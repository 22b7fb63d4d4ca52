"""Which strategy runs: a bundled one, a named preset, or a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.api.switches import Value
from engine.strategies import PRESETS, StrategyError, load_strategy
from native.forged import Forged
from native.intents import KernelConfig
from native.strategy import Strategy
from seams.disk import Disk


class RunFailed(Exception):
    """The run cannot be made; `code` is a reason code: strategy_invalid, invalid_request, no_bars, ..."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into the kernel's lane, and the preset's account (None without a preset) and switches.

    `file`: FILE.py:Class of the source, empty where there is none.
    """

    name: str
    strategy: str | Strategy | Forged
    params: dict[str, float]
    source_sha256: str
    account: KernelConfig | None
    switches: Mapping[str, Value]
    file: str
    lot: float
    tick: float


def choose(strategy: str, preset: str, params: Mapping[str, float | str]) -> Choice:
    """Resolve names to a `Choice`. Raises `RunFailed`: its strategy's code, or `invalid_request`."""
    if preset and preset not in PRESETS:
        raise RunFailed("invalid_request", f"unknown preset {preset!r}; known: {', '.join(sorted(PRESETS))}")
    base = PRESETS[preset] if preset else None
    spec = strategy or (base.strategy if base else "")
    if not spec:
        raise RunFailed("invalid_request", "name a strategy or a preset")
    if base is not None and spec != base.strategy:
        raise RunFailed("invalid_request", f"preset {preset} is for {base.strategy}, not {spec}")
    bundled = spec.replace("-", "_") if not spec.partition(":")[0].endswith(".py") else spec
    try:
        loaded = load_strategy(bundled)
    except StrategyError as error:
        raise RunFailed(error.code, str(error)) from error
    try:
        complete = loaded.complete({**(base.params if base else {}), **params})
        built = loaded.build(complete)
    except StrategyError as error:
        raise RunFailed("invalid_request", str(error)) from error
    return Choice(
        name=loaded.name,
        strategy=built,
        params=complete,
        source_sha256=loaded.source_sha256,
        account=base.config if base else None,
        switches=base.switches if base else {},
        file=f"{loaded.file}:{loaded.class_name}" if loaded.file is not None else "",
        lot=base.lot if base else 1e-6,
        tick=base.tick if base else 0.0,
    )


def execution_of(choice: Choice) -> str:
    """Say how a choice runs: compiled into the kernel, interpreted, or forged."""
    if isinstance(choice.strategy, str):
        return "compiled"
    return "forged" if isinstance(choice.strategy, Forged) else "interpreted"


def build_of(choice: Choice) -> str:
    """Return the hash of a forged choice's build, else an empty string."""
    return choice.strategy.build_sha256 if isinstance(choice.strategy, Forged) else ""


def forged(choice: Choice, home: Path, disk: Disk) -> Choice:
    """Return the choice with its file compiled; raises what the forge raises, and `RunFailed`."""
    from engine.lifecycle.forge.store import forge, open_library

    if not choice.file:
        raise RunFailed("invalid_request", f"{choice.name} has no source file; only a file is forged")
    library = open_library(forge(choice.file, home, disk), disk)
    try:
        built = library.instance(choice.params)
    except (ValueError, ArithmeticError) as error:
        raise RunFailed("invalid_request", str(error)) from error
    return replace(choice, strategy=built)
