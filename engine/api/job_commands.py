"""What may be asked of the research side: runs, sweeps and components as jobs, and schedules of runs."""

from __future__ import annotations

from venues.types import Record


class RunStart(Record, tag="run_start"):
    """Start a research run as a job of its own process. Same fields as `interlock run start`.

    `start_ns` and `end_ns` (excluded) bound bar open times; costs left None are the preset's, else the
    settings'; `funding` is `data` (that of the data's venue and symbol), VENUE/SYMBOL, or none.
    `version` makes it a crucible run of that version of the strategy: one at a time.
    """

    strategy: str
    preset: str = ""
    data: str
    params: dict[str, float | str] = {}
    max_bars: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    fee_bps: float | None = None
    slippage_bps: float | None = None
    funding: str = ""
    name: str = ""
    version: str = ""


class SweepStart(Record, tag="sweep_start"):
    """Start a sweep as a job. `grid` maps a parameter to its axis, `5:50:5` or `20,50,100`.

    Window, costs and funding as in `RunStart`.
    """

    strategy: str
    preset: str = ""
    data: str
    params: dict[str, float | str] = {}
    grid: dict[str, str] = {}
    method: str = "grid"
    trials: int = 0
    seed: int = 0
    max_bars: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    fee_bps: float | None = None
    slippage_bps: float | None = None
    funding: str = ""
    name: str = ""


class FoundryForge(Record, tag="foundry_forge"):
    """Make a component as a job; on the bus also as plain JSON, without the envelope (`foundry.forge`).

    `component_type` is indicator, entry, exit or strategy; `target_lang` python, cython or cpp,
    `target_version` that language's (empty: what is installed). `prompt`: a sentence of the grammar of
    `docs/foundry.md`; empty: the IR that is kept under this name, or the bundled strategy of this name.
    """

    component_type: str
    name: str
    target_lang: str
    target_version: str = ""
    prompt: str = ""


class FoundryVerify(Record, tag="foundry_verify"):
    """Verify a component in every language it was made in, or a bundled strategy, as a job."""

    strategy_name: str


JobBody = RunStart | SweepStart | FoundryForge | FoundryVerify


class JobCancel(Record, tag="job_cancel"):
    """Stop a job; what it was making is not published."""

    job_id: str


class ScheduleAdd(Record, tag="schedule_add"):
    """Let a research run start by itself every so many minutes, until one fails."""

    name: str
    every_minutes: float
    run: RunStart


class ScheduleAct(Record, tag="schedule_act"):
    """`act` is pause, resume (with a reason) or remove."""

    name: str
    act: str
