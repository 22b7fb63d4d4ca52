"""Keys come from a file, the service manager or gpg; the process that holds them is closed to its peers."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.settings import Settings
from engine.keys import key_ages
from safety.hardening import close_memory, is_closed
from safety.reasons import Refusal
from safety.secrets import CREDENTIALS_FOLDER, KeyReference, load_secret
from seams.clock import NS_PER_S

CANARY = "canary-5f1e0c9b7a3d"
DAY_NS = 86_400 * NS_PER_S


def reference(path: str) -> KeyReference:
    return KeyReference(name="venue", path=path)


def test_a_credential_of_the_service_manager_is_read_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venue").write_text(f"{CANARY}\n")
    (tmp_path / "venue").chmod(0o440)  # the manager admits us by an access list, which shows as group bits
    monkeypatch.setenv(CREDENTIALS_FOLDER, str(tmp_path))
    assert load_secret(reference("credential:venue")).reveal() == CANARY
    for name in ("", "..", "../venue", "none"):
        with pytest.raises(Refusal, match="secret_missing"):
            load_secret(reference(f"credential:{name}"))
    (tmp_path / "venue").chmod(0o444)
    with pytest.raises(Refusal, match="secret_exposed"):
        load_secret(reference("credential:venue"))
    monkeypatch.delenv(CREDENTIALS_FOLDER)
    with pytest.raises(Refusal, match="secret_missing"):
        load_secret(reference("credential:venue"))


@pytest.fixture
def gpg_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key ring of its own, with a key that has no passphrase."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    made = subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "desk", "future-default"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return home


def test_gpg_decrypts_into_a_pipe(gpg_home: Path, tmp_path: Path) -> None:
    locked = tmp_path / "key.gpg"
    sealed = subprocess.run(
        ["gpg", "--batch", "--quiet", "--trust-model", "always", "-r", "desk", "--encrypt"],
        input=CANARY.encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    locked.write_bytes(sealed.stdout)
    assert CANARY.encode() not in locked.read_bytes()
    assert load_secret(reference(f"gpg:{locked}")).reveal() == CANARY
    locked.write_bytes(sealed.stdout[:-20])
    for path in (locked, tmp_path / "none.gpg"):
        with pytest.raises(Refusal, match="secret_missing") as refused:
            load_secret(reference(f"gpg:{path}"))
        assert CANARY not in str(refused.value)
    with pytest.raises(Refusal, match="secret_exposed"):
        load_secret(reference(f"gpg:{locked}"), repository=tmp_path)


def _as_another(act: Callable[[], bytes]) -> tuple[int, int]:
    """Run `act` in a fork that has an unprivileged user; return its process and where its answer comes."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        return child, read_end
    try:
        os.close(read_end)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            _be_open()  # changing the user has closed us already, which is not what is tested
        os.write(write_end, act())
        time.sleep(20)
    finally:
        os._exit(0)


def _be_open() -> None:
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0


def _stolen(pid: int, value: bytes) -> bytes:
    """Look for a value in another process's memory, as any program of the same user may."""
    found = 0
    try:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if not rights.startswith("rw") or "[" in line:
                continue
            low, high = (int(part, 16) for part in span.split("-"))
            with open(f"/proc/{pid}/mem", "rb", 0) as memory:
                memory.seek(low)
                found += memory.read(high - low).count(value)
    except PermissionError:
        return b"refused"
    return str(found).encode()


@pytest.mark.parametrize("is_closing", [True, False], ids=["closed", "open"])
def test_memory_with_a_key_is_closed_to_the_same_user(is_closing: bool) -> None:
    """The thief has the holder's user; where the holder does not close its memory, it does find the key."""
    value = b"-".join((b"canary", b"of", b"this", b"test"))
    holder, said = _as_another(lambda: str(close_memory() if is_closing else False).encode())
    assert os.read(said, 10) == str(is_closing).encode()
    thief, answer = _as_another(lambda: _stolen(holder, value))
    try:
        found = os.read(answer, 20)
    finally:
        for child, pipe in ((holder, said), (thief, answer)):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(pipe)
    assert found == b"refused" if is_closing else int(found) >= 1


def test_closing_is_told_and_leaves_no_core(tmp_path: Path) -> None:
    """In a process of its own: it cannot be taken back."""
    child = os.fork()
    if child == 0:
        import resource

        is_right = not is_closed() and close_memory() and is_closed()
        os._exit(0 if is_right and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_age_of_every_named_key_is_judged_and_its_value_is_not_read(tmp_path: Path) -> None:
    key = tmp_path / "venue.key"
    key.write_text(CANARY)
    now_ns = time.time_ns()
    os.utime(key, ns=(now_ns - 91 * DAY_NS, now_ns - 91 * DAY_NS))
    settings = Settings.model_validate(
        {
            "execution": {"venue_key_file": str(key)},
            "watchdog": {"key_file": str(tmp_path / "none")},
            "record": {"audit_key_file": f"gpg:{key}"},
        }
    )
    rows = {row.name: row for row in key_ages(settings, now_ns)}
    assert rows["execution.venue_key_file"].state == "old"
    assert rows["execution.venue_key_file"].age_days == 91.0
    assert rows["watchdog.key_file"].state == "missing" and rows["watchdog.key_file"].age_days is None
    assert rows["record.audit_key_file"].age_days == 91.0
    assert CANARY not in repr(rows)
    os.utime(key, ns=(now_ns, now_ns))
    assert {row.state for row in key_ages(settings, now_ns)} == {"ok", "missing"}
    assert key_ages(Settings(), now_ns) == ()
