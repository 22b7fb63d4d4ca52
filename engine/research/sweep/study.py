"""A sweep from request to published folder: propose, evaluate, keep, judge, publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from engine.research.choice import RunFailed
from engine.research.run import RunCancelled
from engine.research.sweep.evaluate import LocalExecutor
from engine.research.sweep.plan import Plan, make_plan
from engine.research.sweep.proposals import next_trials
from engine.research.sweep.publish import SweepResult, publish_sweep
from engine.research.sweep.request import SweepRequest
from engine.research.sweep.trial_store import SWEEP_ID, StoreHead, TrialStore
from engine.research.sweep.trials import Result, Trial
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

Progress = Callable[[int, int], None]


class Executor(Protocol):
    """Whatever turns trials into results, in any order, a few at a time."""

    def results(self, trials: Sequence[Trial]) -> Iterator[Sequence[Result]]: ...

    def close(self) -> None: ...


class SweepExists(Exception):
    """An unfinished sweep of the same request is there; `code` is sweep_exists."""

    code = "sweep_exists"


class NothingToResume(LookupError):
    """No unfinished sweep matches; `code` is nothing_to_resume."""

    code = "nothing_to_resume"


class Unfinished(Record):
    """A sweep that was interrupted: its id, how far it came, and what was asked."""

    sweep_id: str
    created_at: str
    done: int
    trials: int
    request: dict[str, object]


def sweeps_folder(home: Path) -> Path:
    """Return where unfinished sweeps keep their trials."""
    return home / "outputs" / "sweeps"


def run_sweep(
    request: SweepRequest,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    workers: int = 2,
    resume: bool = False,
    executor_of: Callable[[Plan], Executor] | None = None,
    on_progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> SweepResult:
    """Sweep and publish `outputs/runs/<run_id>/` of mode `sweep`.

    The result is a function of request, data, kernel and strategy alone: any number of workers, on any
    host, interrupted anywhere and resumed, gives the same tables. Raises `RunFailed`, `RunCancelled` (what
    was done stays and can be resumed), `SweepExists`, `NothingToResume`, `SweepDamaged`, what the catalogue
    raises, or `OSError`.
    """
    plan = make_plan(request, home, disk)
    store = open_store(plan, home, disk, clock, resume)
    local = LocalExecutor(plan.field(), workers)
    executor = local if executor_of is None else executor_of(plan)
    try:
        _search(plan, store, executor, on_progress, is_cancelled)
        result = publish_sweep(plan, store, workers, home, disk, clock)
    finally:
        executor.close()
        local.close()
    store.remove()
    return result


def open_store(plan: Plan, home: Path, disk: Disk, clock: Clock, resume: bool) -> TrialStore:
    """Open the plan's store, new or resumed. Raises `SweepExists` or `NothingToResume`."""
    store = TrialStore(sweeps_folder(home) / plan.sweep_id, disk)
    if store.exists:
        if not resume:
            raise SweepExists(f"sweep {plan.sweep_id} of the same request is unfinished; go on with --resume")
        store.load()
        return store
    if resume:
        raise NothingToResume(
            f"no unfinished sweep {plan.sweep_id}: request, data, kernel or strategy differ, or it is done"
        )
    head = StoreHead(
        sweep_id=plan.sweep_id,
        fingerprint=plan.fingerprint,
        created_at=iso_z(clock.now_ns()),
        trials=plan.request.trials,
        request=msgspec.to_builtins(plan.request),
    )
    store.create(head)
    return store


def list_unfinished(home: Path, disk: Disk) -> list[Unfinished]:
    """Return the interrupted sweeps of this home that can be read, by id."""
    found = []
    for name in disk.list(sweeps_folder(home)):
        store = TrialStore(sweeps_folder(home) / name, disk)
        if not SWEEP_ID.fullmatch(name) or not store.exists:
            continue
        store.load()
        assert store.head is not None
        head = store.head
        found.append(
            Unfinished(
                sweep_id=head.sweep_id,
                created_at=head.created_at,
                done=len(store.results),
                trials=head.trials,
                request=head.request,
            )
        )
    return found


def _search(
    plan: Plan,
    store: TrialStore,
    executor: Executor,
    on_progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
) -> None:
    """Propose and evaluate until nothing is left; every result is durable before the next is asked for."""
    while todo := next_trials(plan.request, store.results, plan.interval_ns):
        wanted = {trial.number for trial in todo}
        for results in executor.results(todo):
            store.add(results)
            wanted -= {result.number for result in results}
            if on_progress is not None:
                on_progress(len(store.results), plan.request.trials)
            if is_cancelled is not None and is_cancelled():
                raise RunCancelled(plan.sweep_id)
        assert not wanted, f"trials {sorted(wanted)[:5]} came back without a result"
    if all(result.is_rejected for result in store.results.values()):
        first = store.results[min(store.results)]
        raise RunFailed("invalid_request", f"every combination was rejected: {first.reject_reason}")
