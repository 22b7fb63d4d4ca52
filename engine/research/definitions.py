"""What each metric means: one table, from which `docs/metrics.md`, the reports and the tests are made."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from seams.disk import RealDisk

SHARPE_1994 = "Sharpe (1994), Journal of Portfolio Management 21(1)"
BAILEY_2012 = "Bailey & López de Prado (2012), Journal of Risk 15(2)"
BAILEY_2014 = "Bailey & López de Prado (2014), Journal of Portfolio Management 40(5)"
KELLY_1956 = "Kelly (1956), Bell System Technical Journal 35(4); Thorp (2006)"
OURS = "definition of this desk"
BOOKS = "usual accounting"
MOMENTS = "sample moments, Joanes & Gill (1998), g1 and g2"


class Definition(NamedTuple):
    """One metric. `unit`: fraction, ratio, usd, bars, s, days, count, text; `better`: higher, lower or empty.

    `minimum` says what the sample must have; below it the value is null and `null_reasons` says why.
    """

    id: str
    title: str
    group: str
    unit: str
    formula: str
    source: str
    minimum: str
    better: str = ""


METRICS: tuple[Definition, ...] = (
    Definition("total_return", "Total return", "returns", "fraction",
               "E_end / E_start - 1", BOOKS, "1 bar", "higher"),
    Definition("cagr", "Yearly growth", "returns", "fraction",
               "(E_end / E_start)^(1/Y) - 1, Y = calendar time in years of 365.25 days",
               BOOKS, "30 days", "higher"),
    Definition("total_pnl", "Net result", "returns", "usd", "E_end - E_start", BOOKS, "none", "higher"),
    Definition("best_month", "Best month", "returns", "fraction",
               "largest return of a calendar month (UTC), first and last may be partial",
               BOOKS, "3 months", "higher"),
    Definition("worst_month", "Worst month", "returns", "fraction",
               "smallest return of a calendar month (UTC)", BOOKS, "3 months", "higher"),
    Definition("positive_months", "Months that gained", "returns", "fraction",
               "share of calendar months with a return above 0", BOOKS, "3 months", "higher"),
    Definition("sharpe_simple", "Sharpe ratio, per bar", "risk", "ratio",
               "mean(r) / std(r, ddof 1) × √(bars per year); r bar returns, risk-free rate 0; the year "
               "has 365.25 days, never √252", SHARPE_1994, "20 bars", "higher"),
    Definition("sharpe_per_bar", "Sharpe ratio, not annualised", "risk", "ratio",
               "mean(r) / std(r, ddof 1)", SHARPE_1994, "20 bars", "higher"),
    Definition("sharpe_daily", "Sharpe ratio, daily", "risk", "ratio",
               "mean(d) / std(d, ddof 1) × √365.25; d returns of calendar days (UTC). Bars that are not "
               "independent make the per-bar ratio differ from this", "Lo (2002), Financial Analysts "
               "Journal 58(4)", "60 days", "higher"),
    Definition("sortino", "Sortino ratio", "risk", "ratio",
               "mean(r)·n / √(n·mean(min(r, 0)²)), n bars per year, target 0",
               "Sortino & Price (1994), Journal of Investing 3(3)", "20 bars, downside ≥ 1e-4 a year",
               "higher"),
    Definition("calmar", "Calmar ratio", "risk", "ratio", "cagr / max_drawdown, over the whole window",
               "Young (1991), Futures 20(1)", "30 days, drawdown ≥ 0.5 %", "higher"),
    Definition("volatility", "Volatility", "risk", "fraction", "std(r, ddof 1) × √(bars per year)",
               BOOKS, "20 bars", "lower"),
    Definition("max_drawdown", "Largest drawdown", "risk", "fraction",
               "max(1 - E / peak), a positive fraction; the start counts as a peak",
               "Magdon-Ismail & Atiya (2004), Risk 17(10)", "1 bar", "lower"),
    Definition("longest_drawdown_s", "Longest drawdown", "risk", "s",
               "longest time from a peak until it is reached again, or until the end", BOOKS, "1 bar",
               "lower"),
    Definition("ulcer_index", "Ulcer index", "risk", "fraction", "√(mean(drawdown²)) over all bars",
               "Martin & McCann (1989), The Investor's Guide to Fidelity Funds", "1 bar", "lower"),
    Definition("var_95", "Value at risk, 95 %", "risk", "fraction",
               "loss that 5 % of the basis returns exceed: -quantile(b, 0.05), linear",
               "historical simulation; Jorion (2006), Value at Risk", "100 basis returns", "lower"),
    Definition("cvar_95", "Expected shortfall, 95 %", "risk", "fraction",
               "-mean of the basis returns at or below their 5 % quantile",
               "Rockafellar & Uryasev (2000), Journal of Risk 2(3)", "100 basis returns", "lower"),
    Definition("tail_ratio", "Tail ratio", "risk", "ratio", "quantile(b, 0.95) / |quantile(b, 0.05)|",
               OURS, "100 basis returns", "higher"),
    Definition("skewness", "Skewness", "risk", "ratio", "m3 / m2^1.5 of the basis returns",
               MOMENTS, "20 basis returns", "higher"),
    Definition("kurtosis", "Excess kurtosis", "risk", "ratio", "m4 / m2² - 3 of the basis returns",
               MOMENTS, "20 basis returns", "lower"),
    Definition("probabilistic_sharpe", "Probabilistic Sharpe ratio", "risk", "fraction",
               "Φ(S·√(n-1) / √(1 - g1·S + (g2+2)/4·S²)): chance that the true ratio is above 0; S per "
               "basis step, n basis returns", BAILEY_2012, "20 basis returns", "higher"),
    Definition("deflated_sharpe", "Deflated Sharpe ratio", "risk", "fraction",
               "as before, against the ratio that the best of N useless trials is expected to show: "
               "√V·((1-γ)·Φ⁻¹(1-1/N) + γ·Φ⁻¹(1-1/(N·e))), V the estimate's own variance",
               BAILEY_2014, "20 basis returns", "higher"),
    Definition("trials", "Trials", "risk", "count",
               "how many configurations were tried to find this one, as declared", BAILEY_2014, "none"),
    Definition("return_basis", "Basis of the distribution", "risk", "text",
               "day where the window has 60 days or more, else bars in groups of k (at most 2,048 groups)",
               OURS, "none"),
    Definition("return_points", "Basis returns", "risk", "count",
               "how many basis returns there are", OURS, "none"),
    Definition("trades", "Trades", "trades", "count", "round trips that closed", BOOKS, "none"),
    Definition("trade_trades", "Closed round trips", "trades", "count", "equals trades", BOOKS, "none"),
    Definition("wins", "Winning trades", "trades", "count", "trades with net P&L above 0", BOOKS, "none"),
    Definition("win_rate", "Win rate", "trades", "fraction", "wins / trades", BOOKS, "1 trade", "higher"),
    Definition("win_rate_trades", "Win rate of round trips", "trades", "fraction", "equals win_rate",
               BOOKS, "1 trade", "higher"),
    Definition("profit_factor", "Profit factor", "trades", "ratio", "Σ winning P&L / |Σ losing P&L|, net",
               BOOKS, "1 losing trade", "higher"),
    Definition("expectancy_net", "Expectancy", "trades", "usd", "mean net P&L of a trade", BOOKS,
               "1 trade", "higher"),
    Definition("avg_win", "Average win", "trades", "usd", "mean P&L of winning trades", BOOKS,
               "1 winning trade", "higher"),
    Definition("avg_loss", "Average loss", "trades", "usd", "mean P&L of losing trades", BOOKS,
               "1 losing trade", "higher"),
    Definition("payoff_ratio", "Payoff ratio", "trades", "ratio", "avg_win / |avg_loss|", BOOKS,
               "1 winning and 1 losing trade", "higher"),
    Definition("best_trade", "Best trade", "trades", "usd", "largest net P&L", BOOKS, "1 trade", "higher"),
    Definition("worst_trade", "Worst trade", "trades", "usd", "smallest net P&L", BOOKS, "1 trade", "higher"),
    Definition("longest_win_streak", "Longest winning streak", "trades", "count",
               "most winning trades in a row, by time of exit", BOOKS, "none", "higher"),
    Definition("longest_loss_streak", "Longest losing streak", "trades", "count",
               "most losing trades in a row, by time of exit", BOOKS, "none", "lower"),
    Definition("kelly_fraction", "Kelly fraction", "trades", "fraction",
               "W - (1 - W) / payoff_ratio, W = win_rate; below 0 says do not trade", KELLY_1956,
               "20 trades, both kinds", "higher"),
    Definition("avg_mae_usd", "Average adverse excursion", "trades", "usd",
               "mean of the largest open loss of a trade: the bars from entry to the one before exit, and "
               "the exit's fill", "Sweeney (1997), Maximum Adverse Excursion", "1 trade and bars", "lower"),
    Definition("avg_mfe_usd", "Average favourable excursion", "trades", "usd",
               "mean of the largest open profit of a trade, on the same bars",
               "Sweeney (1997), Maximum Adverse Excursion", "1 trade and bars", "higher"),
    Definition("edge_ratio", "Edge ratio", "trades", "ratio", "avg_mfe_usd / avg_mae_usd",
               "Faith (2007), Way of the Turtle", "1 trade with an adverse move", "higher"),
    Definition("avg_holding_bars", "Average holding", "trades", "bars",
               "mean of exit bar - entry bar", BOOKS, "1 trade"),
    Definition("avg_holding_s", "Average holding time", "trades", "s",
               "avg_holding_bars × bar length", BOOKS, "1 trade"),
    Definition("avg_holding_days", "Average holding in days", "trades", "days",
               "avg_holding_s / 86,400", BOOKS, "1 trade"),
    Definition("exposure", "Exposure", "exposure", "fraction",
               "bars at which a position was held (one still open counts) / bars", BOOKS, "1 bar"),
    Definition("turnover", "Turnover", "exposure", "ratio",
               "notional of closed trades, both sides, and of open entries / mean equity", BOOKS, "1 bar",
               "lower"),
    Definition("open_positions", "Open at the end", "exposure", "count",
               "positions still held after the last bar", BOOKS, "none"),
    Definition("open_pnl_usd", "Result of what is open", "exposure", "usd",
               "of positions still open, at the last close: entry's fee and part exits paid, no cost of "
               "leaving; with the closed trades it gives total_pnl", BOOKS, "none"),
    Definition("fees_usd", "Fees", "costs", "usd", "all fees paid, of open trades too", BOOKS, "none",
               "lower"),
    Definition("slippage_usd", "Slippage", "costs", "usd",
               "notional of closed trades, both sides × slippage_bps / 10,000", OURS, "none", "lower"),
    Definition("funding_usd", "Funding", "costs", "usd",
               "funding paid (+) or received (-), of open trades too", BOOKS, "a run with funding", "lower"),
    Definition("gross_pnl_usd", "Result before costs", "costs", "usd",
               "Σ net P&L of closed trades + their fees, slippage and funding paid", BOOKS, "1 trade",
               "higher"),
    Definition("cost_share", "Costs per gross profit", "costs", "ratio",
               "(fees + slippage + funding of closed trades) / |Σ net P&L + costs| of them", OURS,
               "1 trade", "lower"),
    Definition("days", "Days", "sample", "days", "last bar's close - first bar's open", BOOKS, "none"),
    Definition("bars", "Bars", "sample", "bars", "bars replayed", BOOKS, "none"),
    Definition("initial_equity", "Equity at the start", "sample", "usd", "cash at the start", BOOKS, "none"),
    Definition("final_equity", "Equity at the end", "sample", "usd", "marked at the last close", BOOKS,
               "none"),
    Definition("sharpe_method", "Method of sharpe_simple", "sample", "text", "in words", SHARPE_1994, "none"),
)  # fmt: skip
BY_ID = {each.id: each for each in METRICS}
assert len(BY_ID) == len(METRICS)
GROUPS = ("returns", "risk", "trades", "exposure", "costs", "sample")


def to_markdown() -> str:
    """Return docs/metrics.md."""
    lines = [HEAD.strip(), ""]
    for group in GROUPS:
        lines += [f"## {group.capitalize()}", "", "| id | what | unit | formula | needs | source |"]
        lines.append("|---|---|---|---|---|---|")
        for each in METRICS:
            if each.group == group:
                cells = (f"`{each.id}`", each.title, each.unit, each.formula, each.minimum, each.source)
                lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join([*lines, TAIL.strip(), ""])


HEAD = """
# Metrics

