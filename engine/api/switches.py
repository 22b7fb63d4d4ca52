"""What a run may assume: one row for each switch, from option to configuration to its line in the documents.

The command line, requests, sweeps' files, config.json, the contract of comparison and the table of
`docs/assumptions.md` are made from these rows; `engine.research.switching` makes the kernel's rules of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from seams.disk import RealDisk
from venues.types import Record

Value = bool | int | float | str
Kind = Literal["number", "whole", "word", "flag", "tiers"]
Part = Literal["account", "kernel", "exchange", "guards", "sizing", "portfolio", "run"]

START, END = "<!-- switches -->\n", "<!-- /switches -->\n"


class Switch(Record):
    """One assumption. `name` is its name in requests and in config.json, `off` what it is where unnamed.

    `part` says whose it is: the account's and the run's are read by the run itself, the others are the
    kernel's rules (`kernel`: its own), under `field` (the name where empty). `off` None: from the preset or
    the settings.
    """

    name: str
    option: str
    part: Part
    kind: Kind
    off: Value | None
    doc: str
    field: str = ""
    choices: tuple[str, ...] = ()


def _row(
    part: Part, name: str, option: str, off: Value | None, doc: str, field: str = "",
    kind: Kind | None = None, choices: tuple[str, ...] = (),
) -> Switch:  # fmt: skip
    kinds: dict[type, Kind] = {bool: "flag", int: "whole", float: "number", str: "word"}
    return Switch(
        name=name, option=option, part=part, kind=kind or kinds[type(off)], off=off, doc=doc,
        field=field or name, choices=choices,
    )  # fmt: skip


SWITCHES: tuple[Switch, ...] = (
    _row("account", "cash", "--cash", None, "Money at the start", kind="number"),
    _row("account", "notional_usd", "--notional", None, "Money per entry (sizing fixed)", kind="number"),
    _row("account", "fee_bps", "--taker-fee-bps", None, "Fee of a fill that took, of its notional",
         kind="number"),
    _row("account", "slippage_bps", "--slippage-bps", None, "Adverse slippage of every fill", kind="number"),
    _row("account", "lot", "--lot", None, "Sizes are rounded down to it, in base units", kind="number"),
    _row("account", "tick", "--tick", None, "Prices are rounded to it, against us; 0: not", kind="number"),
    _row("account", "seed", "--seed", 0, "The seed of every draw"),
    _row("account", "slippage_mode", "--slippage-mode", None,
         "fixed or atr: clamp(k x ATR(14) / close, low, high) of the last close", kind="word",
         choices=("fixed", "atr")),
    _row("account", "stops", "--stops", None, "intrabar or next_open: where stops and targets fill",
         kind="word", choices=("intrabar", "next_open")),
    _row("kernel", "min_notional_usd", "--min-notional", 0.0, "An entry worth less is not made; 0: any is"),
    _row("kernel", "min_hold_minutes", "--min-hold-minutes", 0.0,
         "A strategy's time exit is never earlier; 0: no bound", "min_hold_bars"),
    _row("kernel", "max_hold_minutes", "--max-hold-minutes", 0.0,
         "A position is closed at the close of the bar on which it was held so long; 0: no bound",
         "max_hold_bars"),
    _row("exchange", "k_atr", "--k-atr", 0.05, "The k of the slippage by ATR", "slippage_atr"),
    _row("exchange", "slippage_low_bps", "--slippage-low-bps", 2.0, "Its least slippage"),
    _row("exchange", "slippage_high_bps", "--slippage-high-bps", 30.0, "Its greatest slippage"),
    _row("exchange", "maker_fee_bps", "--maker-fee-bps", None,
         "Fee of a fill that rested; below 0 a rebate; as the taker's where not named", kind="number"),
    _row("exchange", "entry_limit_bps", "--entry-limit-bps", None,
         "Entries rest so far on the better side of the close; else they go to the market", kind="number"),
    _row("exchange", "limit_bars", "--limit-bars", 0,
         "A resting entry is withdrawn after so many bars; 0: never"),
    _row("exchange", "touch_fill_probability", "--touch-fill-probability", 0.0,
         "How likely a mere touch fills a resting entry"),
    _row("exchange", "partial_fill_share", "--partial-fill-share", 0.0,
         "Share of the volume before that a bar fills; 0: whole fills", "fill_share"),
    _row("exchange", "tif", "--tif", "gtc", "gtc or ioc: what is left of an entry rests, or is withdrawn",
         "time_in_force", choices=("gtc", "ioc")),
    _row("exchange", "latency_ms", "--latency-ms", 0.0, "From the decision until the order acts"),
    _row("exchange", "latency_jitter_ms", "--latency-jitter-ms", 0.0, "Up to so much more, drawn per order"),
    _row("exchange", "reject_probability", "--reject-probability", 0.0, "How likely an order is rejected"),
    _row("exchange", "timeout_probability", "--timeout-probability", 0.0, "How likely an order is late"),
    _row("exchange", "timeout_ms", "--timeout-ms", 5_000.0, "How late a late order is"),
    _row("exchange", "leverage", "--leverage", 0.0, "Margin and liquidation with this leverage; 0: neither"),
    _row("exchange", "maintenance_margin", "--maintenance-margin", "0.005",
         "Its rate, or tiers as 0:0.005,100000:0.01 (notional from : rate)", "maintenance", "tiers"),
    _row("exchange", "liquidation_fee_bps", "--liquidation-fee-bps", 0.0, "Fee of a liquidation"),
    _row("exchange", "gap_limit_bars", "--gap-limit-bars", 0,
         "No entry after more missing bars than that; 0: no limit", "max_gap_bars"),
    _row("guards", "glitch_pct", "--glitch-pct", 0.0,
         "A bar that moves further, in % of the last close, is a bad print; 0: none is", "glitch_move"),
    _row("guards", "glitch_atr", "--glitch-atr", 0.0, "The same in ATR(14)"),
    _row("guards", "cooldown_bars", "--cooldown-bars", 0.0,
         "Bars to wait before entering the same direction again", "cooldown_s"),
    _row("sizing", "sizing", "--sizing", "fixed",
         "fixed or fraction or risk or kelly: the notional, a share of equity, of risk, of Kelly", "mode",
         choices=("fixed", "fraction", "risk", "kelly")),
    _row("sizing", "size_fraction", "--size-fraction", 0.02,
         "The share: of equity, of equity lost at the stop, or Kelly's most", "fraction"),
    _row("sizing", "kelly_multiplier", "--kelly-multiplier", 0.5, "Share of Kelly's fraction"),
    _row("sizing", "kelly_prior", "--kelly-prior", 20.0, "Imagined trades that shrink it"),
    _row("sizing", "kelly_min_trades", "--kelly-min-trades", 30, "Below so many trades: the share itself"),
    _row("sizing", "max_notional_usd", "--max-notional", 0.0, "The largest entry; 0: no cap"),
    _row("portfolio", "max_entries", "--max-entries", 6, "Several symbols: entries at one time"),
    _row("portfolio", "max_positions", "--max-positions", 20, "Several symbols: positions at once"),
    _row("portfolio", "portfolio_notional_usd", "--portfolio-notional", 0.0,
         "Several symbols: all positions together; 0: no cap", "max_notional_usd"),
    _row("portfolio", "rank", "--rank", "adx",
         "Several symbols: what serves entries of equal strength first; strength: that itself, unrounded",
         choices=("adx", "momentum", "volatility", "calm", "strength")),
    _row("portfolio", "symbol_notional_usd", "--symbol-notional", 0.0,
         "Several strategies: all positions in one symbol; 0: no cap", "max_symbol_notional_usd"),
    _row("portfolio", "strategy_notional_usd", "--strategy-notional", 0.0,
         "Several symbols: all positions of one strategy; 0: no cap", "max_strategy_notional_usd"),
    _row("portfolio", "alt_longs_usd", "--alt-longs", 0.0,
         "Several symbols: all altcoins held long; 0: no cap", "max_alt_longs_usd"),
    _row("portfolio", "alt_shorts_usd", "--alt-shorts", 0.0,
         "Several symbols: all altcoins held short; 0: no cap", "max_alt_shorts_usd"),
    _row("portfolio", "majors", "--majors", "BTC", "The bases that are no altcoins, as BTC,ETH", kind="word"),
    _row("portfolio", "max_heat", "--max-heat", 0.0,
         "Several symbols: what all stops together may lose, as a share of equity; 0: no cap"),
    _row("run", "sub_data", "--sub-data", "",
         "Finer bars, a file or VENUE/SYMBOL/INTERVAL: the path inside each bar; * is the symbol"),
    _row("run", "close_at_end", "--close-at-end", False, "Close what is open at the last close"),
)  # fmt: skip
BY_NAME: Mapping[str, Switch] = {row.name: row for row in SWITCHES}
KEPT: tuple[str, ...] = tuple(row.name for row in SWITCHES if row.part != "account")
"""The names that config.json keeps under `switches`, where they are on."""
SEARCHED: tuple[str, ...] = tuple(row.name for row in SWITCHES if row.part != "portfolio")
"""What every trial of a sweep can assume."""
NOT_GENERATED = frozenset(
    {
        "seed",
        "stops",
        "lot",
        "tick",
        "gap_limit_bars",
        "leverage",
        "maintenance_margin",
        "liquidation_fee_bps",
    }
)
GENERATED: tuple[str, ...] = tuple(
    name for name in SEARCHED if name not in NOT_GENERATED and BY_NAME[name].part not in ("sizing", "run")
)
"""What `simulate` and `backtest` can assume: no gaps, lots or ticks; one size for all entries."""

assert len(BY_NAME) == len(SWITCHES) == len({row.option for row in SWITCHES})


def gathered(fields: Mapping[str, object]) -> dict[str, object]:
    """Return a request's fields with the switches named among them put under `switches`.

    Raises `ValueError` where one is named in both places.
    """
    inner = fields.get("switches") or {}
    if not isinstance(inner, Mapping):
        raise ValueError("switches must be names and values")
    named = {name: fields[name] for name in KEPT if name in fields}
    if twice := sorted(set(named) & set(inner)):
        raise ValueError(f"{', '.join(twice)}: named twice, beside switches and in them")
    rest = {name: value for name, value in fields.items() if name not in named and name != "switches"}
    found = {**inner, **named}
    return {**rest, "switches": found} if found else rest


def read(given: Mapping[str, object]) -> dict[str, Value]:
    """Return switches as config.json keeps them: of the right kind, those that are off left out.

    Raises `ValueError` for an unknown name or a value of another kind.
    """
    unknown = sorted(set(map(str, given)) - set(KEPT))
    if unknown:
        raise ValueError(f"no switch is called {', '.join(unknown)}; there are {', '.join(KEPT)}")
    found = {name: _value(BY_NAME[name], given[name]) for name in sorted(given)}
    return {name: value for name, value in found.items() if value != BY_NAME[name].off}


def chosen(name: str, word: str) -> str:
    """Return the word if it is one of the row's choices. Raises `ValueError`."""
    return str(_value(BY_NAME[name], word))


