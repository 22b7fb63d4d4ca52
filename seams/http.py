"""HTTP/1.1 as bytes, both sides, without a socket: requests and answers in, requests and answers out.

Nothing here follows a redirect, keeps a cookie or reads a proxy from the environment. A message that
is not yet whole is None; one that cannot become whole is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MAX_HEAD_BYTES = 32_768
MAX_BODY_BYTES = 8_000_000
END = b"\r\n\r\n"
_REASONS = {
    101: "Switching Protocols",
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    307: "Temporary Redirect",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """One request; header names are in lower case, the target is as it was sent (with its query)."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class Response(NamedTuple):
    """One answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def encode_request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a whole request as bytes; `Content-Length` is added where there is a body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break inside a header")
    return "\r\n".join(lines).encode("latin-1") + END + body


def encode_response(response: Response) -> bytes:
    """Return a whole answer as bytes, in one piece: head and body in one write (no Nagle pause)."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.status != 101 and "content-length" not in response.headers:
        lines.append(f"content-length: {len(response.body)}")
    return "\r\n".join(lines).encode("latin-1") + END + response.body


def json_response(body: bytes, status: int = 200) -> Response:
    """Return an answer that carries JSON."""
    return Response(status, {"content-type": "application/json"}, body)


def decode_request(data: bytes) -> tuple[Request, int] | None:
    """Return the first request in `data` and its length in bytes; None where it is not yet whole."""
    head = _head(data)
    if head is None:
        return None
    first, headers, start = head
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError(f"not a request line: {first[:80]!r}")
    size = _length(headers) or 0
    if "chunked" in headers.get("transfer-encoding", ""):
        raise ValueError("chunked requests are not taken")
    if len(data) < start + size:
        return None
    return Request(words[0], words[1], headers, data[start : start + size]), start + size


def decode_response(data: bytes, is_at_end: bool) -> Response | None:
    """Return the answer in `data`; None where more must come. `is_at_end`: the peer has closed.

    Raises `ValueError` where the peer closed inside it, or where it is no HTTP.
    """
    found = _decoded(data, is_at_end)
    return None if found is None else found[0]


def may_go_on(data: bytes) -> bool:
    """Tell whether the answer that `data` holds ends by its own word exactly there, and its sender keeps the
    connection: only then can the next answer on it be told from the rest of this one."""
    found = _decoded(data, is_at_end=False)
    if found is None or not data.startswith(b"HTTP/1.1 "):
        return False
    answer, size = found
    words = {word.strip().lower() for word in answer.headers.get("connection", "").split(",")}
    return size == len(data) and "close" not in words


def _decoded(data: bytes, is_at_end: bool) -> tuple[Response, int] | None:
    """Return the answer in `data` and how many of its bytes it takes."""
    head = _head(data)
    if head is None:
        if is_at_end:
            raise ValueError("the connection was cut before its first line was whole")
        return None
    first, headers, start = head
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise ValueError(f"not a status line: {first[:80]!r}")
    status, rest = int(words[1]), data[start:]
    if status in (101, 204, 304):
        return Response(status, headers, b""), start
    found = _body(headers, rest, is_at_end)
    return None if found is None else (Response(status, headers, found[0]), start + found[1])


def _body(headers: Mapping[str, str], rest: bytes, is_at_end: bool) -> tuple[bytes, int] | None:
    """Return the body in `rest` and how many bytes it takes there."""
    found: tuple[bytes, int] | None
    if "chunked" in headers.get("transfer-encoding", ""):
        found = _unchunked(rest)
    else:
        size = _length(headers)
        if size is None:
            return (rest, len(rest)) if is_at_end else None
        found = (rest[:size], size) if len(rest) >= size else None
    if found is None and is_at_end:
        raise ValueError("the connection was cut in its midst")
    return found


def _head(data: bytes) -> tuple[str, dict[str, str], int] | None:
    end = data.find(END)
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise ValueError("the head is too long")
        return None
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, mark, value = line.partition(":")
        if not mark or not name.strip():
            raise ValueError(f"not a header: {line[:80]!r}")
        headers[name.strip().lower()] = value.strip()
    return first, headers, end + len(END)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > MAX_BODY_BYTES:
        raise ValueError(f"content-length {text[:40]!r}")
    return int(text)


def _unchunked(rest: bytes) -> tuple[bytes, int] | None:
    body, at = bytearray(), 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(rest[at:end].partition(b";")[0], 16)
        if size < 0 or len(body) + size > MAX_BODY_BYTES:
            raise ValueError("a chunk of impossible size")
        at = end + 2
        if len(rest) < at + size + 2:
            return None
        if size == 0:
            return bytes(body), at + 2
        body += rest[at : at + size]
        if rest[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a chunk without its end")
        at += size + 2
