"""How a paper session is put together: feed, venue, kernel, ledger and plan from one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec
import numpy as np

from engine.api.commands import PaperStart
from engine.arming_rules import bounded
from engine.core import Core
from engine.judging import listed
from engine.market.catalogue import BarColumns, load
from engine.market.hub import MarketHub
from engine.market.validation import interval_ns_of
from engine.research.choice import Choice
from engine.research.sweep.trials import config_id
from engine.state.init_state import InitState, state_bytes
from engine.trading.asked import chosen_for, deployed, run_fingerprint, session_facts, unknown_symbols
from engine.trading.custody import Custody, Verdict
from engine.trading.flow import EntryFlow
from engine.trading.inputs import JournalledKernel
from engine.trading.ledger import Ledger
from engine.trading.orders import OrderManager
from engine.trading.pipeline import openable, policy_of
from engine.trading.plan import SessionPlan, reached
from engine.trading.sandbox_desk import (
    DEMO_REJECTED_ORDER,
    DEMO_STALLS,
    SANDBOX_BAR_S,
    SANDBOX_NOTIONAL_USD,
    SANDBOX_PARAMS,
    SANDBOX_STOP_ATR,
    SANDBOX_TICKS_PER_S,
    odds_of,
)
from engine.trading.session import PaperSession
from engine.trading.shadow import REFERENCE
from engine.trading.starting import carry_over, closed_at_ns, demand_following, named_state
from engine.trading.twin import shadow_of
from engine.trading.verdict import why_not_clean
from native.intents import KernelConfig, LaneSpec
from native.rules import hold_window
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, NS_PER_S
from venues.contract import MarketSource
from venues.replay import ReplayFeed
from venues.sandbox.embedded import EmbeddedVenue
from venues.sandbox.link import LinkFeed
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.scenarios import (
    DEFAULT_SYMBOLS,
    SCENARIOS,
    VENUE_NAME,
    SymbolSpec,
    in_bars_of,
    instrument_of,
)
from venues.sandbox.script import Fault, FaultKind
from venues.sandbox.venue import SandboxVenue
from venues.types import Environment, Instrument, Mode

KERNEL_LOT = 1e-6
"""The kernel counts in millionths: a venue's finer lot is traded in these steps."""


def build_session(
    core: Core, start: PaperStart, session_id: str, custody: Custody | None = None
) -> PaperSession:
    """Build a session, not yet running; on `custody`'s account where there is one. Raises `Refusal`."""
    if start.candidate and start.init_state:
        raise Refusal("state_strategy_mismatch", "a state brings its strategy; name no candidate beside it")
    if start.candidate:
        start = deployed(core, start)
    if not (start.strategies or start.preset or start.init_state):
        raise Refusal("unknown_strategy", "name at least one strategy, or a preset")
    if custody is not None:
        if start.init_state:
            raise Refusal("invalid_config", "a session on a venue's account begins flat, without a state")
        return _exchange_session(core, start, session_id, custody)
    if start.feed == "sandbox":
        if start.speed <= 0:
            raise Refusal("invalid_config", "the sandbox market needs a speed above 0")
        return _sandbox_session(core, start, session_id)
    if start.feed.startswith("replay:"):
        return _replay_session(core, start, session_id)
    raise Refusal("invalid_config", f"feed is sandbox or replay:VENUE/SYMBOL/INTERVAL, not {start.feed}")


