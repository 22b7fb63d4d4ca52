"""WebSocket (RFC 6455) as bytes, both sides, without a socket: handshake and frames, no extensions."""

from __future__ import annotations

import base64
import hashlib
from enum import IntEnum
from typing import NamedTuple

from seams.http import Request, Response, encode_request

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE_BYTES = 8_000_000


class Op(IntEnum):
    """What a frame is."""

    MORE = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Message(NamedTuple):
    """One whole message, or one control frame; a close carries its code and reason as sent."""

    op: Op
    data: bytes

    @property
    def close_code(self) -> int:
        return int.from_bytes(self.data[:2], "big") if len(self.data) >= 2 else 1005


def upgrade_request(host: str, target: str, nonce: bytes) -> bytes:
    """Return the client's handshake; `nonce` is sixteen random bytes."""
    assert len(nonce) == 16
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(nonce).decode(),
        "Sec-WebSocket-Version": "13",
    }
    return encode_request("GET", target, host, headers, b"")


def accept_key(key: str) -> str:
    """Return what a server must answer to this key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()


def is_upgrade(request: Request) -> bool:
    """Tell whether a request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket" and bool(
        request.headers.get("sec-websocket-key")
    )


def upgrade_response(request: Request) -> Response:
    """Return the server's half of the handshake."""
    headers = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": accept_key(request.headers["sec-websocket-key"]),
    }
    return Response(101, headers, b"")


def is_accepted(response: Response, nonce: bytes) -> bool:
    """Tell whether a server's answer accepts the handshake made with this nonce."""
    wanted = accept_key(base64.b64encode(nonce).decode())
    return response.status == 101 and response.headers.get("sec-websocket-accept") == wanted


def encode_frame(op: Op, data: bytes, mask: bytes = b"") -> bytes:
    """Return one whole frame; a client gives a mask of four random bytes, a server none."""
    assert len(mask) in (0, 4)
    bit = 0x80 if mask else 0
    head = bytes([0x80 | op])
    if len(data) < 126:
        head += bytes([bit | len(data)])
    elif len(data) < 1 << 16:
        head += bytes([bit | 126]) + len(data).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(data).to_bytes(8, "big")
    return head + mask + _masked(data, mask)


def close_frame(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    """Return the frame that ends a connection."""
    return encode_frame(Op.CLOSE, code.to_bytes(2, "big") + reason.encode()[:120], mask)


class FrameReader:
    """Puts messages together from whatever pieces arrive. Raises `ValueError` on a broken stream."""

    def __init__(self) -> None:
        self._data = b""
        self._parts: list[bytes] = []
        self._op = Op.MORE

    def feed(self, data: bytes) -> list[Message]:
        """Take some bytes and return the messages that they complete, in order."""
        self._data += data
        messages = []
        while (frame := self._next()) is not None:
            is_last, op, payload = frame
            if op >= Op.CLOSE:
                messages.append(Message(op, payload))
                continue
            if (op is Op.MORE) != bool(self._op):
                raise ValueError("a fragment out of place")
            self._op = self._op or op
            self._parts.append(payload)
            if sum(map(len, self._parts)) > MAX_MESSAGE_BYTES:
                raise ValueError("a message that is too long")
            if is_last:
                messages.append(Message(self._op, b"".join(self._parts)))
                self._parts, self._op = [], Op.MORE
        return messages

    def _next(self) -> tuple[bool, Op, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        if data[0] & 0x70:
            raise ValueError("an extension nobody agreed to")
        size, at = data[1] & 0x7F, 2
        if size > 125:
            width = 2 if size == 126 else 8
            if len(data) < at + width:
                return None
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        if size > MAX_MESSAGE_BYTES:
            raise ValueError("a frame that is too long")
        mask_size = 4 if data[1] & 0x80 else 0
        end = at + mask_size + size
        if len(data) < end:
            return None
        payload = _masked(data[at + mask_size : end], data[at : at + mask_size])
        self._data = data[end:]
        return bool(data[0] & 0x80), Op(data[0] & 0x0F), payload


def _masked(data: bytes, mask: bytes) -> bytes:
    if not mask or not data:
        return data
    whole = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(data), "big")
