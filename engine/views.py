"""From the engine's state to what people see: pure reads, one function for each view."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.api import views as v
from engine.api.arming import ArmingView
from engine.api.lane_views import LaneStateRow
from engine.api.run_views import SessionRow
from engine.api.ticket_views import LeaseRow, PairRow
from engine.core import Core
from engine.market.hub import HubState
from engine.ticket_views import price
from engine.trading.account_holds import ACCOUNT
from engine.trading.accounts import Account
from engine.trading.ledger import Holding, Ledger
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from safety.alarm_codes import ALARMS
from safety.interlock import HOLDS, HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import REASONS
from safety.text import clean
from seams.clock import NS_PER_S
from venues.types import OrderStatus

LEVEL_WORDS = {
    HoldLevel.CLEAR: "clear",
    HoldLevel.CLOSE_ONLY: "close_only",
    HoldLevel.HYDRATING: "hydrating",
    HoldLevel.HALT: "halt",
}
KILL_WORDS = {KillLevel.CLEAR: "clear", KillLevel.CLOSE_ONLY: "close_only", KillLevel.HALT_ALL: "halt_all"}
ZERO = Decimal(0)
WINDOW_NS = 300 * NS_PER_S
MAX_ROWS = 500
MAX_POINTS = 600


def hold_rows(core: Core) -> tuple[v.HoldRow, ...]:
    """Return every standing hold with how it clears and which runbook explains it."""
    return tuple(
        v.HoldRow(
            code=hold.code if not hold.subject else f"{hold.code}:{hold.subject}",
            level=LEVEL_WORDS[hold.level],
            since_ns=hold.since_ns,
            source=hold.source,
            evidence=hold.evidence,
            clear_rule=HOLDS[hold.code].cleared_by,
            runbook=_runbook_of(hold.code, hold.subject),
        )
        for hold in core.interlock.holds
    )


def _runbook_of(code: str, subject: str) -> str:
    if code == "ambiguity" and subject != ACCOUNT:
        return REASONS["outcome_unknown"].runbook
    known = {
        "incident": "incident_note_required",
        "kill": "kill_switch_active",
        "stale_data": "market_data_stale",
        "ambiguity": "reconcile_not_clean",
    }
    if code == "replay_gate":
        return "replay-parity.md"
    reason = REASONS.get(known.get(code, code))
    # A hold of limits is about the alarm that its subject names; a storm is its own.
    told = reason or ALARMS.get(subject) or ALARMS.get(code)
    return told.runbook if told is not None else "kill-and-resume.md"


def status_view(
    core: Core,
    sessions: list[PaperSession],
    accounts: Sequence[Account],
    health: tuple[v.PartHealth, ...],
    seq: int,
    pairs: tuple[PairRow, ...] = (),
    arming: ArmingView | None = None,
) -> v.StatusView:
    """Return the status line's facts."""
    now_ns = core.clock.now_ns()
    tickets = core.tickets.open()
    orders = [order for account in accounts for order in account.orders.alive()]
    ages = [age for session in sessions for age in session.hub.ages() if age.age_ms is not None]
    oldest_ms = max((age.age_ms or 0 for age in ages), default=0)
    record = core.kill.record
    is_killed = core.kill.level is not KillLevel.CLEAR
    return v.StatusView(
        seq=seq,
        at_ns=now_ns,
        epoch=core.epoch,
        mode=core.mode,
        environment=core.environment,
        account=accounts[0].name if accounts else "no session",
        engine_version=core.engine_version,
        level=LEVEL_WORDS[core.interlock.level],
        kill_level=KILL_WORDS[core.kill.level],
        kill_id=f"K-{record.trips:04d}" if is_killed else "",
        killed_by=record.by if is_killed else "",
        killed_at_ns=record.since_ns if is_killed else 0,
        holds=hold_rows(core),
        feed_state=_feed_state(sessions),
        feed_age_ms=oldest_ms,
        venues_up=sum(account.is_in_touch for account in accounts),
        venues_total=len(accounts),
        sessions_active=len(sessions),
        tickets_open=len(tickets),
        ticket_next_expiry_ns=min((ticket.expires_ns for ticket in tickets), default=0),
        orders_working=len(orders),
        orders_unknown=sum(1 for order in orders if order.status is OrderStatus.UNKNOWN),
        alarms_unacked=core.alarms.unacked,
        kernel_sha256=core.kernel_sha256,
        health=health,
        lanes=tuple(row for session in sessions for row in lane_rows(session)),
        lease=lease_row(core),
        pairs=pairs,
        arming=arming,
    )


def lease_row(core: Core) -> LeaseRow | None:
    """Return who holds the operator lease."""
    held = core.lease.holder(core.moment())
    if held is None:
        return None
    return LeaseRow(
        operator=held.operator, console=held.console, since_ns=held.since_ns, until_ns=held.until_ns
    )


