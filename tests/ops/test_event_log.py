"""Events as JSON lines: every one, in order, in files that are bounded, and in the agreed form."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.core import Core
from engine.daemon import Seams, build_core
from engine.ops.event_log import SCHEMA, EventLog, LoggedEvent
from engine.ops.line_files import KEPT
from safety.killbyte import KillByte
from seams.clock import FixedClock
from seams.disk import RealDisk
from seams.rng import Rng


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return build_core(Seams(FixedClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())


def lines(log: EventLog) -> list[LoggedEvent]:
    found = []
    for path in sorted(log.folder.iterdir()):
        for line in path.read_bytes().splitlines():
            assert msgspec.json.encode(msgspec.json.decode(line, type=LoggedEvent)) == line
            found.append(msgspec.json.decode(line, type=LoggedEvent))
    return found


def test_every_event_is_a_line_of_the_schema_from_the_first_on(core: Core) -> None:
    log = EventLog(core)
    core.events.add("fill", "sandbox", "bought 1 BTC-PERP at 5\x1b[2J")
    log.tend()
    found = lines(log)
    assert [row.data.seq for row in found] == list(range(1, core.events.seq + 1))
    assert found[0].kind == "engine_start" and {row.schema for row in found} == {SCHEMA}
    last = found[-1]
    assert (last.symbol, last.mode, last.run_id) == ("BTC-PERP", "paper", f"epoch-{core.epoch}")
    assert last.config_id == core.config_fingerprint and last.data.text == "bought 1 BTC-PERP at 5[2J"
    assert set(json.loads(log.path.read_bytes().splitlines()[0])) == {
        "schema", "ts_ms", "ts", "pid", "mode", "run_id", "config_id", "kind", "symbol", "data",
    }  # fmt: skip


def test_files_turn_over_and_only_the_newest_are_kept(core: Core) -> None:
    log = EventLog(core, max_bytes=4_000)
    for number in range(200):
        core.events.add("note", "eng", f"number {number} " + "x" * 200)
        log.tend()
    names = [path.name for path in sorted(log.folder.iterdir())]
    assert len(names) == KEPT and names[0] != "000001.jsonl"
    assert all(path.stat().st_size <= 4_000 for path in log.folder.iterdir())
    texts = [row.data.text.split()[1] for row in lines(log)]
    assert texts == [str(number) for number in range(200 - len(texts), 200)]


def test_a_disk_that_refuses_costs_no_event(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(core)

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as broken:
        broken.setattr("engine.ops.line_queue.append_lazily", full)
        core.events.add("note", "eng", "while full")
        log.tend()
        assert lines(log) == []
    core.events.add("note", "eng", "after")
    log.tend()
    assert [row.data.text for row in lines(log)][-2:] == ["while full", "after"] and log.lost == 0
