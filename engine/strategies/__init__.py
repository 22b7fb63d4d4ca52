"""Strategies: the bundled ones, their presets, and the loader of user files."""

from engine.strategies.presets import PRESETS, Preset
from engine.strategies.registry import BUNDLED, Bundled, LoadedStrategy, StrategyError, load_strategy

__all__ = ["BUNDLED", "PRESETS", "Bundled", "LoadedStrategy", "Preset", "StrategyError", "load_strategy"]
