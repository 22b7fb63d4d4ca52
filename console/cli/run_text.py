"""How a finished run reads on a terminal: what it gave, what its checks found, what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.cli import output
from engine.api.figures import in_order, written
from engine.api.research import Scalar

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
    checks = checks_text(result.checks)
    return "\n".join([*head, "", *_figures(result.metrics), "", checks, "", *hashes, "", _where(result.path)])


def _figures(metrics: Mapping[str, Scalar]) -> list[str]:
    """Lay the figures asked for first in three columns; a dash is a sample too small, or not measured."""
    lines = []
    for row in GAVE:
        cells = [f"{name:<16}{written(name, metrics.get(name)):>14}" for name in row if name in metrics]
        if cells:
            lines.append("  " + "    ".join(cells))
    return lines


def checks_text(checks: Any) -> str:
    """Return what each check found, a line each, nothing cut off."""
    lines = [[each.name, each.status, output.cell(each.detail, output.MAX_FACT)] for each in checks]
    return output.aligned([["check", "result", "found"], *lines], set()) if lines else "no checks"


def detail_text(detail: Any) -> str:
    """Return a `RunDetail` for people: all metrics in their order, why some are null, checks, files."""
    row = detail.row
    metrics = {name: detail.metrics[name] for name in in_order(detail.metrics)}
    width = max((len(name) for name in metrics), default=0)
    lines = []
    for name, value in metrics.items():
        why = detail.null_reasons.get(name, "") if value is None else ""
        lines.append(f"{name:<{width}}  {output.cell(value, name=name)}" + (f"  ({why})" if why else ""))
    head = f"{row.run_id}  {row.status}, checks {row.trust}\n{row.strategy} on {row.ticker} {row.interval}"
    config = output.facts(detail.config)
    files = f"{row.path}\n  {'  '.join(detail.artifacts)}"
    return "\n\n".join([head, "\n".join(lines), checks_text(detail.checks), config, files])


def _where(path: str) -> str:
    return f"report  {path}/report.html"
