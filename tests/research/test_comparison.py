"""Comparison and candidates: only equals compare, one baseline at most, what is gone is shown as missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.api import research
from engine.journal import read_equity
from engine.research.candidates import CandidateBook, CandidatesDamaged
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1m.csv", 2_000)


def start(home: Path, bars: Path, **fields: object) -> research.RunResult:
    request = research.run_request({"preset": "oracle-flip", "data": str(bars), **fields})
    return research.start_run(request, home, clock=FixedClock())


def book(home: Path, clock: FixedClock | None = None) -> CandidateBook:
    return CandidateBook(home / "outputs" / "runs", RealDisk(), clock or FixedClock())


def test_equal_contracts_have_equal_hashes_and_another_fee_another(tmp_path: Path, bars: Path) -> None:
    one, two = start(tmp_path, bars), start(tmp_path, bars, params={"fast": 9})
    dear = start(tmp_path, bars, fee_bps=4.51)
    found = research.compare_runs(tmp_path, (one.run_id, two.run_id, dear.run_id))
    assert found.contract_hashes[0] == found.contract_hashes[1] != found.contract_hashes[2]
    assert (found.contract, found.mixed_keys) == ("mixed_contract", ("fee_bps",))
    assert found.trust == ("passed", "passed", "passed")
    report = json.loads((Path(one.path) / "report.json").read_bytes())
    assert report["contract_hash"] == found.contract_hashes[0]


def test_another_kernel_is_another_contract(tmp_path: Path, bars: Path) -> None:
    one, two = start(tmp_path, bars), start(tmp_path, bars)
    path = Path(two.path) / "report.json"
    path.write_text(path.read_text().replace(two.kernel_sha256, "0" * 64))
    assert research.compare_runs(tmp_path, (one.run_id, two.run_id)).mixed_keys == ("kernel_sha256",)


def test_windows_are_aligned_on_what_they_share(tmp_path: Path, bars: Path) -> None:
    whole = start(tmp_path, bars)
    first_ns = 1_699_999_200_000_000_000
    late = start(tmp_path, bars, start_ns=first_ns + 500 * 60 * 10**9)
    refused = research.compare_runs(tmp_path, (whole.run_id, late.run_id))
    assert (refused.contract, refused.mixed_keys, refused.aligned_window) == (
        "mixed_contract",
        ("start",),
        "",
    )
    found = research.compare_runs(tmp_path, (whole.run_id, late.run_id), aligns=True)
    assert (found.contract, found.mixed_keys) == ("same", ())
    assert found.aligned_window.startswith("2023-11-15T06:20")
    assert found.metrics["bars"] == (1_500, 1_500)
    _, equity = read_equity(Path(whole.path) / "journal.h5")
    assert found.metrics["total_return"][0] == pytest.approx(equity[-1] / equity[499] - 1)
    dear = start(tmp_path, bars, fee_bps=9.0, max_bars=900)
    assert (
        research.compare_runs(tmp_path, (whole.run_id, dear.run_id), aligns=True).contract == "mixed_contract"
    )


def test_windows_without_overlap_are_refused(tmp_path: Path, bars: Path) -> None:
    cut = 1_699_999_200_000_000_000 + 900 * 60 * 10**9
    one, two = start(tmp_path, bars, end_ns=cut), start(tmp_path, bars, start_ns=cut)
    found = research.compare_runs(tmp_path, (one.run_id, two.run_id), aligns=True)
    assert (found.contract, found.aligned_window) == ("mixed_contract", "")


def test_no_more_than_five(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        research.compare_runs(tmp_path, tuple(str(number) for number in range(6)))


def test_the_book_of_candidates(tmp_path: Path, bars: Path) -> None:
    clock = FixedClock()
    one, two = start(tmp_path, bars), start(tmp_path, bars, params={"fast": 9})
    kept = book(tmp_path, clock)
    kept.add(one.run_id, "first")
    clock.advance(60)
    kept.add(two.run_id, "")
    store = kept.add(one.run_id, "better note")
    assert [(each.run_id, each.note) for each in store.candidates] == [
        (two.run_id, ""),
        (one.run_id, "better note"),
    ]
    kept.shortlist(one.run_id, True)
    kept.set_baseline(one.run_id)
    assert kept.set_baseline(two.run_id).baseline_run_id == two.run_id
    assert [(row.run_id, row.is_baseline, row.shortlisted) for row in kept.rows()] == [
        (two.run_id, True, False), (one.run_id, False, True),
    ]  # fmt: skip
    shutil.rmtree(two.path)
    assert [row.state for row in kept.rows()] == ["missing", "success"]
    with pytest.raises(research.UnknownRun):
        kept.add(two.run_id, "gone")
    kept.remove(two.run_id)
    assert [row.run_id for row in kept.rows()] == [two.run_id, one.run_id]
    assert kept.set_baseline(None).baseline_run_id is None
    with pytest.raises(research.UnknownRun):
        kept.shortlist("20260101_000000_run_0000000", True)


def test_a_damaged_book_is_not_overwritten(tmp_path: Path, bars: Path) -> None:
    run = start(tmp_path, bars)
    path = tmp_path / "outputs" / "candidates.json"
    path.write_text("{")
    with pytest.raises(CandidatesDamaged):
        book(tmp_path).add(run.run_id, "")
    assert path.read_text() == "{"


def test_aligned_metrics_are_finite_or_null(tmp_path: Path, bars: Path) -> None:
    one, two = start(tmp_path, bars), start(tmp_path, bars, max_bars=50)
    found = research.compare_runs(tmp_path, (one.run_id, two.run_id), aligns=True)
    numbers = [value for row in found.metrics.values() for value in row if isinstance(value, float)]
    assert np.all(np.isfinite(numbers))


def test_where_two_records_of_one_configuration_disagree_the_more_trusted_source_counts(
    tmp_path: Path, bars: Path
) -> None:
    one, two = start(tmp_path, bars), start(tmp_path, bars)
    same = research.compare_runs(tmp_path, (one.run_id, two.run_id))
    assert (same.sources, same.disagreeing, same.trusted) == (("replay", "replay"), (), "")
    path = Path(two.path) / "report.json"
    text = path.read_text().replace(two.decision_sha256, "0" * 64)
    path.write_text(text)
    found = research.compare_runs(tmp_path, (one.run_id, two.run_id))
    assert (found.contract, found.disagreeing, found.trusted) == ("same", (one.run_id, two.run_id), "")
    report = json.loads(text)
    report["header"]["mode"] = "paper"
    path.write_text(json.dumps(report))
    found = research.compare_runs(tmp_path, (one.run_id, two.run_id))
    assert (found.sources, found.trusted) == (("replay", "paper"), two.run_id)
