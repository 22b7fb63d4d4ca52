"""The shared state: every reader sees what the writer left, and what is damaged is not guessed (QX-42)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.state_page import (
    BLOCK,
    INTERLOCK_AT,
    ExecutionState,
    LaneBlock,
    PageDamaged,
    StatePage,
    StateReader,
)
from safety.strategy_state import StrategyState

FULL = LaneBlock(
    risk_interlock=HoldLevel.CLOSE_ONLY, execution_state=ExecutionState.PARTIAL,
    strategy_state=StrategyState.HEDGE, kill_level=KillLevel.CLOSE_ONLY, side=-1, lane=1, steps=2**40,
    decided_ns=1_700_000_000_000_000_001, written_ns=1_700_000_000_000_000_002, units=123_456_789,
    last_close=0.1, epoch=7,
)  # fmt: skip


def test_a_block_is_one_cache_line_and_reads_back_whole(tmp_path: Path) -> None:
    page = StatePage.shared(tmp_path / "run" / "s.lanes", 2)
    page.write(FULL)
    path = tmp_path / "run" / "s.lanes"
    reader = StateReader.opened(path)
    assert path.stat().st_size == 2 * BLOCK == 128 and path.stat().st_mode & 0o777 == 0o600
    assert reader.block(1) == FULL and reader.block(0) is None and reader.blocks() == (FULL,)
    data = path.read_bytes()[BLOCK:]
    assert (data[0], data[8], data[9], data[10], data[11], data[12], data[13]) == (2, 1, 2, 3, 1, 255, 1)


def test_the_interlock_byte_shows_at_once_and_nonsense_is_a_halt() -> None:
    page = StatePage.anonymous(3)
    reader = StateReader(page.memory)
    page.set_interlock(HoldLevel.HYDRATING)
    assert [reader.interlock(lane) for lane in range(3)] == [HoldLevel.HYDRATING] * 3
    page.memory[BLOCK + INTERLOCK_AT] = 77
    assert reader.interlock(1) is HoldLevel.HALT and reader.interlock(0) is HoldLevel.HYDRATING


def test_another_process_sees_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "s.lanes"
    page = StatePage.shared(path, 2)
    page.write(FULL)
    code = (
        "import sys; from pathlib import Path; from safety.state_page import StateReader;"
        "print(StateReader.opened(Path(sys.argv[1])).block(1).units)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(said.stdout) == FULL.units


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    StatePage.shared(tmp_path / "s.lanes", 1)
    with pytest.raises(TypeError):
        StateReader.opened(tmp_path / "s.lanes")._page[8] = 0  # type: ignore[index]


def test_a_reader_beside_the_writer_never_sees_a_mixture() -> None:
    page = StatePage.anonymous(1)
    reader, is_over, torn = StateReader(page.memory), threading.Event(), []

    def read() -> None:
        while not is_over.is_set():
            block = reader.block(0)
            if block is not None and not block.steps == block.units == block.decided_ns:
                torn.append(block)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 20_000):
        same = {"lane": 0, "steps": number, "units": number, "decided_ns": number}
        page.write(msgspec.structs.replace(FULL, **same))  # type: ignore[type-var]
    is_over.set()
    thread.join()
    assert not torn and reader.block(0) is not None


def test_a_write_that_never_ended_is_damage() -> None:
    page = StatePage.anonymous(2)
    page.write(FULL)
    page.memory[BLOCK] = 3
    with pytest.raises(PageDamaged, match="never whole"):
        StateReader(page.memory).block(1)
    page.write(FULL)
    assert StateReader(page.memory).block(1) == FULL, "the next write makes it whole"


@pytest.mark.parametrize(("at", "value"), [(9, 9), (10, 6), (11, 3), (13, 2)])
def test_what_the_layout_does_not_know_is_damage(at: int, value: int) -> None:
    page = StatePage.anonymous(2)
    page.write(FULL)
    page.memory[BLOCK + at] = value
    with pytest.raises(PageDamaged):
        StateReader(page.memory).block(1)


@pytest.mark.parametrize("data", [b"", b"x" * 63, b"x" * 65])
def test_a_file_of_another_size_is_no_shared_state(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(PageDamaged):
        StateReader.opened(tmp_path / "s")


def test_an_old_file_is_replaced_and_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "s.lanes"
    old = StatePage.shared(path, 1)
    StatePage.shared(path, 2)
    assert path.stat().st_size == 128 and len(old.memory) == 64
    os.symlink(path, tmp_path / "link")
    with pytest.raises(OSError):
        StateReader.opened(tmp_path / "link")
