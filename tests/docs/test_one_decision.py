"""One implementation decides (OC-49, OC-86): twins verify and shadow, and there is no other provider."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from console.cli.app import run as command_line

ROOT = Path(__file__).resolve().parents[2]
TWIN = "native.reference"
MAY_COMPARE = ("engine/lifecycle/verify/", "native/")
KERNELS = {"native.kernel", "native.portfolio", "native.sweep"}


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, at whatever depth of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def sources() -> list[Path]:
    rooms = ("engine", "console", "venues", "safety")
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def test_the_reference_twin_is_imported_only_where_it_is_compared() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources()
        if TWIN in imports(path) and not str(path.relative_to(ROOT)).startswith(MAY_COMPARE)
    ]
    assert wrong == []


def test_the_engine_does_import_the_kernel_and_the_twin_that_this_test_looks_for() -> None:
    seen = set().union(*(imports(path) for path in sources()))
    assert seen >= KERNELS and TWIN in seen


def test_orders_are_decided_in_one_place() -> None:
    """Only a kernel makes an OrderIntent; everything else passes it on."""
    makers = [
        str(path.relative_to(ROOT))
        for path in sources()
        if any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "OrderIntent"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert makers == []


@pytest.mark.parametrize("name", ["legacy", "python", "typescript", "Kernel", ""])
def test_another_decision_provider_is_refused_and_nothing_is_fallen_back_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "interlock.yaml").write_text(f"decision: {{provider: '{name}'}}\n")
    assert command_line(["config", "show", "--json"]) == 2
    (tmp_path / "config" / "interlock.yaml").write_text("decision: {provider: kernel}\n")
    assert command_line(["config", "show", "--json"]) == 0
