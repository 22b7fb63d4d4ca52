"""Bus subjects, in one table, with what each role may do on them."""

from __future__ import annotations

PREFIX = "ilk"
COMMAND = "ilk.cmd"
KILL = "ilk.kill"
QUERY = "ilk.query"
VIEW = "ilk.view"
VIEW_ALL = "ilk.view.*"
EVENT = "ilk.event"

PERMISSIONS: dict[str, dict[str, tuple[str, ...]]] = {
    # role -> what it may publish and subscribe to; `_INBOX.>` carries replies
    "engine": {"publish": ("ilk.>", "_INBOX.>"), "subscribe": ("ilk.>", "_INBOX.>")},
    "operator": {
        "publish": (COMMAND, KILL, QUERY),
        "subscribe": (VIEW_ALL, EVENT, "_INBOX.>"),
    },
    # anyone may stop: on KILL the engine takes a kill and nothing else
    "observer": {"publish": (KILL, QUERY), "subscribe": (VIEW_ALL, EVENT, "_INBOX.>")},
}


def view(name: str) -> str:
    """Return the subject on which the view called `name` is published."""
    return f"{VIEW}.{name}"
