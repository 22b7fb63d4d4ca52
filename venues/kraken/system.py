"""How far Kraken trades as a whole: what its `status` channel says, and which entries may leave by it.

Every connection is told when it opens and whenever it changes (venues.md 5.8, 5.10). Only entries are judged
here: a cancel and what reduces are the venue's to refuse, because what we heard may be old.
"""

from __future__ import annotations

from collections.abc import Mapping

from venues.contract import Refused, Trading
from venues.kraken.translate import Json
from venues.types import OrderRequest, OrderType, TimeInForce

WORDS: Mapping[str, Trading] = {
    "online": Trading.OPEN,
    "post_only": Trading.POST_ONLY,
    "limit_only": Trading.LIMIT_ONLY,
    "cancel_only": Trading.CANCEL_ONLY,
    "maintenance": Trading.MAINTENANCE,
}
"""The venue's word -> ours."""


class System:
    """What the venue last said of itself; before it has said anything it counts as open."""

    def __init__(self) -> None:
        self.trading = Trading.OPEN

    def heard(self, row: Json) -> None:
        """Take one row of the channel. A word that nobody has listed opens nothing."""
        if "system" in row:
            self.take(str(row["system"]))

    def take(self, word: str) -> None:
        """Take the venue's word, from wherever it came."""
        self.trading = WORDS.get(word, Trading.CANCEL_ONLY)

    def problem(self, request: OrderRequest) -> Refused | None:
        """Return why this entry must not leave now, or None."""
        is_post_only = request.time_in_force is TimeInForce.POST_ONLY
        is_limit = request.order_type is OrderType.LIMIT or request.limit_price > 0
        passes = {
            Trading.OPEN: True,
            Trading.POST_ONLY: is_post_only,
            Trading.LIMIT_ONLY: is_limit,
            Trading.CANCEL_ONLY: False,
            Trading.MAINTENANCE: False,
        }
        if request.reduce_only or passes[self.trading]:
            return None
        return Refused(f"venue_{self.trading}", f"the venue's own word: {self.trading}")
