"""What other programs rely on is written down as the code has it: schemas, switches; files fit them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.api import parity, research, sweep
from engine.api.switches import SWITCHES, with_table
from engine.published import PUBLISHED, published_schemas
from seams.clock import FixedClock
from tests.research.market import write_bars

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs" / "schemas"


@pytest.mark.parametrize("name", sorted(published_schemas()))
def test_published_schemas_match_the_code(name: str) -> None:
    assert (SCHEMAS / name).read_bytes() == published_schemas()[name], "run: python -m engine.published"
    assert msgspec.json.decode((SCHEMAS / name).read_bytes())


def test_no_schema_is_left_of_a_file_that_is_gone() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {*published_schemas(), "api.json"}


def test_the_table_of_switches_is_the_codes() -> None:
    text = (ROOT / "docs" / "assumptions.md").read_text(encoding="utf-8")
    assert text == with_table(text), "run: python -m engine.api.switches"
    assert all(f"`{row.option}`" in text for row in SWITCHES)
    assert with_table(text.replace("`--latency-ms`", "`--lateness`")) == text, "a wrong table is seen"


def test_the_files_of_a_sweep_its_replay_and_a_walk_forward_fit_their_schemas(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "BTCUSD_1h.csv", 3_000, minutes=60)
    fields = {"strategy": "ema_cross", "data": str(bars), "param_grid": {"fast": [5, 9], "slow": [30, 60]}}
    made = sweep.start_sweep(None, fields, tmp_path, clock=FixedClock())
    replayed = parity.replay(tmp_path, made.run_id, top=1, clock=FixedClock())
    text = (
        f"strategy: ema_cross\ndata: {bars}\nparam_grid: {{fast: [5, 9], slow: [30]}}\n"
        "rolling: {train_days: 60, test_days: 20}\n"
    )
    walked = research.walk_forward(text.encode(), tmp_path, clock=FixedClock())
    swept, walk, evidence = Path(made.path), Path(walked.path), Path(replayed.ledger_path).parent
    candidate = next(iter((evidence / "candidates").iterdir()))
    for name, path in (
        ("sweep", swept / "sweep.json"),
        ("sweep.leaderboard", swept / "leaderboard.json"),
        ("run.report", swept / "report.json"),
        ("walkforward.config", walk / "config.json"),
        ("walkforward.report", walk / "report.json"),
        ("walkforward.summary", walk / "walkforward_summary.json"),
        ("walkforward.split_metrics", walk / "split_metrics.json"),
        ("walkforward.selected_configs", walk / "selected_configs.json"),
        ("parity.replay_report", evidence / "replay_report.json"),
        ("parity.release_blocker", evidence / "release_blocker.json"),
        ("parity.candidates", evidence / "candidates.json"),
        ("parity.candidate", candidate),
    ):
        assert msgspec.json.decode(path.read_bytes(), type=PUBLISHED[name], strict=True), name
    for name, path in (
        ("sweep.trials_row", swept / "trials.jsonl"),
        ("parity.ledger_row", evidence / "parity_ledger.jsonl"),
    ):
        lines = path.read_bytes().splitlines()
        assert lines and all(msgspec.json.decode(line, type=PUBLISHED[name], strict=True) for line in lines)
