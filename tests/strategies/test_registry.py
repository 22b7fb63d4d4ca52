"""Strategies from names, files and other distributions; errors that point at the author's line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.strategies import BUNDLED, StrategyError, load_strategy
from engine.strategies.registry import GROUP
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import StrategyFailed, param
from tests.strategies.markets import NAMES, replayed, walk

SOURCE = '''
from interlock import EMA, Bar, Signal, Strategy, param


class Steep(Strategy):
    """Long while the average rises."""

    length = param(20, 2, 500, "average, bars")
    mood = param(1, 0, 2, "how eager", choices=("calm", "fair", "eager"))

    def on_start(self):
        self.average = EMA(self.length)

    def on_bar(self, bar: Bar):
        before = self.average.value
        return 1 if self.average.update(bar.close) > before else 0
'''


@pytest.fixture
def written(tmp_path):
    def write(source: str, name: str = "steep.py") -> str:
        path = tmp_path / name
        path.write_text(source)
        return str(path)

    return write


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a distribution on the path that offers strategies; return a function that adds entry points."""

    def install(**points: str) -> None:
        (tmp_path / "steep_pack.py").write_text(SOURCE)
        info = tmp_path / "steep_pack-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: steep-pack\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "steep_pack", raising=False)

    return install


def test_a_users_file_is_loaded_with_its_parameters(written):
    loaded = load_strategy(written(SOURCE))
    assert (loaded.name, loaded.doc, loaded.is_compiled) == ("Steep", "Long while the average rises.", False)
    assert loaded.file is not None and loaded.file.name == "steep.py" and loaded.class_name == "Steep"
    assert loaded.complete({"length": 30}) == {"length": 30.0, "mood": 1.0}
    assert len(replayed(loaded.build(loaded.complete({})), walk(1, 500)).trades()) > 5


def test_an_installed_strategy_is_found_by_its_name_and_runs(installed):
    installed(steep="steep_pack:Steep")
    loaded = load_strategy("steep")
    assert (loaded.name, loaded.class_name) == ("steep", "Steep")
    assert loaded.file is not None and loaded.file.name == "steep_pack.py"
    kernel = replayed(loaded.build(loaded.complete({"length": 5})), walk(1, 500))
    assert len(kernel.trades()) > 5


def test_an_installed_strategy_and_its_file_have_one_hash(installed, tmp_path):
    installed(steep="steep_pack:Steep")
    assert load_strategy("steep").source_sha256 == load_strategy(f"{tmp_path}/steep_pack.py").source_sha256


def test_a_bundled_name_cannot_be_taken_by_another_distribution(installed):
    installed(ema_cross="steep_pack:Steep")
    assert load_strategy("ema_cross").class_name == "EmaCross"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("steep_pack:Flat", "AttributeError"),
        ("no_such_pack:Steep", "ModuleNotFoundError"),
        ("steep_pack:EMA", "is not a Strategy class"),
    ],
)
def test_a_broken_entry_point_says_which_and_why(installed, value, problem):
    installed(steep=value)
    with pytest.raises(StrategyError, match=f"entry point steep = {value}.*{problem}"):
        load_strategy("steep")


def test_an_unknown_name_lists_what_there_is(installed):
    installed(steep="steep_pack:Steep")
    with pytest.raises(StrategyError, match=f"no strategy 'stepp'.*{', '.join(BUNDLED)}.*steep.*file.py"):
        load_strategy("stepp")


def test_a_choice_takes_its_names_and_no_other(written):
    loaded = load_strategy(written(SOURCE))
    assert loaded.complete({"mood": "eager"})["mood"] == 2.0
    for wrong in ("Eager", "high", "", "2"):
        with pytest.raises(StrategyError, match=r"mood=.* is none of calm, fair, eager"):
            loaded.complete({"mood": wrong})
    with pytest.raises(StrategyError, match="is not a number"):
        loaded.complete({"length": "long"})


def test_choices_must_name_every_value():
    with pytest.raises(ValueError, match="2 choices do not name"):
        param(0, 0, 2, choices=("a", "b"))


def test_unknown_text_is_refused_by_the_bundled_trend_strategy():
    loaded = load_strategy("trend_atr")
    assert loaded.complete({"min_confidence": "low", "macd_mode": "none"})["macd_mode"] == 0.0
    for name, text in (("min_confidence", "highest"), ("macd_mode", "accelerate"), ("volume_gate", "on")):
        with pytest.raises(StrategyError, match="is none of"):
            loaded.complete({name: text})
        with pytest.raises(ValueError, match="is unknown"):
            BUNDLED["trend_atr"].kind(**{name: text})


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        ("x = 1\ny = x +\n", 2, "invalid syntax"),
        ("from interlock import Strategy\n\nraise RuntimeError('no')\n", 3, "RuntimeError: no"),
    ],
)
def test_an_error_on_loading_names_file_and_line(written, source, line, problem):
    path = written(source)
    with pytest.raises(StrategyError, match=f"{path}:{line}: {problem}"):
        load_strategy(path)


def test_an_error_in_on_start_names_file_and_line(written):
    path = written(SOURCE.replace("EMA(self.length)", "EMA(self.size)"))
    loaded = load_strategy(path)
    with pytest.raises(StrategyError, match=f"{path}:12: AttributeError: .*size"):
        loaded.build(loaded.complete({}))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("return 1 // (bar.index - 50)", "ZeroDivisionError"),
        ("return self.average.update(None)", "TypeError"),
        ("return int('x') if bar.index == 50 else None", "ValueError: invalid literal"),
    ],
)
def test_an_error_during_a_run_names_file_and_line(written, line, problem):
    path = written(SOURCE.replace("before = self.average.value", line))
    loaded = load_strategy(path)
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=loaded.build(loaded.complete({})))])
    bars = walk(1, 100)
    with pytest.raises(StrategyFailed, match=f"{path}:15: {problem}"):
        kernel.replay(0, bars["ts_ns"], *(bars[name] for name in NAMES))
    assert kernel.bar_count(0) <= 51


def test_a_senseless_answer_names_the_method_that_gave_it(written):
    path = written(SOURCE.replace("before = self.average.value", "return 7"))
    loaded = load_strategy(path)
    bars = walk(1, 10)
    with pytest.raises(StrategyFailed, match=f"{path}:14: ValueError: on_bar must return"):
        replayed(loaded.build(loaded.complete({})), bars)


def test_an_error_of_the_strategy_is_not_taken_for_a_bad_bar(written):
    """A session refuses bad bars (ValueError) and goes on; a failing strategy must end it instead."""
    assert not issubclass(StrategyFailed, ValueError)
    path = written(SOURCE.replace("before = self.average.value", "raise ValueError('mine')"))
    loaded = load_strategy(path)
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=loaded.build(loaded.complete({})))])
    with pytest.raises(StrategyFailed):
        kernel.close(0, 1, 1.0, 1.0, 1.0, 1.0)
    assert len(kernel.decisions()) == 0


def test_files_of_the_house_are_found_beside_the_registry():
    for bundled in BUNDLED.values():
        assert bundled.file.is_file() and Path(bundled.file).stem == bundled.name
        assert load_strategy(f"{bundled.file}:{bundled.kind.__name__}").class_name == bundled.kind.__name__
