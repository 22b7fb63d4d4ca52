"""A market maker of your own against a recorded feed: it quotes around a fair price and leans.

    python docs/examples/market_making.py RECORDING.gz
    interlock book quote RECORDING.gz --format binance --size 0.01 --quoter docs/examples/market_making.py

RECORDING is a raw Binance log ("<recv ns> <json>" lines with depth, trades and a snapshot).
"""

from __future__ import annotations

import sys
from math import ceil, floor
from pathlib import Path

from engine.market.depth.binance import read_log
from engine.market.depth.quoting import QuoteReport, quote, rules_for
from native.quotes import QueueModel


class LeaningQuotes:
    """Quotes `half_spread` ticks around a fair price that slowly follows the mid.

    The fair price leans by `lean` ticks against each order's worth of position, so that the side which
    reduces it is hit sooner. The simulation adds what a back-test on bars cannot know: our orders reach
    the exchange late, stand in a queue, and are hit when the queue before them is gone.
    """

    def __init__(
        self, order_lots: int, half_spread: float = 4.0, lean: float = 2.0, patience: float = 0.2
    ) -> None:
        self.order_lots, self.half_spread, self.lean, self.patience = order_lots, half_spread, lean, patience
        self.fair: float | None = None

    def __call__(self, best_bid: int, best_ask: int, position_lots: int) -> tuple[int | None, int | None]:
        """Return (bid tick, ask tick); None stands aside on that side."""
        mid = (best_bid + best_ask) / 2
        self.fair = mid if self.fair is None else self.fair + self.patience * (mid - self.fair)
        held = position_lots / self.order_lots
        centre = self.fair - self.lean * held
        bid = min(best_bid, floor(centre - self.half_spread))
        ask = max(best_ask, ceil(centre + self.half_spread))
        return bid if held < 10 else None, ask if held > -10 else None


def quoter(order_lots: int) -> LeaningQuotes:
    """What `interlock book quote --quoter` asks for."""
    return LeaningQuotes(order_lots)


def run(data: bytes, model: QueueModel = QueueModel.POWER) -> QuoteReport:
    """Quote 0.01 against a recording with 2 ms to the exchange and 2 ms back."""
    feed = read_log(data)
    rules = rules_for(
        feed,
        0.01,
        order_latency_ns=2_000_000,
        response_latency_ns=2_000_000,
        queue_model=model,
        queue_power=3.0,
    )
    report, _ = quote(feed, rules, quoter(rules.order_lots))
    return report


if __name__ == "__main__":
    for each in QueueModel:
        found = run(Path(sys.argv[1]).read_bytes(), each)
        sys.stdout.write(
            f"{found.queue_model:13} fills {found.fills:5}  position {found.position:+.3f}  "
            f"fees {found.fees:.2f}  equity {found.equity:+.2f}\n"
        )
