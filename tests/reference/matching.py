"""What becomes of the orders of the twin of a lane: fills, fees, funding, liquidation, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from native.codes import Action, Gate, Reason
from tests.reference.ladder import RECORD, Ladder, Levels

MASK = (1 << 64) - 1
REJECT, TIMEOUT, LATENCY, TOUCH = 1, 2, 3, 4
Candle = tuple[int, float, float, float, float, float]
"""(ts_ns, open, high, low, close, volume)."""


def mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def chance(seed: int, step: int, offset: int, draw: int, count: int) -> float:
    """The `count`-th draw of its kind for an order of lane 0."""
    z = seed & MASK
    for part in (0, step, offset * 8 + draw, count):
        z = mixed((z + 0x9E3779B97F4A7C15 + part) & MASK)
    return float(z >> 11) * 2.0**-53


@dataclass
class Rest:
    """An order on its way or in the book."""

    step: int
    side: int
    units: int
    why: Reason
    act_ns: int
    levels: Levels | None = None
    filled: int = 0
    tries: int = 0
    limit: float = 0.0
    is_resting: bool = False
    until_bar: int = 0
    is_part: bool = False


@dataclass
class Matching(Ladder):
    """One lane's orders and money; nothing here wishes for an order."""

    close_order: Rest | None = None
    open_order: Rest | None = None
    candles: Sequence[Candle] = ()
    subs: Sequence[Candle] = ()
    payments: Sequence[tuple[int, float, float]] = ()
    t: int = 0
    ts: int = 0
    atr: float = 0.0
    last_close: float = 0.0
    last_volume: float = 0.0
    capacity: float = math.inf
    trade_funding: float = 0.0
    funding: float = 0.0
    fees: float = 0.0
    won: float = 0.0
    lost: float = 0.0
    exit_side: int = 0
    exit_ts: int = 0
    best: float | None = None
    is_glitch: bool = False
    is_gap: bool = False
    is_liquidated: bool = False
    blocked: tuple[int, int] = (0, 0)
    multiplier: float = 1.0
    room: float = math.inf
    fees_by_role: list[str] = field(default_factory=list)

    def log(self, action: Action, side: int, units: int, price: float, why: Reason, gates: int = 0) -> None:
        """Record with the moment of the segment in which it happens."""
        record = RECORD.pack(self.ts, self.t, units, price, 0, int(gates), action, side, why)
        self.records.append(record)

    # Money -----------------------------------------------------------------------------------------

    def slip(self) -> float:
        rules = self.config.exchange
        if rules.slippage_mode == "fixed":
            return self.config.slippage_bps / 1e4
        low, high = rules.slippage_low_bps / 1e4, rules.slippage_high_bps / 1e4
        if self.last_close == 0.0:
            return high
        return max(low, min(rules.slippage_atr * self.atr / self.last_close, high))

    def settle(
        self,
        side: int,
        units: int,
        price: float,
        why: Reason,
        order: Rest | None,
        maker: bool,
        extra: float = 0.0,
    ) -> None:
        rules, paid = self.config.exchange, price
        if not maker:
            paid = price * (1.0 + side * self.slip())
            if order is not None and order.limit and side * paid > side * order.limit:
                paid = order.limit
        bps = self.config.fee_bps
        if maker and rules.maker_fee_bps is not None:
            bps = rules.maker_fee_bps
        self.fees_by_role.append("maker" if maker else "taker")
        fee = paid * (units / 1e6) * (bps / 1e4 + extra)
        self.fees += fee
        if self.side == -side:
            self.pay_out(units, paid, fee, why)
            return
        if self.side == 0:
            assert order is not None
            self.side, self.units, self.entry, self.entry_fee = side, units, paid, fee
            # A copy: what is left of the order may open again, and does so with the levels it began with.
            self.entry_bar, self.levels = self.t, order.levels and replace(order.levels)
        else:
            whole = self.units + self.exit_units
            self.entry = (self.entry * whole + paid * units) / (whole + units)
            self.entry_fee += fee
            self.units += units

    def pay_out(self, units: int, paid: float, fee: float, why: Reason) -> None:
        done = self.exit_units
        self.exit_average = (self.exit_average * done + paid * units) / (done + units) if done else paid
        self.exit_units, self.exit_fee, self.units = done + units, self.exit_fee + fee, self.units - units
        if self.units:
            return
        quantity = self.exit_units / 1e6
        pnl = self.side * quantity * (self.exit_average - self.entry) - self.entry_fee - self.exit_fee
        pnl += self.trade_funding
        self.trades.append(
            (self.entry_bar, self.t, self.side, self.exit_units, self.entry, self.exit_average, pnl, int(why))
        )
        self.realised += pnl
        self.won += max(pnl, 0.0)
        self.lost += max(-pnl, 0.0)
        is_flip = why in (Reason.SIGNAL_LONG, Reason.SIGNAL_SHORT)
        self.exit_side, self.exit_ts = 0 if is_flip else self.side, self.ts
        self.side = self.exit_units = 0
        self.exit_average = self.exit_fee = self.trade_funding = 0.0
        self.levels = None

    def marked(self, price: float) -> float:
        if not self.side:
            return 0.0
        result = self.side * (self.units / 1e6) * (price - self.entry) - self.entry_fee
        result += self.trade_funding
        if self.exit_units:
            result += self.side * (self.exit_units / 1e6) * (self.exit_average - self.entry) - self.exit_fee
        return result

    def pay_due(self, until: int) -> None:
        while self.payments and self.payments[0][0] <= until:
            _, rate, mark = self.payments[0]
            self.payments = self.payments[1:]
            if self.side:
                amount = -self.side * (self.units / 1e6) * mark * rate
                self.trade_funding += amount
                self.funding += amount

    # Orders ----------------------------------------------------------------------------------------

    def send(self, order: Rest, offset: int) -> Rest:
        rules, seed = self.config.exchange, self.config.seed
        order.act_ns = self.ts
        latency, jitter = round(rules.latency_ms * 1e6), round(rules.latency_jitter_ms * 1e6)
        if latency or jitter or rules.timeout_probability:
            order.act_ns += rules.interval_ns + latency
            order.act_ns += int(chance(seed, order.step, offset, LATENCY, 0) * jitter) if jitter else 0
            if chance(seed, order.step, offset, TIMEOUT, 0) < rules.timeout_probability:
                order.act_ns += round(rules.timeout_ms * 1e6)
        return order

    def withdraw(self, price: float, action: Action, gates: int = 0) -> None:
        order, self.open_order = self.open_order, None
        if order is not None:
            self.log(action, order.side, order.units - order.filled, price, order.why, gates)

    def is_rejected(self, order: Rest, offset: int) -> bool:
        order.tries += 1
        return (
            chance(self.config.seed, order.step, offset, REJECT, order.tries)
            < self.config.exchange.reject_probability
        )

    def act_close(self, price: float) -> None:
        order = self.close_order
        assert order is not None
        units = int(min(order.units - order.filled, self.capacity))
        if units <= 0:
            return
        if self.is_rejected(order, 0):
            self.log(Action.REJECTED, order.side, order.units - order.filled, price, order.why)
            return
        self.capacity -= units
        order.filled += units
        if order.filled >= order.units:
            self.close_order = None
        self.settle(order.side, units, price, order.why, None, False)

    def fill_entry(self, price: float, maker: bool) -> None:
        order = self.open_order
        assert order is not None
        units = int(min(order.units - order.filled, self.capacity))
        if units > 0:
            self.best = self.best if self.side else None
            self.capacity -= units
            order.filled += units
            if order.filled >= order.units:
                self.open_order = None
            self.settle(order.side, units, price, order.why, order, maker)
        if self.open_order is not None and self.config.exchange.time_in_force == "ioc":
            self.withdraw(price, Action.WITHDRAWN)

    def act_open(self, price: float) -> None:
        order = self.open_order
        assert order is not None
        side = order.side
        if order.until_bar and self.t >= order.until_bar:
            return self.withdraw(price, Action.WITHDRAWN)
        if not order.tries and self.is_rejected(order, 1):
            return self.withdraw(price, Action.REJECTED)
        if not order.limit:
            self.fill_entry(price, False)
        elif order.is_resting and side * price < side * order.limit:
            self.fill_entry(price, True)
        elif not order.is_resting and side * price <= side * order.limit:
            self.fill_entry(price, False)
        elif self.config.exchange.time_in_force == "ioc":
            self.withdraw(price, Action.WITHDRAWN)
        order.is_resting = bool(order.limit)
        return None

    def order_out(self, t: int, units: int, why: Reason) -> None:
        self.order_at(units, self.candles[t][4], why, units < self.units)

    def order_at(self, units: int, price: float, why: Reason, is_part: bool) -> Rest:
        order = Rest(self.t, -self.side, units, why, self.ts, is_part=is_part)
        self.close_order = self.send(order, 0)
        self.log(Action.CLOSE, -self.side, units, price, why)
        return order

    # One segment, one bar --------------------------------------------------------------------------

    def begin_segment(self, ts: int, price: float) -> None:
        self.ts = ts
        self.pay_due(ts)
        share = self.config.exchange.fill_share
        self.capacity = math.floor(share * self.last_volume * 1e6) if share else math.inf
        if self.close_order is not None and self.close_order.act_ns <= ts:
            self.act_close(price)
        order = self.open_order
        if order is not None and order.act_ns <= ts and self.side != -order.side:
            self.act_open(price)

    def is_bad_print(self, high: float, low: float) -> bool:
        guards = self.config.guards
        reach = max(abs(high - self.last_close), abs(low - self.last_close))
        if self.t == 0:
            return False
        if guards.glitch_move and reach >= guards.glitch_move * self.last_close:
            return True
        return bool(guards.glitch_atr) and reach > guards.glitch_atr * self.atr

    def maintenance(self, notional: float) -> float:
        rules = self.config.exchange
        at = max(i for i, (start, _) in enumerate(rules.maintenance) if notional >= start)
        return notional * rules.maintenance[at][1] - rules.deductions()[at]

    def liquidation_price(self, worst: float) -> float | None:
        rules, quantity, side = self.config.exchange, self.units / 1e6, self.side
        base = self.config.cash + self.realised + self.marked(self.entry)
        if base + side * quantity * (worst - self.entry) > self.maintenance(quantity * worst):
            return None
        tiers = [*rules.maintenance, (math.inf, 0.0)]
        for i, deduction in enumerate(rules.deductions()):
            (start, rate), (end, _) = tiers[i], tiers[i + 1]
            price = (side * quantity * self.entry - base - deduction) / (quantity * (side - rate))
            if start <= quantity * price < end:
                return price if price > 0.0 else worst
        return worst

    def leave_at(self, t: int, price: float, why: Reason, units: int) -> None:
        if self.config.stops != "intrabar":
            self.order_at(units, self.now_close, why, units < self.units)
            return
        now, is_part = int(min(units, self.capacity)), units < self.units
        self.log(Action.EXIT_IN_BAR, -self.side, units, price, why)
        if not is_part:
            self.close_order = None
            self.withdraw(price, Action.WITHDRAWN)
        self.capacity -= now
        if now:
            self.settle(-self.side, now, price, why, None, False)
        if now < units:
            self.order_at(units - now, self.now_close, why, is_part).act_ns = self.ts

    now_close: float = 0.0

    def walk_levels(self, open_: float, high: float, low: float, fresh: bool) -> None:
        side, levels, rules = self.side, self.levels, self.config.exchange
        worst, best = (low, high) if side > 0 else (high, low)
        is_inside = self.config.stops == "intrabar"
        assert levels is not None
        if rules.leverage:
            price = self.liquidation_price(worst)
            stop_is_first = levels.is_executed and is_inside and price and side * levels.stop >= side * price
            if price is not None and not stop_is_first:
                return self.liquidate(side * min(side * open_, side * price))
        if not levels.is_executed:
            return None
        if fresh:
            best = worst
        has_target = levels.target is not None and side * best >= side * levels.target
        if side * worst <= side * levels.stop:
            if is_inside or self.may_order():
                why = Reason.TRAILING_STOP if levels.has_moved else Reason.STOP
                self.leave_at(self.t, side * min(side * open_, side * levels.stop), why, self.units)
            return None
        has_part = levels.part and side * best >= side * levels.part_target and (is_inside or not has_target)
        if has_part and self.close_order is None:
            units = math.floor(self.units * levels.part)
            levels.part = 0.0
            self.tighten(self.entry)
            if units:
                self.leave_at(
                    self.t, side * max(side * open_, side * levels.part_target), Reason.PARTIAL_TARGET, units
                )
        if has_target and self.side and (is_inside or self.may_order()):
            assert levels.target is not None
            self.leave_at(self.t, side * max(side * open_, side * levels.target), Reason.TARGET, self.units)
        return None

    def may_order(self) -> bool:
        order = self.close_order
        return order is None or (order.is_part and order.step == self.t)

    def liquidate(self, price: float) -> None:
        self.log(Action.LIQUIDATED, -self.side, self.units, price, Reason.LIQUIDATION)
        self.close_order = None
        self.withdraw(price, Action.WITHDRAWN, Gate.LIQUIDATED)
        self.is_liquidated = True
        extra = self.config.exchange.liquidation_fee_bps / 1e4
        self.settle(-self.side, self.units, price, Reason.LIQUIDATION, None, False, extra)

    def walk_path(self, open_: float, high: float, low: float, close: float) -> None:
        order, fresh, rules = self.open_order, False, self.config.exchange
        self.now_close = close
        if order is not None and order.is_resting and self.side != -order.side:
            reach, side = (low if order.side > 0 else high), order.side
            touched = reach == order.limit and (
                chance(self.config.seed, order.step, 1, TOUCH, self.ts) < rules.touch_fill_probability
            )
            if side * reach < side * order.limit or touched:
                fresh = self.capacity > 0
                self.fill_entry(order.limit, True)
        if not self.side:
            return
        if not self.is_glitch:
            self.walk_levels(order.limit if fresh and order else open_, high, low, fresh)
        if self.side and not fresh:
            reach = high if self.side > 0 else low
            if self.best is None or self.side * reach > self.side * self.best:
                self.best = reach

    def end_bar(self) -> None:
        order, levels = self.close_order, self.levels
        if not self.side or levels is None or (order is not None and not order.is_part):
            return
        if levels.is_executed and self.best is not None and not self.is_glitch:
            if levels.trail is not None:
                self.tighten(self.best - self.side * levels.trail)
            if levels.breakeven is not None and self.side * self.best >= self.side * levels.breakeven:
                levels.breakeven = None
                self.tighten(self.entry)
        if levels.hold_bars and self.t - self.entry_bar + 1 >= levels.hold_bars and self.may_order():
            self.order_at(self.units, self.now_close, Reason.TIME_EXIT, False)
