"""What is replayed: each file format of ours, with what an acknowledgement of it promises.

`act` works as the engine does and acknowledges; `check` looks at what a crash left and says what is wrong,
an empty text where nothing is. A refused start is an answer only where a subject says so.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import msgspec

from engine.api.endpoint import Credential, Endpoint
from engine.api.subjects import PERMISSIONS
from engine.bus import make_credentials
from engine.research.artifacts import write_folder
from engine.research.session_records import SessionMetadata
from engine.research.sessions import FILES, SessionFolder, read_status
from engine.store.store import Store
from engine.trading.live_journal import LIVE, LiveJournal
from engine.trading.nonces import Nonces
from safety.audit import AuditBroken, AuditLog, verify_log
from safety.audit_heads import HeadKey
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import KillSwitch, LatchUnreadable, read_latch
from safety.secrets import Secret
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk
from tests.engine.test_journals import bars, closed, session_kernel
from tests.store.builders import fill, intent, order
from tests.store.looking import intents_without_proof
from tests.survival.crashpoints.disk_model import State
from venues.types import Mode

Ack = Callable[[str], None]
KEY = HeadKey(Secret("a key for tests only, of enough characters"))
HERE = Path("/state")


@dataclass(frozen=True)
class Subject:
    """One format: how it is written, and how a state is judged (some need real files in a folder)."""

    act: Callable[[Path, int, Ack], None]
    check: Callable[[State, Path], str]
    needs_files: bool = False
    tear: int = 1
    """What a write is torn at, in bytes: 1 is anywhere; HDF5 is promised whole sectors."""


def _disk(state: State) -> MemoryDisk:
    disk = MemoryDisk()
    disk.files = {HERE / path: data for path, data in state.files.items()}
    return disk


# --- the audit log: segments, head, signed heads -------------------------------------------------


def audit_act(root: Path, size: int, ack: Ack) -> None:
    clock, path = FixedClock(), root / "audit" / "audit.jsonl"
    for start in range(3):
        log = AuditLog(RealDisk(), clock, path, key=KEY, segment_bytes=6_000)
        for number in range(size):
            clock.advance(20)
            record = log.append("kill" if number % 7 == 3 else "act", {"start": start, "number": number})
            ack(f"{record.seq} {record.hash}")
            log.vouch_when_due()


def audit_check(state: State, _: Path) -> str:
    disk, path = _disk(state), HERE / "audit" / "audit.jsonl"
    try:
        log = AuditLog(disk, FixedClock(), path, key=KEY, segment_bytes=6_000)
    except AuditBroken as error:
        return str(error)
    if not verify_log(disk, path, KEY).ok:
        return "opened, and does not verify"
    if state.acked:
        seq, _, digest = state.acked[-1].partition(" ")
        whole = b"".join(data for name, data in disk.files.items() if name.name.startswith("audit.jsonl"))
        if log.seq < int(seq) or digest.encode() not in whole:
            return f"record {seq} was acknowledged; the log ends at {log.seq}"
    return ""


# --- the kill latch and its marker ---------------------------------------------------------------


def latch_act(root: Path, size: int, ack: Ack) -> None:
    clock, folder = FixedClock(), root / "safety"
    switch = KillSwitch(RealDisk(), clock, folder)
    ack("CLEAR 0")
    for number in range(size):
        level = KillLevel.CLOSE_ONLY if number % 3 == 1 else KillLevel.HALT_ALL
        switch.trip(level, by="ada", reason=f"number {number}", source="test")
        ack(f"{level.name} {switch.epoch}")
        if number % 3 == 1:
            switch.trip(KillLevel.HALT_ALL, by="ada", reason="stricter", source="test")
            ack(f"HALT_ALL {switch.epoch}")
        if number % 4 == 2:
            switch = KillSwitch(RealDisk(), clock, folder)
        ack(f"RESETTING {switch.epoch}")
        switch.reset(operator="ada", reason="looked", clean_reconciliation=True, unknown_orders=0)
        ack(f"CLEAR {switch.epoch}")


def latch_check(state: State, _: Path) -> str:
    disk, folder = _disk(state), HERE / "safety"
    last, _, epoch = (state.acked[-1] if state.acked else "NOTHING 0").partition(" ")
    try:
        stood = read_latch(disk, folder)
    except LatchUnreadable as error:
        stood = None
        if last != "NOTHING":
            return f"unreadable after {last}: {error}"
    switch = KillSwitch(disk, FixedClock(), folder, KillByte.anonymous())
    if switch.epoch < int(epoch):
        return f"epoch {switch.epoch} after {epoch} was in force"
    if last in KillLevel.__members__ and switch.level < KillLevel[last]:
        return f"{last} was acknowledged, the switch is at {switch.level.name}"
    if stood is not None and read_latch(disk, folder).level < stood.level:
        return "a start loosened the latch"
    return ""


# --- endpoint and credentials --------------------------------------------------------------------


def files_act(root: Path, size: int, ack: Ack) -> None:
    disk = RealDisk()
    for epoch in range(1, size + 1):
        disk.make_folder(root / "run")
        for role, made in make_credentials(root / "run", disk).items():
            ack(json.dumps(["credential", role, made.password]))
        endpoint = Endpoint(url="nats://x", pid=epoch, epoch=epoch, engine_version="1", started_at_ns=epoch)
        disk.write_atomic(root / "run" / "endpoint.json", msgspec.json.encode(endpoint))
        ack(json.dumps(["endpoint", epoch, ""]))
        if epoch % 2:
            disk.remove(root / "run" / "endpoint.json")
            ack(json.dumps(["gone", epoch, ""]))


def files_check(state: State, _: Path) -> str:
    promised = {(kind, name if kind == "credential" else ""): (name, word) for kind, name, word in map(
        json.loads, state.acked)}  # fmt: skip
    for role in PERMISSIONS:
        data = state.files.get(f"run/{role}.creds")
        found = None if data is None else msgspec.json.decode(data, type=Credential).password
        known = promised.get(("credential", role))
        if known is not None and found != known[1]:
            return f"the credential of {role} is another, or gone"
    data = state.files.get("run/endpoint.json")
    epoch = 0 if data is None else msgspec.json.decode(data, type=Endpoint).epoch
    newest = json.loads(state.acked[-1]) if state.acked else ["", 0, ""]
    if newest[0] == "endpoint" and epoch < newest[1] and not (newest[1] % 2 and data is None):
        return f"endpoint of epoch {newest[1]} acknowledged, found {epoch}"
    if newest[0] == "gone" and data is not None and epoch <= newest[1]:
        return "an endpoint came back after it was removed"
    return ""


# --- a paper session's folder --------------------------------------------------------------------


def session_act(root: Path, size: int, ack: Ack) -> None:
    clock = FixedClock()
    for number in range(2):
        name = f"20260101_00000{number}_paper_x"
        folder = SessionFolder(root, _metadata(name), {"a": 1}, RealDisk(), clock)
        ack(f"started {name} 0")
        for trade in range(1, size + 1):
            one = Decimal(trade)
            folder.add_trade(
                at_ns=clock.now_ns(), side="buy", close=one, exec_price=one, quantity=one, fee=one,
                equity_after=one, slippage=one, reason="test",
            )  # fmt: skip
            ack(f"trades {name} {trade}")
            folder.update(bars=trade, decisions=0, orders=0, fills=trade, equity_usd=one)
            ack(f"bars {name} {trade}")
        folder.put_artifact("journal.h5", b"j" * 9_000)
        folder.finish("completed", metrics={"trades": size}, decision_sha256="0" * 64)
        ack(f"ended {name} {size}")


def _metadata(name: str) -> SessionMetadata:
    return SessionMetadata(
        session_id=name, mode="paper", command="paper start", request_id="r",
        started_at="2026-01-01T00:00:00Z", operator="ada", strategies=("s",),
        symbols=("X",), feed="sandbox", scenario="demo", seed=1,
        is_supervised=False, pid=1, git_commit="0" * 40, python_version="3", kernel_sha256="k" * 64,
        config_sha256="c" * 64,
    )  # fmt: skip


def session_check(state: State, _: Path) -> str:
    disk = _disk(state)
    facts = [line.split(" ") for line in state.acked]
    for name in {fact[1] for fact in facts}:
        folder = HERE / name
        status = read_status(folder, disk)
        known = {fact[0]: int(fact[2]) for fact in facts if fact[1] == name}
        rows = disk.files[folder / FILES["trades"]].count(b"\n") - 1
        if rows < known.get("trades", 0) or (status.bars or 0) < known.get("bars", 0):
            return f"{name}: {rows} trades and {status.bars} bars, acknowledged {known}"
        if "ended" in known and status.status != "success":
            return f"{name} was ended and is {status.status}"
        if status.status == "success":
            for which in ("metrics", "report"):
                json.loads(disk.files[folder / FILES[which]])
            if len(disk.files.get(folder / "artifacts" / "journal.h5", b"")) != 9_000:
                return f"{name} ended without its journal"
    return ""


# --- a run's folder, published whole -------------------------------------------------------------


def run_act(root: Path, size: int, ack: Ack) -> None:
    for number in range(size):
        files = {f"artifacts/{part}.bin": bytes([number]) * 5_000 for part in range(3)}
        write_folder(
            root / "runs" / f"run-{number}", files, lambda made: {"report.json": msgspec.json.encode(made)}
        )
        ack(str(number))


def run_check(state: State, _: Path) -> str:
    present = {path.split("/")[1] for path in state.files if path.startswith("runs/run-")}
    missing = [number for number in state.acked if f"run-{number}" not in present]
    if missing:
        return f"published and gone: {missing}"
    for run in present:
        content = bytes([int(run.removeprefix("run-"))]) * 5_000
        for part in range(3):
            if state.files.get(f"runs/{run}/artifacts/{part}.bin") != content:
                return f"{run} appeared without its files"
        listed = json.loads(state.files.get(f"runs/{run}/report.json", b"{}"))
        if len(listed) != 3:
            return f"{run} appeared without its report"
    return ""


# --- orders, fills and nonces in SQLite ----------------------------------------------------------


def store_act(root: Path, size: int, ack: Ack) -> None:
    clock = FixedClock()
    for _ in range(2):
        store = Store.open(root / "db" / "paper.db", Mode.PAPER, clock)
        epoch = store.next_epoch()
        ack(f"epoch {epoch}")
        nonces = Nonces(store, clock, "key")
        for number in range(size):
            name = f"{epoch}-{number}"
            with store.transaction():
                nonce = nonces.next()
                store.orders.record_intent_and_order(intent(f"I-{name}"), order(f"O-{name}", f"I-{name}"))
            ack(f"nonce {nonce}")
            ack(f"order O-{name}")
            store.orders.record_fill(fill(f"F-{name}", f"O-{name}"))
            ack(f"fill F-{name}")
        if epoch == 1:
            store.close()  # the second is left open: a process that is killed closes nothing


def store_check(state: State, folder: Path) -> str:
    path = folder / "db" / "paper.db"
    store = Store.open(path, Mode.PAPER, FixedClock())
    try:
        orders = {row.client_order_id for row in store.orders.orders_open()}
        fills = [row.fill_id for row in store.orders.fills_of_account("sandbox", "A")]
        nonce, epoch = Nonces(store, FixedClock(), "key").last, store.epoch()
        proofs = len(intents_without_proof(store.link))
    finally:
        store.close()
    with closing(sqlite3.connect(path)) as database:
        (whole,) = database.execute("PRAGMA integrity_check").fetchone()
    if whole != "ok":
        return f"integrity_check: {whole}"
    if len(orders) != proofs or len(fills) != len(set(fills)):
        return "an order without its intent, or a fill twice"
    known = set(fills)
    for line in state.acked:
        kind, _, name = line.partition(" ")
        if (kind == "order" and name not in orders) or (kind == "fill" and name not in known):
            return f"{kind} {name} was acknowledged and is gone"
        if (kind == "nonce" and int(name) > nonce) or (kind == "epoch" and int(name) > epoch):
            return f"{kind} {name} was used and is forgotten ({nonce}, {epoch})"
    return ""


# --- the live journal (HDF5 in SWMR mode) --------------------------------------------------------

ROWS_A_COMMIT = 40


def live_act(root: Path, size: int, ack: Ack) -> None:
    kernel = session_kernel()
    rows = bars(size * ROWS_A_COMMIT)
    live = LiveJournal(root / LIVE, kernel)
    for start in range(0, len(rows), ROWS_A_COMMIT):
        closed(kernel, rows[start : start + ROWS_A_COMMIT])
        live.commit()
        ack(str(len(kernel.inputs)))


def live_check(state: State, folder: Path) -> str:
    """Read the file in a child: what a crash tore may make HDF5 spin or die."""
    if not state.acked:
        return ""  # the file is announced by its first commit
    _inputs(int(state.acked[-1]))  # made here, not once in every child
    return in_child(lambda: _read_live(folder / LIVE, int(state.acked[-1])), CHILD_S)


def _read_live(path: Path, promised: int) -> str:
    with h5py.File(path, "r", swmr=True) as file:
        inputs, decisions = file["inputs"][:], file["decisions"][:]
    if len(inputs) < promised:
        return f"{promised} rows were acknowledged, {len(inputs)} are there"
    if inputs[:promised].tobytes() != _inputs(promised)[:promised].tobytes():
        return "rows that were acknowledged are not what was written"
    return "" if decisions is not None else "no decisions"


@cache
def _all_inputs(rows: int) -> Any:
    kernel = session_kernel()
    closed(kernel, bars(rows))
    return kernel.inputs


def _inputs(promised: int) -> Any:
    """Return what the scenario wrote: at least `promised` rows of it (a bar makes one row or more)."""
    return _all_inputs(1 << max(10, promised.bit_length()))


CHILD_S = 4.0


def in_child(work: Callable[[], str], seconds: float) -> str:
    """Return what `work` says in a forked child; its death or its silence is an answer too."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, b"=" + said.encode()[:2000])
        os._exit(0)
    os.close(writing)
    try:
        is_there = bool(select.select([reading], [], [], seconds)[0])
        answer = os.read(reading, 4096) if is_there else b""
        if not is_there:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(reading)
        os.waitpid(pid, 0)
    if answer.startswith(b"="):
        return answer[1:].decode()
    return "the reader died" if is_there else f"the reader did not end within {seconds:g} s"


SUBJECTS: dict[str, Subject] = {
    "audit": Subject(audit_act, audit_check),
    "latch": Subject(latch_act, latch_check),
    "endpoint": Subject(files_act, files_check),
    "session": Subject(session_act, session_check),
    "run": Subject(run_act, run_check),
    "store": Subject(store_act, store_check, needs_files=True),
    "live": Subject(live_act, live_check, needs_files=True, tear=512),
}
