"""Two homes with one key of one account: the second engine does not start, and says why."""

from __future__ import annotations

from pathlib import Path

from engine.key_lock import FOLDER_NAME

from .conftest import eventually
from .live import ExchangeProcess, LiveRig


async def test_a_second_home_with_the_same_key_is_refused_until_the_first_engine_ends(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "exchange")
    first, second = LiveRig(tmp_path / "one", exchange), LiveRig(tmp_path / "two", exchange)
    locks = {FOLDER_NAME: str(tmp_path / "locks")}
    try:
        await first.start(**locks)
        second.process = second.spawn(**locks)
        assert await second.ended() == 2
        assert "key_in_use" in second.log() and str(first.pid) in second.log()
        await first.kill_hard()
        await second.start(**locks)
        await eventually(lambda: second.process is not None and second.process.poll() is None, second.log)
    finally:
        await first.close()
        await second.close()
        exchange.close()
