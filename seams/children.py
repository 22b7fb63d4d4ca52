"""Programs of other people that we start: one that hangs is ended with everything that it has started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress


async def end_group(child: asyncio.subprocess.Process) -> None:
    """Kill a child that leads a session of its own, and wait until it and its pipes are gone."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    await child.communicate()
