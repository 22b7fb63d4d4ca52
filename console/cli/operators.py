"""`interlock operator`: each person's own key, without which nobody is the second of two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.options import Json, Operator, operator_name
from engine.api.home import HomePaths, home_folder
from engine.api.keys import enrol_operator, make_key, operators, revoke_operator

app = typer.Typer(help="Operators: make a key, enrol it, list, revoke.")
COLUMNS = ("operator", "key_id", "state")


@app.callback()
def room() -> None:
    """Make, enrol, list and revoke operators' keys.

    Example: interlock operator ls
    """


@app.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where your private key is written (mode 0600).")],
    as_json: Json = False,
) -> None:
    """Make your own key; name its file in INTERLOCK_OPERATOR_KEY, and let the desk enrol its public half.

    Example: interlock operator new-key ~/.interlock-operator.key
    """
    try:
        public = make_key(file.expanduser())
    except FileExistsError:
        raise Failure("export_exists", f"{file} is there already", "name another file") from None
    output.show({"public_key": public}, f"public key: {public}", as_json)


@app.command()
def enrol(
    public_key: Annotated[str, typer.Argument(help="64 hexadecimal digits, as new-key showed them.")],
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Let the desk know an operator's public key. Who may write the desk's folder may enrol.

    Example: interlock operator enrol 48075a597e721a15... --operator bob
    """
    row = enrol_operator(HomePaths(home_folder()).operators, operator_name(operator), public_key.strip())
    output.show({"operator": row}, f"{row.operator} has key {row.key_id}", as_json)


@app.command("list", hidden=True)
@app.command("ls")
def list_operators(as_json: Json = False) -> None:
    """List operators and whether their keys are in force.

    Example: interlock operator ls
    """
    rows = operators(HomePaths(home_folder()).operators)
    output.show({"operators": rows}, output.table(rows, COLUMNS, "no key is enrolled"), as_json)


@app.command()
def revoke(operator: Operator = "", as_json: Json = False) -> None:
    """Let an operator's key count no longer, from the next signature on.

    Example: interlock operator revoke --operator bob
    """
    row = revoke_operator(HomePaths(home_folder()).operators, operator_name(operator))
    output.show({"operator": row}, f"{row.operator}: key {row.key_id} is revoked", as_json)
