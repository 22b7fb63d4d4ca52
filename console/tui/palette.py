"""The command palette: every action of the registry by name. A dangerous one is only prepared here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.actions import ACTIONS, Action, key_name

if TYPE_CHECKING:
    from console.tui.app import InterlockApp


def entry(action: Action) -> str:
    """Return the palette's name of an action."""
    keys = " ".join(key_name(key) for key in action.keys)
    where = f"  ({action.screens[0]})" if len(action.screens) == 1 else ""
    return f"{action.label}: {action.help}{where}  [{keys}]".replace("[", "(").replace("]", ")")


class ActionProvider(Provider):
    """Feeds the palette from `ACTIONS`."""

    async def discover(self) -> Hits:
        for action in ACTIONS:
            yield DiscoveryHit(entry(action), self._run(action))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in ACTIONS:
            score = matcher.match(entry(action))
            if score > 0:
                yield Hit(score, matcher.highlight(entry(action)), self._run(action))

    def _run(self, action: Action):  # type: ignore[no-untyped-def]
        app = cast("InterlockApp", self.app)
        return lambda: app.call_later(app.run_from_palette, action)
