"""Evidence of a working night: a sweep, a comparison, walk-forwards, stored bars, pages of records."""

from __future__ import annotations

import math

from engine.api import lab
from engine.api.research import Comparison
from engine.api.run_views import TradeRow
from seams.clock import NS_PER_S

HOUR_NS = 3_600 * NS_PER_S
START_NS = 1_790_000_000 * NS_PER_S
RUN = "R-20261120-0000"


def trade_page(start: int = 0, count: int = 14, total: int = 14) -> lab.TradePage:
    rows = tuple(
        TradeRow(
            entry_at=f"2026-10-{i % 28 + 1:02d}T04:15:00Z",
            exit_at=f"2026-10-{i % 28 + 1:02d}T19:{i % 60:02d}:00Z",
            side=("long", "short")[i % 2],
            quantity=0.12,
            entry_price=64_120.5 + 11 * i,
            exit_price=64_311.0 + 17 * i,
            pnl_usd=(-1) ** i * 22.86,
            reason=("stop", "channel exit")[i % 2],
        )
        for i in range(start, start + count)
    )
    return lab.TradePage(run_id=RUN, total=total, start=start, rows=rows)


def decision_page() -> lab.DecisionPage:
    table = (
        ("open", "buy", "signal_long", ()),
        ("blocked", "buy", "signal_long", ("cooldown", "capacity")),
        ("close", "sell", "signal_flat", ()),
        ("exit_in_bar", "sell", "trailing_stop", ()),
    )
    rows = tuple(
        lab.DecisionRow(
            at_ns=START_NS + i * HOUR_NS, bar=25 + 11 * i, lane=0, action=table[i % 4][0],
            side=table[i % 4][1], quantity=0.1572, price=63_630.1 + i, reason=table[i % 4][2],
            gates=table[i % 4][3],
        )
        for i in range(18)
    )  # fmt: skip
    return lab.DecisionPage(run_id=RUN, total=18, start=0, rows=rows)


def sweep() -> lab.SweepPage:
    xs, ys = tuple(float(x) for x in range(20, 100, 5)), tuple(float(y) for y in range(1, 7))

    def gain(x: float, y: float) -> float | None:
        return (
            None if x > 90 and y > 5 else 9_000 * math.exp(-((x - 55) ** 2) / 600 - (y - 2.5) ** 2 / 4) - 900
        )

    rows = tuple(
        lab.SweepRow(
            rank=i + 1, config_id=f"{0xA1B2C3D4 + 7919 * i:08x}e5f6",
            params={"channel_bars": 55.0 + i, "atr_stop": 2.5},
            total_pnl=8_100.0 - 180 * i, max_drawdown=0.031 + 0.002 * i, trades=118 - i,
            profit_factor=1.62 - 0.02 * i, sharpe_simple=1.42 - 0.03 * i if i % 7 else None,
            channel=("efficient", "", "conservative", "")[i % 4], reject_reason="" if i % 5 else "few trades",
        )
        for i in range(40)
    )  # fmt: skip
    return lab.SweepPage(
        run_id="R-20261120-0003",
        objective="total_pnl",
        trials=96,
        rejected=3,
        axes=("channel_bars", "atr_stop", "hold_bars"),
        dead_axes=("hold_bars",),
        rows=rows,
        heat=lab.HeatMap(
            x_name="channel_bars", y_name="atr_stop", x_values=xs, y_values=ys,
            cells=tuple(tuple(gain(x, y) for x in xs) for y in ys),
        ),
        notes=(
            "96 trials, 71 of them different. The best of so many without skill would show Sharpe 0.9.",
            "Deflated Sharpe ratio of the best: 0.871.",
            "Held out (5,140 bars after an embargo of 51): a1b2c3d4 goes from Sharpe 1.42 to 0.66.",
        ),
        path="outputs/runs/R-20261120-0003",
    )  # fmt: skip


def walk() -> lab.WalkPage:
    row = lab.WalkRow(
        walk_id="20261119_220000_walkforward_4417bc0", splits=5, oos_return=0.041, oos_max_drawdown=0.037,
        positive_splits=0.8, sharpe_change=-0.61,
        path="outputs/walkforward/20261119_220000_walkforward_4417bc0",
    )  # fmt: skip
    splits = tuple(
        lab.WalkSplit(
            name=f"2026-{i + 3:02d}", train=f"2026-{i + 1:02d}-01T00:00:00Z to 2026-{i + 3:02d}-01T00:00:00Z",
            test=f"2026-{i + 3:02d}-03T00:00:00Z to 2026-{i + 4:02d}-01T00:00:00Z", embargo_bars=96,
            config_id=f"a1b2c3d{i}", params={"channel_bars": 50.0 + 5 * i, "atr_stop": 2.5},
            train_sharpe=1.6 - 0.1 * i, test_sharpe=0.9 - 0.3 * i, test_return=0.02 - 0.006 * i,
            test_trades=31 - i,
        )
        for i in range(5)
    )  # fmt: skip
    equity = tuple(1.0 + 0.0003 * i + 0.012 * math.sin(i / 9) for i in range(150))
    at = tuple(f"2026-{3 + i // 30:02d}-{i % 28 + 1:02d}T00:00:00Z" for i in range(150))
    return lab.WalkPage(row=row, splits=splits, curve_at=at, equity=equity)


def data() -> lab.DataSets:
    table = (("kraken", "BTC-PERP", "15m", 9_632, ()), ("sandbox", "ETH-PERP", "1m", 43_100, ((START_NS + 9 * 24 * HOUR_NS, 2_880), (START_NS + 22 * 24 * HOUR_NS, 60))))  # fmt: skip  # noqa: E501
    rows = tuple(
        lab.DataSetRow(
            venue=venue, symbol=symbol, interval=interval, rows=count, first_ns=START_NS,
            last_ns=START_NS + 31 * 24 * HOUR_NS, gaps=len(holes), missing_bars=sum(n for _, n in holes),
            holes=holes, repairs=("3 identical duplicates dropped",) if holes else (),
            content_sha256="99fe01aa" * 8, source="bars.csv.gz",
        )
        for venue, symbol, interval, count, holes in table
    )  # fmt: skip
    return lab.DataSets(rows=rows)


def comparison(contract: str = "same") -> Comparison:
    return Comparison(
        run_ids=("R-20261120-0000", "R-20261120-0001", "R-20261120-0002"),
        metrics={
            "avg_loss": (-105.8, None, -98.1),
            "max_drawdown": (0.041, 0.0, 0.066),
            "sharpe_simple": (1.42, None, -0.31),
            "total_return": (0.083, 0.0, -0.012),
            "trades": (118, 0, 96),
        },
        config_delta={"params": ("channel_bars=55, atr_stop=2.5", "channel_bars=90, atr_stop=2.5", "z=2")},
        contract=contract,
        mixed_keys=() if contract == "same" else ("end", "fee_bps"),
        excluded=(),
        trust=("passed", "passed", "failed"),
    )


ANSWERS: dict[type, object] = {
    lab.RunTrades: trade_page(),
    lab.RunDecisions: decision_page(),
    lab.RunCompare: comparison(),
    lab.SweepShow: sweep(),
    lab.WalkList: lab.Walks(rows=(walk().row,)),
    lab.WalkShow: walk(),
    lab.DataList: data(),
}
