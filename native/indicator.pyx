"""The base of the indicators for strategy authors: what all of them answer, keep and restore."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

MAX_PERIOD = 100_000
_SETTINGS = ("period", "warmup", "a", "b", "ddof", "deviations", "session_ns", "bars_per_year", "fraction")


cdef int64_t whole(str name, value, int64_t low=1) except? -1:
    """Return a whole number of at least `low`; raises ValueError for any other."""
    if not low <= value <= MAX_PERIOD or value != int(value):
        raise ValueError(f"{name} must be a whole number between {low} and {MAX_PERIOD}, got {value}")
    return int(value)


cdef class Indicator:
    """Base: `value`, `count` bars taken, `warmup_bars` until `is_ready`.

    Before that `value` is the class's stated neutral or its formula over fewer bars; it is never NaN.
    """

    def __dealloc__(self):
        free(self.ring)

    cdef int _expose(self, const double* value, const int64_t* count, const int64_t* warmup, int64_t room) except -1:
        """Point at the state's common fields and make room; the ring is cleared, so equal states are equal bytes."""
        self.value_at, self.count_at, self.warmup_at, self.room = value, count, warmup, room
        if room:
            self.ring = <double*>calloc(room, sizeof(double))
            if self.ring == NULL:
                raise MemoryError
        return 0

    @property
    def value(self):
        return self.value_at[0]

    @property
    def count(self):
        return self.count_at[0]

    @property
    def warmup_bars(self):
        return self.warmup_at[0]

    @property
    def is_ready(self):
        return self.count_at[0] >= self.warmup_at[0]

    def export_state(self):
        """Return the numbers that `import_state` needs to go on bit for bit."""
        return {"state": self._dump(), "ring": [self.ring[i] for i in range(self.room)]}

    def import_state(self, state):
        """Take over an exported state; raises ValueError when it is damaged or of other arguments."""
        cdef int64_t i
        ring = [float(x) for x in state["ring"]]
        if len(ring) != self.room or not all(abs(x) < 1e300 for x in ring):
            raise ValueError(f"damaged {type(self).__name__} state: ring")
        _agree(state["state"], self._dump(), type(self).__name__)
        self._check_ring(state["state"], ring)
        self._load(state["state"])
        for i in range(self.room):
            self.ring[i] = ring[i]

    def _check_ring(self, state, ring):
        pass


def _agree(saved, present, name):
    """Raise ValueError unless `saved` has the fields and arguments of `present` and sane positions."""
    if set(saved) != set(present):
        raise ValueError(f"damaged {name} state: it has {sorted(saved)}, not {sorted(present)}")
    for key, value in saved.items():
        if isinstance(present[key], dict):
            _agree(value, present[key], name)
        elif key in _SETTINGS and value != present[key]:
            raise ValueError(f"state is of a {name} with {key} {value}, this one has {present[key]}")
        elif not abs(value) < 1e300:
            raise ValueError(f"damaged {name} state: {key} is {value}")
    if "position" in saved and (saved["count"] < 0 or saved["position"] != saved["count"] % saved["period"]):
        raise ValueError(f"damaged {name} state: position {saved['position']} at count {saved['count']}")
