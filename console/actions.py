"""Every action of the console, in one table.

It feeds the key bindings, the command palette, the key line, the help page, the generated reference
and the test that each action has a twin on the command line. Pure data: importing it costs nothing.
"""

from __future__ import annotations

from console.action import PAST as PAST
from console.action import Action as Action
from console.screen_actions import ON_SCREENS

SCREENS: tuple[tuple[str, str, str], ...] = (
    ("1", "overview", "OVERVIEW"),
    ("2", "tickets", "TICKETS"),
    ("3", "positions", "POSITIONS"),
    ("4", "orders", "ORDERS"),
    ("5", "alarms", "ALARMS"),
    ("6", "runs", "RUNS"),
    ("7", "gates", "GATES"),
    ("8", "runbooks", "RUNBOOKS"),
    ("9", "events", "EVENTS"),
    ("0", "system", "SYSTEM"),
)
"""(digit, name, title) of each screen, in the order of the digits."""

SIDE_SCREENS = ("limits", "incidents", "reconcile", "drill", "corridor", "order_form")
"""Screens with a letter of their own."""

_ASKS: dict[str, tuple[str, str]] = {
    "overview": ("am I safe, and what needs me", "interlock status"),
    "tickets": ("approve or reject what strategies propose", "interlock tickets list"),
    "positions": ("exposure and profit", "interlock positions"),
    "orders": ("what is working, rejected or unknown", "interlock orders list"),
    "alarms": ("what is abnormal and what to do", "interlock alarms list"),
    "runs": ("research runs and paper sessions", "interlock runs list"),
    "gates": ("why risk is held, and how to resume", "interlock gates"),
    "runbooks": ("what to do now, step by step", "interlock runbooks list"),
    "events": ("what happened", "interlock events"),
    "system": ("is the plumbing healthy", "interlock health"),
}

_LISTS = (
    "overview",
    "tickets",
    "positions",
    "orders",
    "alarms",
    "runs",
    "gates",
    "runbooks",
    "events",
    "limits",
    "incidents",
    "reconcile",
    "corridor",
)

ACTIONS: tuple[Action, ...] = (
    *(
        Action(id=name, keys=(digit,), label=title.capitalize(), help=_ASKS[name][0], cli=_ASKS[name][1])
        for digit, name, title in SCREENS
    ),
    Action(
        "limits", ("l",), "limits", "every rule by how close it is to its bound", cli="interlock limits show"
    ),
    Action(
        "incidents",
        ("i",),
        "incidents",
        "what halted this desk, and what was found",
        cli="interlock incidents ls",
    ),
    Action(
        "reconcile",
        ("d",),
        "differences",
        "what record and venue do not agree on, and what to do about it",
        cli="interlock reconcile ls",
    ),
    Action(
        "drill", ("x",), "drills", "when stopping was last tried, and how it went", cli="interlock drill ls"
    ),
    Action(
        "corridor",
        ("o",),
        "corridor",
        "one order by hand, step by step, with its evidence",
        cli="interlock submit ls",
    ),
    Action(
        id="kill",
        keys=("ctrl+x",),
        label="KILL",
        help="stop new orders, cancel all; Tab: close_only, flatten",
        danger=3,
        cli="interlock kill",
        is_priority=True,
    ),
    Action("detach", ("ctrl+q",), "detach", "leave the console; the engine goes on", is_priority=True),
    Action(
        "take_lease",
        ("T",),
        "take lease",
        "be the one who acts here; from another person it needs a reason",
        danger=1,
        cli="interlock lease take",
    ),
    Action("palette", ("colon", "ctrl+p"), "command", "find any action by name", hint=8),
    Action("help", ("question_mark", "f1"), "help", "every key of this screen", hint=9),
    Action("filter", ("slash",), "filter", "show only rows with these words", _LISTS, hint=7),
    Action("freeze", ("space",), "freeze", "hold the picture still; lines 1 and 2 stay live", hint=10),
    Action("open", ("enter",), "open", "open what the cursor is on", hint=1),
    Action("back", ("escape",), "back", "close, clear the filter, or go back one screen", hint=6),
    Action("down", ("j", "down"), "down", "next row"),
    Action("up", ("k", "up"), "up", "previous row"),
    Action("page_down", ("pagedown", "ctrl+f"), "page down", "next page"),
    Action("page_up", ("pageup", "ctrl+u"), "page up", "previous page"),
    Action("first", ("home", "g"), "first", "first row"),
    Action("last", ("end", "G"), "last", "last row"),
    Action("next_pane", ("tab",), "next pane", "next list of this screen"),
    Action("previous_pane", ("shift+tab",), "previous pane", "previous list of this screen"),
    Action("sort", ("s",), "sort", "sort by the next column", _LISTS, hint=11),
    Action("copy", ("y",), "copy", "copy the row to your clipboard (OSC 52)", hint=12),
    Action(
        "ack",
        ("a",),
        "ack",
        "acknowledge this alarm; elsewhere, the one on line 2",
        danger=1,
        cli="interlock alarms ack",
        hint=4,
    ),
    *ON_SCREENS,
)


SCREEN_KEYS: dict[str, str] = {
    action.keys[0]: action.id
    for action in ACTIONS
    if action.keys[0].isdigit() or action.id in ("incidents", "reconcile")
}
"""Key -> screen, of the screens where a hold is cleared or what is left is looked at."""


def find(key: str, screen: str) -> Action | None:
    """Return what a key means on a screen; an action of that screen wins over a general one."""
    if screen == PAST:
        return next((a for a in ACTIONS if key in a.keys and PAST in a.screens), None)
    matches = [a for a in ACTIONS if key in a.keys and (not a.screens or screen in a.screens)]
    return max(matches, key=lambda action: bool(action.screens), default=None)


def offered(screen: str) -> tuple[Action, ...]:
    """Return the actions valid on a screen, in table order."""
    return tuple(a for a in ACTIONS if not a.screens or screen in a.screens)


_KEY_NAMES = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "down": "Down",
    "up": "Up",
    "f1": "F1",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "comma": ",",
    "full_stop": ".",
}


def key_name(key: str) -> str:
    """Write a key as operators say it: `^X`, `Esc`, `A`."""
    return f"^{key[5:].upper()}" if key.startswith("ctrl+") else _KEY_NAMES.get(key, key)
