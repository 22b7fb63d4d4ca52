"""Hunt one planted bug: run seeds until an invariant breaks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.sim.runner import run_seed
from tests.simulation.planted.catalogue import PLANTS
from tests.simulation.planted.plant import planted

FIRST_SEED = 1


class Found(NamedTuple):
    """How one bug was found: by which invariant, in the how-manieth seed, after how many faults."""

    name: str
    breaks: str
    is_p0: bool
    by: str
    seeds: int
    faults: int


def hunt(number: int, template: Path, seeds: int) -> Found:
    """Run seeds with one bug planted until an invariant breaks."""
    plant = PLANTS[number]
    faults = 0
    with planted(plant):
        for count, seed in enumerate(range(FIRST_SEED, FIRST_SEED + seeds), 1):
            try:
                result, _ = run_seed(seed, template, stops_at_first=True)
            except Exception as error:  # the bug broke the simulated world itself: seen at once
                by = f"crash ({type(error).__name__})"
                return Found(plant.name, plant.breaks, plant.is_p0, by, count, faults)
            faults += sum(result.faults.values())
            if result.violations:
                by = ", ".join(
                    sorted({each.invariant for each in result.violations}, key=lambda n: int(n[1:]))
                )
                return Found(plant.name, plant.breaks, plant.is_p0, by, count, faults)
    return Found(plant.name, plant.breaks, plant.is_p0, "", seeds, faults)
