"""Killed at any moment: every acknowledged commit is there, none twice, none by halves."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.store import Store
from seams.clock import FixedClock
from tests.store.looking import intents_without_proof
from venues.types import Mode

REPOSITORY = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from engine.store import Store
from seams.clock import SystemClock
from venues.types import Mode
from tests.store.builders import fill, intent, order
store = Store.open(Path(sys.argv[1]), Mode.PAPER, SystemClock())
epoch = store.next_epoch()
for number in range(100000):
    name = f"{epoch}-{number}"
    store.orders.record_intent_and_order(intent(f"I-{name}"), order(f"O-{name}", f"I-{name}"))
    print(name, flush=True)
    store.orders.record_fill(fill(f"F-{name}", f"O-{name}"))
"""


@pytest.mark.parametrize("seed", range(6))
def test_acknowledged_commits_survive_a_kill(path: Path, seed: int) -> None:
    delays = random.Random(seed)
    acknowledged: set[str] = set()
    for _ in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )
        assert writer.stdout is not None
        acknowledged.add(writer.stdout.readline().strip())
        time.sleep(delays.uniform(0.0, 0.15))
        writer.kill()
        rest = writer.stdout.read().split("\n")
        acknowledged.update(line for line in rest[:-1] if line)
        writer.stdout.close()
        writer.wait()
    store = Store.open(path, Mode.PAPER, FixedClock())
    orders = [row.client_order_id.removeprefix("O-") for row in store.orders.orders_open()]
    fills = [row.fill_id for row in store.orders.fills_of_account("sandbox", "A")]
    proofs = intents_without_proof(store.link)
    store.close()
    assert acknowledged <= set(orders), f"seed {seed}"
    assert len(orders) == len(set(orders)) == len(proofs)
    assert len(fills) == len(set(fills)) >= len(orders) - 2
