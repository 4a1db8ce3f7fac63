"""The edge stand-in: what the public sees of the uploads bucket, through a CDN's cache."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from deploy.local.asgi import Receive, Scope, Send, respond
from deploy.local.bucket_policy import denied_by

#: Bytes of bodies kept; beyond it the oldest go, as in any CDN.
CACHE_BYTES = 256 * 1024 * 1024

#: What CloudFront's Managed-SecurityHeadersPolicy adds, as far as it matters over plain HTTP.
SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to the public."""

    status: int
    content_type: str
    body: bytes
    #: As S3 says it, quotes included; empty on errors.
    etag: str = ""


class Edge:
    """An ASGI application: `GET` or `HEAD /KEY` (percent-encoded) answers with the key's current version.

    `/~BUCKET/KEY` is another bucket's, where AWS would have a distribution for it; a purge of `/KEY` is of both.
    403 where the bucket's own policy denies an outsider, 404 where there is no such object, 503
    until a bucket is named. Only 200s are cached, until `purge`. Query strings are ignored, so
    no older version can be asked for.
    """

    def __init__(self, s3: Any, *, bucket: str | None = None) -> None:  # a boto3 client
        self._s3 = s3
        self.bucket = bucket
        #: By bucket and key.
        self._cache: dict[tuple[str, str], Page] = {}
        self._cached_bytes = 0
        #: Counts purges: what was read before one must not be cached after it.
        self._purges = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Answer one request."""
        if scope["method"] not in ("GET", "HEAD"):
            return await _say(send, Page(405, "text/plain", b"GET or HEAD only\n"), cache="Miss")
        # Not scope["path"]: a server may have changed it. A `+` in a path is a plus.
        where = self._where(unquote(scope["raw_path"].split(b"?")[0].decode("latin-1")[1:]))
        cached = self._cache.get(where)
        page = cached or await self._fetch(*where)
        await _say(send, page, cache="Hit" if cached else "Miss", head=scope["method"] == "HEAD")
        return None

    def purge(self, paths: Iterable[str]) -> None:
        """Forget what CloudFront invalidation `paths` name: percent-encoded, `*` at the end is a wildcard."""
        self._purges += 1
        for path in paths:
            name = unquote(path.removesuffix("*").removeprefix("/"))
            for where in [w for w in self._cache if (w[1].startswith(name) if path.endswith("*") else w[1] == name)]:
                self._cached_bytes -= len(self._cache.pop(where).body)

    def _where(self, path: str) -> tuple[str, str]:
        """The bucket, empty until one is named, and the key."""
        if path.startswith("~"):
            bucket, _, key = path[1:].partition("/")
            return bucket, key
        return self.bucket or "", path

    async def _fetch(self, bucket: str, key: str) -> Page:
        if not bucket:
            return Page(503, "text/plain", b"the local cloud is starting\n")
        purges = self._purges
        page = await asyncio.to_thread(self._read, bucket, key)
        if page.status == 200 and purges == self._purges:
            self._keep((bucket, key), page)
        return page

    def _keep(self, where: tuple[str, str], page: Page) -> None:
        self._cached_bytes += len(page.body)
        self._cache[where] = page
        while self._cached_bytes > CACHE_BYTES:
            self._cached_bytes -= len(self._cache.pop(next(iter(self._cache))).body)

    def _read(self, bucket: str, key: str) -> Page:
        """One read of the origin; tags are read after the body, of the version that was read."""
        if not key:
            return Page(404, "text/plain", b"not found\n")
        try:
            got = self._s3.get_object(Bucket=bucket, Key=key)
            body = got["Body"].read()
            if self._is_denied(bucket, key, got.get("VersionId")):
                return Page(403, "text/plain", b"forbidden\n")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in (400, 404, 405):
                return Page(404, "text/plain", b"not found\n")
            return Page(502, "text/plain", b"the origin failed\n")
        return Page(200, got["ContentType"], body, got["ETag"])

    def _is_denied(self, bucket: str, key: str, version: str | None) -> bool:
        which = {"VersionId": version} if version else {}
        tags = self._s3.get_object_tagging(Bucket=bucket, Key=key, **which)["TagSet"]
        policy = json.loads(self._s3.get_bucket_policy(Bucket=bucket)["Policy"])
        context = {f"s3:ExistingObjectTag/{tag['Key']}": tag["Value"] for tag in tags} | {"aws:SecureTransport": "true"}
        return bool(denied_by(policy, action="s3:GetObject", resource=f"arn:aws:s3:::{bucket}/{key}", context=context))


async def _say(send: Send, page: Page, *, cache: str, head: bool = False) -> None:
    headers = {"content-type": page.content_type, "x-cache": cache, **SAFE_HEADERS}
    if page.etag:
        headers["etag"] = page.etag
    await respond(send, page.status, headers=headers, body=page.body, head=head)
