from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from native.intents import KernelConfig as KernelConfig
from native.intents import KernelFill as KernelFill
from native.intents import LanePosition as LanePosition
from native.intents import LaneSpec as LaneSpec
from native.intents import Matching as Matching
from native.intents import OrderIntent as OrderIntent
from native.lane_states import StoredLanes
from native.lanes import BUILTINS as BUILTINS
from native.lanes import DECISION_DTYPE as DECISION_DTYPE
from native.lanes import TRADE_DTYPE as TRADE_DTYPE
from native.lanes import builtin_params as builtin_params

class Kernel(StoredLanes):
    def __init__(
        self,
        config: KernelConfig,
        lanes: Sequence[LaneSpec],
        matching: Matching = "internal",
        run_id: str = "run",
    ) -> None: ...
    def open(self, lane: int, ts_ns: int, price: float) -> list[KernelFill]: ...
    def close(
        self,
        lane: int,
        ts_ns: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float = 0.0,
    ) -> list[OrderIntent]: ...
    def outstanding(self, lane: int) -> list[OrderIntent]: ...
    def take_fills(self, lane: int) -> list[KernelFill]: ...
    def fill(
        self,
        lane: int,
        intent_id: str | int,
        units: int,
        price: float,
        fee: float,
        ts_ns: int,
        side: int | None = None,
    ) -> None: ...
    def reject(self, lane: int, intent_id: str | int, code: str) -> None: ...
    def replay(
        self,
        lane: int,
        ts_ns: NDArray[np.int64],
        open: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        close: NDArray[np.float64],
        volume: NDArray[np.float64],
    ) -> int: ...
    def set_sub_bars(
        self,
        lane: int,
        ts_ns: NDArray[np.int64],
        open: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        close: NDArray[np.float64],
        volume: NDArray[np.float64],
    ) -> None: ...
    def sub_bar(
        self,
        lane: int,
        ts_ns: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float = 0.0,
    ) -> list[KernelFill]: ...
    def set_funding(
        self, lane: int, ts_ns: NDArray[np.int64], rate: NDArray[np.float64], mark: NDArray[np.float64]
    ) -> None: ...
    def pay_funding(self, lane: int, ts_ns: int, rate: float, mark: float) -> float: ...
    def finish(self, lane: int) -> None: ...
    def warm(
        self,
        lane: int,
        ts_ns: NDArray[np.int64],
        open: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        close: NDArray[np.float64],
        volume: NDArray[np.float64],
    ) -> int: ...
