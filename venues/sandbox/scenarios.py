"""The sandbox's symbols and scenarios, as tables.

Drift and volatility are per bar, whatever a bar's length (schemas.md, "Scenarios"). A desk that is watched in
seconds has bars of a second: `in_bars_of` gives it the same market at its own pace.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from math import sqrt

from venues.types import Instrument, Record

VENUE_NAME = "sandbox"


class SymbolSpec(Record):
    """One simulated symbol: `decimals` is the number of decimals of its tick."""

    symbol: str
    start_price: float
    tick: Decimal
    decimals: int
    lot: Decimal
    spread_ticks: int
    bar_volume: float


DEFAULT_SYMBOLS: tuple[SymbolSpec, ...] = (
    SymbolSpec(
        symbol="BTC-PERP",
        start_price=64_250.0,
        tick=Decimal("0.1"),
        decimals=1,
        lot=Decimal("0.0001"),
        spread_ticks=5,
        bar_volume=18.0,
    ),
    SymbolSpec(
        symbol="ETH-PERP",
        start_price=3_140.0,
        tick=Decimal("0.01"),
        decimals=2,
        lot=Decimal("0.001"),
        spread_ticks=6,
        bar_volume=260.0,
    ),
    SymbolSpec(
        symbol="SOL-PERP",
        start_price=146.0,
        tick=Decimal("0.001"),
        decimals=3,
        lot=Decimal("0.01"),
        spread_ticks=6,
        bar_volume=4_200.0,
    ),
    SymbolSpec(
        symbol="XRP-PERP",
        start_price=0.52,
        tick=Decimal("0.0001"),
        decimals=4,
        lot=Decimal("1"),
        spread_ticks=1,
        bar_volume=410_000.0,
    ),
)


class Regime(Record):
    """How one bar's logarithmic price moves: drift and volatility, or a pull to the start price."""

    mu: float
    sigma: float
    kappa: float


BULL = Regime(mu=0.0008, sigma=0.006, kappa=0.0)
BEAR = Regime(mu=-0.0010, sigma=0.009, kappa=0.0)
SIDEWAYS = Regime(mu=0.0, sigma=0.004, kappa=0.05)
DEMO_UP = Regime(mu=0.00012, sigma=0.0004, kappa=0.0)
DEMO_DOWN = Regime(mu=-0.00010, sigma=0.0005, kappa=0.0)
DEMO_SIDEWAYS = Regime(mu=0.0, sigma=0.0003, kappa=0.05)
"""The demo's bars are a second long: moves small enough that a ticket is still good when it is read."""


class Shock(StrEnum):
    """What a scenario adds to its regime at fixed bars."""

    NONE = "none"
    CRASH = "crash"
    GAP = "gap"


class Stall(Record):
    """A window without events of one symbol, in market seconds after the feed's first event.

    `every_s` repeats the window; 0 means once.
    """

    symbol: str
    after_s: float
    for_s: float
    every_s: float = 0.0


class Scenario(Record):
    """One named market: the regimes drawn from (one per `segment_bars`), its shock, its stalls.

    `bar_s` is the length of the bars that its numbers are meant for, `past` the regime before its first bar.
    """

    name: str
    regimes: tuple[Regime, ...]
    bar_s: float = 60.0
    past: Regime = SIDEWAYS
    segment_bars: int = 30
    shock: Shock = Shock.NONE
    shock_first_bar: int = 20
    shock_every_bars: int = 120
    stalls: tuple[Stall, ...] = ()


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="bull", regimes=(BULL,)),
        Scenario(name="bear", regimes=(BEAR,)),
        Scenario(name="sideways", regimes=(SIDEWAYS,)),
        Scenario(name="flash-crash", regimes=(SIDEWAYS,), shock=Shock.CRASH),
        Scenario(name="gap", regimes=(SIDEWAYS,), shock=Shock.GAP, shock_every_bars=40),
        Scenario(
            name="stale-feed",
            regimes=(SIDEWAYS,),
            stalls=(Stall(symbol="ETH-PERP", after_s=30.0, for_s=45.0, every_s=180.0),),
        ),
        Scenario(
            name="demo",
            regimes=(DEMO_UP, DEMO_DOWN, DEMO_SIDEWAYS),
            bar_s=1.0,
            past=DEMO_SIDEWAYS,
            stalls=(Stall(symbol="XRP-PERP", after_s=75.0, for_s=30.0, every_s=600.0),),
        ),
    )
}


WATCHED_SHOCK_FIRST_S, WATCHED_SHOCK_EVERY_S = 90.0, 600.0
"""When a watched market has its shocks. A jump stands in the drift rule's window for five minutes: shocks
that come faster leave a desk that may never enter, and so nothing to rehearse them on."""


def in_bars_of(scenario: Scenario, bar_s: float) -> Scenario:
    """Return the scenario for a desk with shorter bars: as wild in an hour as it is, not as wild in a bar.

    A regime's drift and pull go with a bar's length, its volatility with the root of it. A shock keeps its
    size and comes by the watch.
    """
    assert bar_s > 0
    if bar_s >= scenario.bar_s:
        return scenario
    share = bar_s / scenario.bar_s
    return Scenario(
        name=scenario.name,
        regimes=tuple(_slower(regime, share) for regime in scenario.regimes),
        bar_s=bar_s,
        past=_slower(scenario.past, share),
        segment_bars=round(scenario.segment_bars / share),
        shock=scenario.shock,
        shock_first_bar=round(WATCHED_SHOCK_FIRST_S / bar_s),
        shock_every_bars=round(WATCHED_SHOCK_EVERY_S / bar_s),
        stalls=scenario.stalls,
    )


def _slower(regime: Regime, share: float) -> Regime:
    return Regime(mu=regime.mu * share, sigma=regime.sigma * sqrt(share), kappa=regime.kappa * share)


def instrument_of(spec: SymbolSpec, maker_fee_bps: Decimal, taker_fee_bps: Decimal) -> Instrument:
    """State a simulated symbol as a venue would; the smallest order is 10 USD."""
    return Instrument(
        symbol=spec.symbol,
        venue=VENUE_NAME,
        tick=spec.tick,
        lot=spec.lot,
        min_notional_usd=Decimal(10),
        maker_fee_bps=maker_fee_bps,
        taker_fee_bps=taker_fee_bps,
    )
