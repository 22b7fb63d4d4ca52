"""The suite: every case once, and how one of them is run on one venue.

A case that needs what a venue by its capabilities lacks is not skipped: the venue is shown to refuse it,
with its reason code and without a byte sent (`tests/conformance/denials.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from seams.virtual import VirtualLoop, run_virtual
from tests.conformance.bench import Bench
from tests.conformance.rig import Rig
from venues.contract import Capabilities

Scene = Callable[[Bench], Awaitable[None]]


class Need(StrEnum):
    """What a case may need of a venue."""

    FENCE = "fence"
    REPLACE = "replace"
    REDUCE_ONLY = "reduce_only"
    FUNDING = "funding"
    SUB_ACCOUNTS = "sub_accounts"
    BUDGET = "request_budget"
    DEAD_MAN = "dead_man_switch"
    STATE = "state_channel"
    BALANCES = "pushed_balances"
    MARGIN = "margin"

    def is_met(self, can: Capabilities) -> bool:
        """Tell whether a venue has it."""
        if self is Need.MARGIN:
            return not can.pays_in_full
        found: bool = getattr(can, f"has_{self}")
        return found


class Case(NamedTuple):
    """One thing that every adapter must do."""

    name: str
    group: str
    needs: Need | None
    is_limited: bool
    scene: Scene


class Verdict(StrEnum):
    PASSED = "passed"
    REFUSED = "refused"
    """The venue lacks it, and was shown to say so."""


CASES: dict[str, Case] = {}
DENIALS: dict[Need, Scene] = {}


def case(needs: Need | None = None, *, is_limited: bool = False) -> Callable[[Scene], Scene]:
    """Enter a case; its group is the module that it stands in. `is_limited`: the request budget is real."""

    def enter(scene: Scene) -> Scene:
        name, group = getattr(scene, "__name__", ""), scene.__module__.rpartition(".")[2]
        assert name not in CASES, f"two cases are called {name}"
        CASES[name] = Case(name, group, needs, is_limited, scene)
        return scene

    return enter


def denial(need: Need) -> Callable[[Scene], Scene]:
    """Enter how a venue without this is shown to refuse it."""

    def enter(scene: Scene) -> Scene:
        DENIALS[need] = scene
        return scene

    return enter


def run(found: Case, rig: type[Rig]) -> Verdict:
    """Run one case on one venue, in a world of its own. Raises whatever the case does not accept."""
    loop = VirtualLoop()

    async def play() -> Verdict:
        bench = Bench(rig(loop, is_limited=found.is_limited))
        await bench.start()
        try:
            if found.needs is not None and not found.needs.is_met(bench.capabilities):
                await DENIALS[found.needs](bench)
                return Verdict.REFUSED
            await found.scene(bench)
            return Verdict.PASSED
        finally:
            await bench.close()

    return run_virtual(play(), loop)
