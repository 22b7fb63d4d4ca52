"""A sentence is read whole or not at all; the same sentence gives the same IR and the same twin."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from engine.lifecycle.forge.build import plan_source
from engine.lifecycle.foundry.component import Component, Knob, from_json, ir_sha256, to_json
from engine.lifecycle.foundry.grammar import BeyondGrammar, Contradiction, read_sentence
from engine.lifecycle.foundry.rows import CLAUSES, ENTERING, Clause
from engine.lifecycle.foundry.twin import to_python

SIGNAL = "EMA crossover 12/26"


def completed(clause: Clause, kind: str) -> str:
    """Return a sentence of this component type that holds the clause's example."""
    if kind not in ENTERING or clause.once == "signal":
        return clause.example
    return f"{SIGNAL}, {clause.example}"


EXAMPLES = [(kind, completed(clause, kind)) for clause in CLAUSES for kind in clause.types]


@pytest.mark.parametrize(("kind", "sentence"), EXAMPLES)
def test_every_documented_clause_becomes_a_twin_that_the_forge_takes(kind: str, sentence: str) -> None:
    component = read_sentence(kind, "some_name", sentence)
    source = to_python(component)
    program = plan_source(source.encode(), "twin.py").program
    assert program.name == "SomeName" and from_json(to_json(component)) == component
    assert {field.name for field in program.params} == {knob.name for knob in component.knobs}
    assert source == to_python(from_json(to_json(component)))


def knobs(component: Component) -> dict[str, int | float]:
    return {knob.name: knob.default for knob in component.knobs}


@pytest.mark.parametrize(
    ("kind", "sentence", "wanted"),
    [
        ("strategy", "EMA crossover with notional cap of 5 contracts",
         {"fast": 12, "slow": 26, "max_contracts": 5.0}),
        ("strategy", "sma crossing 10 / 50; long only. ATR trailing stop 14/2.5",
         {"fast": 10, "slow": 50, "trail_range_bars": 14, "trail_atr": 2.5}),
        ("strategy", "RSI(14) threshold 25/75 and hold 30 bars",
         {"rsi_period": 14, "rsi_low": 25.0, "rsi_high": 75.0, "hold_bars": 30}),
        ("strategy", "Donchian breakout 40", {"entry_bars": 40, "exit_bars": 20}),
        ("strategy", "Donchian breakout 55/20 with an ATR stop of 2 and take profit at 3 percent",
         {"entry_bars": 55, "exit_bars": 20, "stop_range_bars": 14, "stop_atr": 2.0, "target_pct": 3.0}),
        ("strategy", "z-score reversion 50/2.5 plus ADX 14 below 20",
         {"score_bars": 50, "score_entry": 2.5, "adx_bars": 14, "adx_bound": 20.0}),
        ("exit", "ATR stop 20/3, RSI above 80", {"stop_range_bars": 20, "stop_atr": 3.0, "rsi_period": 14,
                                                 "rsi_high": 80.0}),
        ("indicator", "EMA 12 minus EMA 26", {"one_1": 12, "other_1": 26}),
    ],
)  # fmt: skip
def test_the_numbers_of_a_sentence_are_the_defaults_of_its_parameters(
    kind: str, sentence: str, wanted: dict[str, float]
) -> None:
    assert knobs(read_sentence(kind, "nn", sentence)) == wanted


@pytest.mark.parametrize(
    ("sentence", "quoted"),
    [
        ("buy the dip", "buy dip"),
        ("EMA crossover 12/26 with a hint of momentum", "hint momentum"),
        ("EMA crossover 12/26 and notional cap of 5000 dollars", "cap 5000 dollars"),
        ("EMA crossover 12/26/9", "ema cross 12/26/9"),
        ("EMA crossover 1e3/26", "ema cross 1e3/26"),
        ("EMA crossover １２/26", "EMA crossover １２/26"),
        ("ЕMA crossover 12/26", "ЕMA crossover"),
        ("EMA crossover 12/26\x00", "EMA crossover"),
        ("rsi", "rsi"),
        ("ATR stop 2; import os", "import os"),
    ],
)
def test_what_is_beyond_the_grammar_needs_a_generator_and_is_quoted(sentence: str, quoted: str) -> None:
    with pytest.raises(BeyondGrammar, match="needs a generator backend") as error:
        read_sentence("strategy", "nn", sentence)
    assert error.value.code == "needs_generator" and quoted in str(error.value)


@pytest.mark.parametrize(
    ("kind", "sentence", "said"),
    [
        ("strategy", "", "says nothing"),
        ("strategy", ", . ;", "says nothing"),
        ("strategy", "long only", "no signal"),
        ("strategy", "EMA crossover 26/12", "shorter"),
        ("strategy", "EMA crossover 12/26, MACD cross", "already"),
        ("strategy", "EMA crossover, ATR stop 2, stop 1%", "already"),
        ("strategy", "RSI below 30", "never leaves"),
        ("strategy", "RSI below 30, short only", "no short side"),
        ("strategy", "EMA crossover 12/99999", "outside"),
        ("strategy", "EMA crossover, cap of 0 contracts", "outside"),
        ("strategy", "RSI 14 70/30", "lower bound"),
        ("exit", "hold 0 bars", "outside"),
        ("indicator", "bollinger 20/2/3", "takes 2 numbers"),
        ("indicator", "ema 2.5", "whole numbers"),
        ("strategy", "x" * 501, "at most 500"),
        ("strategy", ", ".join(["long only"] * 13), "at most 12"),
    ],
)
def test_a_sentence_that_cannot_be_is_told_why(kind: str, sentence: str, said: str) -> None:
    with pytest.raises(Contradiction, match=said):
        read_sentence(kind, "nn", sentence)


@pytest.mark.parametrize(("kind", "sentence"), [("exit", SIGNAL + ", long only"), ("indicator", SIGNAL),
                                                ("entry", "Donchian exit 10")])  # fmt: skip
def test_a_clause_of_another_component_type_is_not_read(kind: str, sentence: str) -> None:
    with pytest.raises(BeyondGrammar):
        read_sentence(kind, "nn", sentence)


def test_the_hash_of_an_ir_is_that_of_its_meaning_and_not_of_its_words() -> None:
    one, same = (read_sentence("strategy", "nn", text) for text in ("EMA crossover 12/26", "ema  CROSSES"))
    other = read_sentence("strategy", "nn", "EMA crossover 12/27")
    assert ir_sha256(one) == ir_sha256(same) != ir_sha256(other)
    assert isinstance(one.knobs[0], Knob)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["indicator", "entry", "exit", "strategy"]),
    st.lists(
        st.sampled_from([clause.example for clause in CLAUSES] + ["12", "/", "with", "atr", "%"])
        | st.text(max_size=8),
        max_size=5,
    ).map(" , ".join),
)
def test_any_text_is_a_component_or_a_refusal_and_never_code(kind: str, sentence: str) -> None:
    try:
        component = read_sentence(kind, "some_name", sentence)
    except (BeyondGrammar, Contradiction):
        return
    source = to_python(component)
    assert plan_source(source.encode(), "twin.py").program.name == "SomeName"
    assert source.isascii() and "import os" not in source
