"""Drills asked for from the console: one at a time, each a process of its own beside the engine."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from engine.api.drills import DRILL_KINDS, DrillRun, Drills
from engine.core import Core
from engine.ops.drill_rows import drill_rows
from safety.reasons import Refusal
from safety.secrets import KeyReference, Secret, load_secret
from safety.text import clean

LONGEST_S = 600.0
ROOT = Path(__file__).resolve().parents[2]


class DrillRuns:
    """The drills of one engine's home."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._run: DrillRun | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, kind: str, operator: str, reason: str) -> None:
        """Begin a drill. Raises `Refusal` with invalid_request, reason_required or drill_running."""
        if kind not in DRILL_KINDS:
            raise Refusal("invalid_request", f"there are {', '.join(DRILL_KINDS)}")
        if not clean(reason):
            raise Refusal("reason_required", "say what this drill is for")
        if self._task is not None and not self._task.done():
            raise Refusal("drill_running", self._run.kind if self._run else kind)
        who = clean(operator, 80)
        self._run = DrillRun(
            kind=kind, operator=who, began_ns=self._core.clock.now_ns(), said="starting", exit_code=-1
        )
        self._core.note("drill", operator, f"{kind} begun: {clean(reason)}")
        self._task = asyncio.get_running_loop().create_task(self._perform(kind, who, clean(reason)))

    async def close(self) -> None:
        """End what is under way; a drill that is cut off leaves no evidence."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def view(self) -> Drills:
        """Return the last drill of each kind with its figures, and the run."""
        core = self._core
        now_ns = core.clock.now_ns()
        rows = drill_rows(core.paths.outputs, core.disk, now_ns, core.kernel_sha256, self._key())
        return Drills(at_ns=now_ns, rows=rows, run=self._run)

    async def _perform(self, kind: str, who: str, reason: str) -> None:
        words = ["-m", "interlock", "--home", str(self._core.paths.home), "drill", kind]
        words += ["--operator", who, "--reason", reason, "--json"]
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            async with asyncio.timeout(LONGEST_S):
                assert child.stderr is not None
                async for line in child.stderr:
                    self._say(clean(line.decode(errors="replace"), 200), -1)
                await child.wait()
        except TimeoutError:
            self._say("took too long and was ended", 1)
        finally:
            if child.returncode is None:
                child.terminate()
                await child.wait()
        last = self._run.said if self._run else ""
        self._say("every goal was met" if child.returncode == 0 else last, child.returncode or 0)
        self._core.note("drill", who, f"{kind} ended with {child.returncode}: {last}")

    def _say(self, said: str, exit_code: int) -> None:
        if self._run is not None and said:
            self._run = DrillRun(
                kind=self._run.kind,
                operator=self._run.operator,
                began_ns=self._run.began_ns,
                said=said,
                exit_code=exit_code,
            )

    def _key(self) -> Secret | Refusal | None:
        path = self._core.settings.watchdog.drill_key_file
        try:
            return load_secret(KeyReference(name="watchdog.drill_key_file", path=path)) if path else None
        except Refusal as refusal:
            return refusal
