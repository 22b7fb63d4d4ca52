from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.kernel import Kernel

Market = Sequence[NDArray[Any]]

class Portfolio(Kernel):
    is_wide: bool
    def replay(self, markets: Sequence[Market]) -> int: ...  # type: ignore[override]
    def portfolio_curve(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
