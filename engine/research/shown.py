"""Numbers as people read them: percent, money, durations; a null is a dash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.research.definitions import BY_ID
from engine.research.schemas import Scalar

UNITS = {
    "sharpe": "ratio",
    "percentile": "fraction",
    "draws": "count",
    "chance_of_loss": "fraction",
    "pnl_usd": "usd",
    "peak_usd": "usd",
    "mean_usd": "usd",
    "peak_share": "fraction",
    "time_share": "fraction",
    "most_positions": "count",
    "share_of_pnl": "fraction",
    "random_pnl_mean": "usd",
    "random_pnl_low_05": "usd",
    "random_pnl_median": "usd",
    "random_pnl_high_95": "usd",
    "in_pnl": "usd",
    "out_pnl": "usd",
    "fees": "usd",
    "initial_usd": "usd",
    "final_usd": "usd",
    "equity_usd": "usd",
    "score_v1": "usd",
    "total_trades": "count",
    "out_trades": "count",
    "test_trades": "count",
    "in_sharpe": "ratio",
    "out_sharpe": "ratio",
    "train_sharpe": "ratio",
    "test_sharpe": "ratio",
    "decay": "ratio",
    "sharpe_change": "ratio",
    "oos_return": "fraction",
    "oos_max_drawdown": "fraction",
    "median_oos_daily_return": "fraction",
    "positive_splits": "fraction",
    "test_return": "fraction",
    "weight": "fraction",
    "share_profitable": "fraction",
    "share_of_best_month": "fraction",
    "largest_symbol_share": "fraction",
    "max_drawdown_median": "fraction",
    "max_drawdown_high_95": "fraction",
    "pnl_low_05": "usd",
    "pnl_median": "usd",
    "pnl_high_95": "usd",
    "pnl_at_20_bps": "usd",
    "pnl_costs_doubled": "usd",
    "pnl_without_best": "usd",
    "worst_pnl": "usd",
    "value_per_day": "usd",
    "notional_usd": "usd",
    "confidence": "ratio",
    "avg_confidence": "ratio",
    "median_pnl": "usd",
}
"""Units of what stands beside the metrics: baselines, tables, sweeps, sessions, validations."""


COLUMN_ORDER = (
    "key", "month", "return", "trades", "wins", "win_rate", "pnl_usd", "fees_usd", "funding_usd",
    "profit_factor", "share_of_pnl", "peak_usd", "mean_usd", "peak_share", "time_share", "most_positions",
    "total_return", "total_pnl", "max_drawdown", "sharpe", "percentile",
    "draws",
    "random_pnl_mean", "random_pnl_low_05", "random_pnl_median", "random_pnl_high_95",
)  # fmt: skip
"""How people read the cells of a table; files keep them sorted by name."""


def ordered(names: Iterable[str]) -> list[str]:
    """Return the names in reading order, unknown ones last."""
    rank = {name: at for at, name in enumerate(COLUMN_ORDER)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


def is_known(name: str) -> bool:
    """Say whether a name has a unit."""
    return name in BY_ID or name in UNITS


def shown(name: str, value: Scalar) -> str:
    """Write a metric, or a cell of a table, by its unit."""
    unit = BY_ID[name].unit if name in BY_ID else UNITS.get(name, "ratio")
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return _WRITERS.get(unit, _ratio)(value)


def shown_value(value: bool | int | float | str) -> str:
    """Write a parameter's or a switch's value, numbers at their shortest."""
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def shown_values(values: Mapping[str, bool | int | float | str]) -> str:
    """Write names with their values."""
    return ", ".join(f"{name}={shown_value(each)}" for name, each in values.items())


def duration(seconds: float) -> str:
    """Write a time: 42 s, 5 min, 3.2 h, 12.4 days."""
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:.0f} s"


def _fraction(value: float) -> str:
    decimals = 2 if abs(value) >= 1e-4 or value == 0 else 4
    return f"{value * 100:,.{decimals}f} %"


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _ratio(value: float) -> str:
    return f"{value:,.3f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bars(value: float) -> str:
    return f"{value:,.1f}" if value % 1 else f"{value:,.0f}"


def _days(value: float) -> str:
    return f"{value:,.1f}"


_WRITERS = {
    "fraction": _fraction,
    "usd": _money,
    "s": duration,
    "count": _count,
    "bars": _bars,
    "days": _days,
}
