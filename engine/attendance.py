"""Who acts at the desk: the operator lease, who signed, and what is recorded of every act (QT-12)."""

from __future__ import annotations

from engine.api import commands as c
from engine.api.arming import ArmAsk, ArmConfirm, Disarm
from engine.api.corridor import RunbookTick, Step, SubmitAct, SubmitOpen
from engine.api.drills import DrillStart
from engine.api.gates import ChecklistTick, ChecklistUntick, SessionCloseOut
from engine.api.leased import needs_lease
from engine.api.risk import RiskCap, RiskHydrate
from engine.core import STORAGE_FAILURES, Core
from engine.ticket_desk import TicketDesk
from safety.canonical import canonical, changed
from safety.intent import IntentCategory
from safety.lease import Held
from safety.principals import principal_of
from safety.reasons import Refusal
from safety.text import clean
from venues.types import Record

_I = IntentCategory
CATEGORY: dict[type, IntentCategory] = {
    c.KillArm: _I.QUERY,
    c.Kill: _I.KILL,
    c.Resume: _I.CLEAR,
    c.Flatten: _I.FLATTEN,
    c.TicketSelect: _I.QUERY,
    c.TicketApprove: _I.RISK_INCREASE,
    c.TicketCosign: _I.RISK_INCREASE,
    c.TicketSubmit: _I.RISK_INCREASE,
    c.TicketReject: _I.RISK_REDUCE,
    c.TicketRejectAll: _I.RISK_REDUCE,
    c.TicketDefer: _I.QUERY,
    c.OrderAsk: _I.QUERY,
    c.OrderCancel: _I.CANCEL,
    c.Reconcile: _I.RISK_REDUCE,
    SubmitOpen: _I.RISK_INCREASE,
    SubmitAct: _I.RISK_INCREASE,
    RunbookTick: _I.QUERY,
    ArmAsk: _I.CONFIG_CHANGE,
    ArmConfirm: _I.CONFIG_CHANGE,
    Disarm: _I.RISK_REDUCE,
    RiskCap: _I.RISK_REDUCE,
    RiskHydrate: _I.RISK_REDUCE,
    c.LeaseTake: _I.CONFIG_CHANGE,
    c.LeaseGive: _I.CONFIG_CHANGE,
    c.PairConfirm: _I.CONFIG_CHANGE,
    c.PairRefuse: _I.CONFIG_CHANGE,
    c.AlarmAck: _I.QUERY,
    c.AlarmShelve: _I.CONFIG_CHANGE,
    c.AlarmUnshelve: _I.CONFIG_CHANGE,
    c.IncidentWrite: _I.CLEAR,
    c.IncidentClose: _I.CLEAR,
    c.PaperStart: _I.PAPER_TRADE,
    c.PaperStop: _I.PAPER_TRADE,
    c.SimReset: _I.PAPER_TRADE,
    c.RunStart: _I.RESEARCH,
    c.SweepStart: _I.RESEARCH,
    c.FoundryForge: _I.RESEARCH,
    c.FoundryVerify: _I.RESEARCH,
    c.JobCancel: _I.RESEARCH,
    c.ScheduleAdd: _I.RESEARCH,
    c.ScheduleAct: _I.RESEARCH,
    c.DrillStart: _I.KILL,
    c.EngineStop: _I.KILL,
    DrillStart: _I.RESEARCH,
    ChecklistTick: _I.CONFIG_CHANGE,
    ChecklistUntick: _I.RISK_REDUCE,
    SessionCloseOut: _I.CONFIG_CHANGE,
}
"""Command -> what kind of act it is; one that is not here counts as a change of configuration."""
_OF_STEP: dict[Step, IntentCategory] = {
    Step.STATUS: _I.QUERY,
    Step.RECONCILE: _I.QUERY,
    Step.FILLS: _I.QUERY,
    Step.SUPERVISE: _I.QUERY,
    Step.CANCEL: _I.CANCEL,
}
"""What a step of the corridor is, where it is no part of adding risk."""
UNRECORDED = frozenset({c.LeaseKeep, c.KillArm})
"""What decides nothing: a key press, and a look at what a kill would touch."""


