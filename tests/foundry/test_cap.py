"""`max_contracts`: no entry becomes larger however it is sized, interpreted and forged alike."""

from __future__ import annotations

import numpy as np
import pytest

from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import load
from engine.lifecycle.foundry.grammar import read_sentence
from engine.lifecycle.foundry.rows import with_table
from engine.lifecycle.foundry.twin import to_python
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.rules import SizingRules
from native.selfcheck import random_bars
from native.strategy import Strategy
from tests.docs.test_references import ROOT
from tests.forge.conftest import columns, python_class

CAPPED = "EMA crossover 3/8 with notional cap of {} contracts"
MARKET = columns(random_bars(3, 1_500))


def source(contracts: str) -> str:
    return to_python(read_sentence("strategy", "some_name", CAPPED.format(contracts)))


def run(strategy: object, config: KernelConfig | None = None, lot: float = 1e-6) -> Kernel:
    lane = LaneSpec(symbol="X", strategy=strategy, lot=lot)  # type: ignore[arg-type]
    kernel = Kernel(config or KernelConfig(), [lane])
    kernel.replay(0, *MARKET)
    return kernel


def largest(kernel: Kernel) -> float:
    return float(kernel.trades()["units"].max()) / 1e6


@pytest.mark.parametrize("sizing", ["notional", "equity", "risk"])
def test_no_entry_is_larger_however_it_is_sized(sizing: str) -> None:
    config = KernelConfig(sizing=SizingRules(mode=sizing, fraction=0.5))  # type: ignore[arg-type]
    kind = python_class(source("5"))
    capped, free = run(kind(), config), run(kind(max_contracts=1e9), config)
    assert len(capped.trades()) > 50 and largest(capped) == 5.0 < largest(free)
    library = load(
        *(lambda built: (built.record, built.artifact))(build(plan_source(source("5").encode(), "s.py")))
    )
    forged = run(library.instance({"fast": 3, "slow": 8, "max_contracts": 5.0}), config)
    assert forged.decision_hash() == capped.decision_hash() != free.decision_hash()


def test_a_cap_that_does_not_bind_changes_nothing_and_a_smaller_entry_stays_as_it_is() -> None:
    kind = python_class(source("5"))
    free = run(kind(max_contracts=1e9))
    high = float(np.ceil(largest(free)))
    assert run(kind(max_contracts=high)).decision_hash() == free.decision_hash()


def test_the_cap_is_rounded_down_to_the_lot_and_one_below_a_lot_is_refused() -> None:
    kind = python_class(source("5.75"))
    assert largest(run(kind(), lot=0.5)) == 5.5
    with pytest.raises(ValueError, match="less than one lot"):
        run(kind(), lot=10.0)


def test_any_strategy_may_declare_it() -> None:
    text = (ROOT / "docs" / "foundry.md").read_text()
    assert "`max_contracts`" in text and with_table(text) == text

    class Negative(Strategy):
        def values(self) -> dict[str, float]:
            return {"max_contracts": -1.0}

        def on_bar(self, bar: object) -> int:
            return 1

    with pytest.raises(ValueError, match="outside"):
        run(Negative())
