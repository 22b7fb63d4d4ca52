"""A desk in the middle of a working night, on a clock that stands still."""

from __future__ import annotations

import math
from decimal import Decimal as D
from typing import Any

import msgspec

from console.tui.app import InterlockApp
from console.tui.gateway import CONSOLE, FixtureGateway, Gateway, reply_with
from console.tui.theme import Look
from engine.api import reconcile as r
from engine.api import views as v
from engine.api.commands import Kill, KillArm, KillArmed, KillDone
from engine.api.drills import DrillFigure, DrillList, DrillRow, DrillRun, Drills
from engine.api.incidents import (
    Incident,
    IncidentDetail,
    IncidentList,
    IncidentNote,
    Incidents,
    IncidentShow,
)
from engine.api.lab import RunShow
from engine.api.reconcile import Act
from engine.api.risk import SoftCapRow
from engine.api.run_views import JobRow, RunCheck, RunDetail, RunRow, RunsView, SessionRow, TradeRow
from engine.api.ticket_views import LeaseRow, PairRow, PolicySnippet
from safety.reasons import REASONS
from safety.rules import RULES
from seams.clock import NS_PER_S, FixedClock
from tests.console import research_fixture as research

NOW_NS = 1_795_230_847 * NS_PER_S  # 2026-11-21T03:14:07Z
OPERATOR = "mara"


def ago(seconds: float) -> int:
    return NOW_NS - round(seconds * NS_PER_S)


HEALTH = (
    v.PartHealth(part="market data", state="ok", age_ms=210, detail="sandbox, 6 symbols"),
    v.PartHealth(part="trading", state="ok", age_ms=180, detail="1 session, 2 strategies"),
    v.PartHealth(part="ledger", state="ok", age_ms=420, detail="last write 0.4 ms"),
    v.PartHealth(part="bus", state="ok", age_ms=90, detail="2 consoles"),
    v.PartHealth(part="hyperliquid", state="slow", age_ms=2_400, detail="REST 840 ms, websocket up"),
    v.PartHealth(part="kraken", state="off", age_ms=0, detail="not configured"),
)

FEEDS = (
    *HEALTH,
    v.PartHealth(part="feed", state="ok", age_ms=180, detail="all symbols fresh"),
    v.PartHealth(part="feed hyperliquid", state="stale", age_ms=240, detail="stale: SOL-PERP"),
    v.PartHealth(part="feed kraken", state="lost", age_ms=61_000, detail="own streams are used"),
)
"""Health with two feed processes: one that lags with a symbol, one that is gone."""


LEASE = LeaseRow(operator=OPERATOR, console=CONSOLE, since_ns=ago(300), until_ns=NOW_NS + 42 * NS_PER_S)
PAIR = PairRow(
    pair_id="P-7-0003", kind="resume", subject="K-0007 by ops2: feed lost", pair_hash="5d" * 32,
    signed_by=("ops2",), reason="feed is back", expires_ns=NOW_NS + 190 * NS_PER_S,
)  # fmt: skip
OTHERS = LeaseRow(operator="ops2", console="W-9", since_ns=ago(60), until_ns=NOW_NS + 31 * NS_PER_S)


def status(**changes: Any) -> v.StatusView:
    fields: dict[str, Any] = {
        "seq": 41,
        "at_ns": NOW_NS,
        "epoch": 7,
        "lease": LEASE,
        "mode": "paper",
        "environment": "sandbox",
        "account": "paper-1",
        "engine_version": "0.1.0",
        "level": "clear",
        "kill_level": "clear",
        "kill_id": "",
        "killed_by": "",
        "killed_at_ns": 0,
        "holds": (),
        "feed_state": "ok",
        "feed_age_ms": 210,
        "venues_up": 2,
        "venues_total": 2,
        "sessions_active": 1,
        "tickets_open": 2,
        "ticket_next_expiry_ns": NOW_NS + 21 * NS_PER_S,
        "orders_working": 3,
        "orders_unknown": 0,
        "alarms_unacked": 2,
        "kernel_sha256": "5c1d" * 16,
        "health": HEALTH,
    }
    return v.StatusView(**{**fields, **changes})


