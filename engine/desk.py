"""The desk: the sessions that run, from start to their evidence, and what holds for all of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from engine.api.commands import KillArmed, KillDone, PaperStart
from engine.api.run_views import SessionRow
from engine.api.shadow import ShadowView, stored_shadow
from engine.core import STORAGE_FAILURES, Core
from engine.desk_evidence import (
    Ending,
    add_trade,
    complete,
    progress_of,
    put_artifacts,
    session_folder,
    session_record,
    share_board,
    tell_observers,
    why_no_trades,
)
from engine.expiries import Expiries
from engine.failures import reason_code
from engine.limits import desk_facts, latch_repetition, restore_traffic, watch_limits
from engine.market.hub import HubState
from engine.research.run import INIT_STATE
from engine.research.sessions import ENDINGS, SessionFolder
from engine.store.failures import StoreError
from engine.storm import latch_storm, watch_cancels
from engine.trading.accounts import Account, account_in
from engine.trading.custody import Custody
from engine.trading.feed_watch import watch_feed
from engine.trading.live_journal import LiveJournal, live_journal
from engine.trading.orders import OrderManager
from engine.trading.rows import ticket_row
from engine.trading.session import PaperSession
from engine.trading.settle import settle_unknown
from engine.trading.setup import build_session
from engine.trading.trade_book import TradeBook
from engine.views import session_row
from safety.approval import Ticket
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, NS_PER_S, iso_z

MAX_SESSIONS = 8
HEAD_START_S = 0.05
"""How long a kill lets its cancels run before it writes and says anything else."""
REJECT_ALARM_S = 20
REPLIES_KEPT_NS = 86_400 * NS_PER_S
"""Commands live two minutes at most; a day of replies is far more than any repeat needs."""


@dataclass
class Running:
    """One session with its folder and its task."""

    session: PaperSession
    folder: SessionFolder
    start: PaperStart
    started_ns: int
    task: asyncio.Task[None] | None = None
    is_aborted: bool = False
    updated_ns: int = 0
    live: LiveJournal | None = None


@dataclass
class Desk:
    """Every session of this engine."""

    core: Core
    custody: Custody | None = None
    """The account at a venue that outlives us; None in paper, where each session has its own."""
    running: dict[str, Running] = field(default_factory=dict)
    ended: list[SessionRow] = field(default_factory=list)
    kills: int = 0
    forgot_ns: int = 0
    obeyed: KillLevel = KillLevel.CLEAR
    """The strictest kill level whose cancels were sent; the main loop obeys what is above it."""
    expiries: Expiries = field(init=False)

    def __post_init__(self) -> None:
        self.expiries = Expiries(self.core)

    @property
    def sessions(self) -> list[PaperSession]:
        return [entry.session for entry in self.running.values()]

    def books(self) -> list[OrderManager]:
        """Return every order book of the desk: custody's account, and each paper session's own."""
        own = [session.orders for session in self.sessions if not self._is_custodys(session)]
        return own if self.custody is None else [self.custody.orders, *own]

    def accounts(self) -> list[Account]:
        """Return every account once, also where several sessions share it or none runs on it."""
        found = [] if self.custody is None else [account_in(self.custody)]
        own = [session for session in self.sessions if not self._is_custodys(session)]
        return found + [Account(session.orders, session.ledger, session.plan.account) for session in own]

    def _is_custodys(self, session: PaperSession) -> bool:
        return self.custody is not None and session.orders is self.custody.orders

    def session(self, session_id: str) -> PaperSession:
        """Return a running session. Raises `Refusal("unknown_session")`."""
        entry = self.running.get(session_id)
        if entry is None:
            raise Refusal("unknown_session", session_id)
        return entry.session

    def shadow(self, session_id: str) -> ShadowView:
        """Return a session's shadow as of now, or as it ended. Raises `LookupError`."""
        entry = self.running.get(session_id)
        if entry is None:
            return stored_shadow(self.core.paths.home, session_id, self.core.disk)
        if entry.session.shadow is None:
            raise LookupError(f"session {session_id} runs without a shadow")
        return entry.session.shadow.view(session_id)

    def session_of_ticket(self, ticket: Ticket) -> PaperSession:
        return self.session(ticket.intent.session_id)

    # --- a session's life ------------------------------------------------------------------------

    def start_paper(self, start: PaperStart, operator: str, request_id: str) -> Running:
        """Start a session. Raises `Refusal`; a halted engine starts none."""
        if self.core.kill.level is KillLevel.HALT_ALL:
            raise Refusal("engine_halted", "resume first")
        if len(self.running) >= MAX_SESSIONS:
            raise Refusal("session_exists", f"{MAX_SESSIONS} sessions run already")
        now_ns = self.core.clock.now_ns()
        stamp = iso_z(now_ns)[:19].replace("-", "").replace(":", "").replace("T", "_")
        session_id = f"{stamp}_paper_{self.core.ids.new('S')[2:]}"
        session = build_session(self.core, start, session_id, self.custody)
        try:
            return self._begin(session, start, operator, request_id, now_ns)
        except Exception:
            # Nothing half begun listens on: who asks again begins a new one.
            self.running.pop(session_id, None)
            session.orders.detach(session_id)
            session.board.close()
            session.stop_feed()
            raise

    def _begin(
        self, session: PaperSession, start: PaperStart, operator: str, request_id: str, now_ns: int
    ) -> Running:
        """Begin the evidence of a session that was built, and its task."""
        session_id = session.plan.session_id
        folder = session_folder(self.core, session, start, operator, request_id, now_ns)
        if session.plan.init_state:
            folder.put_artifact(INIT_STATE, session.plan.init_state)
        entry = Running(session=session, folder=folder, start=start, started_ns=now_ns)
        try:
            self.core.store.sessions.start(session_record(self.core, session, folder, now_ns))
        except StoreError as error:
            folder.finish(
                "exception", metrics={}, decision_sha256="", message=str(error), error_type=error.code
            )
            raise
        self.running[session_id] = entry
        share_board(self.core, session)
        restore_traffic(self.core, session)
        session.desk_facts = lambda: desk_facts(self.core, session, self.sessions)
        session.on_value.append(lambda: watch_limits(self.core, self.sessions))
        session.on_denied.append(partial(latch_repetition, self.core, session_id))
        session.standing.on_new.append(partial(latch_storm, self.core, session.orders))
        session.on_fill.append(TradeBook(session).on_fill)
        session.on_fill.append(partial(tell_observers, self.core))
        session.on_fill.append(lambda order, fill: add_trade(session, folder, order, fill))
        self.core.note("session_started", operator, f"{session_id} on {session.plan.feed_name}")
        entry.task = asyncio.get_running_loop().create_task(self._live(entry), name=session_id)
        return entry

    def demand_startable(self, start: PaperStart) -> None:
        """Refuse what `start_paper` would refuse, by building it and throwing it away. Raises `Refusal`."""
        if self.core.kill.level is KillLevel.HALT_ALL:
            raise Refusal("engine_halted", "resume first")
        build_session(self.core, start, "probe")

    async def stop_paper(self, session_id: str, operator: str) -> None:
        """End a session early: its orders are cancelled, its evidence completed (aborted)."""
        entry = self.running.get(session_id)
        if entry is None or entry.task is None:
            raise Refusal("unknown_session", session_id)
        entry.is_aborted = True
        self.core.note("session_stopping", operator, session_id)
        await entry.session.cancel_all()
        entry.session.stop_feed()
        try:
            await asyncio.wait_for(asyncio.shield(entry.task), 3.0)
        except TimeoutError:
            entry.task.cancel()
            await asyncio.gather(entry.task, return_exceptions=True)

    async def close(self) -> None:
        """End every session: orderly shutdown."""
        for session_id in list(self.running):
            await self.stop_paper(session_id, "eng")

    async def _live(self, entry: Running) -> None:
        session = entry.session
        reason, message, error_type = "exception", "", "Cancelled"
        try:
            state = await session.run()
            failed = state is HubState.FAILED or bool(session.failure)
            reason = "exception" if failed else "operator_abort" if entry.is_aborted else "completed"
            message = session.failure or session.hub.failure or ""
            error_type = session.failure_code or message.split(":")[0] or "FeedFailed" if failed else ""
        except asyncio.CancelledError:
            if not entry.is_aborted:
                raise
            reason, message, error_type = "operator_abort", "stopped by an operator", ""
        finally:
            decision_sha256 = session.kernel.decision_hash()
            session.stop_feed()  # also where the session failed: nobody reads what it would still hear
            await session.cancel_all()  # a session that has ended leaves nothing alive at its venue
            self._end(entry, reason, message, error_type, decision_sha256)

    def _end(self, entry: Running, reason: str, message: str, error_type: str, decision_sha256: str) -> None:
        """Complete the evidence; a session that failed is an alarm. What the disk refuses is completed
        as failed by the next start."""
        session, core = entry.session, self.core
        session_id = session.plan.session_id
        del self.running[session_id]
        session.orders.detach(session_id)
        session.board.close()
        status = ENDINGS[reason]
        try:
            core.risk_memory.settle(session, self.sessions)
            self._close_tickets(session)
            if reason != "exception":
                message = "; ".join(said for said in (message, why_no_trades(core, session)) if said)
            put_artifacts(session, entry.folder)
            if entry.live is not None:
                entry.live.close()
                core.disk.remove(entry.live.path)
            complete(core, session, entry.folder, Ending(reason, message, error_type, decision_sha256))
        except STORAGE_FAILURES as error:
            status, message = "failed", message or f"{type(error).__name__}: {error}"
            core.halt(error, session_id)
        core.note("session_ended", "eng", f"{session_id}: {status} {message}".rstrip())
        if status == "failed":
            core.alarm("session_failed", session_id, "eng", message or error_type)
        times = (entry.started_ns, core.clock.now_ns())
        self.ended.append(session_row(session, status, message, str(entry.folder.folder), times))
        del self.ended[:-50]

    def _close_tickets(self, session: PaperSession) -> None:
        for ticket in self.core.tickets.open():
            if ticket.intent.session_id == session.plan.session_id:
                self._reject(ticket, "session ended", "session_ended")

    def _reject(self, ticket: Ticket, why: str, code: str) -> None:
        """Close one ticket, in memory first: what the disk refuses stays closed."""
        closed = self.core.tickets.reject(ticket.id, "eng", 6, why)
        entry = self.running.get(ticket.intent.session_id)
        if entry is not None:
            entry.session.refuse(ticket, code)
        self.core.store.tickets.save_ticket(ticket_row(closed, "eng", self.core.clock.now_ns()))

    # --- what holds for all ----------------------------------------------------------------------

    def armed(self, nonce: str) -> KillArmed:
        """Return what a kill would touch, as known now."""
        zero, accounts = Decimal(0), self.accounts()
        return KillArmed(
            nonce=nonce,
            sessions=len(self.running),
            working_orders=sum(len(each.orders.alive()) for each in accounts),
            positions=sum(len(each.ledger.open_holdings()) for each in accounts),
            net_usd=sum((each.ledger.net_usd for each in accounts), zero).quantize(Decimal("0.01")),
            gross_usd=sum((each.ledger.gross_usd for each in accounts), zero).quantize(Decimal("0.01")),
        )

    async def kill(
        self, level: KillLevel, operator: str, reason: str, source: str, *, cancels: bool
    ) -> KillDone:
        """Latch first (durable), then cancel, then write down and say what was done."""
        core, kill = self.core, self.core.kill
        began_ns = core.clock.monotonic_ns()
        not_durable: OSError | None = None
        try:
            kill.trip(level, by=operator, reason=reason or "no reason given", source=source)
        except OSError as error:
            not_durable = error  # the byte says halt_all: nothing is sent; the file is tried again
        latch_ms = (core.clock.monotonic_ns() - began_ns) / NS_PER_MS
        latched_at_ns = core.clock.now_ns()
        self.obeyed = kill.level
        core.sync_kill_hold()
        cancelling = asyncio.ensure_future(self._cancel_alive(level)) if cancels else None
        if cancelling is not None:  # the requests leave before anything else is synced to a disk
            await asyncio.wait((cancelling,), timeout=HEAD_START_S)
        for session in self.sessions:
            session.board.write()
        self.kills += 1
        word = kill.level.name.lower()
        core.note("kill", operator, f"{word} latched: {reason or 'no reason given'}")
        core.alarm("kill_latched", "desk", operator, f"{word} by {operator}")
        sent, confirmed = (0, 0) if cancelling is None else await cancelling
        self.reject_entries("kill switch")
        if not_durable is not None:
            core.halt(not_durable, "kill latch")
            said = f"{word} in memory, cancels sent; the latch file is not written"
            raise Refusal(reason_code(not_durable), said)
        return KillDone(
            kill_id=f"K-{kill.record.trips:04d}",
            level=word,
            latched_at_ns=latched_at_ns,
            latch_ms=latch_ms,
            cancels_sent=sent,
            cancels_confirmed=confirmed,
            positions_kept=sum(len(each.ledger.open_holdings()) for each in self.accounts()),
        )

    async def _cancel_alive(self, level: KillLevel) -> tuple[int, int]:
        """Ask for the cancels of a kill, of all books at once; return (asked, confirmed by now)."""
        is_halt = level is KillLevel.HALT_ALL
        done = await asyncio.gather(
            *(
                book.cancel_each([o for o in book.alive() if is_halt or not o.request.reduce_only])
                for book in self.books()
            )
        )
        return sum(asked for asked, _ in done), sum(confirmed for _, confirmed in done)

    def reject_entries(self, why: str) -> None:
        """Reject every open ticket (fail-safe)."""
        for ticket in self.core.tickets.open():
            try:
                self._reject(ticket, why, "kill_switch_active")
            except STORAGE_FAILURES as error:
                self.core.halt(error, ticket.id)

    def expire_tickets(self) -> None:
        """Close tickets whose time is up; the kernel learns that its wish will not act."""
        for ticket in self.core.tickets.expire(self.core.moment()):
            self.core.store.tickets.save_ticket(ticket_row(ticket, "expiry", self.core.clock.now_ns()))
            self.core.note("ticket_expired", "eng", f"{ticket.id} expired unanswered", ticket_id=ticket.id)
            self.expiries.ring(ticket.intent.symbol, ticket.id)
            if ticket.intent.session_id in self.running:
                self.session_of_ticket(ticket).refuse(ticket, "ticket_expired")

    async def tend(self) -> None:
        """Once a second: feeds, expiries, unknown orders, progress, alarms that calmed down."""
        now_ns = self.core.clock.now_ns()
        self.expire_tickets()
        self.expiries.tend(now_ns)
        watch_limits(self.core, self.sessions)
        watch_cancels(self.core, self.books())
        for entry in list(self.running.values()):
            session = entry.session
            try:
                session.board.write()
                watch_feed(session)
                if session.orders.unknown() and not self._is_custodys(session):
                    await settle_unknown(session.orders)
                if now_ns - entry.updated_ns >= NS_PER_S and not session.failure:
                    self._progress(entry, now_ns)
            except STORAGE_FAILURES as error:
                session.fail(error)
            last = max(session.orders.rejects, default=0)
            if last and now_ns - last > REJECT_ALARM_S * NS_PER_S:
                for symbol in session.hub.symbols():
                    self.core.calm("order_rejected", symbol)
        self.core.alarms.tick(now_ns)
        if now_ns - self.forgot_ns > 60 * NS_PER_S:
            self.forgot_ns = now_ns
            self.core.store.requests.forget_replies(now_ns - REPLIES_KEPT_NS)

    def _progress(self, entry: Running, now_ns: int) -> None:
        session, entry.updated_ns = entry.session, now_ns
        entry.folder.update(**progress_of(session))
        if entry.live is None:
            entry.live = live_journal(self.core.disk, entry.folder.folder / "artifacts", session.kernel)
        if entry.live is not None:
            entry.live.commit()

    def rows(self) -> tuple[SessionRow, ...]:
        """Return running sessions, then those that ended under this engine, newest first."""
        live = [
            session_row(entry.session, "running", "", str(entry.folder.folder), (entry.started_ns, 0))
            for entry in self.running.values()
        ]
        return (*live, *reversed(self.ended))
