"""Where a desk keeps its state: one folder, named by `INTERLOCK_HOME`.

Layout (paths are part of the contract; several desks run side by side with different homes):

    run/            engine.lock, endpoint.json, operator.creds, observer.creds, engine.log, halt.sock,
                    feed.creds, feed-VENUE.lock, feed-VENUE.sock, feed-VENUE.log
    safety/         kill.latch, kill.byte, kill.request
    audit/          audit.jsonl (then .1, .2, ...), audit.jsonl.head, audit.jsonl.signed
    db/             paper.db, dry_live.db, live.db
    data/           imported bars: VENUE/SYMBOL/INTERVAL.parquet + .json
    candles/        VENUE/SYMBOL/INTERVAL/YYYY-MM.parquet: what the feed keeps
    outputs/        runs/, runs_index.*, paper_sessions/, paper_sessions_index.*, jobs/, verify/,
                    alarms/ (dead letters), incidents/, past/ (what consoles were shown),
                    decisions/ (ephemeral.jsonl: for programs that learn; the record is audit/),
                    events/, venue_calls/ (000001.jsonl and on: what people were shown, what was asked),
                    submits/ (corridor sessions), submits_index.*, broker_dry_runs/ and their index,
                    drills/, exports/,
                    desk_health.json, desk_alerts.json
    forge/          builds of strategy files by their hash
    foundry/        components: strategies/LANG/VERSION/NAME/ and so on
    config/         interlock.yaml (user layer), history/ (what ended well), rollbacks/
    operators/      NAME.json: each operator's public key
    policies/       NAME.md: the desk's own policies, shown beside the orders that they are about
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def home_folder(environ: dict[str, str] | None = None) -> Path:
    """Return the desk's folder: `INTERLOCK_HOME`, or the platform's data directory."""
    named = (os.environ if environ is None else environ).get("INTERLOCK_HOME", "")
    return Path(named).expanduser().resolve() if named else user_data_path("interlock")


class HomePaths:
    """The named places under one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.endpoint = self.run / "endpoint.json"
        self.operator_credential = self.run / "operator.creds"
        self.observer_credential = self.run / "observer.creds"
        self.lock = self.run / "engine.lock"
        self.log = self.run / "engine.log"
        self.halt_socket = self.run / "halt.sock"
        self.safety = home / "safety"
        self.audit = home / "audit" / "audit.jsonl"
        self.database = home / "db"
        self.data = home / "data"
        self.outputs = home / "outputs"
        self.runs = self.outputs / "runs"
        self.jobs = self.outputs / "jobs"
        self.alarms = self.outputs / "alarms"
        self.incidents = self.outputs / "incidents"
        self.exports = self.outputs / "exports"
        self.past = self.outputs / "past"
        self.sessions = self.outputs / "paper_sessions"
        self.submits = self.outputs / "submits"
        self.dry_runs = self.outputs / "broker_dry_runs"
        self.operators = home / "operators"
        self.policies = home / "policies"
        self.user_config = home / "config" / "interlock.yaml"
