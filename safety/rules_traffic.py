"""Rules about holds, rhythm and repetition (C8, C9, C10, C23; OC-56)."""

from __future__ import annotations

from safety.intent import wish_key
from safety.interlock import Action, HoldLevel, permits
from safety.killbyte import KillLevel
from safety.rule import (
    PASS,
    Case,
    Finding,
    Level,
    Rule,
    Unknowable,
    action_of,
    at_least,
    at_most,
    not_negative,
    number,
)
from safety.rules_order import worst_notional


def _kill_switch(case: Case) -> Finding:
    level = case.facts.kill_level
    hold = {0: HoldLevel.CLEAR, 1: HoldLevel.CLOSE_ONLY, 2: HoldLevel.HALT}.get(
        KillLevel.HALT_ALL if level is None else level
    )
    if case.policy.kill_switch_active is not False:
        hold = HoldLevel.HALT
    return Finding(permits(action_of(case.intent), hold), "unknown" if level is None else int(level))


def _hold(case: Case) -> Finding:
    level = case.facts.hold_level
    return Finding(
        permits(action_of(case.intent), level), "unknown" if level is None else HoldLevel(level).name.lower()
    )


def _lease(case: Case) -> Finding:
    left_ms = number(case.facts.lease_left_ms)
    return Finding(left_ms > 0, left_ms, "", 0)


def _duplicate(case: Case) -> Finding:
    if case.facts.recent_keys is None:
        raise Unknowable("recent intents are not known")
    return Finding(wish_key(case.intent) not in case.facts.recent_keys)


def _message_rate(case: Case) -> Finding:
    """One more message must leave the share that is kept for cancels (C8, I14)."""
    if action_of(case.intent) is Action.FLATTEN:
        return PASS
    sent, limit = not_negative(case.facts.messages_in_window), number(case.policy.max_messages_per_window)
    reserve = not_negative(case.policy.cancel_reserve)
    if reserve >= 1:
        raise Unknowable("the reserve is the whole budget")
    return at_most(sent, sent + 1, limit * (1 - reserve), case.policy, warns=False)


def _counted(seen: int | None, limit: int | None, case: Case) -> Finding:
    count = not_negative(seen)
    return at_most(count, count + 1, limit, case.policy, warns=False)


def _repeats(case: Case) -> Finding:
    return _counted(case.facts.repeats_in_window, case.policy.max_repeats_per_window, case)


def _entries(case: Case) -> Finding:
    return _counted(case.facts.entries_in_minute, case.policy.max_entries_per_minute, case)


def _symbol_entries(case: Case) -> Finding:
    return _counted(case.facts.symbol_entries_in_minute, case.policy.max_symbol_entries_per_minute, case)


def _entry_usd(case: Case) -> Finding:
    """The value of all that the desk enters within a minute, this order at its worst price (OC-57)."""
    sent, limit = not_negative(case.facts.desk.entry_usd_in_minute), case.policy.max_entry_usd_per_minute
    return at_most(sent, sent + worst_notional(case), limit, case.policy)


def _gap(case: Case) -> Finding:
    """Two entries of a symbol at once are one wish too many (OC-58)."""
    return at_least(not_negative(case.facts.since_entry_ms), not_negative(case.policy.min_order_gap_ms))


def _exits(case: Case) -> Finding:
    """A storm of exits is a loop too; the operator's flatten is never counted."""
    if action_of(case.intent) is not Action.REDUCE:
        return PASS
    return _counted(case.facts.exits_in_minute, case.policy.max_exits_per_minute, case)


_ALL, _ENTRY = False, True
_TRAFFIC = Level.TRAFFIC
# fmt: off
# ruff: noqa: E501
HOLD_RULES: tuple[Rule, ...] = (
    Rule("kill_switch_active", _ALL, _kill_switch, Level.ENGINE, "C23, I11", "the kill latch permits the action", ("kill_switch_active",)),
    Rule("hold_blocks_entry", _ALL, _hold, Level.ENGINE, "C23, I10", "the most restrictive hold permits the action"),
    Rule("operator_lease_expired", _ENTRY, _lease, Level.ENGINE, "C21", "the operator's lease has time left", (), ("lease_left_ms",)),
)
"""What stops everything; first on every ticket."""
TRAFFIC_RULES: tuple[Rule, ...] = (
    Rule("duplicate_intent", _ENTRY, _duplicate, _TRAFFIC, "C10", "the same wish was not made within the window"),
    Rule("message_rate_exceeded", _ALL, _message_rate, _TRAFFIC, "C8, OC-56", "submits, changes and cancels in the window, less the cancels' reserve", ("max_messages_per_window", "cancel_reserve")),
    Rule("entry_rate_exceeded", _ENTRY, _entries, _TRAFFIC, "OC-56", "entries within a minute", ("max_entries_per_minute",)),
    Rule("symbol_entry_rate_exceeded", _ENTRY, _symbol_entries, _TRAFFIC, "OC-56", "entries of the symbol within a minute", ("max_symbol_entries_per_minute",)),
    Rule("entry_notional_rate_exceeded", _ENTRY, _entry_usd, Level.DESK, "OC-57", "value of the whole desk's entries within a minute, this one included", ("max_entry_usd_per_minute",)),
    Rule("min_order_gap", _ENTRY, _gap, _TRAFFIC, "OC-58", "time since this symbol was last entered, in milliseconds", ("min_order_gap_ms",)),
    Rule("exit_rate_exceeded", _ALL, _exits, _TRAFFIC, "OC-56", "exits within a minute; not the operator's flatten", ("max_exits_per_minute",)),
    Rule("repeated_execution", _ENTRY, _repeats, _TRAFFIC, "C9", "same symbol and side within the window; a breach latches until a person clears it", ("max_repeats_per_window",)),
)
"""How often something may be done."""
