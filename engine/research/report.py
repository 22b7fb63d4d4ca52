"""A run's report for people: report.md; report.html stands in `engine.research.page`."""

from __future__ import annotations

from collections.abc import Sequence

from engine.research.definitions import GROUPS, METRICS
from engine.research.page import IDENTITY, SPLITS
from engine.research.schemas import RunReport, Scalar
from engine.research.shown import ordered, shown, shown_values


def run_markdown(report: RunReport) -> str:
    """Return report.md: outcome first, then checks, baselines, tables, configuration, identity, files."""
    config, proof = report.config_resolved, report.identity
    lines = [
        f"# Run {report.header.run_id}",
        "",
        f"{config.strategy} on {config.ticker} {config.interval}, {config.start} to {config.end}: "
        f"**{report.status}**, trust: **{report.trust}**",
        "",
        "| check | result | found |",
        "|---|---|---|",
        *(f"| {each.name} | {each.status} | {each.detail} |" for each in report.checks),
        "",
        *_metrics(report),
        *_baselines(report),
        *_bootstrap(report),
        *_tables(report),
        "## Configuration",
        "",
        f"- parameters: {', '.join(f'{k}={v:g}' for k, v in config.params.items()) or 'none'}",
        f"- cash {config.initial_cash:,.2f}, notional {config.notional_usd:,.2f} per entry",
        f"- fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps ({config.slippage_mode})",
        *([f"- switched on: {shown_values(config.switches)}"] if config.switches else []),
        f"- reproduce: `{report.reproduce['command']}`",
        "",
        "## Identity",
        "",
        *(f"- {name}: `{getattr(proof, name)}`" for name in IDENTITY),
        "",
        "## Files",
        "",
        *(f"- {each.file_name} ({each.size_bytes:,} bytes)" for each in report.artifacts),
        "",
    ]
    return "\n".join(lines)


def _metrics(report: RunReport) -> list[str]:
    values, reasons = report.results[0], report.null_reasons
    lines = ["| metric | value | |", "|---|---|---|"]
    for group in GROUPS:
        for each in METRICS:
            if each.group == group and each.id in values:
                why = reasons.get(each.id, "").replace("_", " ")
                lines.append(f"| {each.id} | {shown(each.id, values[each.id])} | {why} |")
    return [*lines, ""]


def _baselines(report: RunReport) -> list[str]:
    lines = ["## Baselines", "", "| baseline | figure | value |", "|---|---|---|"]
    for each in report.baselines:
        names = ordered(each.values)
        lines += [f"| {each.name} | {name} | {shown(name, each.values[name])} |" for name in names]
    return [*lines, ""] if report.baselines else []


def _bootstrap(report: RunReport) -> list[str]:
    found = report.bootstrap
    if found is None:
        return []
    if found.reason:
        return ["## Bootstrap", "", f"none: {found.reason.replace('_', ' ')}", ""]
    lines = [
        "## Bootstrap",
        "",
        f"{found.method}: {found.resamples:,} resamples of {found.points:,} returns ({found.basis}) in "
        f"blocks of {found.block}, seed {found.seed}; chance of a loss "
        f"{shown('chance_of_loss', found.chance_of_loss)}",
        "",
        "| metric | value | 5 % | median | 95 % |",
        "|---|---|---|---|---|",
    ]
    for each in found.intervals:
        cells = (each.value, each.low, each.median, each.high)
        lines.append(f"| {each.metric} | {' | '.join(shown(each.metric, cell) for cell in cells)} |")
    return [*lines, ""]


def _tables(report: RunReport) -> list[str]:
    lines: list[str] = []
    for name, title in (("monthly", "Month"), *SPLITS):
        lines += _table(title, report.tables.get(name, ()))
    return lines


def _table(title: str, rows: Sequence[dict[str, Scalar]]) -> list[str]:
    if not rows:
        return []
    names = ordered(rows[0])
    return [
        f"## By {title.lower()}",
        "",
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(_cell(name, row[name]) for name in names)} |" for row in rows),
        "",
    ]


def _cell(name: str, value: Scalar) -> str:
    unit_name = {"return": "total_return", "month": "key"}.get(name, name)
    return shown(unit_name, value).replace("|", "\\|")
