"""Screen 7: why risk is held, who holds it, and the only place to loosen the latch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.arming_part import arm, arming_lines
from console.tui.screens.columns import HOLD_COLUMNS
from console.tui.screens.promotion_page import ACTS as PROMOTION_ACTS
from console.tui.screens.promotion_page import APART, PromotionPage, done_of, is_whole
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import PairConfirm, PairRefuse, Resume
from engine.api.views import HoldRow, OverviewView, StatusView

INCIDENT_HOLD = "incident"
PAGE = "-promotion"
"""The class of the room while the promotion's page lies over the holds."""
OPERATOR_HOLDS = ("limits", "order_storm", "key_dead")
"""Holds that a resume clears without a kill having been latched."""


class Gates(Room):
    NAME = "gates"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._latch, id="latch")
        yield LiveTable(
            "HOLDS",
            HOLD_COLUMNS,
            lambda h: h.code + h.source,
            look=look,
            id="holds",
            empty="nothing holds risk",
        )
        yield Lines(self._pairs, id="pairs")
        yield Lines(self._detail, id="detail")
        yield Lines(self._promotion, id="promotion")
        yield PromotionPage(id="page")

    def feed(self) -> None:
        self.query_one(PromotionPage).feed()
        status = self.desk_app.desk.shown(StatusView)
        self.query_one("#holds", LiveTable).set_rows(status.holds if status else ())

    @property
    def hold(self) -> HoldRow | None:
        row = self.query_one("#holds", LiveTable).selected
        return row if isinstance(row, HoldRow) else None

    def act(self, action_id: str) -> bool:
        if action_id == "runbook" and self.has_class(PAGE):
            self.desk_app.open_runbook("promotion.md")
        elif action_id == "runbook" and self.hold is not None and self.hold.runbook:
            self.desk_app.open_runbook(self.hold.runbook)
        elif action_id == "resume":
            self._resume()
        elif action_id == "arm":
            arm(self.desk_app)
        elif action_id in ("sign_pair", "refuse_pair"):
            self._second(is_signing=action_id == "sign_pair")
        elif action_id == "checklist":
            self._turn(is_open=not self.has_class(PAGE))
        elif action_id in PROMOTION_ACTS:
            self._turn(is_open=True)
            self.query_one(PromotionPage).act(action_id)
        own = ("runbook", "resume", "arm", "sign_pair", "refuse_pair", "checklist", *PROMOTION_ACTS)
        return action_id in own

    def leave(self) -> bool:
        """Esc: back from the promotion to the holds."""
        was_open = self.has_class(PAGE)
        self._turn(is_open=False)
        return was_open

    def _turn(self, *, is_open: bool) -> None:
        self.set_class(is_open, PAGE)
        self.active = 1 if is_open else 0
        self.call_after_refresh(self.update)

    def open_row(self) -> None:
        self.act("runbook")

    def _second(self, *, is_signing: bool) -> None:
        """Sign, or refuse, the oldest request that this operator has not signed."""
        app = self.desk_app
        status = app.desk.latest(StatusView)
        mine = [p for p in (status.pairs if status else ()) if app.desk.operator not in p.signed_by]
        if not mine:
            app.say("nothing here waits for your signature", "p3-calm")
            return
        pair = mine[0]
        what = f"{pair.pair_id} {pair.kind} {pair.subject}"
        if not is_signing:
            refuse = PairRefuse(pair_id=pair.pair_id)
            app.ask(f"Refuse {what}. Why?", lambda why: app.send(refuse, f"refusal of {what}", reason=why))
            return
        body = PairConfirm(pair_id=pair.pair_id, pair_hash=pair.pair_hash)
        app.ask(
            f"{what}. Type SIGN:",
            lambda _: app.send(body, f"signature of {what}"),
            kind=Kind.WORD,
            expected="SIGN",
            note=f"asked by {'+'.join(pair.signed_by) or 'the engine'}: {pair.reason}",
        )

    def _pairs(self, width: int, height: int) -> Sequence[Line]:
        desk, look = self.desk_app.desk, self.desk_app.look
        status = desk.shown(StatusView)
        pairs = status.pairs if status else ()
        lines: list[Line] = [rule(f"TWO PERSONS {len(pairs)}", width, look.rule)]
        for pair in pairs:
            left = f"  {text.left(pair.expires_ns - desk.now_ns)}" if pair.expires_ns else ""
            who = "+".join(pair.signed_by) or "nobody yet"
            waits = "needs 2nd approver" if pair.signed_by else "needs 2 approvers"
            lines.append(
                (
                    (f" {pair.pair_id} {pair.kind} ", "bright"),
                    (f"{pair.subject}  ", "text"),
                    (f"{waits}{left}", "p3-calm"),
                    (f"  signed: {who}", "dim"),
                )
            )
        return lines if pairs else [*lines, (("  nothing waits for a second person", "dim"),)]

    def _resume(self) -> None:
        status = self.desk_app.desk.latest(StatusView)
        is_latched = status is not None and any(h.code.startswith(OPERATOR_HOLDS) for h in status.holds)
        if status is not None and status.kill_level == "clear" and not is_latched:
            self.desk_app.say("neither latch nor limit is set: nothing to resume", "p3-calm")
            return
        is_unexplained = status is not None and any(h.code.startswith(INCIDENT_HOLD) for h in status.holds)
        next_step = self._resume_note if is_unexplained else lambda reason: self._resume_word(reason, "")
        self.desk_app.ask("RESUME 1. Why is it safe to go on?", next_step)

    def _resume_note(self, reason: str) -> None:
        """A halt left an incident that nobody explained: without a note the engine would refuse."""
        if self._is_in_words(reason):
            self.desk_app.ask(
                "RESUME 2. What stopped the desk? (the incident's note)",
                lambda found: self._resume_word(reason, found) if self._is_in_words(found) else None,
                note=f"reason: {reason}",
            )

    def _resume_word(self, reason: str, found: str) -> None:
        if not self._is_in_words(reason):
            return
        body = partial(Resume, note=found.strip())
        self.desk_app.ask(
            f"RESUME {3 if found else 2}. Type RESUME:",
            lambda word: self.desk_app.send(body(confirm=word), "resume", reason=reason.strip()),
            kind=Kind.WORD,
            expected="RESUME",
            note=f"reason: {reason}" + (f"; note: {found}" if found else ""),
        )

    def _is_in_words(self, said: str) -> bool:
        if len(said.strip()) >= 4:
            return True
        self.desk_app.say("not resumed: it must be said in words", "p3-calm")
        return False

    def _latch(self, width: int, height: int) -> Sequence[Line]:
        desk, look = self.desk_app.desk, self.desk_app.look
        status = desk.shown(StatusView)
        lines: list[Line] = [rule("KILL LATCH", width, look.rule)]
        if status is None:
            return [*lines, (("  not known", "dim"),)]
        if status.kill_level == "clear":
            return [
                *lines,
                ((" CLEAR", "bright"), ("   the latch is not set; ^X sets it from any screen", "text")),
                (
                    (f" effective level {status.level.upper()},", "text"),
                    (f" by {len(status.holds)} holds", "dim"),
                ),
            ]
        since = (
            f"{text.day_hm(status.killed_at_ns)}Z ({text.age((desk.now_ns - status.killed_at_ns) / 1e6)} ago)"
        )
        return [
            *lines,
            (
                (f" {status.kill_level.upper()} ", "halt"),
                (f"  set by {status.killed_by}, {since}, id {status.kill_id}", "bright"),
            ),
            (
                (" To loosen it: clear the holds below, then ", "text"),
                ("u", "bright"),
                (" = a reason, and the word RESUME.", "text"),
            ),
            ((" New risk is blocked, also over a restart of engine or console.", "text"),),
            ((" Resume only permits a later start; it starts nothing by itself.", "dim"),),
        ]

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        """Show the hold that is chosen; that of arming, and none, with the conditions of arming."""
        hold, look = self.hold, self.desk_app.look
        if hold is None or hold.code.startswith("arming"):
            shown = arming_lines(self.desk_app, width, height)
            if shown or hold is None:
                return shown
        fields = (
            ("evidence", hold.evidence),
            ("clears when", hold.clear_rule),
            ("source", f"{hold.source}, since {text.hms(hold.since_ns)}Z"),
            ("runbook", f"{hold.runbook}   [r] opens it" if hold.runbook else "none"),
        )
        lines: list[Line] = [rule(f"HOLD {hold.code}", width, look.rule)]
        return lines + [((f" {text.fit(name, 12)}", "dim"), (value, "text")) for name, value in fields]

    def _promotion(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(OverviewView), self.desk_app.look
        lines: list[Line] = [rule("PROMOTION: WHAT EACH STRATEGY STILL LACKS", width, look.rule)]
        for row in view.promotion if view else ():
            lines.append(((f" {text.fit(row.strategy, 22)} ", "text"), (row.stage, "bright")))
            if row.checklist:
                is_asked = any(each.startswith(APART) for each in row.blockers)
                mark = " " if is_asked else "x" if is_whole(row.checklist) and is_whole(row.notes) else "-"
                said = f"checklist {done_of(row.checklist)}, close-out notes {done_of(row.notes)}"
                lines.append(((f"   [{mark}] {said}: c opens", "text"),))
            others = [each for each in row.blockers if not each.startswith(APART)]
            lines += [((f"   [ ] {blocker}", "text"),) for blocker in others]
            lines += [] if row.blockers else [(("   [x] nothing blocks the next stage", "text"),)]
        return lines if len(lines) > 1 else [*lines, (("  no strategies", "dim"),)]
