"""The twin of a portfolio over bars of the same times: collect, rank, then consume places and caps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from native import reference
from native.codes import Gate, Reason
from native.indicators import ADX
from native.intents import KernelConfig
from native.rules import PortfolioRules
from native.strategy import Signal
from tests.reference.exchange import Candle, Exchange

MOMENTUM_BARS = 20
NAMED = ("stop", "target", "trail", "partial", "breakeven")


NOTHING = Gate(0)


@dataclass
class Collecting(Exchange):
    """A lane of the twin whose entries wait for their turn."""

    waiting: tuple[Signal, Reason, float, bool] | None = None
    blocks: Gate = NOTHING

    def enter(self, signal: Signal, why: Reason, close: float, had_orders: bool) -> None:
        self.waiting = (signal, why, close, had_orders)

    def gates(self, signal: Signal, units: int, close: float, had_orders: bool) -> Gate:
        return super().gates(signal, units, close, had_orders) | self.blocks

    def bound(self, close: float) -> list[tuple[int, float, float | None]]:
        """(side, quantity, stop or None) of the position, unless it leaves whole, and of a coming entry."""
        found: list[tuple[int, float, float | None]] = []
        order = self.open_order
        if self.side and not (self.close_order and not self.close_order.is_part):
            levels = self.levels
            found.append(
                (self.side, self.units / 1e6, levels.stop if levels and levels.is_executed else None)
            )
        if order is not None:
            levels = order.levels
            stop = levels.stop if levels and levels.is_executed else None
            found.append((order.side, (order.units - order.filled) / 1e6, stop))
        return found

    def stop_distance(self, signal: Signal, close: float) -> float | None:
        if signal.stop:
            return signal.stop
        if not any(getattr(signal, name) for name in NAMED):
            return None
        return self.config.stop_atr * self.atr or close * (self.config.stop_fallback_bps / 1e4)


@dataclass
class Bound:
    """What the account has bound, added up in the order in which it came about."""

    places: int = 0
    entries: int = 0
    notional: float = 0.0
    symbols: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    alts: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    risked: float = 0.0
    is_blind: bool = False

    def add(
        self, symbol: str, is_alt: bool, side: int, quantity: float, close: float, stop: float | None
    ) -> None:
        value = quantity * close
        self.notional += value
        self.symbols[symbol] += value
        if is_alt:
            self.alts[side] += value
        if stop is None:
            self.is_blind = True
        else:
            self.risked += quantity * max(side * (close - stop), 0.0)


def rank_of(strength: float) -> float:
    return 2.0 if strength >= 1.0 else 1.0 if strength >= 0.5 else 0.0


def score(rule: str, signal: Signal, adx: float, atr: float, closes: Sequence[float]) -> float:
    """The order of one candidate: tiers of strength, then the measure."""
    if rule == "strength":
        return signal.strength
    value, percent = 0.0, 100.0 * atr / closes[-1]
    if rule == "adx":
        value = adx
    elif rule == "momentum" and len(closes) >= MOMENTUM_BARS:
        move = signal.side * 100.0 * (closes[-1] / closes[-MOMENTUM_BARS] - 1.0)
        value = 50.0 + 50.0 * move / (1.0 + abs(move))
    elif rule in ("volatility", "calm") and atr > 0.0:
        bounded = 100.0 * percent / (1.0 + percent)
        value = bounded if rule == "volatility" else 100.0 - bounded
    return rank_of(signal.strength) * 100.0 + value


def run_twin(
    config: KernelConfig,
    markets: Sequence[Sequence[Candle]],
    scripts: Sequence[Sequence[Signal | int | None]],
    names: Sequence[str],
) -> list[Collecting]:
    """Step lanes over aligned bars, one strategy on each symbol of `names`."""
    lanes = [Collecting(config, [c[:5] for c in m], candles=m) for m in markets]
    ranges = [reference.atr([c[:5] for c in m]) for m in markets]
    trends = [ADX(14) for _ in markets]
    for t in range(len(markets[0])):
        ties = [trend.update(*m[t][2:5]) for trend, m in zip(trends, markets, strict=True)]
        for lane, atr, script in zip(lanes, ranges, scripts, strict=True):
            lane.step(t, atr[t], script[t])
        serve(config, lanes, t, ties, names)
    return lanes


def serve(
    config: KernelConfig, lanes: Sequence[Collecting], t: int, ties: Sequence[float], names: Sequence[str]
) -> None:
    """Serve the candidates of one time in their order."""
    rules, bound = config.portfolio, Bound()
    closes = [[candle[4] for candle in lane.candles[: t + 1]] for lane in lanes]
    for x, lane in enumerate(lanes):
        held = lane.bound(closes[x][-1])
        bound.places += len(held) > 0
        for each in held:
            bound.add(names[x], is_alt(names[x], rules), each[0], each[1], closes[x][-1], each[2])
    equity = config.cash
    for x, lane in enumerate(lanes):
        equity += lane.realised + lane.marked(closes[x][-1])
    waiting = [x for x in range(len(lanes)) if lanes[x].waiting is not None]
    order = {
        x: -score(rules.rank, lanes[x].waiting[0], ties[x], lanes[x].atr, closes[x])  # type: ignore[index]
        for x in waiting
    }
    for x in sorted(waiting, key=lambda x: (order[x], names[x], x)):
        enter(lanes[x], names[x], bound, rules, equity)


def enter(lane: Collecting, name: str, bound: Bound, rules: PortfolioRules, equity: float) -> None:
    """One candidate in its turn."""
    assert lane.waiting is not None
    signal, why, close, had_orders = lane.waiting
    lane.waiting, lane.blocks = None, Gate(0)
    left = [math.inf]
    left += [rules.max_notional_usd - bound.notional] if rules.max_notional_usd else []
    left += [rules.max_symbol_notional_usd - bound.symbols[name]] if rules.max_symbol_notional_usd else []
    # Every lane of the twin runs the same strategy.
    left += [rules.max_strategy_notional_usd - bound.notional] if rules.max_strategy_notional_usd else []
    room = min(left)
    if bound.entries >= rules.max_entries or bound.places >= rules.max_positions or room <= 0.0:
        lane.blocks |= Gate.CAPACITY
    lane.room = room if room > 0.0 else math.inf
    quantity = lane.size(signal, close) / 1e6
    cap = rules.max_alt_longs_usd if signal.side > 0 else rules.max_alt_shorts_usd
    if cap and is_alt(name, rules) and bound.alts[signal.side] + quantity * close > cap:
        lane.blocks |= Gate.EXPOSURE
    distance = lane.stop_distance(signal, close)
    if rules.max_heat and (
        bound.is_blind or distance is None or bound.risked + quantity * distance > rules.max_heat * equity
    ):
        lane.blocks |= Gate.HEAT
    before = lane.open_order
    Exchange.enter(lane, signal, why, close, had_orders)
    order = lane.open_order
    if order is not None and order is not before:
        bound.entries += 1
        bound.places += 1
        levels = order.levels
        stop = levels.stop if levels and levels.is_executed else None
        bound.add(name, is_alt(name, rules), order.side, order.units / 1e6, close, stop)


def is_alt(name: str, rules: PortfolioRules) -> bool:
    return name not in rules.majors
