"""What can be configured: one class per block, with defaults, units and bounds.

Keys may be written in snake_case or camelCase; unknown keys are refused. The six blocks ingestion,
qgita, decision, risk, execution and analytics carry the names of AQ-25.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.config.fields import Block, Count, Fraction, NotNegative, Positive
from engine.config.risk import RiskBlock

NOT_DECIDING = ("console", "record", "alarms", "feed")
"""Blocks that change no decision and so no fingerprint."""


class ConfigError(Exception):
    """The configuration cannot be used; `code` is always `invalid_config`, exit code 2.

    `key` is the dotted key at fault (empty for a whole file), `origin` the file, variable or layer.
    """

    code = "invalid_config"

    def __init__(self, message: str, *, key: str = "", origin: str = "") -> None:
        super().__init__(message)
        self.key, self.origin = key, origin


class EngineBlock(Block):
    """The process: which mode and environment, which pairs, which overlay of `modes.yaml`."""

    mode: Literal["sim", "paper", "dry_live", "live"] = "paper"
    environment: Literal["sandbox", "testnet", "mainnet"] = "sandbox"
    overlay: str = "primary"
    trading_pairs: tuple[str, ...] = ("BTC-USD", "ETH-USD")
    warmup_bars: Count = 300
    crash_loop_deaths: Count = 3
    """So many deaths within ten minutes, and the next start latches halt_all."""
    seed: int = 1


class FeedBlock(Block):
    """One simulated exchange feed: trust weight in [0, 1] and latency in milliseconds."""

    weight: Fraction
    latency_ms: NotNegative


def _feeds() -> dict[str, FeedBlock]:
    return {
        "binance": FeedBlock(weight=1.0, latency_ms=25),
        "coinbase": FeedBlock(weight=0.8, latency_ms=35),
        "kraken": FeedBlock(weight=0.6, latency_ms=40),
        "bybit": FeedBlock(weight=0.9, latency_ms=32),
        "kucoin": FeedBlock(weight=0.5, latency_ms=45),
    }


class IngestionBlock(Block):
    """Simulated prices: the first price (quote currency) and the feeds that are blended."""

    initial_price: Positive = 42_000.0
    exchanges: dict[str, FeedBlock] = Field(default_factory=_feeds)


class QgitaBlock(Block):
    """The advisory QGITA signal: lattice in bars, confidences in [0, 1], history in bars."""

    lattice: tuple[Count, ...] = (5, 8, 13, 21, 34, 55)
    min_confidence: Fraction = 0.35
    neutral_confidence: Fraction = 0.45
    history_limit: Count = 300


class DecisionBlock(Block):
    """From scores to wishes: who decides, thresholds, fusion weights, the strategy and its parameters.

    There is one decision provider; any other name is refused, never fallen back from (OC-86).
    """

    provider: Literal["kernel"] = "kernel"

    buy_threshold: Fraction = 0.15
    sell_threshold: Annotated[float, Field(ge=-1.0, le=0.0)] = -0.15
    minimum_confidence: Fraction = 0.35
    ensemble_weight: Fraction = 0.6
    sentiment_weight: Fraction = 0.2
    qgita_weight: Fraction = 0.2
    allows_entries: bool = True
    strategy: str = "ema-cross"
    params: dict[str, float] = Field(default_factory=dict)


class ExecutionBlock(Block):
    """Execution assumptions: basis points of price or notional, milliseconds, probabilities."""

    max_slippage_bps: NotNegative = 18.0
    """The paper venue draws slippage, adverse only, with `slippage_bps` as its mean and this as its bound."""
    min_latency_ms: NotNegative = 35.0
    max_latency_ms: NotNegative = 125.0
    """The paper venue draws, between these two, how long an order is on its way, in the market's time."""
    partial_fill_probability: Fraction = 0.15
    """How likely an order executes in two parts at the paper venue; what is left of it stays at work."""
    reject_probability: Fraction = 0.0
    timeout_probability: Fraction = 0.0
    """How likely the paper venue refuses an order, or leaves it without an answer (arrived or not)."""
    fee_bps: NotNegative = 4.5
    slippage_bps: NotNegative = 1.0
    ticket_expiry_s: Positive = 120.0
    venue_url: str = ""
    """Where the venue answers: `tcp://HOST:PORT` of a sandbox exchange (mode live, environment sandbox)."""
    venue_key_file: str = ""
    """The key that signs at the venue: a file (0600), `credential:NAME` or `gpg:FILE`; never the key."""
    allowed_venues: tuple[str, ...] = ()
    allowed_symbols: tuple[str, ...] = ()
    allowed_strategies: tuple[str, ...] = ()
    """What real money may be risked on; an empty list allows nothing, and then nothing can be armed."""
    arming_hours: Annotated[float, Field(gt=0.0, le=24.0)] = 8.0
    """How long one arming lasts; it ends with the engine at the latest."""
    arms_dead_man: bool = False
    """Whether the venue's own dead man's switch is kept armed: on firing it cancels the account's protective
    orders too, and those placed by hand."""
    key_max_age_days: Positive = 90.0
    """When a key that was not changed rings: every key that the settings name."""

    @model_validator(mode="after")
    def _draws_what_can_be(self) -> ExecutionBlock:
        if self.max_latency_ms < self.min_latency_ms:
            raise ValueError(
                f"min_latency_ms {self.min_latency_ms:g} is beyond max_latency_ms {self.max_latency_ms:g}"
            )
        if self.reject_probability + self.timeout_probability > 1.0:
            raise ValueError("reject_probability and timeout_probability together are beyond 1")
        return self


