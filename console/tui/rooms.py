"""The rooms that are mounted after the first frame."""

from __future__ import annotations

from console.tui.screens.alarms import Alarms
from console.tui.screens.corridor import CorridorRoom
from console.tui.screens.drill import DrillRoom
from console.tui.screens.events import Events
from console.tui.screens.gates import Gates
from console.tui.screens.incidents import IncidentRoom
from console.tui.screens.limits import Limits
from console.tui.screens.order_form import OrderForm
from console.tui.screens.orders import Orders
from console.tui.screens.positions import Positions
from console.tui.screens.reconcile import ReconcileRoom
from console.tui.screens.room import Room
from console.tui.screens.runbooks import Runbooks
from console.tui.screens.runs import Runs
from console.tui.screens.system import System
from console.tui.screens.tickets import Tickets

_KINDS: tuple[type[Room], ...] = (
    Tickets,
    Positions,
    Orders,
    Alarms,
    Runs,
    Gates,
    Runbooks,
    Events,
    System,
    Limits,
    IncidentRoom,
    ReconcileRoom,
    DrillRoom,
    CorridorRoom,
    OrderForm,
)


def other_rooms() -> list[Room]:
    """Build every room but the overview."""
    return [kind() for kind in _KINDS]
