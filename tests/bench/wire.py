"""HTTP/1.1 as AWS clients speak it, and no more: fast enough that the server is never what is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

_HEAD_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {200: b"OK", 206: b"Partial Content", 400: b"Bad Request", 404: b"Not Found"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower-case."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes


#: Answers a request: status, the body, further header lines (each ending in CRLF).
Reply = Callable[[int, bytes, bytes], None]
#: Answers through the reply, at once or later.
Handler = Callable[[Request, Reply], None]


class Connection(asyncio.Protocol):
    """One client's connection. Clients that wait for an answer before they ask again are all it serves."""

    def __init__(self, handler: Handler) -> None:
        """`handler` gets each request."""
        self._handler = handler
        self._read = bytearray()
        self._head: tuple[str, str, dict[bytes, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """It is gone: what it waited for is answered to nobody."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        self._read += data
        if self._head is None:
            end = self._read.find(_HEAD_END)
            if end < 0:
                return
            self._head = _parsed(bytes(self._read[:end]))
            del self._read[: end + len(_HEAD_END)]
            if b"expect" in self._head[2] and self._transport:
                self._transport.write(_CONTINUE)
        method, path, headers = self._head
        length = int(headers.get(b"content-length", b"0"))
        if len(self._read) >= length:
            body = bytes(self._read[:length])
            del self._read[:length]
            self._head = None
            self._handler(Request(method, path, headers, body), self._reply)

    @property
    def is_open(self) -> bool:
        """Whether the client still listens."""
        return self._transport is not None

    def _reply(self, status: int, body: bytes, headers: bytes) -> None:
        if self._transport:
            start = b"HTTP/1.1 %d %s\r\nContent-Length: %d\r\n" % (status, _REASONS[status], len(body))
            self._transport.write(start + headers + b"\r\n" + body)


def _parsed(head: bytes) -> tuple[str, str, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    method, path, _ = first.decode().split(" ", 2)
    pairs = (line.split(b":", 1) for line in lines)
    return method, path, {name.strip().lower(): value.strip() for name, value in pairs}
