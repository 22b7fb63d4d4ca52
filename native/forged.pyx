"""A forged strategy as the kernel holds it: a loaded library's addresses and the state they work on."""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from native.state cimport KEEP, Wish

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize

_ERRORS = {"ZeroDivisionError": ZeroDivisionError, "ValueError": ValueError, "OverflowError": OverflowError}


cdef class Forged:
    """One instance of a forged strategy: goes where a `Strategy` goes in a `LaneSpec`.

    `addresses`: of `init`, `on_bar` and `signals` (0: none). `values`: every parameter, in the order in
    which the source declares them. `fields`: (name, kind, offset in bytes) of each 8-byte word of the state that has
    a name, kind int, float or bool. `places`: (exception, message) of each place that can fail, numbered from 1.
    `library` is kept alive as long as this object. Raises what `on_start` would raise.
    """

    def __init__(self, *, name, build_sha256, addresses, values, fields, places, has_levels, warmup_bars, library):
        cdef double* numbers
        cdef forged_init init
        cdef int64_t i
        self.name, self.build_sha256, self._library = name, build_sha256, library
        self._values, self._fields, self._places = dict(values), tuple(fields), tuple(places)
        init = <forged_init><uintptr_t>addresses[0]
        self.calls.on_bar = <forged_on_bar><uintptr_t>addresses[1]
        self.calls.signals = <forged_signals><uintptr_t>addresses[2]
        self.calls.has_levels = bool(has_levels)
        if init == NULL or self.calls.on_bar == NULL:
            raise ValueError(f"{name}: the library has no init or no on_bar")
        numbers = <double*>malloc((len(self._values) + 1) * sizeof(double))
        if numbers == NULL:
            raise MemoryError
        try:
            for i, value in enumerate(self._values.values()):
                numbers[i] = value
            self.size = init(NULL, 0, numbers)
            if self.size <= 0:
                self._fail(-self.size)
            self.calls.state = calloc(1, self.size)
            if self.calls.state == NULL:
                raise MemoryError
            assert init(self.calls.state, self.size, numbers) == self.size, "init is not deterministic"
        finally:
            free(numbers)
        self.warmup_bars = int(self.state_values().get("warmup_bars", warmup_bars))

    def __dealloc__(self):
        free(self.calls.state)

    @property
    def identity(self):
        """The strategy's name and build, as it stands in a kernel state's fingerprint."""
        return f"{self.name}@{self.build_sha256}"

    @property
    def answers_ahead(self):
        """Whether many bars are answered in one call (the strategy does not read the position)."""
        return self.calls.signals != NULL

    def values(self):
        """Return each parameter's value as a float."""
        return {name: float(value) for name, value in self._values.items()}

    def state_values(self):
        """Return the strategy's attributes and its indicators' fields (`name.field`) by name."""
        return dict(zip([name for name, _, _ in self._fields], self.state_tuple()))

    def state_tuple(self):
        """Return the values alone, in the same order."""
        cdef const char* start = <const char*>self.calls.state
        cdef int64_t offset
        found = []
        for _, kind, offset in self._fields:
            assert 0 <= offset <= self.size - 8, "a word lies outside the state"
            if kind == "float":
                found.append((<const double*>(start + offset))[0])
            else:
                word = (<const int64_t*>(start + offset))[0]
                found.append(bool(word) if kind == "bool" else word)
        return tuple(found)

    def answer(self, ts_ns, index, double open, double high, double low, double close, double volume, side):
        """Answer one bar outside a kernel: (None,), or the fields of the answer. Raises as `on_bar` would."""
        cdef ForgedBar bar
        cdef Wish wish
        cdef int64_t error
        bar.ts_ns, bar.index, bar.side, bar.volume = ts_ns, index, side, volume
        bar.open, bar.high, bar.low, bar.close = open, high, low, close
        error = self.calls.on_bar(self.calls.state, &bar, &wish)
        if error:
            self._fail(error)
        if wish.side == KEEP:
            return (None,)
        return (wish.side, wish.strength, wish.stop, wish.target, wish.trail, wish.hold_bars, wish.partial,
                wish.partial_target, wish.breakeven, wish.limit)

    def export_state(self):
        """Return everything that `import_state` needs to go on bit for bit."""
        data = PyBytes_FromStringAndSize(<const char*>self.calls.state, self.size)
        return {"build_sha256": self.build_sha256, "state": data.hex()}

    def import_state(self, state):
        """Take over an exported state; raises ValueError when it is of another build."""
        data = bytes.fromhex(state["state"])
        if state["build_sha256"] != self.build_sha256 or len(data) != self.size:
            raise ValueError(f"saved state of build {state['build_sha256'][:12]} does not fit {self.identity[:80]}")
        memcpy(self.calls.state, PyBytes_AsString(data), self.size)

    cdef _fail(self, int64_t error):
        """Raise what the interpreted strategy would have raised, naming the place in the source."""
        if error == BAD_ANSWER:
            raise ValueError(f"{self.name}: a forged answer is outside what the kernel takes")
        if not 0 < error <= len(self._places):
            raise ValueError(f"{self.name}: unknown error {error} from the forged library")
        kind, message = self._places[error - 1]
        raise _ERRORS[kind](message)