def lane_rows(session: PaperSession) -> tuple[LaneStateRow, ...]:
    """Return where each of a session's lanes stands."""
    board = session.board
    return tuple(
        LaneStateRow(
            session_id=session.plan.session_id,
            symbol=symbol,
            strategy=strategy,
            state=state.name.lower(),
            execution=execution.name.lower(),
        )
        for (symbol, strategy), state, execution in zip(
            session.plan.lanes, board.states, board.executions, strict=True
        )
    )


def _feed_state(sessions: list[PaperSession]) -> str:
    if not sessions:
        return "off"
    if any(session.hub.state is HubState.FAILED for session in sessions):
        return "failed"
    is_stale = any(s.hub.stale_symbols() for s in sessions if not s.plan.uses_market_time and s.market_ns)
    return "stale" if is_stale else "ok"


def overview_view(
    core: Core,
    sessions: list[PaperSession],
    accounts: Sequence[Account],
    seq: int,
    promotion: tuple[v.PromotionRow, ...],
) -> v.OverviewView:
    """Return equity, exposure and limits over all sessions, with each strategy's stage."""
    now_ns = core.clock.now_ns()
    ledgers = [account.ledger for account in accounts]
    equity = sum((ledger.equity_usd for ledger in ledgers), ZERO)
    gross = sum((ledger.gross_usd for ledger in ledgers), ZERO)
    rejects = [at for each in accounts for at in each.orders.rejects if now_ns - at < WINDOW_NS]
    fills = [at for each in accounts for at in each.orders.fill_times if now_ns - at < WINDOW_NS]
    return v.OverviewView(
        seq=seq,
        at_ns=now_ns,
        equity_usd=_cents(equity),
        day_pnl_usd=_cents(sum((ledger.day_pnl_usd for ledger in ledgers), ZERO)),
        drawdown=max((ledger.drawdown for ledger in ledgers), default=0.0),
        gross_usd=_cents(gross),
        net_usd=_cents(sum((ledger.net_usd for ledger in ledgers), ZERO)),
        leverage=float(gross / equity) if equity > 0 else 0.0,
        working_orders=sum(len(account.orders.alive()) for account in accounts),
        rejects_5m=len(rejects),
        fills_5m=len(fills),
        decisions=sum(session.counts.decisions for session in sessions),
        bars=sum(session.counts.bars for session in sessions),
        limits=limit_bars(core, accounts),
        equity=_curve(ledgers),
        promotion=promotion,
    )


def limit_bars(core: Core, accounts: Sequence[Account]) -> tuple[v.LimitBar, ...]:
    """Return each desk limit with its value now; a missing value is said, not guessed."""
    risk = core.settings.risk
    ledgers = [account.ledger for account in accounts]
    loss = max((-float(ledger.day_pnl_usd) for ledger in ledgers), default=0.0)
    gross = max((float(ledger.gross_usd) for ledger in ledgers), default=0.0)
    drawdown = max((ledger.drawdown for ledger in ledgers), default=0.0)
    working = max((len(account.orders.alive()) for account in accounts), default=0)
    held = max((len(ledger.open_holdings()) for ledger in ledgers), default=0)
    rows = (
        ("daily_loss_limit", "day loss", max(0.0, loss), risk.daily_loss_close_only_usd, "USD"),
        ("drawdown_limit", "drawdown", drawdown * 100, risk.drawdown_close_only * 100, "%"),
        ("max_exposure_exceeded", "gross", gross, risk.max_gross_exposure_usd, "USD"),
        ("max_open_orders", "open orders", float(working), float(risk.max_open_orders), ""),
        ("max_positions", "positions", float(held), float(risk.max_open_positions), ""),
    )
    return tuple(
        v.LimitBar(
            code=code, label=label, value=round(value, 2) if accounts else None, limit=limit, unit=unit,
            state=_limit_state(value, limit) if accounts else "missing",
        )
        for code, label, value, limit, unit in rows
    )  # fmt: skip


def _limit_state(value: float, limit: float) -> str:
    if value >= limit:
        return "breach"
    return "warn" if value > 0.8 * limit else "ok"


