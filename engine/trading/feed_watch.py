"""The stale-data hold of each symbol: raised by silence, cleared by good samples in a row."""

from __future__ import annotations

from engine.trading.session import PaperSession
from safety.interlock import GOOD_SAMPLES_NEEDED, Clearance


def watch_feed(session: PaperSession) -> None:
    """Raise or clear the stale-data hold and alarm of each symbol; called about once a second."""
    if session.plan.uses_market_time:
        return
    for symbol in session.hub.symbols():
        age_ms = session.hub.age_ms(symbol)
        if age_ms is not None and session.hub.is_stale(symbol):
            _raise_stale(session, symbol, age_ms)
        elif session.core.interlock.has("stale_data", symbol):
            _count_good(session, symbol)


def _raise_stale(session: PaperSession, symbol: str, age_ms: int) -> None:
    session.stale_good[symbol] = 0
    evidence = f"no quote for {age_ms / 1000:.1f} s"
    session.core.interlock.raise_hold(
        "stale_data",
        subject=symbol,
        since_ns=session.core.clock.now_ns(),
        source=session.hub_name,
        evidence=evidence,
    )
    session.core.alarm("feed_stale", symbol, session.hub_name, evidence)


def _count_good(session: PaperSession, symbol: str) -> None:
    session.stale_good[symbol] = session.stale_good.get(symbol, 0) + 1
    if session.stale_good[symbol] >= GOOD_SAMPLES_NEEDED:
        clearance = Clearance(good_samples=session.stale_good[symbol], evidence="quotes are fresh again")
        session.core.interlock.clear_hold("stale_data", clearance, symbol)
        session.core.calm("feed_stale", symbol)
        session.core.note("feed_fresh", session.hub_name, f"{symbol}: quotes are fresh again")
