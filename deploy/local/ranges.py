"""Ranges of an object's version, which ministack answers with the whole of it."""

from __future__ import annotations

import re

from deploy.local.asgi import App, Message, Receive, Scope, Send, headers_of

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_VERSION = re.compile(rb"(^|&)versionId=")
_WHOLE, _PART, _BEYOND = 200, 206, 416


class SlicesVersions:
    """ASGI middleware: GetObject with `versionId` and `Range` is answered as S3 does.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, but for what of a version was not asked for."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _VERSION.search(scope["query_string"]):
            return await self._app(scope, receive, send)
        wanted = _RANGE.fullmatch(headers_of(scope).get("range", ""))
        if wanted is None:
            return await self._app(scope, receive, send)
        first, last = int(wanted[1]), int(wanted[2]) if wanted[2] else None
        started: Message = {}
        pieces: list[bytes] = []

        async def slice_it(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                pieces.append(message.get("body", b""))
                if not message.get("more_body"):
                    await _send_part(send, started, b"".join(pieces), first=first, last=last)

        return await self._app(scope, receive, slice_it)


async def _send_part(send: Send, started: Message, body: bytes, *, first: int, last: int | None) -> None:
    if started["status"] == _WHOLE:
        size, part = len(body), body[first:] if last is None else body[first : last + 1]
        started["status"] = _PART if part else _BEYOND
        said = f"bytes {first}-{first + len(part) - 1}/{size}" if part else f"bytes */{size}"
        # The checksum is that of the whole.
        kept = [(name, value) for name, value in started["headers"] if not _is_of_the_whole(name)]
        length = [(b"content-length", str(len(part)).encode()), (b"content-range", said.encode())]
        started["headers"], body = [*kept, *length], part
    await send(started)
    await send({"type": "http.response.body", "body": body})


def _is_of_the_whole(name: bytes) -> bool:
    return name.lower() == b"content-length" or name.lower().startswith(b"x-amz-checksum-")
