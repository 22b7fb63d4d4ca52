"""What is outside the subset is refused, with its place and what to write instead."""

from __future__ import annotations

import re

import pytest

from engine.lifecycle.forge.scope import Refused
from engine.lifecycle.forge.subset import read_strategy

HEAD = """import math
from interlock import EMA, SMA, Signal, Strategy, param

LIMIT = 3


class Mine(Strategy):
    fast = param(9, 2, 100)
    ratio = param(0.5, 0.0, 1.0)
    CAP = -2

"""
START = """    def on_start(self):
        self.ema = EMA(self.fast)
        self.n = 0
        self.x = 0.0
        self.is_on = False

"""


def strategy(bar: str, start: str = START) -> str:
    """Return a file whose `on_bar` has these lines; its first line is line 17."""
    body = "".join(f"        {line}\n" for line in bar.splitlines())
    return f"{HEAD}{start}    def on_bar(self, bar):\n{body}"


ON_BAR = [
    ("return [1][0]", "Subscript", "window in an indicator"),
    ("return 1.0", "float answer", "-1, 0, 1"),
    ("for i in range(3):\n    pass", "For statement", "instead of looping"),
    ("while True:\n    pass", "While statement", "use if"),
    ("try:\n    pass\nexcept ValueError:\n    pass", "Try statement", "test before"),
    ("raise ValueError", "Raise statement", "return None"),
    ("import os", "Import statement", "top of the file"),
    ("x = bar.close ** 2", r"\*\*", "x \\* x"),
    ("x = self.n & 1", "BitAnd", r"\+ - \* /"),
    ("x = math.exp(1.0)", "math.exp", "library"),
    ("x = math.log", "math.log as a value", "known are"),
    ("x = round(bar.close)", "call of round", "use arithmetic"),
    ("x = len(bar)", "call of len", "use arithmetic"),
    ("x = open('a')", "call of open", "use arithmetic"),
    ("x = bar", "bar itself", "bar.close"),
    ("x = bar.vwap", "has no vwap", "it has ts_ns"),
    ("x = self.nothing", "self.nothing has no value", "on_start"),
    ("self.fresh = 1", "first set in on_bar", "on_start"),
    ("self.n = 0.5", "int here and a float there", r"0\.0"),
    ("self.x = 1", "int here and a float there", r"0\.0"),
    ("self.fast = 3", "is a parameter", "another name"),
    ("self.CAP = 3", "is a parameter, constant", "another name"),
    ("self.ema = 3.0", "indicator", "another name"),
    ("self.x = None", "None or a Signal kept", "a bool beside it"),
    ("x = 1 if self.is_on else 2.0\nreturn 0", "int here and a float there", r"0\.0"),
    ("if self.is_on:\n    y = 1\nreturn y", "y may have no value", "every path"),
    ("return self.n or 1", "or of a number", "compare it"),
    ("x = max(1, bar.close)", "int here and a float there", r"0\.0"),
    ("x = max(self.n)", "max of a collection", "two or more"),
    ("return 1 if bar.close in (1, 2) else 0", "membership", "use < <="),
    ("x = self.ema", "indicator self.ema as a value", r"update\(\.\.\.\) or .value"),
    ("x = self.ema.reset()", "self.ema.reset", "only update"),
    ("x = self.ema.update(1.0, 2.0)", "update with 2", "close"),
    ("x = self.ema.slope", "EMA has no attribute slope", "it has value"),
    ("x = EMA(3).update(bar.close)", "is outside|attribute|call of|inside an expression", ""),
    ("return Signal(0.5)", "float side", "-1, 0 or 1"),
    ("return Signal(1, leverage=3)", "Signal argument leverage", "it has side"),
    ("return Signal(stop=1.0)", "without side", "give -1"),
    ("x = 'text'", "str literal", "numbers and bools"),
    ("x = f'{bar.close}'", "JoinedStr", "text"),
    ("x = lambda: 1", "Lambda", "where it is used"),
    ("x = (y := 1)", "NamedExpr", "line of its own"),
    ("x = 99999999999999999999", "does not fit 64", "float"),
    ("answer = None\nx = answer + 1", "may be None", "bool beside"),
    ("a, b = 1", "unpacking", "a, b = x, y"),
    ("bar = 3", "assignment to bar", "another name"),
    ("del self.n", "Delete", "another value"),
    ("x = __import__('os')", "call of __import__", "use arithmetic"),
    ("x = self.__class__", "self.__class__ has no value", "on_start"),
]


@pytest.mark.parametrize(("lines", "construct", "remedy"), ON_BAR, ids=[case[0][:30] for case in ON_BAR])
def test_a_construct_is_refused_with_place_and_remedy(lines, construct, remedy):
    with pytest.raises(Refused) as caught:
        read_strategy(strategy(lines), "mine.py")
    file, line, column, what = str(caught.value).split(":", 3)
    assert file == "mine.py" and int(line) >= 19 and int(column) >= 9
    what, _, advice = what.strip().partition(": ")
    assert re.search(construct, what) and re.search(remedy, advice), str(caught.value)


FILES = [
    ("class Mine:\n    pass\n", "1:1", "found none"),
    (strategy("return 1").replace("(Strategy)", "(Strategy, object)"), "7:1", "further bases"),
    (HEAD + START, "7:1", "has no on_bar"),
    (strategy("return 1") + "    def helper(self):\n        return 1\n", "20:5", "method helper"),
    (strategy("return 1").replace("import math", "import math\nprint(1)"), "2:1", "module level"),
    (strategy("return 1").replace("LIMIT = 3", "EMA = 3"), "4:1", "bound twice"),
    (strategy("return 1").replace("on_bar(self, bar)", "on_bar(self, bar, x=1)"), "18:5", "signature"),
    (strategy("return 1").replace("param(9, 2", "param(NINE, 2"), "8:12", "default"),
    (strategy("return 1", START.replace("self.n = 0", "if self.fast > 3:\n            self.n = 0")), "12:5",
     "some paths"),
    (strategy("return 1", START.replace("self.n = 0", "return")), "14:9", "return in on_start"),
    (strategy("return 1", START.replace("EMA(self.fast)", "EMA(self.ratio)")), "13:24", "float period"),
    (strategy("return 1", START.replace("EMA(self.fast)", "EMA()")), "13:20", "without period"),
    (strategy("return 1", START.replace("self.n = 0", "self.ema = EMA(3)")), "14:20", "made twice"),
    (strategy("return 1", START.replace("self.n = 0", "self.n = self.x")), "14:18", "no value yet"),
    ("def f(:\n", "1:7", "correct the syntax"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "place", "message"), FILES, ids=[case[2] for case in FILES])
def test_a_file_is_refused_with_its_place(source, place, message):
    with pytest.raises(Refused, match=re.escape(message)) as caught:
        read_strategy(source, "mine.py")
    assert str(caught.value).startswith(f"mine.py:{place}:"), str(caught.value)


def test_a_named_class_is_chosen():
    both = strategy("return 1") + strategy("return -1").partition("LIMIT = 3")[2].replace("Mine", "Other")
    assert read_strategy(both, "mine.py", "Other").name == "Other"
    with pytest.raises(Refused, match="found Mine, Other"):
        read_strategy(both, "mine.py")


def test_the_position_is_known_to_be_read():
    assert read_strategy(strategy("return 0 if bar.side else 1"), "mine.py").reads_side
    assert not read_strategy(strategy("side = 1\nreturn side"), "mine.py").reads_side
