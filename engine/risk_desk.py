"""What a person may do to risk while the engine runs: look, tighten a limit, hydrate anew (QX-40)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.api import commands as c
from engine.api.risk import CapTightened, Hydrated, LimitValueRow, RiskCap, RiskState, SoftCapRow
from engine.config.settings import config_fingerprint
from engine.core import Core
from engine.limits import note_limits
from engine.trading.custody import SETTLING_PASSES, Custody, Verdict
from engine.unanswered import no_whole_pass
from safety.interlock import HoldLevel
from safety.limits import BLOCK_PREFIX, LimitValue
from safety.reasons import Refusal
from safety.text import clean
from venues.asked_by import for_a_person
from venues.types import Record

if TYPE_CHECKING:
    from engine.desk import Desk

BETWEEN_PASSES_S = 0.5
"""A venue's lists lag behind its events: the same difference must be seen again before it is one."""
MAX_PASSES = SETTLING_PASSES + 2


class RiskDesk:
    """The acts of `interlock risk`."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self.core, self.desk = core, desk

    async def update_cap(self, command: c.Command) -> Record:
        """Tighten one limit. Raises `Refusal`: reason_required, limit_unknown, limit_loosening,
        invalid_config."""
        assert isinstance(command.body, RiskCap)
        core, name, why = self.core, command.body.name, clean(command.reason)
        if not why:
            raise Refusal("reason_required", "say why the limit is tightened")
        before = core.limits.value(name)
        value = _like(before, command.body.value, name)
        notes = core.limits.tighten(name, value, clean(command.operator, 80), why)
        core.settings = core.settings.model_copy(update={"risk": core.limits.risk})
        core.config_fingerprint = config_fingerprint(core.settings)
        core.note("soft_cap", command.operator, f"{name}: {before} -> {value}: {why}", name=name)
        note_limits(core, notes)
        return CapTightened(
            name=name,
            before=_said(before),
            value=_said(value),
            limits_epoch=core.limits.epoch,
            limits_hash=core.limits.sha256,
        )

    async def hydrate(self, command: c.Command) -> Record:
        """Reconcile the whole account anew. Raises `Refusal`: mode_not_live, venue_busy,
        reconcile_unanswered."""
        custody = self.desk.custody
        if custody is None:
            raise Refusal("mode_not_live", "a paper account lives in this engine: it has no other side")
        self.core.note("force_hydrate", command.operator, f"{custody.account}: {clean(command.reason)}")
        return await hydrated(self.core, custody)


async def hydrated(core: Core, custody: Custody) -> Hydrated:
    """Hold new risk and make full passes until the verdict stands. What a venue does not answer stays held.

    Raises `Refusal`: venue_busy, reconcile_unanswered.
    """
    core.interlock.raise_hold(
        "hydration",
        since_ns=core.clock.now_ns(),
        source=custody.venue.name,
        evidence="a person asked for a full reconciliation",
        level=HoldLevel.HYDRATING,
    )
    custody.look_again()
    custody.verdict, before = Verdict.HYDRATING, custody.passes
    for number in range(MAX_PASSES):
        if number:
            await core.clock.sleep(BETWEEN_PASSES_S)
        with for_a_person():
            verdict = await custody.reconcile()
        if verdict in (Verdict.CLEAN, Verdict.AMBIGUOUS):
            break
    if custody.passes == before:
        raise no_whole_pass(custody)
    found = tuple(f"{d.kind} {d.subject}: ours {d.ours}, venue {d.theirs}" for d in custody.differences)
    return Hydrated(
        account=custody.account,
        verdict=custody.verdict.value,
        passes=custody.passes - before,
        differences=found,
    )


def risk_state(core: Core, custody: Custody | None) -> RiskState:
    """Return the limits in force beside the configured ones, and what risk remembers."""
    book, memory = core.limits, core.risk_memory
    soft = {row.name: row for row in soft_rows(core)}
    wanted = book.configured
    rows = tuple(
        LimitValueRow(
            name=name,
            in_force=_said(book.value(name)),
            configured=_said(wanted.get(name)),
            tightened_by=soft[name].operator if name in soft else "",
        )
        for name in sorted(book.names | wanted.keys())
    )
    return RiskState(
        limits_epoch=book.epoch,
        limits_hash=book.sha256,
        hold_level=core.interlock.level.name.lower(),
        day_pnl_usd=memory.day_pnl_usd,
        peak_usd=memory.peak_usd,
        drawdown=memory.drawdown(Decimal(str(core.settings.risk.initial_equity_usd))),
        verdict="" if custody is None else custody.verdict.value,
        limits=rows,
        soft=tuple(soft.values()),
    )


def soft_rows(core: Core) -> tuple[SoftCapRow, ...]:
    """Return the soft caps as people see them."""
    caps = () if core.limits.soft is None else core.limits.soft.rows()
    return tuple(
        SoftCapRow(
            name=cap.name,
            before=_said(cap.before),
            value=_said(cap.value),
            operator=cap.operator,
            reason=cap.reason,
            at_ns=cap.at_ns,
        )
        for cap in caps
    )


def _like(before: LimitValue, value: float, name: str) -> LimitValue:
    """Return a value as whole as its limit is. Raises `Refusal("invalid_config")`."""
    if not isinstance(before, int) and not name.startswith(BLOCK_PREFIX):
        return value
    if value != int(value):
        raise Refusal("invalid_config", f"{name} is a whole number, not {value:g}")
    return int(value)


def _said(value: LimitValue) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1 else f"{value}".removesuffix(".0")
