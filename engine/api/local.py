"""What works without an engine: the direct kill, audit verify, the check of this installation, doctor."""

from __future__ import annotations

import locale
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.commands import KillDone
from engine.api.home import HomePaths
from engine.api.libraries import LIBRARIES, examine
from seams.clock import SystemClock
from seams.disk import RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.api.direct_kill import Latched

Tell = Callable[[int, int, str], None]
MIN_FREE_BYTES = 512 * 1024 * 1024


class CheckRow(Record):
    """One check: `result` is ok or fail."""

    check: str
    result: str
    detail: str


class PartRow(Record):
    """One part of this desk: `state` is ok, off, slow or failed; then `correction` says what to do."""

    part: str
    state: str
    detail: str
    correction: str = ""


def kill_direct(home: Path, *, operator: str, reason: str, level: str, source: str = "") -> KillDone:
    """Trip the latch on disk and in the shared byte; no bus, no engine. A running engine obeys at once.

    Raises `OSError` where the disk refused; the shared byte then says halt_all all the same.
    """
    from engine.api.direct_kill import COMMAND_LINE, latch

    return told(latch(home, operator=operator, reason=reason, level=level, source=source or COMMAND_LINE))


def told(latched: Latched) -> KillDone:
    """Return what a direct kill did as every kill is told."""
    record = latched.record
    return KillDone(
        kill_id=f"K-{record.trips:04d}",
        level=record.level.name.lower(),
        latched_at_ns=record.since_ns,
        latch_ms=latched.latch_ms,
        cancels_sent=0,
        cancels_confirmed=0,
        positions_kept=0,
    )


def check(home: Path) -> tuple[CheckRow, ...]:
    """Check the compiled kernel against the reference, and what this desk has on disk."""
    rows = [_kernel_row(), _reference_row(), _audit_row(home), _latch_row(home), _config_row(home)]
    return tuple(rows)


def doctor(home: Path, tell: Tell = lambda done, total, label: None) -> tuple[PartRow, ...]:
    """Look at the surroundings: libraries, terminal, disk, bus binary, engine of this home.

    `tell` hears how many libraries are imported, of how many, and which one comes next.
    """
    return (*_library_rows(tell), _disk_row(home), _server_row(), *_terminal_rows(), _engine_row(home))


def key_rows(home: Path) -> tuple[Record, ...]:
    """Return every key that the settings name, with its age; values are not read. Raises `ConfigError`."""
    from engine.config import load_settings
    from engine.keys import key_ages

    return key_ages(load_settings(home, dict(os.environ)).settings, SystemClock().now_ns())


def run_simulation(*, steps: int, scenario: str, seed: int, assumed: Mapping[str, object]) -> Record:
    """Step a strategy over a generated market. Raises `ValueError` for an unknown scenario."""
    from engine.research.simulate import simulate

    return simulate(steps=steps, scenario=scenario, seed=seed, assumed=assumed)


def run_scenarios(
    *, iterations: int, steps: int, scenario: str, seed: int, assumed: Mapping[str, object]
) -> Record:
    """Back-test over many draws of one scenario. Raises `ValueError` for an unknown scenario."""
    from engine.research.scenarios import backtest

    return backtest(iterations=iterations, steps=steps, scenario=scenario, seed=seed, assumed=assumed)


class RuleRow(Record):
    """One rule of the pre-trade table."""

    code: str
    level: str
    judges: str
    says: str
    bounds: tuple[str, ...]
    controls: str
    correction: str
    runbook: str


def run_dry(raw: dict[str, object], home: Path, environ: dict[str, str]) -> Record:
    """Judge one order without sending it; the corrective feedback where fields are missing."""
    from engine.trading.dry_run import Incomplete, dry_run
    from seams.ids import SortableIds

    clock = SystemClock()
    try:
        return dry_run(raw, home, environ, RealDisk(), clock, SortableIds(clock))
    except Incomplete as incomplete:
        return incomplete.feedback


def check_order(raw: dict[str, object], home: Path, environ: dict[str, str]) -> Record:
    """Judge one order by every rule and write nothing; the corrective feedback where its form is wrong."""
    from engine.trading.dry_run import Incomplete, judge_order
    from seams.ids import SortableIds

    clock = SystemClock()
    try:
        return judge_order(raw, home, environ, RealDisk(), clock, SortableIds(clock))
    except Incomplete as incomplete:
        return incomplete.feedback


def policy_rows() -> tuple[RuleRow, ...]:
    """Return every rule of the pre-trade table with what it is for and what to do about it."""
    from safety.reasons import REASONS
    from safety.rules import RULES

    return tuple(
        RuleRow(
            code=rule.code,
            level=rule.level,
            judges="entries" if rule.is_for_entries_only else "all",
            says=rule.says,
            bounds=rule.bounds,
            controls=rule.controls,
            correction=REASONS[rule.code].correction,
            runbook=REASONS[rule.code].runbook,
        )
        for rule in RULES
    )


