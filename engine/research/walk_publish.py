"""The folder of a walk-forward, `outputs/walkforward/<id>/`: tables for programs, a page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.research import identity
from engine.research.artifacts import Fill, make_run_id, sweep_staging, write_folder
from engine.research.risk import DAY_NS
from engine.research.schemas import Artifact, RunConfig, Scalar, json_bytes
from engine.research.shown import shown
from engine.research.sweep.request import SweepRequest
from engine.research.walk_forward import (
    MEASURED,
    Constraints,
    Selection,
    SplitMetrics,
    Tested,
    Walked,
    WalkRequest,
)
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

MODE = "walkforward"
CURVE_POINTS = 5_000


class WalkConfig(Record):
    """config.json of a walk-forward: what was asked for."""

    search: SweepRequest
    selection: Selection
    constraints: Constraints
    embargo_bars: int


class WalkResult(Record):
    """What a walk-forward gave. `median_oos_daily_return`: of the stitched curve (fraction a day).

    `sharpe_change` is the mean over splits of the first choice's yearly Sharpe ratio in the test less that in
    training: below 0 it lost.
    """

    walk_id: str
    path: str
    splits: int
    tested: int
    oos_return: float | None
    oos_max_drawdown: float | None
    median_oos_daily_return: float | None
    positive_splits: float | None
    sharpe_change: float | None


class WalkReport(Record):
    """report.json of a walk-forward."""

    schema_version: str = "1.0"
    artifact_type: str = "interlock.walkforward_report"
    walk_id: str
    created_at: str
    git_commit: str
    kernel_sha256: str
    data_sha256: str
    summary: WalkResult
    splits: tuple[SplitMetrics, ...]
    artifacts: tuple[Artifact, ...]


def publish_walk(
    request: WalkRequest,
    config: RunConfig,
    walked: Walked,
    interval_ns: int,
    home: Path,
    disk: Disk,
    clock: Clock,
) -> WalkResult:
    """Write the folder whole or not at all. Raises `OSError`."""
    root = home / "outputs" / "walkforward"
    disk.make_folder(root)
    sweep_staging(root)
    created_ns = clock.now_ns()
    walk_id = make_run_id(created_ns, MODE, config, root)
    result = _result(walk_id, root / walk_id, walked, interval_ns)
    config_asked = WalkConfig(
        search=request.search,
        selection=request.selection,
        constraints=request.constraints,
        embargo_bars=request.embargo_bars,
    )
    files: dict[str, Fill] = {
        "config.json": json_bytes(config_asked),
        "split_metrics.json": json_bytes(walked.splits),
        "selected_configs.json": json_bytes(walked.tested),
        "walkforward.csv": _csv([_row(each) for each in walked.tested]),
        "walkforward_summary.json": json_bytes(result),
        "oos_leaderboard.csv": _csv(leaderboard(walked.tested)),
        "oos_equity_timeseries.csv": _curve(walked),
    }  # fmt: skip

    def last(written: tuple[Artifact, ...]) -> dict[str, bytes]:
        report = WalkReport(
            walk_id=walk_id,
            created_at=iso_z(created_ns),
            git_commit=identity.git_commit(),
            kernel_sha256=identity.kernel_sha256(),
            data_sha256=config.data_sha256,
            summary=result,
            splits=walked.splits,
            artifacts=written,
        )
        return {"report.md": _markdown(result, walked).encode(), "report.json": json_bytes(report)}

    write_folder(root / walk_id, files, last)
    return result


def leaderboard(tested: Sequence[Tested]) -> list[dict[str, Scalar]]:
    """Return one row for each configuration over the splits it was chosen in, best mean return first."""
    groups: dict[str, list[Tested]] = {}
    for each in tested:
        groups.setdefault(each.config_id, []).append(each)
    rows: list[dict[str, Scalar]] = []
    for config_id, members in groups.items():
        returns = [float(each.test["total_return"] or 0.0) for each in members]
        rows.append(
            {
                "config_id": config_id,
                "splits": len(members),
                "mean_oos_return": float(np.mean(returns)),
                "worst_oos_return": min(returns),
                "oos_trades": sum(int(each.test["trades"] or 0) for each in members),
                **{f"param_{name}": value for name, value in sorted(members[0].params.items())},
            }
        )
    return sorted(rows, key=lambda row: (-float(row["mean_oos_return"] or 0.0), str(row["config_id"])))


def _result(walk_id: str, path: Path, walked: Walked, interval_ns: int) -> WalkResult:
    firsts = [each for each in walked.tested if each.rank == 1]
    peaks = np.maximum(np.maximum.accumulate(walked.equity), 1.0) if len(walked.equity) else None
    decays = [
        float(each.test["sharpe_simple"]) - float(each.train["sharpe_simple"])
        for each in firsts
        if isinstance(each.test["sharpe_simple"], float) and isinstance(each.train["sharpe_simple"], float)
    ]
    gains = [float(each.test["total_return"] or 0.0) > 0 for each in firsts]
    return WalkResult(
        walk_id=walk_id,
        path=str(path),
        splits=len(walked.splits),
        tested=len(walked.tested),
        oos_return=float(walked.equity[-1]) - 1.0 if len(walked.equity) else None,
        oos_max_drawdown=None if peaks is None else float(np.max(1.0 - walked.equity / peaks)),
        median_oos_daily_return=_median_day(walked, interval_ns),
        positive_splits=float(np.mean(gains)) if gains else None,
        sharpe_change=float(np.mean(decays)) if decays else None,
    )


def _median_day(walked: Walked, interval_ns: int) -> float | None:
    """Return the median return of the days that were tested; days between two tests do not count."""
    if not len(walked.equity) or interval_ns > DAY_NS:
        return None
    days = walked.ts_ns // DAY_NS
    marks = walked.equity[np.flatnonzero(np.diff(days, append=days[-1] + 1))]
    return float(np.median(marks / np.concatenate([[1.0], marks[:-1]]) - 1.0))


def _row(each: Tested) -> dict[str, Scalar]:
    return {
        "split": each.split,
        "rank": each.rank,
        "config_id": each.config_id,
        **{f"train_{name}": each.train[name] for name in MEASURED},
        **{f"test_{name}": each.test[name] for name in MEASURED},
        **{f"param_{name}": value for name, value in sorted(each.params.items())},
    }


def _curve(walked: Walked) -> bytes:
    """Write the stitched equity, thinned to 5,000 points with the last one kept."""
    count = len(walked.equity)
    kept = np.unique(np.linspace(0, max(count - 1, 0), min(count, CURVE_POINTS)).astype(np.int64))
    lines = ["timestamp,equity"]
    lines += [f"{iso_z(int(walked.ts_ns[at]))},{walked.equity[at]:.10f}" for at in kept.tolist()]
    return ("\n".join(lines) + "\n").encode()


def _csv(rows: Sequence[dict[str, Scalar]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["split"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _markdown(result: WalkResult, walked: Walked) -> str:
    lines = [
        f"# Walk-forward {result.walk_id}",
        "",
        f"Out of sample, each split's first choice, one after another: return "
        f"{shown('total_return', result.oos_return)}, largest drawdown "
        f"{shown('max_drawdown', result.oos_max_drawdown)}, splits that gained "
        f"{shown('win_rate', result.positive_splits)}, mean change of the Sharpe ratio "
        f"{shown('sharpe', result.sharpe_change)}.",
        "",
        "| split | training | embargo bars | test | trials | eligible |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each.name} | {each.train_start[:10]} to {each.train_end[:10]} | {each.embargo_bars} | "
            f"{each.test_start[:10]} to {each.test_end[:10]} | {each.trials:,} | {each.eligible:,} |"
            for each in walked.splits
        ),
        "",
        "| split | rank | parameters | train Sharpe | test Sharpe | test return | test trades |",
        "|---|---|---|---|---|---|---|",
        *(_line(each) for each in walked.tested),
        "",
    ]
    return "\n".join(lines)


def _line(each: Tested) -> str:
    cells = (
        each.split,
        str(each.rank),
        ", ".join(f"{name}={value:g}" for name, value in sorted(each.params.items())),
        shown("sharpe", each.train["sharpe_simple"]),
        shown("sharpe", each.test["sharpe_simple"]),
        shown("total_return", each.test["total_return"]),
        shown("trades", each.test["trades"]),
    )
    return f"| {' | '.join(cells)} |"