def _curve(ledgers: Sequence[Ledger]) -> tuple[v.EquityPoint, ...]:
    if not ledgers:
        return ()
    points = list(ledgers[0].points)
    step = max(1, len(points) // MAX_POINTS)
    return tuple(v.EquityPoint(at_ns=at, equity_usd=round(value, 2)) for at, value in points[::step])


def positions_view(
    core: Core, sessions: list[PaperSession], accounts: Sequence[Account], seq: int
) -> v.PositionsView:
    """Return every position that is not flat, once: by the session that watches it, else by its account."""
    watched = {
        (id(session.ledger), symbol): session for session in sessions for symbol, _ in session.plan.lanes
    }
    rows = []
    for account in accounts:
        for held in account.ledger.open_holdings():
            session = watched.get((id(account.ledger), held.symbol))
            row = _residual_row(account, held) if session is None else _position_row(session, held)
            rows.append(row)
    return v.PositionsView(seq=seq, at_ns=core.clock.now_ns(), rows=tuple(rows[:MAX_ROWS]))


def _residual_row(account: Account, held: Holding) -> v.PositionRow:
    """Return the row of a position that no session watches, at its venue's own mark."""
    mark = account.marks.get(held.symbol, held.mark_price)
    return v.PositionRow(
        symbol=held.symbol,
        venue=account.orders.venue.name,
        side="long" if held.quantity > 0 else "short",
        quantity=abs(held.quantity).normalize(),
        entry_price=price(held.entry_price),
        mark_price=price(mark),
        unrealised_usd=_cents((mark - held.entry_price) * held.quantity),
        realised_day_usd=_cents(held.realised_today),
        fees_usd=_cents(held.fees),
        age_ms=0,
        is_stale=not account.is_in_touch,
        strategy="no session",
        session_id="",
        stop_price=None,
    )


def _position_row(session: PaperSession, held: Holding) -> v.PositionRow:
    lane = next((i for i, (symbol, _) in enumerate(session.plan.lanes) if symbol == held.symbol), None)
    stop = None if lane is None else session.kernel.position(lane).stop_price
    is_stale = not session.plan.uses_market_time and session.hub.is_stale(held.symbol)
    return v.PositionRow(
        symbol=held.symbol,
        venue=session.venue.name,
        side="long" if held.quantity > 0 else "short",
        quantity=abs(held.quantity).normalize(),
        entry_price=price(held.entry_price),
        mark_price=price(held.mark_price),
        unrealised_usd=_cents(held.unrealised),
        realised_day_usd=_cents(held.realised_today),
        fees_usd=_cents(held.fees),
        age_ms=0 if session.plan.uses_market_time else session.hub.age_ms(held.symbol) or 0,
        is_stale=is_stale,
        strategy="" if lane is None else session.plan.lanes[lane][1],
        session_id=session.plan.session_id,
        stop_price=None if stop is None else Decimal(f"{stop:.8g}"),
    )


def orders_view(core: Core, accounts: Sequence[Account], seq: int) -> v.OrdersView:
    """Return the newest orders, those that may still act first."""
    orders = [order for account in accounts for order in account.orders.orders.values()]
    orders.sort(key=lambda order: (not order.is_alive, -order.created_ns, order.order_id))
    return v.OrdersView(
        seq=seq, at_ns=core.clock.now_ns(), rows=tuple(_order_row(order) for order in orders[:MAX_ROWS])
    )


def _order_row(order: ManagedOrder) -> v.OrderRow:
    request = order.request
    return v.OrderRow(
        order_id=order.order_id,
        venue_order_id=order.venue_order_id,
        symbol=request.symbol,
        venue=order.venue,
        side=request.side,
        order_type=request.order_type,
        quantity=request.quantity.normalize(),
        filled=order.filled.normalize(),
        limit_price=price(request.limit_price),
        average_price=None if order.average_price is None else price(order.average_price),
        status=order.status,
        pending=order.pending,
        reason=order.reason,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        strategy=order.strategy,
        session_id=order.session_id,
        ticket_id=order.ticket_id,
        created_ns=order.created_ns,
        durable_ns=order.durable_ns,
        sent_ns=order.sent_ns,
        acked_ns=order.acked_ns,
        done_ns=order.done_ns,
        asked_ns=order.asked_ns,
        heard=clean(order.heard, 160),
    )


def session_row(
    session: PaperSession, status: str, message: str, path: str, times: tuple[int, int]
) -> SessionRow:
    """Return the row of one paper session; `times` are start and end in ns."""
    reasons = {
        "running": "active",
        "success": "completed",
        "failed": "exception",
        "aborted": "operator_abort",
    }
    return SessionRow(
        session_id=session.plan.session_id,
        status=status,
        status_reason=reasons[status],
        strategies=tuple(dict.fromkeys(strategy for _, strategy in session.plan.lanes)),
        symbols=tuple(symbol for symbol, _ in session.plan.lanes),
        feed=session.plan.feed_name,
        is_supervised=session.plan.is_supervised,
        started_ns=times[0],
        finished_ns=times[1],
        bars=session.counts.bars,
        decisions=session.counts.decisions,
        orders=session.counts.orders,
        fills=session.counts.fills,
        equity_usd=_cents(session.ledger.equity_usd),
        decision_sha256=session.kernel.decision_hash(),
        message=message,
        path=path,
        shadow="" if session.shadow is None else session.shadow.said,
        config_ids=session.plan.config_ids,
        environment=session.plan.environment,
        states=tuple(row.state for row in lane_rows(session)) if status == "running" else (),
    )


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))
