"""A forged strategy decides bit for bit as its source does when it is interpreted."""

from __future__ import annotations

import numpy as np
import pytest

from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from tests.forge.conftest import python_class
from tests.forge.sources import ALL, FLIP, POSITIONAL

CONFIGS = [KernelConfig(), KernelConfig(stops="next_open"), KernelConfig(keeps_equity=False)]


def replayed(strategy, market, config=CONFIGS[0], pieces=1):
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=strategy)])
    for part in np.array_split(np.arange(len(market[0])), pieces):
        kernel.replay(0, *(np.ascontiguousarray(column[part[0] : part[-1] + 1]) for column in market))
    return kernel


def facts(kernel):
    return {
        "decisions": kernel.decision_hash(),
        "trades": kernel.trades().tobytes(),
        "equity": kernel.equity_curve().tobytes(),
        "final": kernel.final_equity(),
        "position": kernel.position(0),
        "bars": kernel.bar_count(0),
        "fees": kernel.fees_paid(),
    }


@pytest.mark.parametrize("config", CONFIGS, ids=["intrabar", "next_open", "no_equity"])
@pytest.mark.parametrize("name", ALL)
def test_replay_equals_the_interpreted_strategy(name, config, forge, market):
    library, chosen = forge(ALL[name]), python_class(ALL[name])
    values = chosen().values()
    for seed in range(8):
        bars = market(seed)
        wanted = replayed(chosen(), bars, config)
        assert len(wanted.decisions()) > 20, "the market must make this strategy act"
        assert facts(replayed(library.instance(values), bars, config)) == facts(wanted)


@pytest.mark.parametrize("name", ALL)
def test_pieces_and_single_bars_equal_one_replay(name, forge, market):
    library = forge(ALL[name])
    values = python_class(ALL[name])().values()
    bars = market(3, 1_500)
    whole, cut = replayed(library.instance(values), bars), replayed(library.instance(values), bars, pieces=41)
    stepped = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=library.instance(values))])
    for ts, o, h, l, c, v in zip(*bars, strict=True):
        stepped.open(0, int(ts), o)
        stepped.close(0, int(ts), o, h, l, c, v)
    assert facts(whole) == facts(cut) == facts(stepped)
    assert whole.state_hash() == cut.state_hash() == stepped.state_hash()


def test_state_survives_a_restart_bit_for_bit(forge, market):
    library, bars = forge(ALL["Stateful"]), market(5)
    values = python_class(ALL["Stateful"])().values()
    whole = replayed(library.instance(values), bars)
    first = replayed(library.instance(values), [column[:900] for column in bars])
    second = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=library.instance(values))])
    second.import_state(first.export_state())
    second.replay(0, *(np.ascontiguousarray(column[900:]) for column in bars))
    assert facts(second) == facts(whole) and second.state_hash() == whole.state_hash()


def test_state_of_another_build_is_refused(forge, market):
    one, other = forge(FLIP), forge(FLIP.replace("quick < lazy", "quick <= lazy"))
    values = {"fast": 3, "slow": 8}
    state = replayed(one.instance(values), market()).export_state()
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=other.instance(values))])
    with pytest.raises(ValueError, match="another configuration"):
        kernel.import_state(state)


def test_a_bad_bar_is_refused_and_leaves_both_alike(forge, market):
    library, chosen = forge(ALL["Stateful"]), python_class(ALL["Stateful"])
    bars = market(2)
    bars[2][700] = np.nan
    ends = []
    for strategy in (chosen(), library.instance(chosen().values())):
        kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=strategy)])
        with pytest.raises(ValueError, match="bar 700 refused"):
            kernel.replay(0, *bars)
        kernel.replay(0, *(np.ascontiguousarray(column[701:]) for column in bars))
        ends.append(facts(kernel))
    assert ends[0] == ends[1]


def test_a_strategy_that_reads_the_position_is_asked_bar_by_bar(forge):
    assert forge(FLIP).instance({"fast": 3, "slow": 8}).answers_ahead
    assert not forge(POSITIONAL).instance({"period": 5}).answers_ahead