HALT_HOLDS = (
    v.HoldRow(
        code="kill",
        level="halt",
        since_ns=ago(372),
        source="operator",
        evidence="kill by mara, id K-00007",
        clear_rule="a named operator with a reason",
        runbook="kill-and-resume.md#kill-latched",
    ),
    v.HoldRow(
        code="ambiguity:BTC-PERP",
        level="close_only",
        since_ns=ago(380),
        source="hyperliquid",
        evidence="order O-77119: no proof of its end after 380 s",
        clear_rule="proof from the venue, or a named operator's booked adjustment",
        runbook="ambiguous-order.md#order-unknown",
    ),
)


MORE_HOLDS = (
    *HALT_HOLDS,
    v.HoldRow(
        code="ambiguity:account",
        level="close_only",
        since_ns=ago(95),
        source="sandbox-exchange",
        evidence="HAND-7: filled buy 0.8 BTC-PERP, 0.8 done @ 64311, fee 23.15",
        clear_rule="proof from the venue, or a named operator's booked adjustment",
        runbook="reconciliation.md#reconciliation-difference",
    ),
    v.HoldRow(
        code="stale_data:XRP-PERP",
        level="close_only",
        since_ns=ago(12),
        source="feed",
        evidence="no quote for 12.1 s, bound 5 s",
        clear_rule="enough good samples in a row",
        runbook="stale-feed.md#market-data-stale",
    ),
)


def _acts(*pairs: tuple[Act, str]) -> tuple[r.ActRow, ...]:
    return tuple(r.ActRow(act=act, effect=effect) for act, effect in pairs)


def reconcile() -> r.ReconcileView:
    account = "sandbox-exchange:sandbox-acct-1"
    shared: dict[str, Any] = {"account": account, "local": "unknown", "difference": "not ours"}
    rows = (
        r.DifferenceRow(
            **shared, key="foreign:HAND-7", kind="foreign", subject="HAND-7", symbol="BTC-PERP",
            venue="filled buy 0.8 BTC-PERP, 0.8 done @ 64311, fee 23.15", state="standing",
            seen="9c1e44d07a0b1f22", since_ns=ago(95),
            proposed="adopt: book it as a manual_ intent with 2 execution(s), 0.8 BTC-PERP",
            acts=_acts(
                (Act.ADOPT, "book it as a manual_ intent with 2 execution(s), 0.8 BTC-PERP"),
                (Act.ATTRIBUTE, "book it as a manual_ intent, counted to a session that you name"),
                (Act.FLATTEN, "book it as a manual_ intent, then close that much reduce-only"),
                (Act.IGNORE, "not ours: quiet while it stays exactly so, for a day"),
            ),
        ),
        r.DifferenceRow(
            account=account, key="position:BTC-PERP", kind="position", subject="BTC-PERP", symbol="BTC-PERP",
            local="-0.42", venue="0.38", difference="+0.8", state="settling", seen="77aa01bc23de45f0",
            since_ns=ago(95), proposed="", acts=(),
            blocked_by="decide about the foreign orders of this symbol first",
        ),
        r.DifferenceRow(
            account=account, key="cash:USD", kind="cash", subject="USD", symbol="", local="102345.11",
            venue="102321.96", difference="-23.15", state="settling", seen="0b0b61aa93ffee01",
            since_ns=ago(95), proposed="", acts=(),
            blocked_by="decide about foreign orders and positions first",
        ),
        r.DifferenceRow(
            **shared, key="foreign:TREASURY-2", kind="foreign", subject="TREASURY-2", symbol="ETH-PERP",
            venue="open sell 5 ETH-PERP", state="ignored", seen="5d5d9e9e12123434", since_ns=ago(7_200),
            proposed="", acts=(),
        ),
    )  # fmt: skip
    decided = (
        r.DecidedRow(
            at_ns=ago(7_100), operator="ops2", act=Act.IGNORE, key="foreign:TREASURY-2",
            seen="5d5d9e9e12123434", local="unknown", venue="open sell 5 ETH-PERP",
            did="known and not ours, while it stays exactly so, for 24 h at most",
            reason="the treasurer's hedge, until Monday", until_ns=ago(-79_300),
        ),
        r.DecidedRow(
            at_ns=ago(90_000), operator="mara", act=Act.ADOPT, key="cash:USD", seen="1234123412341234",
            local="97345.11", venue="102345.11", did="booked +5000.00 USD", reason="deposit of 20 November",
        ),
    )  # fmt: skip
    row = r.AccountRow(
        account="sandbox-acct-1", venue="sandbox-exchange", verdict="ambiguous", agreed_ns=ago(96),
        heard_ns=ago(0.4), standing=3, ignored=1,
    )  # fmt: skip
    return r.ReconcileView(seq=41, at_ns=NOW_NS, accounts=(row,), rows=rows, decided=decided)


