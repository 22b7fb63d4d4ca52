"""What a killed engine leaves behind, and what the next one makes of it."""

from __future__ import annotations

from pathlib import Path

from safety.audit_verify import read_head
from seams.disk import RealDisk

from .conftest import Rig, eventually, is_gone, level_of


async def test_a_killed_engine_s_session_is_ended_as_failed_and_no_order_stays_open(rig: Rig) -> None:
    client = await rig.start()
    session_id = await rig.trade(client)
    bus = rig.bus_pid()
    assert bus
    await rig.kill_hard()
    await eventually(lambda: is_gone(bus), lambda: "the bus outlived its engine")

    client = await rig.start()
    status = rig.status_of(session_id)
    assert (status.status, status.status_reason, status.error_type) == (
        "failed",
        "exception",
        "engine_restart",
    )
    kept = rig.rows(f"SELECT status, status_reason FROM sessions WHERE session_id = '{session_id}'")
    assert kept == [("failed", "exception")]
    assert rig.rows("SELECT 1 FROM orders WHERE status IN ('SUBMITTING','OPEN','submitting','open')") == []
    assert rig.rows("SELECT client_order_id FROM orders GROUP BY 1 HAVING count(*) > 1") == []
    assert rig.rows("SELECT fill_id FROM fills GROUP BY account, fill_id HAVING count(*) > 1") == []
    twice = "SELECT client_order_id FROM order_events WHERE kind = 'filled' GROUP BY 1 HAVING count(*) > 1"
    assert rig.rows(twice) == []
    assert rig.audit().ok
    assert await level_of(client) == "clear"
    await rig.trade(client)


async def test_a_latch_survives_a_killed_engine_and_a_torn_audit_line_is_set_aside(rig: Rig) -> None:
    client = await rig.start()
    await rig.trade(client)
    await rig.kill(client)
    await rig.kill_hard()
    head = read_head(RealDisk(), rig.paths.audit)
    assert head is not None
    # The kill may have left one whole record behind the head; a torn one stands in its place, not after it.
    rig.paths.audit.write_bytes(rig.paths.audit.read_bytes()[: head.size_bytes] + b'{"seq":9999,"at":"20')
    assert not rig.audit().ok
    client = await rig.start()
    assert await level_of(client) == "halt_all"
    assert rig.audit().ok
    assert [path for path in Path(rig.paths.audit.parent).iterdir() if ".torn-" in path.name]
