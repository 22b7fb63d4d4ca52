"""The loopback Kraken as a process: `python -m venues.sandbox.kraken.server --folder DIR --port 0`.

REST and the public WebSocket share a port, the authenticated WebSocket has its own, as the venue has
hosts. Books and balances live in memory; only the throw-away keys are files.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from seams.clock import NS_PER_MS, SystemClock
from seams.disk import Disk, RealDisk
from seams.rng import secret_bytes
from venues.keyfile import KeyFile
from venues.sandbox.kraken import keys
from venues.sandbox.kraken.books import Account
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.kraken.limits import TIERS
from venues.sandbox.kraken.listing import PAIRS, spec_of
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.process import LoopbackReady, pid, serve
from venues.sandbox.programs import read_program
from venues.sandbox.scenarios import SCENARIOS
from venues.sandbox.web import HOST

VENUE = "kraken"
FUNDS = {
    "trader": {"ZUSD": Decimal(100_000)},
    "holder": {"ZUSD": Decimal(50_000), "XXBT": Decimal(2), "XETH": Decimal(30)},
}
"""The throw-away accounts: one starts with cash alone, one holds coins as well."""
ASKS = keys.READS | {keys.CLOSE, keys.SOCKET}
MAY = {"engine": keys.READS | {keys.TRADE, keys.CLOSE, keys.SOCKET}, "watchdog": ASKS}
"""Key file -> what its key may do. No key may withdraw."""


def keys_in(folder: Path, disk: Disk) -> dict[str, KeyFile]:
    """Return every account's keys, `ACCOUNT-NAME` -> key file; those that are missing are made (0600)."""
    disk.make_folder(folder)
    found = {}
    for account in FUNDS:
        for name in MAY:
            path = folder / f"kraken-{account}-{name}.key"
            if not disk.exists(path):
                texts = [base64.b64encode(secret_bytes(size)).decode() for size in (42, 64, 42, 64)]
                made = KeyFile(
                    venue=VENUE,
                    account=account,
                    key=texts[0],
                    secret=texts[1],
                    ask_key=texts[2],
                    ask_secret=texts[3],
                )
                disk.write_atomic(path, msgspec.json.encode(made), 0o600)
            found[f"{account}-{name}"] = msgspec.json.decode(disk.read(path), type=KeyFile)
    return found


def api_keys(kept: dict[str, KeyFile]) -> list[ApiKey]:
    """Return what the exchange knows of these keys: the first of each file as said, the second asks."""
    made = []
    for name, file in kept.items():
        may = frozenset(MAY[name.rpartition("-")[2]])
        made.append(ApiKey(file.key, file.secret, file.account, may))
        made.append(ApiKey(file.ask_key, file.ask_secret, file.account, frozenset(ASKS)))
    return made


def main() -> int:
    """Run one loopback Kraken. Exit 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="venues.sandbox.kraken.server", description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the key files are kept")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="sideways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bar-seconds", type=float, default=60.0)
    parser.add_argument("--ticks-per-second", type=float, default=4.0)
    parser.add_argument("--lag-ms", type=int, default=300)
    parser.add_argument("--tier", choices=sorted(TIERS), default="pro")
    parser.add_argument("--record", type=Path, help="append every arriving order to this file")
    parser.add_argument("--faults", type=Path, help="a JSON list of faults: nth, on, strike, value, text")
    given = parser.parse_args()
    os.umask(0o077)
    return asyncio.run(_serve(given))


async def _serve(given: argparse.Namespace) -> int:
    clock, disk, folder = SystemClock(), RealDisk(), given.folder.resolve()
    kept = keys_in(folder, disk)
    accounts = [Account(name, dict(funds)) for name, funds in FUNDS.items()]
    lag_ns = given.lag_ms * NS_PER_MS
    exchange = KrakenExchange(
        clock, accounts, api_keys(kept), seed=given.seed, tier=given.tier, lag_ns=lag_ns
    )
    if given.faults is not None:
        for fault in read_program(disk.read(given.faults), exchange.program):
            exchange.script(fault)
    if given.record is not None:
        exchange.on_order = lambda at_ns, body: disk.append(given.record, b"%d " % at_ns + body + b"\n")
    feed = SandboxFeed(
        SandboxMarket(
            seed=given.seed, scenario=given.scenario, symbols=[spec_of(pair) for pair in PAIRS.values()]
        ),
        clock,
        bar_seconds=given.bar_seconds,
        ticks_per_second=given.ticks_per_second,
        stalls=(),
    )

    def ready(ports: Sequence[int]) -> LoopbackReady:
        return LoopbackReady(
            venue=VENUE,
            url=f"http://{HOST}:{ports[0]}",
            ws_url=f"ws://{HOST}:{ports[0]}/v2",
            ws_auth_url=f"ws://{HOST}:{ports[1]}/v2",
            pid=pid(),
            accounts=tuple(
                {
                    "account": name,
                    "api_key": kept[f"{name}-engine"].key,
                    "api_secret": kept[f"{name}-engine"].secret,
                }
                | {asset: f"{owned:f}" for asset, owned in FUNDS[name].items()}
                for name in FUNDS
            ),
            keys={name: str(folder / f"kraken-{name}.key") for name in kept},
        )

    return await serve(exchange, feed, clock, {"public": given.port, "auth": 0}, ready)


if __name__ == "__main__":
    raise SystemExit(main())
