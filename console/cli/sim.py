"""`interlock sim`: the whole engine in a simulated world, by the seed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.options import Json

if TYPE_CHECKING:
    from engine.sim.faults import Fault
    from engine.sim.kills import KillResult
    from engine.sim.runner import SeedResult

app = typer.Typer(help="Simulate the whole engine under faults; every seed is exactly reproducible.")
Faults = Annotated[
    str, typer.Option("--faults", help="Only these kinds, by number or name: F1,F23.crash. Default: all.")
]
Venue = Annotated[
    str, typer.Option("--venue", help="The exchange of the world: sandbox, or the double of a venue.")
]


@app.callback()
def room() -> None:
    """Run the real engine on virtual time against a simulated exchange, disk, bus and operator.

    Example: interlock sim run --seeds 100
    """


@app.command()
def run(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds to run.")] = 20,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 1,
    faults: Faults = "",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at once.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Append each batch to this file, and go on where it ends.")
    ] = None,
    for_s: Annotated[float, typer.Option("--for", min=0, help="With --out: stop after so many seconds.")] = 0,
    venue: Venue = "sandbox",
    as_json: Json = False,
) -> int:
    """Run seeds and judge every invariant; ends with 1 where one did not hold.

    With --out a run may be stopped at any moment: what is in the file counts, and the next run adds to it.

    Example: interlock sim run --seeds 200 --from 1000 --jobs 2 --json

    Example: interlock sim run --seeds 100000 --out long.jsonl --for 3600

    Example: interlock sim run --venue hyperliquid --seeds 10
    """
    _demand_venue(venue)
    from engine.sim.campaign import doubt_times, run_on
    from engine.sim.runner import run_many

    results: list[SeedResult] = []

    def show(result: SeedResult, wall_s: float) -> None:
        results.append(result)
        for broken in result.violations:
            said = f"seed {broken.seed} at {broken.at_s} s: {broken.invariant} {broken.what}\n"
            sys.stderr.write(said)
        if sys.stderr.isatty():
            found = sum(len(each.violations) for each in results)
            sys.stderr.write(f"\r{len(results)}/{seeds} seeds, {found} violations, {wall_s:.0f} s ")

    kinds_chosen = _kinds(faults)
    if out is not None:
        report = run_on(out, first, seeds, for_s, kinds_chosen, jobs, show, venue)
    else:
        report = run_many(range(first, first + seeds), kinds_chosen, jobs, show, venue)
        report |= doubt_times([ms for result in results for ms in result.doubts.resolved_ms])
        del report["resolved_ms"]
    shown = {name: value for name, value in report.items() if name not in ("faults_by_kind", "broken")}
    kinds = report["faults_by_kind"]
    assert isinstance(kinds, dict)
    rows = [{"fault": name, "count": count} for name, count in kinds.items()]
    text = output.facts(shown) + "\n\n" + output.table(rows, ("fault", "count"), "no fault was drawn")
    output.show({"sim": report}, text, as_json)
    return 1 if report["violations"] else 0


@app.command()
def kills(
    count: Annotated[int, typer.Option("--count", min=1, help="How many kills at least.")] = 600,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at once.")] = 1,
    as_json: Json = False,
) -> int:
    """Pull the kill switch at random places, by every path; ends with 1 where anything left after it.

    Example: interlock sim kills --count 100000 --jobs 2 --json
    """
    from engine.sim.kills import run_kills

    done = 0

    def show(result: KillResult, wall_s: float) -> None:
        nonlocal done
        done += result.tally.kills
        for broken in result.violations:
            sys.stderr.write(f"seed {broken.seed} at {broken.at_s} s: {broken.invariant} {broken.what}\n")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done}/{count} kills, {wall_s:.0f} s ")

    report = run_kills(count, first, jobs, show)
    shown = {name: value for name, value in report.items() if name not in ("by_path", "by_place", "broken")}
    paths, places = report["by_path"], report["by_place"]
    assert isinstance(paths, dict) and isinstance(places, dict)
    rows = [{"path or place": name, "kills": number} for name, number in (*paths.items(), *places.items())]
    text = output.facts(shown) + "\n\n" + output.table(rows, ("path or place", "kills"), "no kill was drawn")
    output.show({"kills": report}, text, as_json)
    return 1 if report["violations"] else 0


@app.command()
def replay(
    seed: Annotated[int, typer.Argument(min=0, help="The seed.")],
    trace: Annotated[Path | None, typer.Option("--trace", help="Write every fact to this file.")] = None,
    faults: Faults = "",
    venue: Venue = "sandbox",
    as_json: Json = False,
) -> int:
    """Run one seed again, exactly as before, and show what happened.

    Example: interlock sim replay 4711 --trace seed-4711.txt
    """
    from engine.sim.runner import replay_seed

    _demand_venue(venue)
    result, facts = replay_seed(seed, _kinds(faults), venue)
    if trace is not None:
        trace.write_bytes(b"\n".join(facts) + b"\n")
    heard = (b"start", b"crash", b"stop", b"refused", b"kill", b"calm", b"end")
    story = [fact.decode("utf-8", "replace") for fact in facts if fact.split(b" ", 2)[1] in heard]
    lines = [_told(line) for line in story]
    lines += [f"BROKEN {each.invariant} at {each.at_s} s: {each.what}" for each in result.violations]
    lines.append(f"{result.events} events, {sum(result.faults.values())} faults, trace {result.sha256}")
    output.show({"seed": result}, "\n".join(lines), as_json)
    return 1 if result.violations else 0


@app.command()
def invariants(as_json: Json = False) -> int:
    """Show every invariant of the safety case: what a simulation judges, and what no simulation does.

    Example: interlock sim invariants
    """
    from engine.sim.table import INVARIANTS, NOT_JUDGED

    parts = (("yes", INVARIANTS), ("no", NOT_JUDGED))
    rows = [
        {"invariant": number, "judged": word, "meaning": meaning}
        for word, part in parts
        for number, meaning in part.items()
    ]
    columns = ("invariant", "judged", "meaning")
    output.show({"invariants": rows}, output.table(rows, columns, "none"), as_json)
    return 0


def _told(fact: str) -> str:
    """Return one fact with its time in seconds."""
    at_us, _, rest = fact.partition(" ")
    return f"{int(at_us) / 1e6:10.3f} s  {rest}"


def _demand_venue(name: str) -> None:
    from engine.sim.bourses import BOURSES

    if name not in BOURSES:
        raise Failure("usage", f"no world has a venue called {name}", f"venues: {', '.join(BOURSES)}")


def _kinds(text: str) -> frozenset[Fault] | None:
    """Read a list of fault kinds; each word is a number (F1), a name, or both."""
    from engine.sim.faults import Fault

    if not text:
        return None
    chosen: set[Fault] = set()
    for word in text.split(","):
        found = [f for f in Fault if word in (f.value, f.value.split(".")[0], f.value.split(".")[1])]
        if not found:
            raise Failure("usage", f"no fault is called {word}", f"kinds: {', '.join(Fault)}")
        chosen.update(found)
    return frozenset(chosen)
