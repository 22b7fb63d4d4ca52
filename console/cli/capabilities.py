"""What this build can do, told from the code itself: a capability exists when its module is there."""

from __future__ import annotations

import importlib.util

CAPABILITIES: tuple[tuple[str, str], ...] = (
    ("compiled decision kernel", "native.kernel"),
    ("compiled indicators", "native.indicators"),
    ("simulated matching with fees and slippage", "native.matching"),
    ("parameter sweep kernel", "native.sweep"),
    ("interlock holds", "safety.interlock"),
    ("kill switch that needs no engine", "safety.killswitch"),
    ("preflight rules", "safety.preflight"),
    ("approval tickets", "safety.approval"),
    ("hash-chained audit log", "safety.audit"),
    ("signed strategy seals", "safety.seal"),
    ("promotion gates", "safety.gates"),
    ("bar import, catalogue and coverage", "engine.market.catalogue"),
    ("market data hub with staleness", "engine.market.hub"),
    ("L2 and L3 books with queue models", "native.quoting"),
    ("recorded depth of five sources", "engine.market.depth.replay"),
    ("sandbox market and exchange", "venues.sandbox"),
    ("replay feed", "venues.replay"),
    ("research runs with evidence", "engine.api.research"),
    ("look-ahead and warm-up checks on every run", "engine.research.checks"),
    ("reports in one HTML file, made again from artifacts", "engine.research.page"),
    ("replay parity and release blockers", "engine.lifecycle.parity.replay"),
    ("robustness and validation bundles", "engine.research.validation"),
    ("HDF5 journal", "engine.journal"),
    ("order and session database", "engine.store"),
    ("engine daemon on NATS", "engine.daemon"),
    ("paper sessions", "engine.trading.session"),
    ("walk-forward research", "engine.research.walk_forward"),
    ("forward sessions that resume", "engine.research.forward"),
    ("portfolios over forward sessions", "engine.research.forward_portfolio"),
    ("crucible runs of one version at a time", "engine.api.crucible"),
    ("strategy forge to native code", "engine.lifecycle.forge"),
    ("Hyperliquid adapter", "venues.hyperliquid.adapter"),
    ("Kraken spot adapter", "venues.kraken"),
    ("adapters proved by one suite, or not selectable", "venues.conformance"),
    ("full-screen console", "console.tui.app"),
    ("command line", "console.cli.app"),
)


def rows() -> list[dict[str, object]]:
    """Return each capability with its state (implemented or planned) and its module."""
    return [
        {"capability": name, "state": "implemented" if exists(module) else "planned", "where": module}
        for name, module in CAPABILITIES
    ]


def exists(module: str) -> bool:
    """Tell whether a module with code in it can be found, without running it."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None


def to_markdown() -> str:
    """Return the status table of the README."""
    lines = ["| capability | state | where |", "|---|---|---|"]
    lines += [f"| {row['capability']} | {row['state']} | `{row['where']}` |" for row in rows()]
    return "\n".join(lines) + "\n"
