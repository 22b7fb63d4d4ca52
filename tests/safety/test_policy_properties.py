"""What holds for every rule: unknown never admits, tighter never admits more, the verdict is a function."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_builders import (
    D,
    desk,
    exit_intent,
    facts,
    fields_of,
    instrument,
    intent,
    market,
    order,
    policy,
    position,
    venue,
)

from safety.applicability import ABSENT
from safety.canonical import canonical, changed
from safety.facts import AccountFacts, CheckResult, Preflight
from safety.intent import ExecutionIntent, ExecutionPolicy, Stage
from safety.preflight import preflight, refusals
from safety.reasons import Refusal
from safety.rejudge import rejudge
from safety.rules import RULES
from venues.types import Mode, OrderStatus, Record, Side


def judged(
    wish: ExecutionIntent | None = None, f: AccountFacts | None = None, p: ExecutionPolicy | None = None
) -> Preflight:
    """Judge twice: what refuses a second time, told without a text, is what refused the first time."""
    asked = (wish or intent(), f or facts(), p or policy(), instrument())
    verdict = preflight(*asked)
    assert refusals(*asked) == verdict.reasons
    return verdict


def with_fact(path: str, value: object) -> AccountFacts:
    """Return good facts with one of them replaced; `market.bid` names one inside a group."""
    group, _, name = path.rpartition(".")
    if not group:
        return facts(**{path: value})
    return facts(**{group: changed(getattr(facts(), group), **{name: value})})


BAD_NUMBERS = [None, D("NaN"), D("Infinity"), D("-Infinity"), D(-1), "1", 1.5, True]
ENTRY_FIELDS = ["quantity", "notional_usd", "limit_price", "stop_loss", "mark_price"]
AGES = ["mark_age_ms", "venue.reconcile_age_ms", "market.unchanged_ms"]
COUNTS = [
    "messages_in_window", "repeats_in_window", "entries_in_minute", "symbol_entries_in_minute",
    "market.gap_bars", "since_entry_ms",
]  # fmt: skip
POSITIVE_FACTS = [
    "mark_price", "equity_usd", "peak_equity_usd", "market.bid", "market.ask", "market.window_low",
    "market.window_high", "market.atr", "market.p90_volatility", "venue.maintenance_rate",
]  # fmt: skip
SHARES = [
    "venue.budget_left", "desk.drawdown", "desk.other_exposure_usd", "desk.venue_other_exposure_usd",
    "desk.other_alt_longs_usd", "desk.other_alt_shorts_usd", "desk.entry_usd_in_minute",
]  # fmt: skip
SIGNED = ["day_pnl_usd", "desk.day_pnl_usd"]
UPPER = [name for name in fields_of(policy()) if name.startswith("max_")] + ["price_collar_bps"]
LOWER = [name for name in fields_of(policy()) if name.startswith("min_")]
MICRO = ["micro_max_order_usd", "micro_max_exposure_usd", "micro_min_margin_usd"]
GROUPS = {"market": market(), "venue": venue(), "desk": desk()}
FLAT = [
    name for name in fields_of(facts()) if name not in ("account_id", "now_ns", "exits_in_minute", *GROUPS)
]
NOT_JUDGED = "venue.pays_in_full"
"""It says which facts there are, and is none that a rule compares."""
NESTED = [
    name
    for group, record in GROUPS.items()
    for each in fields_of(record)
    if (name := f"{group}.{each}") != NOT_JUDGED
]


@pytest.mark.parametrize("bad", [*BAD_NUMBERS, D(0)], ids=repr)
@pytest.mark.parametrize("field", ENTRY_FIELDS)
def test_no_bad_number_in_an_intent_is_admitted(field: str, bad: object) -> None:
    assert not judged(intent(**{field: bad})).allowed


@pytest.mark.parametrize("bad", [*BAD_NUMBERS, D(0)], ids=repr)
@pytest.mark.parametrize("field", POSITIVE_FACTS)
def test_no_bad_figure_of_account_or_market_is_admitted(field: str, bad: object) -> None:
    assert not judged(f=with_fact(field, bad)).allowed


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("field", [*AGES, *COUNTS, *SHARES])
def test_no_bad_age_count_or_share_is_admitted(field: str, bad: object) -> None:
    assert not judged(f=with_fact(field, bad)).allowed


@pytest.mark.parametrize("bad", [None, D("NaN"), D("Infinity"), D("-Infinity"), "1", 1.5, True], ids=repr)
@pytest.mark.parametrize("field", SIGNED)
def test_no_bad_profit_is_admitted(field: str, bad: object) -> None:
    assert not judged(f=with_fact(field, bad)).allowed


@pytest.mark.parametrize("field", AGES)
def test_what_is_stale_is_not_admitted(field: str) -> None:
    assert not judged(f=with_fact(field, 86_400_000)).allowed


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("field", [*UPPER, *LOWER])
def test_no_unset_or_impossible_bound_admits(field: str, bad: object) -> None:
    wish = exit_intent() if field == "max_exits_per_minute" else intent()
    account = facts(positions=(position(),)) if wish.reduce_only else facts()
    assert not judged(wish, account, policy(**{field: bad})).allowed


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("field", MICRO)
def test_no_unset_micro_bound_admits_at_the_micro_stage(field: str, bad: object) -> None:
    assert judged(p=policy(stage="micro")).allowed is False, "a word is not a stage"
    assert judged(p=policy(stage=Stage.MICRO)).allowed
    assert not judged(p=policy(stage=Stage.MICRO, **{field: bad})).allowed


@pytest.mark.parametrize("path", [*FLAT, *NESTED])
def test_every_unknown_fact_refuses_in_live(path: str) -> None:
    assert not judged(f=with_fact(path, None)).allowed


@pytest.mark.parametrize("path", [*FLAT, *(name for name in NESTED if name != "market.atr")])
def test_a_fact_is_missing_in_paper_only_where_the_table_says_so(path: str) -> None:
    """The average true range is read only with the venue's margin rate, which is why it is left out."""
    paper = policy(mode=Mode.PAPER, stage=None)
    group = {name for rule in RULES if path in rule.optional for name in rule.optional} or {path}
    account = facts()
    for name in group:
        head, _, tail = name.rpartition(".")
        account = changed(
            account, **({head: changed(getattr(account, head), **{tail: None})} if head else {name: None})
        )
    verdict = judged(f=account, p=paper)
    absent = {check.name for check in verdict.checks if check.result is CheckResult.NOT_APPLICABLE}
    assert verdict.allowed is (path in ABSENT)
    assert absent == {rule.code for rule in RULES if rule.optional and set(rule.optional) <= group}
    assert not judged(f=account, p=policy()).allowed


