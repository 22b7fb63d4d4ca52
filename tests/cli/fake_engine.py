"""A small engine on a loopback bus: answers what the commands ask, and remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar, cast

import msgspec

from engine.api import subjects
from engine.api.client import EngineClient
from engine.api.commands import (
    Command,
    CommandBody,
    EventsPage,
    Flatten,
    FlattenDone,
    Health,
    Kill,
    KillDone,
    OrderAsk,
    OrderAsked,
    PaperStart,
    Query,
    Reply,
    SessionShow,
    SessionStarted,
    Snapshot,
    TicketDefer,
    TicketSelect,
    TicketShow,
)
from engine.api.gates import ExitResult
from engine.api.run_views import RunsView, SessionRow
from engine.api.views import (
    AlarmsView,
    EventRow,
    EventsView,
    HealthReport,
    OrdersView,
    OverviewView,
    PartHealth,
    PositionRow,
    PositionsView,
    PromotionRow,
    StatusView,
    TicketRow,
    TicketsView,
    View,
    Views,
)
from seams.clock import FixedClock
from seams.ids import CountedIds
from seams.net import LoopbackNet, NetDown, NoAnswer

T = TypeVar("T")
HASH = "9c1e44d0a1b2c3d4"


def changed(row: T, **changes: object) -> T:
    """Return a record with some fields replaced."""
    return cast(T, msgspec.structs.replace(cast(msgspec.Struct, row), **changes))


def ticket(**changes: object) -> TicketRow:
    """Build a ticket with sane values."""
    row = TicketRow(
        ticket_id="T-1", version=1, ticket_hash=HASH, state="proposed", symbol="BTC-PERP", venue="sandbox",
        side="buy", quantity=Decimal("0.5"), order_type="limit", limit_price=Decimal("100"), stop_loss=None,
        time_in_force="ioc", reduce_only=False, notional_usd=Decimal("50"), mark_price=Decimal("100"),
        mark_now=Decimal("100"), strategy="ema\u202e\x1b[31m", session_id="P-1", decision_id="D-1",
        why="cross",
        category="entry", created_ns=1, expires_ns=2, reviewer="", worst="ok", reasons=(), decided_by="",
        decided_ns=0, decision_text="", checks=(),
    )  # fmt: skip
    return changed(row, **changes)


def session(**changes: object) -> SessionRow:
    """Build an ended session with sane values."""
    row = SessionRow(
        session_id="P-1", status="success", status_reason="max_bars", strategies=("ema_cross",),
        symbols=("BTC-PERP",), feed="sandbox", is_supervised=False, started_ns=1, finished_ns=2, bars=10,
        decisions=4, orders=2, fills=2, equity_usd=Decimal("10000"), decision_sha256="ab" * 32, message="",
        path="outputs/paper_sessions/P-1",
    )  # fmt: skip
    return changed(row, **changes)


class FakeEngine:
    """Answers on one `LoopbackNet`; set `refusal`, `is_silent` or `is_down` to make it fail."""

    def __init__(self) -> None:
        self.told: list[Command] = []
        self.refusal = ""
        self.is_silent = False
        self.is_down = False
        self.ticket = ticket()
        self.after_select: Callable[[TicketRow], TicketRow] = lambda row: row
        self.session = session()
        self.healthy = True
        self.cancels_confirmed = 3
        self.promotion: tuple[PromotionRow, ...] = ()
        self.exit_condition: tuple[ExitResult, ...] = ()
        self.results: dict[type, object] = {}
        """Kind of command -> what it is answered with, where it is not one of those below."""

    @property
    def bodies(self) -> list[CommandBody]:
        return [command.body for command in self.told]

    async def open_client(self, operator: str, role: str, timeout_s: float) -> EngineClient:
        """Stand in for `link.open_client`."""
        if self.is_down:
            raise NetDown("no engine has been started for this home")
        net = LoopbackNet()
        await net.subscribe(subjects.COMMAND, self._command)
        await net.subscribe(subjects.KILL, self._command)
        await net.subscribe(subjects.QUERY, self._query)
        return EngineClient(net, FixedClock(), CountedIds(), operator, epoch=7)

    async def _command(self, _: str, body: bytes) -> bytes:
        command = msgspec.json.decode(body, type=Command)
        self.told.append(command)
        if self.is_silent:
            raise NoAnswer("no answer within 0.5 s")
        if self.refusal:
            return self._reply(command.request_id, None, self.refusal)
        if isinstance(command.body, TicketSelect):
            self.ticket = self.after_select(self.ticket)
        return self._reply(command.request_id, self._done(command.body))

    def _done(self, body: CommandBody) -> object:
        if isinstance(body, Kill):
            return KillDone(
                kill_id="K-1", level=body.level, latched_at_ns=1, latch_ms=0.4, cancels_sent=3,
                cancels_confirmed=self.cancels_confirmed, positions_kept=1,
            )  # fmt: skip
        if isinstance(body, Flatten):
            return FlattenDone(is_flat=False, closed=("BTC-PERP",), remaining=("ETH-PERP",))
        if isinstance(body, TicketDefer):
            return changed(self.ticket, deferred_until_ns=2, deferred_by="alice")
        if isinstance(body, OrderAsk):
            return OrderAsked(
                order_id=body.order_id, venue="sandbox", asked_ns=1, answered_ns=2, said="venue says open",
                status="open", filled=Decimal(0),
            )  # fmt: skip
        if isinstance(body, PaperStart):
            return SessionStarted(session_id="P-1", folder="outputs/paper_sessions/P-1")
        return self.results.get(type(body))

    async def _query(self, _: str, body: bytes) -> bytes:
        query = msgspec.json.decode(body, type=Query)
        asked = query.body
        answer: object = None
        if isinstance(asked, Snapshot):
            answer = Views(views=tuple(view for view in self._views() if _name(view) in asked.views))
        elif isinstance(asked, Health):
            part = PartHealth(part="engine", state="ok" if self.healthy else "failed", age_ms=3, detail="")
            answer = HealthReport(ok=self.healthy, level="clear", parts=(part,))
        elif isinstance(asked, EventsPage):
            event = EventRow(seq=1, at_ns=1, kind="note", actor="eng", text="started")
            answer = EventsView(seq=1, at_ns=1, rows=(event,))
        elif isinstance(asked, TicketShow):
            answer = self.ticket
        elif isinstance(asked, SessionShow):
            answer = self.session
        return self._reply(query.request_id, answer)

    def _views(self) -> tuple[View, ...]:
        position = PositionRow(
            symbol="BTC-PERP", venue="sandbox", side="long", quantity=Decimal(1), entry_price=Decimal(100),
            mark_price=Decimal(101), unrealised_usd=Decimal(1), realised_day_usd=Decimal(0),
            fees_usd=Decimal(0), age_ms=5, is_stale=False, strategy="ema_cross", session_id="P-1",
            stop_price=None,
        )  # fmt: skip
        status = StatusView(
            seq=1, at_ns=1, epoch=7, mode="paper", environment="sandbox", account="demo",
            engine_version="0.1.0", level="clear", kill_level="clear", kill_id="", killed_by="",
            killed_at_ns=0, holds=(), feed_state="ok", feed_age_ms=1, venues_up=1, venues_total=1,
            sessions_active=1, tickets_open=1, ticket_next_expiry_ns=0, orders_working=0, orders_unknown=0,
            alarms_unacked=0, kernel_sha256="cd" * 32, health=(),
        )  # fmt: skip
        overview = OverviewView(
            seq=1, at_ns=1, equity_usd=Decimal(1), day_pnl_usd=Decimal(0), drawdown=0.0, gross_usd=Decimal(0),
            net_usd=Decimal(0), leverage=0.0, working_orders=0, rejects_5m=0, fills_5m=0, decisions=0, bars=0,
            limits=(), equity=(), promotion=self.promotion, exit_condition=self.exit_condition,
        )  # fmt: skip
        return (
            status,
            overview,
            PositionsView(seq=1, at_ns=1, rows=(position,)),
            OrdersView(seq=1, at_ns=1, rows=()),
            TicketsView(seq=1, at_ns=1, rows=(self.ticket,)),
            AlarmsView(seq=1, at_ns=1, rate_10min=0, suppressed=0, rows=()),
            RunsView(seq=1, at_ns=1, runs=(), sessions=(self.session,)),
        )

    def _reply(self, request_id: str, result: object, refusal: str = "") -> bytes:
        return msgspec.json.encode(
            Reply(
                request_id=request_id,
                ok=not refusal,
                code=refusal or "ok",
                message="no" if refusal else "",
                correction="do otherwise" if refusal else "",
                epoch=7,
                result=msgspec.Raw(msgspec.json.encode(result)),
            )
        )


def _name(view: View) -> str:
    return type(view).__name__.removesuffix("View").lower()
