"""The plain-Python twin of the kernel: same rules, written to be read, compared decision by decision.

Internal matching, one lane, compiled built-ins. Every expression is evaluated in the written order,
so equal means bit-equal.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from native.codes import Action, Reason
from native.intents import KernelConfig
from native.lanes import builtin_params

Bars = Sequence[tuple[int, float, float, float, float]]
"""(ts_ns, open, high, low, close) per bar."""
_RECORD = struct.Struct("<qqqdiihhi")


def ema(values: Sequence[float], period: int) -> list[float]:
    """Exponential average seeded with the first value."""
    a = 2.0 / (period + 1.0)
    b = 1.0 - a
    out = [values[0]]
    for x in values[1:]:
        out.append(a * x + b * out[-1])
    return out


def sma(values: Sequence[float], period: int) -> list[float]:
    """Plain average by a running sum that is summed anew once per turn of the ring."""
    out, total, ring = [], 0.0, [0.0] * period
    for t, x in enumerate(values):
        total = total + x - ring[t % period] if t >= period else total + x
        ring[t % period] = x
        if t % period == period - 1:
            total = 0.0
            for kept in ring:
                total += kept
        out.append(total / min(t + 1, period))
    return out


def rsi(values: Sequence[float], period: int) -> list[float]:
    """Wilder's RSI; 50 while nothing has moved."""
    gain = loss = 0.0
    out = [50.0]
    for t in range(1, len(values)):
        change = values[t] - values[t - 1]
        up, down = max(change, 0.0), max(-change, 0.0)
        if t <= period:
            gain, loss = gain + up, loss + down
            if t == period:
                gain, loss = gain / period, loss / period
        else:
            gain = (gain * (period - 1.0) + up) / period
            loss = (loss * (period - 1.0) + down) / period
        out.append(100.0 - 100.0 / (1.0 + gain / loss) if loss > 0.0 else (100.0 if gain > 0.0 else 50.0))
    return out


def atr(bars: Bars, period: int = 14) -> list[float]:
    """Wilder's average true range, seeded with the first high - low."""
    a = 1.0 / period
    b = 1.0 - a
    out = [bars[0][2] - bars[0][3]]
    for t in range(1, len(bars)):
        _, _, high, low, _ = bars[t]
        before = bars[t - 1][4]
        out.append(a * max(high - low, abs(high - before), abs(low - before)) + b * out[-1])
    return out


def wishes(strategy: str, params: Mapping[str, float], closes: Sequence[float]) -> list[int | None]:
    """Return what the built-in wants at each close; None keeps."""
    p = builtin_params(strategy, params)
    if strategy == "buy_and_hold":
        return [1] * len(closes)
    if strategy == "ema_cross":
        fast, slow = ema(closes, int(p["fast"])), ema(closes, int(p["slow"]))
        if p["bracket"]:
            return [None] * min(len(closes), int(p["slow"])) + [
                _cross(fast, slow, t) for t in range(int(p["slow"]), len(closes))
            ]
        return [
            None if t < p["slow"] - 1 or fast[t] == slow[t] else (1 if fast[t] > slow[t] else -1)
            for t in range(len(closes))
        ]
    fast, slow = sma(closes, int(p["ma_fast"])), sma(closes, int(p["ma_slow"]))
    strength = rsi(closes, int(p["rsi_period"]))
    first = max(int(p["ma_slow"]) - 1, int(p["rsi_period"]))
    out: list[int | None] = []
    for t in range(len(closes)):
        is_long = fast[t] > slow[t] and strength[t] < p["rsi_buy_max"]
        is_flat = fast[t] < slow[t] and strength[t] > p["rsi_sell_min"]
        out.append(None if t < first else (1 if is_long else (0 if is_flat else None)))
    return out


def _cross(fast: Sequence[float], slow: Sequence[float], t: int) -> int | None:
    if fast[t] > slow[t] and fast[t - 1] <= slow[t - 1]:
        return 1
    return -1 if fast[t] < slow[t] and fast[t - 1] >= slow[t - 1] else None