def _kernel_row() -> CheckRow:
    import native.kernel
    from native.identity import kernel_sha256

    is_compiled = native.kernel.__file__.endswith(".so")
    return CheckRow(
        check="kernel",
        result="ok" if is_compiled else "fail",
        detail=f"{'compiled' if is_compiled else 'NOT compiled'}, sha256 {kernel_sha256()}",
    )


def _reference_row() -> CheckRow:
    from native.selfcheck import run

    found = run(seeds=3, bars=300)
    detail = f"{found.markets} markets, {found.bars} bars, {found.decisions} decisions"
    differs = f"{len(found.mismatches)} differ" if not found.is_good else "all equal to the reference"
    return CheckRow(
        check="reference", result="ok" if found.is_good else "fail", detail=f"{detail}: {differs}"
    )


def _audit_row(home: Path) -> CheckRow:
    from engine.config import ConfigError, load_settings
    from engine.record import verify_audit
    from safety.reasons import Refusal

    paths = HomePaths(home)
    if not paths.audit.exists():
        return CheckRow(check="audit", result="ok", detail="no log yet")
    try:
        result = verify_audit(RealDisk(), paths, load_settings(home, dict(os.environ)).settings.record)
    except (ConfigError, Refusal) as error:
        return CheckRow(check="audit", result="fail", detail=str(error))
    detail = (
        f"{result.records} records, signatures {result.signatures}"
        if result.ok
        else f"{result.problem}, record {result.first_bad_record}"
    )
    return CheckRow(check="audit", result="ok" if result.ok else "fail", detail=detail)


def _latch_row(home: Path) -> CheckRow:
    from safety.killswitch import MARKER_FILE, LatchUnreadable, read_latch

    folder = HomePaths(home).safety
    try:
        record = read_latch(RealDisk(), folder)
    except LatchUnreadable as error:
        is_new = not (folder / MARKER_FILE).exists()
        return CheckRow(
            check="latch", result="ok" if is_new else "fail", detail="no latch yet" if is_new else str(error)
        )
    return CheckRow(
        check="latch", result="ok", detail=f"{record.level.name.lower()}, by {record.by}: {record.reason}"
    )


def _config_row(home: Path) -> CheckRow:
    from engine.config import load_settings
    from engine.config.readers import idle_keys
    from engine.config.settings import ConfigError, config_fingerprint

    try:
        loaded = load_settings(home, dict(os.environ))
    except ConfigError as error:
        return CheckRow(check="configuration", result="fail", detail=str(error))
    idle = idle_keys(loaded)
    said = f"; set, and read by nothing: {', '.join(idle)} (docs/settings.md)" if idle else ""
    return CheckRow(
        check="configuration", result="ok", detail=config_fingerprint(loaded.settings)[:16] + said
    )


def _library_rows(tell: Tell) -> tuple[PartRow, ...]:
    """Import each library; what is only installed is not yet usable."""
    rows = []
    for done, (name, module) in enumerate(LIBRARIES.items()):
        tell(done, len(LIBRARIES), f"importing {name}")
        found = examine(name, module)
        state = "ok" if found.is_usable else "failed"
        rows.append(PartRow(part=name, state=state, detail=found.detail, correction=found.correction))
    tell(len(LIBRARIES), len(LIBRARIES), "libraries imported")
    return tuple(rows)


def _disk_row(home: Path) -> PartRow:
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = RealDisk().free_bytes(folder)
    is_enough = free >= MIN_FREE_BYTES
    return PartRow(
        part="disk",
        state="ok" if is_enough else "failed",
        detail=f"{free // 2**20} MiB free",
        correction="" if is_enough else f"free {MIN_FREE_BYTES // 2**20} MiB: an engine on a full disk halts",
    )


def _server_row() -> PartRow:
    from engine.bus import BusFailed, find_server

    try:
        return PartRow(part="nats-server", state="ok", detail=find_server().name)
    except BusFailed as error:
        return PartRow(part="nats-server", state="failed", detail=str(error), correction="run `make install`")


def _terminal_rows() -> tuple[PartRow, ...]:
    size = shutil.get_terminal_size((0, 0))
    encoding = locale.getpreferredencoding(False)
    is_small = sys.stdout.isatty() and (size.columns < 80 or size.lines < 24)
    words = f"{os.environ.get('TERM', 'no TERM')}, {size.columns}x{size.lines}, {encoding}"
    multiplexer = "inside tmux" if os.environ.get("TMUX") else "not in tmux: a lost line ends the console"
    return (
        PartRow(part="terminal", state="slow" if is_small else "ok", detail=words),
        PartRow(part="tmux", state="ok" if shutil.which("tmux") else "off", detail=multiplexer),
    )


def _engine_row(home: Path) -> PartRow:
    from engine.lock import holder

    pid = holder(HomePaths(home).lock)
    return PartRow(
        part="engine", state="ok" if pid > 0 else "off", detail=f"pid {pid}" if pid > 0 else "not running"
    )
