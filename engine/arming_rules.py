"""The conditions of arming, each a row: every one is judged, and all that fail are named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import config
from engine.api.drills import DRILL_KINDS
from engine.config.settings import ExecutionBlock
from engine.core import Core
from engine.ops.drill_evidence import drill_blockers
from engine.trading.custody import Custody, Verdict
from engine.trading.verdict import why_not_clean
from safety.arming import Condition
from safety.canonical import changed
from safety.intent import ExecutionPolicy, Stage
from safety.killbyte import KillLevel
from safety.principals import enrolled
from safety.reasons import REASONS, Refusal
from safety.secrets import Secret
from safety.text import clean
from seams.clock import NS_PER_S
from venues.standing import KeyStanding, Standing
from venues.types import Environment, Mode

DAY_NS = 86_400 * NS_PER_S
MUST_BE_SET = (
    "risk.max_order_notional_usd",
    "risk.max_gross_exposure_usd",
    "risk.max_open_positions",
    "risk.daily_loss_close_only_usd",
    "risk.daily_loss_halt_usd",
)
"""Limits that the desk writes down itself before real money moves: what is shipped is for paper."""
MICRO_MOST: Mapping[str, float] = {"micro_order_notional_usd": 150.0, "micro_gross_exposure_usd": 450.0}
"""The largest caps of the micro stage: the first orders with real money are small, whatever a file says."""
OWN_HOLDS = frozenset({"arming", "seal", "hydration", "ambiguity"})
"""Holds that a condition of its own stands for."""
DEFAULTS = "defaults"
MAX_SAID = 400
SHIPPED = str(Path(config.__file__).parent)


def _row(code: str, ok: bool, said: str) -> Condition:
    return Condition(code=code, ok=ok, said=said, correction="" if ok else REASONS[code].correction)


def local_conditions(
    core: Core, venue: str, origins: Mapping[str, str], drill_key: Secret | None
) -> tuple[Condition, ...]:
    """Judge what can be judged without a word from the venue."""
    found = [*_desk(core), *_lists(core.settings.execution, venue), _persons(core)]
    if core.mode is Mode.LIVE:
        found += [*_limits(core, origins), _drills(core, drill_key), _seal(core)]
    return tuple(found)


def looked_conditions(
    core: Core, custody: Custody, standing: Standing | None, said: str
) -> tuple[Condition, ...]:
    """Judge what only the venue can tell; `standing` is None where it did not (and `said` why)."""
    age_ms = custody.age_ms()
    most_ms = core.settings.risk.reconcile_stale_ms
    is_clean = custody.verdict is Verdict.CLEAN and age_ms is not None and age_ms <= most_ms
    differs = f", {len(custody.differences)} differences" if custody.differences else ""
    aged = "never" if age_ms is None else f"{age_ms / 1000:.0f} s ago"
    code, seen = why_not_clean(custody.verdict), f"{custody.verdict}{differs}, last agreed {aged}"
    first = _row(code, is_clean, seen)
    if standing is None:
        return (first, _row("venue_unreachable", False, said))
    return (first, *_keys(core, standing))


def bounded(core: Core, policy: ExecutionPolicy) -> ExecutionPolicy:
    """Return a policy as real money needs it: the micro stage, and nothing beyond the desk's allow-lists."""
    if core.environment is Environment.SANDBOX or core.mode in (Mode.SIM, Mode.PAPER):
        return policy
    lists = core.settings.execution
    return changed(
        policy,
        stage=Stage.MICRO,
        allowed_symbols=tuple(s for s in policy.allowed_symbols if s in lists.allowed_symbols),
        allowed_venues=tuple(v for v in policy.allowed_venues if v in lists.allowed_venues),
        allowed_strategies=tuple(s for s in policy.allowed_strategies if s in lists.allowed_strategies),
    )


def _desk(core: Core) -> Iterator[Condition]:
    level = core.kill.level
    yield _row("kill_switch_active", level is KillLevel.CLEAR, level.name.lower())
    holds = [hold.code for hold in core.interlock.holds if hold.code not in OWN_HOLDS | {"kill"}]
    yield _row("hold_blocks_entry", not holds, ", ".join(holds) or "no other hold")
    yield _row("audit_broken", not core.audit.is_broken, "every act is on the record")