def overview() -> v.OverviewView:
    equity = tuple(
        v.EquityPoint(
            at_ns=ago((95 - i) * 900),
            equity_usd=102_300 + 420 * math.sin(i / 9) + 160 * math.sin(i / 2.3) + i * 3.1,
        )
        for i in range(96)
    )
    rows = (
        ("drawdown", "drawdown", 0.9, 3.0, "%", "ok"),
        ("gross_exposure", "gross exposure", 48_200.0, 100_000.0, "USD", "ok"),
        ("net_exposure", "net exposure", -12_400.0, 50_000.0, "USD", "ok"),
        ("leverage", "leverage", 0.47, 2.0, "x", "ok"),
        ("day_loss", "day loss", 318.4, 3_000.0, "USD", "ok"),
        ("order_rate", "orders per min", 3.0, 20.0, "", "ok"),
        ("rejects", "rejects per 5 min", 14.0, 20.0, "", "warn"),
        ("open_orders", "open orders", 3.0, 40.0, "", "ok"),
        ("margin", "margin used", None, 70.0, "%", "missing"),
    )
    limits = tuple(
        v.LimitBar(code=c, label=label, value=value, limit=limit, unit=unit, state=state)
        for c, label, value, limit, unit, state in rows
    )
    return v.OverviewView(
        seq=41,
        at_ns=NOW_NS,
        equity_usd=D("102345.11"),
        day_pnl_usd=D("-318.40"),
        drawdown=0.009,
        gross_usd=D("48200"),
        net_usd=D("-12400"),
        leverage=0.47,
        working_orders=3,
        rejects_5m=14,
        fills_5m=22,
        decisions=1_204,
        bars=9_632,
        limits=limits,
        equity=equity,
        promotion=(
            v.PromotionRow(
                strategy="trend-channel",
                stage="paper",
                blockers=("11 of 30 paper days", "no drill this month"),
            ),
            v.PromotionRow(strategy="mean-reversion", stage="research", blockers=("no paper session yet",)),
            v.PromotionRow(strategy="carry", stage="paper", blockers=()),
        ),
    )


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


def alarms() -> v.AlarmsView:
    table = (
        (
            1,
            "UNACK",
            9,
            "venue.sandbox",
            "order-reject rate 42% (limit 5%)",
            14,
            "",
            True,
            "REJECT_STORM",
            "rejected-orders.md#order-rejected",
        ),
        (
            2,
            "UNACK",
            26,
            "risk.rate",
            "order-rate limiter engaged",
            1,
            "",
            False,
            "ORDER_RATE",
            "rejected-orders.md#order-rejected",
        ),
        (
            2,
            "RTN-UN",
            177,
            "md.XRP-PERP",
            "quote stale 9.8 s (cleared)",
            3,
            "",
            False,
            "FEED_STALE",
            "stale-feed.md#feed-stale",
        ),
        (
            2,
            "ACKED",
            967,
            "run.mean-reversion",
            "paper drifts from backtest by 2.1 sigma",
            1,
            OPERATOR,
            False,
            "DRIFT",
            "",
        ),
        (3, "ACKED", 7_900, "host.disk", "disk 81% full (limit 80%)", 1, "ops2", False, "DISK", ""),
        (
            3,
            "SHELVED",
            9_000,
            "md.kraken",
            "reconnects > 3/h (maintenance)",
            9,
            OPERATOR,
            False,
            "RECONNECTS",
            "",
        ),
    )
    rows = tuple(
        v.AlarmRow(
            alarm_id=f"A-{i}",
            code=r[8],
            priority=r[0],
            state=r[1],
            since_ns=ago(r[2]),
            source=r[3],
            subject="session S-00007",
            message=r[4],
            count=r[5],
            acked_by=r[6],
            is_first_out=r[7],
            runbook=r[9],
            consequence="strategies quote one side only; inventory risk grows",
            respond_within="1 min",
            first_action="look at the reject reason on screen 4, then check margin",
        )
        for i, r in enumerate(table)
    )
    return v.AlarmsView(seq=41, at_ns=NOW_NS, rate_10min=4, suppressed=4, rows=rows)


