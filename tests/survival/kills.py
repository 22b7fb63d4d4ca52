"""Kill a real engine over and over while it trades, and count what its exchange lost or got twice.

    python -m tests.survival.kills --kills 1000 --seed 1 --json outputs/kills.json

The exchange is a process of its own and keeps every order's bytes; after each restart the engine must say
CLEAN or AMBIGUOUS, and its record must hold every order that ever arrived, once per intent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import CommandBody, Flatten, Kill, PaperStart, Resume, TicketApprove, TicketSelect
from engine.api.views import StatusView, TicketRow, TicketsView
from seams.net import NetDown, NoAnswer
from venues.types import Side

from .conftest import eventually, is_gone
from .live import REPOSITORY, ExchangeProcess, LiveRig

HOW = (("kill", 0.80), ("stop", 0.05), ("bus", 0.05), ("disk", 0.05), ("latch", 0.05))
"""How an engine comes to its end, and how often. Each ends with kill -9; the others hurt it first."""
KILLS_PER_DESK = 50
"""Then a fresh home and exchange: a desk's record grows, and a start reads the whole of it."""
VERDICT_S = 30.0
EARLY = 0.3
"""The share of kills that fall into the start and the recovery itself."""
LIMITS = {
    "MAX_ORDER_NOTIONAL_USD": "2000",
    "MAX_REPEATS": "1000000",
    "ENTRIES_PER_MINUTE": "100000",
    "SYMBOL_ENTRIES_PER_MINUTE": "100000",
    "EXITS_PER_MINUTE": "100000",
    "MESSAGE_RATE_PER_S": "1000",
    "DAILY_LOSS_CLOSE_ONLY_USD": "90000",
    "DAILY_LOSS_HALT_USD": "95000",
    "DRAWDOWN_CLOSE_ONLY": "0.9",
    "DRAWDOWN_HALT": "0.95",
    "MAX_DRAWDOWN": "0.95",
    "RECONCILE_STALE_MS": "60000",
}
"""A desk that trades far more often than its limits would let it, so that kills meet orders."""
QUICK: dict[str, float | str] = {"fast": 2.0, "slow": 5.0}
"""A life lasts seconds: what a desk trades by default may not cross within one."""


