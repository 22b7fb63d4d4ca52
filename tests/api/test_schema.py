"""The bus speaks what `docs/schemas/api.json` says, and refuses what it does not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.api.commands import Command, Kill, Reply, encode
from engine.api.schema import document
from engine.api.subjects import PERMISSIONS
from engine.api.views import VIEW_NAMES, View

ROOT = Path(__file__).resolve().parents[2]


def a_command() -> Command:
    return Command(request_id="C-1", operator="ana", epoch=1, expires_at_ns=2, body=Kill(confirm="KILL"))


def test_the_generated_document_is_the_committed_one() -> None:
    committed = (ROOT / "docs" / "schemas" / "api.json").read_bytes()
    assert committed == document(), "run: python -m engine.api.schema > docs/schemas/api.json"


def test_a_command_survives_the_wire() -> None:
    assert msgspec.json.decode(encode(a_command()), type=Command) == a_command()


@pytest.mark.parametrize(
    "damage",
    [
        (b'"epoch":1', b'"epoch":"1"'),
        (b'"operator":"ana"', b'"operator":"ana","extra":1'),
        (b'"type":"kill"', b'"type":"obliterate"'),
        (b'"expires_at_ns":2', b'"expires_at_ns":NaN'),
        (b'"request_id":"C-1",', b""),
    ],
)
def test_a_damaged_command_is_refused(damage: tuple[bytes, bytes]) -> None:
    body = encode(a_command())
    broken = body.replace(*damage)
    assert broken != body
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(broken, type=Command)


def test_every_view_has_a_name_and_a_tag() -> None:
    tags = {kind.__struct_config__.tag for kind in View.__args__}
    assert tags == set(VIEW_NAMES)


def test_an_observer_may_never_publish_a_command() -> None:
    assert "ilk.cmd" not in PERMISSIONS["observer"]["publish"]
    assert not any(subject.endswith(">") for subject in PERMISSIONS["observer"]["publish"])


def test_a_reply_without_result_is_null() -> None:
    reply = msgspec.json.decode(encode(Reply(request_id="a", ok=True)), type=Reply)
    assert bytes(reply.result) == b"null"
