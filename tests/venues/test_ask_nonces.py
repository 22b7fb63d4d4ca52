"""Nonces of questions and cancels rise over a restart and over a clock that was set back."""

from __future__ import annotations

from pathlib import Path

from engine.daemon import Seams, build_core
from engine.sim.world import ENVIRON
from engine.venue import mark_orders
from safety.killbyte import KillByte
from seams.clock import NS_PER_MS, NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from seams.rng import Rng
from seams.virtual import VirtualLoop, run_virtual
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues import test_kraken_adapter as kr
from venues.ask_nonces import AHEAD_MS, AskNonces


def test_nonces_rise_follow_the_clock_and_are_kept_ahead_of_use() -> None:
    clock, kept = FixedClock(), list[int]()
    nonces = AskNonces(clock)
    nonces.remember(0, kept.append)
    first = nonces.next()
    assert first == clock.now_ns() // NS_PER_MS and kept == [first + AHEAD_MS]
    assert [nonces.next(), nonces.next(1_000)] == [first + 1, first + 1_002]
    for _ in range(50):
        clock.advance(1.0)
        assert nonces.next() <= kept[-1], "what is handed out was kept before"
    assert len(kept) == 1, "a minute at once"
    clock.advance(60.0)
    assert nonces.next() <= kept[-1] and len(kept) == 2


def test_a_new_process_on_a_clock_set_back_begins_above_everything_used() -> None:
    clock, kept = FixedClock(), list[int]()
    before = AskNonces(clock)
    before.remember(0, kept.append)
    used = [before.next() for _ in range(5)]
    early = FixedClock(clock.now_ns() - 3_600 * NS_PER_S)
    again = AskNonces(early)
    again.remember(kept[-1], kept.append)
    assert again.next() > max(used) and again.next() <= kept[-1]


def test_an_engine_keeps_them_and_the_next_one_is_answered_in_spite_of_its_clock(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir(mode=0o700)
    loop = VirtualLoop()

    async def scene() -> None:
        for rig in (await kr.Rig(loop).up(), await hl.Rig(loop).up()):
            adapter = rig.adapter
            marks = []
            for number in range(2):
                seams = Seams(rig.clock, None, Rng(number), MemoryDisk(), pid=1, commit="0" * 40)
                core = build_core(seams, tmp_path, ENVIRON, KillByte.anonymous())
                mark_orders(adapter, core)
                adapter.client.nonces.next()
                marks.append(int(core.store.facts.get(f"ask_nonce:{adapter.signer}") or 0))
                core.store.close()
                adapter.client.nonces = AskNonces(FixedClock(rig.clock.now_ns() - 3_600 * NS_PER_S))
            assert marks[1] > marks[0] >= rig.clock.now_ns() // NS_PER_MS
            await adapter.close()

    run_virtual(scene(), loop)