@dataclass
class Tally:
    """What was done and found; `recovery_s` is from the start after a kill to the verdict."""

    seed: int
    kills: int = 0
    by_how: Counter[str] = field(default_factory=Counter)
    early_kills: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    arrived: int = 0
    intents: int = 0
    repeats: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unbooked: list[str] = field(default_factory=list)
    without_verdict: int = 0
    unknown_at_verdict: int = 0
    approved: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    recovery_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0

    def summary(self) -> dict[str, object]:
        """Return everything as JSON has it, with the quantiles of the recovery."""
        times = sorted(self.recovery_s)
        marks = {f"p{q:g}": round(_quantile(times, q / 100), 3) for q in (50, 90, 99)} if times else {}
        return {**vars(self), "recovery_s": {**marks, "max": max(times, default=0), "n": len(times)}}


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Nursery:
    """The process that forks engines (`tests.survival.nursery`)."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.survival.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )

    def start(self, rig: LiveRig, environ: dict[str, str]) -> int:
        """Start an engine; return its process id."""
        rig.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        asked = {"home": str(rig.home), "log": str(rig.paths.log), "environ": environ}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Campaign:
    """One desk on one exchange, killed again and again."""

    def __init__(self, folder: Path, nursery: Nursery, tally: Tally, dice: random.Random) -> None:
        self.exchange = ExchangeProcess(folder / "exchange", bar_s=0.1, seed=dice.randrange(1000))
        self.rig = LiveRig(folder / "home", self.exchange)
        self.nursery, self.tally, self.dice = nursery, tally, dice
        self.environ = self.rig.environ() | {f"INTERLOCK_RISK__{k}": v for k, v in LIMITS.items()}
        self.environ["INTERLOCK_ENGINE__CRASH_LOOP_DEATHS"] = "1000000"
        self.pid = 0
        self.frames: dict[str, bytes] = {}
        self._audit_at = 0
        self.watch = self.exchange.link()

    async def run(self, kills: int) -> None:
        """Start, trade, kill, so many times; then one last start that must settle everything."""
        for _ in range(kills):
            is_early = self.dice.random() < EARLY
            began = self._start()
            if is_early:
                self.tally.early_kills += 1
                await asyncio.sleep(self.dice.uniform(0.0, 0.8))
            elif await self._verdict(began):
                await self._judge()
                await self._trade(self.dice.uniform(0.2, 3.0))
            await self._end()
        if await self._verdict(self._start()):
            await self._judge()
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def _start(self) -> float:
        self.pid = self.nursery.start(self.rig, self.environ)
        return time.time()

    # --- what the engine says of itself ----------------------------------------------------------

    async def _verdict(self, began: float) -> bool:
        """Wait for the verdict of this start; False (and a count) where none comes."""
        deadline = time.monotonic() + VERDICT_S
        while time.monotonic() < deadline and not is_gone(self.pid):
            for body in self._new_audit():
                text = str(body["body"].get("text", ""))  # type: ignore[union-attr]
                at_s = int(str(body["at_ns"])) / 1e9
                if body["kind"] == "hold_cleared" and text.startswith("hydration") and at_s > began:
                    self.tally.verdicts[text.rsplit(" ", 1)[-1]] += 1
                    self.tally.recovery_s.append(at_s - began)
                    return True
            await asyncio.sleep(0.01)
        self.tally.without_verdict += 1
        return False

    def _new_audit(self) -> list[dict[str, object]]:
        try:
            with self.rig.paths.audit.open("rb") as log:
                log.seek(self._audit_at)
                data = log.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._audit_at += len(whole)
        return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    # --- what is true ----------------------------------------------------------------------------

    async def _judge(self) -> None:
        """Compare the exchange's orders and fills with our record: lost, doubled, not booked."""
        tally = self.tally
        for frame, place in self.exchange.arrived():
            name = place.order.client_order_id
            tally.arrived += 1
            first = self.frames.setdefault(name, frame)
            if first is not frame:
                tally.repeats += 1
                if first != frame:
                    tally.duplicates.append(f"{name} was signed anew")
        rows = self.rig.rows("SELECT client_order_id, intent_id, status FROM orders")
        intents = {str(row[0]): str(row[1]) for row in rows}
        tally.unknown_at_verdict += sum(1 for row in rows if row[2] == "unknown")
        tally.lost += [name for name in self.frames if name not in intents]
        sent = Counter(intents[name] for name in self.frames if name in intents)
        tally.duplicates += [f"intent {intent}: {n} orders" for intent, n in sent.items() if n > 1]
        for _ in range(30):
            different = await self._unbooked()
            if not different:
                return
            await asyncio.sleep(0.1)
        tally.unbooked += different

    async def _unbooked(self) -> list[str]:
        """Return how the booked positions differ from those at the exchange."""
        theirs = {p.symbol: p.quantity for p in (await self.watch.account()).positions}
        ours: dict[str, Decimal] = {}
        for symbol, side, quantity in self.rig.rows("SELECT symbol, side, quantity FROM fills"):
            signed = Decimal(str(quantity)) * Side(str(side)).sign
            ours[str(symbol)] = ours.get(str(symbol), Decimal(0)) + signed
        names = theirs.keys() | ours.keys()
        pairs = {name: (ours.get(name, Decimal(0)), theirs.get(name, Decimal(0))) for name in names}
        return [f"{name}: {mine} booked, {its} held" for name, (mine, its) in pairs.items() if mine != its]

    # --- what the operator does ------------------------------------------------------------------

    async def _trade(self, seconds: float) -> None:
        """Work the desk until the time is up; whatever cannot be reached is tried again."""
        try:
            async with asyncio.timeout(seconds):
                client = await self._connected()
                try:
                    await self._operate(client)
                finally:
                    await client.close()
        except (TimeoutError, NetDown, NoAnswer):
            pass

    async def _connected(self) -> EngineClient:
        while True:
            try:
                return await self.rig.client()
            except (NetDown, OSError):
                await asyncio.sleep(0.05)

    async def _operate(self, client: EngineClient) -> None:
        """Resume, flatten what was left, start a session, approve its tickets: for ever."""
        supervised = self.dice.random() < 0.5
        start = PaperStart(
            feed="exchange",
            strategies=("ema_cross",),
            params=QUICK,
            shadow="",
            is_supervised=supervised,
        )
        has_started = False
        while True:
            if (await client.query_view("status", StatusView)).kill_level != "clear":
                await self._ask(client, Flatten(confirm="FLATTEN"), 12.0)
                await self._ask(client, Resume(confirm="RESUME", note="harness"), 5.0)
            elif not has_started:
                has_started = await self._ask(client, start, 5.0) is not None
                if not has_started:
                    await self._ask(client, Flatten(confirm="FLATTEN"), 12.0)
            for row in (await client.query_view("tickets", TicketsView)).rows:
                if row.state == "proposed":
                    await self._approve(client, row)
            await asyncio.sleep(0.05)

    async def _approve(self, client: EngineClient, row: TicketRow) -> None:
        shown = await self._ask(client, TicketSelect(ticket_id=row.ticket_id), 2.0, TicketRow)
        if isinstance(shown, TicketRow):
            await asyncio.sleep(0.65)
            size = shown.quantity if shown.worst == "warn" else None
            approve = TicketApprove(ticket_id=row.ticket_id, ticket_hash=shown.ticket_hash, typed_size=size)
            self.tally.approved += await self._ask(client, approve, 2.0) is not None

    async def _ask(
        self, client: EngineClient, body: CommandBody, timeout_s: float, kind: type = object
    ) -> object | None:
        try:
            # Not asked again here: the campaign has its own answer to each refusal.
            asked = EngineClient.demand(
                client, body, kind, reason="the campaign goes on", timeout_s=timeout_s
            )
            return await asked or True
        except EngineRefused as refused:
            self.tally.refused[f"{type(body).__name__}: {refused.reply.code}"] += 1
            return None

    # --- how it ends -----------------------------------------------------------------------------

    async def _end(self) -> None:
        """Hurt the engine in one of the ways, then kill -9 and wait until it is gone."""
        how = self.dice.choices([name for name, _ in HOW], [share for _, share in HOW])[0]
        self.tally.by_how[how] += 1
        obstacle = self.rig.paths.safety / f".kill.latch.{self.pid}.tmp"
        with suppress(
            ProcessLookupError, FileNotFoundError, FileExistsError
        ):  # it may have ended by itself meanwhile
            await self._hurt(how, obstacle)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await eventually(lambda: is_gone(self.pid))
        if obstacle.is_dir():
            obstacle.rmdir()
        self.tally.kills += 1

    async def _hurt(self, how: str, obstacle: Path) -> None:
        """Do what comes before the kill -9; `obstacle` stands where the latch's new file would be made."""
        if how == "stop":
            os.kill(self.pid, signal.SIGSTOP)
            await asyncio.sleep(self.dice.uniform(0.1, 2.0))
            os.kill(self.pid, signal.SIGCONT)
            await asyncio.sleep(self.dice.uniform(0.0, 0.5))
        elif how == "bus":
            self._kill_bus()
            await asyncio.sleep(self.dice.uniform(0.0, 1.0))
        elif how == "disk":
            hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, hard))
            await asyncio.sleep(self.dice.uniform(0.0, 1.0))
        elif how == "latch":
            obstacle.mkdir(parents=True, exist_ok=True)
            await self._pull_the_switch()

    def _kill_bus(self) -> None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text().startswith("nats"):
                os.kill(int(child), signal.SIGKILL)

    async def _pull_the_switch(self) -> None:
        """Ask for halt_all while its latch file cannot be written."""
        try:
            async with asyncio.timeout(2.0):
                client = await self._connected()
                try:
                    await client.command(Kill(level="halt_all", confirm="KILL"), reason="the campaign")
                finally:
                    await client.close()
        except (TimeoutError, NetDown, NoAnswer):
            pass

    def close(self) -> None:
        """End the exchange."""
        self.exchange.close()


async def campaign(kills: int, seed: int, told: Path | None = None) -> Tally:
    """Do so many kills, on as many desks as it takes; `told` gets the tally after each desk."""
    tally, dice, began = Tally(seed), random.Random(seed), time.monotonic()
    with Nursery() as nursery:
        while tally.kills < kills:
            folder = Path(tempfile.mkdtemp(prefix="kills-"))
            desk = Campaign(folder, nursery, tally, dice)
            await desk.run(min(KILLS_PER_DESK, kills - tally.kills))
            tally.intents += len(desk.frames)
            tally.wall_s = round(time.monotonic() - began, 1)
            if told is not None:
                told.write_text(json.dumps(tally.summary(), indent=1))
            if not (tally.lost or tally.duplicates or tally.unbooked or tally.without_verdict):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                print(f"kept for a look: {folder}", file=sys.stderr)
    return tally


def main() -> int:
    """Exit 0 where nothing was lost, doubled or left without a verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args()
    tally = asyncio.run(campaign(given.kills, given.seed, given.json))
    print(json.dumps(tally.summary(), indent=1))
    return 1 if tally.lost or tally.duplicates or tally.unbooked or tally.without_verdict else 0


if __name__ == "__main__":
    raise SystemExit(main())
