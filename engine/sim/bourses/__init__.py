"""The exchanges of simulated worlds: our own sandbox, and the doubles of real venues and their adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.sim.bourses.contract import Bourse

if TYPE_CHECKING:
    from engine.sim.world import World


def _sandbox(world: World) -> Bourse:
    from engine.sim.bourses.sandbox import SandboxBourse

    return SandboxBourse(world)


def _hyperliquid(world: World) -> Bourse:
    from engine.sim.bourses.hyperliquid import HyperliquidBourse

    return HyperliquidBourse(world)


def _kraken(world: World) -> Bourse:
    from engine.sim.bourses.kraken import KrakenBourse

    return KrakenBourse(world)


BOURSES: Mapping[str, Callable[[World], Bourse]] = {
    "sandbox": _sandbox,
    "hyperliquid": _hyperliquid,
    "kraken": _kraken,
}
"""Venue -> how its side of a world is made; each is imported when it is wanted."""
