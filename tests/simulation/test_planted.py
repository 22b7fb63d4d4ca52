"""Planted bugs: each can be planted and taken back; what a hunt found is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.sim.runner import make_template
from engine.sim.table import INVARIANTS
from engine.trading import machine
from tests.simulation.planted.catalogue import PLANTS
from tests.simulation.planted.hunting import PINS, hunt
from tests.simulation.planted.plant import Changes, Plant, planted

PINNED = json.loads(PINS.read_text())
"""Each bug's finding seed and the invariants that it broke there, as the last whole hunt wrote them."""
SEEDS = 12
"""How many more seeds are looked at where the pinned one finds nothing any more: the world has changed."""
NOT_FOUND: frozenset[str] = frozenset()
"""Bugs that the last whole hunt did not find: a debt, named here so that it can only shrink unnoticed."""
SILENT: frozenset[str] = frozenset()
"""Invariants that no planted bug broke in its pinned seed, run to the end: a check that never fired proves
nothing."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


def test_the_catalogue_has_at_least_sixty_bugs_and_names_each_once() -> None:
    names = [plant.name for plant in PLANTS]
    assert len(names) >= 60 and len(set(names)) == len(names)
    assert sum(plant.is_p0 for plant in PLANTS) >= 30


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_bug_changes_our_code_and_is_taken_back(plant: Plant) -> None:
    rows = dict(machine.TABLE)
    seen: list[tuple[object, str, object]] = []

    class Watching(Changes):
        def set(self, owner: object, name: str, value: object) -> None:
            seen.append((owner, name, owner.__dict__[name]))
            super().set(owner, name, value)

    changes = Watching()
    plant.change(changes)
    assert dict(machine.TABLE) != rows or any(o.__dict__[n] is not old for o, n, old in seen)
    changes.take_back()
    assert dict(machine.TABLE) == rows
    assert all(owner.__dict__[name] is old for owner, name, old in seen)


def _hunt(plant: Plant, template: Path) -> str:
    number = PLANTS.index(plant)
    return hunt(number, template, SEEDS, PINNED[plant.name]["seed"]).by


@pytest.mark.parametrize(
    "plant", [each for each in PLANTS if each.is_p0 and each.name in PINNED], ids=lambda plant: plant.name
)
def test_every_grave_bug_that_was_found_is_found_again(plant: Plant, template: Path) -> None:
    assert _hunt(plant, template)


@pytest.mark.slow
@pytest.mark.parametrize(
    "plant", [each for each in PLANTS if each.name in PINNED and not each.is_p0], ids=lambda plant: plant.name
)
def test_every_other_bug_that_was_found_is_found_again(plant: Plant, template: Path) -> None:
    assert _hunt(plant, template)


def test_what_the_last_hunt_did_not_find_and_did_not_bite_is_named() -> None:
    assert {plant.name for plant in PLANTS} - set(PINNED) == NOT_FOUND
    bitten = {number for found in PINNED.values() for number in found["by"]}
    assert set(INVARIANTS) - bitten == SILENT


def test_nothing_stays_planted() -> None:
    with pytest.raises(RuntimeError), planted(PLANTS[0]):
        raise RuntimeError
    assert "engine" in machine.__name__
