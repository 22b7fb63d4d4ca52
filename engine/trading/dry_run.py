"""A dry run: an order wish is checked and judged, nothing is sent, and the audit artifact is written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.config import load_settings
from engine.config.settings import config_fingerprint
from engine.trading.hand_intent import hand_intent
from engine.trading.pipeline import policy_of
from engine.trading.traffic import REPEAT_WINDOW_NS
from safety.facts import AccountFacts, DeskFacts, Preflight
from safety.guardrails import Guarded, guard
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.interlock import HoldLevel
from safety.killswitch import LatchUnreadable, read_latch
from safety.order_form import feedback, figure
from safety.preflight import preflight
from safety.spelling import unlisted
from seams.clock import NS_PER_MS, Clock, iso_z
from seams.disk import Disk
from seams.ids import Ids
from venues.evidence import WouldState
from venues.sandbox.scenarios import DEFAULT_SYMBOLS, VENUE_NAME, instrument_of
from venues.types import Instrument, Mode, OrderRequest, Record

TOOL = "dry_run"
DRY_RUNS = "broker_dry_runs"
BROKER_FILE = "broker_dry_run.json"


class DryRun(Record):
    """The artifact `broker_dry_run.json`; `payload` is null where the order was refused.

    From `mode` on: of a dry-run engine (mode dry_live), whose `state` is would, refused or undecided, and
    whose `venue_fields` are the order as the venue reads it, without its signature.
    """

    artifact_type: str
    schema_version: str
    adapter_name: str
    generated_at: str
    guardrail: Guarded | None
    preflight: Preflight
    intent: ExecutionIntent
    policy: ExecutionPolicy
    payload: OrderRequest | None
    path: str
    mode: str = ""
    environment: str = ""
    account_id: str = ""
    session_id: str = ""
    state: str = ""
    reasons: tuple[str, ...] = ()
    said: str = ""
    way: str = ""
    nonce: int = 0
    valid_until_ns: int = 0
    venue_fields: dict[str, Any] = {}
    payload_sha256: str = ""


class Incomplete(Exception):
    """Fields are missing or wrong; `feedback` is the corrective structure (QT-11)."""

    def __init__(self, feedback: Record) -> None:
        super().__init__("the order's form is not right")
        self.feedback = feedback


class Judged(Record):
    """One order wish as the policy in force sees it, on an empty paper account; `guardrail` is the first
    guard of the tool that it meets (QT-47)."""

    guardrail: Guarded | None
    intent: ExecutionIntent
    policy: ExecutionPolicy
    preflight: Preflight
    said: str
    """Which market was meant, where the order names one that the sandbox has not; else empty."""


def judge_order(
    raw: Mapping[str, object], home: Path, environ: dict[str, str], disk: Disk, clock: Clock, ids: Ids
) -> Judged:
    """Judge one order wish as an empty paper account would; nothing is written.

    `raw` is the form of `safety.order_form`. Raises `Incomplete` where a field is missing or wrong.
    """
    wrong = feedback(raw, TOOL)
    if wrong is not None:
        raise Incomplete(wrong)
    settings = load_settings(home, environ).settings
    intent = _intent(raw, ids.new("D"), config_fingerprint(settings))
    known = _instruments()
    policy = policy_of(settings.risk, Mode.PAPER, tuple(known), (VENUE_NAME,), ("operator",))
    facts = _facts(intent, home, disk, clock, Decimal(str(settings.risk.initial_equity_usd)))
    verdict = preflight(intent, facts, policy, known.get(intent.symbol))
    said = "" if intent.symbol in known else unlisted(intent.symbol, f"the {VENUE_NAME}", tuple(known))
    met = guard(
        [raw],
        TOOL,
        blocked_symbols=settings.risk.blocked_symbols,
        max_order_usd=Decimal(str(settings.risk.max_order_notional_usd)),
    )
    return Judged(guardrail=met, intent=intent, policy=policy, preflight=verdict, said=said)


def dry_run(
    raw: Mapping[str, object], home: Path, environ: dict[str, str], disk: Disk, clock: Clock, ids: Ids
) -> DryRun:
    """Judge one order wish and write the audit artifact. Raises `Incomplete`, and writes nothing then."""
    judged = judge_order(raw, home, environ, disk, clock, ids)
    intent, verdict = judged.intent, judged.preflight
    folder = home / "outputs" / DRY_RUNS / intent.request_id
    disk.make_folder(folder)
    made = DryRun(
        artifact_type="interlock.sandbox.dry_run_audit",
        schema_version="1.0",
        adapter_name=VENUE_NAME,
        generated_at=iso_z(clock.now_ns()),
        guardrail=judged.guardrail,
        preflight=verdict,
        intent=intent,
        policy=judged.policy,
        payload=_payload(intent) if verdict.allowed else None,
        path=str(folder / BROKER_FILE),
        state=(WouldState.WOULD if verdict.allowed else WouldState.REFUSED).value,
        reasons=verdict.reasons,
        said=judged.said,
    )
    disk.write_atomic(Path(made.path), msgspec.json.format(msgspec.json.encode(made), indent=2))
    return made


def _instruments() -> dict[str, Instrument]:
    fees = (Decimal("1.5"), Decimal("4.5"))
    return {spec.symbol: instrument_of(spec, *fees) for spec in DEFAULT_SYMBOLS}


def _intent(raw: Mapping[str, object], request_id: str, fingerprint: str) -> ExecutionIntent:
    """Build the intent of a form that is complete and right."""
    return hand_intent(
        raw,
        name=request_id,
        session_id="dry-run",
        strategy="operator",
        venue=VENUE_NAME,
        account="dry-run",
        fingerprint=fingerprint,
        mark_price=figure(raw.get("mark_price")) or figure(raw["limit_price"]),
        mark_age_ms=0,
    )


def _facts(intent: ExecutionIntent, home: Path, disk: Disk, clock: Clock, equity: Decimal) -> AccountFacts:
    """An empty account under this home's latch; an unreadable latch counts as halt_all."""
    kill_level = 0
    folder = home / "safety"
    if disk.exists(folder):
        try:
            kill_level = int(read_latch(disk, folder).level)
        except LatchUnreadable:
            kill_level = 2
    now_ns = clock.now_ns()
    return AccountFacts(
        account_id="dry-run",
        kill_level=kill_level,
        hold_level=HoldLevel.CLEAR if kill_level == 0 else HoldLevel.HALT,
        now_ns=now_ns,
        last_ns=now_ns,
        clock_offset_ms=None,
        mark_price=intent.mark_price,
        mark_age_ms=0,
        equity_usd=equity,
        peak_equity_usd=equity,
        day_pnl_usd=Decimal(0),
        positions=(),
        orders=(),
        recent_keys=(),
        messages_in_window=0,
        repeats_in_window=0,
        entries_in_minute=0,
        symbol_entries_in_minute=0,
        exits_in_minute=0,
        since_entry_ms=REPEAT_WINDOW_NS // NS_PER_MS,
        desk=DeskFacts(
            other_exposure_usd=Decimal(0),
            venue_other_exposure_usd=Decimal(0),
            other_alt_longs_usd=Decimal(0),
            other_alt_shorts_usd=Decimal(0),
            entry_usd_in_minute=Decimal(0),
        ),
    )


def _payload(intent: ExecutionIntent) -> OrderRequest:
    assert intent.limit_price is not None and intent.mark_price is not None
    return OrderRequest(
        client_order_id=intent.request_id,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        order_type=intent.order_type,
        limit_price=intent.limit_price,
        time_in_force=intent.time_in_force,
        reduce_only=intent.reduce_only,
        mark_price=intent.mark_price,
    )