@pytest.mark.parametrize("code", [rule.code for rule in RULES if len(rule.optional) > 1])
def test_half_a_fact_refuses_in_paper_too(code: str) -> None:
    rule = next(rule for rule in RULES if rule.code == code)
    half = judged(f=with_fact(rule.optional[0], None), p=policy(mode=Mode.PAPER))
    assert code in half.reasons


def test_a_supplied_fact_is_judged_in_paper_too() -> None:
    assert "clock_drift" in judged(f=facts(clock_offset_ms=5_000.0), p=policy(mode=Mode.PAPER)).reasons


AMOUNT = st.decimals(min_value=0, max_value=400, places=2)


@st.composite
def accounts(draw: st.DrawFn) -> AccountFacts:
    """Draw an account with positions, live and unknown orders, losses, traffic and market health."""
    resting = order(
        symbol=draw(st.sampled_from(("BTC", "ETH"))),
        side=draw(st.sampled_from(list(Side))),
        remaining=draw(st.decimals(min_value="0.01", max_value=1, places=2)),
        price=draw(st.decimals(min_value=90, max_value=110, places=1)),
        status=draw(st.sampled_from((OrderStatus.OPEN, OrderStatus.UNKNOWN))),
    )
    return facts(
        positions=(position("BTC", str(draw(st.decimals(min_value=-2, max_value=2, places=2)))),),
        orders=draw(st.sampled_from(((), (resting,)))),
        day_pnl_usd=draw(st.decimals(min_value=-30, max_value=30, places=1)),
        equity_usd=draw(st.decimals(min_value=900, max_value=1000, places=1)),
        messages_in_window=draw(st.integers(0, 12)),
        repeats_in_window=draw(st.integers(0, 12)),
        entries_in_minute=draw(st.integers(0, 40)),
        symbol_entries_in_minute=draw(st.integers(0, 8)),
        mark_age_ms=draw(st.integers(0, 3000)),
        market=market(
            window_low=draw(st.decimals(min_value=95, max_value=100, places=1)),
            unchanged_ms=draw(st.integers(0, 400)),
            gap_bars=draw(st.integers(0, 5)),
            p90_volatility=draw(st.decimals(min_value="0.01", max_value="0.3", places=2)),
        ),
        venue=venue(
            reconcile_age_ms=draw(st.integers(0, 400)), budget_left=draw(st.sampled_from((D("0.1"), D(1))))
        ),
        desk=desk(
            other_exposure_usd=draw(st.decimals(min_value=0, max_value=500, places=0)),
            other_alt_longs_usd=draw(st.decimals(min_value=0, max_value=200, places=0)),
            other_alt_shorts_usd=draw(st.decimals(min_value=0, max_value=200, places=0)),
            entry_usd_in_minute=draw(st.decimals(min_value=0, max_value=400, places=0)),
            day_pnl_usd=draw(st.decimals(min_value=-20, max_value=0, places=0)),
        ),
    )


SIZES = st.decimals(min_value="0.001", max_value=4, places=3)


