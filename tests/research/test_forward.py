"""Forward sessions: resumed in any steps they are one run, and what a crash leaves is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.api import forward, research
from engine.lock import EngineLock
from engine.market.funding_store import import_funding
from engine.research import artifacts
from engine.research.choice import RunFailed
from engine.research.forward_files import EQUITY, STATE, TRADES, ForwardBook
from engine.research.request import RunResult
from engine.research.schemas import Artifact
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

COUNT, MINUTES = 1_200, 60
USER = '''
from interlock import EMA, Bar, Strategy, param


class Mine(Strategy):
    """Long above the average, short below."""

    length = param(20, 2, 500, "average, bars")

    def on_start(self) -> None:
        self.mean = EMA(self.length)
        self.recent = []

    def on_bar(self, bar: Bar) -> int | None:
        self.recent = (self.recent + [bar.close])[-3:]
        mean = self.mean.update(bar.close)
        return 1 if min(self.recent) > mean else -1 if max(self.recent) < mean else None
'''


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "all.csv", COUNT, minutes=MINUTES)


def cut(market: Path, count: int) -> str:
    """Let the growing file hold the first `count` bars."""
    path = market.with_name("BTCUSD_1h.csv")
    path.write_text("\n".join(market.read_text().splitlines()[: count + 1]) + "\n")
    return str(path)


def begin(home: Path, market: Path, count: int, **fields: object) -> forward.ForwardRow:
    asked = {"strategy": "ema_cross", "params": {"fast": 5, "slow": 20}, **fields}
    return forward.start_forward(asked | {"data": cut(market, count)}, home, clock=FixedClock())


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def stamps(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """What would show any writing: content, time and inode of each file."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def whole_run(home: Path, market: Path, **fields: object) -> RunResult:
    asked = {"strategy": "ema_cross", "params": {"fast": 5, "slow": 20}, **fields}
    request = research.run_request(asked | {"data": cut(market, COUNT)})
    return research.start_run(request, home, clock=FixedClock())


@pytest.mark.parametrize("steps", [(300, 301, 777), (20,), (1, 2, 3, 1_199)])
@pytest.mark.parametrize("is_user", [False, True])
def test_resumed_in_any_steps_it_equals_one_run(
    tmp_path: Path, market: Path, steps: tuple[int, ...], is_user: bool
) -> None:
    fields: dict[str, object] = {}
    if is_user:
        (tmp_path / "mine.py").write_text(USER)
        fields = {"strategy": str(tmp_path / "mine.py"), "params": {"length": 12}}
    row = begin(tmp_path, market, steps[0], **fields)
    for count in (*steps[1:], COUNT):
        cut(market, count)
        row = forward.resume_forward(tmp_path, row.session_id)
    run = whole_run(tmp_path, market, **fields)
    assert run.trades > 20
    assert row.decision_sha256 == run.decision_sha256
    assert (row.bars, row.trades, row.equity_usd) == (run.bars, run.trades, run.final_equity)
    assert (Path(row.path) / TRADES).read_bytes() == (Path(run.path) / "trades.csv").read_bytes()
    state = json.loads((Path(row.path) / STATE).read_bytes())
    assert state["trades_sha256"] == run.trades_sha256
    for name, digest in state["files"].items():
        assert hashlib.sha256((Path(row.path) / name).read_bytes()).hexdigest() == digest


def test_two_ways_to_the_same_bars_give_the_same_bytes(tmp_path: Path, market: Path) -> None:
    row = begin(tmp_path / "a", market, 400)
    shutil.copytree(tmp_path / "a", tmp_path / "b", symlinks=True)
    for count in (500, 900, COUNT):
        cut(market, count)
        assert forward.resume_forward(tmp_path / "a", row.session_id).new_bars > 0
    assert forward.resume_forward(tmp_path / "b", row.session_id).new_bars == COUNT - 400
    one, two = (
        contents(str(tmp_path / each / "outputs" / "forward_runs" / row.session_id)) for each in ("a", "b")
    )
    assert one == two and set(one) == {"forward_session.json", STATE, TRADES, EQUITY}


