"""`interlock sweep`: many parameter sets of one strategy; works with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import diagnostics, output
from console.cli.assumptions import with_switches
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.headless import JsonRequest, SignalFile, read_request, refusals, signals
from console.cli.options import (
    End,
    First,
    Funding,
    FundingFrom,
    FundingMarks,
    Json,
    MaxMissing,
    Sets,
    beside,
    parameters,
)
from engine.api import research, sweep
from engine.api.figures import written
from engine.api.home import home_folder
from engine.api.switches import SEARCHED
from seams.clock import NS_PER_S, SystemClock

if TYPE_CHECKING:
    from engine.research.sweep.publish import SweepReport

app = typer.Typer(help="Sweeps: start, list, show, best; worker for a cluster.")
LISTED = ("run_id", "strategy", "ticker", "interval", "total_return", "sharpe_simple", "max_drawdown")
LEFT = ("sweep_id", "created_at", "done", "trials")
SHOWN = ("total_pnl", "max_drawdown", "total_trades", "profit_factor", "sharpe_simple", "score_v1", "channel")
Cluster = Annotated[str, typer.Option("--cluster", help="A NATS URL: trials run on its workers.")]
Creds = Annotated[Path | None, typer.Option("--creds", help="A 0600 JSON file with role, user and password.")]


@app.callback()
def room() -> None:
    """Try many parameter sets, rank them, and keep the evidence; no engine is needed.

    Example: interlock sweep list
    """


@app.command()
@with_switches(name for name in SEARCHED if name != "seed")
def start(
    words: Annotated[
        list[str] | None, typer.Argument(help="A YAML or JSON file, and more axes as name=values.")
    ] = None,
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="An axis: fast=5:50:5 or slow=20,50,100.")
    ] = None,
    strategy: Annotated[str, typer.Option("--strategy", help="A bundled strategy, or a file.")] = "",
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")] = "",
    sets: Sets = None,
    method: Annotated[str, typer.Option("--method", help="grid, random or tpe.")] = "",
    trials: Annotated[int, typer.Option("--trials", min=0, help="How many (random and tpe).")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of chance.")] = None,
    objective: Annotated[
        str, typer.Option("--objective", help="total_pnl, score_v1, sharpe_simple or profit_factor.")
    ] = "",
    in_sample: Annotated[
        float | None, typer.Option("--in-sample", help="Share of the bars that is searched.")
    ] = None,
    max_bars: Annotated[int, typer.Option("--max-bars", min=0, help="Only the first so many bars.")] = 0,
    first: First = "",
    end: End = "",
    has_funding: Funding = False,
    funding_from: FundingFrom = "",
    funding_marks: FundingMarks = "",
    max_missing: MaxMissing = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Threads or processes.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted sweep.")] = False,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    cluster: Cluster = "",
    creds: Creds = None,
    json_request: JsonRequest = None,
    signal_file: SignalFile = None,
    as_json: Json = False,
    assumed: dict[str, object] | None = None,
) -> None:
    """Sweep over a data window and write its evidence: leaderboard, channels, best run.

    Ctrl-C keeps what is done; the same command with --resume goes on to the same tables.

    Example: interlock sweep start --strategy ema_cross --data sandbox/BTC-PERP/1m --grid fast=5:50:5
    """
    file, axes = _read(words or [], grid or [])
    asked = read_request(json_request, "sweep", signal_file)
    if json_request is not None:
        with refusals(signal_file, "sweep", asked.request_id):
            file = _asked_file(asked.params)
    given = {
        "strategy": strategy,
        "preset": preset,
        "data": data,
        "params": parameters(sets),
        "method": method,
        "trials": trials,
        "objective": objective,
        "max_bars": max_bars,
        "name": name,
        "param_grid": axes,
        **beside(has_funding, funding_from, funding_marks, max_missing, first, end),
    }
    fields: dict[str, object] = {key: value for key, value in given.items() if value}
    fields |= {key: value for key, value in (("seed", seed), ("in_sample", in_sample)) if value is not None}
    more = {key: value for key, value in asked.params.items() if key != "config_path"}
    fields = {
        **more,
        **fields,
        **(assumed or {}),
        "command": "interlock sweep start",
        "request_id": asked.request_id,
    }
    home = home_folder()
    progress = _Progress()
    try:
        with signals(signal_file, "sweep", asked.request_id) as sender, failures():
            result = sweep.start_sweep(
                None if file is None else _text(file),
                fields,
                home,
                workers=workers,
                resume=resume,
                cluster=sweep.Cluster(url=cluster, creds=creds) if cluster else None,
                loaded=research.load_config_with_origins(home),
                on_progress=progress,
                note=diagnostics.say,
            )
            sender.completed(result.run_id, result.path)
    except KeyboardInterrupt:
        raise Failure(
            "interrupted",
            f"interrupted; {progress.done} of {progress.total} trials are kept",
            "the same command with --resume goes on",
        ) from None
    found = sweep.show_sweep(home, result.run_id)
    output.show({"sweep": result}, _text_of(found), as_json)


def _asked_file(params: dict[str, object]) -> Path:
    """Return the sweep's file that a request names (QL-23: without one it is refused)."""
    path = params.get("config_path")
    if not isinstance(path, str) or not path:
        raise Failure("invalid_request", "a sweep's request needs params.config_path", "name its YAML file")
    return Path(path)


