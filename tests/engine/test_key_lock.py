"""One engine for one key of a venue, whichever home it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from engine.config import load_settings
from engine.config.settings import Settings
from engine.failures import reason_code
from engine.key_lock import FOLDER_NAME, demand_apart, hold_key, hold_own, lock_folder
from engine.watching import venue_of
from safety.reasons import REASONS, Refusal
from seams.clock import FixedClock
from seams.disk import MemoryDisk
from venues.keyfile import KeyFile

SIGNER, ADDRESS = "kraken:PUBLIC", "mainnet "
HOLDER = """
import sys
from pathlib import Path
from engine.key_lock import hold_key
lock = hold_key(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
print("held", flush=True)
sys.stdin.read()
"""


def engine_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the key, as another home's engine does."""
    given = [sys.executable, "-c", HOLDER, str(folder), SIGNER, ADDRESS]
    process = subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_engine_is_refused_by_name_until_the_first_is_gone(tmp_path: Path) -> None:
    other = engine_elsewhere(tmp_path)
    with pytest.raises(Refusal) as refused:
        hold_key(tmp_path, SIGNER, ADDRESS)
    assert refused.value.code == "key_in_use" == reason_code(refused.value)
    assert str(other.pid) in str(refused.value) and REASONS["key_in_use"].correction
    other.kill()
    other.wait()
    hold_key(tmp_path, SIGNER, ADDRESS).release()


def test_another_key_and_another_address_are_free(tmp_path: Path) -> None:
    held = hold_key(tmp_path, SIGNER, ADDRESS)
    others = [hold_key(tmp_path, "kraken:OTHER", ADDRESS), hold_key(tmp_path, SIGNER, "testnet ")]
    for lock in (held, *others):
        lock.release()
    assert len(list(tmp_path.iterdir())) == 3
    assert not any("PUBLIC" in path.name for path in tmp_path.iterdir()), "a fingerprint, not the key"


def settings(environment: str) -> Settings:
    made = load_settings(Path("/nonexistent"), {}).settings
    engine = made.engine.model_copy(update={"environment": environment})
    return made.model_copy(update={"engine": engine})


def key_file(path: Path, key: str, ask_key: str = "") -> str:
    path.write_bytes(
        msgspec.json.encode(KeyFile(venue="kraken", account="a", key=key, secret="s", ask_key=ask_key))
    )
    path.chmod(0o600)
    return str(path)


def named(engine: str, watchdog: str) -> Settings:
    made = load_settings(Path("/nonexistent"), {}).settings
    return made.model_copy(
        update={
            "execution": made.execution.model_copy(update={"venue_key_file": engine}),
            "watchdog": made.watchdog.model_copy(update={"key_file": watchdog}),
        }
    )


def test_engine_and_watchdog_never_share_a_key(tmp_path: Path) -> None:
    engine = key_file(tmp_path / "engine.key", "ONE", "TWO")
    for shared in (
        engine,
        key_file(tmp_path / "copy.key", "ONE"),
        key_file(tmp_path / "asks.key", "THREE", "TWO"),
        key_file(tmp_path / "turned.key", "TWO", "FOUR"),
    ):
        with pytest.raises(Refusal, match=r"watchdog\.key_file hold one key of kraken") as refused:
            demand_apart(named(engine, shared))
        assert "ONE" not in str(refused.value) and refused.value.code == "invalid_config"
    demand_apart(named(engine, key_file(tmp_path / "own.key", "THREE", "FOUR")))
    demand_apart(named(engine, ""))
    demand_apart(named(engine, str(tmp_path / "of another user.key")))


def test_the_watchdog_refuses_the_engines_key_too(tmp_path: Path) -> None:
    engine = key_file(tmp_path / "engine.key", "ONE")
    made = named(engine, engine)
    live = made.model_copy(update={"engine": made.engine.model_copy(update={"mode": "live"})})
    with pytest.raises(Refusal, match="each needs its own"):
        venue_of(live, FixedClock(), MemoryDisk(), tmp_path)


def test_an_engine_takes_its_own_keys_lock(tmp_path: Path) -> None:
    venue = cast(Any, SimpleNamespace(signer=SIGNER))
    environ = {FOLDER_NAME: str(tmp_path / "locks")}
    assert hold_own(None, settings("mainnet"), environ) is None
    assert hold_own(venue, settings("sandbox"), {}) is None, "nobody's money, and no folder is named"
    for environment in ("sandbox", "mainnet"):
        first = hold_own(venue, settings(environment), environ)
        assert first is not None and first.is_held
        with pytest.raises(Refusal, match="key_in_use"):
            hold_own(venue, settings(environment), environ)
        first.release()


def test_the_folder_is_the_users_unless_it_is_named(tmp_path: Path) -> None:
    assert lock_folder({FOLDER_NAME: str(tmp_path)}) == tmp_path
    assert os.fspath(lock_folder({})).endswith("keys")
