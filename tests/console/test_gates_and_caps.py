"""Pictures of arming in its states, and of the limits that were tightened by hand."""

from __future__ import annotations

from typing import Any

from console.tui.app import InterlockApp
from engine.api.arming import ArmCondition, ArmingView
from engine.api.risk import SoftCapRow
from engine.api.views import HoldRow
from safety.canonical import changed
from seams.clock import NS_PER_S
from tests.console import desk_fixture as desk
from tests.console.snaps import pictured

PHRASE = "ARM HYPERLIQUID TESTNET 100 USD"
FAILING = (
    ("drill_stale", "the kill drill is 41 days old, 30 count"),
    ("no_second_person", "one operator has a key here, two are needed"),
    ("reconciliation_not_clean", "the account was never compared"),
    ("clock_drift", "the host is 310 ms off, 250 are allowed"),
    ("micro_caps_too_large", "risk.max_order_notional_usd is 25000, micro allows 100"),
    ("watchdog_absent", "nothing watches this engine"),
)
CONDITIONS = (
    *(ArmCondition(code=code, ok=False, said=said, correction="see the runbook") for code, said in FAILING),
    *(ArmCondition(code=f"held_{number}", ok=True, said="holds") for number in range(14)),
)
HELD = HoldRow(
    code="arming:hyperliquid", level="close_only", since_ns=desk.ago(3_600), source="engine",
    evidence="hyperliquid testnet is not armed", clear_rule="two steps by named persons",
    runbook="arming.md#not-armed",
)  # fmt: skip
WHO = {"asked_by": "ann", "reason": "the first small orders", "hash": "ab" * 32}
VIEWS: dict[str, dict[str, Any]] = {
    "off": {"state": "disarmed", "conditions": CONDITIONS},
    "asked": {"state": "asked", "phrase": PHRASE, "until_ns": desk.NOW_NS + 290 * NS_PER_S, **WHO},
    "armed": {"state": "armed", "armed_by": "ann+bob", "until_ns": desk.NOW_NS + 3_540 * NS_PER_S, **WHO},
    "tended": {"state": "tended", "armed_by": "ann+bob", "conditions": CONDITIONS[:1], **WHO},
}


def gates(state: str, **options: Any) -> InterlockApp:
    """A desk at a real venue, held until it is armed."""
    arming = ArmingView(
        mode="live", environment="testnet", venue="hyperliquid", account="0x4f2a09", needs_two=True,
        **VIEWS[state],
    )  # fmt: skip
    holds = () if state == "armed" else (HELD,)
    level = "clear" if state == "armed" else "close_only"
    status = desk.status(arming=arming, holds=holds, level=level, mode="live", environment="testnet")
    return desk.make_app(desk.gateway(status=status), **options)


def cap(name: str, before: str, value: str, why: str, minutes: int) -> SoftCapRow:
    return SoftCapRow(
        name=name, before=before, value=value, operator="mara", reason=why, at_ns=desk.ago(60 * minutes)
    )


CAPS = (
    cap("max_order_notional_usd", "25000", "5000", "thin market", 20),
    cap("caps/symbol:BTC-PERP/exposure_usd", "none", "12000", "funding is about to print", 12),
    cap("blocked/XRP-PERP", "0", "1", "the book was frozen twice this morning", 3),
)


def limits(**options: Any) -> InterlockApp:
    return desk.make_app(desk.gateway(limits=changed(desk.limits(), soft=CAPS)), **options)


STATES = {
    **{f"arming_{state}": ((lambda state=state, **o: gates(state, **o)), ("7",)) for state in VIEWS},
    "arming_off_key": ((lambda **o: gates("off", **o)), ("7", "M")),
    "arming_asked_key": ((lambda **o: gates("asked", **o)), ("7", "M", "A", "R")),
    "arming_armed_key": ((lambda **o: gates("armed", **o)), ("7", "M", "O")),
    "soft_caps": (limits, ("l",)),
}


test_state, test_state_without_colour = pictured(STATES)