@dataclass
class Twin:
    """One lane's account: position, closed trades, decision records, equity per bar."""

    config: KernelConfig
    side: int = 0
    units: int = 0
    entry: float = 0.0
    entry_bar: int = 0
    stop: float = 0.0
    target: float = 0.0
    trail: float = 0.0
    has_trailed: bool = False
    realised: float = 0.0
    trades: list[tuple[int, int, int, int, float, float, float]] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)

    def paid(self, price: float, side: int) -> float:
        return price * (1.0 + side * (self.config.slippage_bps / 1e4))

    def fee(self, price: float) -> float:
        return price * (self.units / 1e6) * (self.config.fee_bps / 1e4)

    def leave(self, bar: int, price: float) -> None:
        exit_ = self.paid(price, -self.side)
        quantity = self.units / 1e6
        pnl = self.side * quantity * (exit_ - self.entry) - self.fee(self.entry) - self.fee(exit_)
        self.trades.append((self.entry_bar, bar, self.side, self.units, self.entry, exit_, pnl))
        self.realised += pnl
        self.side = 0

    def marked(self, price: float) -> float:
        if not self.side:
            return 0.0
        return self.side * (self.units / 1e6) * (price - self.entry) - self.fee(self.entry)

    def record(
        self, ts: int, bar: int, action: Action, side: int, units: int, price: float, why: Reason
    ) -> None:
        self.records.append(_RECORD.pack(ts, bar, units, price, 0, 0, action, side, why))

    def decision_hash(self) -> str:
        return hashlib.sha256(b"".join(self.records)).hexdigest()

    def final_equity(self, last_close: float) -> float:
        return self.config.cash + math.fsum([*(trade[6] for trade in self.trades), self.marked(last_close)])


Levels = Callable[[int, int], tuple[float, float, float]]
"""(bar, wanted side) -> stop and target prices and trail distance of an entry decided there."""


def run(config: KernelConfig, strategy: str, params: Mapping[str, float], bars: Bars) -> Twin:
    """Run a built-in over bars and return its account (stops "intrabar", lot 1e-6, no tick)."""
    p = builtin_params(strategy, params)
    wanted, ranges = wishes(strategy, params, [bar[4] for bar in bars]), atr(bars)

    def levels(t: int, want: int) -> tuple[float, float, float]:
        close, width = bars[t][4], ranges[t]
        trail = p["trail_atr"] * width if p["trail_atr"] else math.inf
        return close - want * p["stop_atr"] * width, close + want * p["target_atr"] * width, trail

    return follow(config, wanted, bars, levels if p.get("bracket") else None)


def follow(
    config: KernelConfig, wanted: Sequence[int | None], bars: Bars, levels: Levels | None, max_units: int = 0
) -> Twin:
    """Trade what is wanted at each close; without levels a position lasts until another side is wanted.

    `max_units`: no entry is larger, in micro-units; 0: no cap.
    """
    account, leaving, entering = Twin(config), False, None
    for t, (ts, open_, high, low, close) in enumerate(bars):
        if leaving:
            account.leave(t, open_)
        if entering:
            account.side, account.units, account.stop, account.target, account.trail = entering
            account.entry, account.entry_bar, account.has_trailed = (
                account.paid(open_, account.side),
                t,
                False,
            )
        leaving, entering = False, None
        if levels is not None and account.side:
            _walk_bracket(account, t, ts, open_, high, low)
        want = wanted[t]
        if want is not None and want != account.side:
            why = (Reason.SIGNAL_FLAT, Reason.SIGNAL_LONG, Reason.SIGNAL_SHORT)[want]
            if account.side:
                leaving = True
                account.record(ts, t, Action.CLOSE, -account.side, account.units, close, why)
            if want:
                units = math.floor(config.notional_usd / close * 1e6)
                units = min(units, max_units) if max_units else units
                stop, target, trail = levels(t, want) if levels is not None else (0.0, 0.0, 0.0)
                entering = (want, units, stop, target, trail)
                account.record(ts, t, Action.OPEN, want, units, close, why)
        account.equity.append(config.cash + (account.realised + account.marked(close)))
    return account


def _walk_bracket(account: Twin, t: int, ts: int, open_: float, high: float, low: float) -> None:
    """Stop first, then target, then the trail for the next bar; mirrored for a short."""
    side = account.side
    worst, best = (low, high) if side > 0 else (high, low)
    price, why = None, Reason.NONE
    if side * worst <= side * account.stop:
        price = side * min(side * open_, side * account.stop)
        why = Reason.TRAILING_STOP if account.has_trailed else Reason.STOP
    elif side * best >= side * account.target:
        price, why = side * max(side * open_, side * account.target), Reason.TARGET
    if price is not None:
        account.record(ts, t, Action.EXIT_IN_BAR, -side, account.units, price, why)
        account.leave(t, price)
        return
    level = best - side * account.trail
    if side * level > side * account.stop:
        account.stop, account.has_trailed = level, True
