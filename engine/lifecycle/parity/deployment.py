"""The only way on from a sweep: a candidate with a fresh replay report, unchanged (OC-43, OC-44).

SWEEP:CONFIG_ID -> release blocker open and fresh -> candidates.json of that very replay -> verified by
the plain kernel -> its configuration, whose id is that of the sweep, the replay and of what runs now
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from engine.lifecycle.parity.ledger import LEDGER_FILE
from engine.lifecycle.parity.report import BLOCKER_FILE, ReleaseBlocker, judge_blocker
from engine.lifecycle.parity.sweeps import (
    CANDIDATES_FILE,
    CANDIDATES_FOLDER,
    CandidateConfig,
    CandidateList,
)
from engine.research import identity
from engine.research.artifacts import RUN_ID
from engine.research.choice import RunFailed, choose
from engine.research.sweep.trials import config_id
from seams.disk import Disk
from venues.types import Record

UNPROVEN, MUTATED = "candidate_unproven", "config_mutated"
Read = TypeVar("Read", bound=Record)


def proven_candidate(name: str, home: Path, disk: Disk, now_ms: int) -> CandidateConfig:
    """Return what a candidate `SWEEP:CONFIG_ID` runs.

    Raises `RunFailed`: candidate_unproven without a fresh replay report that verified it, config_mutated
    where its id is not the same at sweep, replay and here, or strategy or kernel are others.
    """
    sweep_id, separator, wanted = name.partition(":")
    if not separator or not RUN_ID.fullmatch(sweep_id) or not wanted.isalnum():
        raise RunFailed(UNPROVEN, f"{name[:80]!r} is not SWEEP:CONFIG_ID")
    folder = home / "outputs" / "parity" / sweep_id
    _demand_verified(folder, wanted, disk, now_ms)
    config = _read(folder / CANDIDATES_FOLDER / f"{wanted}.json", CandidateConfig, disk)
    _demand_unchanged(config, sweep_id, wanted)
    return config


def _demand_verified(folder: Path, wanted: str, disk: Disk, now_ms: int) -> None:
    path = folder / BLOCKER_FILE
    if blocked := judge_blocker(disk.read(path) if disk.exists(path) else None, now_ms):
        raise RunFailed(UNPROVEN, f"{folder.name}: {', '.join(blocked)}")
    listed = _read(folder / CANDIDATES_FILE, CandidateList, disk)
    if listed.generated_at_ms != _read(path, ReleaseBlocker, disk).generated_at_ms:
        raise RunFailed(UNPROVEN, f"{folder.name}: {CANDIDATES_FILE} is of another replay")
    row = next((each for each in listed.candidates if each.config_id == wanted), None)
    if row is None:
        raise RunFailed(UNPROVEN, f"{wanted} is not in the {LEDGER_FILE} of {folder.name}")
    if not row.canonical_cpu_verified:
        raise RunFailed(UNPROVEN, f"the plain kernel did not give {wanted} again")


def _demand_unchanged(config: CandidateConfig, sweep_id: str, wanted: str) -> None:
    choice = choose(config.strategy, config.preset, config.params)
    for what, recorded, found in (
        ("sweep", sweep_id, config.sweep_run_id),
        ("id", wanted, config.config_id),
        ("id of its parameters", wanted, config_id(choice.name, choice.params)),
        ("source", config.source_sha256, choice.source_sha256),
        ("kernel", config.kernel_sha256, identity.kernel_sha256()),
    ):
        if recorded != found:
            raise RunFailed(MUTATED, f"its {what} was {recorded[:16]}, and is {found[:16]}")


def _read(path: Path, kind: type[Read], disk: Disk) -> Read:
    try:
        return msgspec.json.decode(disk.read(path), type=kind, strict=True)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunFailed(UNPROVEN, f"{path.name} does not read: {type(error).__name__}") from error
