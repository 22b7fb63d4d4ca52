"""Bus subjects, in one table, with what each role may do on them."""

from __future__ import annotations

PREFIX = "ilk"
COMMAND = "ilk.cmd"
KILL = "ilk.kill"
QUERY = "ilk.query"
VIEW = "ilk.view"
VIEW_ALL = "ilk.view.*"
EVENT = "ilk.event"
FOUNDRY_FORGE = "foundry.forge"
FOUNDRY_VERIFY = "foundry.verify"
STRATEGY_GENERATE = "strategy.generate"
"""The older name of `foundry.forge`; it is answered only to say so (QX-38)."""
SYS_FOUNDRY = "sys.foundry.>"
SYS_FORGE = "sys.foundry.request.forge"
SYS_VERIFY = "sys.foundry.request.verify"

PERMISSIONS: dict[str, dict[str, tuple[str, ...]]] = {
    # role -> what it may publish and subscribe to; `_INBOX.>` carries replies
    "engine": {
        "publish": ("ilk.>", SYS_FOUNDRY, "_INBOX.>"),
        "subscribe": ("ilk.>", FOUNDRY_FORGE, FOUNDRY_VERIFY, STRATEGY_GENERATE, "_INBOX.>"),
    },
    "operator": {
        "publish": (COMMAND, KILL, QUERY, FOUNDRY_FORGE, FOUNDRY_VERIFY, STRATEGY_GENERATE),
        "subscribe": (VIEW_ALL, EVENT, SYS_FOUNDRY, "_INBOX.>"),
    },
    # what a feed process may do: tell its market, nothing else
    "feed": {"publish": ("ilk.feed.*",), "subscribe": ("_INBOX.>",)},
    # anyone may stop: on KILL the engine takes a kill and nothing else
    "observer": {"publish": (KILL, QUERY), "subscribe": (VIEW_ALL, EVENT, SYS_FOUNDRY, "_INBOX.>")},
}


def stream(job_id: str) -> str:
    """Return the subject on which a foundry job's progress is told (QX-20)."""
    return f"sys.foundry.stream.{job_id}"


def view(name: str) -> str:
    """Return the subject on which the view called `name` is published."""
    return f"{VIEW}.{name}"
