from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from native.quotes import QuoteResult, QuoteRules

Quoter = Callable[[int, int, int], tuple[int | None, int | None]]

class QuoteSimulation:
    def __init__(self, local: NDArray[Any], exchange: NDArray[Any], rules: QuoteRules) -> None: ...
    def run(self, quoter: Quoter | None = None) -> QuoteResult: ...
    def fills(self) -> NDArray[Any]: ...
