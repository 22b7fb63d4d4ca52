"""The sandbox's prices: a function of (seed, scenario, symbol, bar index), and a feed that paces them.

Because a bar depends on its index alone, an engine that was killed and started again finds the same
market further on, and two runs with one seed see equal events.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence

from seams.clock import NS_PER_S, Clock
from seams.rng import Rng
from venues.sandbox.scenarios import (
    DEFAULT_SYMBOLS,
    SCENARIOS,
    Regime,
    Scenario,
    Shock,
    Stall,
    SymbolSpec,
)
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent, Quote

MAX_BARS = 10_000_000
CRASH_DEPTH = 0.12
CRASH_RECOVERY = (0.35, 0.25, 0.20)


class SandboxMarket:
    """Seeded prices of all symbols, addressed by bar index; index 0 is the origin, history is below 0."""

    def __init__(
        self, *, seed: int, scenario: str | Scenario = "demo", symbols: Sequence[SymbolSpec] = DEFAULT_SYMBOLS
    ) -> None:
        assert symbols and len({spec.symbol for spec in symbols}) == len(symbols)
        if isinstance(scenario, str) and scenario not in SCENARIOS:
            raise ValueError(f"unknown scenario {scenario!r}; known: {', '.join(SCENARIOS)}")
        self.scenario = SCENARIOS[scenario] if isinstance(scenario, str) else scenario
        self.specs = {spec.symbol: spec for spec in symbols}
        rng = Rng(seed)
        self.seed = seed
        self._rng = rng
        self._latest: dict[str, tuple[int, int, list[float]]] = {}
        """The path last made of each symbol: its quotes and its bar are made of the same one."""
        self._walks = {spec.symbol: _Walk(spec, self.scenario, rng) for spec in symbols}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.specs)

    def path(self, symbol: str, index: int, ticks: int) -> list[float]:
        """Return `ticks + 1` mid prices of one bar, from its open to its close, on the tick grid."""
        assert ticks >= 1 and abs(index) < MAX_BARS
        made = self._latest.get(symbol)
        if made is not None and made[:2] == (index, ticks):
            return made[2]
        walk, spec = self._walks[symbol], self.specs[symbol]
        start, end, sigma = walk.open_log(index), walk.close_log(index), walk.regime(index).sigma
        gauss = self._rng.stream("path", symbol, index).gauss
        total, steps = 0.0, [0.0]
        for _ in range(ticks):
            total += gauss(0.0, 1.0)
            steps.append(total)
        scale = 0.6 * sigma / math.sqrt(ticks)
        prices = [
            round(
                math.exp(start + (end - start) * i / ticks + scale * (step - total * i / ticks)),
                spec.decimals,
            )
            for i, step in enumerate(steps)
        ]
        self._latest[symbol] = (index, ticks, prices)
        return prices

    def bar(self, symbol: str, index: int, *, open_ns: int, bar_ns: int, ticks: int) -> Bar:
        """Return one bar, equal to what its quotes added up to."""
        prices = self.path(symbol, index, ticks)
        chance = self._rng.stream("volume", symbol, index)
        return Bar(
            symbol=symbol,
            open_ns=open_ns,
            close_ns=open_ns + bar_ns,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=round(self.specs[symbol].bar_volume * math.exp(chance.gauss(0.0, 0.5)), 4),
        )

    def quote(self, symbol: str, mid: float, at_ns: int) -> Quote:
        """Return the best bid and offer around a mid price, both on the tick grid."""
        spec = self.specs[symbol]
        tick = float(spec.tick)
        below = spec.spread_ticks // 2
        bid = max(tick, round(mid - below * tick, spec.decimals))
        return Quote(
            symbol=symbol, at_ns=at_ns, bid=bid, ask=round(bid + spec.spread_ticks * tick, spec.decimals)
        )


class _Walk:
    """The logarithmic closes of one symbol, grown on demand: forwards from 0, backwards below it."""

    def __init__(self, spec: SymbolSpec, scenario: Scenario, rng: Rng) -> None:
        self._symbol, self._scenario, self._rng = spec.symbol, scenario, rng
        self._start = math.log(spec.start_price)
        self._gauss = rng.stream("walk", spec.symbol).gauss
        self._past_gauss = rng.stream("history", spec.symbol).gauss
        self._closes: list[float] = []
        self._past: list[float] = [self._start]

    def regime(self, index: int) -> Regime:
        if index < 0:
            return self._scenario.past
        regimes = self._scenario.regimes
        if len(regimes) == 1:
            return regimes[0]
        return self._rng.stream("regime", self._symbol, index // self._scenario.segment_bars).choice(regimes)

    def close_log(self, index: int) -> float:
        if index < 0:
            return self._past_log(-1 - index)
        while len(self._closes) <= index:
            self._closes.append(self._next_close())
        return self._closes[index]

    def open_log(self, index: int) -> float:
        """Return where a bar starts: the close before it, moved by a gap where the scenario has one."""
        before = self.close_log(index - 1)
        return before + (self._gap(index) if index >= 0 else 0.0)

    def _past_log(self, steps_back: int) -> float:
        while len(self._past) <= steps_back:
            last, past = self._past[-1], self._scenario.past
            self._past.append(
                last + past.kappa * (self._start - last) + past.sigma * self._past_gauss(0.0, 1.0)
            )
        return self._past[steps_back]

    def _next_close(self) -> float:
        index = len(self._closes)
        before = self._closes[-1] if self._closes else self._start
        regime = self.regime(index)
        drift = (
            regime.mu - regime.sigma**2 / 2 if regime.kappa == 0 else regime.kappa * (self._start - before)
        )
        return before + self._gap(index) + self._crash(index) + drift + regime.sigma * self._gauss(0.0, 1.0)

    def _gap(self, index: int) -> float:
        if self._scenario.shock is not Shock.GAP or self._bars_since_shock(index) != 0:
            return 0.0
        chance = self._rng.stream("gap", self._symbol, index)
        return chance.choice((-1.0, 1.0)) * chance.uniform(0.03, 0.06)

    def _crash(self, index: int) -> float:
        if self._scenario.shock is not Shock.CRASH:
            return 0.0
        since = self._bars_since_shock(index)
        if since == 0:
            return math.log(1.0 - CRASH_DEPTH)
        return (
            -math.log(1.0 - CRASH_DEPTH) * CRASH_RECOVERY[since - 1]
            if 0 < since <= len(CRASH_RECOVERY)
            else 0.0
        )

    def _bars_since_shock(self, index: int) -> int:
        since_first = index - self._scenario.shock_first_bar
        return since_first % self._scenario.shock_every_bars if since_first >= 0 else -1


class SandboxFeed:
    """A paced stream of one market's events, in a fixed order.

    At a bar's close come all `Bar`s, then all `BarOpen`s of the next, then the `Quote`s; symbols keep
    the market's order. Stamps are market time: the clock's time at the start, then `speed` market
    seconds per clock second (0: as fast as the loop allows). A feed that starts inside a bar sends no
    `BarOpen` for it. `origin_ns` is when bar 0 opened; keep it to find the same market after a restart.
    """

    def __init__(
        self,
        market: SandboxMarket,
        clock: Clock,
        *,
        bar_seconds: float = 60.0,
        speed: float = 1.0,
        ticks_per_second: float = 4.0,
        origin_ns: int | None = None,
        max_bars: int | None = None,
        stalls: Sequence[Stall] | None = None,
    ) -> None:
        assert bar_seconds > 0 and speed >= 0 and ticks_per_second > 0
        self.market, self._clock = market, clock
        self.bar_ns = round(bar_seconds * NS_PER_S)
        self.ticks = max(1, round(bar_seconds * ticks_per_second))
        self.origin_ns = clock.now_ns() // self.bar_ns * self.bar_ns if origin_ns is None else origin_ns
        self._speed, self._max_bars = speed, MAX_BARS if max_bars is None else max_bars
        self._stalls = tuple(market.scenario.stalls if stalls is None else stalls)
        self._stalled_until_ns: dict[str, int] = {}
        self._last_ns: int | None = None
        self._first_ns: int | None = None
        self._paths: tuple[int, dict[str, list[float]]] = (-MAX_BARS, {})
        self._is_stopped = False

    @property
    def name(self) -> str:
        return f"sandbox:{self.market.scenario.name}"

    @property
    def market_now_ns(self) -> int:
        """Return the market time of the latest event, or the clock's time before the first."""
        return self._clock.now_ns() if self._last_ns is None else self._last_ns

    def stall(self, symbol: str, seconds: float) -> None:
        """Send nothing about `symbol` for that many market seconds from now."""
        if symbol not in self.market.specs:
            raise KeyError(symbol)
        self._stalled_until_ns[symbol] = self.market_now_ns + round(seconds * NS_PER_S)

    def is_stalled(self, symbol: str, at_ns: int) -> bool:
        """Tell whether a stall, asked for or scheduled, covers this market time."""
        if at_ns < self._stalled_until_ns.get(symbol, 0):
            return True
        first_ns = at_ns if self._first_ns is None else self._first_ns
        return any(
            _covers(stall, (at_ns - first_ns) / NS_PER_S) for stall in self._stalls if stall.symbol == symbol
        )

    def stop(self) -> None:
        """End the feed at the next tick."""
        self._is_stopped = True

    def warmup_bars(self, symbol: str, n: int) -> list[Bar]:
        """Return the `n` closed bars before the present one, oldest first."""
        assert 0 <= n < MAX_BARS
        last = (self.market_now_ns - self.origin_ns) // self.bar_ns
        return [self._bar(symbol, index) for index in range(last - n, last)]

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Yield events until `stop` or `max_bars` closes, then `FeedEnd`; called again, it goes on."""
        self._is_stopped = False
        begin_ns = self._begin_ns()
        self._first_ns = begin_ns if self._first_ns is None else self._first_ns
        started_ns = self._clock.monotonic_ns()
        count = self._tick_count_at(begin_ns)
        first_bar = count // self.ticks
        while not self._is_stopped:
            index, tick = divmod(count, self.ticks)
            at_ns = self._tick_ns(index, tick)
            await self._wait_until(at_ns - begin_ns, started_ns)
            self._last_ns = at_ns
            for event in self._at_tick(index, tick, at_ns, has_close=index > first_bar):
                yield event
            if index - first_bar >= self._max_bars:
                break
            count += 1
        yield FeedEnd(reason="stopped" if self._is_stopped else "max_bars")

    def _begin_ns(self) -> int:
        """Return where to start or go on: never twice at one tick, never behind the clock."""
        if self._last_ns is None:
            return self._clock.now_ns()
        return max(self._last_ns + 1, self._clock.now_ns() if self._speed == 1.0 else 0)

    def _tick_count_at(self, at_ns: int) -> int:
        """Return the number, from the origin, of the first tick at or after a market time."""
        index, into_ns = divmod(at_ns - self.origin_ns, self.bar_ns)
        return index * self.ticks + -(-into_ns * self.ticks // self.bar_ns)

    def _tick_ns(self, index: int, tick: int) -> int:
        return self.origin_ns + index * self.bar_ns + tick * self.bar_ns // self.ticks

    async def _wait_until(self, due_market_ns: int, started_ns: int) -> None:
        """Sleep until that much market time has passed; give other tasks a turn in any case."""
        wait_s = 0.0
        if self._speed > 0:
            passed_ns = self._clock.monotonic_ns() - started_ns
            wait_s = max(0.0, (due_market_ns / self._speed - passed_ns) / NS_PER_S)
        await self._clock.sleep(wait_s)

    def _at_tick(self, index: int, tick: int, at_ns: int, *, has_close: bool) -> list[MarketEvent]:
        """Return everything due at one tick, in the feed's order."""
        symbols = [symbol for symbol in self.market.symbols if not self.is_stalled(symbol, at_ns)]
        events: list[MarketEvent] = []
        if tick == 0 and has_close:
            events += [self._bar(symbol, index - 1) for symbol in symbols]
        paths = self._paths_of(index)
        if tick == 0:
            events += [BarOpen(symbol=symbol, open_ns=at_ns, price=paths[symbol][0]) for symbol in symbols]
        events += [self.market.quote(symbol, paths[symbol][tick], at_ns) for symbol in symbols]
        return events

    def _paths_of(self, index: int) -> dict[str, list[float]]:
        if self._paths[0] != index:
            self._paths = index, {s: self.market.path(s, index, self.ticks) for s in self.market.symbols}
        return self._paths[1]

    def _bar(self, symbol: str, index: int) -> Bar:
        open_ns = self._tick_ns(index, 0)
        return self.market.bar(symbol, index, open_ns=open_ns, bar_ns=self.bar_ns, ticks=self.ticks)


def _covers(stall: Stall, elapsed_s: float) -> bool:
    into_s = elapsed_s - stall.after_s
    if into_s < 0:
        return False
    return (into_s % stall.every_s if stall.every_s > 0 else into_s) < stall.for_s
