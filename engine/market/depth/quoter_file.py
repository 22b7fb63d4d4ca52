"""A quoting strategy out of a user's file: `quoter(order_lots)` returns what is asked at every step.

def quoter(order_lots):
    def quotes(best_bid, best_ask, position_lots):
        return best_bid, best_ask          # ticks; None stands aside on that side
    return quotes
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.market.depth.quoting import Quoter
from engine.strategies.registry import StrategyError, run_module, where_of


def load_quoter(path: Path, source: bytes, order_lots: int) -> Quoter:
    """Run a file and return its quoter for orders of that size. Raises `StrategyError` with file and line.

    What the quoter raises while it quotes comes out as `StrategyError` too.
    """
    make = getattr(run_module(path, source), "quoter", None)
    if not callable(make):
        raise StrategyError(f"{path}: there is no function quoter(order_lots)")
    quoter = _guarded(path, make)(order_lots)
    if not callable(quoter):
        raise StrategyError(f"{path}: quoter(order_lots) returned {type(quoter).__name__}, not a function")
    return _guarded(path, quoter)


def _guarded(path: Path, work: Callable[..., Any]) -> Callable[..., Any]:
    def call(*words: int) -> Any:
        try:
            return work(*words)
        except Exception as error:
            raise StrategyError(f"{where_of(path, error)}: {type(error).__name__}: {error}") from error

    return call
