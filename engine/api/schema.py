"""The JSON Schemas of every message on the bus, generated into `docs/schemas/api.json`.

`python -m engine.api.schema` prints them; a test fails when the file and the code differ.
"""

from __future__ import annotations

import sys
from typing import get_args

import msgspec

from engine.api.account import PortfolioState
from engine.api.commands import (
    Accepted,
    Command,
    FlattenDone,
    FoundryForge,
    FoundryRequest,
    FoundryVerify,
    KillArmed,
    KillDone,
    Query,
    Reply,
    SessionStarted,
    Started,
    Turned,
)
from engine.api.endpoint import Credential, Endpoint
from engine.api.lab import LabAnswer
from engine.api.reconcile import FillComparison, Reconciled
from engine.api.shadow import ShadowView
from engine.api.views import HealthReport, View, Views

MESSAGES = (
    Command,
    Query,
    Reply,
    KillArmed,
    KillDone,
    FlattenDone,
    SessionStarted,
    Started,
    Accepted,
    Turned,
    FoundryForge,
    FoundryVerify,
    FoundryRequest,
    HealthReport,
    Views,
    PortfolioState,
    ShadowView,
    Reconciled,
    FillComparison,
    Endpoint,
    Credential,
)


def document() -> bytes:
    """Return all schemas as one sorted, indented JSON document."""
    _, components = msgspec.json.schema_components(
        (*MESSAGES, *get_args(LabAnswer), View), ref_template="#/$defs/{name}"
    )
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": components}
    return msgspec.json.format(msgspec.json.encode(body, order="sorted"), indent=1) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
