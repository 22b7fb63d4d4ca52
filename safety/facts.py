"""What preflight is told and what it answers. None always means "not known", and unknown refuses."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from safety.interlock import HoldLevel
from venues.types import OrderStatus, Record, Side


class PositionFact(Record):
    """One signed position of the account, with whose it is and where it is protected."""

    symbol: str
    quantity: Decimal
    mark_price: Decimal | None
    strategy_id: str = ""
    stop_price: Decimal | None = None


class OrderFact(Record):
    """One order that is, or may be, alive at the venue; SUBMITTING and UNKNOWN ones included."""

    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal | None
    reduce_only: bool
    status: OrderStatus
    strategy_id: str = ""
    stop_price: Decimal | None = None


class ReconcileState(StrEnum):
    """What the last full reconciliation found."""

    CLEAN = "clean"
    AMBIGUOUS = "ambiguous"
    NEVER = "never"


class MarketFacts(Record):
    """The health of one symbol's market data (C3, C15) and what its past says (C19, QT-09).

    `unchanged_ms` is since the price last moved, `gap_bars` the bars that are missing among the latest
    ones, `window_low` and `window_high` the extremes of the drift window. `atr` is the average true range
    in price units; `p90_volatility` the 90th percentile of absolute daily log returns, as a fraction.
    """

    bid: Decimal | None = None
    ask: Decimal | None = None
    unchanged_ms: int | None = None
    gap_bars: int | None = None
    window_low: Decimal | None = None
    window_high: Decimal | None = None
    atr: Decimal | None = None
    p90_volatility: Decimal | None = None
    volatility_days: int | None = None


class VenueFacts(Record):
    """What only a venue with an account, a signer and a rate limit can say (C17..C20).

    `nonce_durable` is the highest nonce on disk, `nonce_next` the one this order would use;
    `signer_left_ms` how long the signing agent stays valid; `budget_left` the free share of the venue's
    rate limit in [0, 1]; `maintenance_rate` maintenance margin as a fraction of notional; `pays_in_full`
    tells of spot: a purchase takes its whole price at once, so that nothing is owed and nothing liquidated.
    """

    reconcile_state: ReconcileState | None = None
    reconcile_age_ms: int | None = None
    nonce_next: int | None = None
    nonce_durable: int | None = None
    signer_left_ms: int | None = None
    signer_is_master: bool | None = None
    budget_left: Decimal | None = None
    maintenance_rate: Decimal | None = None
    pays_in_full: bool | None = None


class DeskFacts(Record):
    """What the other accounts add up to, and the desk's own risk memory (C5..C7, I26).

    `other_exposure_usd` is the worst case of all other accounts, `venue_other_exposure_usd` of those at
    the same venue; `other_alt_longs_usd` and `other_alt_shorts_usd` what of all other accounts may be held
    long, and short, in altcoins. `entry_usd_in_minute` is the value of the entries that the whole desk sent
    within a minute; `day_pnl_usd` and `drawdown` (a positive fraction) are the desk's, restarts included.
    """

    other_exposure_usd: Decimal | None = None
    venue_other_exposure_usd: Decimal | None = None
    other_alt_longs_usd: Decimal | None = None
    other_alt_shorts_usd: Decimal | None = None
    entry_usd_in_minute: Decimal | None = None
    day_pnl_usd: Decimal | None = None
    drawdown: Decimal | None = None


class AccountFacts(Record):
    """The account and the engine as they are now.

    `kill_level` is the latch's byte (0 clear, 1 close_only, 2 halt_all). `day_pnl_usd` is realised plus
    unrealised less fees and funding since 00:00 UTC; losses are negative. `last_ns` is the newest time
    already on the record (audit head). `recent_keys` holds the intent's own `wish_key` where another inside
    the duplicate window had it: a record of a judgement names no others. `messages_in_window` counts
    submits, changes and cancels; `repeats_in_window` counts same-direction executions of this symbol;
    `since_entry_ms` is how long ago this symbol was last entered, the repeat window where it was not.
    `lease_left_ms` is what is left of the operator's lease. Which fact a mode may lack stands in
    `safety.applicability`; any other None refuses.
    """

    account_id: str
    kill_level: int | None
    hold_level: HoldLevel | None
    now_ns: int
    last_ns: int | None
    clock_offset_ms: float | None
    mark_price: Decimal | None
    mark_age_ms: int | None
    equity_usd: Decimal | None
    peak_equity_usd: Decimal | None
    day_pnl_usd: Decimal | None
    positions: tuple[PositionFact, ...] | None
    orders: tuple[OrderFact, ...] | None
    recent_keys: tuple[str, ...] | None
    messages_in_window: int | None
    repeats_in_window: int | None
    entries_in_minute: int | None = None
    symbol_entries_in_minute: int | None = None
    exits_in_minute: int | None = None
    since_entry_ms: int | None = None
    lease_left_ms: int | None = None
    market: MarketFacts = MarketFacts()
    venue: VenueFacts = VenueFacts()
    desk: DeskFacts = DeskFacts()


class CheckResult(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"
    """There is no such fact in this mode, or at this venue (`safety.applicability`)."""


SEVERITY: Mapping[CheckResult, int] = {
    CheckResult.NOT_APPLICABLE: 0,
    CheckResult.OK: 0,
    CheckResult.WARN: 1,
    CheckResult.FAIL: 2,
}
"""Result -> how bad it is; a larger number is worse."""


class Check(Record):
    """One rule's finding: the value now, the value after this order, and the limit, as text.

    `headroom` is the share of the bound that would be left, 0 to 1; empty where there is no scale.
    """

    name: str
    now: str
    after: str
    limit: str
    result: CheckResult
    reason: str | None
    headroom: str = ""


class Preflight(Record):
    """The whole judgement. `reasons` are the codes of every failed check, sorted."""

    allowed: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def has_warning(self) -> bool:
        """A warning asks the approver to type the size."""
        return CheckResult.WARN in [check.result for check in self.checks]
