"""What commands and consoles may ask of research: runs, paper sessions, configuration.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.home import HomePaths
from engine.api.run_views import RunDetail, RunRow, SessionRow
from engine.api.switches import gathered
from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.api.lab import WalkPage, WalkRow
    from engine.config import Loaded
    from engine.research.candidates import CandidateBook
    from engine.research.request import RunRequest, RunResult
    from engine.research.schemas import CandidateStore
    from engine.research.session_health import AlertSnapshot, Health
    from engine.research.validation import Validation
    from engine.research.walk_publish import WalkResult

CURVE_POINTS = 2_000
TRADE_ROWS = 1_000

Scalar = float | int | str | None


class ExcludedRun(Record):
    """A run or folder that a list leaves out, and why."""

    run_id: str
    reason: str


class RunList(Record):
    """Runs, newest first, and what was left out."""

    runs: tuple[RunRow, ...]
    excluded: tuple[ExcludedRun, ...]


class Comparison(Record):
    """Runs side by side: values are in the order of `run_ids`.

    `config_delta` holds only keys that differ. `contract` is `same` or `mixed_contract`: the runs differ
    in data, window, interval, costs or engine (`mixed_keys`), so that their numbers do not compare.
    `aligned_window` is the shared window that the metrics were made anew on, empty where that was not done.
    `sources`: where each run's figures come from (`engine.lifecycle.parity.sources`); `disagreeing`: runs of
    one configuration that decided differently, and `trusted` the one of them that counts, empty where the
    same source says both.
    """

    run_ids: tuple[str, ...]
    metrics: dict[str, tuple[Scalar, ...]]
    config_delta: dict[str, tuple[str, ...]]
    contract: str
    mixed_keys: tuple[str, ...]
    excluded: tuple[ExcludedRun, ...]
    contract_hashes: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    aligned_window: str = ""
    sources: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    trusted: str = ""


class CandidateRow(Record):
    """A candidate or the baseline; `state` is the run's status, or missing."""

    run_id: str
    state: str
    is_baseline: bool
    shortlisted: bool
    note: str
    added_at: str
    strategy: str
    trust: str
    total_return: float | None
    sharpe_simple: float | None
    max_drawdown: float | None


class MadeReport(Record):
    """A report made from a run's artifacts. `is_as_written`: equal, byte for byte, to the file at `path`."""

    run_id: str
    form: str
    path: str
    is_as_written: bool
    text: str


class UnknownRun(LookupError):
    """No readable run has this id; `code` is unknown_run."""

    code = "unknown_run"


class UnknownSession(LookupError):
    """No readable session has this id; `code` is unknown_session."""

    code = "unknown_session"


def run_request(fields: Mapping[str, object]) -> RunRequest:
    """Make a run's request from plain values, switches among them or under `switches`.

    Raises `ValueError` for an unknown field or a wrong type.
    """
    import msgspec

    from engine.research.request import RunRequest

    return msgspec.convert(gathered(fields), RunRequest)


