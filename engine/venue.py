"""The venue of a live engine, from its configuration: a link, its account, and nothing in paper."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from engine.config.settings import ExecutionBlock
from safety.reasons import Refusal
from safety.secrets import KeyReference, load_secret
from seams.clock import Clock
from seams.tcp import TcpWire
from venues.keyfile import KeyFile
from venues.sandbox import messages as m
from venues.sandbox.link import EXCHANGE_NAME, ExchangeLink
from venues.sandbox.server import instruments

REPOSITORY = Path(__file__).resolve().parents[1]


def load_key(name: str, path: str) -> KeyFile:
    """Read a venue's key file (0600, ours, outside the repository).

    Raises `Refusal` with secret_missing or secret_exposed, or invalid_config where it is no key file.
    """
    text = load_secret(KeyReference(name=name, path=path), REPOSITORY).reveal()
    try:
        key = msgspec.json.decode(text, type=KeyFile)
    except msgspec.MsgspecError:
        raise Refusal("invalid_config", f"{name} names a file that is no key file") from None
    if key.venue != EXCHANGE_NAME:
        raise Refusal("invalid_config", f"{name} names a key of {key.venue}, not of {EXCHANGE_NAME}")
    return key


def address(url: str) -> tuple[str, int]:
    """Return host and port of `tcp://HOST:PORT`. Raises `Refusal` (invalid_config)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not url.startswith("tcp://") or not host or not port:
        raise Refusal("invalid_config", f"execution.venue_url is tcp://HOST:PORT, not {url!r}")
    return host, port


def open_link(url: str, key: KeyFile, clock: Clock) -> ExchangeLink:
    """Return the adapter of a sandbox exchange, not yet started."""
    secret = key.secret.encode()
    opening = m.seal(key.key, secret, m.Subscribe())
    return ExchangeLink(TcpWire(*address(url), opening, clock), key.key, secret, instruments())


def configured_link(execution: ExecutionBlock, clock: Clock) -> tuple[ExchangeLink, str]:
    """Return the link and the account that the configuration names. Raises `Refusal`."""
    if not execution.venue_url or not execution.venue_key_file:
        said = "mode live in environment sandbox needs execution.venue_url and execution.venue_key_file"
        raise Refusal("invalid_config", said)
    key = load_key("execution.venue_key_file", execution.venue_key_file)
    return open_link(execution.venue_url, key, clock), key.account