class AnalyticsBlock(Block):
    """Histories kept for display (points) and the account of research runs (US dollars)."""

    equity_history: Count = 500
    trade_history: Count = 250
    run_cash_usd: Positive = 1_000_000.0
    run_notional_usd: Positive = 10_000.0
    minimum_points: Count = 20
    paper_stale_after_minutes: Positive = 60.0


class MarketBlock(Block):
    """The feed the engine trades on. `interval` takes effect at the next start."""

    venue: str = "sandbox"
    interval: Literal["1s", "1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"] = "1m"
    feed_stale_ms: Count = 5_000
    gap_limit_bars: Count = 3


class PublicFeedBlock(Block):
    """The feed processes: where each venue is heard, which candles are kept, when what it says is stale."""

    hyperliquid_url: str = ""
    """`http://127.0.0.1:PORT`; empty: the loopback exchange of this home."""
    kraken_url: str = ""
    """As `hyperliquid_url`."""
    intervals: tuple[Literal["1m", "3m", "5m", "15m", "30m", "1h"], ...] = (
        "1m",
        "3m",
        "5m",
        "15m",
        "30m",
        "1h",
    )
    """The candles that are kept, of those that the venue has."""
    allows_rest: bool = True
    """Whether candles that the stream did not bring may be asked for."""
    rest_requests: Count = 200
    """How many questions one back-fill of a series may ask."""
    mids_stale_s: Positive = 60.0
    candles_stale_s: Positive = 7_200.0


class WatchdogBlock(Block):
    """The watchdog process: seconds without progress until it acts, its own key, how it pages."""

    is_required: bool | None = None
    """Whether the engine holds close_only without its beat; left out: with real money only."""
    close_only_after_s: Positive = 5.0
    cancel_after_s: Positive = 10.0
    key_file: str = ""
    """A key file (0600) that may only cancel; never the engine's own."""
    drill_key_file: str = ""
    """A key file (0600) that signs the evidence of drills; without one it is hashed only."""
    alarm_command: tuple[str, ...] = ()
    """A program and its arguments; each message comes as JSON on its standard input."""

    @model_validator(mode="after")
    def _cancels_last(self) -> WatchdogBlock:
        if self.cancel_after_s < self.close_only_after_s:
            raise ValueError("cancel_after_s comes after close_only_after_s")
        return self


