"""Every action of the console, in one table.

It feeds the key bindings, the command palette, the key line, the help page, the generated reference
and the test that each action has a twin on the command line. Pure data: importing it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.arming_actions import ARM
from console.ticket_actions import ROWS as TICKET_ROWS

ANYWHERE: tuple[str, ...] = ()
PAST = "past"
"""No screen of its own: every screen, while the record is looked at (`interlock past open`)."""


@dataclass(frozen=True)
class Action:
    """One thing an operator can do.

    `danger`: 0 looks only; 1 reversible and audited; 2 consequential; 3 emergency; 4 restores risk.
    `screens`: where the key means this; empty is everywhere. `cli` is the equivalent subcommand.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    screens: tuple[str, ...] = ANYWHERE
    danger: int = 0
    cli: str = ""
    is_priority: bool = False
    hint: int = 0
    """How early the key line shows it: 1 first, 0 never."""


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

SIDE_SCREENS = ("limits", "incidents", "reconcile", "drill", "corridor")
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

_PAST_CLI = "interlock past show"

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
    Action(
        "shelve",
        ("z",),
        "shelve",
        "put this alarm aside for up to four hours, with a reason; priority 1 cannot wait",
        ("alarms",),
        danger=1,
        cli="interlock alarms shelve",
        hint=5,
    ),
    Action(
        "ack_page",
        ("A",),
        "ack page",
        "acknowledge every alarm that is on the screen now",
        ("alarms",),
        1,
        "interlock alarms ack",
        hint=6,
    ),
    Action(
        "unshelve",
        ("Z",),
        "unshelve",
        "take this alarm off its shelf: what still stands rings",
        ("alarms",),
        danger=1,
        cli="interlock alarms unshelve",
    ),
    Action(
        "approve",
        ("A",),
        "APPROVE",
        "approve exactly what is shown; review it first (Enter)",
        ("tickets",),
        2,
        "interlock tickets approve",
        hint=2,
    ),
    Action(
        "reject",
        ("R",),
        "REJECT",
        "reject the ticket: a reason digit, then text or Enter",
        ("tickets",),
        2,
        "interlock tickets reject",
        hint=3,
    ),
    Action(
        "override",
        ("O",),
        "override",
        "pass over a FAIL: a reason, the size, a second person; off unless configured",
        ("tickets",),
        2,
        "interlock tickets approve",
    ),
    Action(
        "reject_all",
        ("X",),
        "reject all",
        "reject every open ticket in the list, for one reason; filter first",
        ("tickets",),
        2,
        "interlock tickets reject",
        hint=5,
    ),
    *(Action(*row) for row in TICKET_ROWS),
    Action(
        "cancel_order",
        ("c",),
        "cancel",
        "ask the venue to cancel this order; then y",
        ("orders",),
        2,
        "interlock orders cancel",
        hint=2,
    ),
    Action(
        "stop_session",
        ("S",),
        "stop session",
        "stop this paper session; then y",
        ("runs",),
        2,
        "interlock paper stop",
        hint=13,
    ),
    Action(
        "start_paper",
        ("P",),
        "start paper",
        "start a paper session of named strategies on the sandbox",
        ("runs",),
        2,
        "interlock paper start",
        hint=12,
    ),
    Action(
        "launch",
        ("L",),
        "launch",
        "a form that starts a run or a sweep",
        ("runs",),
        1,
        "interlock run start",
        hint=2,
    ),
    Action("mark_run", ("m",), "mark", "mark this run for a comparison", ("runs",), hint=3),
    Action(
        "compare_runs",
        ("C",),
        "compare",
        "put two to five marked runs side by side",
        ("runs",),
        cli="interlock run compare",
        hint=4,
    ),
    Action(
        "stored_data",
        ("D",),
        "data",
        "what bars are stored, and their holes",
        ("runs",),
        cli="interlock data list",
        hint=5,
    ),
    Action(
        "walk_forwards",
        ("W",),
        "walk-forwards",
        "what held out of sample, split by split",
        ("runs",),
        cli="interlock walkforward ls",
        hint=8,
    ),
    Action("facet", ("f",), "facet", "show only runs of one mode, status or trust", ("runs",), hint=9),
    Action(
        "cancel_job",
        ("c",),
        "cancel job",
        "cancel the job under the cursor; then y",
        ("runs",),
        2,
        "interlock job cancel",
        hint=6,
    ),
    Action(
        "adopt_difference",
        ("A",),
        "ADOPT",
        "book what the venue says as ours; select it first (Enter), then a reason",
        ("reconcile",),
        2,
        "interlock reconcile adopt",
        hint=2,
    ),
    Action(
        "flatten_difference",
        ("F",),
        "FLATTEN",
        "cancel the foreign order, or adopt the difference and close that much reduce-only",
        ("reconcile",),
        2,
        "interlock reconcile flatten",
        hint=2,
    ),
    Action(
        "ignore_difference",
        ("I",),
        "IGNORE",
        "known and not ours: quiet while it stays exactly so, for a day",
        ("reconcile",),
        2,
        "interlock reconcile ignore",
        hint=3,
    ),
    Action(
        "attribute_difference",
        ("T",),
        "attribute",
        "adopt it, counted to a session that you name",
        ("reconcile",),
        2,
        "interlock reconcile attribute",
        hint=5,
    ),
    Action(
        "resume",
        ("u",),
        "RESUME",
        "loosen the kill latch: a reason, then the word RESUME",
        ("gates",),
        4,
        "interlock resume",
        hint=2,
    ),
    Action(*ARM),
    Action(
        "sign_pair",
        ("A",),
        "sign",
        "sign, as one of two persons, the request shown; then SIGN",
        ("gates",),
        4,
        "interlock approvals confirm",
        hint=3,
    ),
    Action(
        "refuse_pair",
        ("R",),
        "refuse",
        "take a request for two persons away, with a reason",
        ("gates",),
        2,
        "interlock approvals refuse",
        hint=4,
    ),
    Action(
        "runbook",
        ("r",),
        "runbook",
        "open the runbook of this alarm, hold or rule",
        ("alarms", "gates", "limits", "incidents", "reconcile", "drill", "corridor"),
        hint=3,
    ),
    Action(
        "start_drill",
        ("S",),
        "start",
        "perform this drill on a rehearsal desk: a reason, then the word DRILL",
        ("drill",),
        2,
        "interlock drill kill",
        hint=2,
    ),
    Action(
        "next_step",
        ("n",),
        "next step",
        "do the session's next step; steps with a person want their word typed",
        ("corridor",),
        2,
        "interlock submit readiness",
        hint=2,
    ),
    Action(
        "look_step",
        ("v",),
        "look",
        "ask the venue what became of the order",
        ("corridor",),
        1,
        "interlock submit status",
        hint=4,
    ),
    Action(
        "cancel_order",
        ("C",),
        "cancel",
        "ask the venue to cancel the order; wants CANCEL typed",
        ("corridor",),
        2,
        "interlock submit cancel",
        hint=5,
    ),
    Action(
        "new_order",
        ("N",),
        "new",
        "open a session with the preflight of an order; nothing is sent",
        ("corridor",),
        1,
        "interlock submit open",
        hint=6,
    ),
    Action(
        "note_incident",
        ("n",),
        "note",
        "add what you found to this incident",
        ("incidents",),
        1,
        "interlock incidents note",
        hint=2,
    ),
    Action(
        "close_incident",
        ("c",),
        "close",
        "close this incident with what was done about its cause",
        ("incidents",),
        1,
        "interlock incidents close",
        hint=4,
    ),
    Action(
        "export",
        ("e",),
        "export",
        "write what is shown as a file under the home's outputs/exports",
        ("alarms", "incidents"),
        cli="interlock incidents export",
        hint=5,
    ),
    Action("past_back", ("left_square_bracket",), "back 1 s", "one second back", (PAST,), cli=_PAST_CLI),
    Action("past_on", ("right_square_bracket",), "on 1 s", "one second on", (PAST,), cli=_PAST_CLI),
    Action("past_back_far", ("left_curly_bracket",), "back 1 min", "one minute back", (PAST,), cli=_PAST_CLI),
    Action("past_on_far", ("right_curly_bracket",), "on 1 min", "one minute on", (PAST,), cli=_PAST_CLI),
    Action("past_previous", ("comma",), "change before", "the change before this", (PAST,), cli=_PAST_CLI),
    Action("past_next", ("full_stop",), "next change", "the change after this", (PAST,), cli=_PAST_CLI),
    Action("past_play", ("p",), "play", "play at 1x, 10x, 60x, then stand", (PAST,), cli=_PAST_CLI),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


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
