"""Planted bugs: each can be planted and taken back; the gravest are found within few seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.sim.runner import make_template
from engine.trading import machine
from tests.simulation.planted.catalogue import PLANTS
from tests.simulation.planted.hunting import hunt
from tests.simulation.planted.plant import Changes, Plant, planted

QUICK = ("duplicate_order", "signed_anew", "byte_ignored", "all_are_flatten")


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


@pytest.mark.parametrize("name", QUICK)
def test_a_grave_bug_is_found_within_few_seeds(name: str, tmp_path: Path) -> None:
    number = next(i for i, plant in enumerate(PLANTS) if plant.name == name)
    assert hunt(number, make_template(tmp_path), 6).by


def test_nothing_stays_planted() -> None:
    with pytest.raises(RuntimeError), planted(PLANTS[0]):
        raise RuntimeError
    assert "engine" in machine.__name__
