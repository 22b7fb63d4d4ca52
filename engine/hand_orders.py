"""An order that a person writes: from the form to an intent that is judged like any other (QT-10, QT-11)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from engine.core import Core
from engine.desk import Desk
from engine.trading.hand_intent import hand_intent
from engine.trading.pipeline import BY_HAND
from engine.trading.session import PaperSession
from safety.canonical import canonical, changed
from safety.facts import Preflight
from safety.intent import ExecutionIntent, MissingFields
from safety.order_form import InvalidFields
from safety.override import OVERRIDABLE
from safety.reasons import Refusal
from safety.spelling import unlisted
from safety.text import clean

CENT = Decimal("0.01")


class FormRefusal(Refusal):
    """A form that is not complete or not right; `feedback` is the structure that says what to correct."""

    def __init__(self, wrong: MissingFields | InvalidFields) -> None:
        is_missing = isinstance(wrong, MissingFields)
        super().__init__("order_incomplete" if is_missing else "order_invalid", wrong.corrective_action)
        fields = wrong.missing_fields if isinstance(wrong, MissingFields) else wrong.invalid_fields
        said = {
            "errorCode": wrong.error_code,
            "toolName": wrong.tool_name,
            "missingFields" if is_missing else "invalidFields": fields,
            "correctiveAction": wrong.corrective_action,
        }
        self.feedback = msgspec.Raw(canonical(said))


def session_for(desk: Desk, session_id: str, symbol: str) -> PaperSession:
    """Return the session that an order by hand of this symbol is for. Raises `Refusal("unknown_session")`."""
    if session_id:
        found = [desk.session(session_id)]
    else:
        found = [s for s in desk.sessions if symbol in s.plan.instruments]
    traded = {each for session in desk.sessions for each in session.plan.instruments}
    if traded and symbol not in traded:
        raise Refusal("unknown_session", f"no session trades it: {unlisted(symbol, 'this desk', traded)}")
    if len(found) != 1 or symbol not in found[0].plan.instruments:
        raise Refusal("unknown_session", f"{len(found)} sessions trade {clean(symbol, 40)}; name one")
    return found[0]


def may_override(core: Core, verdict: Preflight) -> bool:
    """Tell whether two persons may pass over all that failed here."""
    return core.settings.supervision.allows_override and set(verdict.reasons) <= OVERRIDABLE


def by_hand(
    form: Mapping[str, object], session: PaperSession, name: str, fingerprint: str
) -> ExecutionIntent:
    """Return the intent of a form that `order_form.feedback` found right, on a session's account."""
    symbol = str(form["symbol"])
    intent = hand_intent(
        form,
        name=name,
        session_id=session.plan.session_id,
        strategy=BY_HAND,
        venue=session.plan.instruments[symbol].venue,
        account=session.plan.account,
        fingerprint=fingerprint,
        mark_price=session.ledger.holding(symbol).mark_price or None,
        mark_age_ms=session.mark_age_ms(symbol),
    )
    return changed(intent, notional_usd=intent.notional_usd.quantize(CENT, ROUND_HALF_EVEN))
