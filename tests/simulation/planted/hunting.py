"""Hunt one planted bug: run seeds until an invariant breaks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.sim.runner import SeedResult, run_seed
from tests.simulation.planted.catalogue import PLANTS
from tests.simulation.planted.plant import planted

FIRST_SEED = 1
PINS = Path(__file__).with_name("seeds.json")
"""The seed that found each bug when last hunted: looked at first, so that the test is cheap."""


class Found(NamedTuple):
    """How one bug was found: by which invariant, in the how-manieth seed (`seed`), after how many faults."""

    name: str
    breaks: str
    is_p0: bool
    by: str
    seeds: int
    faults: int
    seed: int = 0
    """The seed that found it; 0 where none did."""


def hunt(number: int, template: Path, seeds: int, pinned: int = 0) -> Found:
    """Run seeds with one bug planted until an invariant breaks; a `pinned` seed is run before all others."""
    plant = PLANTS[number]
    faults = 0
    chosen = [*([pinned] if pinned else []), *range(FIRST_SEED, FIRST_SEED + seeds)]
    with planted(plant):
        for count, seed in enumerate(chosen, 1):
            result, _ = run_seed(seed, template, stops_at_first=True)
            faults += sum(result.faults.values())
            if result.violations:
                by = ", ".join(broken_in(result))
                return Found(plant.name, plant.breaks, plant.is_p0, by, count, faults, seed)
    return Found(plant.name, plant.breaks, plant.is_p0, "", len(chosen), faults)


def bites(name: str, seed: int, template: Path) -> list[str]:
    """Return every invariant that a bug breaks in one seed that is run to its end."""
    plant = next(each for each in PLANTS if each.name == name)
    with planted(plant):
        return broken_in(run_seed(seed, template)[0])


def broken_in(result: SeedResult) -> list[str]:
    """Return the invariants that did not hold, by number."""
    return sorted({each.invariant for each in result.violations}, key=lambda name: int(name[1:]))
