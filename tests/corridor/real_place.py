"""A corridor whose engine is configured for a real venue, on a loopback double, with what gathers its facts.

The doubles are given days and minutes of the past, as a real venue has them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.api.corridor import SessionState, Step
from engine.daemon import Seams, build_core
from engine.keeping import venue_desk
from engine.sim.world import ENVIRON
from engine.trading.custody import Custody, Verdict
from engine.venue import mark_orders
from engine.venue_desk import VenueDesk
from safety.killbyte import KillByte
from seams.clock import NS_PER_MS, NS_PER_S
from seams.rng import Rng
from seams.virtual import VirtualLoop, run_virtual
from tests.corridor.halls import Hall, House
from tests.corridor.stages import STAGES, HyperliquidStage, KrakenStage
from tests.venues.hyperliquid_desk import AGENT, ASKER, MASTER
from tests.venues.test_hyperliquid_adapter import Rig as HyperliquidRig
from venues.sandbox.hyperliquid.candles import Candle as HyperliquidCandle
from venues.sandbox.kraken.candles import Candle as KrakenCandle
from venues.types import Bar

MINUTE_NS, DAY_NS = 60 * NS_PER_S, 86_400 * NS_PER_S
PAST_DAYS, PAST_MINUTES, WARM_S = 120, 40, 75
REAL = {
    **ENVIRON,
    "INTERLOCK_ENGINE__ENVIRONMENT": "testnet",
    "INTERLOCK_EXECUTION__ALLOWED_STRATEGIES": '["operator"]',
    "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.03",
}


def past_bars(symbol: str, now_ns: int, step_ns: int, count: int, spread: float) -> list[Bar]:
    """Return seeded bars that end with the one that closed last; each opens where the one before closed."""
    random, end_ns = Rng(7).stream(symbol, step_ns), now_ns // step_ns * step_ns
    price, found = 60_000.0, list[Bar]()
    for index in range(count, 0, -1):
        close = round(price * math.exp(random.gauss(0.0, spread) - math.log(price / 60_000) / 20), 1)
        high, low = max(price, close) + 1.0, min(price, close) - 1.0
        open_ns = end_ns - index * step_ns
        found.append(
            Bar(symbol=symbol, open_ns=open_ns, close_ns=open_ns + step_ns, open=price, high=high, low=low,
                close=close, volume=5.0)
        )  # fmt: skip
        price = close
    return found


def remember(
    stage: HyperliquidStage | KrakenStage | HyperliquidRig, minutes: list[Bar], days: list[Bar]
) -> None:
    """Give a double this past."""
    if not isinstance(stage, KrakenStage):
        candles = stage.exchange.candles
        candles._minutes.clear()
        candles.past("BTC", [_hyperliquid(bar) for bar in minutes])
        candles.past_days("BTC", [_hyperliquid(bar) for bar in days])
        return
    kept = stage.exchange.public.candles["XXBTZUSD"]
    for length, bars in ((1, minutes), (1_440, days)):
        kept._kept[length].clear()
        kept.past(length, [_kraken(bar) for bar in bars])


def _hyperliquid(bar: Bar) -> HyperliquidCandle:
    start_ms, end_ms = bar.open_ns // NS_PER_MS, bar.close_ns // NS_PER_MS - 1
    return HyperliquidCandle(start_ms, end_ms, bar.open, bar.high, bar.low, bar.close, bar.volume, 3)


def _kraken(bar: Bar) -> KrakenCandle:
    prices = (Decimal(repr(each)) for each in (bar.open, bar.high, bar.low, bar.close, bar.volume))
    return KrakenCandle(bar.open_ns, *prices)


class RealHouse(House):
    """A house whose engine says `testnet`; arming is played elsewhere, everything else is as it would be."""

    environ: dict[str, str] = REAL
    desk: VenueDesk

    def _build(self) -> Custody:
        seams = Seams(self.stage.clock, None, Rng(1), self.disk, pid=1, commit="0" * 40)
        allowed = {
            "INTERLOCK_EXECUTION__ALLOWED_VENUES": f'["{self.stage.name}"]',
            "INTERLOCK_EXECUTION__ALLOWED_SYMBOLS": f'["{self.stage.symbol}"]',
        }
        core = build_core(seams, self.folder, {**allowed, **self.environ}, KillByte.anonymous())
        mark_orders(self.stage.adapter, core)
        custody = Custody(core, self.stage.adapter, "a")
        desk = venue_desk(core, custody)
        assert desk is not None and core.market is not None
        self.desk = desk
        custody.load()
        return custody

    async def restart(self) -> None:
        await self.desk.close()
        await super().restart()


class RealHall(Hall):
    """A corridor at a real venue; `live` lets everything that an engine tends go on for a while."""

    house: RealHouse
    bid = 60_000.0

    async def quote(self) -> None:
        self.stage.quote(self.bid, self.bid + 10)
        await self.stage.clock.sleep(0.01)

    async def live(self, seconds: float, *, is_quoted: bool = True, is_still: bool = False) -> None:
        """Let the engine and the market go on; a market that is still says the same again and again."""
        core, clock = self.house.custody.core, self.stage.clock
        until_ns = clock.monotonic_ns() + int(seconds * NS_PER_S)
        while clock.monotonic_ns() < until_ns:
            second = clock.monotonic_ns() // NS_PER_S
            if is_quoted:
                bid = self.bid + (0 if is_still else second % 2)
                self.stage.quote(bid, bid + 10)
                if second % 10 == 0:  # somebody buys: a minute without a trade has no candle at Kraken
                    self.stage.trade(bid + 10, 0.0001, is_buy=True)
            core.lease.take("ann", "c1", "she watches", core.moment())
            self.house.desk.tend()
            await self.house.custody.tend()
            await clock.sleep(1.0)

    async def do(self, session_id: str, step: Step, **fields: Any) -> SessionState:
        await self.live(1.0)
        return await super().do(session_id, step, **fields)


def in_real_hall(
    venue: str,
    folder: Path,
    scene: Callable[[RealHall], Awaitable[None]],
    before: Callable[[HyperliquidStage | KrakenStage], None] = lambda stage: None,
    **environ: str,
) -> None:
    """Play one scene at a double that stands for a real venue; `before` may spoil it before anybody asks."""
    loop = VirtualLoop()

    async def play() -> None:
        stage = STAGES[venue](loop)
        if isinstance(stage, HyperliquidStage):
            for number, agent in enumerate((AGENT, ASKER)):  # the venue tells the end of a named agent
                stage.exchange.add_agent(MASTER.address, agent.address, f"a{number}")
        now_ns = stage.clock.now_ns()
        minutes = past_bars(stage.symbol, now_ns, MINUTE_NS, PAST_MINUTES, 0.0002)
        remember(stage, minutes, past_bars(stage.symbol, now_ns, DAY_NS, PAST_DAYS, 0.02))
        before(stage)
        made = type("House", (RealHouse,), {"environ": {**REAL, **environ}})
        house = made(folder, stage)
        await stage.up()
        hall = RealHall(house)
        await hall.quote()
        assert await house.settle() is Verdict.CLEAN, house.custody.differences
        await hall.live(WARM_S)
        await scene(hall)
        await house.desk.close()
        await stage.down()

    run_virtual(play(), loop)