@settings(max_examples=400, deadline=None)
@given(size=SIZES, account=accounts(), name=st.sampled_from(UPPER), a=AMOUNT, b=AMOUNT)
def test_tightening_an_upper_bound_never_admits_more(
    size: Decimal, account: AccountFacts, name: str, a: Decimal, b: Decimal
) -> None:
    low, high = sorted((a, b))
    wish = intent(quantity=size, notional_usd=size * 100)
    if judged(wish, account, policy(**{name: low})).allowed:
        assert judged(wish, account, policy(**{name: high})).allowed


@settings(max_examples=200, deadline=None)
@given(size=SIZES, account=accounts(), name=st.sampled_from(LOWER), a=AMOUNT, b=AMOUNT)
def test_tightening_a_lower_bound_never_admits_more(
    size: Decimal, account: AccountFacts, name: str, a: Decimal, b: Decimal
) -> None:
    low, high = sorted((a, b))
    wish = intent(quantity=size, notional_usd=size * 100)
    if judged(wish, account, policy(**{name: high})).allowed:
        assert judged(wish, account, policy(**{name: low})).allowed


@settings(max_examples=200, deadline=None)
@given(size=SIZES, account=accounts(), a=AMOUNT, b=AMOUNT, side=st.sampled_from(list(Side)))
def test_tightening_the_least_margin_never_admits_more(
    size: Decimal, account: AccountFacts, a: Decimal, b: Decimal, side: Side
) -> None:
    low, high = sorted((a / 10, b / 10))
    wish = intent(quantity=size, notional_usd=size * 100, side=side, stop_loss=D(101 - 2 * side.sign))
    if judged(wish, account, policy(stage=Stage.MICRO, micro_min_margin_usd=high)).allowed:
        assert judged(wish, account, policy(stage=Stage.MICRO, micro_min_margin_usd=low)).allowed


@settings(max_examples=200, deadline=None)
@given(size=SIZES, account=accounts(), side=st.sampled_from(list(Side)))
def test_a_symbol_less_among_the_majors_never_admits_more(
    size: Decimal, account: AccountFacts, side: Side
) -> None:
    wish = intent(quantity=size, notional_usd=size * 100, side=side, stop_loss=D(101 - 2 * side.sign))
    majors = ("BTC", "ETH")
    for fewer in (("ETH",), ("BTC",), ()):
        if judged(wish, account, policy(majors=fewer)).allowed:
            assert judged(wish, account, policy(majors=majors)).allowed


@settings(max_examples=200, deadline=None)
@given(size=SIZES, account=accounts(), reserve=st.sampled_from((D(0), D("0.2"), D("0.5"), D("0.9"))))
def test_a_larger_reserve_for_cancels_never_admits_more(
    size: Decimal, account: AccountFacts, reserve: Decimal
) -> None:
    wish = intent(quantity=size, notional_usd=size * 100)
    if judged(wish, account, policy(cancel_reserve=reserve)).allowed:
        assert judged(wish, account, policy(cancel_reserve=D(0))).allowed


@settings(max_examples=200, deadline=None)
@given(size=SIZES, account=accounts(), mode=st.sampled_from(list(Mode)))
def test_a_journalled_snapshot_gives_the_same_verdict_again(
    size: Decimal, account: AccountFacts, mode: Mode
) -> None:
    """I29: what was written down is all that the verdict depends on."""
    wish, bounds = intent(quantity=size, notional_usd=size * 100), policy(mode=mode)
    first = judged(wish, account, bounds)

    def again(record: Record) -> Record:
        return msgspec.json.decode(msgspec.json.encode(record), type=type(record))

    second = preflight(again(wish), again(account), again(bounds), again(instrument()))  # type: ignore[arg-type]
    assert second == first == judged(wish, account, bounds)


def test_the_record_of_another_version_is_refused_and_not_guessed() -> None:
    records = {"intent": intent(), "facts": facts(), "policy": policy(), "instrument": instrument()}
    texts = {name: canonical(record).decode() for name, record in records.items()}
    assert rejudge(**texts) == judged()
    for name in texts:
        with pytest.raises(Refusal, match="journal_damaged"):
            rejudge(**{**texts, name: '{"made": "up"}'})


@pytest.mark.parametrize("said", [None, False, 1, "yes"])
def test_only_a_venue_that_says_so_is_spot(said: object) -> None:
    """Nothing is borrowed at spot, so that no margin rule applies; what is not known excuses nothing."""
    account = with_fact("venue.maintenance_rate", None)
    spot = changed(account, venue=changed(account.venue, pays_in_full=True))
    verdict = judged(f=spot)
    absent = {check.name for check in verdict.checks if check.result is CheckResult.NOT_APPLICABLE}
    assert verdict.allowed and absent == {"margin_use_exceeded", "liquidation_too_near"}
    unsaid = changed(account, venue=changed(account.venue, pays_in_full=said))
    assert {"margin_use_exceeded", "liquidation_too_near"} <= set(judged(f=unsaid).reasons)
    other = changed(spot, market=changed(spot.market, p90_volatility=None, volatility_days=None))
    assert "volatility_missing" in judged(f=other).reasons
