"""What commands may ask of sweeps: start, resume, list, read, and work for others' sweeps.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.home import HomePaths
from engine.api.research import UnknownRun, list_runs
from engine.api.run_views import RunRow
from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.config import Loaded
    from engine.research.sweep.publish import SweepReport, SweepResult
    from engine.research.sweep.study import Executor, Unfinished
    from engine.research.sweep.worker import WorkerReport

MODE = "sweep"


class SweepList(Record):
    """Finished sweeps, newest first, and the unfinished ones."""

    sweeps: tuple[RunRow, ...]
    unfinished: tuple[Unfinished, ...]


class SweepDetail(Record):
    """One finished sweep: its report, and the head of its leaderboard as plain records."""

    run_id: str
    path: str
    report: SweepReport
    leaderboard: tuple[dict[str, object], ...]


class Cluster(Record):
    """Where the workers are: a NATS URL, and the 0600 JSON file with user and password, if any."""

    url: str
    creds: Path | None = None


def start_sweep(
    text: bytes | None,
    fields: Mapping[str, object],
    home: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    cluster: Cluster | None = None,
    loaded: Loaded | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    note: Callable[[str], None] = lambda _: None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> SweepResult:
    """Sweep and publish; `text` is the request's YAML or JSON, `fields` what wins over it.

    See `engine.research.sweep.study.run_sweep` for what is raised. With `loaded`, its account is used where
    none is asked for and there is no preset.
    """
    import msgspec

    from engine.research.run import with_settings
    from engine.research.sweep.request import make_request, read_request
    from engine.research.sweep.study import run_sweep

    request = make_request(fields) if text is None else read_request(text, fields)
    if loaded is not None:
        base = with_settings(request.base, loaded.settings)
        request = msgspec.structs.replace(request, base=base)  # type: ignore[type-var]
    clock = clock or SystemClock()
    executor_of = None
    if cluster is not None:
        from engine.research.sweep.cluster import ClusterExecutor
        from engine.research.sweep.plan import Plan

        def executor_of(plan: Plan) -> Executor:
            return ClusterExecutor(plan, clock, cluster.url, cluster.creds, note=note)

    return run_sweep(
        request,
        home,
        disk or RealDisk(),
        clock,
        workers=workers,
        resume=resume,
        executor_of=executor_of,
        on_progress=on_progress,
        is_cancelled=is_cancelled,
    )


def list_sweeps(home: Path, disk: Disk | None = None) -> SweepList:
    """Return the sweeps of this home. Raises `SweepDamaged` for an unfinished one that does not read."""
    from engine.research.sweep.study import list_unfinished

    disk = disk or RealDisk()
    runs = [row for row in list_runs(home, disk).runs if row.mode == MODE]
    return SweepList(sweeps=tuple(runs), unfinished=tuple(list_unfinished(home, disk)))


def show_sweep(home: Path, run_id: str = "", top: int = 10, disk: Disk | None = None) -> SweepDetail:
    """Return a finished sweep, the newest where no id is given. Raises `UnknownRun`."""
    import msgspec

    from engine.research.sweep.publish import Row, SweepReport

    disk = disk or RealDisk()
    sweeps = [row for row in list_runs(home, disk).runs if row.mode == MODE]
    found = next((row for row in sweeps if run_id in ("", row.run_id)), None)
    if found is None:
        raise UnknownRun(f"no finished sweep {run_id[:80]!r}" if run_id else "no sweep has finished here")
    folder = HomePaths(home).runs / found.run_id
    rows = msgspec.json.decode(disk.read(folder / "leaderboard.json"), type=tuple[Row, ...])
    return SweepDetail(
        run_id=found.run_id,
        path=str(folder),
        report=msgspec.json.decode(disk.read(folder / "sweep.json"), type=SweepReport),
        leaderboard=tuple(_flat(row) for row in rows[:top]),
    )


def work(
    cluster: Cluster,
    *,
    threads: int = 1,
    idle_exit_s: float = 0.0,
    note: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
) -> WorkerReport:
    """Work for the sweeps of a cluster until interrupted, or idle for so long (0: for ever).

    Raises `ClusterUnreachable` or `PermissionError`.
    """
    import asyncio

    from engine.research.sweep.worker import Worker

    worker = Worker(
        clock or SystemClock(),
        cluster.url,
        cluster.creds,
        threads=threads,
        idle_exit_s=idle_exit_s,
        note=note,
    )
    return asyncio.run(worker.run())


def _flat(row: object) -> dict[str, object]:
    """Return a leaderboard row with its parameters beside its other fields."""
    import msgspec

    fields = msgspec.to_builtins(row)
    assert isinstance(fields, dict)
    params = fields.pop("params")
    return {"rank": fields.pop("rank"), "config_id": fields.pop("config_id"), **params, **fields}
