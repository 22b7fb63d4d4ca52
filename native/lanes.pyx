"""The kernel's lanes as a table: built from specs, read as numpy records, hashed."""

import hashlib
import math

import numpy as np

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free
from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.stdio cimport sprintf
from libc.string cimport strlen

from native.account cimport open_result
from native.extras cimport cap_units, fill_rules
from native.indicators cimport atr_init, ema_init, il_sma_init, rsi_init
from native.replay cimport SPARE
from native.rooms cimport drop_room, more_room
from native.state cimport *
from native.strategy cimport Bar

from native.codes import CONTROLLED_GATES
from native.forged import Forged
from native.extras import check_config
from native.intents import LanePosition
from native.matching import lot_units
from native.strategy import Strategy

cdef extern from "Python.h":
    # As `%.6f` writes it, whatever the locale; to be freed with PyMem_Free.
    char* PyOS_double_to_string(double value, char code, int precision, int flags, int* kind) except NULL

cdef enum:
    BLOCK = 64              # bytes that a lane has in the shared state (`safety.state_page`)
    INTERLOCK_AT = 8
    _TRADE_TEXT = 1024      # bytes that one trade's line may take: a double has at most 309 digits before its point

BUILTINS = {
    "ema_cross": {"fast": 12.0, "slow": 26.0, "bracket": 0.0, "stop_atr": 2.0, "target_atr": 3.0, "trail_atr": 2.0},
    "rsi_ma_cross": {"rsi_period": 14.0, "ma_fast": 20.0, "ma_slow": 100.0, "rsi_buy_max": 70.0, "rsi_sell_min": 30.0},
    "buy_and_hold": {},
}
_KINDS = {"ema_cross": KIND_EMA_CROSS, "rsi_ma_cross": KIND_RSI_MA_CROSS, "buy_and_hold": KIND_BUY_AND_HOLD}
_MAX_PERIOD = 100_000

TRADE_DTYPE = np.dtype(
    [("entry_bar", "<i8"), ("exit_bar", "<i8"), ("entry_ts_ns", "<i8"), ("exit_ts_ns", "<i8"), ("units", "<i8"),
     ("entry_fill", "<f8"), ("exit_fill", "<f8"), ("fees", "<f8"), ("pnl", "<f8"), ("lane", "<i4"), ("side", "<i2"),
     ("reason", "<i2"), ("funding", "<f8")]
)
DECISION_DTYPE = np.dtype(
    [("ts_ns", "<i8"), ("step", "<i8"), ("units", "<i8"), ("price", "<f8"), ("lane", "<i4"), ("gates", "<i4"),
     ("action", "<i2"), ("side", "<i2"), ("reason", "<i4")]
)
assert TRADE_DTYPE.itemsize == sizeof(Trade) and DECISION_DTYPE.itemsize == sizeof(Decision)


def builtin_params(name, given):
    """Return a built-in's parameters, defaults filled in; raises ValueError for what makes no sense."""
    if name not in BUILTINS:
        raise ValueError(f"no compiled strategy {name!r}; there are {', '.join(BUILTINS)}")
    unknown = sorted(set(given) - set(BUILTINS[name]))
    if unknown:
        raise ValueError(f"{name} has no parameter {', '.join(unknown)}")
    params = {key: float(value) for key, value in {**BUILTINS[name], **given}.items()}
    for key, value in params.items():
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name}: {key}={value} must be finite and not negative")
    for key in ("fast", "slow", "rsi_period", "ma_fast", "ma_slow"):
        if key in params and not (1 <= params[key] <= _MAX_PERIOD and params[key] == int(params[key])):
            raise ValueError(f"{name}: {key}={params[key]} must be a whole number of 1 to {_MAX_PERIOD} bars")
    for fast, slow in (("fast", "slow"), ("ma_fast", "ma_slow")):
        if fast in params and not params[fast] < params[slow]:
            raise ValueError(f"{name}: {fast}={params[fast]:g} must be below {slow}={params[slow]:g}")
    return params


def strategy_name(strategy):
    """Return what names a lane's strategy in the fingerprint; a forged one is named with its build."""
    if isinstance(strategy, str):
        return strategy
    return strategy.identity if isinstance(strategy, Forged) else type(strategy).__name__


