"""`interlock book quote`: fills, queue places, inventory and profit that add up; refusals that help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.market.depth.test_quoting import recording

from .conftest import Shell

EXAMPLE = Path(__file__).parents[2] / "docs/examples/market_making.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "feed.log"
    path.write_bytes(recording())
    return path


def quoted(shell: Shell, file: Path, *words: str) -> dict[str, object]:
    answer = shell("book", "quote", str(file), "--format", "binance", "--size", "0.01", "--json", *words)
    assert answer.code == 0, answer.err
    return answer.body


def test_the_fills_add_up_to_the_report(file: Path, shell: Shell) -> None:
    body = quoted(shell, file, "--half-spread", "1", "--fills", "100000")
    report, fills = body["quote"], body["fills"]
    assert isinstance(report, dict) and isinstance(fills, list) and len(fills) == report["fills"] > 20
    cash = -sum(each["side"] * each["price"] * each["size"] for each in fills)
    fees = sum(each["price"] * each["size"] for each in fills) * 2e-4
    assert report["cash"] == pytest.approx(cash) and report["fees"] == pytest.approx(fees)
    last = fills[-1]
    assert last["position"] == pytest.approx(report["position"])
    assert last["profit"] == pytest.approx(cash - fees + last["position"] * last["price"])
    assert report["most_held"] == pytest.approx(max(abs(each["position"]) for each in fills))
    assert report["mean_ahead"] == pytest.approx(sum(each["ahead"] for each in fills) / len(fills))
    assert all(each["waited_ms"] >= 0 and each["ahead"] >= 0 for each in fills)


QUEUE = """
def quoter(order_lots):
    return lambda bid, ask, held: (505 if held == 0 else None, None)
"""


def queue_recording() -> bytes:
    """0.100 at 50.5, room for ours behind it, 0.100 more; 0.100 are cancelled; then 0.060 trade there."""
    start_ms = 1_700_000_000_000
    rows: list[tuple[int, dict[str, object]]] = [
        (0, {"lastUpdateId": 1, "E": start_ms, "bids": [["50.5", "0.100"]], "asks": [["60.5", "0.100"]]})
    ]
    for number, (at, size) in enumerate([(50, "0.200"), (60, "0.100")], start=2):
        change = {"e": "depthUpdate", "s": "XY", "U": number, "u": number, "pu": number - 1, "a": []}
        rows.append((at, change | {"E": start_ms + at, "T": start_ms + at, "b": [["50.5", size]]}))
    for at, price, is_sell in ((70, "50.5", True), (90, "60.5", False)):
        trade = {"e": "trade", "s": "XY", "p": price, "q": "0.060", "m": is_sell}
        rows.append((at, trade | {"E": start_ms + at, "T": start_ms + at}))
    lines = [
        f"{(start_ms + at) * 10**6} {json.dumps(each if at == 0 else {'data': each})}" for at, each in rows
    ]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("model", "is_filled"), [("conservative", False), ("power", True), ("logarithm", True)]
)
def test_the_queue_model_decides_what_is_filled(
    tmp_path: Path, shell: Shell, model: str, is_filled: bool
) -> None:
    path, own = tmp_path / "queue.log", tmp_path / "own.py"
    path.write_bytes(queue_recording())
    own.write_text(QUEUE)
    body = quoted(shell, path, "--queue", model, "--power", "1", "--interval-ms", "10", "--quoter", str(own))
    fills = body["fills"]
    assert isinstance(fills, list) and len(fills) == is_filled
    for each in fills:
        assert (each["ahead"], each["price"], each["waited_ms"]) == (0.1, 50.5, 59.0)


def test_a_quoter_of_ones_own_quotes_and_the_text_shows_where_it_stood(file: Path, shell: Shell) -> None:
    own = quoted(shell, file, "--quoter", str(EXAMPLE))["quote"]
    assert own != quoted(shell, file)["quote"]
    answer = shell(
        "book",
        "quote",
        str(file),
        "--format",
        "binance",
        "--size",
        "0.01",
        "--half-spread",
        "1",
        "--fills",
        "3",
    )
    assert answer.code == 0
    assert "mean_ahead" in answer.out and answer.out.count("2023-11-14T") == 3 and "waited_ms" in answer.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "there is no function quoter"),
        ("def quoter(lots):\n    return 5\n", "returned int"),
        ("def quoter(lots):\n    return lambda bid, ask, held: 1 / 0\n", "own.py:2: ZeroDivisionError"),
    ],
)
def test_a_quoter_that_fails_is_named_by_its_line(file: Path, shell: Shell, text: str, said: str) -> None:
    own = file.with_name("own.py")
    own.write_text(text)
    answer = shell(
        "book", "quote", str(file), "--format", "binance", "--size", "0.01", "--quoter", str(own), "--json"
    )
    assert (answer.code, answer.body["ok"]) != (0, True)
    assert said in str(answer.body["message"])


def test_what_cannot_be_quoted_is_refused(file: Path, shell: Shell, tmp_path: Path) -> None:
    words = ("book", "quote", str(file), "--format", "binance", "--json")
    wrong = shell(*words, "--size", "0.0105")
    assert (wrong.code, wrong.body["code"]) == (2, "bad_parameter")
    assert "is not a multiple" in str(wrong.body["message"])
    silent = tmp_path / "silent.log"
    silent.write_bytes(recording(50, has_trades=False))
    answer = shell("book", "quote", str(silent), "--format", "binance", "--size", "0.01", "--json")
    assert (answer.code, answer.body["code"]) == (1, "data_invalid")
    assert "without trades" in str(answer.body["message"])
