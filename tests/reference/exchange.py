"""The twin of a lane on an exchange that is not plain: every switch of `native/rules.py`, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from native import reference
from native.codes import Action, Gate, Reason
from native.intents import KernelConfig
from native.strategy import Signal
from tests.reference.ladder import levels_of
from tests.reference.matching import Candle, Matching, Rest


@dataclass
class Exchange(Matching):
    """One lane under scripted wishes; `step` moves one bar, with its sub-bars where there are any."""

    ts_bar: int = 0

    def size(self, signal: Signal, close: float) -> int:
        rules, equity = self.config.sizing, self.config.cash + self.realised + self.marked(close)
        notional = self.config.notional_usd
        if rules.mode == "equity":
            notional = equity * rules.fraction
        elif rules.mode == "risk":
            stop = (
                signal.stop
                or self.config.stop_atr * self.atr
                or close * (self.config.stop_fallback_bps / 1e4)
            )
            notional = min(
                equity * rules.fraction / stop * close, equity * (self.config.exchange.leverage or 1.0)
            )
        elif rules.mode == "kelly":
            notional = equity * self.kelly()
        if rules.max_notional_usd:
            notional = min(notional, rules.max_notional_usd)
        return math.floor(min(max(notional, 0.0), self.room) * self.multiplier / close * 1e6)

    def kelly(self) -> float:
        rules, n = self.config.sizing, len(self.trades)
        wins, prior = sum(trade[6] > 0.0 for trade in self.trades), rules.kelly_prior
        if n < rules.kelly_min_trades:
            return rules.fraction
        b = (self.won / wins) / (self.lost / (n - wins)) if wins and self.lost > 0.0 else 1.0
        p = (wins + prior * 0.5) / (n + prior) if n + prior else 0.5
        b = (n * b + prior) / (n + prior) if n + prior else 1.0
        return min(max((p - (1.0 - p) / b) * rules.kelly_multiplier, 0.0), rules.fraction)

    def gates(self, signal: Signal, units: int, close: float, had_orders: bool) -> Gate:
        rules, out = self.config.exchange, Gate(0)
        equity = self.config.cash + self.realised + self.marked(close)
        waited = self.ts_bar - self.exit_ts
        is_cooling = self.exit_side == signal.side and waited < round(self.config.guards.cooldown_s * 1e9)
        checks = {
            Gate.OUTSTANDING: had_orders,
            Gate.DATA: self.is_glitch,
            Gate.SIZE: units <= 0 or units / 1e6 * close < self.config.min_notional_usd,
            Gate.COOLDOWN: is_cooling,
            Gate.GAP: self.is_gap,
            Gate.LIQUIDATED: self.is_liquidated,
            Gate.MARGIN: bool(rules.leverage) and units / 1e6 * close / (rules.leverage or 1.0) > equity,
        }
        for gate, is_blocked in checks.items():
            out |= gate if is_blocked else Gate(0)
        return out

    def wish(self, answer: Signal | int | None, had_orders: tuple[bool, bool]) -> None:
        if answer is None:
            return
        signal = answer if isinstance(answer, Signal) else Signal(answer)
        close, side = self.candles[self.t][4], signal.side
        order = self.close_order
        held = 0 if order is not None and not order.is_part else self.side
        had_close, had_open = had_orders
        if self.open_order is not None and side != self.open_order.side:
            self.withdraw(close, Action.WITHDRAWN)
            had_open = False
        if side == held:
            return
        why = (Reason.SIGNAL_FLAT, Reason.SIGNAL_LONG, Reason.SIGNAL_SHORT)[side]
        if held and self.may_order():
            self.order_at(self.units, close, why, False)
        if side:
            self.enter(signal, why, close, had_close or had_open)

    def enter(self, signal: Signal, why: Reason, close: float, had_orders: bool) -> None:
        side, units = signal.side, self.size(signal, close)
        gates = self.gates(signal, units, close, had_orders)
        if gates:
            if (side, int(gates)) != self.blocked:
                self.log(Action.BLOCKED, side, units, close, why, gates)
                self.blocked = (side, int(gates))
            return
        self.blocked = (0, 0)
        rules = self.config.exchange
        levels = levels_of(signal, close, self.atr, self.config)
        order = Rest(self.t, side, units, why, self.ts, levels=levels)
        self.open_order = self.send(order, 1)
        if rules.entry_limit_bps is not None:
            distance = rules.entry_limit_bps / 1e4 * close if signal.limit is None else signal.limit
            order.limit = close - side * distance
            order.until_bar = self.t + 1 + rules.limit_bars if rules.limit_bars else 0
        self.log(Action.OPEN, side, units, close, why)

    def step(self, t: int, atr: float, answer: Signal | int | None) -> None:
        """Move one bar: open, path, end, wish, mark."""
        ts, open_, high, low, close, volume = self.candles[t]
        rules = self.config.exchange
        last_ts = self.candles[t - 1][0] if t else 0
        self.t, self.ts, self.ts_bar, self.best = t, ts, ts, None
        limit = rules.max_gap_bars * rules.interval_ns
        self.is_gap = bool(limit) and t > 0 and ts - last_ts > limit
        if self.is_gap:
            self.withdraw(open_, Action.DROPPED, Gate.GAP)
        self.begin_segment(ts, open_)
        had_orders = (self.close_order is not None, self.open_order is not None)
        inside = [sub for sub in self.subs if ts <= sub[0] < ts + rules.interval_ns]
        for sub_ts, o, h, l, c, v in inside:
            self.is_glitch = self.is_bad_print(h, l)
            if sub_ts > ts and sub_ts > self.ts:
                self.begin_segment(sub_ts, o)
            self.walk_path(o, h, l, c)
            self.last_volume = v
        self.ts = ts
        self.is_glitch = self.is_bad_print(high, low)
        if not inside:
            if rules.interval_ns:
                self.pay_due(ts + rules.interval_ns - 1)
            self.walk_path(open_, high, low, close)
            self.last_volume = volume
        self.now_close = close
        self.end_bar()
        self.atr = atr
        self.wish(answer, had_orders)
        self.equity.append(self.config.cash + (self.realised + self.marked(close)))
        self.last_close = close


def run(
    config: KernelConfig,
    candles: Sequence[Candle],
    script: Sequence[Signal | int | None],
    subs: Sequence[Candle] = (),
    payments: Sequence[tuple[int, float, float]] = (),
) -> Exchange:
    """Run scripted wishes over bars, with their sub-bars and funding events."""
    bars = [candle[:5] for candle in candles]
    lane, ranges = Exchange(config, bars, candles=candles, subs=subs, payments=payments), reference.atr(bars)
    for t, answer in enumerate(script):
        lane.step(t, ranges[t], answer)
    return lane
