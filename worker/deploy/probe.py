"""The object that is followed through a deployment: harmless, never seen before, and cleared away afterwards."""

from __future__ import annotations

import io
import mimetypes
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.aws.calls import call
from tasks.aws.faults import Gone
from tasks.decide.policy import Surface
from tasks.desk import Desk

#: Pixels a side, which every detector takes.
SIDE = 128
CAPTION = "A calm picture of nothing in particular, to see whether everything works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is uploaded, and where."""

    bucket: str
    key: str
    body: bytes
    content_type: str
    caption: str = ""
    #: Whether it is modfleet's own picture, which nothing should find anything in.
    harmless: bool = True

    @property
    def location(self) -> str:
        """`s3://BUCKET/KEY`."""
        return f"s3://{self.bucket}/{self.key}"


def make_probe(desk: Desk, *, bucket: str, prefix: str | None, file: Path | None) -> Probe:
    """A picture in two colours with a caption, or the bytes of a file. Raises OSError.

    By default it goes where uploads are shown only once allowed: there both the refusal before and the tag that ends it
    can be seen by the public's way.
    """
    prefix = prefix if prefix is not None else _prefix(desk.policy.surfaces, bucket)
    name = f"modfleet-doctor-{secrets.token_hex(8)}"
    if file is not None:
        key = f"{prefix}{name}{file.suffix}"
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Probe(bucket=bucket, key=key, body=file.read_bytes(), content_type=kind, harmless=False)
    key = f"{prefix}{name}.png"
    return Probe(bucket=bucket, key=key, body=_picture(), content_type="image/png", caption=CAPTION)


def upload(desk: Desk, probe: Probe) -> str:
    """Put it there as an application would; returns its version, empty where there are none. Raises Fault."""
    words = {"Metadata": {"caption": probe.caption}} if probe.caption else {}
    answer = call(
        desk.aws.store,
        desk.aws.s3.put_object,
        Bucket=probe.bucket,
        Key=probe.key,
        Body=probe.body,
        ContentType=probe.content_type,
        **words,
    )
    return str(answer.get("VersionId", ""))


def clear_away(desk: Desk, probe: Probe) -> None:
    """Delete every version of it, and delete markers; what was recorded of it stays. Raises Fault."""
    s3 = desk.aws.s3
    listed = call(desk.aws.store, s3.list_object_versions, Bucket=probe.bucket, Prefix=probe.key)
    for one in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())):
        with suppress(Gone):
            call(desk.aws.store, s3.delete_object, Bucket=probe.bucket, Key=one["Key"], VersionId=one["VersionId"])


def _prefix(surfaces: Iterable[Surface], bucket: str) -> str:
    ours = [one for one in surfaces if not one.pattern and (not one.buckets or bucket in one.buckets)]
    before = (one.prefix for one in ours if one.visibility == "before")
    return next(before, "feed/")


def _picture() -> bytes:
    """A gradient between two colours that nobody has chosen yet: its digest is new, and so is what it shows."""
    # Here and not above: no other command needs it, and no worker should carry it along.
    from PIL import Image  # noqa: PLC0415

    one, other = (tuple(secrets.token_bytes(3)) for _ in range(2))
    mask = Image.linear_gradient("L").resize((SIDE, SIDE))
    out = io.BytesIO()
    Image.composite(Image.new("RGB", (SIDE, SIDE), one), Image.new("RGB", (SIDE, SIDE), other), mask).save(out, "PNG")
    return out.getvalue()
