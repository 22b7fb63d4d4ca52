"""Everything that reached a session's kernel, in order: what its replay needs, and nothing else does.

    h5py.File("artifacts/journal.h5")["decisions"][:]         # what the session decided

Datasets: `inputs` (`INPUT_DTYPE`), `decisions`, `trades`; attributes: `session_id`, `kernel_sha256`,
`inputs_sha256`, and `facts`, a JSON text of `SessionFacts`.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.trading.shadow import Shadow
from native.intents import KernelConfig, OrderIntent
from native.kernel import Kernel
from venues.types import Record

JOURNAL = "journal.h5"
SCHEMA_VERSION = "1.0"
MAX_INPUTS = 20_000_000
"""About half a year of four symbols at a bar a second; a session beyond it keeps no more."""
INPUT_DTYPE = np.dtype(
    [("ts_ns", "<i8"), ("step", "<i8"), ("units", "<i8"), ("open", "<f8"), ("high", "<f8"), ("low", "<f8"),
     ("close", "<f8"), ("volume", "<f8"), ("fee", "<f8"), ("lane", "<i4"), ("kind", "<i2"), ("offset", "<i2"),
     ("side", "<i2"), ("is_refused", "<i2")]
)  # fmt: skip

_ROW = struct.Struct("<qqqddddddihhhh")
"""A row as the bytes of `INPUT_DTYPE`: numpy's way to them costs a tenth of a decision."""
assert _ROW.size == INPUT_DTYPE.itemsize


class Kind(IntEnum):
    """What a row is: a bar before the start, a closed bar, a fill (price in `close`), the end of an order,
    another interlock level (in `units`), which holds from the next closed bar of its lane on."""

    WARM = 1
    CLOSE = 2
    FILL = 3
    REJECT = 4
    INTERLOCK = 5


_CLOSE = int(Kind.CLOSE)
"""A member of an enumeration is packed more slowly than a number, and this is on each decision's way."""


class LaneFacts(Record):
    """A lane of the session's kernel: its strategy as chosen, all its parameters, and the source's hash."""

    symbol: str
    strategy: str
    file: str
    source_sha256: str
    params: dict[str, float]
    lot: float
    tick: float


class SessionFacts(Record):
    """What the session's kernel was built from; `config` is the kernel's configuration as plain fields.

    `init_state_sha256`: the state that it started from, artifacts/init_state.json; empty for a fresh one.
    """

    session_id: str
    feed: str
    kernel_sha256: str
    config: dict[str, Any]
    lanes: tuple[LaneFacts, ...]
    init_state_sha256: str = ""


class SessionJournal(Record):
    """A journal read back; `is_complete` is False where the session outgrew it."""

    facts: SessionFacts
    inputs_sha256: str
    is_complete: bool
    inputs: NDArray[Any]
    decisions: NDArray[Any]
    trades: NDArray[Any]


