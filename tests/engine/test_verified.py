"""A strategy that is not verified, or no longer, or otherwise, is neither promoted nor signed (QX-25)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.api.commands import FoundryForge
from engine.api.demo import write_demo_bars
from engine.api.home import HomePaths
from engine.api.research import list_runs, run_request, start_run
from engine.api.run_views import RunRow
from engine.lifecycle.foundry.make import forge_component
from engine.lifecycle.verify.gate import demand_verified
from engine.lifecycle.verify.report import VerifyReport, latest_path
from engine.lifecycle.verify.verify import keep_report
from engine.promotion import verify_reader
from engine.research.reading import run_row
from native.identity import kernel_sha256
from safety.reasons import Refusal
from seams.disk import RealDisk

DISK = RealDisk()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRow, VerifyReport]:
    """A home with a verified component and a run of it."""
    home = tmp_path_factory.mktemp("desk")
    data = write_demo_bars(home, 1)
    body = FoundryForge(
        component_type="strategy", name="some_name", target_lang="cpp", prompt="EMA crossover 5/9"
    )
    made = forge_component(body, home, DISK)
    fields = {"strategy": f"{made.folder}/strategy.py", "data": data, "max_bars": 2000}
    start_run(run_request(fields), home)
    (row,) = list_runs(home, DISK).runs
    return home, run_row(row) if not isinstance(row, RunRow) else row, made.report


@pytest.fixture
def home(desk: tuple[Path, RunRow, VerifyReport], tmp_path: Path) -> Path:
    """A copy to be hurt; the report is written anew, for it names its folder."""
    copy = tmp_path / "home"
    shutil.copytree(desk[0], copy)
    folder = copy / Path(desk[2].path).parent.relative_to(desk[0])
    keep_report(desk[2], folder, copy, DISK)
    return copy


def blockers(home: Path, row: RunRow, kernel: str = "") -> tuple[str, ...]:
    return verify_reader(HomePaths(home), DISK, kernel or kernel_sha256())(row)


def folder_of(home: Path) -> Path:
    return home / "foundry" / "strategies" / "cpp" / "17" / "some_name"


def changed(home: Path, **fields: Any) -> None:
    path = latest_path(home, "SomeName")
    report = msgspec.json.decode(DISK.read(path), type=VerifyReport)
    data = msgspec.json.encode(msgspec.structs.replace(report, **fields))  # type: ignore[type-var]
    DISK.write_atomic(path, data)
    DISK.write_atomic(Path(report.path), data)


def test_what_is_verified_passes(desk: tuple[Path, RunRow, VerifyReport], home: Path) -> None:
    assert desk[1].strategy == "SomeName" and blockers(home, desk[1]) == ()
    report = demand_verified(home, DISK, "SomeName", kernel_sha256=kernel_sha256())
    assert report.is_equivalent


HURTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no report": (lambda home: latest_path(home, "SomeName").unlink(), "verify_missing"),
    "torn report": (
        lambda home: latest_path(home, "SomeName").write_bytes(b'{"strategy"'),
        "verify_unreadable",
    ),
    "a difference": (lambda home: changed(home, verdict="diverged"), "verify_diverged"),
    "another kernel": (lambda home: changed(home, kernel_sha256="0" * 64), "verify_stale"),
    "another source": (lambda home: changed(home, source_sha256="0" * 64), "verify_stale"),
    "another strategy": (lambda home: changed(home, strategy="Other"), "verify_stale"),
    "no report beside": (lambda home: (folder_of(home) / "verify_report.json").unlink(), "verify_stale"),
    "no library": (lambda home: (folder_of(home) / "strategy.so").unlink(), "verify_stale"),
    "other library": (lambda home: _append(folder_of(home) / "strategy.so"), "verify_stale"),
    "other twin": (lambda home: _append(folder_of(home) / "strategy.py"), "verify_stale"),
    "no run": (lambda home: shutil.rmtree(HomePaths(home).runs), "verify_stale"),
    "outside": (lambda home: changed(home, path="/etc/verify_report.json"), "verify_stale"),
}


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize("what", HURTS)
def test_what_is_not_blocks_by_name(desk: tuple[Path, RunRow, VerifyReport], home: Path, what: str) -> None:
    hurt, code = HURTS[what]
    if what == "outside":
        path = latest_path(home, "SomeName")
        report = msgspec.json.decode(DISK.read(path), type=VerifyReport)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(report, path="/etc/x.json")))  # type: ignore[type-var]
    else:
        hurt(home)
    assert blockers(home, desk[1]) == (code,)
    if what != "no run":
        with pytest.raises(Refusal) as refused:
            demand_verified(home, DISK, "SomeName", kernel_sha256=kernel_sha256())
        assert refused.value.code == code


def test_a_run_of_another_source_or_kernel_is_stale(
    desk: tuple[Path, RunRow, VerifyReport], home: Path
) -> None:
    assert blockers(home, desk[1], kernel="f" * 64) == ("verify_stale",)
    with pytest.raises(Refusal, match="source is another"):
        demand_verified(home, DISK, "SomeName", kernel_sha256=kernel_sha256(), source_sha256="1" * 64)
    other: RunRow = msgspec.structs.replace(desk[1], strategy="../../x")  # type: ignore[type-var]
    assert blockers(home, other) == ("verify_missing",)