def run_row(i: int = 0) -> RunRow:
    return RunRow(
        run_id=f"R-20261120-{i:04d}",
        mode=("run", "run", "run", "sweep")[i % 4],
        strategy=("trend-channel", "mean-reversion")[i % 2],
        ticker="BTC-PERP",
        interval="15m",
        created_at="2026-11-20T22:10:00Z",
        status=("success", "no_trades", "success", "success")[i % 4],
        sharpe_simple=(1.42, None, -0.31, 0.77)[i % 4],
        total_return=(0.083, 0.0, -0.012, 0.031)[i % 4],
        max_drawdown=(0.041, 0.0, 0.066, 0.052)[i % 4],
        trades=(118, 0, 96, 41)[i % 4],
        trust=("passed", "passed", "failed", "not_checked")[i % 4],
        data_sha256="ab12cd34" * 8,
        config_hash="99fe01aa" * 8,
        decision_sha256="4417bc02" * 8,
        path=f"outputs/runs/R-20261120-{i:04d}",
    )


def runs() -> RunsView:
    sessions = (
        ("S-00007", "running", "", ("trend-channel", "mean-reversion"), "sandbox", True, 0, "102345.11"),
        (
            "S-00006",
            "success",
            "",
            ("trend-channel",),
            "replay:kraken/BTC-PERP/15m",
            False,
            ago(40_000),
            "101880.20",
        ),
        ("S-00005", "aborted", "operator_abort", ("carry",), "sandbox", False, ago(90_000), "99871.02"),
    )
    rows = tuple(
        SessionRow(
            session_id=s[0],
            status=s[1],
            status_reason=s[2],
            strategies=s[3],
            symbols=("BTC-PERP", "ETH-PERP"),
            feed=s[4],
            is_supervised=s[5],
            started_ns=ago(100_000),
            finished_ns=s[6],
            bars=9_632,
            decisions=1_204,
            orders=96,
            fills=88,
            equity_usd=D(s[7]),
            decision_sha256="4417bc02" * 8,
            message="",
            path=f"outputs/paper_sessions/{s[0]}",
        )
        for s in sessions
    )
    jobs = (
        JobRow(
            job_id="J-7-0004", kind="sweep", what="trend-channel on kraken/BTC-PERP/15m",
            operator=OPERATOR, state="running", started_ns=ago(31), done=1_240, total=4_000, unit="trials",
            rate_per_s=40.0, left_s=69.0,
        ),
    )  # fmt: skip
    return RunsView(seq=41, at_ns=NOW_NS, runs=tuple(run_row(i) for i in range(6)), sessions=rows, jobs=jobs)


