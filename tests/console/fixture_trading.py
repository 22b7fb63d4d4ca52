"""What is held, asked for and allowed that night: positions, orders, tickets, limits."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from engine.api import views as v
from engine.api.risk import SoftCapRow
from engine.api.ticket_views import PolicySnippet
from safety.reasons import REASONS
from safety.rules import RULES
from seams.clock import NS_PER_S
from tests.console.night import NOW_NS, OPERATOR, ago


def positions() -> v.PositionsView:
    table = (
        (
            "BTC-PERP",
            "sandbox",
            "short",
            "0.420",
            "64120.5",
            "64311.0",
            "-80.01",
            "12.40",
            210,
            False,
            "trend-channel",
            "65400.0",
        ),
        (
            "ETH-PERP",
            "sandbox",
            "long",
            "4.100",
            "3105.2",
            "3101.9",
            "-13.53",
            "-4.10",
            220,
            False,
            "trend-channel",
            "3010.0",
        ),
        (
            "SOL-PERP",
            "sandbox",
            "long",
            "55.000",
            "151.20",
            "150.84",
            "-19.80",
            "0",
            340,
            False,
            "mean-reversion",
            "146.00",
        ),
        (
            "XRP-PERP",
            "sandbox",
            "short",
            "3000.000",
            "0.5211",
            "0.5210",
            "0.30",
            "0",
            9_800,
            True,
            "mean-reversion",
            None,
        ),
    )
    rows = tuple(
        v.PositionRow(
            symbol=r[0],
            venue=r[1],
            side=r[2],
            quantity=D(r[3]),
            entry_price=D(r[4]),
            mark_price=D(r[5]),
            unrealised_usd=D(r[6]),
            realised_day_usd=D(r[7]),
            fees_usd=D("3.12"),
            age_ms=r[8],
            is_stale=r[9],
            strategy=r[10],
            session_id="S-00007",
            stop_price=D(r[11]) if r[11] else None,
        )
        for r in table
    )
    return v.PositionsView(seq=41, at_ns=NOW_NS, rows=rows)


def order(number: int, **changes: Any) -> v.OrderRow:
    at = ago(40 + number)
    fields: dict[str, Any] = {
        "order_id": f"O-{77121 - number}",
        "venue_order_id": f"V{9120 - number}",
        "symbol": "ETH-PERP",
        "venue": "sandbox",
        "side": "buy",
        "order_type": "limit",
        "quantity": D("1.200"),
        "filled": D("0"),
        "limit_price": D("3100.0"),
        "average_price": None,
        "status": "open",
        "pending": "none",
        "reason": "",
        "time_in_force": "gtc",
        "reduce_only": False,
        "strategy": "trend-channel",
        "session_id": "S-00007",
        "ticket_id": "",
        "created_ns": at,
        "durable_ns": at + 412_000,
        "sent_ns": at + 700_000,
        "acked_ns": at + 14_300_000,
        "done_ns": 0,
    }
    return v.OrderRow(**{**fields, **changes})


def orders() -> v.OrdersView:
    rows = (
        order(0, ticket_id="T-00409"),
        order(
            1,
            symbol="SOL-PERP",
            side="sell",
            quantity=D("20"),
            limit_price=D("152.10"),
            status="partial",
            filled=D("5"),
            average_price=D("152.10"),
            strategy="mean-reversion",
        ),
        order(
            2,
            symbol="BTC-PERP",
            side="buy",
            quantity=D("0.05"),
            limit_price=D("64000.0"),
            status="unknown",
            pending="submit",
            reason="no answer within 2 s",
            venue_order_id="",
            acked_ns=0,
        ),
        order(3, status="rejected", reason="MARGIN_INSUFFICIENT", venue_order_id="", done_ns=ago(42)),
        order(4, status="filled", filled=D("1.200"), average_price=D("3104.8"), done_ns=ago(41)),
        order(5, status="cancelled", side="sell", done_ns=ago(41)),
    )
    return v.OrdersView(seq=41, at_ns=NOW_NS, rows=rows)


def ticket(**changes: Any) -> v.TicketRow:
    checks = (
        ("kill_switch_active", "0", "", "", "ok", ""),
        ("price_collar_exceeded", "", "3.9", "50", "ok", ""),
        ("max_symbol_exposure_exceeded", "12715", "16435", "18000", "warn", ""),
        ("max_exposure_exceeded", "48200", "51920", "100000", "ok", ""),
        ("daily_loss_limit", "318", "545", "3000", "ok", ""),
        ("market_data_stale", "210", "", "2000", "ok", ""),
        ("duplicate_intent", "", "", "", "ok", ""),
        ("entry_rate_exceeded", "3", "4", "30", "ok", ""),
        ("spread_too_wide", "absent", "", "", "n/a", ""),
    )
    looks = (
        ("px vs proposal", "3100.6", "3101.2", "+1.9 bp", "ok", ""),
        ("px vs last look", "3100.9", "3101.2", "+1.0 bp", "ok", ""),
        ("position", "4.1", "5.3", "", "ok", ""),
        ("same in 60s", "1", "T-00409", "", "look", ""),
    )
    fields: dict[str, Any] = {
        "ticket_id": "T-00412",
        "version": 3,
        "ticket_hash": "9c1e55d0a7" + "f" * 54,
        "state": "proposed",
        "symbol": "ETH-PERP",
        "venue": "sandbox",
        "side": "buy",
        "quantity": D("1.200"),
        "order_type": "limit",
        "limit_price": D("3100.0"),
        "stop_loss": D("3010.0"),
        "time_in_force": "gtc",
        "reduce_only": False,
        "notional_usd": D("3720.00"),
        "mark_price": D("3100.6"),
        "mark_now": D("3101.2"),
        "strategy": "trend-channel",
        "session_id": "S-00007",
        "decision_id": "D-008812",
        "why": "close above the 55-bar channel; ATR stop",
        "category": "entry",
        "created_ns": ago(97),
        "expires_ns": NOW_NS + 21 * NS_PER_S,
        "reviewer": "",
        "worst": "warn",
        "policy": (
            PolicySnippet(
                source="house.md",
                title="Ether",
                text="ETH-PERP above 5 coins is signed by two persons, whatever the size.",
                sha256="5a" * 32,
            ),
            PolicySnippet(
                source="rule max_symbol_exposure_exceeded",
                title="worst-case exposure of the symbol",
                text="Reduce the position or cancel its resting orders.",
                sha256="6b" * 32,
            ),
        ),
        "reasons": (),
        "decided_by": "",
        "decided_ns": 0,
        "decision_text": "",
        "checks": tuple(
            v.CheckRow(name=n, now=now, after=a, limit=limit, result=r, reason=why)
            for n, now, a, limit, r, why in checks
        ),
        "looks": tuple(
            v.CheckRow(name=n, now=now, after=a, limit=limit, result=r, reason=why)
            for n, now, a, limit, r, why in looks
        ),
        "parent": "config 8812aa01c9e4",
    }
    return v.TicketRow(**{**fields, **changes})


def calm_checks() -> tuple[v.CheckRow, ...]:
    return tuple(c for c in ticket().checks if c.result == "ok")


REVIEWED = ticket(state="reviewing", reviewer=OPERATOR, worst="ok", checks=calm_checks())


def failed_checks() -> tuple[v.CheckRow, ...]:
    over = v.CheckRow(
        name="max_symbol_exposure_exceeded", now="12715", after="19435", limit="18000", result="fail",
        reason="max_symbol_exposure_exceeded",
    )  # fmt: skip
    return (over, *calm_checks())


def tickets(first: v.TicketRow | None = None, seq: int = 41) -> v.TicketsView:
    second = ticket(
        ticket_id="T-00413",
        ticket_hash="77aa" * 16,
        symbol="BTC-PERP",
        side="sell",
        quantity=D("0.100"),
        worst="ok",
        limit_price=D("64300"),
        notional_usd=D("6430"),
        expires_ns=NOW_NS + 115 * NS_PER_S,
        checks=calm_checks(),
        reasons=(),
    )
    decided = ticket(
        ticket_id="T-00409",
        ticket_hash="10ab" * 16,
        state="acked",
        worst="ok",
        decided_by=OPERATOR,
        decided_ns=ago(125),
        checks=calm_checks(),
        reasons=(),
    )
    return v.TicketsView(seq=seq, at_ns=NOW_NS, rows=(first or ticket(), second, decided))


def limit(code: str, state: str, used: float | None, now: str, bound: str, **changes: Any) -> v.LimitRow:
    reason, row = REASONS[code], next(rule for rule in RULES if rule.code == code)
    made = {
        "code": code, "level": row.level, "subject": "desk", "title": reason.title, "now": now,
        "limit": bound, "used": used, "state": state, "says": row.says, "controls": row.controls,
        "correction": reason.correction, "runbook": reason.runbook,
    }  # fmt: skip
    return v.LimitRow(**{**made, **changes})


def limits() -> v.LimitsView:
    rows = (
        limit("desk_daily_loss_limit", "breach", 1.0, "3120.4", "3000"),
        limit("reconcile_stale", "missing", None, "unknown", "30000"),
        limit("max_symbol_exposure_exceeded", "warn", 0.91, "36400", "40000", subject="BTC-PERP"),
        limit("max_exposure_exceeded", "ok", 0.482, "48200", "100000", subject="sandbox-1"),
        limit("drawdown_limit", "ok", 0.18, "0.009", "0.05", subject="sandbox-1"),
        limit("leverage_exceeded", "ok", 0.0964, "0.482", "5", subject="sandbox-1"),
        limit("missing_stop_loss", "ok", None, "63800", "", subject="BTC-PERP"),
        limit("signer_expiring", "n/a", None, "absent", "", subject="sandbox-1"),
    )
    waits = (v.PendingRaise(name="max_leverage", before="5.0", after="6.0", left_s=612.0),)
    tightened = SoftCapRow(
        name="max_order_notional_usd",
        before="25000",
        value="5000",
        operator="mara",
        reason="thin market",
        at_ns=ago(1_200),
    )
    return v.LimitsView(
        seq=41,
        at_ns=NOW_NS,
        limits_epoch=3,
        limits_hash="7c41aa90" * 8,
        rows=rows,
        pending=waits,
        soft=(tightened,),
    )
