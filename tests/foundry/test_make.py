"""Components are built in each language, equal their twin, and what differs or is missing is told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from engine.api.commands import FoundryForge
from engine.lifecycle.forge import typed
from engine.lifecycle.forge.build import CPP, ToolMissing, build, plan_program, plan_source
from engine.lifecycle.forge.emit import emit
from engine.lifecycle.forge.load import ArtifactChanged, load
from engine.lifecycle.foundry.check import verify_named
from engine.lifecycle.foundry.component import from_json
from engine.lifecycle.foundry.grammar import read_sentence
from engine.lifecycle.foundry.make import FoundryFailed, Made, forge_component
from engine.lifecycle.foundry.names import VERSIONS
from engine.lifecycle.foundry.twin import to_python
from engine.lifecycle.verify.corpus import made_cases
from engine.lifecycle.verify.verify import Tally, compare_way
from engine.lifecycle.verify.ways import NativeWay, TypedWay, Way
from native.strategy import Strategy
from seams.disk import RealDisk
from tests.forge.conftest import python_class
from tests.forge.mutants import mutants

DISK = RealDisk()
LANGS = ("python", "cython", "cpp")
SENTENCES = {
    "strategy": "Donchian breakout 20/10, ATR stop 14/2, trend filter EMA 50",
    "entry": "RSI 14 30/70, ADX above 15, volume above SMA 20, target 3%",
    "exit": "ATR trail 14/3, stop 2%, hold 50 bars, RSI 14 above 70",
    "indicator": "MACD 12/26/9",
}


def made(home: Path, lang: str, kind: str = "strategy", prompt: str = "", name: str = "some_name") -> Made:
    body = FoundryForge(component_type=kind, name=name, target_lang=lang, prompt=prompt)
    return forge_component(body, home, DISK)


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("lang", LANGS)
def test_each_type_in_each_language_equals_its_twin(tmp_path: Path, kind: str, lang: str) -> None:
    found = made(tmp_path, lang, kind, SENTENCES[kind])
    assert found.report.is_equivalent and found.report.bars > 20_000, found.report.divergence
    way = {"python": "forged", "cython": "cython", "cpp": "cpp"}[lang]
    assert {"interpreted", way} <= set(found.report.ways)
    assert (found.report.answers > 100) is (kind != "indicator")
    folder = Path(found.folder)
    assert folder.parts[-4:-1] == (folder.parts[-4], lang, VERSIONS[lang]())
    record = json.loads((folder / "record.json").read_bytes())
    for name, key in (("strategy.py", "text_sha256"), (record["artifact"], "artifact_sha256")):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == record[key]
    assert record["compiler"] and record["python"] and bool(record["cython"]) is (lang == "cython")
    assert "-ffp-contract=off" in record["flags"] or lang == "python"
    component = from_json((folder / "ir.json").read_bytes())
    assert to_python(component).encode() == (folder / "strategy.py").read_bytes()


def test_one_sentence_is_one_twin_in_all_languages_and_needs_to_be_said_once(tmp_path: Path) -> None:
    first = made(tmp_path, "cpp", prompt="EMA crossover 12/26")
    others = [made(tmp_path, lang) for lang in ("python", "cython")]
    assert {each.record.text_sha256 for each in (first, *others)} == {first.record.text_sha256}
    assert {each.record.ir_sha256 for each in (first, *others)} == {first.record.ir_sha256}
    again = made(tmp_path, "cpp", prompt="ema crosses 12/26")
    assert again.record.artifact_sha256 == first.record.artifact_sha256
    with pytest.raises(FoundryFailed, match="choose another name") as taken:
        made(tmp_path, "cython", prompt="EMA crossover 12/27")
    assert taken.value.code == "component_exists"
    reports = verify_named("some_name", tmp_path, DISK)
    assert len(reports) == 3 and all(report.is_equivalent for _, report in reports)


def test_a_bundled_strategy_is_made_by_its_name_and_any_other_needs_a_sentence(tmp_path: Path) -> None:
    found = made(tmp_path, "cpp", name="mean_reversion_z")
    assert found.report.is_equivalent and not (Path(found.folder) / "ir.json").exists()
    with pytest.raises(FoundryFailed, match="no prompt"):
        made(tmp_path, "cpp", name="nobody")
    with pytest.raises(FoundryFailed, match="no component and no bundled"):
        verify_named("nobody", tmp_path, DISK)


@pytest.mark.parametrize("file", ["strategy.so", "strategy.py", "record.json"])
def test_a_kept_file_that_was_changed_is_not_verified(tmp_path: Path, file: str) -> None:
    path = Path(made(tmp_path, "cpp", prompt="EMA crossover 12/26").folder) / file
    path.write_bytes(path.read_bytes().replace(b"EMA", b"SMA") if file != "record.json" else b"{}")
    if file == "strategy.so":
        path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactChanged):
        verify_named("some_name", tmp_path, DISK)


@pytest.mark.parametrize(("lang", "tool"), [("cpp", "g[+][+]"), ("cython", "gcc"), ("python", "gcc")])
def test_a_missing_compiler_is_named_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, tool: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=f"no {tool} on PATH: install") as missing:
        made(tmp_path, lang, prompt="EMA crossover 12/26")
    assert missing.value.code == "toolchain_missing" and not (tmp_path / "foundry").exists()


def test_a_missing_cython_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise typed.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(typed.metadata, "version", nothing)
    with pytest.raises(ToolMissing, match="pip install 'cython"):
        made(tmp_path, "cython", prompt="EMA crossover 12/26")


SOURCE = to_python(read_sentence("strategy", "some_name", SENTENCES["strategy"] + ", long only"))


SURVIVORS = ["bar: 32:47: gt -> ge"]
"""A close that equals its average to the last bit: a tie of measured values that no bar meets."""


def differs(way: Way, kind: type[Strategy]) -> bool:
    sets = [{}, {"entry_bars": 7, "exit_bars": 3, "trend_bars": 15, "stop_atr": 0.5}]
    params = [{**{p.name: p.default for p in kind.params.values()}, **each} for each in sets]
    cases = made_cases()
    return any(
        compare_way(case, each, lambda each=each: kind(**each), way, Tally()) is not None
        for each in params
        for case in cases
    )


def test_each_changed_operator_or_constant_of_the_cpp_build_is_caught() -> None:
    kind, alive, tried = python_class(SOURCE), [], 0
    for what, program in mutants(plan_source(SOURCE.encode(), "twin.py").program):
        tried += 1
        built = build(plan_program(program, "twin.py", what, CPP))
        if not differs(NativeWay(load(built.record, built.artifact), "cpp"), kind):
            alive.append(what)
    assert tried > 30 and alive == SURVIVORS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bar.close > outer_upper_before", "bar.close >= outer_upper_before"),
        ("bar.close < inner_lower_before", "bar.close > inner_lower_before"),
        ("self.stop_atr * self.stop_range.value", "self.stop_atr + self.stop_range.value"),
        ("self.outer.update(bar.high, bar.low)", "self.outer.update(bar.high, bar.close)"),
    ],
)
def test_a_changed_operator_of_the_cython_build_is_caught(old: str, new: str) -> None:
    program = plan_source(SOURCE.encode(), "twin.py").program
    text = typed.typed_text(SOURCE, program)
    assert text.count(old) == 1
    module = f"mutant_{hashlib.sha256(new.encode()).hexdigest()[:8]}"
    built = typed.compile_text(text.replace(old, new), program.name, module)
    way = TypedWay(
        kind=typed.load_typed(built.module, built.class_name, built.artifact),
        words=tuple(word.name for word in emit(program).words),
        reads_side=program.reads_side,
        has_levels=program.has_levels,
    )
    assert differs(way, python_class(SOURCE))