def run_detail() -> RunDetail:
    equity = tuple(100_000 + 45 * i + 900 * math.sin(i / 14) + 300 * math.sin(i / 3.1) for i in range(200))
    peak, falls = equity[0], []
    for value in equity:
        peak = max(peak, value)
        falls.append((peak - value) / peak)
    trades = tuple(
        TradeRow(
            entry_at=f"2026-10-{i + 1:02d}T04:15:00Z",
            exit_at=f"2026-10-{i + 1:02d}T19:30:00Z",
            side=("long", "short")[i % 2],
            quantity=0.12,
            entry_price=64_120.5 + 11 * i,
            exit_price=64_311.0 + 17 * i,
            pnl_usd=(-1) ** i * 22.86,
            reason=("stop", "channel exit")[i % 2],
        )
        for i in range(14)
    )
    metrics: dict[str, float | int | str | None] = {
        "total_return": 0.083,
        "sharpe_simple": 1.42,
        "max_drawdown": 0.041,
        "trades": 118,
        "win_rate": 0.44,
        "fees_usd": 412.6,
        "turnover": 31.4,
        "exposure": 0.37,
        "sortino": None,
    }
    return RunDetail(
        row=run_row(),
        metrics=metrics,
        config={"channel_bars": "55", "atr_stop": "2.5"},
        curve_ns=tuple(ago((200 - i) * 14_400) for i in range(200)),
        equity=equity,
        drawdown=tuple(falls),
        trades=trades,
        artifacts=("config.yaml", "metrics.json", "equity.parquet", "trades.csv", "report.md"),
        report_markdown="# Run",
        null_reasons={"sortino": "drawdown_too_small"},
        checks=(
            RunCheck(
                name="look_ahead",
                status="passed",
                detail="3 prefixes and a mirrored future within the first 9,600 of 9,600 bars",
            ),
            RunCheck(name="warm_up", status="not_checked", detail="no decision could be compared"),
        ),
        baselines={
            "cash": {"total_return": 0.0},
            "buy_and_hold": {"total_return": 0.125},
            "random_entries": {"percentile": 0.94},
        },
    )


def events() -> v.EventsView:
    table = (
        (9, "venue", "sandbox", 'reject O-77118 "[51008] insufficient margin"'),
        (26, "risk", "eng", "order-rate limiter engaged (soft)"),
        (125, "ticket", OPERATOR, "approved T-00409 -> filled 1.2 ETH-PERP 3,104.8"),
        (203, "ticket", "ops2", 'rejected T-00405 "thin book"'),
        (340, "session", "eng", "S-00007 bar 9,600: equity 102,301.40"),
        (511, "alarm", OPERATOR, "acknowledged drift of mean-reversion"),
        (900, "feed", "eng", "XRP-PERP quotes resumed after 9.8 s"),
    )
    rows = tuple(
        v.EventRow(seq=900 - i, at_ns=ago(s), kind=kind, actor=actor, text=said)
        for i, (s, kind, actor, said) in enumerate(table)
    )
    return v.EventsView(seq=41, at_ns=NOW_NS, rows=rows)


def system() -> v.SystemView:
    facts = (
        ("engine", "version", "0.1.0"),
        ("engine", "epoch", "7"),
        ("engine", "pid", "4121"),
        ("engine", "up", "3.2 h"),
        ("kernel", "sha256", "5c1d5c1d5c1d5c1d"),
        ("kernel", "built", "cython 3.3"),
        ("store", "database", "db/paper.db"),
        ("store", "write p99", "1.8 ms"),
        ("store", "audit head", "e11f0a"),
        ("clock", "offset", "+0.3 ms"),
        ("clock", "checked", "12 s ago"),
    )
    return v.SystemView(seq=41, at_ns=NOW_NS, health=HEALTH, facts=facts)


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


def desk_views(**replace: Any) -> list[v.View]:
    """Every view of the night; replace any by name."""
    made: dict[str, v.View] = {
        "status": status(),
        "overview": overview(),
        "positions": positions(),
        "orders": orders(),
        "tickets": tickets(),
        "alarms": alarms(),
        "runs": runs(),
        "events": events(),
        "system": system(),
        "limits": limits(),
        "reconcile": reconcile(),
    }
    return list({**made, **replace}.values())


def incidents() -> tuple[Incident, ...]:
    """One that nobody explained, one noted, one closed."""
    base = Incident(
        incident_id="I-20261121T030755Z-412",
        opened_at="2026-11-21T03:07:55.020Z",
        opened_ns=ago(372),
        epoch=7,
        level="halt",
        kill_level="halt_all",
        cause="kill",
        by="mara",
        reason="quotes looked frozen on two venues",
        audit_from=1,
        audit_to=412,
        audit_head="9c1e" * 16,
        views=("status", "positions"),
    )
    noted = IncidentNote(at="2026-11-20T10:02:00.000Z", by="ops2", kind="note", text="its lists lagged")
    closed = IncidentNote(at="2026-11-20T11:30:00.000Z", by="mara", kind="close", text="lag bound is 4 s now")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {
            "incident_id": "I-20261120T095810Z-377",
            "opened_ns": ago(62_000),
            "opener": "ambiguity",
            "cause": "ambiguity",
            "by": "sandbox-exchange",
            "reason": "position BTC-PERP: ours 0.4, venue 0.5",
            "status": "closed",
            "notes": (noted, closed),
        },
        {
            "incident_id": "I-20261119T181201Z-290",
            "opened_ns": ago(119_000),
            "opener": "dead_man",
            "by": "watchdog",
            "reason": "no progress for 5.0 s",
            "status": "noted",
            "notes": (noted,),
        },
    )
    return tuple(msgspec.structs.replace(base, **each) for each in changes)  # type: ignore[type-var]


