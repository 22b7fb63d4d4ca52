"""Install peers into throw-away environments, run them and ours on the same data, print one table.

    python -m benchmarks.peers                    # all
    python -m benchmarks.peers numba backtrader   # some

Packages come from whatever index pip is set to use; a peer that it cannot serve is a row that says so. Each
peer runs as many bars as it can in reasonable time, and ours runs the same ones; time is processor time, the
least of the rounds, imports and compilation left out for all. "same" means that every closed trade has the
same bars, side and size as ours. Peers for order books quote on a recording of the data folder instead
(INTERLOCK_SHARED); there "same" means equal steps, orders, cancels, fills and position.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _book_data as sets
from benchmarks.book import RULES
from benchmarks.forged import FLIP, _library
from benchmarks.kernel import _market
from benchmarks.peers._peer import FAST, SLOW, counts_sha256, trades_sha256
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.quoting import QuoteSimulation

NAMES = ("ts_ns", "open", "high", "low", "close", "volume")
OUR_ROUNDS = 7
EQUITY_TOLERANCE = 0.01
FIGURES = ("events", "m_s", "ours_m_s", "ours_is_times", "trades", "equity_gap")
SECONDS = 1200


@dataclass(frozen=True, kw_only=True)
class Peer:
    """`packages` as pip takes them; `bars` (0: quotes on recorded levels) and `rounds` to end in minutes."""

    packages: tuple[str, ...]
    bars: int
    rounds: int


PEERS = {
    "numba": Peer(packages=("numba==0.66.0", "numpy"), bars=1_000_000, rounds=7),
    "vectorbt": Peer(packages=("vectorbt==1.2.0",), bars=1_000_000, rounds=3),
    "backtesting": Peer(packages=("backtesting==0.6.6",), bars=200_000, rounds=1),
    "backtrader": Peer(packages=("backtrader==1.9.78.123", "numpy"), bars=100_000, rounds=1),
    "nautilus": Peer(packages=("nautilus_trader==1.221.0",), bars=100_000, rounds=1),
    "hftbacktest": Peer(packages=("hftbacktest==2.4.4",), bars=0, rounds=3),
}


class PeerFailed(RuntimeError):
    """A peer could not be installed or did not end well; the message has the last line it said."""


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise PeerFailed(f"{Path(command[0]).name} exited {done.returncode}: {said[:200]}")
    return done.stdout


def _measured(name: str, peer: Peer, data: Path) -> dict[str, Any]:
    """Return what one peer reports. Raises `PeerFailed`."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        try:
            _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages])
        except PeerFailed as error:
            raise PeerFailed(f"not installed: {error}") from error
        script = Path(__file__).with_name(f"run_{name}.py")
        said = _run([python, "-W", "ignore", str(script), str(data), str(peer.rounds)])
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _ours(market: list[np.ndarray]) -> dict[str, Any]:
    """Return our forged flip with trades, decisions and the equity of every bar."""
    library, least = _library(FLIP), 9e9
    for _ in range(OUR_ROUNDS):
        strategy = library.instance({"fast": float(FAST), "slow": float(SLOW)})
        kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=strategy)])
        start = time.process_time()
        kernel.replay(0, *market)
        least = min(least, time.process_time() - start)
    table = kernel.trades()
    trades = list(
        zip(*(table[key].tolist() for key in ("entry_bar", "exit_bar", "side", "units")), strict=True)
    )
    return {
        "cpu_s": least,
        "trades": len(trades),
        "trades_sha256": trades_sha256(trades),
        "final_equity": kernel.final_equity(),
    }


def _our_quotes() -> dict[str, Any]:
    """Return our quoting on the tiled recording, as `benchmarks/book.py` measures it."""
    feed, least = sets.l2_set(), 9e9
    for _ in range(OUR_ROUNDS):
        simulation = QuoteSimulation(feed.local, feed.exchange, RULES)
        start = time.process_time()
        found = simulation.run()
        least = min(least, time.process_time() - start)
    counts = (found.steps, found.submits, found.cancels, found.fills, found.position_lots)
    return {
        "cpu_s": least,
        "trades": found.fills,
        "trades_sha256": counts_sha256(counts),
        "final_equity": found.balance - found.fees,
    }


def _on_bars(name: str, peer: Peer, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a peer and what ours report of the same bars. Raises `PeerFailed`."""
    most = max(each.bars for each in PEERS.values())
    market = [np.ascontiguousarray(column[: peer.bars]) for column in _market(most)]
    columns = folder / f"{peer.bars}.npz"
    np.savez(columns, **dict(zip(NAMES, market, strict=True)))
    return {"events": peer.bars, **_measured(name, peer, columns)}, _ours(market)


def _on_levels(name: str, peer: Peer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a peer and what ours report of the same recording. Raises `PeerFailed`."""
    if not sets.L2_FILE.is_file():
        raise PeerFailed(f"not run: INTERLOCK_SHARED has no {sets.L2_FILE.name}")
    return _measured(name, peer, sets.L2_FILE), _our_quotes()


def _compared(name: str, peer: Peer, folder: Path) -> dict[str, Any]:
    theirs, ours = _on_bars(name, peer, folder) if peer.bars else _on_levels(name, peer)
    events = theirs["events"]
    same = theirs["trades_sha256"] == ours["trades_sha256"]
    gap = theirs["final_equity"] - ours["final_equity"]
    return {
        "peer": f"{name} {theirs['version']}",
        "events": events,
        "m_s": round(events / theirs["cpu_s"] / 1e6, 3),
        "ours_m_s": round(events / ours["cpu_s"] / 1e6, 1),
        "ours_is_times": round(theirs["cpu_s"] / ours["cpu_s"], 1),
        "trades": "same" if same else f"{theirs['trades']} of our {ours['trades']}",
        "equity_gap": round(gap, 4),
        "is_equal": same and abs(gap) < EQUITY_TOLERANCE,
        "note": theirs["note"],
    }


def main(arguments: list[str]) -> int:
    """Print the table (`--json` as lines); 1: a result differs, 2: an unknown name, 3: a peer failed."""
    names = [word for word in arguments if word != "--json"] or list(PEERS)
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        print(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    code = 0
    if "--json" not in arguments:
        print("| peer | bars or events | its M/s | ours | times | trades | equity gap | note |")
        print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                found = _compared(name, PEERS[name], Path(folder))
            except (PeerFailed, subprocess.TimeoutExpired) as error:
                code = 3
                found = {"peer": name, **dict.fromkeys(FIGURES, "-"), "note": str(error)[:200]}
            else:
                code = max(code, 0 if found["is_equal"] else 1)
            shown = [str(value) for key, value in found.items() if key != "is_equal"]
            print(json.dumps(found) if "--json" in arguments else f"| {' | '.join(shown)} |", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