cdef class LaneTable:
    """The state of all lanes; `Kernel` adds the steps."""

    def __cinit__(self, config, lanes, matching="internal", run_id="run"):
        if not lanes:
            raise ValueError("a kernel needs at least one lane")
        if matching not in ("internal", "external"):
            raise ValueError(f"matching must be internal or external, got {matching!r}")
        check_config(config)
        self.config, self.lanes, self.matching, self.run_id = config, tuple(lanes), matching, run_id
        self.count = len(self.lanes)
        self.states = <LaneState*>calloc(self.count, sizeof(LaneState))
        if self.states == NULL:
            raise MemoryError
        self.strategies, self.kept = [None] * self.count, {}
        self.carried = [()] * self.count
        self.heeded, self.page = -1, None
        self.bar = Bar.__new__(Bar)
        for index, spec in enumerate(self.lanes):
            self._prepare(index, spec)

    def __dealloc__(self):
        cdef int64_t i
        if self.states == NULL:
            return
        for i in range(self.count):
            drop_records(self.states + i)
            free(self.states[i].fundings)
            free(self.states[i].sma_fast.ring)
            free(self.states[i].sma_slow.ring)
        free(self.states)

    cdef _prepare(self, int64_t index, spec):
        """Fill one lane's rules and empty indicators from its spec."""
        cdef LaneState* s = self.states + index
        cdef Rules* r = &s.rules
        fill_rules(s, index, self.config, spec, self.matching == "external")
        s.multiplier, s.last_ts, s.open_ts, s.segment_ts = 1.0, -(1 << 62), -(1 << 62), -(1 << 62)
        atr_init(&s.atr, 14)
        if isinstance(spec.strategy, str):
            self._prepare_builtin(s, spec)
            return
        if not isinstance(spec.strategy, (Strategy, Forged)):
            raise TypeError(f"lane {index}: {type(spec.strategy).__name__} is not a Strategy")
        if spec.params:
            raise ValueError(f"lane {index}: give parameters to the strategy instance, not to the lane")
        if any(other is spec.strategy for other in self.strategies):
            raise ValueError(f"lane {index}: one Strategy instance cannot serve two lanes")
        r.kind = KIND_FORGED if isinstance(spec.strategy, Forged) else KIND_PYTHON
        r.warmup_bars = spec.strategy.warmup_bars
        r.max_units = cap_units(spec.strategy.values().get("max_contracts", 0.0), r.lot_units)
        self.strategies[index] = spec.strategy

    cdef _prepare_builtin(self, LaneState* s, spec):
        cdef Rules* r = &s.rules
        p = builtin_params(spec.strategy, spec.params)
        r.kind = _KINDS[spec.strategy]
        if r.kind == KIND_EMA_CROSS:
            ema_init(&s.ema_fast, int(p["fast"]))
            ema_init(&s.ema_slow, int(p["slow"]))
            r.is_bracket = p["bracket"] != 0.0
            r.bracket_stop, r.bracket_target, r.bracket_trail = p["stop_atr"], p["target_atr"], p["trail_atr"]
            r.first_bar = int(p["slow"]) - (0 if r.is_bracket else 1)
        elif r.kind == KIND_RSI_MA_CROSS:
            il_sma_init(&s.sma_fast.window, int(p["ma_fast"]))
            il_sma_init(&s.sma_slow.window, int(p["ma_slow"]))
            s.sma_fast.ring = <double*>calloc(s.sma_fast.window.period, sizeof(double))
            s.sma_slow.ring = <double*>calloc(s.sma_slow.window.period, sizeof(double))
            if s.sma_fast.ring == NULL or s.sma_slow.ring == NULL:
                raise MemoryError
            rsi_init(&s.rsi, int(p["rsi_period"]))
            r.rsi_buy_max, r.rsi_sell_min = p["rsi_buy_max"], p["rsi_sell_min"]
            r.first_bar = max(s.sma_slow.window.period - 1, s.rsi.period)

    cdef LaneState* _lane(self, int64_t lane) except NULL:
        if not 0 <= lane < self.count:
            raise IndexError(f"lane {lane} of {self.count}")
        return self.states + lane

    cdef _make_room(self, LaneState* s, int64_t bars):
        """Make room for `bars` more equity marks, at least doubling, so appends cost O(1)."""
        cdef int64_t wanted = s.equity_count + bars + SPARE
        cdef void* more
        if not s.rules.keeps_equity or wanted <= s.equity_room:
            return
        wanted = max(wanted, 2 * s.equity_room, 1024)
        more = more_room(s.equity, s.equity_count, &s.equity_room, wanted, sizeof(double))
        if more == NULL:
            raise MemoryError
        s.equity = <double*>more

    def set_gate(self, lane, gate, is_blocked):
        """Set or clear a controlled gate for entries (`codes.CONTROLLED_GATES`); exits are never blocked."""
        cdef LaneState* s = self._lane(lane)
        if gate <= 0 or gate & ~int(CONTROLLED_GATES):
            raise ValueError(f"gate {gate} is not one the engine controls")
        s.gates = s.gates | <int64_t>gate if is_blocked else s.gates & ~<int64_t>gate

    def set_size_multiplier(self, lane, double multiplier):
        """Scale the lane's entries by 0..1 (the envelope's last word on size)."""
        if not 0.0 <= multiplier <= 1.0:
            raise ValueError(f"multiplier {multiplier} is outside [0, 1]")
        self._lane(lane).multiplier = multiplier

    def watch_interlock(self, const unsigned char[::1] page):
        """Read each lane's interlock byte before its closes: byte `INTERLOCK_AT` of the lane's `BLOCK` bytes.

        Raises ValueError for a page that has no block for every lane.
        """
        if page.shape[0] < self.count * BLOCK:
            raise ValueError(f"{page.shape[0]} bytes are no shared state of {self.count} lanes")
        self.page = page

    def heed(self, lane):
        """Read the lane's interlock byte for its next close, and gate its entries by it; exits are never blocked.

        Returns the byte: 0 is clear, or no page is watched. `close` does it where nobody did; who keeps a
        record of what the kernel is told does it first, so that both mean the same reading.
        """
        cdef LaneState* s = self._lane(lane)
        cdef int64_t level
        if self.page is None:
            return 0
        level = self.page[<int64_t>lane * BLOCK + INTERLOCK_AT]
        s.gates = s.gates | GATE_INTERLOCK if level else s.gates & ~<int64_t>GATE_INTERLOCK
        self.heeded = lane
        return level

    def bar_count(self, lane):
        """Return how many bars the lane has closed."""
        return self._lane(lane).bars

    def is_warm(self, lane):
        """Tell whether the strategy has the history that it asks for: its next close may enter."""
        cdef LaneState* s = self._lane(lane)
        return s.bars + 1 >= s.rules.warmup_bars and s.bars >= s.rules.first_bar

    def place(self, lane):
        """Return (side, units) of what the lane holds; `position` tells the rest, and costs ten times as much."""
        cdef LaneState* s = self._lane(lane)
        return s.side, s.units

    def position(self, lane):
        """Return what the lane holds, marked at the last close."""
        cdef LaneState* s = self._lane(lane)
        cdef bint has_levels = s.side != 0 and s.is_bracket != 0
        waiting = []
        if s.close_slot.is_active:
            waiting.append((s.close_slot.step, 0))
        if s.open_slot.is_active:
            waiting.append((s.open_slot.step, 1))
        return LanePosition(
            lane=lane, side=s.side, units=s.units, entry_price=s.entry, entry_bar=s.entry_bar if s.side else -1,
            entry_ts_ns=s.entry_ts if s.side else 0, stop_price=s.stop if has_levels else None,
            target_price=s.target if has_levels and isfinite(s.target) else None,
            unrealised_usd=open_result(s, s.last_close),
            outstanding=tuple(f"{self.run_id}:{step}:{lane}:{offset}" for step, offset in waiting),
        )

    def remembered(self, lane):
        """Return what the lane keeps of its past: bars closed, their last time and price, results and fees so far,
        how long it holds and may hold (bars; 0: no limit), the last exit (side 0: none, or it was turned round)."""
        cdef LaneState* s = self._lane(lane)
        return {
            "bars": s.bars, "last_ts_ns": s.last_ts if s.bars else 0, "last_close": s.last_close,
            "realised_usd": s.realised, "fees_usd": s.fees, "funding_usd": s.funding, "entry_fee_usd": s.entry_fee,
            "held_bars": s.bars - s.entry_bar if s.side else 0, "hold_bars": s.hold_bars,
            "trades": s.closed, "wins": s.wins, "exit_side": s.exit_side, "exit_ts_ns": s.exit_ts if s.exit_side else 0,
        }

    def indicators(self, lane):
        """Return the values that the lane's compiled strategy sees, and the ATR(14) of every lane."""
        cdef LaneState* s = self._lane(lane)
        values = {"atr": s.atr.value}
        if s.rules.kind == KIND_EMA_CROSS:
            values.update(ema_fast=s.ema_fast.value, ema_slow=s.ema_slow.value)
        elif s.rules.kind == KIND_RSI_MA_CROSS:
            values.update(ma_fast=s.sma_fast.window.value, ma_slow=s.sma_slow.window.value, rsi=s.rsi.value)
        return values

    def trades(self, lane=None):
        """Return closed trades (`TRADE_DTYPE`) of one lane, or of all in lane order."""
        wanted = range(self.count) if lane is None else [lane]
        data = b"".join([record_bytes(self._lane(i).trades, self._lane(i).trade_count, sizeof(Trade)) for i in wanted])
        return np.frombuffer(data, TRADE_DTYPE).copy()

    def decisions(self, lane=None):
        """Return decision records (`DECISION_DTYPE`) of one lane, or of all in lane order."""
        return np.frombuffer(self._decisionrecord_bytes(lane), DECISION_DTYPE).copy()

    def _decisionrecord_bytes(self, lane):
        wanted = range(self.count) if lane is None else [lane]
        return b"".join(
            [record_bytes(self._lane(i).decisions, self._lane(i).decision_count, sizeof(Decision)) for i in wanted]
        )

    def decisions_since(self, lane, first):
        """Return a lane's decision records from number `first` on; what is new costs no copy of what is old."""
        cdef LaneState* s = self._lane(lane)
        cdef int64_t start = min(max(<int64_t>first, 0), s.decision_count)
        data = record_bytes(s.decisions + start, s.decision_count - start, sizeof(Decision)) if s.decision_count else b""
        return np.frombuffer(data, DECISION_DTYPE).copy()

    def trades_sha256(self):
        """Return the sha256 of the trade list in the oracles' text form (fills as %.6f)."""
        digest = hashlib.sha256()
        cdef int64_t i
        for i in range(self.count):
            _digest_trades(digest, self.states + i)
        return digest.hexdigest()

    def wins(self):
        """Return the closed trades with a net result above zero."""
        cdef int64_t i
        return sum([self.states[i].wins for i in range(self.count)])

    def fees_paid(self):
        """Return all fees so far, in quote currency."""
        cdef int64_t i
        return math.fsum([self.states[i].fees for i in range(self.count)])

    def funding_received(self):
        """Return all funding so far, in quote currency; below zero where it was paid."""
        cdef int64_t i
        return math.fsum([self.states[i].funding for i in range(self.count)])

    def is_liquidated(self, lane=None):
        """Tell whether the exchange has liquidated a lane, or any lane."""
        wanted = range(self.count) if lane is None else [lane]
        return any([self._lane(i).is_liquidated != 0 for i in wanted])

    def equity_curve(self, lane=None):
        """Return equity at each close: cash plus results, of one lane or summed over all lanes.

        Over all lanes bars are paired by index up to the shortest lane. Empty where equity is not kept.
        """
        wanted = range(self.count) if lane is None else [lane]
        curves = [
            np.frombuffer(record_bytes(self._lane(i).equity, self._lane(i).equity_count, sizeof(double))) for i in wanted
        ]
        total = np.full(min(len(curve) for curve in curves), self.config.cash)
        if len(curves) == 1:
            return total + curves[0]
        results = np.zeros(len(total))
        for curve in curves:
            results += curve[: len(total)]
        return total + results

    def final_equity(self):
        """Return cash + the exact (fsum) sum of closed results and open marks, as the oracles define it."""
        cdef int64_t i
        terms = self.trades()["pnl"].tolist()
        for i in range(self.count):
            terms.extend(self.carried[i])
            if self.states[i].side:
                terms.append(open_result(self.states + i, self.states[i].last_close))
        return self.config.cash + math.fsum(terms)

    def decision_hash(self):
        """Return the sha256 over all decision records, lanes in order."""
        return hashlib.sha256(self._decisionrecord_bytes(None)).hexdigest()


