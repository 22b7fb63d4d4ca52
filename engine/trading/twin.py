"""What runs in a session's shadow: the interpreted strategies of its lanes, or another strategy (OC-13)."""

from __future__ import annotations

from dataclasses import replace

from engine.api.commands import PaperStart
from engine.research.choice import Choice, RunFailed, choose
from engine.strategies.registry import BUNDLED
from engine.trading.shadow import REFERENCE, Shadow, exactly, in_direction
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Strategy
from safety.reasons import Refusal


def shadow_of(
    start: PaperStart, config: KernelConfig, lanes: list[LaneSpec], chosen: list[Choice], session_id: str
) -> Shadow:
    """Return the twin that was asked for. Raises `Refusal` where a named strategy cannot be one."""
    if start.init_state:
        raise Refusal("invalid_config", "a session that starts from a state has no other strategy beside it")
    if start.shadow == REFERENCE:
        return _reference_shadow(config, lanes, chosen, session_id)
    try:
        others = [choose(start.shadow, "", {}) for _ in lanes]
    except RunFailed as error:
        raise Refusal("unknown_strategy", str(error)) from error
    twins = [
        replace(lane, strategy=other.strategy, params=other.params if isinstance(other.strategy, str) else {})
        for lane, other in zip(lanes, others, strict=True)
    ]
    twin = Kernel(config, twins, matching="external", run_id=session_id)
    return Shadow(others[0].name, twin, in_direction)


def _reference_shadow(
    config: KernelConfig, lanes: list[LaneSpec], chosen: list[Choice], session_id: str
) -> Shadow:
    """Return the reference's shadow; nobody asked for it by name, so what it cannot do only rings."""
    try:
        twins = [
            replace(lane, strategy=_reference(choice), params={})
            for lane, choice in zip(lanes, chosen, strict=True)
        ]
        kernel = Kernel(config, twins, matching="external", run_id=session_id)
    except Exception as error:  # a strategy's own code: whatever it raises ends the twin alone
        return Shadow(REFERENCE, None, exactly, failure=f"{type(error).__name__}: {error}"[:200])
    return Shadow(REFERENCE, kernel, exactly)


def _reference(choice: Choice) -> Strategy:
    """Return the strategy's own source, interpreted, with the same parameters."""
    if choice.name in BUNDLED:
        return BUNDLED[choice.name].kind(**choice.params)
    found = choose(choice.file or choice.name, "", choice.params).strategy
    assert isinstance(found, Strategy), "what is not bundled is interpreted"
    return found
