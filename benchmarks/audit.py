"""What an audit record costs: the work alone (no disk), and durable beside a bare fsync of as many bytes."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks._engine import percentile
from safety.audit import AuditLog, verify_log
from seams.clock import SystemClock
from seams.disk import MemoryDisk, RealDisk

WORK, DURABLE = 20_000, 1_000
BODY = {"actor": "ada", "text": "approved T-00412 buy 1.2 ETH-PERP", "hash": "9c1e" * 16}


class NoDisk(MemoryDisk):
    """Takes bytes and forgets them: what is left is the work of the record."""

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        return None

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        return None


def main(arguments: list[str]) -> int:
    """Print microseconds for each append."""
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(NoDisk(), SystemClock(), Path("/none/audit.jsonl"))
        work = _timed(lambda: log.append("ticket", BODY), WORK)
        path, bare = Path(folder) / "audit.jsonl", Path(folder) / "bare"
        real = AuditLog(RealDisk(), SystemClock(), path)
        durable, plain = [], []
        for _ in range(DURABLE):
            durable += _timed(lambda: real.append("ticket", BODY), 1)
            plain += _timed(lambda: RealDisk().append(bare, b"x" * 400), 1)
        began = time.perf_counter()
        found = verify_log(RealDisk(), path)
        verify_us = (time.perf_counter() - began) / found.records * 1e6
    figures = {
        "work_p50_us": round(median(work), 1),
        "work_p99_us": round(percentile(work, 0.99), 1),
        "durable_p50_us": round(median(durable)),
        "durable_p99_us": round(percentile(durable, 0.99)),
        "bare_fsync_p50_us": round(median(plain)),
        "durable_in_bare_fsyncs": round(median(durable) / median(plain), 2),
        "verify_per_record_us": round(verify_us, 1),
    }
    print(
        json.dumps(figures) if "--json" in arguments else "\n".join(f"{k:24} {v}" for k, v in figures.items())
    )
    return 0


def _timed(work: object, count: int) -> list[float]:
    assert callable(work)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken
