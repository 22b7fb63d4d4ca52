from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.intents import KernelConfig
from native.lanes import LaneTable

CELL_DTYPE: np.dtype[Any]
WIDTHS: tuple[int, ...]

def lane_width() -> int: ...
def is_plain(config: KernelConfig) -> bool: ...
def replay_cell(
    kernel: LaneTable,
    ts_ns: NDArray[np.int64],
    open: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    volume: NDArray[np.float64],
    *,
    closes: bool = False,
) -> Any: ...

class FlipMarket:
    @property
    def bars(self) -> int: ...
    @property
    def config(self) -> KernelConfig: ...
    def __init__(
        self,
        config: KernelConfig,
        lot: float,
        tick: float,
        ts_ns: NDArray[np.int64],
        open: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        close: NDArray[np.float64],
        volume: NDArray[np.float64],
    ) -> None: ...
    def run(
        self, fast: Sequence[int], slow: Sequence[int], has_marks: bool = True, width: int = 0
    ) -> NDArray[Any]: ...
