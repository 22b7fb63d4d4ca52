"""One desk's whole day with the real commands, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
BARS = SHARED / "data" / "licensed" / "bars_1m" / "binance_um" / "BTCUSDT_1m.parquet"
ORACLES = SHARED / "oracles" / "backtest.json"
SET = "binance_um/BTCUSDT/1m"


@pytest.mark.shared
@pytest.mark.skipif(not (BARS.is_file() and ORACLES.is_file()), reason="INTERLOCK_SHARED is not there")
def test_from_a_file_of_bars_to_a_verified_audit(tmp_path: Path) -> None:
    environment = {**os.environ, "INTERLOCK_HOME": str(tmp_path), "INTERLOCK_OPERATOR": "alice"}

    def shell(words: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "interlock.py"), *words.split(), "--json"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        found = json.loads(done.stdout)
        assert isinstance(found, dict) and found["ok"] is True, words
        return found

    shell(f"data import {BARS} --as {SET}")
    shell("data list")
    shell(f"data coverage {SET}")
    whole = shell(f"run start --preset oracle-flip --data {BARS} --set fast=12 --set slow=26")["run"]
    cases = json.loads(ORACLES.read_text())["cases"]
    wanted = next(c for c in cases if (c["file"], c["fast"], c["slow"]) == (BARS.name, 12, 26))["flip"]
    assert isinstance(whole, dict)
    for name in ("bars", "trades", "wins", "trades_sha256"):
        assert whole[name] == wanted[name]
    assert whole["final_equity"] == pytest.approx(wanted["final_equity"], abs=1e-6)
    part = shell(f"run start --preset oracle-flip --data {SET} --max-bars 600")["run"]
    assert isinstance(part, dict)
    shell("run list")
    shell(f"run show {whole['run_id']}")
    shell("run best")
    shell(f"run compare {whole['run_id']} {part['run_id']} --align")
    shell("engine start")
    try:
        words = f"paper start --preset oracle-flip --feed replay:{SET} --speed 0 --max-bars 600 --wait"
        session = shell(words)["session"]
        assert isinstance(session, dict)
        assert session["decision_sha256"] == part["decision_sha256"]
        shell("paper list")
        shell(f"paper show {session['session_id']}")
        shell("paper health")
        shell("audit verify")
        shell("config show --origin")
        shell("check")
        shell("doctor")
    finally:
        shell("engine stop")
