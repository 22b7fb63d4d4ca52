"""The kernel reads its lane's interlock byte at each step: entries are not decided under a hold (QX-42)."""

from __future__ import annotations

import numpy as np
import pytest

from native.codes import Action, Gate
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Strategy
from safety.interlock import HoldLevel
from safety.state_page import BLOCK, INTERLOCK_AT, StatePage


class Alternating(Strategy):
    """Wants what it is told, bar by bar."""

    def on_bar(self, bar: object) -> int:
        return (1, 1, 0, 1, -1, 1)[bar.index % 6]  # type: ignore[attr-defined]


def kernel_of(*strategies: object) -> tuple[Kernel, StatePage]:
    lanes = [LaneSpec(symbol=f"S{n}", strategy=s) for n, s in enumerate(strategies)]  # type: ignore[arg-type]
    kernel, page = Kernel(KernelConfig(), lanes), StatePage.anonymous(len(lanes))
    kernel.watch_interlock(page.memory)
    return kernel, page


def close(kernel: Kernel, lane: int, bar: int, price: float) -> list[str]:
    kernel.open(lane, bar * 60, price)
    return [wish.reason for wish in kernel.close(lane, bar * 60, price, price + 1, price - 1, price, 1.0)]


def test_a_hold_blocks_the_entry_at_its_step_and_no_exit() -> None:
    kernel, page = kernel_of(Alternating(), Alternating())
    assert close(kernel, 0, 0, 100.0) == ["signal_long"]
    page.set_interlock(HoldLevel.CLOSE_ONLY)
    assert close(kernel, 0, 1, 100.0) == []
    assert close(kernel, 0, 2, 100.0) == ["signal_flat"], "exits are never blocked"
    assert close(kernel, 0, 3, 100.0) == []
    row = kernel.decisions(0)[-1]
    assert (row["action"], row["gates"]) == (Action.BLOCKED, Gate.INTERLOCK)
    page.set_interlock(HoldLevel.CLEAR)
    assert close(kernel, 0, 4, 100.0) == ["signal_short"]


def test_each_lane_reads_its_own_byte_and_any_value_but_zero_blocks() -> None:
    kernel, page = kernel_of(Alternating(), Alternating())
    page.memory[BLOCK + INTERLOCK_AT] = 200
    assert close(kernel, 0, 0, 100.0) == ["signal_long"] and close(kernel, 1, 0, 100.0) == []
    assert kernel.heed(0) == 0 and kernel.heed(1) == 200


def test_what_was_heeded_holds_for_that_close_alone() -> None:
    kernel, page = kernel_of(Alternating())
    assert kernel.heed(0) == 0
    page.set_interlock(HoldLevel.HALT)
    assert close(kernel, 0, 0, 100.0) == ["signal_long"], (
        "the reading that was recorded is the one that counts"
    )
    close(kernel, 0, 1, 100.0)
    assert close(kernel, 0, 3, 100.0) == ["signal_flat"] or kernel.position(0).side == 1


def test_a_gate_told_is_the_same_as_a_byte_read() -> None:
    """What a replay does with a journal's rows gives the session's trace, bit for bit."""
    chance = np.random.default_rng(5)
    prices, levels = 100 + chance.normal(0, 1, 300).cumsum() / 5, chance.integers(0, 4, 300)
    watching, page = kernel_of("ema_cross")
    told = Kernel(KernelConfig(), [LaneSpec(symbol="S0", strategy="ema_cross")])
    for bar, (price, level) in enumerate(zip(prices.tolist(), levels.tolist(), strict=True)):
        page.set_interlock(HoldLevel(level))
        told.set_gate(0, Gate.INTERLOCK, level != 0)
        assert close(watching, 0, bar, price) == close(told, 0, bar, price)
    assert watching.decision_hash() == told.decision_hash()
    assert (watching.decisions()["gates"] & Gate.INTERLOCK).any() and len(watching.trades()) > 0


def test_a_state_to_start_from_carries_no_hold() -> None:
    kernel, page = kernel_of("buy_and_hold")
    page.set_interlock(HoldLevel.HALT)
    assert close(kernel, 0, 0, 100.0) == []
    other = Kernel(KernelConfig(), [LaneSpec(symbol="S0", strategy="buy_and_hold")])
    other.import_start(kernel.export_start())
    assert close(other, 0, 1, 100.0) == ["signal_long"]


def test_a_page_without_a_block_for_every_lane_is_refused() -> None:
    kernel, _ = kernel_of("buy_and_hold", "buy_and_hold")
    with pytest.raises(ValueError, match="no shared state"):
        kernel.watch_interlock(StatePage.anonymous(1).memory)
    assert Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="buy_and_hold")]).heed(0) == 0


def test_warm_is_when_the_next_close_may_enter() -> None:
    kernel, _ = kernel_of("ema_cross", "buy_and_hold")
    assert not kernel.is_warm(0) and kernel.is_warm(1)
    for bar in range(60):
        is_warm = kernel.is_warm(0)
        if close(kernel, 0, bar, 100.0 + bar):
            assert is_warm
            break
    else:
        raise AssertionError("it never entered")
