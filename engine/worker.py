"""A worker process: one research request on standard input, progress on standard output, then it exits."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec

from engine.api.commands import FoundryForge, FoundryVerify, JobBody, RunStart, SweepStart
from engine.api.foundry import forge_component, verify_named
from engine.api.home import home_folder
from engine.api.research import load_config_with_origins, run_request, start_run
from engine.api.sweep import start_sweep
from venues.types import Record

RUN_FIELDS = (
    "strategy", "preset", "data", "params", "name", "max_bars", "start_ns", "end_ns", "fee_bps",
    "slippage_bps", "funding",
)  # fmt: skip
SWEEP_FIELDS = (*RUN_FIELDS, "method", "trials")


class Progress(Record, tag="progress"):
    """How far it is, in `unit`s."""

    done: int
    total: int
    unit: str


class Published(Record, tag="published"):
    """What it has published, a run or a foundry's folder, and how it ended, in a word or a sentence."""

    run_id: str = ""
    status: str
    folder: str = ""


class Failed(Record, tag="failed"):
    """Why nothing good came of it; `code` is a reason code, `folder` what was kept all the same."""

    code: str
    message: str
    folder: str = ""


class NotEquivalent(Exception):
    """A build decides otherwise than its source; `folder` holds the report."""

    code = "verify_diverged"

    def __init__(self, message: str, folder: str) -> None:
        super().__init__(message)
        self.folder = folder


class Stop:
    """Set by SIGTERM: leave at the next chance, publish nothing."""

    def __init__(self) -> None:
        self.is_asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.is_asked = True


def main() -> int:
    """Run once. Exit 0 when it was published, 1 with the reason on standard error."""
    stop = Stop()
    body = msgspec.json.decode(sys.stdin.buffer.read(), type=JobBody)
    try:
        say(_run(body, stop))
    except Exception as error:
        code = getattr(error, "code", "")
        if isinstance(code, str) and code:
            said = str(error).removeprefix(f"{code}: ")
            say(Failed(code=code, message=said, folder=getattr(error, "folder", "")))
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def say(line: Progress | Published | Failed) -> None:
    """Write one line to the engine."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _run(body: JobBody, stop: Stop) -> Published:
    if isinstance(body, SweepStart):
        return _sweep(body, stop)
    if isinstance(body, FoundryForge | FoundryVerify):
        return _foundry(body, stop)
    home = home_folder()
    result = start_run(
        run_request(_asked(body, RUN_FIELDS)),
        home,
        loaded=load_config_with_origins(home),
        on_progress=lambda done, total: say(Progress(done=done, total=total, unit="bars")),
        is_cancelled=lambda: stop.is_asked,
    )
    return Published(run_id=result.run_id, status=result.status)


def _asked(body: RunStart | SweepStart, names: tuple[str, ...]) -> dict[str, object]:
    """Return what was asked for: nothing, no text and a count of 0 are not; a fee of 0 is."""
    given = {name: getattr(body, name) for name in names}
    return {name: value for name, value in given.items() if value or isinstance(value, float)}


def _sweep(body: SweepStart, stop: Stop) -> Published:
    home = home_folder()
    fields = {"seed": body.seed, "param_grid": body.grid, "command": "interlock sweep start"}
    result = start_sweep(
        None,
        _asked(body, SWEEP_FIELDS) | fields,
        home,
        loaded=load_config_with_origins(home),
        on_progress=lambda done, total: say(Progress(done=done, total=total, unit="trials")),
        is_cancelled=lambda: stop.is_asked,
    )
    return Published(run_id=result.run_id, status="success")


def _foundry(body: FoundryForge | FoundryVerify, stop: Stop) -> Published:
    """Forge, or verify every build of a name; a difference fails the job and keeps its report."""

    def progress(done: int, total: int) -> None:
        if stop.is_asked:
            raise SystemExit(1)
        say(Progress(done=done, total=total, unit="cases"))

    home = home_folder()
    if isinstance(body, FoundryForge):
        found = forge_component(body, home, progress)
    else:
        found = verify_named(body.strategy_name, home, progress)
    for folder, report in found:
        if report.divergence is not None:
            first = report.divergence
            where = f"{first.case}, bar {first.bar}, {first.field}: {' against '.join(first.values)}"
            raise NotEquivalent(f"{folder}: {where}", folder)
    said = ", ".join(f"{Path(folder).relative_to(home)} {report.verdict}" for folder, report in found)
    return Published(status=said, folder=found[-1][0])


if __name__ == "__main__":
    raise SystemExit(main())
