"""The dry verdict of an order by hand is the one that its ticket gets, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.api import commands as c
from engine.api.order_judgement import OrderJudge, OrderJudged
from engine.api.ticket_views import TicketRow
from engine.dry_judging import judge_order
from safety.intent import REQUIRED_FIELDS
from safety.order_form import FIELD_OF, OPTIONAL_FIELDS
from safety.rules import RULES
from tests.engine.supervised import START, Supervised

FORM: dict[str, Any] = {
    "symbol": "BTC-PERP", "side": "buy", "quantity": "0.01", "order_type": "limit", "time_in_force": "gtc",
}  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Supervised]:
    made = Supervised(tmp_path)
    await made.open(START)
    yield made
    await made.close()


def priced(desk: Supervised, **changes: Any) -> dict[str, Any]:
    """A form at the market's price of now, with a stop one percent below."""
    mark = desk.engine.desk.sessions[0].ledger.holding("BTC-PERP").mark_price
    tick = desk.engine.desk.sessions[0].plan.instruments["BTC-PERP"].tick
    prices = {"limit_price": mark // tick * tick, "stop_loss": mark * 99 // 100 // tick * tick}
    return {**FORM, **{name: f"{value:f}" for name, value in prices.items()}, **changes}


async def judged(desk: Supervised, form: dict[str, Any], session_id: str = "") -> OrderJudged:
    body = OrderJudge(order=form, session_id=session_id)
    return await judge_order(desk.core, desk.engine.desk, None, body)


def fields(verdict: OrderJudged) -> dict[str, str]:
    return {each.field: each.code or each.said for each in verdict.said}


async def test_it_says_what_the_ticket_will_say_and_leaves_nothing_behind(desk: Supervised) -> None:
    before = len(desk.core.tickets.all()), desk.core.paths.audit.read_bytes()
    form = priced(desk)
    verdict = await judged(desk, form)
    assert (len(desk.core.tickets.all()), desk.core.paths.audit.read_bytes()) == before
    assert verdict.can_submit and verdict.worst in ("ok", "warn") and not verdict.said
    assert (verdict.goes, verdict.session_id) == ("ticket", desk.engine.desk.sessions[0].plan.session_id)
    reply = await desk.ask(c.TicketSubmit(order=form), reason="by hand")
    row = msgspec.json.decode(reply.result, type=TicketRow)
    assert [check.name for check in row.checks] == [check.name for check in verdict.checks]
    assert (row.worst, row.notional_usd) == (verdict.worst, verdict.notional_usd)


async def test_an_unfinished_form_is_told_field_by_field_what_to_do(desk: Supervised) -> None:
    verdict = await judged(desk, {"symbol": "", "side": "long", "quantity": "-1", "stop_loss": None})
    said = fields(verdict)
    known = await judged(desk, {"symbol": "BTC-PERP"})
    assert known.mark_price and not known.checks, "the price is shown before the limit is typed"
    assert said["side"] == "say buy, sell" and said["symbol"] == "name one allowed symbol"
    assert set(said) == {
        "symbol", "side", "quantity", "order_type", "time_in_force", "limit_price", "stop_loss",
    }  # fmt: skip
    assert not verdict.can_submit and not verdict.checks


async def test_a_symbol_that_nobody_trades_is_said_at_once(desk: Supervised) -> None:
    verdict = await judged(desk, {"symbol": "DOGE-PERP"})
    assert fields(verdict)["symbol"] == "unknown_session"
    near = await judged(desk, {"symbol": "BTC/USD"})
    assert [each.said for each in near.said if each.code] == [
        "unknown_session: no session trades it: this desk has no market BTC/USD; did you mean BTC-PERP?"
    ]


async def test_a_failing_rule_stands_under_the_field_that_it_is_about(desk: Supervised) -> None:
    verdict = await judged(desk, priced(desk, quantity="100000"))
    said = fields(verdict)
    assert verdict.worst == "fail" and not verdict.can_submit
    under = {each.code for each in verdict.said if each.field == "quantity"}
    assert said["quantity"] and {"max_notional_exceeded", "leverage_exceeded"} <= under
    assert all(each.said.endswith(".") for each in verdict.said if each.code)
    upside = await judged(desk, {**priced(desk), "side": "sell"})
    assert "stop_loss" in fields(upside) and not upside.checks


async def test_it_is_answered_over_the_bus_to_whoever_asks(desk: Supervised) -> None:
    query = c.Query(request_id="Q-1", body=OrderJudge(order=priced(desk)))
    reply = msgspec.json.decode(
        await desk.engine.questions.on_query("", msgspec.json.encode(query)), type=c.Reply
    )
    assert reply.ok and msgspec.json.decode(reply.result, type=OrderJudged).checks


def test_every_rule_of_the_table_of_fields_exists_and_every_field_is_one_of_the_form() -> None:
    assert {rule.code for rule in RULES} >= set(FIELD_OF)
    assert set(FIELD_OF.values()) <= {*REQUIRED_FIELDS, *OPTIONAL_FIELDS}