class JournalledKernel(Kernel):
    """A kernel with external matching that keeps what reaches it, what it refused included."""

    def __init__(self, config: KernelConfig, lanes: Sequence[Any], **words: Any) -> None:
        # The compiled base is built by __cinit__, which has had the arguments by now; it has no __init__.
        self.facts: SessionFacts | None = None
        self._rows, self._count, self._is_complete = np.zeros(1024, INPUT_DTYPE), 0, True
        self._bytes = self._rows.view(np.uint8).data
        self._heeded: dict[int, int] = {}
        self.shadow: Shadow | None = None
        """Told of every input once the kernel has taken it; it only queues what it is told."""

    @property
    def inputs(self) -> NDArray[Any]:
        return self._rows[: self._count]

    def warm(self, lane: int, *columns: NDArray[Any]) -> int:
        """See `Kernel.warm`."""
        names = ("ts_ns", "open", "high", "low", "close", "volume")
        for row in zip(*(column.tolist() for column in columns), strict=True):
            self._keep(Kind.WARM, lane, **dict(zip(names, row, strict=True)))
        count = super().warm(lane, *columns)
        if self.shadow is not None:
            self.shadow.warmed(lane, columns)
        return count

    def close(
        self,
        lane: int,
        ts_ns: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float = 0.0,
    ) -> list[OrderIntent]:
        """See `Kernel.close`."""
        self._heed(lane)
        row = self._keep(_CLOSE, lane, ts_ns, 0, 0, open, high, low, close, volume)
        try:
            wishes = super().close(lane, ts_ns, open, high, low, close, volume)
        except ValueError:
            self._refused(row)
            if self.shadow is not None:
                self.shadow.refused(lane, (ts_ns, open, high, low, close, volume))
            raise
        if self.shadow is not None:
            self.shadow.closed(lane, (ts_ns, open, high, low, close, volume), wishes, self.place(lane))
        return wishes

    def _heed(self, lane: int) -> None:
        """Read the interlock byte for this close; a level that is new is an input like any other."""
        level = self.heed(lane)
        if level == self._heeded.get(lane, 0):
            return
        self._heeded[lane] = level
        self._keep(Kind.INTERLOCK, lane, units=level)
        if self.shadow is not None:
            self.shadow.held(lane, level != 0)

    def fill(
        self,
        lane: int,
        intent_id: str | int,
        units: int,
        price: float,
        fee: float,
        ts_ns: int,
        side: int | None = None,
    ) -> None:
        """See `Kernel.fill`."""
        step, offset = _place(intent_id)
        row = self._keep(
            Kind.FILL, lane, ts_ns=ts_ns, step=step, offset=offset, units=units, close=price, fee=fee,
            side=side or 0,
        )  # fmt: skip
        try:
            super().fill(lane, intent_id, units, price, fee, ts_ns, side)
        except (ValueError, KeyError):
            self._refused(row)
            raise
        if self.shadow is not None:
            self.shadow.filled(lane, intent_id, units, price, fee, ts_ns, side)

    def reject(self, lane: int, intent_id: str | int, code: str) -> None:
        """See `Kernel.reject`."""
        step, offset = _place(intent_id)
        row = self._keep(Kind.REJECT, lane, step=step, offset=offset)
        try:
            super().reject(lane, intent_id, code)
        except KeyError:
            self._refused(row)
            raise
        if self.shadow is not None:
            self.shadow.ended(lane, intent_id)

    def _keep(
        self,
        kind: int,
        lane: int,
        ts_ns: int = 0,
        step: int = 0,
        units: int = 0,
        open: float = 0.0,
        high: float = 0.0,
        low: float = 0.0,
        close: float = 0.0,
        volume: float = 0.0,
        fee: float = 0.0,
        offset: int = 0,
        side: int = 0,
    ) -> int:
        """Keep one input, all its fields at once: field by field costs more than the kernel's whole close."""
        if self._count >= MAX_INPUTS:
            self._is_complete = False
            return -1
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros(len(self._rows), INPUT_DTYPE)])
            self._bytes = self._rows.view(np.uint8).data
        _ROW.pack_into(
            self._bytes, self._count * _ROW.size, ts_ns, step, units, open, high, low, close, volume, fee,
            lane, kind, offset, side, 0,
        )  # fmt: skip
        self._count += 1
        return self._count - 1

    def _refused(self, row: int) -> None:
        if row >= 0:
            self._rows[row]["is_refused"] = 1

    def journal(self) -> bytes:
        """Return the journal as the bytes of an HDF5 file."""
        import h5py  # here, not above: the engine starts without paying for HDF5

        assert self.facts is not None, "a session's kernel knows what it was built from"
        data = io.BytesIO()
        with h5py.File(data, "w", libver="v110", track_order=True) as file:
            texts = {
                "schema_version": SCHEMA_VERSION,
                "session_id": self.facts.session_id,
                "kernel_sha256": self.facts.kernel_sha256,
                "inputs_sha256": inputs_sha256(self.inputs),
                "facts": msgspec.json.encode(self.facts).decode(),
            }
            for name, text in texts.items():
                file.attrs[name] = np.bytes_(text.encode())
            file.attrs["is_complete"] = self._is_complete
            tables = {"inputs": self.inputs, "decisions": self.decisions(), "trades": self.trades()}
            for name, rows in tables.items():
                # Not lzf: its hash table starts as whatever lies in memory, and equal sessions must leave
                # equal bytes.
                packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
                file.create_dataset(name, data=rows, track_times=False, **(packed if len(rows) else {}))
        return data.getvalue()


def read_journal(data: bytes) -> SessionJournal:
    """Read a session's journal. Raises `JournalDamaged`."""
    import h5py

    from engine.journal import JournalDamaged

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            tables = {name: file[name][:] for name in ("inputs", "decisions", "trades")}
            facts = msgspec.json.decode(bytes(file.attrs["facts"]), type=SessionFacts)
            return SessionJournal(
                facts=facts,
                inputs_sha256=bytes(file.attrs["inputs_sha256"]).decode(),
                is_complete=bool(file.attrs["is_complete"]),
                **tables,
            )
    except (OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise JournalDamaged(f"{JOURNAL}: {type(error).__name__}") from error


def inputs_sha256(inputs: NDArray[Any]) -> str:
    """Return the sha256 (hex) of a session's inputs."""
    return hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest()


def _place(intent_id: str | int) -> tuple[int, int]:
    """Return step and offset of an intent's id, RUN:STEP:LANE:OFFSET.

    The step is -1 where only the offset is named, both are where the kernel never had such an intent.
    """
    if isinstance(intent_id, int):
        return -1, intent_id
    parts = intent_id.rsplit(":", 3)
    if len(parts) != 4 or not (parts[1].isdigit() and parts[3].isdigit()):
        return -1, -1
    return int(parts[1]), int(parts[3])
