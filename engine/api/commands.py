"""What an operator may ask for, and how it is answered.

A command is idempotent by `request_id`, refused after `expires_at_ns` and refused for another engine
`epoch`: a request that timed out never executes later. Queries change nothing and need no epoch.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from engine.api.arming import ArmBody
from engine.api.corridor import RunbookTick, SubmitAct, SubmitOpen
from engine.api.drills import DrillList as DrillList
from engine.api.drills import DrillStart as DrillStart
from engine.api.gates import GateBody
from engine.api.job_commands import FoundryForge as FoundryForge
from engine.api.job_commands import FoundryVerify as FoundryVerify
from engine.api.job_commands import JobBody as JobBody
from engine.api.job_commands import JobCancel as JobCancel
from engine.api.job_commands import RunStart as RunStart
from engine.api.job_commands import ScheduleAct as ScheduleAct
from engine.api.job_commands import ScheduleAdd as ScheduleAdd
from engine.api.job_commands import SweepStart as SweepStart
from engine.api.order_judgement import OrderJudge as OrderJudge
from engine.api.order_judgement import OrderJudged as OrderJudged
from engine.api.queries import SCHEMA_VERSION as SCHEMA_VERSION
from engine.api.queries import AlarmSinks as AlarmSinks
from engine.api.queries import EventsPage as EventsPage
from engine.api.queries import Health as Health
from engine.api.queries import PortfolioShow as PortfolioShow
from engine.api.queries import Query as Query
from engine.api.queries import QueryBody as QueryBody
from engine.api.queries import ScheduleList as ScheduleList
from engine.api.queries import SessionShow as SessionShow
from engine.api.queries import ShadowShow as ShadowShow
from engine.api.queries import Snapshot as Snapshot
from engine.api.queries import TicketShow as TicketShow
from engine.api.reconcile import Reconcile as Reconcile
from engine.api.risk import RiskBody
from engine.api.ticket_commands import REJECT_REASONS as REJECT_REASONS
from engine.api.ticket_commands import LeaseGive as LeaseGive
from engine.api.ticket_commands import LeaseHeld as LeaseHeld
from engine.api.ticket_commands import LeaseKeep as LeaseKeep
from engine.api.ticket_commands import LeaseTake as LeaseTake
from engine.api.ticket_commands import OrderAsk as OrderAsk
from engine.api.ticket_commands import OrderAsked as OrderAsked
from engine.api.ticket_commands import PairConfirm as PairConfirm
from engine.api.ticket_commands import PairRefuse as PairRefuse
from engine.api.ticket_commands import RejectedAll as RejectedAll
from engine.api.ticket_commands import TicketApprove as TicketApprove
from engine.api.ticket_commands import TicketBody
from engine.api.ticket_commands import TicketCosign as TicketCosign
from engine.api.ticket_commands import TicketDefer as TicketDefer
from engine.api.ticket_commands import TicketReject as TicketReject
from engine.api.ticket_commands import TicketRejectAll as TicketRejectAll
from engine.api.ticket_commands import TicketSelect as TicketSelect
from engine.api.ticket_commands import TicketSubmit as TicketSubmit
from venues.types import Record


class KillArm(Record, tag="kill_arm"):
    """Lift the guard: ask for the counts a kill would touch, and a nonce."""

    scope: str = "all"


class Kill(Record, tag="kill"):
    """Latch the kill switch; `level` is close_only or halt_all. Anyone may stop."""

    level: str = "halt_all"
    cancel_orders: bool = True
    confirm: str
    nonce: str = ""


class Resume(Record, tag="resume"):
    """Loosen the latch; needs operator, reason and the typed word RESUME.

    `note` says what was found: a halt's incident without one is not resumed from.
    """

    confirm: str
    note: str = ""


class Flatten(Record, tag="flatten"):
    """Latch close_only, close every position reduce-only and verify flat."""

    confirm: str


class OrderCancel(Record, tag="order_cancel"):
    """Ask the venue to cancel one order."""

    order_id: str


class AlarmAck(Record, tag="alarm_ack"):
    """Acknowledge one alarm."""

    alarm_id: str


class AlarmShelve(Record, tag="alarm_shelve"):
    """Put one alarm aside for some minutes (at most 240), with a reason; not one of priority 1."""

    alarm_id: str
    minutes: float


class AlarmUnshelve(Record, tag="alarm_unshelve"):
    """Take one alarm off its shelf; what still stands rings."""

    alarm_id: str


class IncidentWrite(Record, tag="incident_note"):
    """Add what was found to an incident."""

    incident_id: str
    text: str


class IncidentClose(Record, tag="incident_close"):
    """Close an incident with what was done about it."""

    incident_id: str
    text: str


class PaperStart(Record, tag="paper_start"):
    """Start a paper session. `feed` is `sandbox`, `replay:VENUE/SYMBOL/INTERVAL`, or `exchange`: on the
    account of the venue that a live engine is configured with."""

    strategies: tuple[str, ...]
    preset: str = ""
    symbols: tuple[str, ...] = ()
    feed: str = "sandbox"
    scenario: str = "demo"
    seed: int = 1
    speed: float = 1.0
    is_supervised: bool = False
    supervised_strategies: tuple[str, ...] = ()
    """With `is_supervised`: only these strategies' entries wait for an operator (empty: all do)."""
    params: dict[str, float | str] = {}
    max_bars: int = 0
    candidate: str = ""
    """SWEEP:CONFIG_ID instead of strategy, preset and parameters; it needs its fresh replay report."""
    init_state: str = ""
    """The name of an imported state to start from: it brings strategies, symbols and account."""
    max_state_gap_bars: int = 0
    shadow: str = "reference"
    """The twin beside it that never acts: `reference` (the interpreted strategies), a strategy, or none."""


