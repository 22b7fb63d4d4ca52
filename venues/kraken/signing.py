"""Requests to Kraken as the exact bytes that go out: form-encoded, signed by krakenex, never sent by it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import krakenex

from seams.http import encode_request

AGENT = "interlock"
FORM = "application/x-www-form-urlencoded"


def form(fields: Mapping[str, str], nonce: int) -> dict[str, str]:
    """Return a request's fields with the nonce last, as they are signed and sent."""
    assert "nonce" not in fields
    assert all(isinstance(value, str) for value in fields.values()), "None, lists and floats sign falsely"
    return {**fields, "nonce": str(nonce)}


def api_sign(secret: str, path: str, fields: Mapping[str, str]) -> str:
    """Return the header `API-Sign` for these fields, which hold their nonce. Raises `ValueError` for a
    secret that is not base64."""
    signed: str = krakenex.API("", secret)._sign(dict(fields), path)
    return signed


def private_request(
    authority: str, key: str, secret: str, method: str, fields: Mapping[str, str], nonce: int
) -> bytes:
    """Return one signed request to a private endpoint, whole."""
    path, given = f"/0/private/{method}", form(fields, nonce)
    headers = {
        "User-Agent": AGENT,
        "Accept": "application/json",
        "Content-Type": FORM,
        "API-Key": key,
        "API-Sign": api_sign(secret, path, given),
    }
    return encode_request("POST", path, authority, headers, urlencode(given).encode())


def public_request(authority: str, method: str, fields: Mapping[str, str]) -> bytes:
    """Return one request to a public endpoint, whole."""
    query = f"?{urlencode(fields)}" if fields else ""
    headers = {"User-Agent": AGENT, "Accept": "application/json"}
    return encode_request("GET", f"/0/public/{method}{query}", authority, headers, b"")
