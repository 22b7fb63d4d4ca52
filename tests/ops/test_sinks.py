"""Alarms reach every sink within its deadline, or are kept as dead letters and become an alarm."""

from __future__ import annotations

import asyncio
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.settings import SinkBlock
from engine.core import Core
from engine.ops.sinks import FAILED, Sinks
from engine.ops.snapshots import ALERTS_FILE, HEALTH_FILE, Snapshots
from safety.alarm_codes import ALARMS
from safety.reasons import Refusal
from tests.ops.cores import make_core

RUNBOOKS = Path(__file__).parents[2] / "runbooks"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = make_core(tmp_path / "home")
    yield made
    made.store.close()


async def settle(sinks: Sinks, seconds: float = 60.0) -> None:
    """Wait until nothing has waited in any sink for a while: a letter that fails becomes another one."""
    quiet = 0
    for _ in range(round(seconds / 0.02)):
        quiet = 0 if any(sink.queue for sink in sinks.all) else quiet + 1
        if quiet > 10:
            return
        await asyncio.sleep(0.02)


def sink(kind: str, target: object = "", **words: object) -> SinkBlock:
    return SinkBlock(kind=kind, target=str(target), **words)


async def test_a_file_and_a_command_get_the_whole_letter(core: Core, tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    program = f"import sys; open({str(said)!r}, 'w').write(sys.stdin.read())"
    sinks = Sinks(
        core,
        {
            "disk": sink("file", tmp_path / "alarms.jsonl"),
            "pager": sink("command", f'{sys.executable} -c "{program}"', min_priority=1, deadline_s=20),
        },
    )
    sinks.start()
    core.alarm("kill_latched", "desk", "eng", "pulled")
    core.alarm("disk_low", "home", "eng", "3 MiB free")
    core.alarms.tick(core.clock.now_ns() + 20 * 10**9)
    await settle(sinks)
    await sinks.close()
    letters = [json.loads(line) for line in (tmp_path / "alarms.jsonl").read_text().splitlines()]
    assert [letter["code"] for letter in letters] == ["kill_latched", "disk_low"]
    told = json.loads(said.read_text())
    assert (
        told["code"] == "kill_latched" and told["first_action"] and told["runbook"].endswith("#kill-latched")
    )
    assert {row.name: (row.state, row.delivered) for row in sinks.view().rows} == {
        "disk": ("ok", 2),
        "pager": ("ok", 1),
    }


async def test_a_sink_that_fails_is_an_alarm_that_reaches_the_others_and_a_dead_letter(
    core: Core, tmp_path: Path
) -> None:
    good = tmp_path / "good.jsonl"
    sinks = Sinks(core, {"bad": sink("file", tmp_path / "none" / "x"), "good": sink("file", good)})
    sinks.start()
    core.alarm("kill_latched", "desk", "eng", "pulled")
    await settle(sinks)
    await sinks.close()
    assert [json.loads(line)["code"] for line in good.read_text().splitlines()] == ["kill_latched", FAILED]
    dead = (core.paths.alarms / "dead_letters.jsonl").read_text().splitlines()
    assert [(json.loads(line)["sink"], json.loads(line)["letter"]["code"]) for line in dead] == [
        ("bad", "kill_latched")
    ], "the failed sink is not asked to report its own failure"
    assert [(row.name, row.state, row.dead) for row in sinks.view().rows] == [
        ("bad", "failed", 1),
        ("good", "ok", 0),
    ]


async def test_a_sink_that_hangs_is_given_up_at_its_deadline_and_holds_nobody_up(
    core: Core, tmp_path: Path
) -> None:
    slow = f'{sys.executable} -c "import time; time.sleep(60)"'
    sinks = Sinks(
        core, {"slow": sink("command", slow, deadline_s=0.2), "good": sink("file", tmp_path / "good.jsonl")}
    )
    sinks.start()
    began = asyncio.get_running_loop().time()
    core.alarm("kill_latched", "desk", "eng", "pulled")
    await settle(sinks)
    assert asyncio.get_running_loop().time() - began < 50, "the command itself takes a minute"
    await sinks.close()
    slow_row, good_row = sorted(sinks.view().rows, key=lambda row: row.name, reverse=True)
    assert slow_row.dead == 1 and "no answer within 0.2 s" in slow_row.last_error
    assert good_row.delivered == 2


async def test_a_full_queue_makes_dead_letters_and_never_waits(core: Core, tmp_path: Path) -> None:
    sinks = Sinks(core, {"one": sink("file", tmp_path / "f.jsonl", queue=2)})
    for number in range(5):
        core.alarm("order_unknown", f"O-{number}", "eng", "m")
    (row,) = sinks.view().rows
    assert (row.queued, row.dead, row.state) == (2, 3, "failed")
    sinks.start()
    await settle(sinks)
    await sinks.close()
    assert sinks.view().rows[0].delivered == 2


async def test_in_a_flood_only_priority_1_goes_singly_and_the_rest_as_a_digest(
    core: Core, tmp_path: Path
) -> None:
    path = tmp_path / "f.jsonl"
    sinks = Sinks(core, {"one": sink("file", path)})
    sinks.start()
    for number in range(40):
        core.alarm("order_rejected", f"O-{number}", "eng", "m")
    for number in range(5):
        core.alarm("order_unknown", f"O-{number}", "eng", "m")
    sinks.tend()
    await settle(sinks)
    await sinks.close()
    codes = [json.loads(line)["code"] for line in path.read_text().splitlines()]
    assert codes.count("order_rejected") <= 10 and codes.count("order_unknown") == 5
    assert codes[-1] == "alarm_flood" and "order_rejected" in path.read_text().splitlines()[-1]


class Hook(http.server.BaseHTTPRequestHandler):
    got: list[bytes] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302 if self.path.endswith("moved") else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.got.append(body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def hook() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Hook.got.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


async def test_a_webhook_is_posted_to_and_its_address_is_never_shown(
    core: Core, tmp_path: Path, hook: str
) -> None:
    for name, path in (("hook", "canary-token"), ("moved", "canary-token/moved")):
        (tmp_path / name).write_text(f"{hook}/{path}")
        (tmp_path / name).chmod(0o600)
    sinks = Sinks(core, {name: sink("webhook", tmp_path / name) for name in ("hook", "moved")})
    sinks.start()
    core.alarm("kill_latched", "desk", "eng", "pulled")
    await settle(sinks)
    await sinks.close()
    assert json.loads(Hook.got[0])["code"] == "kill_latched"
    rows = {row.name: row for row in sinks.view().rows}
    assert rows["hook"].state == "ok" and rows["moved"].state == "failed", "an alarm is not sent elsewhere"
    dead = (core.paths.alarms / "dead_letters.jsonl").read_text()
    assert "canary" not in dead + str(rows)
    (tmp_path / "hook").chmod(0o644)
    with pytest.raises(Refusal, match="secret_exposed"):
        Sinks(core, {"hook": sink("webhook", tmp_path / "hook")})


def test_health_and_alerts_are_files_that_are_written_when_they_change(core: Core) -> None:
    snapshots = Snapshots(core)
    assert snapshots.look(()) and not snapshots.look(())
    core.alarm("order_unknown", "O-1", "eng", "no answer")
    assert snapshots.look(())
    alerts = json.loads((core.paths.outputs / ALERTS_FILE).read_text())
    health = json.loads((core.paths.outputs / HEALTH_FILE).read_text())
    assert alerts["alert_status"] == "critical" and alerts["alert_counts"] == {"ORDER_UNKNOWN": 1}
    (alert,) = alerts["alerts"]
    assert alert["severity"] == "critical" and alert["session_id"] == "O-1"
    assert alert["path"] == "runbooks/ambiguous-order.md#order-unknown"
    wanted = {
        "root_dir", "generated_at", "stale_after_minutes", "total_sessions", "status_counts",
        "running_sessions", "alert_status", "has_alerts", "alert_counts", "latest_success_session_id",
        "latest_success_at", "latest_alert_session_id", "latest_alert_at", "alerts",
    }  # fmt: skip
    assert set(alerts) == wanted
    assert {"total_sessions", "status_counts", "latest_issue_session_id", "active_sessions"} <= set(health)


@pytest.mark.parametrize("code", sorted(code for code, spec in ALARMS.items() if spec.priority == 1))
def test_every_critical_failure_class_leaves_an_alarm_a_runbook_and_an_artifact(
    core: Core, code: str
) -> None:
    """The artifact of each is the alerts file, the audit record, and the database row."""
    core.alarm(code, "desk", "eng", f"{code} happened")
    Snapshots(core).look(())
    alerts = json.loads((core.paths.outputs / ALERTS_FILE).read_text())
    assert [(a["alert_code"], a["severity"]) for a in alerts["alerts"]] == [(code.upper(), "critical")]
    assert f'"code":"{code}"' in core.paths.audit.read_text()
    assert [row.code for row in core.store.alarms()] == [code]
    name, _, heading = ALARMS[code].runbook.partition("#")
    assert f"### {heading}\n" in (RUNBOOKS / name).read_text()