def _lists(lists: ExecutionBlock, venue: str) -> Iterator[Condition]:
    named = {
        "execution.allowed_venues": lists.allowed_venues,
        "execution.allowed_symbols": lists.allowed_symbols,
        "execution.allowed_strategies": lists.allowed_strategies,
    }
    empty = [name for name, values in named.items() if not values]
    yield _row("allow_list_empty", not empty, ", ".join(empty) or "venues, symbols and strategies are named")
    said = f"{venue}, allowed: {', '.join(lists.allowed_venues) or 'none'}"
    yield _row("venue_not_allowed", venue in lists.allowed_venues, said)


def _persons(core: Core) -> Condition:
    """Two persons need two keys that are in force; whose they are is judged when they sign."""
    if not core.needs_two_persons:
        return _row("second_person_missing", True, "policy asks for one person")
    folder = core.paths.operators
    names = (
        [name.removesuffix(".json") for name in core.disk.list(folder)] if core.disk.exists(folder) else []
    )
    count = sum(1 for name in names if _is_in_force(core, name))
    return _row("second_person_missing", count >= 2, f"{count} operator keys in force, two are needed")


def _is_in_force(core: Core, name: str) -> bool:
    try:
        found = enrolled(core.disk, core.paths.operators, name)
    except Refusal:
        return False
    return found is not None and not found.revoked_ns


def _limits(core: Core, origins: Mapping[str, str]) -> Iterator[Condition]:
    unset = [key for key in MUST_BE_SET if _is_shipped(origins.get(key, DEFAULTS))]
    yield _row("limits_not_set", not unset, ", ".join(unset) or "the desk's own limits are set")
    waiting = ", ".join(core.limits.waiting)
    yield _row("limit_raise_waits", not waiting, waiting or "no raise waits")
    risk = core.settings.risk
    over = [
        f"risk.{k} {getattr(risk, k):g} > {most:g}"
        for k, most in MICRO_MOST.items()
        if getattr(risk, k) > most
    ]
    yield _row("micro_caps_too_large", not over, ", ".join(over) or "the micro caps are small")


def _is_shipped(origin: str) -> bool:
    return origin == DEFAULTS or origin.startswith(SHIPPED)


def _drills(core: Core, key: Secret | None) -> Condition:
    now_ns = core.clock.now_ns()
    wrong = drill_blockers(core.paths.outputs, core.disk, now_ns, core.kernel_sha256, key, DRILL_KINDS)
    return _row("drill_not_passed", not wrong, ", ".join(wrong) or "each kind within 30 days")


def _seal(core: Core) -> Condition:
    """No strategy is sealed in this build: on mainnet that refuses, and nothing passes over it."""
    needs_seal = core.environment is Environment.MAINNET
    return _row("no_seal", not needs_seal, "no seal exists" if needs_seal else "test money needs no seal")


def _keys(core: Core, standing: Standing) -> Iterator[Condition]:
    can = [key.name for key in standing.keys if key.can_withdraw]
    unsaid = [key.name for key in standing.keys if key.can_withdraw is None]
    said = ", ".join(
        [f"can withdraw: {', '.join(can)}"] * bool(can) + [f"not said of: {', '.join(unsaid)}"] * bool(unsaid)
    )
    yield _row("key_can_withdraw", not can and not unsaid, said or "no key can withdraw")
    now_ns, least = core.clock.now_ns(), core.settings.risk.signer_min_days
    ending = [each for key in standing.keys if (each := _ending(key, now_ns, least))]
    yield _row("key_expires_soon", not ending, ", ".join(ending) or f"no key ends within {least:g} days")
    problems = clean(", ".join(standing.problems), MAX_SAID)
    yield _row("venue_not_ready", not standing.problems, problems or "the venue is ready")


def _ending(key: KeyStanding, now_ns: int, least_days: float) -> str:
    """Return why a key's end is in the way; nothing where it is not."""
    if key.refused:
        return f"{key.name}: not told, the venue refuses it ({key.refused})"
    if key.valid_until_ns is None:
        return f"{key.name}: its end is not told (give the agent a name)"
    left_days = (key.valid_until_ns - now_ns) / DAY_NS
    return f"{key.name} in {left_days:.1f} days" if key.valid_until_ns and left_days < least_days else ""
