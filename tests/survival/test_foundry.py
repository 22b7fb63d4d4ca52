"""The foundry over a real engine and bus: one body for bus and command line, jobs that outlive engines."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import Accepted, FoundryForge, FoundryVerify
from engine.api.endpoint import read_credential, read_endpoint
from engine.api.run_views import JobRow, RunsView

from .conftest import Rig, eventually

ROOT = Path(__file__).resolve().parents[2]
BODY = {
    "component_type": "strategy",
    "name": "fast_trend",
    "target_lang": "cpp",
    "prompt": "EMA crossover 12/26 with notional cap of 5 contracts",
}
JOB_ID = re.compile(r"^job_[0-9a-f]{8}$")


async def plain_client(rig: Rig, role: str = "operator") -> Client:
    """Return a client of the bus that knows nothing of ours but its address and password."""
    endpoint, credential = (
        read_endpoint(rig.paths.endpoint),
        read_credential(rig.paths.run / f"{role}.creds"),
    )

    async def ignore(_: Exception) -> None: ...

    return await nats.connect(
        endpoint.url, user=credential.user, password=credential.password, error_cb=ignore
    )


async def asked(client: Client, subject: str, body: object) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = json.loads((await client.request(subject, data, timeout=5)).data)
    assert isinstance(found, dict)
    return found


async def row_of(client: EngineClient, job_id: str) -> JobRow | None:
    rows = (await client.query_view("runs", RunsView)).jobs
    return next((row for row in rows if row.job_id == job_id), None)


async def ended(rig: Rig, client: EngineClient, job_id: str) -> JobRow:
    async def is_over() -> bool:
        row = await row_of(client, job_id)
        return row is not None and row.state not in ("running", "cancelling")

    await eventually(is_over, rig.log, seconds=90.0)
    row = await row_of(client, job_id)
    assert row is not None
    return row


async def shell(rig: Rig, *words: str) -> tuple[int, dict[str, Any]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "interlock.py"), *words, "--json",
        cwd=ROOT,
        env={**os.environ, "INTERLOCK_HOME": str(rig.home), "INTERLOCK_OPERATOR": "alice"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    assert out and child.returncode is not None, err.decode()
    return child.returncode, json.loads(out)


async def test_a_plain_client_has_a_component_made_and_everyone_hears_of_it(rig: Rig) -> None:
    console = await rig.start()
    client, heard = await plain_client(rig), await plain_client(rig, "observer")
    messages: list[tuple[str, dict[str, Any]]] = []

    async def keep(message: Any) -> None:
        messages.append((message.subject, json.loads(message.data)))

    await heard.subscribe("sys.foundry.>", cb=keep)
    await heard.flush()
    reply = await asked(client, "foundry.forge", BODY)
    assert reply == {"job_id": reply["job_id"], "status": "accepted"} and JOB_ID.match(reply["job_id"])
    row = await ended(rig, console, reply["job_id"])
    assert (row.state, row.kind, row.operator) == ("finished", "forge", "bus"), row
    folder = rig.home / "foundry" / "strategies" / "cpp" / "17" / "fast_trend"
    assert Path(row.folder) == folder
    record = json.loads((folder / "record.json").read_bytes())
    report = json.loads((folder / "verify_report.json").read_bytes())
    assert record["compiler"].startswith("g++") and "-std=c++17" in record["flags"] and record["python"]
    assert report["verdict"] == "equivalent" and report["artifact_sha256"] == record["artifact_sha256"]
    again = await asked(client, "foundry.verify", {"strategy_name": "fast_trend"})
    assert again["job_id"] != reply["job_id"]
    assert (
        await ended(rig, console, again["job_id"])
    ).message == "foundry/strategies/cpp/17/fast_trend equivalent"
    told = dict(messages)
    assert told["sys.foundry.request.forge"] == {
        **BODY, "job_id": reply["job_id"], "target_version": "", "strategy_name": "",
    }  # fmt: skip
    assert told["sys.foundry.request.verify"]["strategy_name"] == "fast_trend"

    def last_word() -> bool:
        return dict(messages).get(f"sys.foundry.stream.{reply['job_id']}", {}).get("state") == "finished"

    await eventually(last_word, rig.log)
    for each in (client, heard):
        await each.close()


@pytest.mark.parametrize(
    ("subject", "body", "said"),
    [
        ("foundry.forge", {**BODY, "component_type": "filter"}, "indicator, entry, exit, strategy"),
        ("foundry.forge", {**BODY, "target_lang": "rust"}, "python, cython, cpp"),
        ("foundry.forge", {**BODY, "name": "../../etc/passwd"}, "plain ASCII"),
        ("foundry.forge", {**BODY, "target_version": "20"}, "made in version 17"),
        ("foundry.forge", {**BODY, "colour": "red"}, "colour"),
        ("foundry.forge", b"{", "truncated"),
        ("foundry.forge", [BODY], "object"),
        ("foundry.verify", {"strategy_name": "/tmp/x.py"}, "plain ASCII"),
        ("foundry.verify", {}, "strategy_name"),
    ],
)
async def test_a_body_that_is_not_as_agreed_is_refused_and_starts_nothing(
    shared_rig: Rig, subject: str, body: object, said: str
) -> None:
    client = await plain_client(shared_rig)
    reply = await asked(client, subject, body)
    assert reply["status"] == "refused" and reply["code"] == "invalid_request" and said in reply["message"]
    await client.close()
    console = await shared_rig.client()
    assert (await console.query_view("runs", RunsView)).jobs == ()


@pytest.mark.parametrize("body", [BODY, b"", b"{", {"strategy": "anything"}])
async def test_the_older_name_answers_with_the_new_one_and_makes_nothing(
    shared_rig: Rig, body: object
) -> None:
    client = await plain_client(shared_rig)
    reply = await asked(client, "strategy.generate", body)
    assert (reply["status"], reply["code"]) == ("refused", "deprecated")
    assert "foundry.forge" in reply["message"] and reply["correction"]
    await client.close()
    console = await shared_rig.client()
    assert (await console.query_view("runs", RunsView)).jobs == ()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("foundry")


@pytest.fixture
async def shared_rig(homes: Path):  # type: ignore[no-untyped-def]
    made = Rig(homes / "home")
    await made.start()
    yield made
    await made.close()


async def test_an_observer_cannot_have_anything_made(rig: Rig) -> None:
    await rig.start()
    client = await plain_client(rig, "observer")
    with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
        await client.request("foundry.forge", json.dumps(BODY).encode(), timeout=0.5)
    await client.close()


async def test_a_job_outlives_its_engine_and_one_that_was_cut_off_is_aborted(rig: Rig) -> None:
    console = await rig.start()
    good = await console.demand(FoundryForge(**{**BODY, "name": "kept_one"}), Accepted)
    bad = await console.demand(FoundryForge(**{**BODY, "prompt": "buy the dip on Tuesdays"}), Accepted)
    failed, done = await ended(rig, console, bad.job_id), await ended(rig, console, good.job_id)
    assert (failed.state, failed.code) == ("failed", "needs_generator")
    assert failed.message.startswith("needs a generator backend: 'buy dip on tuesdays'")
    cut = await console.demand(FoundryForge(**{**BODY, "target_lang": "cython"}), Accepted)
    await rig.kill_hard()
    console = await rig.start()
    rows = {row.job_id: row for row in (await console.query_view("runs", RunsView)).jobs}
    assert rows[good.job_id] == done and rows[bad.job_id] == failed
    assert rows[cut.job_id].state == "aborted" and "engine ended" in rows[cut.job_id].message
    assert len(rows) == 3


async def test_the_command_line_takes_the_same_body_and_shows_the_report(rig: Rig, tmp_path: Path) -> None:
    console = await rig.start()
    file = tmp_path / "body.json"
    file.write_text(json.dumps(BODY))
    code, accepted = await shell(rig, "forge", "submit", str(file))
    assert code == 0 and accepted["status"] == "accepted" and JOB_ID.match(accepted["job_id"])
    await ended(rig, console, accepted["job_id"])
    words = ("--type", "strategy", "--name", "fast_trend", "--lang", "python")
    code, second = await shell(rig, "forge", "submit", *words)
    assert code == 0 and (await ended(rig, console, second["job_id"])).state == "finished"
    code, shown = await shell(rig, "job", "show", accepted["job_id"])
    assert code == 0 and shown["report"]["verdict"] == "equivalent" and shown["job"]["operator"] == "alice"
    code, verified = await shell(rig, "verify", "fast_trend", "--submit")
    row = await ended(rig, console, verified["job_id"])
    langs = re.findall(r"foundry/strategies/(\w+)/[0-9.]+/fast_trend equivalent", row.message)
    assert langs == ["python", "cpp"]
    code, refused = await shell(rig, "forge", "submit", *words[:-1], "rust")
    assert (code, refused["code"]) == (2, "invalid_request") and "python, cython, cpp" in refused["message"]
    file.write_text("[]")
    assert (await shell(rig, "forge", "submit", str(file)))[0] == 2
    code, shown = await shell(rig, "job", "show", "job_00000000")
    assert (code, shown["code"]) == (1, "not_found")
    with pytest.raises(EngineRefused, match="plain ASCII"):
        await console.demand(FoundryVerify(strategy_name="ｆｕｌｌ"), Accepted)
