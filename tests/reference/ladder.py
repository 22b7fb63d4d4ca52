"""The twin of a lane under an interpreted strategy: wishes with levels, and the ladder of exits."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from native import reference
from native.codes import Action, Reason
from native.intents import KernelConfig
from native.strategy import Signal

RECORD = struct.Struct("<qqqdiihhi")
Script = Sequence[Signal | int | None]


@dataclass
class Levels:
    """What an entry carries, at prices; None where nothing is named."""

    stop: float
    is_executed: bool = False
    target: float | None = None
    trail: float | None = None
    part: float = 0.0
    part_target: float = 0.0
    breakeven: float | None = None
    hold_bars: int = 0
    has_moved: bool = False


@dataclass
class Order:
    """What was decided and has not acted yet."""

    side: int
    units: int
    why: Reason
    levels: Levels | None = None


@dataclass
class Ladder:
    """One lane's account under scripted wishes; stops inside the bar or at the next open."""

    config: KernelConfig
    bars: reference.Bars
    side: int = 0
    units: int = 0
    entry: float = 0.0
    entry_bar: int = 0
    entry_fee: float = 0.0
    exit_units: int = 0
    exit_average: float = 0.0
    exit_fee: float = 0.0
    levels: Levels | None = None
    leaving: Order | None = None
    entering: Order | None = None
    realised: float = 0.0
    trades: list[tuple[int, int, int, int, float, float, float, int]] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    stops: list[tuple[int, int, float]] = field(default_factory=list)
    """(entry bar, side, stop) at every close that holds: what must never loosen."""

    def record(
        self, t: int, action: Action, side: int, units: int, price: float, why: Reason, gates: int = 0
    ) -> None:
        self.records.append(RECORD.pack(self.bars[t][0], t, units, price, 0, int(gates), action, side, why))

    def paid(self, price: float, side: int) -> float:
        return price * (1.0 + side * (self.config.slippage_bps / 1e4))

    def fee(self, price: float, units: int) -> float:
        return price * (units / 1e6) * (self.config.fee_bps / 1e4)

    def reduce(self, t: int, units: int, price: float, why: Reason) -> None:
        """Execute a part or all of the way out."""
        paid = self.paid(price, -self.side)
        fee = self.fee(paid, units)
        done = self.exit_units
        self.exit_average = (self.exit_average * done + paid * units) / (done + units) if done else paid
        self.exit_units, self.exit_fee, self.units = done + units, self.exit_fee + fee, self.units - units
        if self.units:
            return
        quantity = self.exit_units / 1e6
        pnl = self.side * quantity * (self.exit_average - self.entry) - self.entry_fee - self.exit_fee
        row = (self.entry_bar, t, self.side, self.exit_units, self.entry, self.exit_average, pnl, int(why))
        self.trades.append(row)
        self.realised += pnl
        self.side = self.exit_units = 0
        self.exit_average = self.exit_fee = 0.0
        self.levels = None

    def leave_at(self, t: int, price: float, why: Reason, units: int) -> None:
        """Leave by a level: inside the bar, or decided now for the next open."""
        if self.config.stops == "intrabar":
            self.record(t, Action.EXIT_IN_BAR, -self.side, units, price, why)
            self.reduce(t, units, price, why)
        else:
            self.order_out(t, units, why)

    def order_out(self, t: int, units: int, why: Reason) -> None:
        self.leaving = Order(-self.side, units, why)
        self.record(t, Action.CLOSE, -self.side, units, self.bars[t][4], why)

    def tighten(self, level: float) -> None:
        assert self.levels is not None
        if self.side * level > self.side * self.levels.stop:
            self.levels.stop, self.levels.has_moved = level, True

    def walk(self, t: int) -> None:
        """Stop, part target, target; then what the bar's best price does to the stop; then time."""
        _, open_, high, low, _ = self.bars[t]
        side, levels = self.side, self.levels
        assert levels is not None
        worst, best = (low, high) if side > 0 else (high, low)
        is_inside = self.config.stops == "intrabar"
        if levels.is_executed:
            has_target = levels.target is not None and side * best >= side * levels.target
            if side * worst <= side * levels.stop:
                why = Reason.TRAILING_STOP if levels.has_moved else Reason.STOP
                return self.leave_at(t, side * min(side * open_, side * levels.stop), why, self.units)
            if levels.part and side * best >= side * levels.part_target and (is_inside or not has_target):
                units = math.floor(self.units * levels.part)
                levels.part = 0.0
                self.tighten(self.entry)
                if units:
                    price = side * max(side * open_, side * levels.part_target)
                    self.leave_at(t, price, Reason.PARTIAL_TARGET, units)
            if has_target:
                assert levels.target is not None
                price = side * max(side * open_, side * levels.target)
                return self.leave_at(t, price, Reason.TARGET, self.units)
            if levels.trail is not None:
                self.tighten(best - side * levels.trail)
            if levels.breakeven is not None and side * best >= side * levels.breakeven:
                levels.breakeven = None
                self.tighten(self.entry)
        if levels.hold_bars and t - self.entry_bar + 1 >= levels.hold_bars:
            self.order_out(t, self.units, Reason.TIME_EXIT)

    def open(self, t: int) -> None:
        price = self.bars[t][1]
        if self.leaving is not None:
            self.reduce(t, self.leaving.units, price, self.leaving.why)
        if self.entering is not None:
            self.side, self.units, self.levels = self.entering.side, self.entering.units, self.entering.levels
            self.entry, self.entry_bar = self.paid(price, self.side), t
            self.entry_fee = self.fee(self.entry, self.units)
        self.leaving = self.entering = None

    def decide(self, t: int, wish: Signal | int, atr: float) -> None:
        close = self.bars[t][4]
        signal = wish if isinstance(wish, Signal) else Signal(wish)
        is_leaving_whole = self.leaving is not None and self.leaving.units == self.units
        held = 0 if is_leaving_whole else self.side
        if signal.side == held:
            return
        why = (Reason.SIGNAL_FLAT, Reason.SIGNAL_LONG, Reason.SIGNAL_SHORT)[signal.side]
        if held:
            self.order_out(t, self.units, why)
        if signal.side:
            units = math.floor(self.config.notional_usd / close * 1e6)
            self.entering = Order(signal.side, units, why, levels_of(signal, close, atr, self.config))
            self.record(t, Action.OPEN, signal.side, units, close, why)

    def marked(self, price: float) -> float:
        if not self.side:
            return 0.0
        result = self.side * (self.units / 1e6) * (price - self.entry) - self.entry_fee
        if self.exit_units:
            gone = self.exit_units / 1e6
            result += self.side * gone * (self.exit_average - self.entry) - self.exit_fee
        return result


