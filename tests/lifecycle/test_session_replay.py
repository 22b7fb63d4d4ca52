"""A paper session is made again from its journal of inputs; what was changed since is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.api import parity
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.api.shadow import SHADOW_FILE
from engine.daemon import Engine, Seams, build_core
from engine.lifecycle.parity.report import ReplayReport
from engine.lifecycle.parity.trace import Cause
from engine.research.choice import RunFailed
from engine.trading.inputs import INPUT_DTYPE, Kind, _place
from engine.trading.live_journal import LIVE
from safety.killbyte import KillByte
from seams.clock import FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

Edit = Callable[[h5py.File], None]


async def paper(home: Path, start: PaperStart) -> str:
    """Run one session to its end in an engine of its own; return its id."""
    engine = Engine(
        build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    )
    try:
        entry = engine.desk.start_paper(start, "tester", "R-1")
        assert entry.task is not None
        while not entry.task.done():
            await engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        return entry.session.plan.session_id
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    start = PaperStart(
        strategies=("ema_cross",),
        feed="replay:sandbox/BTC-PERP/1m",
        params={"fast": 3.0, "slow": 8.0},
        speed=0.0,
        max_bars=1_500,
    )
    return home, asyncio.run(paper(home, start))


@pytest.fixture
def journal(traded: tuple[Path, str]) -> Path:
    home, name = traded
    return home / "outputs" / "paper_sessions" / name / "artifacts" / "journal.h5"


def replay(traded: tuple[Path, str]) -> ReplayReport:
    return parity.replay(*traded, clock=FixedClock())


def changed(journal: Path, traded: tuple[Path, str], edit: Edit) -> ReplayReport:
    whole = journal.read_bytes()
    try:
        with h5py.File(journal, "r+") as file:
            edit(file)
        return replay(traded)
    finally:
        journal.write_bytes(whole)


def test_a_session_replays_to_the_bit(traded: tuple[Path, str], journal: Path) -> None:
    made = replay(traded)
    assert (made.verdict, made.kind, made.is_bit_equal, made.differences) == ("pass", "session", True, ())
    assert made.recorded is not None and made.recorded.trades > 20 and made.trusted == "paper"
    with h5py.File(journal) as file:
        kinds = set(file["inputs"]["kind"].tolist())
        assert {Kind.CLOSE, Kind.FILL} <= kinds and file["inputs"].dtype == INPUT_DTYPE


def _decision(file: h5py.File) -> None:
    rows = file["decisions"][:]
    rows["units"][3] += 1
    file["decisions"][...] = rows


def _input(file: h5py.File) -> None:
    rows = file["inputs"][:]
    rows["close"][40] *= 1.01
    file["inputs"][...] = rows


def _facts(file: h5py.File) -> None:
    text = bytes(file.attrs["facts"]).decode()
    file.attrs["facts"] = np.bytes_(text.replace('"source_sha256":"', '"source_sha256":"0').encode())


@pytest.mark.parametrize(
    ("edit", "verdict", "cause", "field"),
    [
        (_decision, "fail", Cause.STATE_MACHINE, "units"),
        (_input, "invalid", Cause.DATA, "data_sha256"),
        (_facts, "invalid", Cause.CONFIG, "strategy_sha256"),
    ],
)
def test_what_was_changed_since_is_found(
    traded: tuple[Path, str], journal: Path, edit: Edit, verdict: str, cause: Cause, field: str
) -> None:
    made = changed(journal, traded, edit)
    fields = {each.field for each in made.differences}
    assert (made.verdict, made.differences[0].cause) == (verdict, cause) and field in fields


def test_a_forged_input_with_its_hash_is_another_decision(traded: tuple[Path, str], journal: Path) -> None:
    def forge(file: h5py.File) -> None:
        from engine.trading.inputs import inputs_sha256

        rows = file["inputs"][:]
        rows["close"][: len(rows) // 2] *= 2.0
        rows["high"][: len(rows) // 2] *= 2.0
        file["inputs"][...] = rows
        file.attrs["inputs_sha256"] = np.bytes_(inputs_sha256(rows).encode())

    made = changed(journal, traded, forge)
    assert (made.verdict, made.differences[0].cause) == ("fail", Cause.STATE_MACHINE)


def test_a_session_without_a_journal_is_refused(traded: tuple[Path, str], journal: Path) -> None:
    whole = journal.read_bytes()
    journal.unlink()
    try:
        with pytest.raises(RunFailed) as error:
            replay(traded)
    finally:
        journal.write_bytes(whole)
    assert error.value.code == "journal_missing"


def test_a_sandbox_session_with_warm_up_and_several_lanes_replays(tmp_path: Path) -> None:
    start = PaperStart(
        strategies=("ema_cross", "rsi_ma_cross"), feed="sandbox", speed=200.0, max_bars=60,
        seed=5,
    )  # fmt: skip
    name = asyncio.run(paper(tmp_path, start))
    made = parity.replay(tmp_path, name, clock=FixedClock())
    assert (made.verdict, made.is_bit_equal) == ("pass", True), made.differences
    assert made.recorded is not None and made.recorded.decisions > 0


async def watched(home: Path, start: PaperStart) -> tuple[int, Path]:
    """Run a session; return how many rows its live journal showed at most, and its artifacts' folder."""
    engine = Engine(
        build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    )
    most = 0
    try:
        entry = engine.desk.start_paper(start, "tester", "R-1")
        assert entry.task is not None
        artifacts = entry.folder.folder / "artifacts"
        while not entry.task.done():
            entry.updated_ns = 0
            await engine.desk.tend()
            if (artifacts / LIVE).exists():
                with h5py.File(artifacts / LIVE, "r", swmr=True) as file:
                    most = max(most, len(file["inputs"]))
            await asyncio.wait([entry.task], timeout=0.02)
        return most, artifacts
    finally:
        await engine.close()


def test_a_running_session_shows_what_its_sealed_journal_will_hold(tmp_path: Path) -> None:
    start = PaperStart(strategies=("ema_cross",), feed="sandbox", speed=400.0, max_bars=40, seed=5)
    most, artifacts = asyncio.run(watched(tmp_path, start))
    with h5py.File(artifacts / "journal.h5") as file:
        assert 0 < most <= len(file["inputs"])
    assert {path.name for path in artifacts.iterdir()} == {"journal.h5", SHADOW_FILE}  # no live journal


def test_intent_ids_of_others_are_kept_as_such() -> None:
    assert _place("a:b:12:0:1") == (12, 1)
    assert _place(1) == (-1, 1)
    assert _place("F-12") == (-1, -1) and _place("x:y:z:q") == (-1, -1)
