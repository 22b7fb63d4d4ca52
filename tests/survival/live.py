"""A real engine on the account of a real exchange process: started, hurt, and asked from outside."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec

from engine.api.client import EngineClient
from engine.api.commands import PaperStart, SessionStarted
from engine.venue import load_key, open_link
from venues.sandbox import messages as m
from venues.sandbox.link import ExchangeLink
from venues.sandbox.server import Ready

from .conftest import CLOCK, REPOSITORY, Rig, eventually

BAR_S = 0.25
LAG_MS = 200
STRATEGIES = ("ema_cross", "rsi_ma_cross")
SYMBOLS = ("BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP")


class ExchangeProcess:
    """The exchange in a process of its own; every order that arrives there is kept in a file."""

    def __init__(self, folder: Path, *, bar_s: float = BAR_S, seed: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder, self.record, self._read_to = folder, folder / "arrived", 0
        words = [sys.executable, "-P", "-m", "venues.sandbox.server", "--folder", str(folder)]
        words += ["--bar-seconds", str(bar_s), "--ticks-per-second", "16", "--seed", str(seed)]
        words += ["--lag-ms", str(LAG_MS), "--record", str(self.record)]
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.ready = msgspec.json.decode(self.process.stdout.readline(), type=Ready)

    def link(self, key: str = "watchdog") -> ExchangeLink:
        """Return a link of ours beside the engine's, to look with."""
        return open_link(self.ready.url, load_key(key, self.ready.keys[key]), CLOCK)

    def arrived(self) -> list[tuple[bytes, m.Place]]:
        """Return every order that arrived since the last call: its exact bytes and what they say."""
        if not self.record.exists():
            return []
        with self.record.open("rb") as record:
            record.seek(self._read_to)
            data = record.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        frames = [line.split(b" ", 1)[1] for line in whole.splitlines()]
        bodies = [m.BODIES.decode(bytes(m.FRAMES.decode(frame).body)) for frame in frames]
        return [(f, body) for f, body in zip(frames, bodies, strict=True) if isinstance(body, m.Place)]

    def freeze(self, *, is_frozen: bool) -> None:
        os.kill(self.process.pid, signal.SIGSTOP if is_frozen else signal.SIGCONT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class LiveRig(Rig):
    """A home whose engine trades on an `ExchangeProcess`."""

    engine_key = "engine"
    """Which of the exchange's keys the engine signs with."""

    def __init__(self, home: Path, exchange: ExchangeProcess) -> None:
        super().__init__(home)
        self.exchange = exchange

    def environ(self) -> dict[str, str]:
        """Return the configuration that binds the engine to the exchange."""
        return {
            "INTERLOCK_ENGINE__MODE": "live",
            "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
            "INTERLOCK_EXECUTION__VENUE_URL": self.exchange.ready.url,
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": self.exchange.ready.keys[self.engine_key],
            "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.5",
        }

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        return super().spawn(**{**self.environ(), **environ})

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"file:{self.paths.database / 'live.db'}?mode=ro", uri=True, timeout=30.0) as db:
            return list(db.execute(query))

    def verdicts(self) -> list[str]:
        """Return the first verdict of every start so far, as the audit log has them."""
        if not self.paths.audit.exists():
            return []
        found = []
        for line in self.paths.audit.read_bytes().splitlines():
            if b"hold_cleared" in line and b"hydration" in line:
                found.append(str(json.loads(line)["body"]["text"]).rsplit(" ", 1)[-1])
        return found

    async def synced(self, after: int = 0) -> str:
        """Wait for the verdict of the `after`+1st start and until the venue's markets are known; return the
        verdict: clean or ambiguous."""
        await eventually(lambda: len(self.verdicts()) > after, self.log)
        await eventually(self.clients[-1].knows_markets, self.log)
        return self.verdicts()[-1]

    async def trade_live(self, client: EngineClient, **words: object) -> str:
        """Start a session on the account and wait until an order of it has filled."""
        request = PaperStart(feed="exchange", strategies=STRATEGIES)
        started = await client.demand(msgspec.structs.replace(request, **words), SessionStarted)
        before = len(self.rows("SELECT 1 FROM fills"))
        await eventually(lambda: len(self.rows("SELECT 1 FROM fills")) > before, self.log)
        return started.session_id
