"""Every vector of the file that `INTERLOCK_VECTORS` names is held against us: bend what it expects, and its
test fails. A group that nobody reads would hold whatever it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
FILE = SHARED / "vectors/venues.json"
READERS = ("tests/venues/test_hyperliquid_vectors.py", "tests/venues/test_kraken_vectors.py")
WORDS = {"accept": "reject", "reject": "accept", "unknown": "rejected"}
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not FILE.is_file(), reason="no shared vectors")]


def bent(said: Any) -> Any:
    """Return something else of the same form."""
    match said:
        case bool():
            return not said
        case int():
            return said + 1
        case list():
            return [bent(each) for each in said]
        case dict() if "raises" in said:
            return {"wire": "1"}
        case dict():
            return {name: bent(each) for name, each in said.items()}
    text = str(said)
    if text.startswith("0x"):
        return text[:-1] + ("1" if text[-1] != "1" else "2")
    is_number = text.replace(".", "", 1).isdigit()
    return f"{text}{'' if '.' in text else '.'}00001" if is_number else WORDS.get(text, "unknown")


def passed(path: Path) -> list[str]:
    """Return the vectors whose tests pass with this file."""
    command = [sys.executable, "-m", "pytest", "-q", "-rp", "--tb=no", "-p", "no:cacheprovider", *READERS]
    environ = os.environ | {"INTERLOCK_VECTORS": str(path), "INTERLOCK_SHARED": str(SHARED)}
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert said.returncode in (0, 1), said.stdout + said.stderr
    return re.findall(r"^PASSED \S+\[(.*)\]$", said.stdout, re.MULTILINE)


def test_a_vector_that_expects_something_else_fails(tmp_path: Path) -> None:
    whole = json.loads(FILE.read_bytes())
    ids = {each["id"] for each in whole["vectors"]}
    assert set(passed(FILE)) >= ids, "as they are they hold"
    for each in whole["vectors"]:
        each["expected"] = bent(each["expected"])
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps(whole))
    assert not set(passed(path)) & ids
