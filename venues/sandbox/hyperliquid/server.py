"""The loopback Hyperliquid as a process of its own: HTTP and WebSocket on one port of 127.0.0.1."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from seams.clock import SystemClock
from seams.disk import Disk, RealDisk
from venues.hyperliquid.signing import throwaway_key, wallet_of
from venues.keyfile import KeyFile
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
from venues.sandbox.hyperliquid.listing import symbol_specs
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.process import LoopbackReady, pid, serve
from venues.sandbox.programs import read_program
from venues.sandbox.scenarios import SCENARIOS

VENUE = "hyperliquid"
ACCOUNTS = 2
CASH_USD = Decimal(100_000)
TOKENS = {0: Decimal(20_000), 1: Decimal(10_000), 150: Decimal(200)}
"""Spot balances of an account: USDC, PURR, HYPE."""


WHO = ("master", "agent", "asker", "watchdog")


class People:
    """The funded throw-away accounts: each a master, an agent for orders, one for cancels, the watchdog's."""

    def __init__(self, seed: int) -> None:
        self.accounts: list[dict[str, str]] = []
        for number in range(ACCOUNTS):
            keys = {who: throwaway_key(seed, number, who) for who in WHO}
            known = {"account": f"hyperliquid-{number + 1}"}
            for who, key in keys.items():
                known[f"{who}_key"] = key
                known[f"{who}_address"] = wallet_of(key).address.lower()
            known["private_key"], known["address"] = keys["master"], known["master_address"]
            self.accounts.append(known)

    def enter(self, exchange: HyperliquidExchange) -> None:
        """Open and fund every account, and let its agents sign for it."""
        for known in self.accounts:
            exchange.fund(known["master_address"], CASH_USD, TOKENS)
            exchange.add_agent(known["master_address"], known["agent_address"], "engine")
            exchange.add_agent(known["master_address"], known["asker_address"], "asker")
            exchange.add_agent(known["master_address"], known["watchdog_address"], "watchdog")

    def write_keys(self, folder: Path, disk: Disk) -> dict[str, str]:
        """Write the agents' key files (0600); return their paths by name."""
        disk.make_folder(folder)
        paths = {}
        for number, known in enumerate(self.accounts):
            for who, asker, name in (("agent", "asker", "engine"), ("watchdog", "watchdog", "watchdog")):
                label = f"{name}-{number + 1}"
                path = folder / f"{VENUE}-{label}.key"
                key = KeyFile(
                    venue=VENUE,
                    account=known["master_address"],
                    key=known[f"{who}_address"],
                    secret=known[f"{who}_key"],
                    ask_key=known[f"{asker}_address"],
                    ask_secret=known[f"{asker}_key"],
                )
                disk.write_atomic(path, msgspec.json.encode(key), 0o600)
                paths[label] = str(path)
        return paths


def main() -> int:
    """Run one exchange. Exit 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="venues.sandbox.hyperliquid.server", description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the key files are written")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="sideways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bar-seconds", type=float, default=60.0)
    parser.add_argument("--ticks-per-second", type=float, default=4.0)
    parser.add_argument("--lag-ms", type=int, default=600)
    parser.add_argument("--record", type=Path, help="append every arriving action to this file")
    parser.add_argument("--faults", type=Path, help="a JSON list of faults: nth, on, strike, value, text")
    parser.add_argument("--no-ip-limit", action="store_true", help="do not count the weight of requests")
    given = parser.parse_args()
    os.umask(0o077)
    clock, disk, people = SystemClock(), RealDisk(), People(given.seed)
    exchange = HyperliquidExchange(clock, given.seed)
    exchange.lag_ms, exchange.has_ip_limit = given.lag_ms, not given.no_ip_limit
    people.enter(exchange)
    market = SandboxMarket(seed=given.seed, scenario=given.scenario, symbols=symbol_specs())
    exchange.remember(market)
    feed = SandboxFeed(
        market, clock, bar_seconds=given.bar_seconds, ticks_per_second=given.ticks_per_second, stalls=()
    )
    keys = people.write_keys(given.folder.resolve(), disk)
    if given.record is not None:
        record: Path = given.record
        exchange.on_received = lambda at_ms, body: disk.append(record, b"%d " % at_ms + body + b"\n")

    if given.faults is not None:
        for fault in read_program(disk.read(given.faults), exchange.program):
            exchange.program.add(fault)

    def ready(ports: Sequence[int]) -> LoopbackReady:
        return LoopbackReady(
            venue=VENUE,
            url=f"http://127.0.0.1:{ports[0]}",
            ws_url=f"ws://127.0.0.1:{ports[0]}/ws",
            pid=pid(),
            accounts=tuple(people.accounts),
            keys=keys,
        )

    return asyncio.run(serve(exchange, feed, clock, {"": given.port}, ready))


if __name__ == "__main__":
    raise SystemExit(main())
