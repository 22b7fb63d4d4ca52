"""From a market frame handed to the adapter to the bytes of an order at its transport, on a whole engine.

    python -m benchmarks tick_to_wire [--orders N] [--folder DIR] [--cpu] [--hot] [--profile] [--json]

A live engine's core, custody, session and the Hyperliquid adapter over the loopback exchange of this
process: every record is made as in production (audit chain with fsync, SQLite WAL with synchronous=FULL),
on the disk of `--folder`. Per order: frame in -> decision made -> intent durable -> bytes handed to the
transport. `disk` is the part spent inside commits, appends and replacements of the audit's head, `sign` the
part inside the venue's signature (made before the commit, so that the bytes are durable), `rest` everything
else. With `--hot` nothing sleeps between frames: the clock is put forward by what a bar needs, so that the
same code runs again and again, as in the loops in which others measure theirs. The strategy turns its
position at a bar, so that the way from the frame is that of the order that closes the old one; `exit` and
`entry` are every order's own way from its proposal to its bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks._engine import percentile
from engine.api.commands import PaperStart
from engine.daemon import Engine, Seams, build_core
from engine.trading.custody import Verdict
from safety.killbyte import KillByte
from seams import chaos
from seams.clock import NS_PER_MS, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from seams.wire import FrameHandler, MayLeave, StateHandler, always
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.signing import throwaway_key, wallet_of
from venues.keyfile import KeyFile
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.types import Quote

ORDERS, WARMUP = 300, 20
BAR_NS = 25 * NS_PER_MS
WAVE_BARS = 3
HOT_BAR_NS = 2 * NS_PER_MS
TURNS = 20
"""How often all that is ready gets its turn between two frames without a pause: answers, fills, tasks."""
ENVIRON = {
    "INTERLOCK_ENGINE__MODE": "live",
    "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
    **{
        f"INTERLOCK_RISK__{name}": value
        for name, value in (
            ("PRICE_DRIFT_5MIN", "0.5"),
            ("ENTRIES_PER_MINUTE", "1000000"),
            ("SYMBOL_ENTRIES_PER_MINUTE", "1000000"),
            ("EXITS_PER_MINUTE", "1000000"),
            ("MAX_REPEATS", "1000000"),
            ("MESSAGE_RATE_PER_S", "100000"),
            ("MESSAGE_BURST", "1000000"),
            ("MIN_ORDER_GAP_MS", "0"),
            ("MARKET_GAP_BARS", "1000000"),
            ("DAILY_LOSS_CLOSE_ONLY_USD", "1000000"),
            ("DAILY_LOSS_HALT_USD", "2000000"),
            ("DRAWDOWN_CLOSE_ONLY", "0.9"),
            ("DRAWDOWN_HALT", "0.95"),
            ("MAX_DRAWDOWN", "0.9"),
            ("MIN_PROFIT_FACTOR", "0"),
            ("MIN_WIN_RATE", "0"),
            ("MAX_MEDIAN_SLIPPAGE_BPS", "10000"),
            ("ENTRY_USD_PER_MINUTE", "1000000000"),
        )
    },
}
"""The bounds of pace and loss are out of the way: every rule is judged all the same."""


now: Callable[[], int] = time.perf_counter_ns


class Stamps:
    """When the newest frame came in, and what happened to each order since its frame, in ns."""

    def __init__(self, profile: cProfile.Profile | None) -> None:
        self._profile = profile
        self.frame_ns = self.decided_ns = self.durable_ns = self.disk_ns = self.from_ns = 0
        self.sign_ns = 0
        self.rows: list[dict[str, float]] = []
        self.own: dict[str, list[float]] = {"exit": [], "entry": []}
        """Each order's way from its proposal to its bytes, in us."""
        self.proposed: tuple[str, int] = ("", 0)
        self._began_ns = 0

    def frame(self) -> None:
        self.frame_ns = now()

    def decided(self) -> None:
        self.from_ns, self.decided_ns = self.frame_ns, now()
        self.disk_ns = self.sign_ns = 0
        if self._profile is not None:
            self._profile.enable()

    def point(self, site: str) -> None:
        now_ns = now()
        if site == "store.before_commit":
            self._began_ns = now_ns
        elif site == "store.committed":
            self.disk_ns += now_ns - self._began_ns
        elif site == "orders.recorded":
            self.durable_ns = now_ns

    def wire(self) -> None:
        now_ns = now()
        kind, proposed_ns = self.proposed
        if proposed_ns and self.durable_ns >= proposed_ns:
            self.own[kind].append((now_ns - proposed_ns) / 1e3)
            self.proposed = ("", 0)
        if not self.from_ns or self.durable_ns < self.decided_ns:
            return
        if self._profile is not None:
            self._profile.disable()
        self.rows.append(
            {
                "decision": (self.decided_ns - self.from_ns) / 1e3,
                "durable": (self.durable_ns - self.from_ns) / 1e3,
                "wire": (now_ns - self.from_ns) / 1e3,
                "disk": self.disk_ns / 1e3,
                "sign": self.sign_ns / 1e3,
                "rest": (now_ns - self.from_ns - self.disk_ns - self.sign_ns) / 1e3,
            }
        )
        self.from_ns = 0


