"""Every alarm, in one table: an alarm asks a person for one act within a time, or it is not an alarm.

Priorities follow ISA-18.2: 1 act now, 2 act soon, 3 act today. `on_delay_s` is how long the condition
must stand before it rings, `deadband_s` how long it must be gone before it may ring again.
"""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Mapping

from safety.reasons import anchor
from venues.types import Record


class AlarmSpec(Record):
    """One row. `respond_within` is a time in words; a latched alarm stays until it is reset by name."""

    code: str
    priority: int
    title: str
    consequence: str
    respond_within: str
    first_action: str
    runbook: str
    is_latched: bool
    on_delay_s: float
    deadband_s: float


# fmt: off
_KILL, _FEED, _REJECTED = "kill-and-resume", "stale-feed", "rejected-orders"
_UNKNOWN, _PAPER, _START = "ambiguous-order", "paper-session", "engine-will-not-start"
_ALARMS, _RECONCILE = "alarms", "reconciliation"
_ALARMS, _RESEARCH = "alarms", "research-run"
_APPROVALS = "approvals"
_ARMING = "arming"
_DEAD_KEY, _MAINTENANCE = "dead-key", "venue-maintenance"

_ROWS: tuple[tuple[str, int, str, str, str, str, str, bool, float, float], ...] = (
    ("kill_latched", 1, "The kill switch is pulled", "No new risk; at halt_all no exits by the engine either", "1 minute", "Check residual positions and orders", _KILL, True, 0.0, 0.0),
    ("crash_loop", 1, "The engine dies again and again", "It has started at halt_all and risks nothing until a named operator resumes", "5 minutes", "Read interlock engine logs from before the start; resume when the cause is gone", _START, True, 0.0, 0.0),
    ("order_unknown", 1, "An order's outcome is not known", "It may be alive; new risk on its symbol is blocked", "2 minutes", "Query the venue; do not send it again", _UNKNOWN, True, 0.0, 0.0),
    ("latch_unreadable", 1, "The kill latch cannot be read", "The engine is at halt_all", "2 minutes", "Check the engine's folder", _KILL, True, 0.0, 0.0),
    ("audit_broken", 1, "The audit log is broken", "Nothing can be recorded, so nothing is risked", "5 minutes", "Keep the file; run interlock audit verify", _START, True, 0.0, 0.0),
    ("database_error", 1, "The database refuses", "Orders cannot be recorded, so none are sent", "5 minutes", "Check disk space and the database file", _START, True, 0.0, 0.0),
    ("daily_loss_limit", 1, "The daily loss limit is reached", "Only exits pass until a named operator resumes", "5 minutes", "Review open positions", _KILL, True, 0.0, 0.0),
    ("drawdown_limit", 1, "The drawdown limit is reached", "Only exits pass until a named operator resumes", "5 minutes", "Review open positions", _KILL, True, 0.0, 0.0),
    ("desk_daily_loss_limit", 1, "The desk's daily loss limit is reached", "Only exits pass until a named operator resumes; a restart does not help", "5 minutes", "Review the open positions of every session", _KILL, True, 0.0, 0.0),
    ("slippage_limit", 1, "Fills lie too far from the market decided on", "Only exits pass until a named operator resumes", "5 minutes", "Compare the newest fills with their marks; look at spread and feed", _KILL, True, 0.0, 0.0),
    ("performance_limit", 1, "A strategy only loses", "Only exits pass until a named operator resumes", "15 minutes", "Look at its closed trades; stop it if it is not what was tested", _KILL, True, 0.0, 0.0),
    ("exposure_breach", 1, "More is carried than the cap allows", "Only exits pass until a named operator resumes", "5 minutes", "Find out where it came from; reduce the position", _KILL, True, 0.0, 0.0),
    ("loss_near", 2, "A loss limit is near", "At the limit only exits pass", "10 minutes", "Review open positions before the limit does", _KILL, False, 0.0, 60.0),
    ("desk_drawdown_limit", 1, "The desk's drawdown limit is reached", "Only exits pass until a named operator resumes; a restart does not help", "5 minutes", "Review the open positions of every session", _KILL, True, 0.0, 0.0),
    ("order_storm", 2, "The same trade was repeated too often", "Only exits pass until a named operator resumes", "5 minutes", "Look for a loop in the strategy that the alarm names", _REJECTED, True, 0.0, 0.0),
    ("limit_raise_pending", 2, "A limit is about to be loosened", "After the cool-down more risk is admitted", "15 minutes", "Check who changed the configuration; take it back if nobody should have", _KILL, False, 0.0, 0.0),
    ("reconciliation_difference", 1, "Ledger and venue disagree", "New risk is blocked; the position shown may be wrong", "5 minutes", "Open the reconciliation desk; decide about each difference", _RECONCILE, True, 0.0, 0.0),
    ("late_truth", 1, "An order acted after it was thought to be over", "The position is another than the one decided on; it is booked", "2 minutes", "Compare position and plan; reduce if needed", _UNKNOWN, True, 0.0, 0.0),
    ("overfill", 1, "The venue filled more than was asked", "The position is larger than intended; it is booked", "2 minutes", "Compare the order's fills with the venue", _UNKNOWN, True, 0.0, 0.0),
    ("fill_beyond_limit", 1, "The venue filled beyond an order's limit", "The price is worse than anybody approved; it is booked, and the next order may go the same way", "5 minutes", "Compare the order's price and fills with the venue's own; hold entries there until it is explained", _UNKNOWN, True, 0.0, 0.0),
    ("venue_contradiction", 1, "The venue says two things about one order", "The order counts as unknown; new risk on its symbol is blocked", "2 minutes", "Look at the order in the venue's own console", _UNKNOWN, True, 0.0, 0.0),
    ("watchdog_lost", 1, "No watchdog watches", "Nobody cancels if the engine freezes; new risk is blocked", "5 minutes", "Start interlock watchdog run under the service manager", _KILL, False, 0.0, 0.0),
    ("arming_lapsed", 2, "The arming ran out", "No new risk; what is at the venue is watched and reduced", "15 minutes", "Arm again, or end what is open: interlock arm show", _ARMING, False, 0.0, 0.0),
    ("key_ending", 2, "A key of the venue ends soon", "After that nothing can be cancelled with it", "1 day", "Make a new key and put it into the key file", _ARMING, False, 0.0, 0.0),
    ("key_unsafe", 1, "A key can withdraw", "Who has it can take the money away; arming refuses it", "1 hour", "Make a key without that right and end this one", _ARMING, False, 0.0, 0.0),
    ("key_places_nothing", 1, "The key for orders may not place any", "Every order would be refused, exits too; it may be the watchdog's key", "15 minutes", "Name the engine's own key in execution.venue_key_file", _DEAD_KEY, False, 0.0, 0.0),
    ("key_dead", 1, "The venue does not take our key", "Nothing is placed any more, and cancels may be refused; what rests at the venue stays alive", "2 minutes", "Cancel what must not stay at the venue's own site, with the account's own login", _DEAD_KEY, True, 0.0, 0.0),
    ("liquidated", 1, "The venue has liquidated a position", "Everything is halted and cancelled; what is left may be taken too", "1 minute", "Look at the account at the venue; then decide about each difference", _RECONCILE, True, 0.0, 0.0),
    ("position_closed_by_venue", 1, "The venue closed a position by itself", "What it hedged stands alone; new risk is blocked until it is decided about", "2 minutes", "Compare what is held everywhere; then decide about the difference", _RECONCILE, True, 0.0, 0.0),
    ("venue_closed", 2, "The venue does not trade as usual", "It takes no entries, or only some kinds; in maintenance not even cancels, and what rests there stays", "5 minutes", "Look at what rests and what is held; cancel what must not stay as soon as cancels pass", _MAINTENANCE, False, 0.0, 0.0),
    ("venue_silent", 2, "The venue does not answer", "Nothing can be placed, cancelled or proved; what rests there may fill unseen", "5 minutes", "Look at the venue's own site; cancel there what must not stay", _MAINTENANCE, False, 15.0, 10.0),
    ("venue_stream_down", 2, "The venue's stream is down", "Prices grow old and no entry passes; what fills is only learnt by asking, seconds late", "10 minutes", "Look at interlock venue check; where it answers, wait, and open nothing new", _MAINTENANCE, False, 15.0, 10.0),
    ("venue_redirect", 1, "The venue's address sends us elsewhere", "Somebody may stand between us and the venue; nothing is followed, and an order answered so is in doubt", "5 minutes", "Look at interlock venue calls; check name resolution and certificates from another host", _DEAD_KEY, True, 0.0, 0.0),
    ("bus_lost", 2, "The bus is lost", "Consoles see nothing; the engine goes on and the kill file works", "5 minutes", "Check the bus; keep a direct kill at hand", _START, False, 2.0, 10.0),
    ("feed_stale", 2, "Market data is stale", "New risk is blocked until samples are good again", "5 minutes", "Check the feed's connection", _FEED, False, 2.0, 10.0),
    ("order_rejected", 2, "The venue refused an order", "The decision was not carried out", "10 minutes", "Read the venue's message", _REJECTED, False, 0.0, 60.0),
    ("session_failed", 2, "A session ended with an error", "Its strategy no longer watches its positions", "5 minutes", "Check its open positions, then its last error", _PAPER, True, 0.0, 0.0),
    ("session_stale", 2, "A session makes no progress", "Its market is quoted, but no bar closes: nobody decides, and stops and exits are not looked after", "10 minutes", "Check its open positions; compare the feed's bars with the venue's", _PAPER, False, 0.0, 30.0),
    ("clock_drift", 2, "The clock is off", "New risk is blocked; ages and expiries are doubtful", "10 minutes", "Check time synchronisation", _FEED, False, 5.0, 30.0),
    ("alarm_sink_failed", 2, "An alarm was not delivered", "Who relies on that sink does not hear of alarms", "10 minutes", "Look at interlock alarms sinks; use another way to watch", _ALARMS, False, 0.0, 60.0),
    ("past_not_recorded", 3, "What consoles are shown is not recorded", "This stretch cannot be looked at again; nothing else changes", "today", "Check space and rights of outputs/past under the home", _ALARMS, False, 0.0, 60.0),
    ("disk_low", 2, "Disk space runs low", "A full disk halts the engine", "30 minutes", "Free space", _START, False, 10.0, 300.0),
    ("shadow_diverged", 2, "A session's twin decides otherwise", "The strategy may not be the one that was tested", "30 minutes", "Look at interlock paper shadow; stop the session if it is the reference", _PAPER, False, 0.0, 60.0),
    ("schedule_paused", 2, "A scheduled run failed", "It does not start by itself any more", "30 minutes", "Read why with interlock schedule ls; resume it by name and reason", _RESEARCH, False, 0.0, 60.0),
    ("shadow_failed", 3, "A session's twin has failed", "Nobody compares its decisions any more; the session goes on", "today", "Read why; start the next session with a twin that works", _PAPER, False, 0.0, 60.0),
    ("key_old", 3, "A key has not been changed for long", "Whoever learned it once can still use it", "today", "Make a new key, name it, take back the old one", _START, False, 0.0, 60.0),
    ("ticket_unconfirmed", 2, "A venue has not confirmed an approved order", "It may be alive; its ticket is UNKNOWN", "2 minutes", "Do not send it again; look at the order's state until the venue has answered", _APPROVALS, False, 0.0, 10.0),
    ("override_used", 2, "Two persons passed over a failed check", "One order goes beyond a bound of the desk", "10 minutes", "Read who did it and why; check the position", _APPROVALS, True, 0.0, 0.0),
    ("decision_drift", 3, "The desk decides otherwise than it used to", "Strategy, market or configuration has changed in effect", "today", "Look at interlock audit drift for what moved; explain it", _PAPER, False, 0.0, 60.0),
    ("ticket_expired", 3, "A ticket expired undecided", "The strategy's wish was dropped", "today", "Check whether somebody watches the queue", _PAPER, False, 0.0, 60.0),
    ("config_reload_failed", 3, "A changed configuration is not valid", "The old one stays in force", "today", "Correct the key that the message names", _START, False, 0.0, 60.0),
)
# fmt: on

ALARMS: Mapping[str, AlarmSpec] = {
    row[0]: AlarmSpec(
        code=row[0],
        priority=row[1],
        title=row[2],
        consequence=row[3],
        respond_within=row[4],
        first_action=row[5],
        runbook=f"{row[6]}.md#{anchor(row[0])}",
        is_latched=row[7],
        on_delay_s=row[8],
        deadband_s=row[9],
    )
    for row in _ROWS
}
assert len(ALARMS) == len(_ROWS), "every alarm stands once"
