"""The desk's soft caps and its full reconciliation, as commands and as what people see (QX-40)."""

from __future__ import annotations

from decimal import Decimal

from venues.types import Record


class RiskCap(Record, tag="risk_cap"):
    """Tighten one limit at once, durably; `interlock risk view` lists the names, `value` is in its unit."""

    name: str
    value: float


class RiskHydrate(Record, tag="risk_hydrate"):
    """Hold new risk, ask the venue for everything again, and go on only when both sides agree."""


class RiskShow(Record, tag="risk_show"):
    """Ask for every limit in force and for what risk remembers."""


class SoftCapRow(Record):
    """One limit that a person tightened: what was in force before, what is since, who, when and why."""

    name: str
    before: str
    value: str
    operator: str
    reason: str
    at_ns: int


class CapTightened(Record):
    """What came into force; tickets that were read under other limits must be opened again."""

    name: str
    before: str
    value: str
    limits_epoch: int
    limits_hash: str


class LimitValueRow(Record):
    """One limit: what is in force, what the configuration wants, and who tightened it (empty: nobody)."""

    name: str
    in_force: str
    configured: str
    tightened_by: str = ""


class RiskState(Record):
    """The risk controls as they are now. Money in USD, `drawdown` a fraction, `verdict` the account's (empty
    where none is in custody)."""

    limits_epoch: int
    limits_hash: str
    hold_level: str
    day_pnl_usd: Decimal
    peak_usd: Decimal
    drawdown: Decimal
    verdict: str
    limits: tuple[LimitValueRow, ...]
    soft: tuple[SoftCapRow, ...]


class Hydrated(Record):
    """What a full reconciliation found: `verdict` is clean, settling, hydrating or ambiguous."""

    account: str
    verdict: str
    passes: int
    differences: tuple[str, ...]


RiskBody = RiskCap | RiskHydrate
