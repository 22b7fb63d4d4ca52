"""Judging an order that no session wished for, from what custody knows of the account at this moment.

Such orders are a person's (the corridor) and the closing ones of a residue; sessions gather their own facts
in `engine.trading.gather`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.arming_rules import bounded
from engine.core import Core
from engine.trading.custody import Custody
from engine.trading.gather import order_fact
from engine.trading.pipeline import openable, policy_of
from engine.trading.throttle import counted
from safety.canonical import changed
from safety.exposure import Carrying
from safety.facts import AccountFacts, DeskFacts, MarketFacts, OrderFact, PositionFact, Preflight
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.preflight import preflight
from safety.reasons import REASONS, Refusal
from safety.spelling import unlisted
from seams.clock import NS_PER_MS
from venues.contract import VenueAdapter
from venues.evidence import Market
from venues.types import Environment, Instrument, Mode, VenuePosition

NOT_LISTED = ("instrument_unknown", "market_not_supported")
NOTHING = Decimal(0)
"""What other accounts carry: an engine with an account in custody trades no other."""


def instrument_of(custody: Custody, symbol: str) -> Instrument | None:
    """Return what the venue says about a symbol; None where it does not list it."""
    return next((each for each in custody.venue.instruments() if each.symbol == symbol), None)


def listed(venue: VenueAdapter) -> dict[str, Instrument]:
    """Return the venue's markets by symbol. Raises `Refusal` (venue_not_ready) before it has listed one."""
    found = {each.symbol: each for each in venue.instruments()}
    if not found:
        said = f"{venue.name} has not listed a market yet; interlock venue check says what is missing"
        raise Refusal("venue_not_ready", said)
    return found


def judge_opening(core: Core, custody: Custody, intent: ExecutionIntent, market: Market | None) -> Preflight:
    """Judge an order that may add risk. What is not known refuses, as everywhere."""
    memory = core.risk_memory
    base_usd = Decimal(str(core.settings.risk.initial_equity_usd))
    now_ns = core.clock.now_ns()
    facts = changed(
        _facts(core, custody, intent, _holdings(custody)),
        mark_price=None if market is None else market.mark,
        mark_age_ms=None if market is None else (now_ns - market.at_ns) // NS_PER_MS,
        orders=_orders(custody),
        market=_market(core, intent.symbol, market),
        desk=DeskFacts(
            other_exposure_usd=NOTHING,
            venue_other_exposure_usd=NOTHING,
            other_alt_longs_usd=NOTHING,
            other_alt_shorts_usd=NOTHING,
            entry_usd_in_minute=custody.orders.flow.usd(),
            day_pnl_usd=memory.day_pnl_usd,
            drawdown=memory.drawdown(base_usd),
        ),
    )
    policy = openable(policy_by_hand(core, intent), custody.venue.capabilities())
    return preflight(intent, facts, policy, instrument_of(custody, intent.symbol))


def judge_closing(
    core: Core, custody: Custody, intent: ExecutionIntent, position: VenuePosition, instrument: Instrument
) -> Preflight:
    """Judge a closing order by every rule; what only entries are judged by stays unknown."""
    held = PositionFact(symbol=position.symbol, quantity=position.quantity, mark_price=position.mark_price)
    facts = changed(
        _facts(core, custody, intent, (held,)), mark_price=intent.mark_price, mark_age_ms=intent.mark_age_ms
    )
    return preflight(intent, facts, policy_by_hand(core, intent), instrument)


def facts_told(core: Core, symbol: str) -> dict[str, object]:
    """Return where a market's facts come from, for an artifact; nothing at a loopback."""
    return {} if core.market is None else {"market_facts": core.market.told(symbol)}


def corrections(codes: Sequence[str], custody: Custody, symbol: str) -> dict[str, str]:
    """Return what to do about each reason that refused; one that is not listed is told its neighbours."""
    said = {code: REASONS[code].correction for code in codes}
    known = [each.symbol for each in custody.venue.instruments()]
    if known and symbol not in known:
        said |= dict.fromkeys(NOT_LISTED, unlisted(symbol, custody.venue.name, known))
    return said


def policy_by_hand(core: Core, intent: ExecutionIntent) -> ExecutionPolicy:
    """Return the bounds of one such order: the desk's limits, for this symbol at this venue."""
    mode = Mode.PAPER if core.environment is Environment.SANDBOX else core.mode
    policy = policy_of(core.settings.risk, mode, [intent.symbol], [intent.broker_target], [])
    return changed(bounded(core, policy), allowed_strategies=(intent.strategy_id,))


def _facts(
    core: Core, custody: Custody, intent: ExecutionIntent, positions: tuple[PositionFact, ...]
) -> AccountFacts:
    """Return what is known of the account and its traffic whatever the order is: no mark, no orders."""
    ledger, orders = custody.ledger, _orders(custody)
    mark = intent.mark_price
    margin = {} if core.market is None else core.market.margin(intent, Carrying(positions, orders, mark))
    return AccountFacts(
        account_id=custody.account,
        kill_level=int(core.kill.level),
        hold_level=core.interlock.level,
        now_ns=core.clock.now_ns(),
        last_ns=core.audit.last_ns,
        clock_offset_ms=custody.offset_ms(),
        mark_price=None,
        mark_age_ms=None,
        equity_usd=ledger.equity_usd,
        peak_equity_usd=ledger.peak_usd,
        day_pnl_usd=ledger.day_pnl_usd,
        positions=positions,
        orders=(),
        lease_left_ms=core.lease.left_ms(core.moment()) if core.is_money else None,
        venue=changed(custody.venue_facts(), **margin),
        **counted(custody.orders, intent),
    )


def _market(core: Core, symbol: str, market: Market | None) -> MarketFacts:
    """Return what is known of a market: its past as it was gathered, its book as the corridor shows it."""
    known = MarketFacts() if core.market is None else core.market.facts(symbol)
    return known if market is None else changed(known, bid=market.bid, ask=market.ask)


def _holdings(custody: Custody) -> tuple[PositionFact, ...]:
    return tuple(
        PositionFact(symbol=held.symbol, quantity=held.quantity, mark_price=held.mark_price or None)
        for held in custody.ledger.open_holdings()
    )


def _orders(custody: Custody) -> tuple[OrderFact, ...]:
    return tuple(order_fact(order) for order in custody.orders.alive())
