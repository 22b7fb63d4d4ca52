"""The foundry on the bus: requests in plain JSON, answered at once; each accepted one is told to all."""

from __future__ import annotations

import contextlib

import msgspec

from engine.api import commands as c
from engine.api import subjects
from engine.api.run_views import JobRow
from engine.core import Core
from engine.jobs import Jobs
from engine.lifecycle.foundry.names import check_forge, check_verify
from safety.reasons import REASONS, Refusal
from safety.text import clean
from seams.net import Net, NetDown

BODY_BYTES = 16 * 1024
BUS_ACTOR = "bus"
KINDS = ("forge", "verify")


class Foundry:
    """Accepts foundry requests from commands and from plain clients of the bus; tells how their jobs go."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core, self._jobs = core, jobs
        self._net: Net | None = None
        self._told: dict[str, JobRow] = {}

    async def listen(self, net: Net) -> None:
        """Answer on `foundry.forge` and `foundry.verify`, whose bodies are those of the command line."""
        self._net = net
        await net.subscribe(subjects.FOUNDRY_FORGE, self.on_forge)
        await net.subscribe(subjects.FOUNDRY_VERIFY, self.on_verify)
        await net.subscribe(subjects.STRATEGY_GENERATE, self.on_generate)

    async def on_forge(self, _: str, body: bytes) -> bytes:
        """Answer `{component_type, name, target_lang, target_version?, prompt?}`."""
        return await self._answered(body, c.FoundryForge)

    async def on_verify(self, _: str, body: bytes) -> bytes:
        """Answer `{strategy_name}`."""
        return await self._answered(body, c.FoundryVerify)

    async def on_generate(self, _: str, body: bytes) -> bytes:
        """Answer the older name, whatever its body: the new name is told, and nothing is made."""
        refusal = Refusal("deprecated", f"{subjects.STRATEGY_GENERATE} is now {subjects.FOUNDRY_FORGE}")
        self._core.note("refused", BUS_ACTOR, str(refusal), code=refusal.code)
        return _turned(refusal)

    async def submit(self, body: c.FoundryForge | c.FoundryVerify, operator: str) -> c.Accepted:
        """Judge a request, start its job and tell the bus. Raises `Refusal`."""
        if isinstance(body, c.FoundryForge):
            check_forge(body)
        else:
            check_verify(body)
        job_id = await self._jobs.start(body, operator)
        await self._tell(*_told(body, job_id))
        return c.Accepted(job_id=job_id)

    async def publish(self) -> None:
        """Tell what changed of each foundry job since the last turn, on its own subject."""
        for row in self._jobs.rows_of(KINDS):
            if self._told.get(row.job_id) != row:
                self._told[row.job_id] = row
                await self._tell(subjects.stream(row.job_id), c.encode(row))
        known = {row.job_id for row in self._jobs.rows_of(KINDS)}
        self._told = {job_id: row for job_id, row in self._told.items() if job_id in known}

    async def _answered(self, body: bytes, kind: type[c.FoundryForge] | type[c.FoundryVerify]) -> bytes:
        try:
            if len(body) > BODY_BYTES:
                raise Refusal("invalid_request", f"a body has at most {BODY_BYTES} bytes")
            return c.encode(await self.submit(msgspec.json.decode(body, type=kind), BUS_ACTOR))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _turned(Refusal("invalid_request", clean(str(error))))
        except Refusal as refusal:
            self._core.note("refused", BUS_ACTOR, f"{kind.__name__}: {refusal}", code=refusal.code)
            return _turned(refusal)

    async def _tell(self, subject: str, body: bytes) -> None:
        if self._net is not None:
            with contextlib.suppress(NetDown):  # who listens looks again with `interlock job ls`
                await self._net.publish(subject, body)


def _turned(refusal: Refusal) -> bytes:
    message = f"{refusal.reason.title}: {refusal.detail}" if refusal.detail else refusal.reason.title
    return c.encode(c.Turned(code=refusal.code, message=message, correction=REASONS[refusal.code].correction))


def _told(body: c.FoundryForge | c.FoundryVerify, job_id: str) -> tuple[str, bytes]:
    """Return the subject and the message that tell everyone of an accepted request."""
    if isinstance(body, c.FoundryVerify):
        return subjects.SYS_VERIFY, c.encode(
            c.FoundryRequest(job_id=job_id, strategy_name=body.strategy_name)
        )
    request = c.FoundryRequest(
        job_id=job_id,
        component_type=body.component_type,
        name=body.name,
        target_lang=body.target_lang,
        target_version=body.target_version,
        prompt=body.prompt,
    )
    return subjects.SYS_FORGE, c.encode(request)