class SupervisionBlock(Block):
    """What people must do before something starts: the operator lease, two persons, overrides."""

    operator_lease_s: Positive = 60.0
    """How long one key press of the holder keeps the lease, in seconds."""
    needs_two_persons: bool | None = None
    """Whether raises, arming, a reset of halt_all and large tickets need two; left out: with real money."""
    second_person_above_usd: Positive = 10_000.0
    """From which notional on a ticket needs the second person, where two persons are needed at all."""
    allows_override: bool = False
    """Whether two persons may pass over a failed check of size or rhythm, for one ticket."""


class ConsoleBlock(Block):
    """The terminal console."""

    theme: str = "interlock"
    refresh_hz: Annotated[int, Field(ge=1, le=10)] = 4
    uses_ascii: bool = False
    bell: bool = True


class RecordBlock(Block):
    """What vouches for the audit log: a key file (mode 0600, at least 32 characters) that signs its heads,
    and a file in a second place that `interlock audit anchor` adds heads to. Both are paths; empty: none.
    """

    audit_key_file: str = ""
    audit_anchor_file: str = ""
    audit_segment_mib: Annotated[int, Field(ge=1, le=1024)] = 64
    audit_head_every_s: Positive = 60.0
    past_max_mib: Annotated[int, Field(ge=0, le=65_536)] = 512
    """How much of what consoles were shown is kept, the oldest removed first; 0: nothing."""


class SinkBlock(Block):
    """Where alarms go. `target` is a file, a command line, or (webhook) a 0600 file that holds the address.

    Alarms of `min_priority` and more urgent go there; 1 is the most urgent.
    """

    kind: Literal["log", "file", "command", "webhook"]
    target: str = ""
    min_priority: Annotated[int, Field(ge=1, le=3)] = 3
    deadline_s: Annotated[float, Field(gt=0.0, le=60.0)] = 5.0
    queue: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def _has_a_target(self) -> SinkBlock:
        if self.kind != "log" and not self.target:
            raise ValueError(f"a sink of kind {self.kind} needs a target")
        return self


class AlarmsBlock(Block):
    """Sinks by name; the engine's log is one unless another is named `log`."""

    sinks: dict[str, SinkBlock] = Field(default_factory=lambda: {"log": SinkBlock(kind="log")})


class Settings(BaseSettings):
    """The whole tree. Built by `load_settings`, which reads the layers; never from the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    engine: EngineBlock = Field(default_factory=EngineBlock)
    ingestion: IngestionBlock = Field(default_factory=IngestionBlock)
    qgita: QgitaBlock = Field(default_factory=QgitaBlock)
    decision: DecisionBlock = Field(default_factory=DecisionBlock)
    risk: RiskBlock = Field(default_factory=RiskBlock)
    execution: ExecutionBlock = Field(default_factory=ExecutionBlock)
    analytics: AnalyticsBlock = Field(default_factory=AnalyticsBlock)
    market: MarketBlock = Field(default_factory=MarketBlock)
    feed: PublicFeedBlock = Field(default_factory=PublicFeedBlock)
    watchdog: WatchdogBlock = Field(default_factory=WatchdogBlock)
    supervision: SupervisionBlock = Field(default_factory=SupervisionBlock)
    console: ConsoleBlock = Field(default_factory=ConsoleBlock)
    record: RecordBlock = Field(default_factory=RecordBlock)
    alarms: AlarmsBlock = Field(default_factory=AlarmsBlock)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values only from the merged layers, so that every value has one known origin."""
        return (init_settings,)


def config_fingerprint(settings: Settings) -> str:
    """Return the sha256 (hex) of the settings as canonical JSON: sorted keys, no spaces.

    How a screen looks and where the record is kept do not change a decision: those blocks are left out.
    """
    tree = settings.model_dump(mode="json", exclude=set(NOT_DECIDING))
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
