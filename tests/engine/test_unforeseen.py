"""An exception that nobody caught halts where it is ours, and only there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.daemon import Engine, Seams, build_core
from engine.trading.ledger import Ledger
from engine.unforeseen import floor_of, halt_on_unforeseen
from safety.killbyte import KillByte, KillLevel
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.sandbox import messages as m


def _ours() -> None:
    Ledger(None)._roll(0)  # type: ignore[arg-type]


def _adapters() -> None:
    m.seal("key", b"", object())  # type: ignore[arg-type]


def _stranger() -> None:
    {}["missing"]


async def test_what_breaks_in_a_callback_of_ours_halts(tmp_path: Path) -> None:
    """Seen with a planted bug of the ledger: it broke inside a stream's callback, and trading went on."""
    seams = Seams(SystemClock(), None, Rng(1), RealDisk())
    engine = Engine(build_core(seams, tmp_path, {}, KillByte.anonymous()))
    loop = asyncio.get_running_loop()
    halt_on_unforeseen(engine.core, loop)
    try:
        for call in (_stranger, _adapters):
            loop.call_soon(call)
            await asyncio.sleep(0)
        assert engine.core.kill.level is KillLevel.CLEAR
        loop.call_soon(_ours)
        await asyncio.sleep(0)
        assert engine.core.kill.level is KillLevel.HALT_ALL and "unforeseen" in engine.core.kill.record.reason
    finally:
        loop.set_exception_handler(None)
        await engine.close()


@pytest.mark.parametrize(("call", "floor"), [(_ours, "engine"), (_adapters, "venues"), (_stranger, "")])
def test_the_floor_is_that_of_the_innermost_code_of_ours(call: object, floor: str) -> None:
    assert callable(call)
    with pytest.raises(Exception) as broke:  # noqa: PT011
        call()
    assert floor_of(broke.value) == floor
