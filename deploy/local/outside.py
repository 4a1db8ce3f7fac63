"""In front of an AWS endpoint that is not ours, such as LocalStack: what that lacks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpcore

from deploy.local.asgi import App, Receive, Scope, Send, headers_of, read_body

#: For whom a request is signed; presigned URLs, which have no such header, are S3's.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SIGNED_FOR_US = re.compile(r"/(cloudfront|cloudformation)/aws4_request\b")
#: Of a connection, not of a request. Bodies are read whole, so their length is known.
_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"expect", b"date", b"content-length"}
#: Connections to the endpoint.
_CONNECTIONS = 64

#: What S3 says of a version, and of the tags that it carries; and how a request asks for one version.
_VERSION, _TAGS, _NAMES_VERSION = b"x-amz-version-id", b"x-amz-tagging-count", b"versionId="

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint said, or what is said in its stead."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: bytes) -> bytes:
        """A header by its lower-case name, empty where there is none."""
        return next((value for said, value in self.headers if said.lower() == name), b"")


class Pool(Protocol):
    """Connections to the endpoint: httpcore's."""

    async def request(self, method: str, url: httpcore.URL, *, headers: Headers, content: bytes) -> httpcore.Response:
        """One answer, read to its end."""


class Front:
    """An ASGI application: `ours` serves CloudFront, with the CloudFormation of it, and the endpoint S3.

    Where LocalStack 4.14.0 differs from S3, and modfleet's safety hangs on it, this answers as S3 does:

    - it refuses a delete on condition of an ETag (501), by which a takedown never removes a newer upload. Here the
      condition is looked at while writes of the same key wait: nothing comes between, if all writers come this way
      (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html);
    - it refuses to delete a version that is gone (400), as a second delivery does; S3 has no objection;
    - it counts no tags in an answer to GetObject without a version, by which an upload that brings its own is known.
    """

    def __init__(self, endpoint: str, ours: App, *, pool: Pool | None = None) -> None:
        where = urlsplit(endpoint)
        assert where.hostname
        self._origin = (where.scheme.encode(), where.hostname.encode(), where.port)
        self._ours = ours
        self._pool = pool or httpcore.AsyncConnectionPool(max_connections=_CONNECTIONS)
        self._writes: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or _SIGNED_FOR_US.search(headers_of(scope).get("authorization", "")):
            await self._ours(scope, receive, send)
            return
        body = await read_body(receive)
        if scope["method"] in ("GET", "HEAD"):
            answer = await self._read(scope, body)
        else:
            async with self._writes.setdefault(scope["raw_path"], asyncio.Lock()):
                answer = await self._write(scope, body)
        await _pass_on(send, answer)

    async def _read(self, scope: Scope, body: bytes) -> Answer:
        answer = await self._ask(scope["method"], scope, body)
        version = answer.header(_VERSION)
        if scope["method"] == "GET" and version and not scope["query_string"]:
            head = await self._ask("HEAD", scope, b"")
            if head.header(_VERSION) == version and (tags := head.header(_TAGS)):
                return replace(answer, headers=[*_without(answer.headers, {_TAGS}), (_TAGS, tags)])
        return answer

    async def _write(self, scope: Scope, body: bytes) -> Answer:
        if scope["method"] != "DELETE":
            return await self._ask(scope["method"], scope, body)
        if _NAMES_VERSION in scope["query_string"]:
            answer = await self._ask("DELETE", scope, body)
            return Answer(204, []) if b"Invalid version id specified" in answer.body else answer
        return await self._delete(scope, headers_of(scope).get("if-match"))

    async def _delete(self, scope: Scope, wanted: str | None) -> Answer:
        if wanted is None:
            return await self._ask("DELETE", scope, b"")
        current = await self._ask("HEAD", scope, b"")
        if current.status == 404:
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        if current.status != 200:
            return _refusal(500, "InternalError", f"HeadObject answered {current.status}.")
        if wanted != "*" and wanted.strip('"') != current.header(b"etag").decode().strip('"'):
            return _refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        return await self._ask("DELETE", scope, b"")

    async def _ask(self, method: str, scope: Scope, body: bytes) -> Answer:
        """The endpoint's own answer, read to its end; a 502 where there is none."""
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        scheme, host, port = self._origin
        url = httpcore.URL(scheme=scheme, host=host, port=port, target=scope["raw_path"].split(b"?")[0] + query)
        ours = _HOP | {b"if-match"} if method in ("HEAD", "DELETE") and scope["method"] == "DELETE" else _HOP
        headers = [*_without(scope["headers"], ours), (b"content-length", str(len(body)).encode())]
        try:
            said = await self._pool.request(method, url, headers=headers, content=body)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return _refusal(502, "BadGateway", "The endpoint does not answer.")
        return Answer(said.status, said.headers, said.content)


def _without(headers: Iterable[tuple[bytes, bytes]], names: set[bytes]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]


def _refusal(status: int, code: str, message: str) -> Answer:
    said = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, [(b"content-type", b"application/xml")], said.encode())


async def _pass_on(send: Send, answer: Answer) -> None:
    """Send an answer on as it is; what HEAD answers has the length of a body that does not come."""
    if answer.body:
        length = [(b"content-length", str(len(answer.body)).encode())]
        headers = [*_without(answer.headers, _HOP), *length]
    else:
        headers = _without(answer.headers, _HOP - {b"content-length"})
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
