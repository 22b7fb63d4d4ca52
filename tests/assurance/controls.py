"""The thirty-five controls, each with the code that carries it out, its switch, what it refuses, its proof.

A row is what `test_controls.py` holds against the code: every place can be imported, every setting exists
and is on by default, every code is explained, every test is there. `docs/controls.md` is made of it.
"""

# ruff: noqa: E501
from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How much of a control there is; only PRESENT counts."""

    PRESENT = "present"
    PARTIAL = "partial"
    MISSING = "missing"


class Control(NamedTuple):
    """One row. `where` are `module:name`, `settings` keys, `codes` what it refuses or rings with,
    `tests` are `path::name`; `lacks` says what is not there, empty where nothing is missing."""

    number: int
    title: str
    state: State
    where: tuple[str, ...]
    settings: tuple[str, ...]
    codes: tuple[str, ...]
    tests: tuple[str, ...]
    lacks: str = ""


_RULES = "tests/safety/test_preflight_rules.py"
_PROPERTIES = "tests/safety/test_policy_properties.py"
_LIMITS, _MEMORY = "tests/engine/test_limits.py", "tests/engine/test_risk_memory.py"
_EACH, _NUMBERS = (
    f"{_RULES}::test_each_rule_refuses_what_it_is_for",
    f"{_PROPERTIES}::test_no_bad_number_in_an_intent_is_admitted",
)
_TIGHTER = f"{_PROPERTIES}::test_tightening_an_upper_bound_never_admits_more"
_CUSTODY = "tests/engine/test_custody.py"
_STANDING, _FIGURES = "tests/engine/test_venue_desk.py", "tests/corridor/test_real_facts.py"
_WATCHES = "tests/engine/test_watches.py"
_MARKET = "tests/engine/test_market_memory.py"
_TWO = "tests/engine/test_two_persons.py"
_FAULTS = "tests/simulation/test_sim_slow.py::test_twenty_thousand_faults_break_no_invariant"
_P, _HALF, _NONE = State.PRESENT, State.PARTIAL, State.MISSING

# fmt: off
CONTROLS: tuple[Control, ...] = (
    Control(1, "Largest order value, at its worst price", _P, ("safety.rules_order:worst_notional",), ("risk.max_order_notional_usd",),
            ("max_notional_exceeded", "missing_limit_price", "non_positive_notional"), (_EACH, _NUMBERS, _TIGHTER)),
    Control(2, "Largest quantity; lot and tick exact", _P, ("safety.rules_order:_lot", "safety.rules_order:_tick"), (),
            ("lot_not_exact", "tick_not_exact", "below_min_notional", "non_positive_quantity", "instrument_unknown"), (_EACH, _NUMBERS)),
    Control(3, "Price collar of the order, and drift over a window", _P, ("safety.rules_order:_collar", "safety.rules_market:_drift"), ("risk.price_collar", "risk.price_drift_5min", "risk.mark_stale_ms"),
            ("price_collar_exceeded", "price_drift_exceeded", "market_data_stale"), (_EACH, f"{_MARKET}::test_the_window_forgets_what_is_older_than_five_minutes", f"{_PROPERTIES}::test_what_is_stale_is_not_admitted")),
    Control(4, "Largest exposure, open and UNKNOWN orders counted", _P, ("safety.exposure:gross_exposure", "safety.rules_account:_exposure"), ("risk.max_gross_exposure_usd",),
            ("max_exposure_exceeded", "symbol_has_unknown_order"), (f"{_RULES}::test_an_unknown_order_counts_with_its_whole_rest", _FAULTS)),
    Control(5, "Caps of symbol, strategy, account, venue, desk", _P, ("safety.rules_account:_smallest",), ("risk.max_symbol_exposure_usd", "risk.max_strategy_exposure_usd", "risk.max_venue_exposure_usd", "risk.max_desk_exposure_usd"),
            ("max_symbol_exposure_exceeded", "max_strategy_exposure_exceeded", "max_venue_exposure_exceeded", "max_desk_exposure_exceeded"), (f"{_RULES}::test_the_smallest_cap_of_all_levels_holds",)),
    Control(6, "Daily loss, kept over restarts and clock steps", _P, ("engine.limits:watch_limits", "engine.risk_memory:RiskMemory"), ("risk.daily_loss_close_only_usd", "risk.daily_loss_halt_usd"),
            ("daily_loss_limit", "desk_daily_loss_limit"), (f"{_LIMITS}::test_a_daily_loss_closes_the_desk_for_new_risk_only", f"{_MEMORY}::test_a_loss_and_the_high_water_survive_a_restart", f"{_MEMORY}::test_a_step_of_the_clock_begins_no_new_day_and_time_does")),
    Control(7, "Fall of equity from its peak", _P, ("engine.limits:watch_limits",), ("risk.drawdown_close_only", "risk.drawdown_halt"),
            ("drawdown_limit", "desk_drawdown_limit"), (f"{_MEMORY}::test_a_cleared_drawdown_begins_a_new_high_water_mark", f"{_LIMITS}::test_a_deep_loss_halts_and_the_operator_clears_by_name")),
    Control(8, "Message throttle with a share kept for cancels", _P, ("safety.rules_traffic:_message_rate", "engine.trading.traffic:Traffic"), ("risk.message_rate_per_s", "risk.message_burst", "risk.cancel_reserve"),
            ("message_rate_exceeded", "entry_rate_exceeded", "exit_rate_exceeded", "min_order_gap"), (_EACH, f"{_PROPERTIES}::test_a_larger_reserve_for_cancels_never_admits_more", f"{_MARKET}::test_a_cancel_is_a_message_and_no_execution")),
    Control(9, "Repeated execution latches until a person clears it", _P, ("safety.rules_traffic:_repeats", "engine.limits:latch_repetition"), ("risk.max_repeats",),
            ("repeated_execution", "order_storm"), (f"{_MEMORY}::test_repetition_latches_until_a_person_re_enables",)),
    Control(10, "The same intent twice", _P, ("safety.rules_traffic:_duplicate", "safety.intent:wish_key"), (),
            ("duplicate_intent",), (_EACH, "tests/store/test_orders.py::test_same_wish_under_another_name_is_refused", "tests/store/test_orders.py::test_second_order_for_one_intent_is_refused_and_leaves_nothing")),
    Control(11, "Number of open orders and positions", _P, ("safety.rules_account:_open_orders", "safety.rules_account:_positions"), ("risk.max_open_orders", "risk.max_open_positions"),
            ("max_open_orders", "max_positions"), (_EACH, _TIGHTER)),
    Control(12, "Allow-lists of symbol, venue, strategy, side", _P, ("safety.rules_order:ORDER_RULES",), ("risk.blocked_symbols",),
            ("symbol_not_allowed", "symbol_blocked", "venue_not_allowed", "strategy_not_allowed", "unsupported_side", "account_mismatch"), (_EACH, f"{_RULES}::test_an_empty_allow_list_allows_everything_only_in_sim")),
    Control(13, "Closing orders stay within the position", _P, ("safety.exposure:closing_quantity", "safety.rules_account:_reduces"), (),
            ("reduce_only_increases",), (f"{_RULES}::test_two_exits_together_never_cross_zero", "tests/venues/test_sandbox_venue.py::test_reduce_only_never_opens_or_flips")),
    Control(14, "No trade with ourselves", _P, ("safety.rules_order:_self_trade",), (),
            ("self_trade",), (_EACH, f"{_RULES}::test_an_order_far_from_ours_is_no_self_trade")),
    Control(15, "Health of market data", _P, ("safety.rules_market:MARKET_RULES", "engine.trading.feed_watch:watch_feed"), ("risk.mark_stale_ms", "risk.market_frozen_ms", "risk.market_gap_bars", "risk.max_spread", "market.feed_stale_ms"),
            ("market_data_missing", "market_data_stale", "market_crossed", "spread_too_wide", "market_frozen", "market_gap", "feed_stale"), (_EACH, f"{_MARKET}::test_stillness_counts_from_the_last_move_and_repeats_do_not_end_it", f"{_MARKET}::test_holes_among_the_latest_bars_are_counted_and_a_replay_has_none_of_its_own")),
    Control(16, "The clock: offset, and never behind the record", _P, ("safety.rules_market:_clock_order", "safety.rules_market:_clock_drift", "engine.clock_watch:ClockWatch"), ("risk.clock_drift_ms",),
            ("clock_backwards", "clock_drift"), (_EACH, f"{_RULES}::test_a_nan_clock_offset_refuses", f"{_WATCHES}::test_a_clock_that_is_off_holds_new_risk_until_five_good_samples")),
    Control(17, "A fresh and clean reconciliation", _P, ("safety.rules_venue:_reconcile_state", "engine.trading.custody:Custody.reconcile"), ("risk.reconcile_stale_ms",),
            ("reconcile_not_clean", "reconcile_stale"), (_EACH, f"{_CUSTODY}::test_nothing_is_risked_until_both_sides_agree")),
    Control(18, "Nonce above all used, signer valid, not the master", _P, ("safety.rules_venue:_nonce", "engine.trading.nonces:Nonces", "engine.venue_desk:VenueDesk.facts"), ("risk.signer_min_days",),
            ("nonce_not_fresh", "signer_expiring", "signer_is_master"), (_EACH, f"{_CUSTODY}::test_an_order_that_never_arrived_is_dead_only_once_its_nonce_is_burnt", _FAULTS, f"{_STANDING}::test_what_is_known_of_keys_reaches_the_rules_where_money_moves", f"{_STANDING}::test_a_key_that_ends_within_two_weeks_rings_and_is_shown")),
    Control(19, "Leverage, margin, distance to liquidation", _P, ("safety.rules_account:_leverage", "safety.rules_account:_margin_use", "safety.rules_account:_liquidation"), ("risk.max_leverage", "risk.max_margin_use", "risk.min_liquidation_atr"),
            ("leverage_exceeded", "margin_use_exceeded", "liquidation_too_near"), (f"{_RULES}::test_liquidation_distance_follows_the_cross_margin_identity", _EACH, f"{_FIGURES}::test_the_figures_are_the_venues_own", f"{_FIGURES}::test_a_margin_table_that_is_not_told_refuses")),
    Control(20, "The venue's rate budget, with a rest for cancels", _P, ("safety.rules_venue:_budget", "engine.venue_desk:VenueDesk.facts"), ("risk.venue_budget_reserve",),
            ("venue_budget_low",), (_EACH, f"{_PROPERTIES}::test_tightening_a_lower_bound_never_admits_more", f"{_STANDING}::test_budgets_show_what_is_left_and_what_is_kept_for_cancels", f"{_STANDING}::test_what_is_known_of_keys_reaches_the_rules_where_money_moves")),
    Control(21, "A person's approval of exactly what was seen", _P, ("safety.approval:TicketBook",), ("execution.ticket_expiry_s",),
            ("operator_lease_expired", "ticket_expired"), ("tests/safety/test_approval.py::test_the_wrong_hash_epoch_person_or_moment_is_refused", "tests/safety/test_approval.py::test_a_reviewed_ticket_is_approved_once", "tests/survival/test_tickets.py::test_an_approval_counts_only_for_what_was_reviewed_and_only_once")),
    Control(22, "Two persons for raises, arming and the way out of a halt", _P, ("safety.principals:principal_of", "engine.attendance:Attendance"), ("supervision.second_person_above_usd",),
            ("same_person", "approval_expired"), (f"{_TWO}::test_halt_all_is_reset_by_two_keys_and_the_record_names_both", f"{_TWO}::test_a_raise_comes_into_force_after_its_cool_down_and_two_signatures", f"{_TWO}::test_an_unsigned_or_altered_or_revoked_command_is_no_second_person", f"{_TWO}::test_a_large_ticket_waits_for_another_person")),
    Control(23, "The kill switch, latched", _P, ("safety.killswitch:KillSwitch", "safety.killbyte:KillByte"), (),
            ("kill_switch_active", "kill_latched", "latch_unreadable"), ("tests/survival/test_stop.py::test_every_way_to_kill_latches_durably_and_no_entry_follows", "tests/safety/test_killswitch.py::test_every_changed_byte_of_the_latch_halts", "tests/safety/test_killswitch.py::test_a_crash_at_any_write_of_a_trip_leaves_the_switch_pulled")),
    Control(24, "The dead man's switch: a watchdog of its own", _P, ("engine.ops.watchdog:Watchdog",), ("watchdog.close_only_after_s", "watchdog.cancel_after_s"),
            ("watchdog_lost",), ("tests/survival/test_watchdog.py::test_an_engine_that_freezes_or_dies_is_latched_and_its_orders_go", "tests/survival/test_exchange.py::test_the_watchdog_key_cancels_and_cannot_open")),
    Control(25, "Only code whose hash is sealed", _HALF, ("engine.lifecycle.forge.load:load", "engine.lifecycle.verify.gate:demand_verified"), (),
            ("verify_stale",), ("tests/forge/test_build.py::test_one_flipped_byte_is_not_loaded", "tests/forge/test_build.py::test_the_loaded_bytes_are_sealed_and_their_descriptor_stays_open", "tests/engine/test_verified.py::test_a_run_of_another_source_or_kernel_is_stale"), "builds are loaded from sealed bytes that match their record; no signed commit vouches for a record yet, and `not_built:strategy_seal` keeps every strategy from real money"),
    Control(26, "The next stage needs the evidence of the one before", _P, ("engine.promotion:promotion_rows", "engine.gate_desk:GateDesk", "engine.exit_condition:exit_condition", "safety.rules_order:_micro"), ("risk.micro_order_notional_usd", "risk.micro_gross_exposure_usd", "risk.micro_min_margin_usd"),
            ("micro_size_exceeded", "below_min_margin", "candidate_changed"), ("tests/engine/test_gate_desk.py::test_each_item_blocks_by_its_name_until_a_named_person_has_ticked_it", "tests/engine/test_exit_condition.py::test_each_open_blocker_is_named_with_its_part", "tests/engine/test_promotion.py::test_stage_and_blockers_follow_from_the_evidence", "tests/engine/test_promotion.py::test_what_the_drills_block_blocks_every_strategy", f"{_RULES}::test_live_needs_a_stage_and_the_micro_stage_its_small_exposure")),
    Control(27, "A material change takes the stage away", _P, ("engine.promotion:promotion_rows",), (),
            ("config_mutated", "verify_stale"), ("tests/engine/test_promotion.py::test_paper_of_another_configuration_than_the_replayed_run_is_mutated", "tests/engine/test_verified.py::test_a_run_of_another_source_or_kernel_is_stale", "tests/engine/test_deployment.py::test_a_candidate_is_deployed_unchanged_and_only_after_its_replay")),
    Control(28, "A looser limit waits, a tighter one holds at once", _P, ("safety.limits:split", "engine.limit_book:LimitBook"), ("risk.raise_cooldown_s",),
            ("limit_raise_pending",), ("tests/engine/test_limit_book.py::test_a_lower_limit_holds_at_once_and_a_raise_waits_fifteen_minutes", "tests/engine/test_limit_book.py::test_neither_a_clock_step_nor_a_restart_shortens_the_wait")),
    Control(29, "A second source for every fill", _P, ("engine.trading.custody:Custody.reconcile",), (),
            ("reconciliation_difference",), (f"{_CUSTODY}::test_a_fill_is_booked_once_however_often_it_is_told", f"{_CUSTODY}::test_a_lost_answer_is_unknown_and_holds_until_the_venue_shows_the_order", "tests/survival/test_exchange.py::test_a_killed_engine_finds_its_account_again_and_nothing_is_lost_or_doubled")),
    Control(30, "Alarms that ask for an act, latch and never drown", _P, ("engine.ops.alarms:AlarmDesk", "engine.ops.sinks:Sinks"), ("alarms.sinks",),
            ("alarm_sink_failed",), ("tests/ops/test_alarms.py::test_alarm_follows_the_table", "tests/ops/test_sinks.py::test_in_a_flood_only_priority_1_goes_singly_and_the_rest_as_a_digest", "tests/ops/test_alarm_burden.py::test_whatever_happens_an_alarm_of_priority_1_that_stands_is_shown_and_rings")),
    Control(31, "Records that show when they were touched", _P, ("safety.audit:AuditLog",), ("record.audit_segment_mib", "record.audit_head_every_s"),
            ("audit_broken",), ("tests/safety/test_audit_chain.py::test_every_single_byte_mutation_is_found", "tests/safety/test_audit_vouching.py::test_a_thousand_mutations_are_found_and_the_first_bad_record_is_named", "tests/safety/test_audit_vouching.py::test_a_start_is_refused_when_the_log_is_behind_its_last_anchor")),
    Control(32, "A self-assessment with every release, made from the tests", _P, ("tests.assurance.assessment:assess",), (),
            (), ("tests/assurance/test_controls.py::test_the_assessment_says_of_each_control_what_its_tests_said",)),
    Control(33, "Twice the message rate of the worst day", _P, ("engine.trading.traffic:Traffic",), ("risk.message_rate_per_s",),
            ("message_rate_exceeded",), ("tests/assurance/test_stress.py::test_at_twice_the_peak_the_gates_stand_and_cancels_pass",)),
    Control(34, "One temporary exception, by two persons, with an alarm", _P, ("safety.override:overridden", "safety.override:may_go"), (),
            ("override_off", "override_used"), (f"{_TWO}::test_an_override_is_one_ticket_two_keys_a_reason_and_an_alarm", f"{_TWO}::test_overrides_are_off_unless_configured", "tests/assurance/test_controls.py::test_no_switch_skips_a_rule")),
    Control(35, "Leaving in order: never beyond the collar, in slices", _P, ("engine.closing:closing_intent", "engine.closing:slice_of"), ("risk.price_collar", "risk.max_order_notional_usd"),
            ("price_collar_exceeded",), ("tests/assurance/test_stress.py::test_a_flatten_stays_within_the_collar_and_goes_in_slices", "tests/survival/test_stop.py::test_flatten_ends_flat_and_only_a_resume_with_a_reason_lets_entries_through")),
)
# fmt: on
