"""What preflight is told and what it answers. None always means "not known", and unknown refuses."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from safety.interlock import HoldLevel
from venues.types import OrderStatus, Record, Side


class PositionFact(Record):
    """One signed position of the account."""

    symbol: str
    quantity: Decimal
    mark_price: Decimal | None


class OrderFact(Record):
    """One order that is, or may be, alive at the venue; SUBMITTING and UNKNOWN ones included."""

    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal | None
    reduce_only: bool
    status: OrderStatus


class AccountFacts(Record):
    """The account and the engine as they are now.

    `kill_level` is the latch's byte (0 clear, 1 close_only, 2 halt_all). `day_pnl_usd` is realised plus
    unrealised less fees and funding since 00:00 UTC; losses are negative. `last_ns` is the newest time
    already on the record (audit head). `recent_keys` holds `duplicate_key` of the intents inside the
    duplicate window; `messages_in_window` counts submits, changes and cancels; `repeats_in_window`
    counts same-direction executions of this symbol.
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


class CheckResult(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(Record):
    """One rule's finding: the value now, the value after this order, and the limit, as text."""

    name: str
    now: str
    after: str
    limit: str
    result: CheckResult
    reason: str | None


class Preflight(Record):
    """The whole judgement. `reasons` are the codes of every failed check, sorted."""

    allowed: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def has_warning(self) -> bool:
        """A warning asks the approver to type the size."""
        return any(check.result is CheckResult.WARN for check in self.checks)
