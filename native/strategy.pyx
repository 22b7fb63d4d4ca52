"""What a strategy author subclasses and sees: Strategy, param, Bar, Signal."""

from typing import NamedTuple, Optional

from libc.math cimport INFINITY

from native.state cimport Wish

from native.indicators import Indicator


class Signal(NamedTuple):
    """A wish: `side` -1/0/+1, `strength` 0..1 (what ranks entries); levels as positive distances from the close.

    Levels are executed by the kernel; any of them brings a stop with it, at the default distance if none is
    named. `trail` follows the best price; `partial` (a share below 1) leaves at `partial_target` (by default
    at `target`) and moves the stop to the entry; `breakeven` moves it there after that much profit;
    `hold_bars` orders the position closed at the close of its so-manieth bar. `limit`: the entry rests that far
    from the close, where the run's exchange rules have limit entries on.
    """

    side: int
    strength: float = 1.0
    stop: Optional[float] = None
    target: Optional[float] = None
    trail: Optional[float] = None
    hold_bars: Optional[int] = None
    partial: Optional[float] = None
    partial_target: Optional[float] = None
    breakeven: Optional[float] = None
    limit: Optional[float] = None


cdef double _distance(object value) except -1.0:
    """A level's distance; 0.0 where it is not named."""
    cdef double distance = 0.0 if value is None else value
    if not 0.0 <= distance < INFINITY:
        raise ValueError(f"a distance must be finite and not negative, got {value!r}")
    return distance


cdef int read_wish(Wish* wish, object signal) except -1:
    """Read a Signal. Raises ValueError for what makes no sense, naming it."""
    if not isinstance(signal, Signal):
        raise ValueError(f"on_bar must return None, -1, 0, +1 or a Signal, got {signal!r}")
    side, strength, stop, target, trail, hold_bars, partial, partial_target, breakeven, limit = signal
    wish.side, wish.strength, wish.limit = side, strength, -1.0 if limit is None else _distance(limit)
    wish.stop, wish.target, wish.trail = _distance(stop), _distance(target), _distance(trail)
    wish.hold_bars = 0 if hold_bars is None else hold_bars
    wish.partial = 0.0 if partial is None else partial
    wish.partial_target, wish.breakeven = _distance(partial_target), _distance(breakeven)
    if wish.partial and wish.partial_target == 0.0:
        # The part leaves at the full target; what stays has none.
        wish.partial_target, wish.target = wish.target, 0.0
    if not (0.0 <= wish.strength <= 1.0 and 0.0 <= wish.partial < 1.0 and wish.hold_bars >= 0):
        raise ValueError(f"strength is 0 to 1, partial 0 to below 1, hold_bars not negative: got {signal!r}")
    if wish.partial and not wish.partial_target:
        raise ValueError(f"a partial exit needs a partial_target or a target: got {signal!r}")
    return 0


cdef class Bar:
    """One closed candle; `ts_ns` is its open time, `index` counts from 0, `side` is what the lane holds.

    The kernel hands the same object to every call: read it inside `on_bar`, do not keep it.
    """

    def __repr__(self):
        return (f"Bar(index={self.index}, ts_ns={self.ts_ns}, open={self.open}, high={self.high}, "
                f"low={self.low}, close={self.close}, volume={self.volume}, side={self.side})")


class StrategyFailed(RuntimeError):
    """A strategy's own code failed or answered nonsense; the message begins with its file and line."""

    code = "strategy_failed"


def strategy_failed(on_bar, error):
    """Return the `StrategyFailed` that says where in the author's file an error came about."""
    code = getattr(on_bar, "__code__", None)
    if code is None:
        return StrategyFailed(f"{on_bar!r}: {type(error).__name__}: {error}")
    line, trace = code.co_firstlineno, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return StrategyFailed(f"{code.co_filename}:{line}: {type(error).__name__}: {error}")


