"""Which commands only the holder of the operator lease may send."""

from __future__ import annotations

from engine.api.arming import ArmAsk
from engine.api.commands import PaperStart, Resume, SimReset, TicketApprove, TicketSelect, TicketSubmit
from engine.api.corridor import Step, SubmitAct, SubmitOpen

NEEDS_LEASE = frozenset(
    {
        TicketSelect,
        TicketApprove,
        TicketSubmit,
        Resume,
        PaperStart,
        SimReset,
        SubmitOpen,
        SubmitAct,
        ArmAsk,
    }
)
"""What starts or restores risk. Stopping, rejecting, cancelling and a second person's part need no lease."""
FREE_STEPS = frozenset({Step.GATE, Step.STATUS, Step.RECONCILE, Step.FILLS, Step.SUPERVISE, Step.CANCEL})
"""Steps of the corridor that judge, look or stop; the gate is where a second person signs."""


def needs_lease(body: object) -> bool:
    """Tell whether a command is only for who holds the operator lease."""
    return type(body) in NEEDS_LEASE and not (isinstance(body, SubmitAct) and body.step in FREE_STEPS)
