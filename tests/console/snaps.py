"""Pictures of a state: keys pressed one by one, then the screen compared with the one that was looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from textual.pilot import Pilot

from console.tui.app import InterlockApp

SIZES = ((80, 24), (120, 40), (160, 50))
Compare = Callable[..., bool]
Step = Callable[[Pilot[Any]], Awaitable[None]]


def steps(*keys: str, after: Callable[[InterlockApp], None] | None = None, rest_s: float = 0.05) -> Step:
    """Press keys one by one and let each settle; then do something to the app, and wait for its answers."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, InterlockApp)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        if after is not None:
            after(app)
            app.paint()
        await pilot.pause(rest_s)

    return run


def pictured(states: Mapping[str, tuple[Callable[..., InterlockApp], tuple[str, ...]]]) -> tuple[Any, Any]:
    """Return two tests of the same states: each at three sizes, and each without colour at the smallest."""

    @pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
    @pytest.mark.parametrize("state", states)
    def test_state(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
        make, keys = states[state]
        assert snap_compare(make(), terminal_size=size, run_before=steps(*keys))

    @pytest.mark.parametrize("state", states)
    def test_state_without_colour(snap_compare: Compare, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        make, keys = states[state]
        assert snap_compare(make(is_utf8=False), terminal_size=SIZES[0], run_before=steps(*keys))

    return test_state, test_state_without_colour
