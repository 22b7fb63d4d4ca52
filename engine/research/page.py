"""A run's report as one HTML file that needs nothing else: no scripts, no fonts, no links to elsewhere.

Everything in it comes from report.json and journal.h5, so that it can be made again from the artifacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.research import charts
from engine.research.definitions import GROUPS, METRICS
from engine.research.metrics import drawdown_curve
from engine.research.schemas import FAILED, PASSED, Interval, RunReport, Scalar
from engine.research.shown import ordered, shown, shown_values
from engine.research.style import CSS

Floats = NDArray[np.float64]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TILES = (
    "total_return", "cagr", "sharpe_daily", "max_drawdown", "trades", "win_rate", "profit_factor", "exposure",
)  # fmt: skip
IDENTITY = (
    "kernel_sha256", "strategy_sha256", "config_sha256", "data_sha256", "decision_sha256", "trades_sha256",
)  # fmt: skip
SPLITS = (
    ("per_side", "Side"),
    ("per_symbol", "Symbol"),
    ("per_strategy", "Strategy"),
    ("per_reason", "Reason of exit"),
    ("exposure", "Exposure"),
)
BADGE = {PASSED: "good", FAILED: "bad"}
POLICY = "default-src 'none';style-src 'unsafe-inline'"
FULL_TINT = 0.15
"""The monthly return, plus or minus, at which a cell of the heat map has its full colour."""


@dataclass(frozen=True)
class Recorded:
    """What the journal holds: times (ns) and equity (bars,), trades, and (trades, 2) excursions or None."""

    ts_ns: NDArray[np.int64]
    equity: Floats
    trades: NDArray[Any]
    excursions: Floats | None


def to_html(report: RunReport, record: Recorded) -> str:
    """Return report.html. Every text from outside is escaped."""
    values = report.results[0]
    parts = (
        _head(report),
        _tiles(values),
        _curves(report, record),
        _checks(report),
        _baselines(report),
        _months(report.tables.get("monthly", ())),
        _trades(record, report.config_resolved.initial_cash),
        *(_split(title, report.tables.get(name, ())) for name, title in SPLITS),
        _metrics(values, report.null_reasons),
        _evidence(report),
    )
    title = escape(f"{report.config_resolved.strategy} · {report.header.run_id}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{CSS}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def _head(report: RunReport) -> str:
    config = report.config_resolved
    trust = {PASSED: "checks passed", FAILED: "checks failed: do not trust"}.get(report.trust, "not checked")
    name = f"{config.strategy} on {config.ticker} {config.interval}"
    return (
        f"<h1>{escape(name)}</h1>"
        f'<p class="soft">{_day(config.start)} to {_day(config.end)} · {shown("bars", _bars(report))} bars · '
        f"run {escape(report.header.run_id)}</p>"
        f'<div class="badges"><span class="badge mild">{escape(report.status)}</span>'
        f'<span class="badge {BADGE.get(report.trust, "mild")}">{trust}</span></div>'
    )


def _bars(report: RunReport) -> Scalar:
    return report.results[0].get("bars")


def _tiles(values: dict[str, Scalar]) -> str:
    titles = {each.id: each.title for each in METRICS}
    names = [name if values.get(name) is not None else _instead(name) for name in TILES]
    cells = (
        f'<div class="tile"><b>{escape(shown(name, values.get(name)))}</b><span>{titles[name]}</span></div>'
        for name in names
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _instead(name: str) -> str:
    """Return what a tile shows where the window is too short for its first choice."""
    return {"cagr": "total_pnl", "sharpe_daily": "sharpe_simple"}.get(name, name)


def _curves(report: RunReport, record: Recorded) -> str:
    if len(record.equity) < 2:
        return ""
    start = report.config_resolved.initial_cash
    falls = drawdown_curve(record.equity, start)
    equity = charts.equity_chart(record.ts_ns, record.equity, start, "Equity over time")
    drawdown = charts.drawdown_chart(record.ts_ns, falls, "Drawdown over time")
    return (
        f"<h2>Equity and drawdown</h2><figure><figcaption>Equity at each bar's close; the dashed line is the "
        f"start</figcaption>{equity}</figure><figure><figcaption>Below the peak so far</figcaption>"
        f"{drawdown}</figure>"
    )


def _checks(report: RunReport) -> str:
    rows = "".join(
        f'<tr><td>{_words(each.name)}</td><td class="words {BADGE.get(each.status, "mild")}">'
        f'{_words(each.status)}</td><td class="words">{escape(each.detail)}</td></tr>'
        for each in report.checks
    )
    head = '<tr><th>check</th><th class="words">result</th><th class="words">what was found</th></tr>'
    return f"<h2>Checks</h2>{_table(head + rows)}"


def _baselines(report: RunReport) -> str:
    values = report.results[0]
    own = {**values, "sharpe": values.get("sharpe_daily") or values.get("sharpe_simple")}
    names = ("total_return", "total_pnl", "max_drawdown", "sharpe")
    rows = [("this run", "", own)]
    rows += [(each.name.replace("_", " "), each.what, each.values) for each in report.baselines]
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{shown(each, found.get(each))}</td>' for each in names)}"
        f'<td class="words soft">{escape(what)}</td></tr>'
        for name, what, found in rows
        if name != "random entries"
    )
    head = (
        "<tr><th></th><th>return</th><th>net result</th><th>largest drawdown</th><th>Sharpe</th>"
        '<th class="words">how</th></tr>'
    )
    title = "<h2>Against doing nothing, and against chance</h2>"
    return f"{title}{_table(head + body)}{_chance(report)}{_intervals(report)}"


def _chance(report: RunReport) -> str:
    found = next((each.values for each in report.baselines if each.name == "random_entries"), {})
    parts = [found.get(name) for name in
             ("random_pnl_low_05", "random_pnl_median", "random_pnl_high_95", "total_pnl")]  # fmt: skip
    if not all(isinstance(part, float) for part in parts):
        return '<p class="note">Random entries: no closed trades to compare.</p>'
    low, middle, high, own = (float(part or 0.0) for part in parts)
    picture = charts.whisker(low, middle, high, own, "Result among random entries")
    return (
        f"<p>The closed trades beat <b>{shown('percentile', found.get('percentile'))}</b> of "
        f"{shown('draws', found.get('draws'))} replays of the same trades at random times "
        f"(median {shown('total_pnl', middle)}, this run {shown('total_pnl', own)}).</p>{picture}"
    )


def _intervals(report: RunReport) -> str:
    found = report.bootstrap
    if found is None or found.reason:
        why = found.reason.replace("_", " ") if found else "not made"
        return f'<p class="note">No bootstrap intervals: {escape(why)}.</p>'
    head = '<tr><th></th><th>value</th><th>5 %</th><th>median</th><th>95 %</th><th class="words"></th></tr>'
    rows = "".join(_interval(each) for each in found.intervals)
    testing = report.multiple_testing
    deflated = testing.deflated_sharpe_all if testing else None
    tries = max(testing.trials_declared, testing.earlier_runs_on_data + 1) if testing else 1
    return (
        f'{_table(head + rows)}<p class="note">{escape(found.method)}: {found.resamples:,} resamples of '
        f"{found.points:,} returns ({escape(found.basis)}) in blocks of {found.block}, seed {found.seed}. "
        f"Chance of a loss {shown('chance_of_loss', found.chance_of_loss)}. With {tries:,} "
        f"{'try' if tries == 1 else 'tries'} on this data the deflated Sharpe ratio is "
        f"{shown('deflated_sharpe', deflated)}.</p>"
    )


def _interval(each: Interval) -> str:
    cells = (each.value, each.low, each.median, each.high)
    picture = charts.whisker(each.low, each.median, each.high, each.value, f"Interval of {each.metric}")
    return (
        f"<tr><td>{escape(each.metric.replace('_', ' '))}</td>"
        f"{''.join(f'<td>{shown(each.metric, cell)}</td>' for cell in cells)}"
        f'<td class="words">{picture}</td></tr>'
    )


def _months(rows: Sequence[dict[str, Scalar]]) -> str:
    returns = {
        str(row["month"]): float(row["return"]) for row in rows if isinstance(row["return"], int | float)
    }
    if not returns:
        return ""
    years = sorted({month[:4] for month in returns})
    lines = (
        f"<tr><th>{year}</th>"
        + "".join(_month(returns.get(f"{year}-{number:02d}")) for number in range(1, 13))
        + _month(_compound(value for month, value in returns.items() if month[:4] == year))
        + "</tr>"
        for year in years
    )
    head = f"<tr><th></th>{''.join(f'<th>{name}</th>' for name in MONTHS)}<th>Year</th></tr>"
    table = f'<table class="months">{head}{"".join(lines)}</table>'
    return f'<h2>Returns by month, %</h2><div class="scroll">{table}</div>'


def _compound(returns: Iterable[float]) -> float:
    return float(np.prod([1.0 + each for each in returns])) - 1.0


def _month(value: float | None) -> str:
    if value is None:
        return "<td></td>"
    depth = min(1.0, abs(value) / FULL_TINT) ** 0.6 * 55
    kind = "g" if value > 0 else "l"
    return f'<td class="{kind}" style="--a:{depth:.0f}">{value * 100:.2f}</td>'


def _trades(record: Recorded, start: float) -> str:
    trades = record.trades
    if len(trades) < 2:
        return ""
    pnl = np.ascontiguousarray(trades["pnl"])
    kept = charts.chosen(len(trades), pnl)
    some, wins = trades[kept], pnl[kept] > 0
    by_time = charts.results_by_time(
        some["exit_ts_ns"], pnl[kept], y_text=charts.compact, axis="net result of a trade",
        label="Result of each trade at its exit",
    )  # fmt: skip
    pictures = f"<figure><figcaption>Result by time of exit</figcaption>{by_time}</figure>"
    if record.excursions is not None:
        size = np.maximum(some["units"] * 1e-6 * some["entry_fill"], 1e-12)
        mae, mfe = (record.excursions[kept, column] / size for column in (0, 1))
        cloud = charts.scatter(
            mae, mfe, wins, text=_percent, axes=("worst open loss", "best open profit"),
            label="Adverse against favourable excursion",
        )  # fmt: skip
        caption = "<figcaption>How far each trade went against us, and for us</figcaption>"
        pictures += f"<figure>{caption}{cloud}</figure>"
    is_all = len(kept) == len(trades)
    number = "all" if is_all else f"{len(kept):,} (evenly spread, and the extremes) of"
    return (
        f'<h2>Trades</h2><div class="pair">{pictures}</div><p class="note">Drawn: {number} {len(trades):,} '
        'trades; dots beyond the 99th percentile sit on the rim. <span class="good">●</span> won '
        '<span class="bad">●</span> lost</p>'
    )


def _percent(value: float) -> str:
    return f"{value * 100:.3g} %"


def _split(title: str, rows: Sequence[dict[str, Scalar]]) -> str:
    if not rows:
        return ""
    names = ordered(rows[0])
    head = "".join(f"<th>{title if name == 'key' else _words(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(shown(name, row[name]))}</td>' for name in names)}</tr>" for row in rows
    )
    return f"<h2>By {title.lower()}</h2>{_table(f'<tr>{head}</tr>{body}')}"


def _metrics(values: dict[str, Scalar], reasons: dict[str, str]) -> str:
    parts = []
    for group in GROUPS:
        rows = "".join(
            f'<tr><td>{escape(each.title)}<br><code class="soft">{each.id}</code></td>'
            f"<td>{escape(shown(each.id, values.get(each.id)))}{_why(reasons.get(each.id))}</td>"
            f'<td class="words">{escape(each.formula)}<br>'
            f'<span class="note">{escape(each.source)}</span></td></tr>'
            for each in METRICS
            if each.group == group
        )
        head = '<tr><th>metric</th><th>value</th><th class="words">definition</th></tr>'
        is_open = " open" if group == "returns" else ""
        summary = f"<summary>{group.capitalize()}</summary>"
        parts.append(f"<details{is_open}>{summary}{_table(head + rows)}</details>")
    return f"<h2>Every metric, with its definition</h2>{''.join(parts)}"


def _why(reason: str | None) -> str:
    return f'<br><span class="note">{escape(reason.replace("_", " "))}</span>' if reason else ""


def _evidence(report: RunReport) -> str:
    config, proof = report.config_resolved, report.identity
    facts = {
        "parameters": ", ".join(f"{name}={value:g}" for name, value in config.params.items()) or "none",
        "account": f"{config.initial_cash:,.2f} cash, {config.notional_usd:,.2f} per entry",
        "costs": f"fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps ({config.slippage_mode})",
        **({"switched on": shown_values(config.switches)} if config.switches else {}),
        "data": f"{config.data} ({config.start} to {config.end})",
        "made": f"{report.header.created_at}, commit {report.header.git_commit}",
    }
    facts |= {name: getattr(proof, name) for name in IDENTITY}
    lines = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(text)}</code></dd>" for name, text in facts.items()
    )
    return (
        f"<h2>Configuration and identity</h2><dl>{lines}</dl><h2>Make it again</h2>"
        f"<pre><code>{escape(report.reproduce['command'])}</code></pre>"
    )


def _table(rows: str) -> str:
    return f'<div class="scroll"><table>{rows}</table></div>'


def _words(name: str) -> str:
    return escape(name.replace("_", " "))


def _day(iso: str) -> str:
    return escape(iso[:10])