class SimReset(Record, tag="sim_reset"):
    """End a simulated session and start it anew, with `overrides` for fields of its `PaperStart`."""

    session_id: str
    overrides: dict[str, Any] = {}


class PaperStop(Record, tag="paper_stop"):
    """Stop a session; it ends as aborted/operator_abort with its evidence complete."""

    session_id: str


class EngineStop(Record, tag="engine_stop"):
    """Orderly shutdown: sessions are aborted with their evidence, the latch keeps its state."""


CommandBody = (
    KillArm
    | Kill
    | Resume
    | Flatten
    | TicketBody
    | LeaseTake
    | LeaseKeep
    | LeaseGive
    | PairConfirm
    | PairRefuse
    | OrderCancel
    | Reconcile
    | AlarmAck
    | AlarmShelve
    | AlarmUnshelve
    | IncidentWrite
    | IncidentClose
    | PaperStart
    | PaperStop
    | SimReset
    | RunStart
    | SweepStart
    | FoundryForge
    | FoundryVerify
    | JobCancel
    | ScheduleAdd
    | ScheduleAct
    | DrillStart
    | SubmitOpen
    | SubmitAct
    | RunbookTick
    | RiskBody
    | ArmBody
    | GateBody
    | EngineStop
)


class Command(Record):
    """The envelope of every command.

    `console` names the console it was pressed at; empty is the command line. `signature` is the operator's
    own, of everything else in it, where their key is known to the client; two persons need it.
    """

    schema_version: int = SCHEMA_VERSION
    request_id: str
    operator: str
    reason: str = ""
    epoch: int
    expires_at_ns: int
    body: CommandBody
    console: str = ""
    signature: str = ""


def _no_result() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class Reply(Record):
    """The answer to a command or query.

    `code` is `ok` or a reason code of `docs/reason-codes.md`; `correction` says what to do about it;
    `result` is the JSON of a struct named in the command's row of `docs/api.md` (often empty).
    """

    request_id: str
    ok: bool
    code: str = "ok"
    message: str = ""
    correction: str = ""
    epoch: int = 0
    at_ns: int = 0
    result: msgspec.Raw = msgspec.field(default_factory=_no_result)


class KillArmed(Record):
    """What a kill would touch, as known now."""

    nonce: str
    sessions: int
    working_orders: int
    positions: int
    net_usd: Decimal
    gross_usd: Decimal


class KillDone(Record):
    """What a kill did: latch first, then cancels."""

    kill_id: str
    level: str
    latched_at_ns: int
    latch_ms: float
    cancels_sent: int
    cancels_confirmed: int
    positions_kept: int


class SessionStarted(Record):
    session_id: str
    folder: str


class FlattenDone(Record):
    is_flat: bool
    closed: tuple[str, ...]
    remaining: tuple[str, ...]


class Started(Record):
    """A job or run was accepted."""

    job_id: str
    run_id: str = ""


class ScheduleRow(Record):
    """One schedule. `state` is active or paused (`why` says for what); `job_id` is the run at work."""

    name: str
    every_minutes: float
    run: RunStart
    operator: str
    state: str
    next_ns: int
    why: str = ""
    job_id: str = ""
    last_job_id: str = ""
    runs: int = 0


class Schedules(Record):
    rows: tuple[ScheduleRow, ...]


class Accepted(Record):
    """A foundry job was accepted; it goes on by itself."""

    job_id: str
    status: str = "accepted"


class Turned(Record):
    """A foundry request was refused: `code` is a reason code, `correction` says what to do."""

    code: str
    message: str
    correction: str
    status: str = "refused"


class FoundryRequest(Record):
    """What is told on `sys.foundry.request.forge` and `.verify` once a job was accepted."""

    job_id: str
    component_type: str = ""
    name: str = ""
    target_lang: str = ""
    target_version: str = ""
    prompt: str = ""
    strategy_name: str = ""


def encode(message: Record) -> bytes:
    """Write a message as JSON bytes."""
    return msgspec.json.encode(message)
