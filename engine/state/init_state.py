"""The init-state file, version 2: an account and its strategies at the end of a bar, for people and a kernel.

`kernel_state` is what decides; everything else says the same in words and is compared with it when the file
is read, so that nobody starts from a balance or a position that the kernel does not have.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from engine.api.switches import Value
from engine.research.choice import RunFailed
from engine.research.schemas import json_bytes
from native.intents import KernelConfig
from native.kernel import Kernel
from seams.clock import NS_PER_MS
from venues.types import Record

VERSION = 2
ARTIFACT_TYPE = "interlock.init_state"
SIDES = {1: "long", -1: "short"}
MAX_BYTES = 64 * 2**20
"""A state has no records in it: windows and a strategy's own lists are all that makes it large."""


class StateSource(Record):
    """What was exported: kind run or session, its id, and the hash of its decisions up to there."""

    kind: str
    id: str
    decision_sha256: str


class LaneStart(Record):
    """One strategy on one symbol, as it was chosen; `build_sha256` of a forged one, else empty."""

    symbol: str
    strategy: str
    file: str
    source_sha256: str
    build_sha256: str
    params: dict[str, float]
    lot: float
    tick: float
    last_bar_ms: int


class OpenPosition(Record):
    """What a lane holds: quantity in base units, prices and money in quote currency; None: no such level."""

    symbol: str
    side: str
    quantity: float
    avg_entry_price: float
    mark_price: float
    notional_usd: float
    unrealised_usd: float
    entry_fee_usd: float
    opened_at_ms: int
    updated_at_ms: int
    stop_price: float | None
    target_price: float | None


class LastClose(Record):
    """The last exit that was no turn, from which a cooldown counts."""

    timestamp_ms: int
    side: str


class Runtime(Record):
    """What orders leave behind, by symbol: decided and not yet filled, or done."""

    entry_attempt_ms_by_symbol: dict[str, int]
    exit_attempt_ms_by_symbol: dict[str, int]
    last_close_info_by_symbol: dict[str, LastClose]


class Account(Record):
    """The account in words: `balance` is cash after fees and results, `equity` with positions at marks."""

    balance: float
    equity: float
    positions: tuple[OpenPosition, ...]
    runtime: Runtime


class InitState(Record):
    """The file. `config` is the kernel's configuration as plain fields, `switches` a run's own words for it.

    `kernel_state`: base64 in the file; `state_sha256` is its sha256 (hex), the identity of the state.
    """

    artifact_type: str = ARTIFACT_TYPE
    version: int = VERSION
    source: StateSource
    exported_at_ms: int
    kernel_sha256: str
    interval_ns: int
    balance: float
    equity: float
    positions: tuple[OpenPosition, ...]
    runtime: Runtime
    lanes: tuple[LaneStart, ...]
    config: dict[str, Any]
    switches: dict[str, Value] = {}
    state_sha256: str
    kernel_state: bytes

    @property
    def account(self) -> Account:
        return Account(
            balance=self.balance, equity=self.equity, positions=self.positions, runtime=self.runtime
        )

    @property
    def kernel_config(self) -> KernelConfig:
        """The kernel's configuration. Raises `RunFailed` with state_damaged."""
        try:
            return msgspec.convert(self.config, KernelConfig)
        except msgspec.ValidationError as error:
            raise RunFailed("state_damaged", f"its configuration does not read: {error}") from error


class _Versioned(msgspec.Struct):
    version: int
    artifact_type: str = ""


def read_state(data: bytes) -> InitState:
    """Read a state strictly. Raises `RunFailed`: state_version_unknown, or state_damaged."""
    if len(data) > MAX_BYTES:
        raise RunFailed("state_damaged", f"{len(data):,} bytes; a state has at most {MAX_BYTES:,}")
    try:
        head = msgspec.json.decode(data, type=_Versioned)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RunFailed("state_damaged", f"this is no init-state file: {str(error)[:200]}") from error
    if head.version != VERSION or head.artifact_type != ARTIFACT_TYPE:
        what = f"{head.artifact_type[:40] or 'a file'}, version {head.version}"
        raise RunFailed(
            "state_version_unknown", f"{what}; this build reads {ARTIFACT_TYPE}, version {VERSION}"
        )
    try:
        state = msgspec.json.decode(data, type=InitState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RunFailed("state_damaged", str(error)[:200]) from error
    if hashlib.sha256(state.kernel_state).hexdigest() != state.state_sha256:
        raise RunFailed("state_damaged", "the kernel's state is not the one that its sha256 names")
    if not state.lanes or state.interval_ns <= 0:
        raise RunFailed("state_damaged", "it has no lane, or bars without a length")
    return state


def state_bytes(state: InitState) -> bytes:
    """Write a state as its file."""
    return json_bytes(state)


def account_of(kernel: Kernel) -> Account:
    """Say in words what a kernel's lanes hold and remember; symbols trade one lane each."""
    positions: list[OpenPosition] = []
    entries, exits, closes = {}, {}, {}
    equity = kernel.config.cash
    held = 0.0
    for lane, spec in enumerate(kernel.lanes):
        past, now = kernel.remembered(lane), kernel.position(lane)
        equity += past["realised_usd"] + now.unrealised_usd
        if past["exit_side"]:
            closes[spec.symbol] = LastClose(
                timestamp_ms=past["exit_ts_ns"] // NS_PER_MS, side=SIDES[past["exit_side"]]
            )
            exits[spec.symbol] = past["exit_ts_ns"] // NS_PER_MS
        if now.side:
            entries[spec.symbol] = now.entry_ts_ns // NS_PER_MS
            quantity = now.units * 1e-6
            held += now.side * quantity * (past["last_close"] - now.entry_price)
            positions.append(
                OpenPosition(
                    symbol=spec.symbol,
                    side=SIDES[now.side],
                    quantity=quantity,
                    avg_entry_price=now.entry_price,
                    mark_price=past["last_close"],
                    notional_usd=quantity * past["last_close"],
                    unrealised_usd=now.unrealised_usd,
                    entry_fee_usd=past["entry_fee_usd"],
                    opened_at_ms=now.entry_ts_ns // NS_PER_MS,
                    updated_at_ms=past["last_ts_ns"] // NS_PER_MS,
                    stop_price=now.stop_price,
                    target_price=now.target_price,
                )
            )
        for wish in kernel.outstanding(lane):
            tried = exits if wish.reduce_only else entries
            tried[spec.symbol] = wish.decided_ts_ns // NS_PER_MS
    return Account(
        balance=equity - held,
        equity=equity,
        positions=tuple(positions),
        runtime=Runtime(
            entry_attempt_ms_by_symbol=entries,
            exit_attempt_ms_by_symbol=exits,
            last_close_info_by_symbol=closes,
        ),
    )
