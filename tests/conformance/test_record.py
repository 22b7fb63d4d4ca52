"""Only an adapter that has passed as it stands may be selected where money is real."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from engine.config import load_settings
from engine.venue import OPENERS, configured_venue
from safety.reasons import Refusal
from seams.clock import FixedClock
from tests.conformance.record import is_stale, write
from tests.conformance.rig import Who
from tests.conformance.rigs import RIGS
from tests.conformance.rigs.hyperliquid import KEYS
from tests.conformance.suite import CASES
from venues.conformance import ADAPTERS, ROOT, digest, problem, read_record, sources_of


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the rooms that adapters are made of, and of the record."""
    for room in ("venues", "seams"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return tmp_path


def judged(copy: Path, venue: str = "hyperliquid") -> str:
    return problem(venue, copy / "venues" / "conformance.json", copy)


@pytest.mark.parametrize("venue", ADAPTERS)
def test_the_record_is_of_the_adapters_as_they_stand(venue: str) -> None:
    assert not is_stale(venue), "run `make conformance` and commit venues/conformance.json"
    assert problem(venue) == "" and read_record()[venue].cases == len(CASES)


def test_every_venue_that_can_be_selected_has_a_rig_and_a_record() -> None:
    assert set(OPENERS) <= set(ADAPTERS) == set(RIGS) == set(read_record())


def test_an_adapter_is_all_that_it_imports() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in sources_of(ADAPTERS["kraken"])}
    assert {"venues/kraken/adapter.py", "venues/types.py", "venues/listeners.py", "seams/http.py"} <= names
    assert not any(name.startswith(("venues/sandbox", "venues/hyperliquid")) for name in names)


@pytest.mark.parametrize(
    "changed",
    ["venues/hyperliquid/outcomes.py", "venues/bars.py", "seams/http.py", "venues/hyperliquid/new.py"],
)
def test_an_adapter_that_was_changed_has_not_passed(copy: Path, changed: str) -> None:
    assert judged(copy) == ""
    with (copy / changed).open("a") as file:
        file.write("# another\n")
    assert "was changed after it passed" in judged(copy)


def test_another_venues_change_is_none_of_ours(copy: Path) -> None:
    with (copy / "venues" / "kraken" / "outcomes.py").open("a") as file:
        file.write("# another\n")
    assert judged(copy) == "" and judged(copy, "kraken")


def test_no_record_a_broken_one_and_a_small_one_prove_nothing(copy: Path) -> None:
    path = copy / "venues" / "conformance.json"
    record = read_record()
    write({"hyperliquid": msgspec.structs.replace(record["hyperliquid"], cases=89)}, path)
    assert "89 cases" in judged(copy)
    assert "never passed" in judged(copy, "kraken") and "never passed" in judged(copy, "nowhere")
    path.write_text('{"hyperliquid": {"cases": 500}}')
    assert "no record" in judged(copy)
    path.unlink()
    assert "no record" in judged(copy)


def test_files_that_are_renamed_are_other_files(copy: Path) -> None:
    paths = sources_of("venues.kraken", copy)
    before = digest(paths, copy)
    (copy / "venues" / "kraken" / "book.py").rename(copy / "venues" / "kraken" / "cook.py")
    assert digest(sources_of("venues.kraken", copy), copy) != before


class Deaf:
    """A transport that leads nowhere: an adapter is made over it, and nothing is sent."""

    def caller(self, *given: object) -> object:
        return self

    def link(self, *given: object) -> object:
        return self


@pytest.mark.parametrize("mode", ["live", "dry_live"])
@pytest.mark.parametrize("environment", ["sandbox", "testnet", "mainnet"])
def test_the_engine_selects_no_venue_that_has_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, mode: str
) -> None:
    """Everywhere but on loopback; with its record the adapter is made, over a deaf transport."""
    path = tmp_path / "hl.key"
    path.write_bytes(msgspec.json.encode(KEYS[Who.DESK]))
    path.chmod(0o600)
    is_loopback = environment == "sandbox"
    environ = {
        "INTERLOCK_ENGINE__MODE": mode,
        "INTERLOCK_ENGINE__ENVIRONMENT": environment,
        "INTERLOCK_EXECUTION__VENUE_KEY_FILE": str(path),
        "INTERLOCK_EXECUTION__VENUE_URL": "http://127.0.0.1:1" if is_loopback else "",
    }
    settings = load_settings(tmp_path, environ).settings
    monkeypatch.setattr("venues.conformance.RECORD", tmp_path / "none.json")
    if is_loopback:
        assert configured_venue(settings, FixedClock())[1] == KEYS[Who.DESK].account
        return
    with pytest.raises(Refusal) as refused:
        configured_venue(settings, FixedClock())
    assert refused.value.code == "venue_not_conformant"
    monkeypatch.undo()
    assert configured_venue(settings, FixedClock(), Deaf())[1] == KEYS[Who.DESK].account