def levels_of(signal: Signal, close: float, atr: float, config: KernelConfig) -> Levels:
    """Turn a signal's distances into prices."""
    side = signal.side
    stop = signal.stop or config.stop_atr * atr or close * (config.stop_fallback_bps / 1e4)
    part, part_target, target = signal.partial or 0.0, signal.partial_target, signal.target
    if part and not part_target:
        part_target, target = target, None
    named = (signal.stop, target, signal.trail, part, signal.breakeven)
    return Levels(
        stop=close - side * stop,
        is_executed=any(named),
        target=close + side * target if target else None,
        trail=signal.trail or None,
        part=part,
        part_target=close + side * (part_target or 0.0),
        breakeven=close + side * signal.breakeven if signal.breakeven else None,
        hold_bars=within_window(signal.hold_bars or 0, config),
    )


def within_window(bars: int, config: KernelConfig) -> int:
    """Clamp a longest holding time to the account's window; none named is the window's end."""
    if not bars:
        return config.max_hold_bars
    return max(config.min_hold_bars, min(bars, config.max_hold_bars or bars))


def run(config: KernelConfig, bars: reference.Bars, script: Script) -> Ladder:
    """Run scripted wishes over bars."""
    lane, ranges = Ladder(config, bars), reference.atr(bars)
    for t, wish in enumerate(script):
        lane.open(t)
        if lane.side and lane.levels is not None:
            lane.walk(t)
        if lane.side and lane.levels is not None and lane.levels.is_executed:
            lane.stops.append((lane.entry_bar, lane.side, lane.levels.stop))
        if wish is not None:
            lane.decide(t, wish, ranges[t])
        lane.equity.append(config.cash + (lane.realised + lane.marked(bars[t][4])))
    return lane
