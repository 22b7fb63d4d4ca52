"""Text from outside made as hostile as it can be, and every surface on which it may be shown.

The fast test draws two thousand. All: python -m tests.safety.terminal_fuzz --count 100000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.tui import text as shown
from console.tui.widgets.lines import settle
from engine.ops.alarms import AlarmDesk
from engine.ops.events import EventRing
from safety.alarm_codes import ALARMS
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import FixedClock

FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
PIECES = (
    "\x1b]52;c;ZXZpbA==\x07", "\x1b]0;title\x07", "\x1b[2J", "\x1b[31m", "\x1bP+q\x1b\\", "\x1b_G\x1b\\",
    "\x9b31m", "\x90q\x9c", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u2028", "\u0085", "\r", "\n",
    "\t", "\b" * 5, "\x00", "\x7f", "\ud800", "\U000e0041", "\ue000", "\u00ad", "[bold red]",
    "[@click=app.quit]x[/]", "[/]", "\\[", "BTC-USD", "insufficient margin", "é", "漢字", "́", "🚀",
    "{0}", "%s", "`rm -rf`", "=cmd()", "a" * 300,
)  # fmt: skip


def hostile(chance: random.Random) -> str:
    """Return up to eight pieces, and raw characters from anywhere in Unicode."""
    made = [chance.choice(PIECES) for _ in range(chance.randint(1, 8))]
    made += [chr(chance.randrange(0x110000)) for _ in range(chance.randint(0, 6))]
    chance.shuffle(made)
    return "".join(made)


def surfaces(text: str) -> Iterator[tuple[str, str]]:
    """Yield (surface, what would be written there) for text that came from outside."""
    clock = FixedClock()
    yield "clean", clean(text)
    ring = EventRing(clock)
    ring.add("venue", text, text)
    (event,) = ring.page()
    yield "event", event.actor + event.text
    desk = AlarmDesk(ALARMS)
    name = desk.raise_alarm("order_rejected", text, text, text, clock.now_ns())
    with contextlib.suppress(Refusal):
        desk.shelve(name, text or "x", text, 5, clock.now_ns())
    for row in desk.rows():
        yield "alarm", row.subject + row.source + row.message + row.shelved_by + row.shelved_why
        yield "table", output.table([row], ("alarm_id", "subject", "message"), "none")
        yield "facts", output.facts(row)
    yield (
        "raw table",
        output.table([{"symbol": text, "message": [text, {"k": text}]}], ("symbol", "message"), ""),
    )
    yield "json", output.encode({"reason": text, text: 1})
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        diagnostics.complain(Failure("venue_rejected", text, text))
        diagnostics.say(text)
    yield "stderr", stderr.getvalue()
    yield "frame", "".join(span for span, _ in settle(((text, "text"), (text, "p1")), 80))
    yield "fit", shown.fit(text, 40) + "".join(shown.wrap(text, 30, 3))


def leaks(text: str) -> list[str]:
    """Return the surfaces on which a character that steers a terminal would arrive."""
    found = []
    for name, written in surfaces(text):
        if any(unicodedata.category(char) in FORBIDDEN for char in written.replace("\n", "")):
            found.append(name)
    return found


def main(judge: Callable[[str], list[str]] = leaks) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began, bad = time.monotonic(), []
    for seed in range(wanted.seed, wanted.seed + wanted.count):
        where = judge(hostile(random.Random(seed)))
        if where:
            bad.append({"seed": seed, "surfaces": where})
    names = sorted({name for name, _ in surfaces("x")})
    wall_s = round(time.monotonic() - began, 1)
    print(
        json.dumps(
            {"cases": wanted.count, "surfaces": names, "leaks": bad[:20], "bad": len(bad), "wall_s": wall_s}
        )
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
