"""Commands: the envelope is checked once, then one row of a table does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar, get_args

import msgspec

from engine.alarm_acts import AlarmActs
from engine.api import commands as c
from engine.api import subjects
from engine.api.arming import ArmBody
from engine.api.corridor import RunbookTick, SubmitAct, SubmitOpen
from engine.api.drills import DrillStarted
from engine.api.gates import GateBody
from engine.api.risk import RiskCap, RiskHydrate
from engine.api.views import View
from engine.arming import ArmingDesk
from engine.asking import ask_order
from engine.attendance import Attendance
from engine.core import STORAGE_FAILURES, Core
from engine.corridor.case import asked
from engine.corridor.desk import CorridorDesk
from engine.desk import Desk
from engine.failures import reason_code
from engine.flatten import flatten
from engine.foundry import Foundry
from engine.gate_desk import GateDesk
from engine.jobs import Jobs
from engine.loosening import loosen
from engine.ops.drill_runs import DrillRuns
from engine.ops.incidents import IncidentBook
from engine.pairs import PairDesk
from engine.reconcile_acts import act
from engine.replies import answer
from engine.resetting import sim_reset
from engine.risk_desk import RiskDesk
from engine.schedules import Schedules
from engine.store.failures import StoreError
from engine.ticket_desk import TicketDesk
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S
from seams.net import Net
from venues.types import OrderStatus, Record

B = TypeVar("B")
MAX_LIFETIME_NS = 120 * NS_PER_S
MAX_ID_CHARACTERS = 128
Handler = Callable[[c.Command], Awaitable[Record | None]]
CONFIRM = {c.Kill: "KILL", c.Resume: "RESUME", c.Flatten: "FLATTEN", c.DrillStart: "DRILL"}


class Handlers:
    """Everything an operator can ask this engine to do."""

    def __init__(self, core: Core, desk: Desk, jobs: Jobs, foundry: Foundry) -> None:
        self.core, self.desk, self.jobs, self.foundry = core, desk, jobs, foundry
        self.schedules = Schedules(core, jobs)
        self.stop_requested = asyncio.Event()
        self.tickets = TicketDesk(core, desk)
        self.people = Attendance(core, self.tickets)
        self.pairs = PairDesk(core, self._loosen)
        self.risk = RiskDesk(core, desk)
        self.alarms = AlarmActs(core)
        self.incidents: IncidentBook | None = None
        self.drills: DrillRuns | None = None
        self.corridor: CorridorDesk | None = None
        self.arming: ArmingDesk | None = None
        self.gates: GateDesk | None = None
        self.shown: Callable[[], Mapping[str, View]] = dict
        """What consoles are shown now."""
        self.background: set[asyncio.Task[object]] = set()
        self._inflight: dict[str, asyncio.Task[bytes]] = {}
        self._table: dict[type, Handler] = {
            c.KillArm: self._kill_arm,
            c.Kill: self._kill,
            c.Resume: self._resume,
            c.Flatten: self._flatten,
            c.TicketSelect: self.tickets.select,
            c.TicketApprove: self._ticket_approve,
            c.TicketCosign: self._ticket_cosign,
            c.TicketReject: self.tickets.reject,
            c.TicketRejectAll: self.tickets.reject_all,
            c.TicketSubmit: self.tickets.submit,
            c.TicketDefer: self.tickets.defer,
            c.OrderAsk: partial(ask_order, desk),
            c.PairConfirm: self._pair_confirm,
            c.PairRefuse: self.pairs.refuse,
            c.LeaseTake: self.people.take,
            c.LeaseKeep: self.people.keep,
            c.LeaseGive: self.people.give,
            c.OrderCancel: self._order_cancel,
            c.Reconcile: self._reconcile,
            c.AlarmAck: self.alarms.ack,
            c.AlarmShelve: self.alarms.shelve,
            c.AlarmUnshelve: self.alarms.unshelve,
            c.IncidentWrite: self._incident_note,
            c.IncidentClose: self._incident_note,
            c.PaperStart: self._paper_start,
            c.PaperStop: self._paper_stop,
            c.SimReset: self._sim_reset,
            c.RunStart: self._job_start,
            c.SweepStart: self._job_start,
            c.FoundryForge: self._foundry_start,
            c.FoundryVerify: self._foundry_start,
            c.JobCancel: self._job_cancel,
            c.ScheduleAdd: self._schedule,
            c.ScheduleAct: self._schedule,
            c.DrillStart: self._drill_start,
            SubmitOpen: self._submit,
            SubmitAct: self._submit,
            RunbookTick: self._tick_step,
            RiskCap: self.risk.update_cap,
            RiskHydrate: self.risk.hydrate,
            **dict.fromkeys(get_args(ArmBody), self._arm),
            **dict.fromkeys(get_args(GateBody), self._gate),
            c.EngineStop: self._engine_stop,
        }

    def tend(self) -> None:
        """Once a second: what people began and nobody went on with comes to its end."""
        self.people.tend()
        self.pairs.tend()
        if self.arming is not None:
            self.arming.tend()

    async def listen(self, net: Net) -> None:
        """Answer commands and kills on this bus."""
        await net.subscribe(subjects.COMMAND, self.on_command)
        await net.subscribe(subjects.KILL, self.on_kill)

    # --- the envelope ----------------------------------------------------------------------------

    async def on_command(self, _: str, body: bytes) -> bytes:
        """Carry out a command once: the same request id is always given the same answer."""
        try:
            command = msgspec.json.decode(body, type=c.Command)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return answer(self.core, "", Refusal("invalid_request", clean(str(error))))
        return await self._carried_out(command)

    async def on_kill(self, _: str, body: bytes) -> bytes:
        """Carry out a kill, or say what one would touch. Observers may send here, so nothing else passes."""
        try:
            command = msgspec.json.decode(body, type=c.Command)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return answer(self.core, "", Refusal("invalid_request", clean(str(error))))
        if not isinstance(command.body, c.Kill | c.KillArm):
            kind = type(command.body).__name__
            self.core.note("refused", command.operator, f"{kind} on the kill subject", code="not_permitted")
            return answer(
                self.core,
                command.request_id,
                Refusal("not_permitted", f"{kind} is not a kill: send it as a command"),
            )
        return await self._carried_out(command)

    async def _carried_out(self, command: c.Command) -> bytes:
        known = self._inflight.get(command.request_id)
        if known is None:
            known = asyncio.get_running_loop().create_task(self._once(command))
            self._inflight[command.request_id] = known
            known.add_done_callback(lambda _: self._inflight.pop(command.request_id, None))
        return await asyncio.shield(known)

    async def _once(self, command: c.Command) -> bytes:
        is_kill = isinstance(command.body, c.Kill)
        if isinstance(command.body, c.EngineStop) and self.stop_requested.is_set():
            return answer(self.core, command.request_id, None)  # it stops already; its store may be closed
        if isinstance(command.body, c.LeaseKeep):  # a key press: nothing to remember
            return await self._key_pressed(command)
        try:
            kept = self.core.store.requests.recall_reply(command.request_id)
            if kept is not None:
                return kept
        except StoreError as error:
            if not is_kill:  # a kill goes on whatever the database says
                return answer(self.core, command.request_id, Refusal(reason_code(error), clean(str(error))))
        problem = self._envelope_problem(command)
        if problem is not None:
            self.people.record(command, problem, "")
            return answer(self.core, command.request_id, problem)
        principal = ""
        try:
            principal = self.people.principal(command)
            self.people.demand_lease(command)
            result = await self._table[type(command.body)](command)
            self.people.record(command, None, principal)
        except Refusal as refusal:
            reply = answer(self.core, command.request_id, refusal, getattr(refusal, "feedback", None))
            kind = type(command.body).__name__
            self.people.record(command, refusal, principal)
            self.core.note("refused", command.operator, f"{kind}: {refusal}", code=refusal.code)
        except STORAGE_FAILURES as error:
            self.core.halt(error, type(command.body).__name__)
            reply = answer(self.core, command.request_id, Refusal(reason_code(error), clean(str(error))))
        except Exception as error:  # a command that we cannot carry out is answered, and alters nothing else
            said = f"{type(command.body).__name__}: {type(error).__name__}: {error}"
            self.core.note("command_failed", command.operator, said)
            reply = answer(self.core, command.request_id, Refusal("invalid_request", clean(said)))
        else:
            reply = answer(self.core, command.request_id, None, result)
        try:
            self.core.store.requests.remember_reply(
                command.request_id,
                reply,
                operator=clean(command.operator, 80),
                kind=type(command.body).__name__,
                at_ns=self.core.clock.now_ns(),
            )
        except StoreError as error:
            self.core.events.add("reply_not_kept", "eng", f"{command.request_id}: {error}")
        return reply

    async def _key_pressed(self, command: c.Command) -> bytes:
        problem = self._envelope_problem(command)
        try:
            if problem is not None:
                raise problem
            return answer(self.core, command.request_id, None, await self.people.keep(command))
        except Refusal as refusal:
            return answer(self.core, command.request_id, refusal)

    def _envelope_problem(self, command: c.Command) -> Refusal | None:
        now_ns = self.core.clock.now_ns()
        if command.schema_version != c.SCHEMA_VERSION:
            return Refusal("invalid_request", f"schema version {command.schema_version}")
        if not 0 < len(command.request_id) <= MAX_ID_CHARACTERS:
            return Refusal("invalid_request", f"a request id has 1 to {MAX_ID_CHARACTERS} characters")
        if now_ns > command.expires_at_ns or command.expires_at_ns - now_ns > MAX_LIFETIME_NS:
            return Refusal("expired_request", "sent too long ago, or dated too far ahead")
        if not clean(command.operator, 80):
            return Refusal("operator_required")
        is_stop = isinstance(command.body, c.Kill | c.KillArm)
        if command.epoch != self.core.epoch and not is_stop:
            return Refusal("wrong_epoch", f"this engine is in epoch {self.core.epoch}")
        wanted = CONFIRM.get(type(command.body))
        if wanted is not None and getattr(command.body, "confirm", "") != wanted:
            return Refusal("bad_confirmation", f"type {wanted}")
        return None

    # --- stop and restore ------------------------------------------------------------------------

    async def _kill_arm(self, command: c.Command) -> Record:
        return self.desk.armed(self.core.token(8))

    async def _kill(self, command: c.Command) -> Record:
        body = _body(command, c.Kill)
        levels = {"halt_all": KillLevel.HALT_ALL, "close_only": KillLevel.CLOSE_ONLY}
        level = levels.get(body.level, KillLevel.HALT_ALL)
        return await self.desk.kill(
            level, command.operator, command.reason, "console", cancels=body.cancel_orders
        )

    async def _resume(self, command: c.Command) -> Record | None:
        if self.pairs.needs_two():
            return await self.pairs.resume(command, self.people.principal(command))
        await self._loosen(command.operator, command.reason, _body(command, c.Resume).note)
        return None

    async def _loosen(self, operator: str, reason: str, note: str) -> None:
        def demand_notes() -> None:
            if self.incidents is not None:
                self.incidents.demand_notes(operator, note, self.shown())

        await loosen(self.desk, operator, reason, demand_notes)
        if self.incidents is not None:
            self.incidents.note_resume()

    async def _flatten(self, command: c.Command) -> Record:
        return await flatten(self.core, self.desk, command.operator, command.reason)

    # --- tickets, orders, incidents --------------------------------------------------------------

    async def _ticket_approve(self, command: c.Command) -> Record:
        return await self.tickets.approve(command, self.people.principal(command))

    async def _pair_confirm(self, command: c.Command) -> Record:
        return await self.pairs.confirm(command, self.people.principal(command))

    async def _ticket_cosign(self, command: c.Command) -> Record:
        return await self.tickets.cosign(command, self.people.principal(command))

    async def _order_cancel(self, command: c.Command) -> Record | None:
        order_id = _body(command, c.OrderCancel).order_id
        for book in self.desk.books():
            if order_id in book.orders:
                order = await book.cancel(order_id)
                self.core.note("cancel", command.operator, f"{order_id} is {order.status}")
                if order.status is not OrderStatus.CANCELLED and order.pending != "cancel":
                    raise Refusal("venue_rejected", f"{order_id} is {order.status}")
                return None
        raise Refusal("unknown_order", order_id)

    async def _reconcile(self, command: c.Command) -> Record:
        return await act(self.desk, _body(command, c.Reconcile), command.operator, command.reason)

    async def _incident_note(self, command: c.Command) -> Record:
        assert isinstance(command.body, c.IncidentWrite | c.IncidentClose)
        if self.incidents is None:
            raise Refusal("not_found", "this engine keeps no incidents")
        body, closes = command.body, isinstance(command.body, c.IncidentClose)
        return self.incidents.note(body.incident_id, command.operator, body.text, closes=closes)

    async def _submit(self, command: c.Command) -> Record:
        if self.corridor is None:
            raise Refusal("mode_not_live", f"this engine runs in {self.core.mode}: no account is in custody")
        body = command.body
        assert isinstance(body, SubmitOpen | SubmitAct)
        ask = asked(body, clean(command.operator, 80), self.people.principal(command))
        if isinstance(body, SubmitOpen):
            return await self.corridor.open(ask)
        return await self.corridor.act(body.session_id, ask)

    async def _tick_step(self, command: c.Command) -> Record:
        if self.corridor is None:
            raise Refusal("mode_not_live", f"this engine runs in {self.core.mode}: no account is in custody")
        return self.corridor.tick(_body(command, RunbookTick), command.operator, command.reason)

    async def _arm(self, command: c.Command) -> Record:
        if self.arming is None:
            where = f"{self.core.mode} / {self.core.environment}"
            raise Refusal("arming_not_needed", f"{where} reaches no real venue")
        return await self.arming.act(command, self.people.principal(command))

    async def _gate(self, command: c.Command) -> Record:
        assert self.gates is not None, "built with the engine"
        return self.gates.act(command, self.people.principal(command))

    # --- sessions, runs, engine ------------------------------------------------------------------

    async def _paper_start(self, command: c.Command) -> Record:
        entry = self.desk.start_paper(_body(command, c.PaperStart), command.operator, command.request_id)
        return c.SessionStarted(session_id=entry.session.plan.session_id, folder=str(entry.folder.folder))

    async def _paper_stop(self, command: c.Command) -> Record | None:
        await self.desk.stop_paper(_body(command, c.PaperStop).session_id, command.operator)
        return None

    async def _sim_reset(self, command: c.Command) -> Record:
        body = _body(command, c.SimReset)
        entry = await sim_reset(self.desk, body, command.operator, command.request_id)
        return c.SessionStarted(session_id=entry.session.plan.session_id, folder=str(entry.folder.folder))

    async def _job_start(self, command: c.Command) -> Record:
        assert isinstance(command.body, c.RunStart | c.SweepStart)
        job_id = await self.jobs.start(command.body, command.operator)
        return c.Started(job_id=job_id)

    async def _foundry_start(self, command: c.Command) -> Record:
        assert isinstance(command.body, c.FoundryForge | c.FoundryVerify)
        return await self.foundry.submit(command.body, command.operator)

    async def _schedule(self, command: c.Command) -> Record | None:
        body = command.body
        if isinstance(body, c.ScheduleAdd):
            return self.schedules.add(body, command.operator)
        return self.schedules.act(_body(command, c.ScheduleAct), command.operator, command.reason)

    async def _job_cancel(self, command: c.Command) -> Record | None:
        self.jobs.cancel(_body(command, c.JobCancel).job_id, command.operator)
        return None

    async def _drill_start(self, command: c.Command) -> Record:
        if self.drills is None:
            raise Refusal("not_found", "this engine performs no drills")
        kind = _body(command, c.DrillStart).kind
        self.drills.start(kind, command.operator, command.reason)
        return DrillStarted(kind=kind)

    async def _engine_stop(self, command: c.Command) -> Record | None:
        self.core.note("engine_stop", command.operator, "orderly shutdown asked for")
        self.stop_requested.set()
        return None


def _body(command: c.Command, kind: type[B]) -> B:
    assert isinstance(command.body, kind)
    return command.body