def test_without_new_bars_nothing_is_touched(tmp_path: Path, market: Path) -> None:
    row = begin(tmp_path, market, 400)
    folder = Path(row.path)
    before = stamps(folder)
    target = os.readlink(folder)
    again = forward.resume_forward(tmp_path, row.session_id)
    assert again.new_bars == 0 and again.decision_sha256 == row.decision_sha256
    assert os.readlink(folder) == target
    assert stamps(folder) == before


@pytest.mark.parametrize("where", ["forward_session.json", STATE, TRADES, EQUITY, "publish", "replace"])
def test_a_crash_at_any_write_leaves_the_old_state_whole(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    row = begin(tmp_path, market, 400)
    before = contents(row.path)
    cut(market, COUNT)
    with monkeypatch.context() as broken:
        put, publish = artifacts.Staging.put, artifacts.Staging.publish

        def failing_put(self: artifacts.Staging, name: str, content: artifacts.Fill) -> Artifact:
            if name == where:
                raise KeyboardInterrupt
            return put(self, name, content)

        def failing_publish(self: artifacts.Staging) -> Path:
            if where == "publish":
                raise KeyboardInterrupt
            return publish(self)

        def failing_replace(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(artifacts.Staging, "put", failing_put)
        broken.setattr(artifacts.Staging, "publish", failing_publish)
        if where == "replace":
            broken.setattr("engine.research.artifacts.os.replace", failing_replace)
        with pytest.raises(KeyboardInterrupt):
            forward.resume_forward(tmp_path, row.session_id)
    assert contents(row.path) == before
    assert [each.session_id for each in forward.list_forward(tmp_path)[0]] == [row.session_id]
    assert forward.resume_forward(tmp_path, row.session_id).new_bars == COUNT - 400
    left = sorted(path.name for path in Path(row.path).parent.iterdir())
    assert left == [".gen-" + os.readlink(row.path).removeprefix(".gen-"), ".lock", row.session_id]


def test_a_changed_past_is_refused(tmp_path: Path, market: Path) -> None:
    row = begin(tmp_path, market, 400)
    before = contents(row.path)
    path = Path(cut(market, 600))
    lines = path.read_text().splitlines()
    lines[100] = lines[100].rsplit(",", 1)[0] + ",6.0"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunFailed, match="bars that it has seen changed") as refused:
        forward.resume_forward(tmp_path, row.session_id)
    assert refused.value.code == "not_reproducible"
    cut(market, 300)
    with pytest.raises(RunFailed, match="bars that it has seen changed"):
        forward.resume_forward(tmp_path, row.session_id)
    assert contents(row.path) == before


def test_a_changed_strategy_is_refused(tmp_path: Path, market: Path) -> None:
    (tmp_path / "mine.py").write_text(USER)
    row = begin(tmp_path, market, 400, strategy=str(tmp_path / "mine.py"), params={"length": 12})
    (tmp_path / "mine.py").write_text(USER.replace("-1 if max", "0 if max"))
    cut(market, 500)
    with pytest.raises(RunFailed, match="source is another"):
        forward.resume_forward(tmp_path, row.session_id)


def test_another_build_goes_on_only_after_it_decided_the_same(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = begin(tmp_path, market, 400)
    cut(market, 600)
    monkeypatch.setattr("engine.research.identity.kernel_sha256", lambda: "another")
    with pytest.raises(RunFailed, match="another build"):
        forward.resume_forward(tmp_path, row.session_id)
    assert forward.resume_forward(tmp_path, row.session_id, rebuilds=True).new_bars == 200
    book = ForwardBook(tmp_path, RealDisk())
    session, state = book.read(row.session_id)
    assert state.kernel_sha256 == "another"
    tables = {name: (book.root / row.session_id / name).read_bytes() for name in state.files}
    with book.writing():
        forged = msgspec.structs.replace(state, decision_sha256="0" * 64)  # type: ignore[type-var]
        book.write(session, forged, tables)
    cut(market, 700)
    with pytest.raises(RunFailed, match="decides otherwise"):
        forward.resume_forward(tmp_path, row.session_id, rebuilds=True)


def test_a_damaged_state_and_a_second_writer_are_refused(tmp_path: Path, market: Path) -> None:
    row = begin(tmp_path, market, 400)
    lock = EngineLock(tmp_path / "outputs" / "forward_runs" / ".lock")
    lock.acquire()
    with pytest.raises(RunFailed, match="is writing forward sessions") as busy:
        forward.resume_forward(tmp_path, row.session_id)
    assert busy.value.code == "already_running"
    lock.release()
    path = Path(row.path) / STATE
    body = json.loads(path.read_bytes())
    body["kernel_state"] = body["kernel_state"][:-8] + "AAAAAAA="
    path.write_text(json.dumps(body))
    with pytest.raises(RunFailed, match="damaged"):
        forward.resume_forward(tmp_path, row.session_id)
    rows, damaged = forward.list_forward(tmp_path)
    assert rows == () and len(damaged) == 1


def test_it_goes_on_from_where_a_run_ended(tmp_path: Path, market: Path) -> None:
    request = research.run_request(
        {
            "strategy": "ema_cross",
            "params": {"fast": 5, "slow": 20},
            "data": cut(market, 700),
            "cash": 5_000.0,
        }
    )
    run = research.start_run(request, tmp_path, clock=FixedClock())
    data = {"data": cut(market, COUNT)}
    row = forward.start_forward(data, tmp_path, best="sharpe_simple", clock=FixedClock())
    detail = forward.show_forward(tmp_path, row.session_id)
    assert detail.source_run == run.run_id and row.bars == COUNT - 700
    config = json.loads((Path(run.path) / "config.json").read_bytes())
    assert row.start > config["end"] and detail.params == config["params"]
    assert detail.metrics["initial_equity"] == 5_000.0


def test_funding_is_paid_across_resumes_as_in_one_run(tmp_path: Path, market: Path) -> None:
    first_ms = 1_699_999_200_000
    hours = range(0, COUNT + 8, 8)
    rates = np.random.default_rng(3).normal(0, 2e-4, len(hours))
    rows = [f"{first_ms + hour * 3_600_000},{rate:.8f}" for hour, rate in zip(hours, rates, strict=True)]
    path = tmp_path / "rates.csv"
    path.write_text("\n".join(["ts_ms,funding_rate", *rows]) + "\n")
    import_funding(path, "v", "X", tmp_path, RealDisk(), FixedClock())
    row = begin(tmp_path, market, 401, funding="v/X")
    for count in (402, 800, COUNT):
        cut(market, count)
        row = forward.resume_forward(tmp_path, row.session_id)
    run = whole_run(tmp_path, market, funding="v/X")
    detail = forward.show_forward(tmp_path, row.session_id)
    assert detail.metrics["funding_usd"] == run.metrics["funding_usd"] != 0.0
    assert row.equity_usd == run.final_equity
    path.write_text("\n".join(["ts_ms,funding_rate", rows[0].split(",")[0] + ",0.09", *rows[1:]]) + "\n")
    import_funding(path, "v", "X", tmp_path, RealDisk(), FixedClock())
    text = Path(cut(market, COUNT)).read_text()
    last = text.splitlines()[-1].split(",")
    cut_path = market.with_name("BTCUSD_1h.csv")
    cut_path.write_text(text + ",".join([str(int(last[0]) + 3_600_000), *last[1:]]) + "\n")
    with pytest.raises(RunFailed, match="funding payments"):
        forward.resume_forward(tmp_path, row.session_id)