def drills() -> Drills:
    """One that counts, one that missed a goal, one never made; the second is under way again."""

    def figures(*rows: tuple[str, float, float]) -> tuple[DrillFigure, ...]:
        return tuple(
            DrillFigure(name=name, value=value, at_most=most, is_met=0 <= value <= most)
            for name, value, most in rows
        )

    base = DrillRow(
        kind="kill",
        problem="failed",
        began_ns=ago(7_200),
        days_left=0.0,
        operator="mara",
        reason="monthly",
        is_signed=True,
        said="",
        figures=figures(
            ("blocked_ms", 31.2, 50),
            ("first_cancel_ms", 142.0, 100),
            ("verified_ms", 480.0, 5_000),
            ("orders_after_block", 0, 0),
        ),
        file="20261121T011407_000Z_kill.json",
    )
    dead: dict[str, Any] = {
        "kind": "dead-man",
        "problem": "",
        "days_left": 27.9,
        "figures": figures(("close_only_ms", 4_970, 6_000), ("verified_ms", 10_170, 15_000)),
    }
    never: dict[str, Any] = {"kind": "flatten", "problem": "absent", "began_ns": 0, "figures": (), "file": ""}
    run = DrillRun(
        kind="kill",
        operator="mara",
        began_ns=ago(42),
        said="a session trades; waiting for its orders",
        exit_code=-1,
    )
    rows = (base, *(msgspec.structs.replace(base, **each) for each in (dead, never)))  # type: ignore[type-var]
    return Drills(at_ns=NOW_NS, rows=rows, run=run)


def incident_detail(asked: IncidentShow) -> IncidentDetail:
    told = (
        (412, "venue", "sandbox", 'reject O-77118 "[51008] insufficient margin"'),
        (380, "alarm", "eng", "order_rejected BTC-PERP: insufficient margin"),
        (372, "kill", "mara", "halt_all latched: quotes looked frozen on two venues"),
        (371, "incident_opened", "eng", "I-20261121T030755Z-412: halt kill"),
        (371, "cancelled", "eng", "O-77121 cancelled"),
        (300, "alarm_ack", "ops2", "kill_latched desk"),
    )
    rows = tuple(
        v.EventRow(seq=n, at_ns=ago(seconds), kind=kind, actor=actor, text=said)
        for n, (seconds, kind, actor, said) in enumerate(told)
    )
    incident = next(row for row in incidents() if row.incident_id == asked.incident_id)
    return IncidentDetail(incident=incident, timeline=rows)


def gateway(**replace: Any) -> FixtureGateway:
    armed = KillArmed(
        nonce="n1", sessions=1, working_orders=3, positions=4, net_usd=D("-12400"), gross_usd=D("48200")
    )
    done = KillDone(
        kill_id="K-00007",
        level="halt_all",
        latched_at_ns=NOW_NS,
        latch_ms=0.4,
        cancels_sent=3,
        cancels_confirmed=3,
        positions_kept=4,
    )
    return FixtureGateway(
        desk_views(**replace),
        replies={KillArm: reply_with(armed), Kill: reply_with(done)},
        results={
            RunShow: run_detail(),
            IncidentList: Incidents(rows=incidents()),
            IncidentShow: incident_detail,
            DrillList: drills(),
            **research.ANSWERS,
        },
    )


def make_app(given: Gateway | None = None, **options: Any) -> InterlockApp:
    return InterlockApp(
        given or gateway(),
        options.pop("clock", FixedClock(NOW_NS)),
        OPERATOR,
        look=Look(options.pop("is_utf8", True)),
        terminal="xterm-256color",
        **options,
    )
