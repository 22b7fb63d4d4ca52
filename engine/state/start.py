"""Starting from a state: it fits this build and what is asked for, or is refused and nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.research import identity
from engine.research.bars import FILE_SUFFIXES
from engine.research.choice import Choice, RunFailed, build_of, choose, forged
from engine.research.request import RunRequest
from engine.state.init_state import InitState, account_of
from engine.strategies.registry import BUNDLED
from native.forged import Forged
from native.intents import KernelConfig, LaneSpec, Matching
from native.kernel import Kernel
from native.strategy import Strategy
from seams.clock import NS_PER_MS, iso_z
from seams.disk import Disk


def proved(state: InitState, home: Path, disk: Disk, strategy: str = "") -> list[Choice]:
    """Return the strategies of a state that is what it says, under this build.

    `strategy`: the file of what no name loads. Raises `RunFailed`: kernel_hash_mismatch,
    state_strategy_mismatch, or state_damaged where kernel and words disagree.
    """
    own = identity.kernel_sha256()
    if state.kernel_sha256 != own:
        raise RunFailed(
            "kernel_hash_mismatch", f"exported by kernel {state.kernel_sha256[:12]}, this is {own[:12]}"
        )
    chosen = choices_of(state, home, disk, strategy)
    probe = kernel_from(state, choices_of(state, home, disk, strategy), "probe")
    if probe.start_hash() != state.state_sha256:
        raise RunFailed("state_damaged", "the kernel makes another state of it")
    if account_of(probe) != state.account or _last_bars(probe) != [lane.last_bar_ms for lane in state.lanes]:
        raise RunFailed("state_damaged", "balance, positions or times are not those of its kernel state")
    return chosen


def choices_of(state: InitState, home: Path, disk: Disk, strategy: str = "") -> list[Choice]:
    """Return each lane's strategy anew, with the recorded source and build. Raises `RunFailed` with
    state_strategy_mismatch."""
    chosen = []
    for lane in state.lanes:
        spec = lane.strategy if lane.strategy in BUNDLED else strategy or lane.file or lane.strategy
        try:
            choice = choose(spec, "", lane.params)
            choice = forged(choice, home, disk) if lane.build_sha256 else choice
        except RunFailed as error:
            raise _other_strategy(f"{lane.strategy} of the state is not found here: {error}") from error
        if (choice.name, choice.source_sha256) != (lane.strategy, lane.source_sha256):
            raise _other_strategy(
                f"{choice.name} has source {choice.source_sha256[:12]}, "
                f"the state's {lane.strategy} had {lane.source_sha256[:12]}"
            )
        if build_of(choice) != lane.build_sha256:
            raise _other_strategy(f"{lane.strategy} is another build here")
        chosen.append(choice)
    return chosen


def lanes_of(state: InitState, chosen: list[Choice]) -> list[LaneSpec]:
    """Return the state's lanes for a kernel."""
    return [
        LaneSpec(
            symbol=lane.symbol,
            strategy=choice.strategy,
            params=choice.params if isinstance(choice.strategy, str) else {},
            lot=lane.lot,
            tick=lane.tick,
        )
        for lane, choice in zip(state.lanes, chosen, strict=True)
    ]


def kernel_from(
    state: InitState, chosen: list[Choice], run_id: str, matching: Matching = "internal"
) -> Kernel:
    """Return a kernel that goes on from a state. Raises `RunFailed` with state_damaged."""
    try:
        kernel = Kernel(state.kernel_config, lanes_of(state, chosen), matching=matching, run_id=run_id)
    except (ValueError, TypeError) as error:
        raise RunFailed("state_damaged", f"no kernel is like that: {error}") from error
    begin(kernel, state)
    return kernel


def begin(kernel: Kernel, state: InitState) -> None:
    """Let a fresh kernel start from a state; refused, it stays as it is.

    Raises `RunFailed`: state_symbol_mismatch, state_strategy_mismatch or state_config_mismatch with what
    differs, else state_damaged.
    """
    for lane, (own, other) in enumerate(zip(kernel.lanes, state.lanes, strict=False)):
        if own.symbol != other.symbol:
            raise RunFailed("state_symbol_mismatch", f"{own.symbol}; the state's is {other.symbol}")
        params = own.params if isinstance(own.strategy, str) else _instance(own.strategy).values()
        if dict(params) != other.params:
            raise _other_strategy(f"lane {lane} has {dict(params)}, the state's {other.params}")
        if (own.lot, own.tick) != (other.lot, other.tick):
            raise RunFailed("state_config_mismatch", f"lot and tick are not {other.lot:g} and {other.tick:g}")
    if len(kernel.lanes) != len(state.lanes):
        raise RunFailed(
            "state_symbol_mismatch", f"{len(kernel.lanes)} symbols, the state has {len(state.lanes)}"
        )
    if wrong := _differences(kernel.config, state.kernel_config):
        raise RunFailed("state_config_mismatch", "; ".join(wrong))
    try:
        kernel.import_start(state.kernel_state)
    except ValueError as error:
        raise RunFailed("state_damaged", str(error)) from error


