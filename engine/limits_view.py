"""The Limits screen's facts: every rule as the smallest possible order would meet it now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from engine.api import views as v
from engine.core import Core
from engine.judging import judge_opening
from engine.risk_desk import soft_rows
from engine.trading.custody import Custody
from engine.trading.ledger import Holding
from engine.trading.pipeline import policy_of
from engine.trading.session import PaperSession
from safety.canonical import changed
from safety.facts import Check, CheckResult
from safety.intent import ExecutionIntent, ExecutionPolicy, IntentCategory
from safety.reasons import REASONS
from safety.rules import RULES, Level, Rule
from venues.evidence import Market
from venues.types import Instrument, OrderType, Side, TimeInForce

PROBE = "probe"
STOP_AWAY = Decimal("0.005")
UNKNOWN = "unknown"
_OF_SYMBOL = frozenset({Level.ORDER, Level.SYMBOL, Level.MARKET, Level.STRATEGY})
_OF_ACCOUNT = frozenset(Level) - _OF_SYMBOL
"""What can be said of an account whatever the order is."""
_RANK = {"breach": 0, "missing": 1, "warn": 2, "ok": 3, "n/a": 4}
_STATES = {CheckResult.OK: "ok", CheckResult.WARN: "warn", CheckResult.NOT_APPLICABLE: "n/a"}


def limits_view(
    core: Core, sessions: Sequence[PaperSession], seq: int, custody: Custody | None = None
) -> v.LimitsView:
    """Return each rule once, where it is closest to its bound, the closest first.

    `custody`: the account of the venue, judged by itself while no session probes it.
    """
    nearest: dict[str, v.LimitRow] = {}
    for session in sessions:
        for subject, checks in _probed(session):
            _keep_nearest(nearest, zip(RULES, checks, strict=True), session.plan.account, subject)
    if not nearest and custody is not None:
        for subject, judged in _probed_account(core, custody):
            _keep_nearest(nearest, judged, custody.account, subject)
    if len(nearest) < len(RULES):
        policy = policy_of(core.settings.risk, core.mode, (), (), ())
        nearest = {rule.code: _idle(rule, policy) for rule in RULES} | nearest
    order = {rule.code: place for place, rule in enumerate(RULES)}
    rows = sorted(nearest.values(), key=lambda row: (*_closeness(row), order[row.code]))
    pending = tuple(
        v.PendingRaise(
            name=name,
            before=str(waiting.change.before),
            after=str(waiting.change.after),
            left_s=round(core.limits.left_s(name)),
        )
        for name, waiting in sorted(core.limits.waiting.items())
    )
    return v.LimitsView(
        seq=seq,
        at_ns=core.clock.now_ns(),
        limits_epoch=core.limits.epoch,
        limits_hash=core.limits.sha256,
        rows=tuple(rows),
        pending=pending,
        soft=soft_rows(core),
    )


def _keep_nearest(
    nearest: dict[str, v.LimitRow], judged: Iterable[tuple[Rule, Check]], account: str, subject: str
) -> None:
    for rule, check in judged:
        row = _row(rule, check, _whose(rule, account, subject))
        known = nearest.get(rule.code)
        if known is None or _closeness(row) < _closeness(known):
            nearest[rule.code] = row


def _probed_account(core: Core, custody: Custody) -> Iterator[tuple[str, list[tuple[Rule, Check]]]]:
    """Judge what is known of an account that no session trades: its own rules, and those of what it holds.

    Without a session nobody hears its markets: what a price or a book would be asked for is left out.
    """
    held = {each.symbol for each in custody.ledger.open_holdings()}
    listed = custody.venue.instruments()
    for instrument in [each for each in listed if each.symbol in held] or listed[:1]:
        levels = _OF_ACCOUNT | ({Level.SYMBOL} if held else frozenset())
        # Looking makes no holding: one from before first contact would keep the opening from being the peak.
        known = custody.ledger.holdings.get(instrument.symbol, Holding(instrument.symbol))
        mark = custody.marks.get(instrument.symbol) or known.mark_price
        side = Side.SELL if known.quantity < 0 else Side.BUY
        intent = _smallest(core, instrument, mark or instrument.tick, side, custody.account)
        market = Market(mark=mark, bid=None, ask=None, at_ns=core.clock.now_ns()) if mark else None
        checks = judge_opening(core, custody, intent, market).checks
        pairs = zip(RULES, checks, strict=True)
        yield instrument.symbol, [pair for pair in pairs if pair[0].level in levels]


def _probed(session: PaperSession) -> Iterator[tuple[str, tuple[Check, ...]]]:
    """Judge, for each symbol, the smallest order that would add to what is held."""
    for symbol, strategy in session.plan.lanes:
        probe = _probe(session, symbol, strategy)
        if probe is not None:
            yield symbol, session.judge(probe).checks


def _probe(session: PaperSession, symbol: str, strategy: str) -> ExecutionIntent | None:
    held, instrument = session.ledger.holding(symbol), session.plan.instruments.get(symbol)
    if instrument is None or not held.mark_price:
        return None
    side = Side.SELL if held.quantity < 0 else Side.BUY
    return changed(
        _smallest(session.core, instrument, held.mark_price, side, session.plan.account),
        session_id=session.plan.session_id,
        strategy_id=strategy,
        mark_age_ms=session.mark_age_ms(symbol),
    )


def _smallest(core: Core, instrument: Instrument, mark: Decimal, side: Side, account: str) -> ExecutionIntent:
    """Return the smallest order of a market that its venue would take, at its mark."""
    limit = _to(mark, instrument.tick)
    least = (instrument.min_notional_usd / limit / instrument.lot).to_integral_value(ROUND_CEILING)
    quantity = max(Decimal(1), least) * instrument.lot
    return ExecutionIntent(
        request_id=PROBE,
        session_id=PROBE,
        strategy_id=PROBE,
        decision_id=PROBE,
        config_fingerprint=core.config_fingerprint,
        intent_category=IntentCategory.QUERY,
        broker_target=instrument.venue,
        account_id=account,
        symbol=instrument.symbol,
        side=side,
        quantity=quantity,
        notional_usd=quantity * limit,
        limit_price=limit,
        stop_loss=_to(limit * (1 - side.sign * STOP_AWAY), instrument.tick),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=mark,
        mark_age_ms=None,
    )


def _to(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value(ROUND_HALF_EVEN) * tick


def _whose(rule: Rule, account: str, symbol: str) -> str:
    if rule.level in _OF_SYMBOL:
        return symbol
    return "desk" if rule.level in (Level.DESK, Level.ENGINE) else account


def _row(rule: Rule, check: Check, subject: str) -> v.LimitRow:
    state = _STATES.get(check.result) or ("missing" if check.now == UNKNOWN else "breach")
    used = round(1 - float(check.headroom), 4) if check.headroom else None
    return v.LimitRow(
        code=rule.code,
        level=rule.level,
        subject=subject,
        title=REASONS[rule.code].title,
        now=check.after or check.now,
        limit=check.limit,
        used=1.0 if state == "breach" else used,
        state=state,
        says=rule.says,
        controls=rule.controls,
        correction=REASONS[rule.code].correction,
        runbook=REASONS[rule.code].runbook,
    )


def _idle(rule: Rule, policy: ExecutionPolicy) -> v.LimitRow:
    """Return a rule's row where no session runs: its bound is known, and nothing is used."""
    bounds = (getattr(policy, name) for name in rule.bounds if name.startswith(("max_", "min_", "price_")))
    limit = next((str(bound) for bound in bounds if bound is not None), "")
    blank = Check(name=rule.code, now="", after="", limit=limit, result=CheckResult.OK, reason=None)
    return _row(rule, blank, "no session")


def _closeness(row: v.LimitRow) -> tuple[int, float]:
    """Sort key: what refuses, what is not known, then by the share that is used."""
    rank = _RANK[row.state]
    return (rank, 0.0) if rank < _RANK["warn"] else (max(rank, 2) if rank == 4 else 3, -(row.used or 0.0))
