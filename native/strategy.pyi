from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, overload

class Signal(NamedTuple):
    side: int
    strength: float = 1.0
    stop: float | None = None
    target: float | None = None
    trail: float | None = None
    hold_bars: int | None = None
    partial: float | None = None
    partial_target: float | None = None
    breakeven: float | None = None
    limit: float | None = None

class Bar:
    ts_ns: int
    index: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    side: int

class StrategyFailed(RuntimeError):
    code: ClassVar[str]

def strategy_failed(on_bar: Callable[..., object], error: BaseException) -> StrategyFailed: ...

class Param:
    name: str
    default: float
    low: float
    high: float
    doc: str
    choices: tuple[str, ...]
    def checked(self, value: float | str) -> float: ...
    @overload
    def __get__(self, instance: None, owner: type) -> Param: ...
    @overload
    def __get__(self, instance: object, owner: type) -> float: ...

def param(default: float, low: float, high: float, doc: str = "", choices: Sequence[str] = ()) -> Any: ...

class Strategy:
    params: ClassVar[dict[str, Param]]
    warmup_bars: int
    def __init__(self, **values: float | str) -> None: ...
    def on_start(self) -> None: ...
    def on_bar(self, bar: Bar) -> Signal | int | None: ...
    def values(self) -> dict[str, float]: ...
    def export_state(self) -> dict[str, Any]: ...
    def import_state(self, state: dict[str, Any]) -> None: ...
