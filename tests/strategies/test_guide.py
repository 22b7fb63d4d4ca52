"""The guide's strategy runs, passes the forge, and the generated reference is the committed one."""

from __future__ import annotations

import re
from pathlib import Path

from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import load
from engine.strategies import load_strategy
from engine.strategies.reference import to_markdown
from tests.strategies.markets import replayed, walk

DOCS = Path(__file__).parents[2] / "docs"


def test_the_strategy_reference_is_generated():
    committed = (DOCS / "strategies.md").read_text(encoding="utf-8")
    assert committed == to_markdown(), "run `make docs`"


def test_the_guides_strategy_runs_and_passes_the_forge(tmp_path):
    (source,) = re.findall(
        r"```python\n(from interlock.*?)```", (DOCS / "strategy-guide.md").read_text(), re.S
    )
    file = tmp_path / "breakout.py"
    file.write_text(source)
    loaded = load_strategy(str(file))
    built = build(plan_source(source.encode(), "breakout.py"))
    values, bars = loaded.complete({}), walk(2, 4_000, drift=0.0005)
    interpreted = replayed(loaded.build(values), bars)
    forged = replayed(load(built.record, built.artifact).instance(values), bars)
    assert len(interpreted.trades()) > 10
    assert forged.decision_hash() == interpreted.decision_hash()
