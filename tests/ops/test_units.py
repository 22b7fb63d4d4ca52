"""The first look: unit states as the service manager says them, the log's end, units in order."""

from __future__ import annotations

import asyncio
import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.core import Core
from engine.daemon import Engine, Seams, build_core
from engine.ops.units import LOG_LINES, UNITS, Units, states_of
from engine.outlets import diagnostics
from safety.killbyte import KillByte
from seams.clock import FixedClock
from seams.disk import RealDisk
from seams.rng import Rng
from tests.survival.conftest import eventually, is_gone

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "systemd"
SAID = """Id=interlock-engine.service
LoadState=loaded
ActiveState=active
SubState=running
NRestarts=2

Id=interlock-watchdog.service
LoadState=loaded
ActiveState=failed
SubState=\x1b[2Jfailed
NRestarts=x

Id=interlock-monitor.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return build_core(Seams(FixedClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())


def manager(tmp_path: Path, body: str) -> tuple[str, ...]:
    script = tmp_path / "manager"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o700)
    return (str(script),)


def test_the_answer_is_read_unit_by_unit() -> None:
    found = {row.unit: (row.state, row.restarts) for row in states_of(SAID)}
    assert found == {
        "interlock-engine.service": ("active (running)", 2),
        "interlock-watchdog.service": ("failed ([2Jfailed)", 0),
        "interlock-monitor.service": ("not installed", 0),
    }
    assert states_of("") == () == states_of("nonsense")


async def test_units_and_log_are_shown_on_the_system_screen(core: Core, tmp_path: Path) -> None:
    (tmp_path / "said").write_text(SAID)
    units = Units(core, tmp_path, manager(tmp_path, f"cat {tmp_path / 'said'}"))
    units.tend()
    assert units._task is not None
    await asyncio.wait_for(units._task, 10)
    core.paths.log.parent.mkdir(parents=True, exist_ok=True)
    core.paths.log.write_text("\n".join(f"line {n}\x1b[31m" for n in range(100)))
    engine = Engine(core)
    engine.health.diagnostics = diagnostics(units)
    facts = engine.health.system_view(1).facts
    assert ("units", UNITS[0], "active (running), 2 restarts") in facts
    tail = [text for group, _, text in facts if group == "log"]
    assert len(tail) == LOG_LINES and tail[-1] == "line 99[31m"
    await engine.close()


@pytest.mark.parametrize("body", ["exit 1", "sleep 60"])
async def test_a_manager_that_fails_or_hangs_holds_nobody_up(
    core: Core, tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.ops.units.DEADLINE_S", 0.2)
    units = Units(core, tmp_path, manager(tmp_path, body))
    units.tend()
    assert units.states == ()
    units.tend()
    assert units._task is not None
    await asyncio.wait_for(units._task, 60)
    assert [row.state for row in units.states] in ([], ["TimeoutError"])
    await units.close()


async def test_a_manager_that_hangs_is_ended_with_what_it_started(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.ops.units.DEADLINE_S", 600.0)
    kept = tmp_path / "pid"
    body = f"sleep 600 & echo $! > {kept}.new; mv {kept}.new {kept}; wait"
    units = Units(core, tmp_path, manager(tmp_path, body))
    units.tend()
    assert units._task is not None
    await eventually(kept.exists)
    await units.close()
    await eventually(lambda: is_gone(int(kept.read_text())))


def test_a_host_without_a_manager_says_so(core: Core, tmp_path: Path) -> None:
    units = Units(core, tmp_path / "none")
    units.tend()
    assert [row.state for row in units.states] == ["none on this host"] and units.log_tail() == ()


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / name)
    return parser


def test_units_start_in_order_engine_watchdog_monitor() -> None:
    names = sorted(path.name for path in FOLDER.iterdir())
    assert set(UNITS) < set(names)
    engine, watchdog, monitor = (unit(name) for name in UNITS)
    assert UNITS[0] in watchdog["Unit"]["After"] and "Requires" not in watchdog["Unit"], (
        "the watchdog outlives the engine"
    )
    assert {UNITS[0], UNITS[1]} <= set(monitor["Unit"]["After"].split())
    assert monitor["Unit"]["Requires"] == UNITS[0]
    assert engine["Unit"]["OnFailure"] in names and int(engine["Unit"]["StartLimitBurst"]) <= 3


@pytest.mark.parametrize("name", UNITS)
def test_units_are_closed_and_hold_no_key(name: str) -> None:
    service = unit(name)["Service"]
    assert service["UMask"] == "0077" and service["LimitCORE"] == "0"
    assert service["ProtectSystem"] == "strict" and service["NoNewPrivileges"] == "yes"
    # A folder of locks is no key: its files are empty but for the number of a process.
    named = service["Environment"].replace("INTERLOCK_KEY_LOCKS=%S/interlock-keys", "")
    assert "KEY" not in named.upper() and "EnvironmentFile" not in service


def test_the_manager_itself_accepts_them(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for path in FOLDER.iterdir():
        text = path.read_text().replace("/opt/interlock/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text.replace("/opt/interlock/.venv/bin/interlock", "/bin/true"))
    words = ["systemd-analyze", "verify", *(str(path) for path in sorted(tmp_path.iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in done.stderr.splitlines() if "interlock-" in line]
    assert ours == []