class TimedDisk(RealDisk):
    """A disk whose appends and replacements count as disk time."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        began_ns = now()
        super().append(path, data, mode)
        self._stamps.disk_ns += now() - began_ns

    def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        began_ns = now()
        super().write_atomic(path, data, mode)
        self._stamps.disk_ns += now() - began_ns


class TimedCaller(PeerCaller):
    """Stamps an order's bytes in the step in which they would be written."""

    stamps: Stamps

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        def leave() -> bool:
            is_open = may_leave()
            if is_open and b'"type":"order"' in body:
                self.stamps.wire()
            return is_open

        return await super().call(body, timeout_s, leave)


class TimedLink(PeerLink):
    """Stamps each frame as it is handed to the adapter."""

    stamps: Stamps

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        def frame(data: bytes) -> None:
            self.stamps.frame()
            on_frame(data)

        super().start(frame, on_state)


class SkippingClock(SystemClock):
    """The host's clock, put forward where a benchmark has nothing to wait for."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self._ahead_ns

    def skip(self, ns: int) -> None:
        """Go forward at once."""
        self._ahead_ns += ns


async def measure(
    folder: Path, orders: int, profile: cProfile.Profile | None, is_hot: bool = False
) -> Stamps:
    """Trade until so many orders left behind the first ones, and return their times in microseconds."""
    stamps, clock = Stamps(profile), SkippingClock()
    bar_ns = HOT_BAR_NS if is_hot else BAR_NS
    exchange = HyperliquidExchange(clock)
    exchange.has_ip_limit = False
    master, agent, asker = (throwaway_key("bench", who) for who in ("master", "agent", "asker"))
    address = wallet_of(master).address.lower()
    exchange.fund(address, Decimal(1_000_000))
    exchange.add_agent(address, wallet_of(agent).address)
    exchange.add_agent(address, wallet_of(asker).address, "asker")
    quote(exchange, clock, 60_000)
    caller, link = TimedCaller(exchange, clock), TimedLink(exchange, "", "/ws", clock)
    caller.stamps = link.stamps = stamps
    key = KeyFile(
        venue="hyperliquid",
        account=address,
        key=wallet_of(agent).address,
        secret=agent,
        ask_key=wallet_of(asker).address,
        ask_secret=asker,
    )
    adapter = HyperliquidAdapter(
        caller, "x", link, key, clock, desk="bench", bar_ns=bar_ns, coins=("BTC",), weight_a_minute=10**9
    )
    core = build_core(Seams(clock, None, Rng(1), TimedDisk(stamps)), folder, ENVIRON, KillByte.anonymous())
    engine = Engine(core, adapter, "bench")
    engine.recover()
    adapter.start()
    assert engine.custody is not None
    while engine.custody.verdict is not Verdict.CLEAN:
        await clock.sleep(0.1)
        await engine.custody.reconcile()
    given = PaperStart(feed="exchange", strategies=("ema_cross",), params={"fast": 2.0, "slow": 3.0})
    session = engine.desk.start_paper(given, "bench", "r-1").session
    adapter.sign = _signed(adapter.sign, stamps)  # type: ignore[method-assign]
    denied: list[tuple[str, ...]] = []
    session.on_denied.append(lambda intent, verdict: denied.append(verdict.reasons))
    session._propose = _proposed(session._propose, stamps)  # type: ignore[method-assign]
    session.kernel.close = _told(session.kernel.close, stamps)  # type: ignore[method-assign]
    tending = asyncio.get_running_loop().create_task(engine.custody.run())
    step = 0
    with chaos.installed(stamps.point):
        while len(stamps.rows) < orders + WARMUP and step < 400 * orders:
            step += 1
            is_high = step // (2 * WAVE_BARS) % 2
            quote(exchange, clock, 60_100 if is_high else 60_000)
            exchange.advance()
            await _pause(clock, bar_ns, is_hot)
            if session.failure or denied:
                raise RuntimeError(session.failure or f"an order was denied: {', '.join(denied[0])}")
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    await engine.close()
    return stamps


async def _pause(clock: SkippingClock, bar_ns: int, is_hot: bool) -> None:
    """Let half a bar go by: by waiting for it, or by putting the clock forward once all had its turn."""
    if not is_hot:
        await clock.sleep(bar_ns / 2e9)
        return
    for _ in range(TURNS):
        await clock.sleep(0)
    clock.skip(bar_ns // 2)


def quote(exchange: HyperliquidExchange, clock: SystemClock, bid: float) -> None:
    """Let the market stand here."""
    exchange.on_market(Quote(symbol="BTC", at_ns=clock.now_ns(), bid=float(bid), ask=float(bid + 1)))


def _signed(sign: Callable[..., Any], stamps: Stamps) -> Callable[..., Any]:
    def signed(*given: Any) -> Any:
        began_ns = now()
        try:
            return sign(*given)
        finally:
            stamps.sign_ns += now() - began_ns

    return signed


def _proposed(propose: Callable[..., Any], stamps: Stamps) -> Callable[..., Any]:
    async def proposed(wish: Any) -> None:
        stamps.proposed = ("exit" if wish.reduce_only else "entry", now())
        await propose(wish)

    return proposed


def _told(close: Callable[..., Any], stamps: Stamps) -> Callable[..., Any]:
    def told(*given: Any) -> Any:
        wishes = close(*given)
        if wishes:
            stamps.decided()
        return wishes

    return told


def main(arguments: list[str]) -> int:
    """Print p50 and p99 of each step in microseconds; with --profile where the time goes."""
    parser = argparse.ArgumentParser(prog="benchmarks tick_to_wire", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--orders", type=int, default=ORDERS, help="how many orders")
    parser.add_argument("--folder", default=None, help="where to put the temporary home (its disk counts)")
    parser.add_argument("--profile", action="store_true", help="also print the functions that take longest")
    parser.add_argument("--cpu", action="store_true", help="processor time of this thread, not the wall's")
    parser.add_argument("--hot", action="store_true", help="frame after frame, with no pause between them")
    given = parser.parse_args(arguments)
    global now
    now = time.thread_time_ns if given.cpu else time.perf_counter_ns
    profile = cProfile.Profile() if given.profile else None
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        stamps = asyncio.run(measure(Path(folder), given.orders, profile, given.hot))
    rows = stamps.rows[WARMUP:]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns |= {name: values[WARMUP:] for name, values in stamps.own.items()}
    figures: dict[str, Any] = {"orders": len(rows)}
    for name, values in columns.items():
        for share in (50, 99):
            figures[f"{name}_p{share}_us"] = round(percentile(values, share / 100), 1)
    if given.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in figures.items()))
    if profile is not None:
        pstats.Stats(profile).sort_stats("cumtime").print_stats(45)
    return 0
