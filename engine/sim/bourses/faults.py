"""What the doubles of venues may do besides what befalls every wire: each seed draws its own set and rates.

These kinds are drawn apart from `engine.sim.faults`, so that the sandbox's seeds stay what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from engine.sim.faults import ALWAYS, Dice
from seams.rng import Rng, Stream
from venues.sandbox.programs import ANY, Fault, Strike


class VenueFault(StrEnum):
    """One kind of fault of a venue, with the letter V and a number."""

    STATUS = "V1.status"
    """The request is applied, and a proxy answers 502 with a page of HTML."""
    NOT_APPLIED = "V2.status_without_apply"
    CUT = "V3.cut"
    HTML = "V4.html"
    TRUNCATED = "V5.truncated"
    NULL = "V6.null"
    EMPTY = "V7.empty"
    REDIRECT = "V8.redirect"
    DRIP = "V9.drip"
    SILENCE = "V10.silence"
    LATE_APPLY = "V11.late_apply"
    """The request is applied, and answered, seconds later."""
    HANG_UP = "V12.hang_up"
    """The venue closes every stream, as it does when it is restarted."""
    FUNDING = "V20.funding"
    POST_ONLY = "V21.post_only"
    """For some seconds only orders that make are taken."""
    FALSE_CHECKSUM = "V30.false_checksum"
    PENDING_CANCEL = "V31.pending_cancel"
    """For some seconds cancels are taken and done later."""
    CANCEL_ONLY = "V32.cancel_only"


RATES: Mapping[VenueFault, tuple[float, float]] = {
    VenueFault.STATUS: (0.005, 0.06),
    VenueFault.NOT_APPLIED: (0.005, 0.06),
    VenueFault.CUT: (0.005, 0.06),
    VenueFault.HTML: (0.005, 0.06),
    VenueFault.TRUNCATED: (0.005, 0.06),
    VenueFault.NULL: (0.005, 0.06),
    VenueFault.EMPTY: (0.005, 0.06),
    VenueFault.REDIRECT: (0.005, 0.06),
    VenueFault.DRIP: (0.002, 0.02),
    VenueFault.SILENCE: (0.002, 0.03),
    VenueFault.LATE_APPLY: (0.005, 0.06),
    VenueFault.HANG_UP: (0.004, 0.04),
    VenueFault.FUNDING: (0.005, 0.05),
    VenueFault.POST_ONLY: (0.004, 0.03),
    VenueFault.FALSE_CHECKSUM: (0.004, 0.05),
    VenueFault.PENDING_CANCEL: (0.004, 0.05),
    VenueFault.CANCEL_ONLY: (0.004, 0.03),
}
"""(least, most) chance at each opportunity: a request, or half a second of the world from `HANG_UP` on."""
SHARES = (0.1, 0.3, 0.6)
STRIKES: Mapping[VenueFault, tuple[Strike, float, float]] = {
    VenueFault.STATUS: (Strike.STATUS, 502, 502),
    VenueFault.NOT_APPLIED: (Strike.STATUS_WITHOUT_APPLY, 503, 503),
    VenueFault.CUT: (Strike.CUT, 0, 0),
    VenueFault.HTML: (Strike.HTML, 0, 0),
    VenueFault.TRUNCATED: (Strike.TRUNCATED, 0, 0),
    VenueFault.NULL: (Strike.NULL, 0, 0),
    VenueFault.EMPTY: (Strike.EMPTY, 0, 0),
    VenueFault.REDIRECT: (Strike.REDIRECT, 0, 0),
    VenueFault.DRIP: (Strike.DRIP, 0.001, 0.05),
    VenueFault.SILENCE: (Strike.SILENCE, 0, 0),
    VenueFault.LATE_APPLY: (Strike.DELAY_BEFORE, 0.5, 9.0),
}
"""What befalls one request, as the doubles' own fault programs know it: (strike, least and most value)."""


class VenueDice:
    """Decides and counts one venue's own faults; silent whenever the world's dice are."""

    def __init__(self, seed: int, venue: str, dice: Dice, kinds: Iterable[VenueFault]) -> None:
        """A world that is restricted to some kinds (or none) has none of these."""
        self._dice, self._rng = dice, Rng(seed)
        self._streams: dict[VenueFault, Stream] = {}
        self.counts: Counter[VenueFault] = Counter()
        swarm = self._rng.stream("swarm", venue)
        share = swarm.choice(SHARES)
        is_whole = all(dice.plan.chances[each] > 0 for each in ALWAYS)
        self.chances: dict[VenueFault, float] = {}
        for kind in kinds:
            least, most = RATES[kind]
            is_on, chance = swarm.random() < share, least * (most / least) ** swarm.random()
            self.chances[kind] = chance if is_on and is_whole else 0.0

    def strikes(self, kind: VenueFault) -> bool:
        """Decide one opportunity of a fault; a strike is counted."""
        chance = self.chances[kind]
        if not self._dice.is_on or chance <= 0.0 or self.stream(kind).random() >= chance:
            return False
        self.counts[kind] += 1
        return True

    def stream(self, kind: VenueFault) -> Stream:
        """Return this seed's stream of chance for one kind."""
        if kind not in self._streams:
            self._streams[kind] = self._rng.stream("venue dice", kind)
        return self._streams[kind]

    def of_request(self) -> Fault | None:
        """Return what befalls the next request, if anything."""
        for kind, (strike, least, most) in STRIKES.items():
            if self.strikes(kind):
                value = self.stream(kind).uniform(least, most)
                return Fault(nth=1, on=ANY, strike=strike, value=value, text="https://elsewhere.invalid/")
        return None
