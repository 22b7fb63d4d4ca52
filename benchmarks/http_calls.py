"""What a request to a venue costs on a connection of its own and on one that was kept, side by side.

A server on this machine answers at once; between it and the caller stands a relay that holds every piece
back by half of `--rtt-ms` each way (opening the TCP connection is not held back, so that a new one is shown
too cheap by one round trip). TLS with a certificate made for the run (`openssl`); without it, TCP alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from seams.caller import HttpCaller
from seams.http import decode_request, encode_request, encode_response, json_response

ANSWER = encode_response(json_response(b'{"error":[],"result":{"txid":["OCS5OA-6L5HR-YENEOL"]}}'))
ASK = encode_request("POST", "/0/private/AddOrder", "localhost", {}, b"pair=XBTUSD&nonce=1")


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Return what a server shows and what a client trusts; None without `openssl`."""
    if shutil.which("openssl") is None:
        return None
    key, shown = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    words += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(shown)]
    subprocess.run(words, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(shown, key)
    return server, ssl.create_default_context(cafile=str(shown))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request of one connection."""
    data = b""
    with suppress(asyncio.CancelledError):
        while more := await reader.read(65_536):
            data += more
            while (found := decode_request(data)) is not None:
                data = data[found[1] :]
                writer.write(ANSWER)
    writer.close()


class Relay:
    """Passes bytes on, each piece later by `hold_s`."""

    def __init__(self, port: int, hold_s: float) -> None:
        self._port, self._hold_s = port, hold_s

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(65_536):
                loop.call_later(self._hold_s, writer.write, data)
        finally:
            loop.call_later(self._hold_s, writer.close)


async def measure(
    count: int, rtt_s: float, contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None
) -> dict[str, object]:
    """Ask `count` times each way, in turns; return both in milliseconds, and their ratio."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=contexts[0] if contexts else None)
    relay = Relay(server.sockets[0].getsockname()[1], rtt_s / 2)
    front = await asyncio.start_server(relay.client, "127.0.0.1", 0)
    url = f"{'https' if contexts else 'http'}://localhost:{front.sockets[0].getsockname()[1]}"
    trust = contexts[1] if contexts else None
    kept, took_ms = caller(url, trust), dict[str, list[float]](new=[], kept=[])
    await kept.call(ASK, 5.0)
    for _ in range(count):
        for name, each in (("new", caller(url, trust)), ("kept", kept)):
            began = time.perf_counter()
            await each.call(ASK, 5.0)
            took_ms[name].append((time.perf_counter() - began) * 1e3)
            if each is not kept:
                await each.close()
    await kept.close()
    front.close()
    server.close()
    half = {name: statistics.median(each) for name, each in took_ms.items()}
    worst = {name: statistics.quantiles(each, n=100)[98] for name, each in took_ms.items()}
    return {
        "over": "TLS" if contexts else "TCP",
        "rtt_ms": rtt_s * 1e3,
        **{f"{name}_p50_ms": round(half[name], 2) for name in half},
        **{f"{name}_p99_ms": round(worst[name], 2) for name in worst},
        "new_over_kept": round(half["new"] / half["kept"], 1),
    }


def caller(url: str, trust: ssl.SSLContext | None) -> HttpCaller:
    made = HttpCaller(url)
    made.address.trust = trust
    return made


def main(arguments: list[str]) -> int:
    """Print the cost of a request without and with a network between."""
    given = argparse.ArgumentParser(prog="python -m benchmarks http_calls")
    given.add_argument("--count", type=int, default=100)
    given.add_argument("--rtt-ms", type=float, default=20.0)
    given.add_argument("--json", action="store_true", help="each row is one JSON object anyway")
    wanted = given.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        contexts = certificate(Path(folder))
        for rtt_s in (0.0, wanted.rtt_ms / 1e3):
            print(json.dumps(asyncio.run(measure(wanted.count, rtt_s, contexts))))
    return 0
