"""The desk's risk memory: loss of the UTC day and high-water mark over all sessions, restarts included.

Replays are left out: they live in recorded time. The day follows the monotonic clock from the start of
this run, so that a step of the host's clock begins no new day; and a restart never goes back a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.store.risk import RiskRows
from engine.store.rows import RiskRecord
from seams.clock import NS_PER_S, Clock

if TYPE_CHECKING:
    from engine.trading.ledger import Ledger
    from engine.trading.session import PaperSession

SCOPE = "desk"
DAY_NS = 86_400 * NS_PER_S
ZERO = Decimal(0)


class RiskMemory:
    """What the desk won and lost in all, and since when."""

    def __init__(self, rows: RiskRows, clock: Clock) -> None:
        self._rows, self._clock = rows, clock
        kept = rows.memory(SCOPE)
        self._anchor_ns = max(clock.now_ns(), kept.updated_ns if kept else 0)
        self._anchor_monotonic_ns = clock.monotonic_ns()
        self._settled_usd = kept.pnl_usd if kept else ZERO
        """The result of every session that is over, and of those that a dead engine left behind."""
        self.total_usd = self._settled_usd
        self.peak_usd = kept.peak_usd if kept else ZERO
        self.day = kept.day if kept else self._anchor_ns // DAY_NS
        self.day_start_usd = kept.day_start_usd if kept else ZERO
        self._saved: RiskRecord | None = kept
        self._account: Ledger | None = None
        self._roll()

    def keep(self, account: Ledger) -> None:
        """Count one account in custody as a whole: its ledger is rebuilt from the record at each start,
        so its sessions' results are in it already."""
        self._account, self._settled_usd = account, ZERO

    @property
    def account(self) -> Ledger | None:
        """Return the account in custody; None where there is none."""
        return self._account

    @property
    def day_pnl_usd(self) -> Decimal:
        return self.total_usd - self.day_start_usd

    def drawdown(self, base_usd: Decimal) -> Decimal:
        """Return the fall from the high-water mark as a fraction of it; `base_usd` is the capital."""
        assert base_usd > 0
        return max(ZERO, (self.peak_usd - self.total_usd) / (base_usd + max(ZERO, self.peak_usd)))

    def observe(self, sessions: Sequence[PaperSession]) -> None:
        """Take the running sessions' results as of now; cheap, and nothing is written."""
        self._roll()
        self.total_usd = self._settled_usd + self._live_usd(sessions)
        if self.total_usd > self.peak_usd:
            self.peak_usd = self.total_usd

    def settle(self, session: PaperSession, remaining: Sequence[PaperSession]) -> None:
        """Keep the result of a session that has ended; `remaining` are those that run on."""
        self._settled_usd += self._results([session])
        self.observe(remaining)
        self.save()

    def rebase(self) -> None:
        """Begin the high-water mark anew: only where a named operator cleared the drawdown."""
        self.peak_usd = self.total_usd
        self.save()

    def save(self) -> None:
        """Make the memory durable where it has changed."""
        record = RiskRecord(
            scope=SCOPE,
            day=self.day,
            day_start_usd=self.day_start_usd,
            pnl_usd=self.total_usd,
            peak_usd=self.peak_usd,
            updated_ns=self._now_ns(),
        )
        before = self._saved
        if before is None or _figures(before) != _figures(record):
            self._rows.save_memory(record)
            self._saved = record

    def _live_usd(self, sessions: Iterable[PaperSession]) -> Decimal:
        account = self._account
        held = ZERO if account is None else account.equity_usd - account.cash_usd
        return held + self._results(sessions)

    def _results(self, sessions: Iterable[PaperSession]) -> Decimal:
        """Return what these sessions made on accounts of their own."""
        total = ZERO
        for session in sessions:
            ledger = session.ledger
            if ledger is not self._account and not session.plan.uses_market_time:
                total += ledger.equity_usd - ledger.cash_usd
        return total

    def _now_ns(self) -> int:
        return self._anchor_ns + self._clock.monotonic_ns() - self._anchor_monotonic_ns

    def _roll(self) -> None:
        day = self._now_ns() // DAY_NS
        if day > self.day:
            self.day, self.day_start_usd = day, self.total_usd


def _figures(record: RiskRecord) -> tuple[int, Decimal, Decimal, Decimal]:
    return record.day, record.day_start_usd, record.pnl_usd, record.peak_usd
