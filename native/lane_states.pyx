"""Lanes whose state can be kept and restored bit for bit, as a whole or as another run's start."""

import hashlib
import json
import math

from cpython.bytes cimport PyBytes_AsString
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from native.indicators cimport SmaState
from native.lanes cimport LaneTable, drop_records, record_bytes
from native.rooms cimport room_for
from native.state cimport *

from native.lanes import strategy_name

_MAGIC = b"ILK1"
_START_MAGIC = b"ILS1"


cdef class StoredLanes(LaneTable):
    """A table that can be exported and restored; `Kernel` adds the steps."""

    def state_hash(self):
        """Return the sha256 over the whole exported state."""
        return hashlib.sha256(self.export_state()).hexdigest()

    def _fingerprint(self, is_start=False):
        """Return what must be equal for a state to fit: configuration, lanes, layout; but to start from it
        alone also matching and run."""
        lanes = [
            (spec.symbol, strategy_name(spec.strategy),
             sorted(spec.params.items()) if isinstance(spec.strategy, str) else sorted(spec.strategy.values().items()),
             spec.lot, spec.tick)
            for spec in self.lanes
        ]
        bound = () if is_start else (self.matching, self.run_id)
        text = repr((self.config, lanes, *bound, sizeof(LaneState)))
        return hashlib.sha256(text.encode()).hexdigest()

    def export_state(self):
        """Return everything needed to go on bit for bit, as bytes with their own checksum."""
        return self._exported(_MAGIC, False)

    def export_start(self):
        """Return what a later run or session starts from: the state without records, bound to no run.

        Raises TypeError for lanes that share an account.
        """
        if any([self.states[i].is_collecting != 0 for i in range(self.count)]):
            raise TypeError("lanes that share an account have no state of their own")
        return self._exported(_START_MAGIC, True)

    def start_hash(self):
        """Return the sha256 over the exported start."""
        return hashlib.sha256(self.export_start()).hexdigest()

    def _exported(self, magic, is_start):
        parts = []
        heads = [self._export_lane(index, parts, is_start) for index in range(self.count)]
        body = b"".join(parts)
        head = json.dumps({"fingerprint": self._fingerprint(is_start), "lanes": heads}, sort_keys=True).encode()
        text = len(head).to_bytes(8, "little") + head + body
        return magic + hashlib.sha256(text).digest() + text

    cdef _export_lane(self, int64_t index, list parts, bint is_start):
        cdef LaneState* s = self.states + index
        cdef LaneState bare = s[0]
        carried = self.carried[index]
        bare.trades, bare.decisions, bare.notes, bare.equity = NULL, NULL, NULL, NULL
        bare.sma_fast.ring = bare.sma_slow.ring = NULL
        bare.fundings, bare.account, bare.funding_count = NULL, NULL, 0
        memset(&bare.subs, 0, sizeof(SubBars) - sizeof(int64_t))
        bare.trade_room = bare.decision_room = bare.note_room = bare.equity_room = bare.note_count = 0
        if is_start:
            # Rules follow from configuration and matching; what is beside the bars is another run's own.
            memset(&bare.rules, 0, sizeof(Rules))
            bare.trade_count = bare.decision_count = bare.equity_count = 0
            bare.funding_next = bare.subs.next = bare.is_noting = 0
            bare.gates &= ~<int64_t>GATE_INTERLOCK     # another run has an interlock of its own, or none
            carried = _exact_parts([*carried, *self.trades(index)["pnl"].tolist()])
        fields = [
            record_bytes(&bare, 1, sizeof(LaneState)),
            record_bytes(s.trades, bare.trade_count, sizeof(Trade)),
            record_bytes(s.decisions, bare.decision_count, sizeof(Decision)),
            record_bytes(s.equity, bare.equity_count, sizeof(double)),
            record_bytes(s.sma_fast.ring, s.sma_fast.window.period, sizeof(double)),
            record_bytes(s.sma_slow.ring, s.sma_slow.window.period, sizeof(double)),
        ]
        parts.extend(fields)
        strategy = self.strategies[index]
        kept = None if strategy is None else strategy.export_state()
        return {"sizes": [len(f) for f in fields], "strategy": kept, "carried": list(carried)}

    def import_state(self, state):
        """Take over an exported state. Raises ValueError when it is damaged or of another configuration."""
        self._imported(state, _MAGIC, False)

    def import_start(self, state):
        """Start from another run's exported start, in place of a fresh one.

        Raises ValueError where it is damaged, of another configuration or build, or this kernel has begun;
        then nothing has changed.
        """
        cdef int64_t i
        for i in range(self.count):
            if self.states[i].bars or self.states[i].is_collecting:
                raise ValueError("a kernel that has begun starts from nothing else")
        before = self.export_start()
        try:
            self._imported(state, _START_MAGIC, True)
        except Exception as error:
            self._imported(before, _START_MAGIC, True)
            if isinstance(error, (KeyError, TypeError, AttributeError)):
                raise ValueError(f"kernel state is damaged: {type(error).__name__}") from error
            raise

    def _imported(self, state, magic, is_start):
        text = state[36:]
        if state[:4] != magic or hashlib.sha256(text).digest() != state[4:36]:
            raise ValueError("kernel state is damaged")
        size = int.from_bytes(text[:8], "little")
        head = json.loads(text[8 : 8 + size])
        if head["fingerprint"] != self._fingerprint(is_start):
            raise ValueError("kernel state is of another configuration, run or build")
        self._demand_fitting(head["lanes"], text, 8 + size)
        self._import_lanes(head["lanes"], text, 8 + size)

    cdef _demand_fitting(self, list heads, bytes text, int64_t offset):
        """Refuse sizes and places that would be read or written outside this kernel's memory."""
        cdef LaneState* s
        cdef const LaneState* got
        cdef int64_t index
        if len(heads) != self.count:
            raise ValueError(f"kernel state has {len(heads)} lanes, this kernel {self.count}")
        for index in range(self.count):
            sizes = heads[index]["sizes"]
            s = self.states + index
            rings = [s.sma_fast.window.period * sizeof(double), s.sma_slow.window.period * sizeof(double)]
            whole = [isinstance(size, int) and size >= 0 for size in sizes]
            if len(sizes) != 6 or not all(whole) or sizes[0] != sizeof(LaneState) or sizes[4:] != rings:
                raise ValueError(f"kernel state of lane {index} has another layout")
            if offset + sum(sizes) > len(text):
                raise ValueError("kernel state is cut short")
            got = <const LaneState*>(PyBytes_AsString(text) + offset)
            counts = [got.trade_count * sizeof(Trade), got.decision_count * sizeof(Decision),
                      got.equity_count * sizeof(double)]
            if sizes[1:4] != counts or not _is_inside(&got.sma_fast, &s.sma_fast) or not _is_inside(
                &got.sma_slow, &s.sma_slow
            ):
                raise ValueError(f"kernel state of lane {index} has another layout")
            offset += sum(sizes)

    cdef _import_lanes(self, list heads, bytes text, int64_t offset):
        for index, lane in enumerate(heads):
            self._import_lane(index, lane, text, offset)
            offset += sum(lane["sizes"])
            self.carried[index] = tuple([float(part) for part in lane["carried"]])

    cdef _import_lane(self, int64_t index, dict head, bytes body, int64_t offset):
        cdef LaneState* s = self.states + index
        cdef LaneState old = s[0]
        cdef const char* source = PyBytes_AsString(body) + offset
        cdef int64_t[6] size
        cdef int64_t i
        for i in range(6):
            size[i] = head["sizes"][i]
        memcpy(s, source, sizeof(LaneState))
        s.rules = old.rules
        old.subs.next = s.subs.next
        s.subs = old.subs
        source += size[0]
        s.trades, s.decisions, s.notes, s.equity = NULL, NULL, NULL, NULL
        s.sma_fast.ring, s.sma_slow.ring = old.sma_fast.ring, old.sma_slow.ring
        s.fundings, s.funding_count, s.account = old.fundings, old.funding_count, old.account
        drop_records(&old)
        s.trades = <Trade*>_copied(source, s.trade_count, &s.trade_room, sizeof(Trade))
        source += size[1]
        s.decisions = <Decision*>_copied(source, s.decision_count, &s.decision_room, sizeof(Decision))
        source += size[2]
        s.equity = <double*>_copied(source, s.equity_count, &s.equity_room, sizeof(double))
        source += size[3]
        memcpy(s.sma_fast.ring, source, size[4])
        memcpy(s.sma_slow.ring, source + size[4], size[5])
        if self.strategies[index] is not None:
            self.strategies[index].import_state(head["strategy"])


cdef bint _is_inside(const SmaState* got, const SmaState* own) noexcept:
    return got.window.period == own.window.period and (
        0 <= got.window.position < own.window.period or got.window.position == own.window.period == 0
    )


def _exact_parts(terms):
    """Return few doubles whose exact sum is that of `terms`, the largest first (fsum leaves no remainder)."""
    parts = []
    while True:
        part = math.fsum([*terms, *[-each for each in parts]])
        if part == 0.0:
            return tuple(parts)
        parts.append(part)


cdef void* _copied(const char* source, int64_t count, int64_t* room, size_t item) except? NULL:
    """Copy a record buffer; an empty one is NULL."""
    cdef void* copy
    if count == 0:
        return NULL
    copy = room_for(room, count, item)
    if copy == NULL:
        raise MemoryError
    memcpy(copy, source, <size_t>count * item)
    return copy
