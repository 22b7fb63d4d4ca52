"""`interlock forge` and `interlock verify`: compile a strategy file, and prove that it decides as before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, Sets, operator_name, parameters
from engine.api import forge, foundry
from engine.api.commands import Accepted, FoundryForge, FoundryVerify
from engine.api.home import home_folder

app = typer.Typer(help="Compile strategies into sealed native libraries.")
COLUMNS = ("name", "build_sha256", "artifact_sha256", "source_file", "compiler")
FACTS = ("name", "source_file", "source_sha256", "build_sha256", "artifact_sha256", "compiler", "machine",
         "params", "answers_ahead", "has_levels")  # fmt: skip
REPORT_FACTS = ("strategy", "verdict", "corpus_sha256", "build_sha256", "kernel_sha256", "ways", "bars",
                "account_bars", "answers", "decisions", "path")  # fmt: skip


@app.callback()
def room() -> None:
    """Compile strategies; no engine is needed.

    Example: interlock forge list
    """


@app.command()
def build(
    file: Annotated[str, typer.Argument(help="The strategy: FILE.py or FILE.py:Class.")],
    out: Annotated[Path | None, typer.Option("--out", help="Copy the build's files to this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Compile a strategy file, or find the build that its source already has.

    Example: interlock forge build breakout.py --out build/
    """
    with failures():
        stored = forge.build(_checked(file), home_folder(), out)
    facts = output.record(stored.record)
    text = output.facts(
        {name: facts[name] for name in FACTS} | {"folder": stored.folder, "is_new": stored.is_new}
    )
    output.show({"build": stored}, text, as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_builds(as_json: Json = False) -> None:
    """List the builds that this home keeps.

    Example: interlock forge list --json
    """
    found = forge.list_builds(home_folder())
    text = output.table([stored.record for stored in found.builds], COLUMNS, "no builds yet")
    if found.damaged:
        diagnostics.say(f"{len(found.damaged)} folders have no readable record (see --json)")
    output.show({"builds": found.builds, "damaged": found.damaged}, text, as_json)


@app.command()
def submit(
    file: Annotated[Path | None, typer.Argument(help="A JSON body, as the bus takes it.")] = None,
    component_type: Annotated[str, typer.Option("--type", help="indicator, entry, exit or strategy.")] = "",
    name: Annotated[str, typer.Option("--name", help="What it is called: a-z, 0-9 and _.")] = "",
    target_lang: Annotated[str, typer.Option("--lang", help="python, cython or cpp.")] = "",
    target_version: Annotated[str, typer.Option("--lang-version", help="That language's.")] = "",
    prompt: Annotated[str, typer.Option("--prompt", help="A sentence of docs/foundry.md.")] = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Have the engine make a component of a sentence; it answers at once with a job.

    Example: interlock forge submit --type strategy --name fast --lang cpp --prompt "EMA crossover 12/26"
    """
    given = {
        "component_type": component_type,
        "name": name,
        "target_lang": target_lang,
        "target_version": target_version,
        "prompt": prompt,
    }
    if file is not None and any(given.values()):
        raise Failure("usage", "a file and options both describe the component", "give one of them")
    with failures():
        body = FoundryForge(**given) if file is None else foundry.read_body(file.read_bytes())
    accepted = link.act(body, Accepted, operator=operator_name(operator))
    _said_accepted(accepted, as_json)


def _said_accepted(accepted: Accepted, as_json: bool) -> None:
    text = f"accepted as {accepted.job_id}; see: interlock job show {accepted.job_id}"
    output.show({"status": accepted.status, "job_id": accepted.job_id}, text, as_json)


def verify(
    strategy: Annotated[str, typer.Argument(help="A bundled strategy, FILE.py or FILE.py:Class.")],
    data: Annotated[
        list[str] | None, typer.Option("--data", help="Bars to add: a file, or VENUE/SYMBOL/INTERVAL.")
    ] = None,
    sets: Sets = None,
    is_submitted: Annotated[
        bool, typer.Option("--submit", help="By the engine, as a job: a component's or bundled name.")
    ] = False,
    operator: Operator = "",
    as_json: Json = False,
) -> int:
    """Run a strategy every way there is against each other; exit 1 where two ways differ.

    Example: interlock verify breakout.py --data sandbox/BTC-PERP/1m
    """

    if is_submitted:
        if data or sets:
            raise Failure("usage", "a job verifies on the home's corpus with drawn parameters",
                          "leave --data and --set out, or leave --submit out")  # fmt: skip
        body = FoundryVerify(strategy_name=strategy)
        _said_accepted(link.act(body, Accepted, operator=operator_name(operator)), as_json)
        return int(ExitCode.OK)

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "cases")

    spec = _checked(strategy) if strategy.partition(":")[0].endswith(".py") else strategy
    with failures():
        report = forge.verify(spec, home_folder(), tuple(data or ()), parameters(sets), progress)
    facts = output.record(report)
    text = output.facts({name: facts[name] for name in REPORT_FACTS})
    if report.divergence is None:
        text += f"\nequivalent on corpus {report.corpus_sha256}"
    else:
        text += f"\n\nfirst divergent event\n{output.facts(report.divergence)}"
    output.show({"verify": report}, text, as_json)
    return int(ExitCode.OK if report.is_equivalent else ExitCode.REFUSED)


def _checked(spec: str) -> str:
    path = Path(spec.partition(":")[0])
    if not path.is_file():
        raise Failure(
            "not_found", f"there is no file {path}", "give a strategy's file: FILE.py or FILE.py:Class"
        )
    return spec
