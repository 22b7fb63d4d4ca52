"""Replay a subject's states and say which ones broke a promise."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.survival.crashpoints.disk_model import Files, State, states
from tests.survival.crashpoints.recorder import record
from tests.survival.crashpoints.subjects import SUBJECTS, Subject

MAX_SHOWN = 5


@dataclass
class Outcome:
    """What replaying one subject showed; `broken` holds the first few bad states in words."""

    subject: str
    operations: int = 0
    states: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    broken: list[str] = field(default_factory=list)


def replay(name: str, work: Path, shim: Path, *, size: int, losses: int, every: int = 1) -> Outcome:
    """Record a subject and judge every `every`th state of it."""
    subject, outcome = SUBJECTS[name], Outcome(name)
    ops = record(name, work / name, shim, size)
    assert any(op.kind == "A" for op in ops), "a scenario acknowledges something"
    outcome.operations = sum(1 for op in ops if op.kind != "A")
    for number, state in enumerate(states(ops, losses, subject.tear)):
        if number % every:
            continue
        outcome.states += 1
        outcome.by_kind[state.how.split(" at ")[0].split(",")[0]] += 1
        problem = judge(subject, state, work / f"{name}.state")
        if problem:
            outcome.bad += 1
            if len(outcome.broken) < MAX_SHOWN:
                outcome.broken.append(f"after operation {state.after} of {len(ops)}, {state.how}: {problem}")
    return outcome


def judge(subject: Subject, state: State, folder: Path) -> str:
    """Return what is wrong with a state; what cannot be read at all is wrong too."""
    try:
        if subject.needs_files:
            put(state.files, folder)
        return subject.check(state, folder)
    except Exception as error:  # whatever a crash left must be readable, or refused in words
        return f"{type(error).__name__}: {error}"


def put(files: Files, folder: Path) -> None:
    """Make the folder hold exactly these files. SQLite's shared memory is made anew, as after a crash."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("-shm"):
            path.write_bytes(data)