def completed(request: RunRequest, state: InitState) -> RunRequest:
    """Fill what a request leaves open from a state: strategy, account, rules, and the bars after its last.

    Raises `RunFailed` with state_symbol_mismatch for a state of several symbols, state_config_mismatch for
    another cash.
    """
    if len(state.lanes) != 1 or request.is_portfolio:
        raise RunFailed("state_symbol_mismatch", f"a run has one symbol, the state {len(state.lanes)}")
    lane, config = state.lanes[0], state.kernel_config
    if request.cash not in (None, config.cash, state.equity):
        raise RunFailed("state_config_mismatch", f"cash is {request.cash:g}, the state has {state.equity:g}")
    is_named = bool(request.strategy or request.preset)
    is_other = request.strategy.replace("-", "_") in BUNDLED.keys() - {lane.strategy}
    is_file = request.data.lower().endswith(FILE_SUFFIXES)
    changes: dict[str, Any] = {
        "strategy": request.strategy if is_named else _spec(state),
        "params": request.params or ({} if request.preset or is_other else lane.params),
        "symbol": request.symbol or (lane.symbol if is_file else ""),
        "start_ns": lane.last_bar_ms * NS_PER_MS + 1 if request.start_ns is None else request.start_ns,
        "cash": config.cash,
        "notional_usd": config.notional_usd if request.notional_usd is None else request.notional_usd,
        "fee_bps": config.fee_bps if request.fee_bps is None else request.fee_bps,
        "slippage_bps": config.slippage_bps if request.slippage_bps is None else request.slippage_bps,
        "slippage_mode": request.slippage_mode or config.exchange.slippage_mode,
        "stops": request.stops or config.stops,
        "switches": request.switches or dict(state.switches),
        "lot": lane.lot if request.lot is None else request.lot,
        "tick": lane.tick if request.tick is None else request.tick,
        "seed": request.seed or config.seed,
        "is_forged": request.is_forged or bool(lane.build_sha256),
    }
    return msgspec.structs.replace(request, **changes)  # type: ignore[type-var]


def demand_next(state: InitState, symbol: str, first_ns: int, interval_ns: int, max_gap_bars: int) -> None:
    """Refuse bars that do not follow the state's last one. Raises `RunFailed` with state_gap, or
    state_config_mismatch for another bar length."""
    if interval_ns != state.interval_ns:
        raise RunFailed(
            "state_config_mismatch",
            f"bars of {interval_ns / 1e9:g} s; the state's were of {state.interval_ns / 1e9:g} s",
        )
    last_ns = next(lane.last_bar_ms for lane in state.lanes if lane.symbol == symbol) * NS_PER_MS
    missing = (first_ns - last_ns) // interval_ns - 1
    if missing < 0:
        raise RunFailed(
            "state_gap", f"{symbol}: bars from {iso_z(first_ns)} on are known to the state already"
        )
    if missing > max_gap_bars:
        between = f"{iso_z(last_ns)} and {iso_z(first_ns)}"
        raise RunFailed("state_gap", f"{symbol}: {missing} bars are missing between {between}")


def _spec(state: InitState) -> str:
    lane = state.lanes[0]
    return lane.strategy if lane.strategy in BUNDLED else lane.file or lane.strategy


def _instance(strategy: object) -> Strategy | Forged:
    assert isinstance(strategy, Strategy | Forged)
    return strategy


def _differences(own: KernelConfig, recorded: KernelConfig) -> list[str]:
    """Name every assumption that differs, with both values."""
    mine, theirs = _flat(msgspec.to_builtins(own)), _flat(msgspec.to_builtins(recorded))
    return [
        f"{name} is {mine[name]}, the state's {theirs[name]}" for name in mine if mine[name] != theirs[name]
    ]


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= value if isinstance(value, dict) else {name: value}
    return found


def _last_bars(kernel: Kernel) -> list[int]:
    count = len(kernel.lanes)
    return [kernel.remembered(lane)["last_ts_ns"] // NS_PER_MS for lane in range(count)]


def _other_strategy(message: str) -> RunFailed:
    return RunFailed("state_strategy_mismatch", message)
