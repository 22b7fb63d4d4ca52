"""A paper session that goes on from a state: kernel, venue account and ledger agree from the start."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.api.commands import PaperStart
from engine.core import Core
from engine.research.choice import Choice, RunFailed
from engine.state.init_state import InitState
from engine.state.start import begin, demand_next, proved
from engine.state.states import stored_state
from engine.trading.ledger import Holding, Ledger
from native.kernel import Kernel
from safety.reasons import Refusal
from seams.clock import NS_PER_MS
from venues.sandbox.account import AccountState
from venues.sandbox.account import Holding as VenueHolding
from venues.sandbox.journal import STATE_VERSION, SandboxState
from venues.sandbox.venue import SandboxVenue

MICRO = Decimal("0.000001")


def named_state(core: Core, start: PaperStart) -> tuple[InitState, list[Choice]]:
    """Return the state that a session is to start from, and its strategies. Raises `Refusal`."""
    if start.preset or start.params:
        raise Refusal("state_config_mismatch", "a state brings its parameters and account; name no others")
    try:
        state = stored_state(start.init_state, core.paths.home, core.disk)
        chosen = proved(state, core.paths.home, core.disk)
    except RunFailed as error:
        raise Refusal(error.code, str(error)) from error
    if any(lane.build_sha256 for lane in state.lanes):
        raise Refusal(
            "state_strategy_mismatch", "a session runs no forged strategy; export from a run of the file"
        )
    symbols = [lane.symbol for lane in state.lanes]
    if start.symbols and set(start.symbols) != set(symbols):
        raise Refusal("state_symbol_mismatch", f"the state has {', '.join(symbols)}")
    names = {lane.strategy for lane in state.lanes}
    if start.strategies and {name.replace("-", "_") for name in start.strategies} != names:
        raise Refusal("state_strategy_mismatch", f"the state has {', '.join(sorted(names))}")
    return state, chosen


def demand_following(
    state: InitState, symbol: str, first_ns: int, interval_ns: int, max_gap_bars: int
) -> None:
    """Refuse a feed whose first bar does not follow the state's last. Raises `Refusal`."""
    try:
        demand_next(state, symbol, first_ns, interval_ns, max_gap_bars)
    except RunFailed as error:
        raise Refusal(error.code, str(error)) from error


def carry_over(state: InitState, kernel: Kernel, venue: SandboxVenue) -> Ledger:
    """Let kernel and venue start from a state; return the ledger that says the same. Raises `Refusal`."""
    try:
        begin(kernel, state)
    except RunFailed as error:
        raise Refusal(error.code, str(error)) from error
    balance = Decimal(repr(state.balance))
    held = [_holding(kernel, lane) for lane in range(len(kernel.lanes)) if kernel.position(lane).side]
    account = AccountState(
        starting_cash_usd=balance,
        cash_usd=balance,
        fees_usd=Decimal(0),
        realised_usd=Decimal(0),
        holdings={
            each.symbol: VenueHolding(quantity=each.quantity, entry_price=each.entry_price) for each in held
        },
    )
    marks = {each.symbol: float(each.mark_price) for each in held}
    venue.import_state(
        msgspec.to_builtins(
            SandboxState(
                version=STATE_VERSION,
                account=account,
                journal=(),
                fills=(),
                marks=marks,
                market_ns=0,
                attempts=0,
            )
        )
    )
    ledger = Ledger(balance)
    ledger.take_over(held)
    return ledger


def closed_at_ns(state: InitState) -> int:
    """Return the time of the state's last close in UTC ns."""
    return max(lane.last_bar_ms for lane in state.lanes) * NS_PER_MS + state.interval_ns


def _holding(kernel: Kernel, lane: int) -> Holding:
    held, past = kernel.position(lane), kernel.remembered(lane)
    return Holding(
        symbol=kernel.lanes[lane].symbol,
        quantity=Decimal(held.side * held.units) * MICRO,
        entry_price=Decimal(repr(held.entry_price)),
        mark_price=Decimal(repr(past["last_close"])),
        mark_ns=past["last_ts_ns"],
    )
