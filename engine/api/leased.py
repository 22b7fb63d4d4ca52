"""Which commands only the holder of the operator lease may send."""

from __future__ import annotations

from engine.api.commands import PaperStart, Resume, SimReset, TicketApprove, TicketSelect, TicketSubmit
from engine.api.corridor import SubmitAct, SubmitOpen

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
    }
)
"""What starts or restores risk. Stopping, rejecting, cancelling and a second person's part need no lease."""
