"""The strategies that can be run: bundled and installed ones, and files; for lists and forms."""

from __future__ import annotations

from importlib.metadata import entry_points

from engine.strategies.presets import PRESETS
from engine.strategies.registry import BUNDLED, GROUP, LoadedStrategy, ParamSpec, load_strategy
from venues.types import Record


class ParamRow(Record):
    """One parameter: its default, inclusive bounds, and the names of its values where it has any."""

    name: str
    default: float
    low: float
    high: float
    meaning: str
    choices: tuple[str, ...] = ()


class PresetRow(Record):
    """A preset: parameters and assumptions under one name."""

    name: str
    meaning: str
    params: dict[str, float | str]


class StrategyRow(Record):
    """One strategy. `runs` is compiled (into the kernel) or interpreted; `file` its source, where known."""

    name: str
    meaning: str
    runs: str
    params: tuple[ParamRow, ...]
    presets: tuple[PresetRow, ...]
    file: str
    source_sha256: str


def list_strategies() -> tuple[StrategyRow, ...]:
    """Return bundled strategies, then installed ones. Raises `StrategyError` for one that is broken."""
    installed = sorted({point.name for point in entry_points(group=GROUP)} - set(BUNDLED))
    return tuple(show_strategy(name) for name in (*BUNDLED, *installed))


def show_strategy(spec: str) -> StrategyRow:
    """Return one strategy by name, or of a file; a file is executed. Raises `StrategyError`."""
    loaded = load_strategy(spec)
    return StrategyRow(
        name=loaded.name,
        meaning=loaded.doc,
        runs="compiled" if loaded.is_compiled else "interpreted",
        params=tuple(_param(each) for each in loaded.params),
        presets=_presets(loaded),
        file=str(loaded.file or ""),
        source_sha256=loaded.source_sha256,
    )


def _param(spec: ParamSpec) -> ParamRow:
    return ParamRow(
        name=spec.name,
        default=spec.default,
        low=spec.low,
        high=spec.high,
        meaning=spec.doc,
        choices=spec.choices,
    )


def _presets(loaded: LoadedStrategy) -> tuple[PresetRow, ...]:
    return tuple(
        PresetRow(name=name, meaning=preset.doc, params=dict(preset.params))
        for name, preset in PRESETS.items()
        if preset.strategy == loaded.name
    )
