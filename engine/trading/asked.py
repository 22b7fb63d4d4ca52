"""What a session was asked to run: its strategies as chosen, its candidate, and what its replay needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

import msgspec

from engine.api.commands import PaperStart
from engine.core import Core
from engine.research.choice import Choice, RunFailed, choose
from engine.trading.inputs import LaneFacts, SessionFacts
from engine.trading.plan import SessionPlan
from native.intents import KernelConfig, LaneSpec
from safety.reasons import Refusal
from safety.spelling import unlisted
from seams.clock import NS_PER_MS


def session_facts(
    core: Core,
    plan: SessionPlan,
    config: KernelConfig,
    lanes: list[LaneSpec],
    chosen: list[Choice],
    init_state_sha256: str,
) -> SessionFacts:
    """Return what a replay builds the session's kernel from."""
    return SessionFacts(
        session_id=plan.session_id,
        feed=plan.feed_name,
        kernel_sha256=core.kernel_sha256,
        config=msgspec.to_builtins(config),
        lanes=tuple(
            LaneFacts(
                symbol=lane.symbol,
                strategy=choice.name,
                file=choice.file,
                source_sha256=choice.source_sha256,
                params=choice.params,
                lot=lane.lot,
                tick=lane.tick,
            )
            for lane, choice in zip(lanes, chosen, strict=True)
        ),
        init_state_sha256=init_state_sha256,
    )


def deployed(core: Core, start: PaperStart) -> PaperStart:
    """Return the start of a sweep's candidate, its parameters unchanged. Raises `Refusal` (OC-43, OC-44)."""
    # Here, not above: a desk without candidates must not pay for research.
    from engine.lifecycle.parity.deployment import proven_candidate

    if start.strategies or start.preset or start.params:
        raise Refusal(
            "config_mutated", "a candidate brings its strategy, preset and parameters; name no others"
        )
    now_ms = core.clock.now_ns() // NS_PER_MS
    try:
        found = proven_candidate(start.candidate, core.paths.home, core.disk, now_ms)
    except RunFailed as error:
        code = error.code if error.code in ("candidate_unproven", "config_mutated") else "unknown_strategy"
        raise Refusal(code, str(error)) from error
    changed: PaperStart = msgspec.structs.replace(  # type: ignore[type-var]
        start, strategies=(found.strategy,), preset=found.preset, params=dict(found.params)
    )
    return changed


def chosen_for(strategy: str, start: PaperStart, faster: dict[str, dict[str, float]]) -> Choice:
    params = {**faster.get(strategy.replace("-", "_"), {}), **start.params}
    try:
        choice = choose(strategy, start.preset, params)
    except RunFailed as error:
        raise Refusal("unknown_strategy", str(error)) from error
    if choice.switches:
        names = ", ".join(choice.switches)
        raise Refusal("invalid_config", f"a session cannot assume {names}, as preset {start.preset} does")
    return choice


def unknown_symbols(asked: Sequence[str], venue: str, listed: Collection[str]) -> Refusal:
    """Return what refuses a session whose markets the venue has not, with those that come near."""
    missing = [each for each in dict.fromkeys(asked) if each not in listed]
    return Refusal("invalid_config", "; ".join(unlisted(each, venue, listed) for each in missing))


def run_fingerprint(core: Core, start: PaperStart) -> str:
    """Return the sha256 of what was asked, under which configuration and kernel."""
    body = [msgspec.to_builtins(start), core.config_fingerprint, core.kernel_sha256]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
