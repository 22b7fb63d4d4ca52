"""How a finished run reads on a terminal: what it gave, what its checks found, what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.cli import output
from engine.api.research import Scalar

PERCENT = ("total_return", "cagr", "max_drawdown", "volatility", "win_rate_trades", "exposure", "cost_share")
GAVE = (
    ("total_return", "cagr", "max_drawdown"),
    ("sharpe_simple", "sortino", "calmar"),
    ("trades", "win_rate_trades", "profit_factor"),
    ("expectancy_net", "fees_usd", "funding_usd"),
    ("exposure", "turnover", "deflated_sharpe"),
)
MADE_OF = (
    "trades_sha256",
    "decision_sha256",
    "data_sha256",
    "kernel_sha256",
    "strategy_sha256",
    "config_sha256",
)
CHECK_COLUMNS = ("name", "status", "points", "bars", "detail")


def run_text(result: Any) -> str:
    """Return a `RunResult` for people; every figure of it is in `--json`."""
    params = " ".join(f"{name}={output.cell(value)}" for name, value in result.params.items())
    head = [
        f"{result.run_id}  {result.status}, checks {result.trust}",
        f"{result.strategy} {params}".rstrip(),
        f"{result.bars:,} bars, {result.trades:,} trades ({result.wins:,} won), "
        f"equity {result.final_equity:,.2f}",
    ]
    hashes = [f"  {name:<16}  {getattr(result, name)}" for name in MADE_OF]
    checks = output.table(result.checks, CHECK_COLUMNS, "no checks")
    return "\n".join([*head, "", *_figures(result.metrics), "", checks, "", *hashes, "", _where(result.path)])


def _figures(metrics: Mapping[str, Scalar]) -> list[str]:
    """Lay the figures asked for first in three columns; a dash is a sample too small, or not measured."""
    lines = []
    for row in GAVE:
        cells = [f"{name:<16}{_said(name, metrics.get(name)):>12}" for name in row if name in metrics]
        if cells:
            lines.append("  " + "    ".join(cells))
    return lines


def _said(name: str, value: Scalar) -> str:
    if isinstance(value, str) or value is None:
        return value or "-"
    if name in PERCENT:
        return f"{value * 100:,.2f}%"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _where(path: str) -> str:
    return f"report  {path}/report.html"