def _sandbox_session(core: Core, start: PaperStart, session_id: str) -> PaperSession:
    if start.scenario not in SCENARIOS:
        raise Refusal("invalid_config", f"scenarios: {', '.join(SCENARIOS)}")
    state, chosen = named_state(core, start) if start.init_state else (None, [])
    wanted = start.symbols if state is None else tuple(lane.symbol for lane in state.lanes)
    specs = [spec for spec in DEFAULT_SYMBOLS if not wanted or spec.symbol in wanted]
    if len(specs) < max(1, len(wanted)):
        raise unknown_symbols(wanted, "the sandbox", [spec.symbol for spec in DEFAULT_SYMBOLS])
    config = KernelConfig(
        cash=core.settings.risk.initial_equity_usd,
        notional_usd=SANDBOX_NOTIONAL_USD,
        stop_atr=SANDBOX_STOP_ATR,
        fee_bps=core.settings.execution.fee_bps,
        slippage_bps=core.settings.execution.slippage_bps,
        seed=start.seed,
        stops="next_open",
    )
    if state is not None:
        config = state.kernel_config
        specs.sort(key=lambda spec: wanted.index(spec.symbol))
    scenario = in_bars_of(SCENARIOS[start.scenario], SANDBOX_BAR_S)
    market = SandboxMarket(seed=start.seed, scenario=scenario, symbols=tuple(specs))
    feed = SandboxFeed(
        market,
        core.clock,
        bar_seconds=SANDBOX_BAR_S,
        speed=start.speed,
        ticks_per_second=SANDBOX_TICKS_PER_S,
        max_bars=start.max_bars or None,
        stalls=DEMO_STALLS if start.scenario == "demo" else None,
    )
    fee = Decimal(str(config.fee_bps))
    instruments = {spec.symbol: instrument_of(spec, Decimal("1.5"), fee) for spec in specs}
    if state is None:
        names = start.strategies or ("",)
        chosen = [chosen_for(names[index % len(names)], start, SANDBOX_PARAMS) for index in range(len(specs))]
    lanes = [_sandbox_lane(spec, choice) for spec, choice in zip(specs, chosen, strict=True)]
    venue = SandboxVenue(
        core.clock,
        starting_cash_usd=Decimal(str(config.cash)),
        fill_at="next_quote",
        price_grid="tick",
        slippage_bps=config.slippage_bps,
        taker_fee_bps=fee,
        instruments=tuple(instruments.values()),
        account_id=f"paper-{session_id}",
        odds=odds_of(core.settings.execution, start.seed),
    )
    if start.scenario == "demo":
        venue.script(Fault(nth=DEMO_REJECTED_ORDER, kind=FaultKind.REJECT, code="insufficient_margin"))
    session = _assemble(
        core,
        start,
        session_id,
        feed,
        _paper_books(core, venue, config),
        config,
        lanes,
        chosen,
        instruments,
        round(SANDBOX_BAR_S * NS_PER_S),
        False,
        state,
    )
    _warm(session, feed, [spec.symbol for spec in specs], state, start.max_state_gap_bars)
    return session


def _sandbox_lane(spec: SymbolSpec, choice: Choice) -> LaneSpec:
    return LaneSpec(
        symbol=spec.symbol,
        strategy=choice.strategy,
        params=choice.params if isinstance(choice.strategy, str) else {},
        lot=float(spec.lot),
        tick=float(spec.tick),
    )


