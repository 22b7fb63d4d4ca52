"""What became of doubt: every order that was UNKNOWN, how long, and whether a verdict of death was right."""

from __future__ import annotations

from engine.sim.ending import ask
from engine.sim.faults import Fault
from engine.sim.world import World
from venues.types import OrderStatus, Record

EVENTS = "select client_order_id, kind, at_ns from order_events order by seq"
DEAD = OrderStatus.REJECTED


class Doubts(Record):
    """The doubts of one world. `resolved_ms` is empty where the engine's clock was stepped (F30)."""

    unknown: int = 0
    """Times an order became UNKNOWN."""
    dead: int = 0
    """Orders that were declared dead: never at the exchange, never to be."""
    wrongly_dead: int = 0
    """Of these, the ones that the exchange has taken."""
    resolved_ms: tuple[int, ...] = ()


def doubts_of(world: World) -> Doubts:
    """Read the record of a world that has settled, and hold it against the exchange's journal."""
    since: dict[str, int] = {}
    resolved_ms: list[int] = []
    dead: set[str] = set()
    unknown = 0
    for order_id, kind, at_ns in ask(EVENTS):
        name, status = str(order_id), OrderStatus(str(kind))
        assert isinstance(at_ns, int)
        if status is OrderStatus.UNKNOWN and name not in since:
            since[name], unknown = at_ns, unknown + 1
        elif status is not OrderStatus.UNKNOWN and name in since:
            resolved_ms.append((at_ns - since.pop(name)) // 1_000_000)
        if status is DEAD:
            dead.add(name)
    journal = world.venue.journal
    wrongly = [name for name in dead if name in journal and journal[name].status is not DEAD]
    is_timed = not world.dice.counts[Fault.CLOCK_STEP] + world.dice.counts[Fault.CLOCK_BACK_AT_WRITE]
    return Doubts(
        unknown=unknown,
        dead=len(dead),
        wrongly_dead=len(wrongly),
        resolved_ms=tuple(resolved_ms) if is_timed else (),
    )