Generated by `python -m engine.research.definitions`; a test fails when it drifts.

E is the account's equity at each bar's close, marked to market; r its returns per bar; b the basis returns
(see `return_basis`). Drawdowns are positive fractions. A value that the sample is too small for is null, and
`null_reasons` of metrics.json names why. Equal runs give equal bytes.
"""

TAIL = """
## Tables

`tables.monthly` holds the return of each calendar month (UTC). `tables.per_side`, `per_symbol` and
`per_reason` split closed trades by side, symbol and reason of the exit: trades, wins, win_rate, pnl_usd,
fees_usd, profit_factor, and their share of all net P&L (null where that is 0).

## Baselines

Always beside the result, with the run's costs: **cash** (no interest); **buy_and_hold** (the run's notional,
bought at the second bar's open and kept); **buy_and_hold_all_cash**; **random_entries**: the run's own trades
(sizes, sides, holding times) in random order at random times, 20 to 200 draws within about 500,000 simulated
trades. `percentile` is the share of draws that the run's closed trades beat.

## Bootstrap

90 % intervals of total return, Sharpe ratio (per year) and drawdown from a circular block bootstrap of the
basis returns: blocks of n^(1/3) returns, 200 to 2,000 resamples within a million drawn returns. Source:
Politis & Romano (1992). `chance_of_loss` is the share of resamples that lost money. All draws come from the
run's seed.

## Multiple testing

`trials` is declared (a sweep declares its size). `multiple_testing` of report.json adds how many indexed runs
used the same data before, and deflates the Sharpe ratio by whichever is more: looking is testing.

## Checks

Run with every back-test, over a bounded number of bars that each check states (`points`, `bars`).

- **look_ahead**: the strategy runs again on prefixes of the data, cut at seeded points; every decision up to
  the cut must be the same, byte for byte. One of them goes on into a mirrored market (each price p becomes
  c²/p, with c the close at the cut): what it decides there must not be what it decided in the real one,
  unless the strategy ignores prices and does not win (t-value of its trades at most 3). Interpreted
  strategies are given copies, so that no array reaches past the cut.
- **warm_up**: the strategy starts later, at seeded points. From the first moment after the warm-up at which
  both runs are flat, or entered together, every decision must have the same time, action and side. Warm-ups
  of 1 to 32 times the longest period (at least 100 bars) are tried, and the shortest that is enough is told.

`trust` is the worst of them: passed, failed or not_checked. `status` only says that the run ended.
"""


if __name__ == "__main__":  # python -m engine.research.definitions: write docs/metrics.md
    RealDisk().write_atomic(Path("docs/metrics.md"), to_markdown().encode(), mode=0o644)
