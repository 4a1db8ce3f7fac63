"""Evidence: what S3, the public URL, the cases, the notices and the queues show in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from deploy.local.demo.fate import Fate
from deploy.local.demo.post import Post
from deploy.local.demo.stage import Stage
from deploy.local.demo.watch import Glimpse, Watch

NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One post in the end: its fate as recorded, and what everybody else can see."""

    post: Post
    version: str
    fate: Fate | None
    #: HTTP status of the public URL, and whether it serves exactly what was uploaded.
    public_status: int
    public_is_original: bool
    #: Whether the public URL serves exactly the text with what was found in it masked; None for what is not masked.
    public_is_masked: bool | None = None
    #: VersionId under the key in the uploads bucket; None where nothing is current.
    current_version: str | None
    #: Whether that version itself is still in the bucket.
    is_kept: bool
    #: Whether the quarantine has exactly what was uploaded; None where no receipt says that it has it.
    quarantine_is_original: bool | None = None
    case_status: str | None = None
    is_told: bool = False
    glimpses: tuple[Glimpse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the checks judge."""

    traces: tuple[Trace, ...]
    #: Queue -> messages left; dead-letter queues as `LANE-dlq`.
    messages: Mapping[str, int]
    #: Why messages were set aside in dead-letter queues.
    parked: tuple[str, ...] = ()
    #: Posts whose secrets were looked for, and how many versions were read for it.
    secrets_of: tuple[str, ...] = ()
    #: `KEY (VERSION)` of what still holds a secret.
    leaks: tuple[str, ...] = ()
    versions_read: int = field(default=0)


def gather(stage: Stage, watch: Watch) -> Evidence:
    """Look at everything once, after the last item is through."""
    messages = stage.messages_left()
    watch.last_glimpse()
    notices = stage.notices()
    posts = [post for post in watch.posts if post.key in watch.versions]
    leaks, versions_read = _leaks(stage, watch)
    return Evidence(
        traces=tuple(_trace(stage, watch, post, notices=notices) for post in posts),
        messages=messages,
        parked=tuple(stage.reasons()) if any(messages.values()) else (),
        secrets_of=tuple(post.key for post in posts if post.secrets),
        leaks=tuple(leaks),
        versions_read=versions_read,
    )


def mask(original: bytes, spans: tuple[tuple[int, int, str], ...]) -> bytes:
    """The text as it should read once `spans` ([begin, end) in code points, and a kind) are masked."""
    text = original.decode("utf-8-sig")
    for begin, end, kind in sorted(spans, reverse=True):
        text = f"{text[:begin]}[{kind}]{text[end:]}"
    return text.encode()


def _trace(stage: Stage, watch: Watch, post: Post, *, notices: set[tuple[str, str]]) -> Trace:
    fate, version, original = watch.fates.get(post.key), watch.versions[post.key], post.read()
    status, public = stage.public(post.key)
    receipts = fate.receipts if fate else {}
    case = receipts.get("open_case")
    return Trace(
        post=post,
        version=version,
        fate=fate,
        public_status=status,
        public_is_original=public == original,
        public_is_masked=public == mask(original, fate.spans) if fate and "redact" in receipts else None,
        current_version=_version(stage, post.key),
        is_kept=_version(stage, post.key, version) is not None,
        quarantine_is_original=_is_in_quarantine(stage, fate, original) if fate and "quarantine" in receipts else None,
        case_status=stage.case_status(case["case_id"]) if case else None,
        is_told=(post.key, version) in notices or bool(fate and _is_told_within(stage, fate, notices)),
        glimpses=tuple(watch.glimpses.get(post.key, ())),
    )


def _is_told_within(stage: Stage, fate: Fate, notices: set[tuple[str, str]]) -> bool:
    """Whether the notice of the manifest that it is a part of speaks for it."""
    return fate.within in {f"s3://{stage.uploads}/{key}" for key, _ in notices}


def _version(stage: Stage, key: str, version: str = "") -> str | None:
    """The VersionId that S3 answers with, for the current version or for one; None where it has none."""
    try:
        which = {"VersionId": version} if version else {}
        return str(stage.s3.head_object(Bucket=stage.uploads, Key=key, **which)["VersionId"])
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != NOT_FOUND:
            raise
        return None


def _is_in_quarantine(stage: Stage, fate: Fate, original: bytes) -> bool:
    receipt = fate.receipts["quarantine"]
    if receipt["bucket"] != stage.quarantine:
        return False
    try:
        copy: bytes = stage.s3.get_object(Bucket=receipt["bucket"], Key=receipt["key"])["Body"].read()
    except ClientError:
        return False
    return copy == original


def _leaks(stage: Stage, watch: Watch) -> tuple[list[str], int]:
    """Versions of anything in the public bucket that hold a post's secret, and how many versions were read."""
    secrets = [secret.encode() for post in watch.posts for secret in post.secrets]
    if not secrets:
        return [], 0
    bodies = list(_all_versions(stage))
    return [name for name, body in bodies if any(secret in body for secret in secrets)], len(bodies)


def _all_versions(stage: Stage) -> Iterator[tuple[str, bytes]]:
    """`KEY (VERSION)` and bytes of every version in the uploads bucket."""
    pages = stage.s3.get_paginator("list_object_versions").paginate(Bucket=stage.uploads)
    for entry in (entry for page in pages for entry in page.get("Versions", ())):
        which = {"Bucket": stage.uploads, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        yield f"{entry['Key']} ({entry['VersionId']})", stage.s3.get_object(**which)["Body"].read()
