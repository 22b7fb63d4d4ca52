"""Journals: equal content is equal bytes; a running session's is read while it grows and after a crash."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.journal import write_journal
from engine.trading.inputs import JournalledKernel, SessionFacts
from engine.trading.live_journal import LIVE, LiveJournal, live_journal
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from seams.disk import MemoryDisk, RealDisk

ROOT = Path(__file__).parents[2]
MINUTE_NS = 60 * 10**9

TAIL = """
import sys, time, h5py
seen = []
with h5py.File(sys.argv[1], "r", swmr=True) as file:
    table = file["inputs"]
    print("open", flush=True)
    for _ in sys.stdin:
        table.refresh()
        file["decisions"].refresh()
        print(len(table), len(file["decisions"]), table[-1]["ts_ns"] if len(table) else 0, flush=True)
"""


def market(count, seed=3):
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.002, count)))
    ts_ns = 1_700_000_040_000_000_000 + np.arange(count, dtype=np.int64) * MINUTE_NS
    return ts_ns, close, close * 1.001, close * 0.999, close, np.ones(count)


def replayed(count, seed=3):
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="ema_cross")])
    columns = market(count, seed)
    kernel.replay(0, *columns)
    return kernel, columns[0]


def session_kernel():
    lanes = [LaneSpec(symbol="X", strategy="ema_cross")]
    kernel = JournalledKernel(KernelConfig(), lanes, matching="external", run_id="s_1")
    kernel.facts = SessionFacts(session_id="s_1", feed="sandbox", kernel_sha256="k" * 64, config={}, lanes=())
    return kernel


def closed(kernel, rows):
    for row in rows:
        for wish in kernel.close(0, *row):
            kernel.reject(0, wish.intent_id, "test")


def bars(count):
    return list(zip(*(column.tolist() for column in market(count)), strict=True))


def kept(path, count, seed):
    """Write the journal of a run over a market and return its bytes."""
    kernel, ts_ns = replayed(count, seed)
    trades = kernel.trades()
    columns = {"trades": trades, "decisions": kernel.decisions(), "excursions": np.ones((len(trades), 2))}
    columns |= {"ts_ns": ts_ns, "equity": kernel.equity_curve()}
    digest = write_journal(path, **columns, identity={"kernel": "k", "data": "d"})
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    return data


def test_equal_runs_leave_equal_bytes_whatever_was_packed_before(tmp_path):
    found = set()
    for seed in range(5):
        kept(tmp_path / "other.h5", 20_000 + seed, seed)
        found.add(kept(tmp_path / "journal.h5", 70_000, 3))
    assert len(found) == 1 and all(len(data) > 500_000 for data in found)
    assert kept(tmp_path / "journal.h5", 70_000, 4) not in found


def fixed_length(dtype):
    return h5py.check_vlen_dtype(dtype) is None and (
        h5py.check_string_dtype(dtype) is None or h5py.check_string_dtype(dtype).length is not None
    )


def test_a_reader_follows_the_writer(tmp_path):
    kernel, rows = session_kernel(), bars(600)
    live = live_journal(RealDisk(), tmp_path, kernel)
    tail = subprocess.Popen(
        [sys.executable, "-c", TAIL, str(tmp_path / LIVE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert tail.stdout.readline() == "open\n"
        for end in (200, 201, 600):
            closed(kernel, rows[len([row for row in kernel.inputs if row["kind"] == 2]) : end])
            assert live.commit() > 0
            tail.stdin.write("\n")
            tail.stdin.flush()
            inputs = kernel.inputs
            assert tail.stdout.readline().split() == [
                str(len(inputs)), str(len(kernel.decisions())), str(inputs[-1]["ts_ns"]),
            ]  # fmt: skip
        assert live.commit() == 0 and len(kernel.decisions()) > 5
    finally:
        tail.kill()
        tail.communicate()
        live.close()
    with h5py.File(tmp_path / LIVE) as file:
        assert (file["inputs"][:] == kernel.inputs).all()
        assert file["decisions"][:].tobytes() == kernel.decisions().tobytes()
        assert file.attrs["kernel_sha256"] == b"k" * 64
        for table in file.values():
            assert all(fixed_length(field) for field, *_ in table.dtype.fields.values())
        assert all(fixed_length(file.attrs.get_id(name).dtype) for name in file.attrs)


def test_what_was_committed_is_read_after_a_crash(tmp_path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from engine.trading.live_journal import LiveJournal\n"
        "from tests.engine.test_journals import bars, closed, session_kernel\n"
        "kernel = session_kernel()\nlive = LiveJournal(Path(sys.argv[1]), kernel)\n"
        "closed(kernel, bars(300))\nlive.commit()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / LIVE
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == -signal.SIGKILL
    kernel = session_kernel()
    closed(kernel, bars(300))
    with h5py.File(path, "r", swmr=True) as file:
        assert (file["inputs"][:] == kernel.inputs).all()


def test_only_a_journalled_session_on_a_real_disk_has_one(tmp_path):
    assert live_journal(MemoryDisk(), tmp_path, session_kernel()) is None
    assert live_journal(RealDisk(), tmp_path, replayed(50)[0]) is None
    LiveJournal(tmp_path / LIVE, session_kernel()).close()
    with pytest.raises(OSError):
        LiveJournal(tmp_path / LIVE, session_kernel())
    assert json.dumps(sorted(os.listdir(tmp_path))) == f'["{LIVE}"]'


FULL = """
import gc, os, resource, sys
from pathlib import Path
from engine.trading.live_journal import LiveJournal, end_process
from tests.engine.test_journals import bars, closed, session_kernel

def allow(size_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

folder, spare_bytes, found = Path(sys.argv[1]), int(sys.argv[2]), []
for number in range(6):
    kernel, path = session_kernel(), folder / f"{number}.h5"
    live = LiveJournal(path, kernel)
    closed(kernel, bars(300))
    live.commit()
    promised = len(kernel.inputs)
    if number % 2:
        closed(kernel, bars(9_000)[300:])
    allow(path.stat().st_size + spare_bytes if number % 2 else 0)
    for work in (live.commit, live.commit, live.close):
        try:
            work()
        except OSError:
            found.append(work.__name__)
    del live, work
    gc.collect()
    allow(resource.RLIM_INFINITY)
whole = LiveJournal(folder / "whole.h5", kernel)
whole.commit()
whole.close()
print(promised, *found, flush=True)
end_process(7)
"""


@pytest.mark.parametrize("spare_bytes", [0, 40, 5_000])
def test_a_disk_that_takes_no_more_fails_the_journal_and_crashes_nobody(tmp_path, spare_bytes):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-X", "faulthandler", "-c", FULL, str(tmp_path), str(spare_bytes)]
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")
    promised, *found = done.stdout.split()
    assert found == ["close", "commit", "commit", "close"] * 3
    expected = session_kernel()
    closed(expected, bars(300))
    for number in range(6):
        with h5py.File(tmp_path / f"{number}.h5", "r", swmr=True) as file:
            assert file["inputs"][: int(promised)].tobytes() == expected.inputs.tobytes()
    with h5py.File(tmp_path / "whole.h5") as file:
        assert len(file["inputs"]) > 1_000