def category(body: object) -> IntentCategory:
    """Return what kind of act a command is."""
    whole = CATEGORY.get(type(body), IntentCategory.CONFIG_CHANGE)
    return _OF_STEP.get(body.step, whole) if isinstance(body, SubmitAct) else whole


class Attendance:
    """The people at one engine."""

    def __init__(self, core: Core, tickets: TicketDesk) -> None:
        self.core, self.tickets = core, tickets

    def demand_lease(self, command: c.Command) -> None:
        """Act under the lease where the command needs one; what starts or restores risk is also recorded, or
        not done (QT-13). Raises `Refusal`: lease_held, audit_broken."""
        if not needs_lease(command.body):
            return
        core = self.core
        if core.audit.is_broken:
            raise Refusal("audit_broken", "free space, then restart the engine")
        before = core.lease.holder(core.moment())
        held = core.lease.use(command.operator, command.console, core.moment())
        if before is None or (before.operator, before.console) != (held.operator, held.console):
            core.note("lease_taken", held.operator, f"the operator lease, {_where(held)}")

    def principal(self, command: c.Command) -> str:
        """Return the id of the key that signed this command. Raises `Refusal("signature_invalid")`."""
        message = canonical(changed(command, signature=""))
        core = self.core
        return principal_of(core.disk, core.paths.operators, command.operator, message, command.signature)

    async def take(self, command: c.Command) -> Record:
        """Give the lease to this console; what the one who loses it had in hand is rejected."""
        core = self.core
        lost = core.lease.take(command.operator, command.console, command.reason, core.moment())
        if lost is not None:
            said = f"taken over from {lost.operator}: {clean(command.reason)}"
            core.note("lease_taken", command.operator, said)
            self.tickets.drop_reviewed(lost.operator, f"lease_lost: {command.operator} took it over")
        else:
            core.note("lease_taken", command.operator, "the operator lease")
        return self._held(core.lease.holder(core.moment()))

    async def keep(self, command: c.Command) -> Record:
        """Renew it by a key press."""
        return self._held(self.core.lease.keep(command.operator, command.console, self.core.moment()))

    async def give(self, command: c.Command) -> Record | None:
        """Leave the lease to others; what is under review is rejected."""
        held = self.core.lease.give_up(command.operator, self.core.moment())
        self.core.note("lease_given", command.operator, f"the operator lease, {_where(held)}")
        self.tickets.drop_reviewed(held.operator, "lease_lost: given up")
        return None

    def tend(self) -> None:
        """Once a second: a lease whose time is up is lost, and what its holder reviewed is rejected."""
        lost = self.core.lease.lapse(self.core.moment())
        if lost is not None:
            self.core.note("lease_lapsed", "eng", f"{lost.operator}, {_where(lost)}: no key was pressed")
            self.tickets.drop_reviewed(lost.operator, "lease_lost: no key was pressed")
        self.tickets.tend()

    def record(self, command: c.Command, refusal: Refusal | None, principal: str) -> None:
        """Put an act on the record with its category and what policy answered (QT-12)."""
        kind = type(command.body)
        if kind in UNRECORDED or self.core.audit.is_broken:
            return
        reasons = [] if refusal is None else [refusal.code]
        body = {
            "act": kind.__name__,
            "operator": clean(command.operator, 80),
            "principal": principal,
            "request_id": command.request_id,
            "subject": clean(_subject(command.body), 80),
            "reason": clean(command.reason),
        }
        try:
            self.core.audit.decision(
                intent_category=category(command.body),
                policy_result={"allowed": refusal is None, "reasons": reasons},
                outcome="executed" if refusal is None else "blocked",
                body=body,
            )
        except STORAGE_FAILURES as error:
            self.core.halt(error, "audit log")

    def _held(self, held: Held | None) -> Record:
        assert held is not None
        left_ms = self.core.lease.left_ms(self.core.moment())
        return c.LeaseHeld(operator=held.operator, console=held.console, left_ms=left_ms)


def _where(held: Held) -> str:
    return f"at console {held.console}" if held.console else "at the command line"


def _subject(body: object) -> str:
    """Return what an act is about: the first identifier that its body names."""
    for name in (
        "ticket_id",
        "pair_id",
        "order_id",
        "alarm_id",
        "incident_id",
        "session_id",
        "job_id",
        "strategy",
    ):
        found = getattr(body, name, "")
        if found:
            return str(found)
    return ""
