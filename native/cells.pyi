from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.kernel import Kernel
from native.strategy import StrategyFailed

def replay_cells(
    kernels: Sequence[Kernel],
    ts_ns: NDArray[np.int64],
    open: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    volume: NDArray[np.float64],
    *,
    closes: bool = False,
    width: int = 0,
) -> tuple[NDArray[Any], list[StrategyFailed | None]]: ...
