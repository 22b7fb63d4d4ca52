"""Verification finds what differs, names where, and says equivalent only of what is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.lifecycle.forge.build import build, plan_program, plan_source
from engine.lifecycle.forge.load import load
from engine.lifecycle.verify import accounts
from engine.lifecycle.verify.corpus import case_of, corpus_sha256, made_cases
from engine.lifecycle.verify.verify import Tally, compare_way, param_sets, verify
from engine.lifecycle.verify.ways import NativeWay
from engine.strategies import load_strategy
from native.lanes import BUILTINS
from seams.disk import RealDisk
from tests.forge.mutants import mutants
from tests.forge.sources import ALL

BUNDLED = Path(__file__).resolve().parents[2] / "engine" / "strategies" / "bundled"
SOURCES = {**ALL, "EmaCross": (BUNDLED / "ema_cross.py").read_text()}

SURVIVORS = {
    # Equal for every input: rsi / 100 never passes 1, `last` is 1 or -1.
    "Stateful": {
        "bar: 39:45: 0x1.0000000000000p+0 -> 1.375",
        "bar: 43:14: lt -> le",
        "bar: 43:26: 0 + 1",
        # Ties of measured values with constants, or with each other, that no bar of the corpus meets.
        "bar: 34:63: ge -> gt",
        "bar: 37:42: chain lt -> le",
        "bar: 40:14: gt -> ge",
        "bar: 40:27: gt -> ge",
        "bar: 42:73: gt -> ge",
    }
}
"""Mutants that decide alike on the corpus; everything else must be caught."""


@pytest.fixture
def written(tmp_path):
    def write(name: str) -> str:
        path = tmp_path / f"{name.lower()}.py"
        path.write_text(SOURCES[name])
        return str(path)

    return write


@pytest.mark.parametrize("name", SOURCES)
def test_a_forged_strategy_is_equivalent_and_the_report_says_on_what(name, written, tmp_path):
    report = verify(written(name), tmp_path / "home", RealDisk(), params={})
    assert report.is_equivalent and report.divergence is None
    assert report.bars > 20_000 and report.answers > 1_000 and report.decisions > 1_000
    assert {"interpreted", "forged"} <= set(report.ways) and len(report.params) >= 5
    stored = json.loads(Path(report.path).read_text())
    record = json.loads(Path(report.path).with_name("record.json").read_text())
    assert (
        stored["build_sha256"] == record["build_sha256"]
        and stored["source_sha256"] == record["source_sha256"]
    )
    assert stored["corpus_sha256"] == report.corpus_sha256 and len(stored["kernel_sha256"]) == 64


@pytest.mark.parametrize("name", BUILTINS)
def test_what_is_compiled_into_the_kernel_equals_its_source_every_way(name, tmp_path):
    report = verify(name, tmp_path, RealDisk(), params={})
    assert report.is_equivalent, report.divergence
    assert set(report.ways) == {"compiled", "forged", "interpreted", "reference"}


def _survivors(name: str, written) -> set[str]:
    """Return the mutants of a strategy that decide as the source does on the whole corpus."""
    loaded = load_strategy(written(name))
    cases, alive, tried = made_cases(), set(), 0
    for what, program in mutants(plan_source(SOURCES[name].encode(), "s.py").program):
        tried += 1
        built = build(plan_program(program, "s.py", what))
        way, sets = NativeWay(load(built.record, built.artifact)), param_sets(loaded, {})
        is_caught = any(
            compare_way(case, params, lambda p=params: loaded.build(p), way, Tally()) is not None
            for params in sets
            for case in cases
        )
        if not is_caught:
            alive.add(what)
    assert tried > 10
    return alive


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SOURCES)
def test_every_changed_operator_is_caught(name, written):
    assert _survivors(name, written) - SURVIVORS.get(name, set()) == set()


def test_one_changed_operator_is_named_with_bar_field_and_values(written):
    plan = plan_source(SOURCES["Flip"].encode(), "s.py")
    what, program = next(pair for pair in mutants(plan.program) if "gt -> ge" in pair[0])
    built = build(plan_program(program, "s.py", what))
    loaded = load_strategy(written("Flip"))
    library, (params, *_) = load(built.record, built.artifact), param_sets(loaded, {})
    flat = next(case for case in made_cases() if case.name == "flat")
    found = compare_way(flat, params, lambda: loaded.build(params), NativeWay(library), Tally())
    assert found is not None
    assert (found.case, found.layer, found.bar, found.field) == ("flat", "answer", 7, "side")
    assert found.ways == ("interpreted", "forged") and found.values == ("None", "1")


def test_a_difference_in_state_alone_is_found(written):
    plan = plan_source(SOURCES["Stateful"].encode(), "s.py")
    what, program = next(pair for pair in mutants(plan.program) if "0x1.fae147ae147aep-1 ->" in pair[0])
    built = build(plan_program(program, "s.py", what))
    loaded = load_strategy(written("Stateful"))
    library, (params, *_) = load(built.record, built.artifact), param_sets(loaded, {})
    found = compare_way(made_cases()[0], params, lambda: loaded.build(params), NativeWay(library), Tally())
    assert found is not None and (found.layer, found.field, found.bar) == ("state", "best", 1)


def test_a_difference_in_the_account_alone_is_found(forge):
    """Equal answers, one run under another fee."""
    forged = forge(SOURCES["Flip"]).instance({"fast": 3, "slow": 8})
    other = forge(SOURCES["Flip"]).instance({"fast": 3, "slow": 8})
    case = made_cases()[0]
    left = accounts.run_account(case, accounts.CONFIGS[0], forged, {})
    right = accounts.run_account(case, accounts.KernelConfig(fee_bps=4.6), other, {})
    found = accounts.compare_accounts(case, {}, ("a", "b"), left, right)
    assert found is not None and found.field == "trade.pnl"


def test_the_corpus_hash_covers_every_bar():
    cases = made_cases()
    assert corpus_sha256(cases) == corpus_sha256(made_cases())
    rows = cases[0].rows()
    rows[-1] = (*rows[-1][:5], rows[-1][5] + 1.0)
    assert corpus_sha256([case_of(cases[0].name, rows), *cases[1:]]) != corpus_sha256(cases)


COUNTER = """
from interlock import Strategy


class Counter(Strategy):
    def on_start(self):
        self.n = 40

    def on_bar(self, bar):
        self.n {change}
        return {answer}
"""


def test_a_failure_of_the_strategy_is_compared_too(tmp_path):
    path = tmp_path / "divide.py"
    path.write_text(COUNTER.format(change="-= 1", answer="1 if bar.close / self.n > 1.0 else -1"))
    assert verify(str(path), tmp_path / "home", RealDisk(), params={}).is_equivalent


def test_an_int_beyond_64_bits_is_reported_not_hidden(tmp_path):
    path = tmp_path / "grow.py"
    path.write_text(COUNTER.format(change="*= 2", answer="1"))
    report = verify(str(path), tmp_path / "home", RealDisk(), params={})
    assert not report.is_equivalent and report.divergence is not None
    assert report.divergence.values == ("1", "'OverflowError'") and report.divergence.bar == 57