def _warm(
    session: PaperSession,
    feed: SandboxFeed,
    symbols: Sequence[str],
    state: InitState | None,
    max_gap_bars: int,
) -> None:
    """Show hub, memory and kernel the bars before the first; an imported state must follow on them."""
    for lane, symbol in enumerate(symbols):
        bars = feed.warmup_bars(symbol, session.core.settings.engine.warmup_bars)
        session.hub.prime(bars)
        session.memory[symbol].prime(bars)
        if state is not None:
            first_ns, bar_ns = bars[-1].close_ns, round(SANDBOX_BAR_S * NS_PER_S)
            demand_following(state, symbol, first_ns, bar_ns, max_gap_bars)
            continue
        columns = [
            [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")
        ]
        arrays = [np.array(column, dtype=np.float64) for column in columns]
        session.kernel.warm(lane, np.array([bar.open_ns for bar in bars], dtype=np.int64), *arrays)


def _exchange_session(core: Core, start: PaperStart, session_id: str, custody: Custody) -> PaperSession:
    """A session on the account that custody holds, fed by the exchange's own stream."""
    link = custody.venue
    if not isinstance(link, MarketSource):
        raise Refusal("invalid_config", f"{link.name} has no market feed for sessions yet")
    if custody.verdict is not Verdict.CLEAN:
        raise Refusal(why_not_clean(custody.verdict), f"the account is {custody.verdict}")
    known = listed(custody.venue)
    symbols = list(start.symbols) or sorted(known)
    if any(symbol not in known for symbol in symbols):
        raise unknown_symbols(symbols, link.name, known)
    held = [name for name in symbols if custody.ledger.holding(name).quantity]
    if held:
        said = f"{', '.join(held)}: a session starts flat; flatten first"
        raise Refusal("session_exists", said)
    config = KernelConfig(
        cash=float(custody.ledger.equity_usd),
        notional_usd=min(SANDBOX_NOTIONAL_USD, core.settings.risk.max_order_notional_usd / 2),
        fee_bps=core.settings.execution.fee_bps,
        slippage_bps=core.settings.execution.slippage_bps,
        seed=start.seed,
        stops="next_open",
    )
    names = start.strategies or ("",)
    chosen = [chosen_for(names[index % len(names)], start, SANDBOX_PARAMS) for index in range(len(symbols))]
    lanes = [
        LaneSpec(
            symbol=symbol,
            strategy=choice.strategy,
            params=choice.params if isinstance(choice.strategy, str) else {},
            lot=max(float(known[symbol].lot), KERNEL_LOT),
            tick=float(known[symbol].tick),
        )
        for symbol, choice in zip(symbols, chosen, strict=True)
    ]
    feed = LinkFeed(core.feeds.source(link))
    try:
        session = _assemble(
            core,
            start,
            session_id,
            feed,
            (custody.orders, custody.ledger),
            config,
            lanes,
            chosen,
            {symbol: known[symbol] for symbol in symbols},
            round(SANDBOX_BAR_S * NS_PER_S),
            False,
        )
    except BaseException:
        feed.stop()  # a session that does not begin listens to nothing
        raise
    session.venue_facts = custody.venue_facts
    session.clock_offset_ms = custody.offset_ms
    return session


def _replay_session(core: Core, start: PaperStart, session_id: str) -> PaperSession:
    parts = start.feed.removeprefix("replay:").split("/")
    if len(parts) != 3:
        raise Refusal("invalid_config", "replay feeds are named replay:VENUE/SYMBOL/INTERVAL")
    try:
        bars = load(core.paths.home, parts[0], parts[1], parts[2])
    except (LookupError, ValueError) as error:
        raise Refusal("data_invalid", str(error)) from error
    symbol, interval_ns = parts[1], interval_ns_of(parts[2])
    state, chosen = named_state(core, start) if start.init_state else (None, [])
    if state is not None:
        bars = _after(state, bars, symbol, interval_ns, start.max_state_gap_bars)
    if start.max_bars:
        names = ("ts_ns", "open", "high", "low", "close", "volume")
        cut = {name: getattr(bars, name)[: start.max_bars] for name in names}
        bars = msgspec.structs.replace(bars, **cut)
    choice = chosen[0] if chosen else chosen_for((start.strategies or ("",))[0], start, {})
    account = choice.account or KernelConfig()
    if state is not None:
        account = state.kernel_config
        choice = replace(choice, lot=state.lanes[0].lot, tick=state.lanes[0].tick)
    # The same assumptions as `run start` on the same bars; stops are decided at the close when matching
    # is external, which only strategies with a bracket notice.
    fee = Decimal(str(account.fee_bps))
    instrument = Instrument(
        symbol=symbol,
        venue=VENUE_NAME,
        tick=Decimal(str(choice.tick)) if choice.tick else Decimal("1e-9"),
        lot=Decimal(str(choice.lot)),
        min_notional_usd=Decimal(0),
        maker_fee_bps=fee,
        taker_fee_bps=fee,
    )
    feed = ReplayFeed(symbol, bars, core.clock, start.speed, interval_ns)
    venue = SandboxVenue(
        core.clock,
        starting_cash_usd=Decimal(str(account.cash)),
        fill_at="next_open",
        slippage_bps=account.slippage_bps,
        taker_fee_bps=fee,
        instruments=(instrument,),
        account_id=f"paper-{session_id}",
    )
    lane = LaneSpec(
        symbol=symbol,
        strategy=choice.strategy,
        params=choice.params if isinstance(choice.strategy, str) else {},
        lot=choice.lot,
        tick=choice.tick,
    )
    return _assemble(
        core,
        start,
        session_id,
        feed,
        _paper_books(core, venue, account),
        account,
        [lane],
        [choice],
        {symbol: instrument},
        interval_ns,
        True,
        state,
    )


def _after(
    state: InitState, bars: BarColumns, symbol: str, interval_ns: int, max_gap_bars: int
) -> BarColumns:
    """Return the bars that follow a state's last one. Raises `Refusal`."""
    if [lane.symbol for lane in state.lanes] != [symbol]:
        names = ", ".join(lane.symbol for lane in state.lanes)
        raise Refusal("state_symbol_mismatch", f"the feed is {symbol}, the state has {names}")
    first = int(np.searchsorted(bars.ts_ns, state.lanes[0].last_bar_ms * NS_PER_MS, side="right"))
    if first == len(bars):
        raise Refusal("state_gap", f"{symbol}: no bar follows the state's last one")
    demand_following(state, symbol, int(bars.ts_ns[first]), interval_ns, max_gap_bars)
    names_of = ("ts_ns", "open", "high", "low", "close", "volume")
    rest = {name: getattr(bars, name)[first:] for name in names_of}
    return msgspec.structs.replace(bars, **rest)


def _assemble(
    core: Core,
    start: PaperStart,
    session_id: str,
    feed: SandboxFeed | ReplayFeed | LinkFeed,
    books: tuple[OrderManager, Ledger],
    config: KernelConfig,
    lanes: list[LaneSpec],
    chosen: list[Choice],
    instruments: dict[str, Instrument],
    interval_ns: int,
    uses_market_time: bool,
    state: InitState | None = None,
) -> PaperSession:
    symbols = [lane.symbol for lane in lanes]
    orders, ledger = books
    if state is None:  # a state's kernel goes on under the rules it was recorded with
        risk = core.settings.risk
        window = hold_window(risk.min_hold_minutes, risk.max_hold_minutes, interval_ns)
        config = replace(config, min_hold_bars=window["min_hold_bars"], max_hold_bars=window["max_hold_bars"])
    hub = MarketHub(core.clock, feed, core.settings.market.feed_stale_ms / 1000, symbols)
    policy = policy_of(
        core.settings.risk,
        Mode.PAPER if core.environment is Environment.SANDBOX else core.mode,
        symbols,
        tuple(dict.fromkeys(instrument.venue for instrument in instruments.values())),
        tuple(dict.fromkeys(choice.name for choice in chosen)),
    )
    plan = SessionPlan(
        session_id=session_id,
        feed_name=start.feed if start.feed != "sandbox" else feed.name,
        lanes=tuple((lane.symbol, choice.name) for lane, choice in zip(lanes, chosen, strict=True)),
        instruments=instruments,
        policy=openable(bounded(core, policy), orders.venue.capabilities()),
        account=orders.account,
        is_supervised=start.is_supervised,
        supervised_strategies=frozenset(start.supervised_strategies),
        ticket_ttl_ns=round(core.settings.execution.ticket_expiry_s * NS_PER_S),
        run_fingerprint=run_fingerprint(core, start),
        uses_market_time=uses_market_time,
        init_state=b"" if state is None else state_bytes(state),
        config_ids={choice.name: config_id(choice.name, choice.params) for choice in chosen},
        environment=reached(core, orders.venue),
    )
    kernel = JournalledKernel(config, lanes, matching="external", run_id=session_id)
    kernel.facts = session_facts(
        core, plan, config, lanes, chosen, "" if state is None else state.state_sha256
    )
    if state is not None:
        assert isinstance(orders.venue, EmbeddedVenue), "only a paper account can be carried over"
        ledger = carry_over(state, kernel, orders.venue.venue)
    session = PaperSession(core, plan, hub, orders, kernel, ledger, feed.stop)
    if isinstance(orders.venue, EmbeddedVenue):  # a paper account lives in its market's time
        orders.traffic_ns = lambda: session.market_ns
        if uses_market_time or start.speed != 1.0:  # its minute is not the desk's
            orders.flow = EntryFlow(orders.traffic_ns)
    if start.shadow and not (state is not None and start.shadow == REFERENCE):
        session.shadow = kernel.shadow = shadow_of(start, config, lanes, chosen, session_id)
    if state is not None:
        session.go_on(closed_at_ns(state))
    return session


def _paper_books(core: Core, venue: SandboxVenue, config: KernelConfig) -> tuple[OrderManager, Ledger]:
    """Return the orders and the ledger of a paper account of this session's own."""
    orders = OrderManager(core, EmbeddedVenue(venue, venue.account_id), venue.account_id)
    return orders, Ledger(Decimal(str(config.cash)))