def start_run(
    request: RunRequest,
    home: Path,
    *,
    loaded: Loaded | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> RunResult:
    """Run in this process and publish the artifacts; see `engine.research.run.run_backtest`.

    With `loaded`, its fingerprint joins the identity and, without a preset, its account is used.
    """
    from engine.research.run import run_backtest, with_settings

    if loaded is not None:
        import msgspec

        from engine.research.reproduce import reproduce_command

        # Before the settings fill in what nobody asked for: config.json says what it was.
        words = {"command": reproduce_command(request)}
        request = with_settings(msgspec.structs.replace(request, **words), loaded.settings)  # type: ignore[type-var]
    run = run_backtest
    if request.is_portfolio:
        from engine.research.portfolio import run_portfolio

        run = run_portfolio
    return run(
        request,
        home,
        disk or RealDisk(),
        clock or SystemClock(),
        on_progress=on_progress,
        is_cancelled=is_cancelled,
    )


def list_runs(home: Path, disk: Disk | None = None) -> RunList:
    """Return every run, newest first; damaged folders are in `excluded`."""
    from engine.research.reading import list_runs as read

    return read(HomePaths(home).runs, disk or RealDisk())


def best_run(home: Path, metric: str = "sharpe_simple", disk: Disk | None = None) -> RunRow | None:
    """Return the run with the highest metric (lowest for max_drawdown), or None without one."""
    from engine.research.reading import best_run as read

    return read(HomePaths(home).runs, metric, disk or RealDisk())


def show_run(home: Path, run_id: str, points: int = CURVE_POINTS, disk: Disk | None = None) -> RunDetail:
    """Return one run with its curve thinned to `points`. Raises `UnknownRun`."""
    from engine.research.reading import show_run as read

    return read(HomePaths(home).runs, run_id, points, TRADE_ROWS, disk or RealDisk())


def compare_runs(
    home: Path, run_ids: tuple[str, ...], disk: Disk | None = None, *, aligns: bool = False
) -> Comparison:
    """Put up to five runs side by side; runs without canonical metrics are excluded with a reason.

    `aligns` measures runs that differ only in their window on the part they share. Raises `ValueError`.
    """
    from engine.research.comparison import compare_runs as read

    return read(HomePaths(home).runs, run_ids, disk or RealDisk(), aligns=aligns)


def walk_forward(
    text: bytes,
    home: Path,
    changes: Mapping[str, object] | None = None,
    *,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> WalkResult:
    """Walk forward as a YAML text says and publish it; `changes` win. See `engine.research.walk_forward`.

    Raises `RunFailed` with its code, what the catalogue raises, or `OSError`.
    """
    from engine.research.walk_forward import read_walk, walk
    from engine.research.walk_publish import publish_walk

    disk, clock = disk or RealDisk(), clock or SystemClock()
    request, bars, config, shelf = read_walk(text, home, disk, changes)
    walked = walk(request, bars, config, shelf, workers=workers, on_progress=on_progress)
    return publish_walk(request, config, walked, bars.interval_ns, home, disk, clock)


def validate_run(
    home: Path,
    run_id: str,
    *,
    data: str = "",
    strategy: str = "",
    walk_id: str = "",
    iterations: int = 1_000,
    disk: Disk | None = None,
) -> Validation:
    """Make a run again, stress it and write its bundle; see `engine.research.validation.validate`.

    Raises `UnknownRun`, or `RunFailed` with not_reproducible, mixed_contract or invalid_request.
    """
    from engine.research.validation import validate

    return validate(
        run_id,
        home,
        disk or RealDisk(),
        data=data,
        strategy=strategy,
        walk_id=walk_id,
        iterations=iterations,
    )


def list_walks(home: Path, disk: Disk | None = None) -> tuple[WalkRow, ...]:
    """Return the walk-forwards, newest first."""
    from engine.research.lab_studies import walk_rows

    return walk_rows(home, disk or RealDisk())


def show_walk(home: Path, walk_id: str, disk: Disk | None = None) -> WalkPage:
    """Return one walk-forward split by split. Raises `UnknownRun`."""
    from engine.research.lab_studies import walk_page

    return walk_page(walk_id, home, disk or RealDisk())


def list_candidates(home: Path) -> tuple[CandidateRow, ...]:
    """Return the baseline and the candidates; a run that is gone has the state missing."""
    return _book(home).rows()


def add_candidate(home: Path, run_id: str, note: str = "") -> CandidateStore:
    """Add a run or change its note. Raises `UnknownRun`."""
    return _book(home).add(run_id, note)


def remove_candidate(home: Path, run_id: str) -> CandidateStore:
    """Take a run off the candidates. Raises `UnknownRun` when it is not one."""
    return _book(home).remove(run_id)


def shortlist_candidate(home: Path, run_id: str, is_on: bool) -> CandidateStore:
    """Put a candidate on the shortlist or take it off. Raises `UnknownRun` when it is not one."""
    return _book(home).shortlist(run_id, is_on)


def set_baseline(home: Path, run_id: str | None) -> CandidateStore:
    """Make a run the one baseline, or have none. Raises `UnknownRun`."""
    return _book(home).set_baseline(run_id)


def _book(home: Path) -> CandidateBook:
    from engine.research.candidates import CandidateBook

    return CandidateBook(HomePaths(home).runs, RealDisk(), SystemClock())


def make_report(home: Path, run_id: str, form: str = "html", disk: Disk | None = None) -> MadeReport:
    """Make a report (html, md or json) from the artifacts alone. Raises `UnknownRun` or `JournalDamaged`."""
    from engine.research.remake import remake

    return remake(HomePaths(home).runs, run_id, form, disk or RealDisk())


def list_sessions(home: Path, disk: Disk | None = None, clock: Clock | None = None) -> tuple[SessionRow, ...]:
    """Return every paper session, newest first, with `stale` derived."""
    from engine.research.reading import list_session_rows

    return list_session_rows(HomePaths(home).sessions, disk or RealDisk(), clock or SystemClock())


def session_health(home: Path, disk: Disk | None = None, clock: Clock | None = None) -> Health:
    """Return the summary of all paper sessions."""
    from engine.research.session_health import health
    from engine.research.session_health import list_sessions as read

    return health(read(HomePaths(home).sessions, disk or RealDisk(), clock or SystemClock())[0])


def session_alerts(
    home: Path, stale_after_minutes: float = 60.0, disk: Disk | None = None, clock: Clock | None = None
) -> AlertSnapshot:
    """Return the alerts of all paper sessions."""
    from engine.research.session_health import alert_snapshot

    return alert_snapshot(
        HomePaths(home).sessions, disk or RealDisk(), clock or SystemClock(), stale_after_minutes
    )


def load_config_with_origins(
    home: Path, environ: Mapping[str, str] | None = None, cli: Mapping[str, object] | None = None
) -> Loaded:
    """Return the settings, and where each came from. Raises `engine.config.ConfigError`."""
    from engine.config import load_settings

    return load_settings(home, os.environ if environ is None else environ, cli)
