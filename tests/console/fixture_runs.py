"""Runs, paper sessions and jobs of that night."""

from __future__ import annotations

import math
from decimal import Decimal as D

from engine.api.run_views import JobRow, RunCheck, RunDetail, RunRow, RunsView, SessionRow, TradeRow
from tests.console.night import NOW_NS, OPERATOR, ago


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
