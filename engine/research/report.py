"""A run's report for people: report.md."""

from __future__ import annotations

from engine.research.schemas import RunReport, Scalar

AS_PERCENT = frozenset({"total_return", "max_drawdown", "win_rate", "volatility", "exposure"})


def run_markdown(report: RunReport) -> str:
    """Return report.md: outcome first, then configuration, identity and files."""
    header, config, proof = report.header, report.config_resolved, report.identity
    lines = [
        f"# Run {header.run_id}",
        "",
        f"{config.strategy} on {config.ticker} {config.interval}, {config.start} to {config.end}: "
        f"**{report.status}**, trust: **{report.trust}**",
        "",
        "| check | result | found |",
        "|---|---|---|",
        *(f"| {each.name} | {each.status} | {each.detail} |" for each in report.checks),
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {shown(name, value)} |" for name, value in report.results[0].items()),
        "",
        "## Configuration",
        "",
        f"- parameters: {', '.join(f'{k}={v:g}' for k, v in config.params.items()) or 'none'}",
        f"- cash {config.initial_cash:,.2f}, notional {config.notional_usd:,.2f} per entry",
        f"- fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps ({config.slippage_mode})",
        f"- reproduce: `{report.reproduce['command']}`",
        "",
        "## Identity",
        "",
        *(
            f"- {name}: `{getattr(proof, name)}`"
            for name in (
                "kernel_sha256",
                "strategy_sha256",
                "config_sha256",
                "data_sha256",
                "decision_sha256",
                "trades_sha256",
            )
        ),
        "",
        "## Files",
        "",
        *(f"- {each.file_name} ({each.size_bytes:,} bytes)" for each in report.artifacts),
        "",
    ]
    return "\n".join(lines)


def shown(name: str, value: Scalar) -> str:
    """Write a metric for people; a null is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value * 100:.2f} %" if name in AS_PERCENT else f"{value:,.4f}"
    return str(value)