def _value(row: Switch, given: object) -> Value:
    """Return a value of the row's kind; a whole number is a number too, nothing else is guessed."""
    if row.kind == "flag" and isinstance(given, bool):
        return given
    if row.kind == "number" and isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if row.kind == "whole" and isinstance(given, int) and not isinstance(given, bool):
        return given
    if row.kind == "tiers" and isinstance(given, int | float | str) and not isinstance(given, bool):
        return given if isinstance(given, str) else f"{given:g}"
    if row.kind == "word" and isinstance(given, str) and (not row.choices or given in row.choices):
        return given
    wanted = " or ".join(row.choices) or {"whole": "a whole number", "flag": "true or false"}.get(
        row.kind, f"a {row.kind}"
    )
    raise ValueError(f"{row.name} is {wanted}, not {given!r}")


def words_of(values: Mapping[str, object]) -> list[str]:
    """Return the command line's words that switch these on, in the rows' order."""
    words: list[str] = []
    for row in SWITCHES:
        value = values.get(row.name)
        if value is None or value == "" or value is False or (row.part == "account" and value == row.off):
            continue
        text = f"{value:.15g}" if isinstance(value, float) else str(value)
        words += [row.option] if row.kind == "flag" else [row.option, text]
    return words


def json_properties() -> dict[str, object]:
    """Return what a JSON Schema says about `switches` of config.json."""
    kinds = {"number": "number", "whole": "integer", "flag": "boolean"}
    return {
        row.name: {
            "type": kinds.get(row.kind, "string"),
            "description": row.doc,
            **({"enum": list(row.choices)} if row.choices else {}),
            **({} if row.off is None else {"default": row.off}),
        }
        for row in SWITCHES
        if row.part != "account"
    }


def to_markdown(rows: Iterable[Switch] = SWITCHES) -> str:
    """Return the table of `docs/assumptions.md`."""
    lines = ["| option | in config.json | off, or default | meaning |", "|---|---|---|---|"]
    for row in rows:
        nothing = "preset, settings" if row.part == "account" else "none"
        off = nothing if row.off is None or row.off == "" else str(row.off).lower()
        kept = {"cash": "initial_cash"}.get(row.name, row.name)
        place = f"`{kept}`" if row.part == "account" else f"`switches.{kept}`"
        lines.append(f"| `{row.option}` | {place} | {off} | {row.doc} |")
    return "\n".join([*lines, ""])


def with_table(text: str) -> str:
    """Return a document with its table of switches made anew."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{to_markdown()}\n{END}{after}"


if __name__ == "__main__":  # python -m engine.api.switches: write the table of docs/assumptions.md
    document = Path("docs/assumptions.md")
    RealDisk().write_atomic(document, with_table(RealDisk().read(document).decode()).encode(), mode=0o644)
