"""The folder of a forward session, `outputs/forward_runs/<id>/`: one generation of files at a time.

`portfolio_state.json` holds everything (the kernel's state too); the tables beside it are made from it. No
file holds the time of writing, so equal sessions have equal bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.lock import AlreadyRunning, EngineLock
from engine.research.artifacts import RUN_ID, Fill, replace_folder, sweep_staging
from engine.research.choice import RunFailed
from engine.research.metrics import drawdown_curve
from engine.research.request import RunRequest
from engine.research.schemas import Scalar, json_bytes
from seams.disk import Disk
from venues.types import Record

SCHEMA_VERSION = "1.0"
MODE = "forward"
STATE, SESSION = "portfolio_state.json", "forward_session.json"
TRADES, EQUITY = "forward_trades.csv", "forward_equity_curve.csv"
EQUITY_COLUMNS = "timestamp,equity_usd,drawdown"


class Forward(Record):
    """forward_session.json: what was started; it never changes. `source_run`: the run it goes on from."""

    schema_version: str = SCHEMA_VERSION
    session_id: str
    created_at: str
    source_run: str
    source_sha256: str
    request: RunRequest


class Holding(Record):
    """What is held: side -1, 0 or 1, quantity in base units, prices and money in quote currency."""

    side: int
    quantity: float
    entry_price: float
    unrealised_usd: float
    stop_price: float | None
    target_price: float | None


class ForwardState(Record):
    """portfolio_state.json. `bars` and `last_bar` say how far it came; hashes are hex sha256: of the bars and
    the payments seen, of the tables beside it, of `kernel_state` (base64 in the file)."""

    schema_version: str = SCHEMA_VERSION
    artifact_type: str = "interlock.forward_state"
    session_id: str
    strategy: str
    params: dict[str, float]
    ticker: str
    interval: str
    interval_ns: int
    data: str
    bars: int
    start: str
    last_bar: str
    last_ns: int
    initial_cash: float
    equity_usd: float
    fees_usd: float
    funding_usd: float | None
    position: Holding
    trades: int
    wins: int
    metrics: dict[str, Scalar]
    null_reasons: dict[str, str]
    decision_sha256: str
    trades_sha256: str
    bars_sha256: str
    funding_sha256: str
    kernel_sha256: str
    files: dict[str, str]
    state_sha256: str
    kernel_state: bytes


class ForwardBook:
    """The forward sessions of a home."""

    def __init__(self, home: Path, disk: Disk) -> None:
        self.root = home / "outputs" / "forward_runs"
        self._disk = disk

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer. Raises `RunFailed` with already_running."""
        lock = EngineLock(self.root / ".lock")
        try:
            lock.acquire()
        except AlreadyRunning as error:
            message = f"process {error.pid} is writing forward sessions; try again when it has ended"
            raise RunFailed("already_running", message) from error
        try:
            sweep_staging(self.root)
            yield
        finally:
            lock.release()

    def write(self, session: Forward, state: ForwardState, tables: dict[str, bytes]) -> Path:
        """Publish a state and its tables, all or nothing; a state that is there already is left as it is."""
        assert {name: hashlib.sha256(data).hexdigest() for name, data in tables.items()} == state.files
        text = json_bytes(state)
        files: dict[str, Fill] = {SESSION: json_bytes(session), STATE: text, **tables}
        name = hashlib.sha256(text).hexdigest()[:12]
        return replace_folder(self.root / session.session_id, name, files)

    def ids(self) -> list[str]:
        """Return the sessions' ids, newest first."""
        names = [name for name in self._disk.list(self.root) if RUN_ID.fullmatch(name)]
        return sorted(names, reverse=True)

    def read(self, session_id: str) -> tuple[Forward, ForwardState]:
        """Return a session and its state. Raises `RunFailed`: unknown_session, or not_reproducible for a
        state that is not what was written."""
        folder = self.root / session_id
        if not RUN_ID.fullmatch(session_id) or not self._disk.exists(folder):
            raise RunFailed("unknown_session", f"no forward session {session_id[:80]!r}")
        try:
            session = msgspec.json.decode(self._disk.read(folder / SESSION), type=Forward)
            state = msgspec.json.decode(self._disk.read(folder / STATE), type=ForwardState)
        except (OSError, msgspec.MsgspecError) as error:
            raise RunFailed("not_reproducible", f"{session_id}: {str(error)[:200]}") from error
        if hashlib.sha256(state.kernel_state).hexdigest() != state.state_sha256:
            raise RunFailed("not_reproducible", f"{session_id}: {STATE} is damaged")
        return session, state

    def curve(self, state: ForwardState) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return open times (ns) and equity per bar, as written. Raises `RunFailed` with not_reproducible."""
        data = self._disk.read(self.root / state.session_id / EQUITY)
        if hashlib.sha256(data).hexdigest() != state.files[EQUITY]:
            raise RunFailed("not_reproducible", f"{state.session_id}: {EQUITY} is not as it was written")
        rows = [line.split(",") for line in data.decode().splitlines()[1:]]
        times = np.array([row[0].removesuffix("Z") for row in rows], dtype="datetime64[ns]")
        return times.astype(np.int64), np.array([float(row[1]) for row in rows])


def equity_csv(ts_ns: NDArray[np.int64], equity: NDArray[np.float64], initial: float) -> bytes:
    """Return forward_equity_curve.csv: open times UTC, equity exact, drawdown a positive fraction."""
    times = np.datetime_as_string(ts_ns.astype("datetime64[ns]"), unit="ms").tolist()
    falls = drawdown_curve(equity, initial).tolist()
    rows = zip(times, equity.tolist(), falls, strict=True)
    return "\n".join(
        [EQUITY_COLUMNS, *(f"{at}Z,{value!r},{fall:.9f}" for at, value, fall in rows), ""]
    ).encode()
