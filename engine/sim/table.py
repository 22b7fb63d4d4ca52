"""The invariants that the simulator judges, by their numbers in the safety case."""

from __future__ import annotations

from collections.abc import Mapping

INVARIANTS: Mapping[str, str] = {
    # Beside these, as I0: nothing is raised that nobody catches.
    "I1": "an intent has at most one order, across restarts and retries",
    "I2": "no byte leaves before request, nonce, bytes and ticket hash are durable",
    "I3": "a retry's bytes are the first attempt's bytes",
    "I4": "nonces rise strictly, across restarts and clock steps, and stay near the clock",
    "I5": "no new risk on a symbol with an UNKNOWN order, nor on an AMBIGUOUS account",
    "I6": "an order is called dead only where the exchange agrees",
    "I7": "worst-case exposure at the exchange stays within its limit",
    "I8": "orders move only along the table of the order machine",
    "I9": "an order is never filled beyond its quantity, and FILLED only when all of it is",
    "I10": "under close_only only reducing orders leave",
    "I11": "under halt_all no order leaves but an operator's flatten",
    "I12": "the latch is never below the shared byte, is on the disk, and survives every crash",
    "I13": "the latch is loosened only by a reset with a name, a reason and a new epoch",
    "I14": "cancels are permitted at every level, and leave once they are wanted",
    "I15": "every fill of the exchange is booked exactly once, none is invented, no hole is overlooked",
    "I16": "a CLEAN account's positions are the exchange's, else new risk is held",
    "I17": "a CLEAN account's living orders are the exchange's; none that the record calls open is forgotten",
    "I18": "a CLEAN account's cash is the exchange's to the cent",
    "I19": "a second reconciliation books nothing",
    "I20": "every holding is the sum of its bookings",
    "I21": "an approval is used once, for the exact hash, in its epoch, before it expires",
    "I22": "a supervised entry carries a person's name",
    "I24": "an order is sent under the limits that its ticket was judged by",
    "I26": "high water, day and total survive restarts and clocks",
    "I27": "no entry leaves while any hold stands",
    "I28": "no entry leaves on a price that the market never had",
    "I29": "a verdict judged again from the journal is the same verdict",
    "I30": "the audit chain verifies",
    "I31": "the ledger rebuilt from the record is the ledger in memory",
    "I32": "what memory counts as filled is on the disk",
    "I33": "what an ended session left is what its report names, and is never touched again",
    "I34": "the audit log's times never go back, and no entry is decided on behind them",
    "I35": "the signing secret is nowhere but in the signer",
    "I36": "the status that is shown leaves out no hold and no kill",
    "I37": "progress is told to the watchdog only while the exchange answers",
    "I38": "the watchdog latches and cancels whatever ails the engine",
    "I39": "only the living incarnation sends, with an epoch not above its own",
    "I40": "what is kept in memory is bounded",
    "I42": "when faults stop, all settles within the liveness phase",
    "I43": "the kernel that runs is the kernel that is named",
    "I44": "garbage on the bus is refused and changes nothing",
    "I45": "no control or direction character reaches a console",
}
"""Number -> what must hold."""
NOT_JUDGED: Mapping[str, str] = {
    "I23": "no order without a strategy whose bytes a signed seal vouches for: the Sentinel is not built yet",
    "I25": "no real order without promotion evidence for exactly this: the gate is not built yet; until it"
    " is, an engine whose orders would be real refuses to start",
    "I41": "the same seed is the same bytes: judged over whole runs, by tests and by CI",
}
"""Number -> why no seed judges it."""