class Param:
    """A typed, bounded number of a strategy; an int default makes it a whole number.

    `choices` names the whole numbers from `low` on; such a parameter takes a name as well, and no other.
    """

    def __init__(self, default, low, high, doc="", choices=()):
        if not low <= default <= high:
            raise ValueError(f"default {default} is outside [{low}, {high}]")
        if choices and high - low + 1 != len(choices):
            raise ValueError(f"{len(choices)} choices do not name the numbers {low} to {high}")
        self.default, self.low, self.high, self.doc, self.name = default, low, high, doc, ""
        self.choices = tuple(choices)

    def __set_name__(self, owner, name):
        self.name = name

    # No __set__: an instance's own value is then an ordinary attribute, which costs a tenth to read.
    def __get__(self, instance, owner):
        return self if instance is None else self.default

    def checked(self, value):
        """Return a value as the strategy will hold it. Raises ValueError for one out of bounds or unknown."""
        if isinstance(value, str):
            if value not in self.choices:
                known = ", ".join(self.choices) or "it takes numbers only"
                raise ValueError(f"{self.name}={value!r} is unknown: {known}")
            value = self.low + self.choices.index(value)
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name}={value} is outside [{self.low}, {self.high}]")
        if not isinstance(self.default, int):
            return float(value)
        if value != int(value):
            raise ValueError(f"{self.name}={value} must be a whole number")
        return int(value)


def param(default, low, high, doc="", choices=()):
    """Declare a parameter in a strategy's class body: `fast = param(9, low=2, high=400)`."""
    return Param(default, low, high, doc, choices)


class Strategy:
    """Subclass this; set up indicators in `on_start`, answer in `on_bar`. Parameters are given once, here.

    `warmup_bars`: entries wait until that many bars have closed. State kept on `self` in numbers,
    strings, indicators, and lists or dicts of those survives a restart.
    """

    params = {}
    warmup_bars = 0

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        own = {key: value for key, value in vars(cls).items() if isinstance(value, Param)}
        cls.params = {**cls.params, **own}

    def __init__(self, **values):
        unknown = sorted(set(values) - set(self.params))
        if unknown:
            raise ValueError(f"{type(self).__name__} has no parameter {', '.join(unknown)}")
        for name, its in self.params.items():
            self.__dict__[name] = its.checked(values.get(name, its.default))
        self.on_start()

    def on_start(self):
        """Make indicators and counters; parameters are set already."""

    def on_bar(self, bar):
        """Return -1, 0, +1 or a Signal for what is wanted; None keeps what is held."""
        raise NotImplementedError(f"{type(self).__name__}.on_bar")

    def values(self):
        """Return each parameter's value as a float."""
        return {name: float(getattr(self, name)) for name in self.params}

    def export_state(self):
        """Return the instance's attributes as plain data; raises TypeError for what cannot be kept."""
        return {name: _plain(value, name) for name, value in vars(self).items()}

    def import_state(self, state):
        """Put exported attributes back; `on_start` has already made the indicators."""
        for name, value in state.items():
            self.__dict__[name] = _restored(value, self.__dict__.get(name))


def _plain(value, name):
    if isinstance(value, Indicator):
        return {"indicator": type(value).__name__, "state": value.export_state()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"items": {key: _plain(item, name) for key, item in value.items()}}
    raise TypeError(f"attribute {name} of type {type(value).__name__} cannot be kept over a restart")


def _restored(value, present):
    if isinstance(value, dict) and "indicator" in value:
        if type(present).__name__ != value["indicator"]:
            raise ValueError(f"saved {value['indicator']} does not fit {type(present).__name__}")
        present.import_state(value["state"])
        return present
    if isinstance(value, dict):
        olds = present if isinstance(present, dict) else {}
        return {key: _restored(item, olds.get(key)) for key, item in value["items"].items()}
    if isinstance(value, list):
        olds = list(present) if isinstance(present, (list, tuple)) else []
        olds += [None] * (len(value) - len(olds))
        items = [_restored(item, old) for item, old in zip(value, olds)]
        return tuple(items) if isinstance(present, tuple) else items
    return value
