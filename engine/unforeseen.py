"""What nobody caught: an exception in a callback, or in a task that nobody awaits, halts the engine.

The loop only prints such an exception, and goes on; a ledger that refused a fill inside a stream's callback
would then be wrong, and trade. What an adapter or a library chokes on is theirs to mend (the stream breaks
and is asked anew); what broke in the engine or below it, in safety or the kernel, is ours, and is not known.
"""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path

from engine.core import Core

ROOT = Path(__file__).resolve().parents[1]
OURS = ("engine", "safety", "native", "venues", "seams")
HALTING = ("engine", "safety", "native")


def halt_on_unforeseen(core: Core, loop: asyncio.AbstractEventLoop) -> None:
    """From now on an exception that nobody caught is judged; it is printed as before in any case."""

    def heed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        loop.default_exception_handler(context)
        error = context.get("exception")
        if isinstance(error, Exception) and floor_of(error) in HALTING:
            core.halt(error, "unforeseen")

    loop.set_exception_handler(heed)


def floor_of(error: BaseException) -> str:
    """Return the floor whose code broke: the innermost frame that is our own; empty where none is."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        try:
            floor = Path(frame.f_code.co_filename).resolve().relative_to(ROOT).parts[0]
        except ValueError:
            continue
        if floor in OURS:
            return floor
    return ""