@app.command("ls", hidden=True)
@app.command("list")
def list_sweeps(as_json: Json = False) -> None:
    """List finished sweeps, newest first, and those that can be resumed.

    Example: interlock sweep list --json
    """
    with failures():
        found = sweep.list_sweeps(home_folder())
    text = output.table(found.sweeps, LISTED, "no sweep has finished")
    if found.unfinished:
        text += "\n\nunfinished (repeat the command with --resume):\n"
        text += output.table(found.unfinished, LEFT, "")
    output.show({"sweeps": found.sweeps, "unfinished": found.unfinished}, text, as_json)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="A sweep's run id; the newest without one.")] = "",
    top: Annotated[int, typer.Option("--top", min=1, max=10_000, help="Leaderboard rows.")] = 10,
    as_json: Json = False,
) -> None:
    """Show a sweep: leaderboard, channels, dead axes, luck, decay out of sample.

    Example: interlock sweep show --top 20
    """
    with failures():
        found = sweep.show_sweep(home_folder(), run_id, top)
    output.show({"sweep": found}, _text_of(found), as_json)


@app.command()
def best(
    run_id: Annotated[str, typer.Argument(help="A sweep's run id; the newest without one.")] = "",
    as_json: Json = False,
) -> None:
    """Show the best combination of a sweep, and what speaks against it.

    Example: interlock sweep best --json
    """
    with failures():
        found = sweep.show_sweep(home_folder(), run_id, top=1)
    row, report = found.report.best, found.report
    decay = next((each for each in report.out_of_sample if each.config_id == row.config_id), None)
    body = {
        "run_id": found.run_id,
        "best": row,
        "out_of_sample": decay,
        "deflated_sharpe": report.deflated_sharpe,
        "note": report.multiple_testing.note,
    }
    text = f"{output.facts(row)}\n\n{_luck(report)}"
    output.show({"sweep": body}, text, as_json)


@app.command()
def worker(
    cluster: Cluster,
    creds: Creds = None,
    threads: Annotated[int, typer.Option("--workers", min=1, max=256, help="Threads a task.")] = 1,
    idle_exit: Annotated[
        float, typer.Option("--idle-exit", min=0.0, help="Leave after so many seconds without work.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Work for the sweeps of a cluster; kernel, strategy and data must be the coordinator's exactly.

    Example: interlock sweep worker --cluster nats://127.0.0.1:4222 --creds operator.creds
    """
    with failures():
        report = sweep.work(
            sweep.Cluster(url=cluster, creds=creds),
            threads=threads,
            idle_exit_s=idle_exit,
            note=diagnostics.say,
        )
    if report.refusals and not report.tasks:
        code, _, message = report.refusals[0].partition(": ")
        with failures():
            raise _Refused(code, message)
    output.show({"worker": report}, output.facts(report), as_json)


class _Refused(Exception):
    """A worker that could not take part."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Progress:
    """Trials done, their rate and the time left, on stderr."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._began_ns = self._clock.monotonic_ns()
        self._first = -1
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        if self._first < 0:
            self._first = done  # a resumed sweep begins with what was kept
        self.done, self.total = done, total
        seconds = max(1e-9, (self._clock.monotonic_ns() - self._began_ns) / NS_PER_S)
        rate = done / seconds if self._first == done else (done - self._first) / seconds
        left = (total - done) / rate if rate > 0.0 else 0.0
        diagnostics.progress(done, total, f"trials {done:,}/{total:,}, {rate:,.1f}/s, {left:,.0f} s left")
        if done >= total:
            diagnostics.stage("the best is replayed and judged: axes, luck, held-out bars")


def _read(words: list[str], grid: list[str]) -> tuple[Path | None, dict[str, str]]:
    """Tell the file from the axes. Raises `Failure`."""
    axes: dict[str, str] = {}
    files: list[Path] = []
    for word in [*grid, *words]:
        name, separator, values = word.partition("=")
        if not separator and word not in grid:
            files.append(Path(word))
        elif not separator or not name.isidentifier() or not values:
            raise Failure("bad_parameter", f"{word!r} is not name=values", "write --grid fast=5:50:5")
        elif name in axes:
            raise Failure("bad_parameter", f"{name} is given twice", "give each axis once")
        else:
            axes[name] = values
    if len(files) > 1:
        raise Failure("bad_parameter", f"{len(files)} files are named", "name one file")
    return (files[0] if files else None), axes


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure("not_found", f"{file}: {error.strerror}", "check the file's name") from error


def _text_of(found: sweep.SweepDetail) -> str:
    report = found.report
    params = tuple(report.best.params)
    rows = output.table(found.leaderboard, ("rank", "config_id", *params, *SHOWN), "no trial")
    head = f"{found.run_id}  {report.trials:,} trials, {report.rejected:,} rejected"
    if report.rejected_example:
        head += f" (one: {output.cell(report.rejected_example, output.MAX_FACT)})"
    head += f"\n{report.searched_bars:,} bars searched, {report.held_out_bars:,} held out"
    head += f" after an embargo of {report.embargo_bars:,}" if report.held_out_bars else ""
    parts = [head, rows, _luck(report)]
    dead = [axis.name for axis in report.axes if axis.verdict == "dead_axis"]
    if dead:
        parts.append(f"dead axes (no value changed a trade): {', '.join(dead)}")
    if report.out_of_sample:
        columns = ("config_id", "in_sharpe", "out_sharpe", "decay", "in_pnl", "out_pnl", "out_trades")
        parts.append(
            "held out:\n" + output.table(report.out_of_sample[: len(found.leaderboard)], columns, "")
        )
    parts.append(f"report  {found.path}/report.html")
    return "\n\n".join(parts)


def _luck(report: SweepReport) -> str:
    luck = report.multiple_testing
    return (
        f"best Sharpe {written('sharpe', luck.best_sharpe)}, expected of the best of {luck.independent} "
        f"without skill {written('sharpe', luck.expected_best_sharpe)}, deflated "
        f"{written('deflated_sharpe', report.deflated_sharpe)}:\n{luck.note}"
    )
