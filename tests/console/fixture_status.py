"""How the desk itself is that night: its state, holds, parts, differences and figures."""

from __future__ import annotations

import math
from decimal import Decimal as D
from typing import Any

from engine.api import reconcile as r
from engine.api import views as v
from engine.api.reconcile import Act
from engine.api.ticket_views import LeaseRow, PairRow
from seams.clock import NS_PER_S
from tests.console.fixture_gateway import CONSOLE
from tests.console.night import NOW_NS, OPERATOR, ago

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
