"""How the desk's own trading goes: the slippage of its newest fills, the result of its newest closed trades.

Both are limits: a market that fills far from what was decided on, or a strategy that only loses, holds new
risk until a named operator has looked. Replays are left out: they live in recorded time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.config.risk import RiskBlock
    from engine.store.facts import FactRows
    from engine.store.risk import RiskRows

SLIPPAGE, PERFORMANCE = "slippage_limit", "performance_limit"
FILLS = 20
"""The slippage limit is about the median of this many fills."""
MAX_TRADES = 1_000
SINCE = "conduct:"
"""Key of the moment from which a figure counts anew, by its limit."""
BPS = Decimal(10_000)
CLOSING = ("reduce", "close")


class Traded(NamedTuple):
    """One fill of a session, as the record of trades has it; `at_ns` is when its order was made, `pnl_usd`
    what it realised, its fee paid."""

    at_ns: int
    strategy: str
    action: str
    sign: int
    price: Decimal
    mark: Decimal | None
    pnl_usd: Decimal

    @property
    def slippage_bps(self) -> float | None:
        """How much worse than the mark decided on it was filled, in basis points; below zero: better."""
        if self.mark is None or self.mark <= 0:
            return None
        return float((self.price - self.mark) / self.mark * BPS * self.sign)


class Breach(NamedTuple):
    """One limit that is reached, and by what."""

    code: str
    said: str


class Conduct:
    """The newest fills and closed trades of the desk; a restart begins with those on record."""

    def __init__(self, rows: RiskRows, facts: FactRows, risk: RiskBlock) -> None:
        self._facts = facts
        self._since_ns = {code: int(facts.get(SINCE + code) or 0) for code in (SLIPPAGE, PERFORMANCE)}
        self._slipped: deque[float] = deque(maxlen=FILLS)
        self._closed: dict[str, deque[Decimal]] = {}
        least = min(self._since_ns.values())
        for each in rows.traded_since(least, max(FILLS, min(risk.performance_trades * 4, MAX_TRADES))):
            self._take(each)

    def traded(self, fill: Traded, risk: RiskBlock) -> Iterable[Breach]:
        """Take one fill; return every limit that stands breached with it."""
        self._take(fill)
        if len(self._slipped) == FILLS:
            bps = median(self._slipped)
            if not bps <= risk.max_median_slippage_bps:
                yield Breach(
                    SLIPPAGE, f"median of {FILLS} fills {bps:.1f} of {risk.max_median_slippage_bps:g} bps"
                )
        closed = list(self._closed.get(fill.strategy, ()))[-risk.performance_trades :]
        if len(closed) == risk.performance_trades:
            factor, rate = profit_factor(closed), sum(1 for each in closed if each > 0) / len(closed)
            if factor < risk.min_profit_factor or rate < risk.min_win_rate:
                said = f"{fill.strategy}: profit factor {factor:.2f} of {risk.min_profit_factor:g}"
                rest = f"{rate:.0%} of {risk.min_win_rate:.0%} won in {len(closed)} closed trades"
                yield Breach(PERFORMANCE, f"{said}, {rest}")

    def begin_anew(self, code: str, now_ns: int) -> None:
        """A named operator has looked: what was before it counts no more for this limit."""
        if code in self._since_ns:
            self._facts.set(SINCE + code, str(now_ns), now_ns)
            self._since_ns[code] = now_ns
            (self._slipped if code == SLIPPAGE else self._closed).clear()

    def _take(self, fill: Traded) -> None:
        slipped = fill.slippage_bps
        if slipped is not None and fill.at_ns > self._since_ns[SLIPPAGE]:
            self._slipped.append(slipped)
        if fill.action in CLOSING and fill.at_ns > self._since_ns[PERFORMANCE]:
            self._closed.setdefault(fill.strategy, deque(maxlen=MAX_TRADES)).append(fill.pnl_usd)


def profit_factor(results_usd: Iterable[Decimal]) -> float:
    """Return gains over losses, both positive sums in USD; infinite where nothing was lost."""
    results = list(results_usd)
    lost_usd = -sum((each for each in results if each < 0), Decimal(0))
    won_usd = sum((each for each in results if each > 0), Decimal(0))
    return float(won_usd / lost_usd) if lost_usd else float("inf")
