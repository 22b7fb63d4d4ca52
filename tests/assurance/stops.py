"""What stops trading by itself, each with what raises it and the tests that show it (QL-118).

`docs/stop-conditions.md` is what `python -m tests.assurance.stops` prints; `test_stops.py` holds the table
against the interlock's holds, the code and the tests.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from safety.interlock import HOLDS


class Stop(NamedTuple):
    """One condition. `hold` is a row of the interlock or empty; `where` is `module:name`."""

    condition: str
    hold: str
    where: str
    tests: tuple[str, ...]


_CONDUCT, _WATCHES = "tests/engine/test_conduct.py", "tests/engine/test_watches.py"
_LIMITS, _CUSTODY = "tests/engine/test_limits.py", "tests/engine/test_custody.py"
_ARMING, _MEMORY = "tests/engine/test_arming.py", "tests/engine/test_risk_memory.py"
# fmt: off
# ruff: noqa: E501
STOPS: tuple[Stop, ...] = (
    Stop("the kill switch, by any of its ways", "kill", "safety.killswitch:KillSwitch", ("tests/survival/test_stop.py::test_every_way_to_kill_latches_durably_and_no_entry_follows",)),
    Stop("a record that cannot be kept", "kill", "engine.core:Core.halt", ("tests/survival/test_disk_full.py::test_a_full_disk_halts_the_engine_and_it_goes_on_answering",)),
    Stop("something that the engine does not know how to handle", "kill", "engine.unforeseen:halt_on_unforeseen", ("tests/engine/test_unforeseen.py::test_what_breaks_in_a_callback_of_ours_halts",)),
    Stop("no progress for 5 s, seen from outside", "kill", "engine.ops.watchdog:Watchdog", ("tests/survival/test_watchdog.py::test_an_engine_that_freezes_or_dies_is_latched_and_its_orders_go",)),
    Stop("three deaths of the engine within ten minutes", "kill", "engine.crash_loop:note_start", ("tests/engine/test_crash_loop.py::test_the_start_after_three_deaths_is_latched_and_says_why",)),
    Stop("a liquidation by the venue", "kill", "engine.trading.forced:on_forced", ("tests/engine/test_forced.py::test_a_liquidation_pulls_the_switch_once",)),
    Stop("the day's loss", "limits", "engine.limits:watch_limits", (f"{_LIMITS}::test_a_daily_loss_closes_the_desk_for_new_risk_only", f"{_MEMORY}::test_a_breach_of_the_desk_latches_at_once_outlives_a_restart_and_clears_by_name")),
    Stop("the fall from the high-water mark; at its halt bound every position is closed first", "limits", "engine.breaker:DrawdownBreaker", ("tests/engine/test_breaker.py::test_a_fall_to_the_halt_bound_closes_everything_and_halts", "tests/engine/test_breaker.py::test_a_milder_breach_only_holds_new_risk")),
    Stop("fills that slip", "limits", "engine.limits:latch_conduct", (f"{_CONDUCT}::test_the_median_of_twenty_fills_latches_and_one_bad_fill_does_not",)),
    Stop("a strategy that only loses", "limits", "engine.limits:latch_conduct", (f"{_CONDUCT}::test_a_strategy_that_only_loses_is_held_and_another_is_not_counted_with_it",)),
    Stop("more carried than its cap allows", "limits", "engine.limits:watch_limits", (f"{_CONDUCT}::test_what_is_carried_far_beyond_its_cap_is_held",)),
    Stop("the same trade again and again", "order_storm", "engine.limits:latch_repetition", (f"{_MEMORY}::test_repetition_latches_until_a_person_re_enables",)),
    Stop("a strategy that hammers at a throttle", "order_storm", "engine.storm:latch_storm", (f"{_WATCHES}::test_a_strategy_that_hammers_at_a_throttle_is_a_storm",)),
    Stop("a storm of cancels", "order_storm", "engine.storm:watch_cancels", (f"{_WATCHES}::test_a_storm_of_cancels_holds_and_those_of_a_kill_do_not",)),
    Stop("a key that the venue does not take", "key_dead", "engine.trading.key_trouble:note_dead", ("tests/engine/test_key_trouble.py::test_a_dead_key_stops_sending_over_a_restart_until_a_person_resumes", "tests/engine/test_key_trouble.py::test_a_new_key_that_the_venue_proves_clears_the_dead_ones_hold")),
    Stop("a venue that says it takes cancels only, or nothing", "venue_closed", "engine.venue_state:StateWatch", ("tests/engine/test_venue_state.py::test_cancel_only_holds_entries_and_ends_with_a_clean_look", "tests/engine/test_venue_state.py::test_after_a_maintenance_a_person_acknowledges_before_risk_goes_on")),
    Stop("an order whose outcome is not proved", "ambiguity", "engine.trading.sequel:sound", (f"{_CUSTODY}::test_a_lost_answer_is_unknown_and_holds_until_the_venue_shows_the_order",)),
    Stop("ledger and venue that disagree", "ambiguity", "engine.trading.custody:Custody.reconcile", (f"{_CUSTODY}::test_a_hand_trade_is_ambiguous_until_a_named_operator_books_it",)),
    Stop("an account that is not synced", "hydration", "engine.trading.custody:Custody", (f"{_CUSTODY}::test_nothing_is_risked_until_both_sides_agree",)),
    Stop("market data that is old", "stale_data", "engine.trading.feed_watch:watch_feed", (f"{_WATCHES}::test_a_silent_feed_holds_new_risk_until_five_good_samples",)),
    Stop("a clock that is off, or behind the record", "clock_drift", "engine.clock_watch:ClockWatch", (f"{_WATCHES}::test_a_clock_that_is_off_holds_new_risk_until_five_good_samples", f"{_WATCHES}::test_a_clock_behind_the_record_holds_new_risk_and_a_bad_sample_begins_the_count_anew")),
    Stop("replay evidence that is missing, stale or failed", "replay_gate", "engine.replay_gate:ReplayGate", (f"{_WATCHES}::test_where_money_moves_a_strategy_without_fresh_replay_evidence_holds_new_risk",)),
    Stop("a HALT that nobody has explained", "incident", "engine.ops.incidents:HOLD", ("tests/ops/test_incidents.py::test_a_halt_holds_until_somebody_says_what_it_was",)),
    Stop("a required watchdog that does not beat", "watchdog", "engine.watching:WatchdogWatch", ("tests/survival/test_watchdog.py::test_without_a_required_watchdog_only_exits_pass_until_itbeats",)),
    Stop("a configuration that allows no entries", "entries_off", "engine.core:Core.sync_entries_hold", ("tests/engine/test_settings_in_force.py::test_entries_that_are_off_are_held_until_the_configuration_allows_them",)),
    Stop("arming that is missing or ran out", "arming", "engine.arming:ArmingDesk", (f"{_ARMING}::test_an_arming_that_ran_out_still_cancels_and_adds_no_risk",)),
    Stop("no seal on a strategy, on mainnet", "seal", "engine.arming:ArmingDesk", (f"{_ARMING}::test_mainnet_is_refused_for_want_of_a_seal_and_only_for_that",)),
    Stop("a scheduled run that failed: its schedule pauses, nothing else", "", "engine.schedules:Schedules", ("tests/engine/test_schedules.py::test_a_job_that_did_not_finish_pauses_and_rings_until_a_person_resumes",)),
)
# fmt: on


def to_markdown() -> str:
    """Return `docs/stop-conditions.md`."""
    lines = [
        "# Stop conditions",
        "",
        "Generated by `python -m tests.assurance.stops`; do not edit by hand. What holds new risk back by",
        "itself, without a person; a test holds every row against the code, and every hold has a row.",
        "",
        "| condition | hold | raised by | cleared by | shown by |",
        "|---|---|---|---|---|",
    ]
    for row in STOPS:
        cleared = HOLDS[row.hold].cleared_by if row.hold else "a named operator with a reason"
        shown = ", ".join(f"`{name.partition('::')[2]}`" for name in row.tests)
        hold = f"`{row.hold}`" if row.hold else "-"
        lines.append(f"| {row.condition} | {hold} | `{row.where.replace(':', '.')}` | {cleared} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_markdown())