cdef _digest_trades(digest, LaneState* s):
    """Add a lane's trades to a digest: entry bar, exit bar, side, units, entry fill, exit fill, a line each."""
    cdef char[_TRADE_TEXT * 64] text
    cdef int64_t i, used = 0
    cdef Trade* t
    cdef char* entry
    cdef char* leave
    for i in range(s.trade_count):
        t = s.trades + i
        entry = PyOS_double_to_string(t.entry_fill, b'f', 6, 0, NULL)
        leave = PyOS_double_to_string(t.exit_fill, b'f', 6, 0, NULL)
        assert strlen(entry) + strlen(leave) < _TRADE_TEXT - 96, "a fill's text is too long"
        used += sprintf(text + used, "%lld,%lld,%d,%lld,%s,%s\n", <long long>t.entry_bar, <long long>t.exit_bar,
                        <int>t.side, <long long>t.units, entry, leave)
        PyMem_Free(entry)
        PyMem_Free(leave)
        if used > _TRADE_TEXT * 63:
            digest.update(PyBytes_FromStringAndSize(text, used))
            used = 0
    digest.update(PyBytes_FromStringAndSize(text, used))


cdef void drop_records(LaneState* s) noexcept:
    drop_room(s.trades, s.trade_room, sizeof(Trade))
    drop_room(s.decisions, s.decision_room, sizeof(Decision))
    drop_room(s.notes, s.note_room, sizeof(FillNote))
    drop_room(s.equity, s.equity_room, sizeof(double))
