"""The registry of dry runs: one folder each, an index made from them, and nothing trusted but the files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.research.index import write_three
from engine.trading.dry_run import BROKER_FILE, DryRun
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.evidence import WouldState
from venues.types import Record

INDEX = "broker_dry_runs_index"
UNREADABLE = "unreadable"


class DryRunRow(Record):
    """One dry run. `state` is would, refused or undecided; unreadable where its file cannot be trusted."""

    dry_run_id: str
    generated_at: str
    adapter_name: str
    mode: str
    environment: str
    session_id: str
    symbol: str
    side: str
    quantity: str
    limit_price: str
    state: str
    reasons: tuple[str, ...]
    path: str


class DryRunIndex(Record):
    """The registry as one record, newest first."""

    artifact_type: str
    generated_at: str
    root_dir: str
    n_dry_runs: int
    state_counts: dict[str, int]
    dry_runs: tuple[DryRunRow, ...]


def list_dry_runs(root: Path, disk: Disk) -> tuple[DryRunRow, ...]:
    """Return every dry run, newest first; a damaged one says so in place of hiding."""
    names = disk.list(root) if disk.exists(root) else []
    rows = [_row(root, name, disk) for name in names if disk.exists(root / name / BROKER_FILE)]
    return tuple(sorted(rows, key=lambda row: (row.generated_at, row.dry_run_id), reverse=True))


def show_dry_run(root: Path, dry_run_id: str, disk: Disk) -> DryRun:
    """Return one dry run. Raises `Refusal`: not_found, artifact_altered where it cannot be read."""
    path = root / dry_run_id / BROKER_FILE
    if Path(dry_run_id).name != dry_run_id or not disk.exists(path):
        raise Refusal("not_found", f"no dry run {clean(dry_run_id, 80)}; see interlock dry-run list")
    try:
        return msgspec.json.decode(disk.read(path), type=DryRun)
    except (OSError, msgspec.MsgspecError) as error:
        raise Refusal("artifact_altered", f"{clean(dry_run_id, 80)}: {clean(str(error), 200)}") from error


def index_dry_runs(root: Path, disk: Disk, clock: Clock) -> DryRunIndex:
    """Scan every dry run and write the index as json, csv and md beside them. Raises `OSError`."""
    rows = list_dry_runs(root, disk)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    index = DryRunIndex(
        artifact_type="interlock.dry_runs_index",
        generated_at=iso_z(clock.now_ns()),
        root_dir=str(root),
        n_dry_runs=len(rows),
        state_counts=dict(sorted(counts.items())),
        dry_runs=rows,
    )
    disk.make_folder(root.parent)
    plain = [msgspec.to_builtins(row) for row in rows]
    write_three(root.parent, INDEX, index, plain, tuple(DryRunRow.__annotations__), disk)
    return index


def _row(root: Path, name: str, disk: Disk) -> DryRunRow:
    try:
        made = show_dry_run(root, name, disk)
    except Refusal as refusal:
        return _unreadable(root, name, str(refusal))
    intent = made.intent
    allowed = WouldState.WOULD if made.preflight.allowed else WouldState.REFUSED
    return DryRunRow(
        dry_run_id=name,
        generated_at=made.generated_at,
        adapter_name=made.adapter_name,
        mode=made.mode,
        environment=made.environment,
        session_id=made.session_id or intent.session_id,
        symbol=intent.symbol,
        side=intent.side.value,
        quantity=f"{intent.quantity:f}",
        limit_price="" if intent.limit_price is None else f"{intent.limit_price:f}",
        state=made.state or allowed.value,
        reasons=made.reasons or made.preflight.reasons,
        path=str(root / name / BROKER_FILE),
    )


def _unreadable(root: Path, name: str, said: str) -> DryRunRow:
    return DryRunRow(
        dry_run_id=name,
        generated_at="",
        adapter_name="",
        mode="",
        environment="",
        session_id="",
        symbol="",
        side="",
        quantity="",
        limit_price="",
        state=UNREADABLE,
        reasons=(said,),
        path=str(root / name / BROKER_FILE),
    )
