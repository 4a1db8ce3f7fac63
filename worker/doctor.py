"""Doctor: look at each thing a worker needs and say what is missing and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from typing import Any

from config.lanes import LANES, Lane
from tasks.aws.calls import call
from tasks.aws.faults import Denied, Fault, Gone, Permanent
from tasks.desk import Desk
from worker.bucket_policy import hidden_keys, readers_of_versions, to_be_hidden
from worker.console.checkup import Unready, checkup
from worker.in_force import Unfit, told
from worker.originals import Unkept, originals

#: The top-level names that this application's modules have; two owners of one name break in odd places.
NAMES = ("worker", "tasks", "config")
OWNER = "modfleet"
_CLAIMED = re.compile(rf"^({'|'.join(NAMES)})(?:/|\.[\w.-]*(?:py|pyd|so)\b|$)", re.MULTILINE)


class Sick(Exception):
    """A check found something wrong; the text says what and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    ok: bool
    detail: str


def contested_names() -> list[str]:
    """Our top-level names that another installed distribution claims too, as `name (distribution)`."""
    # What an interrupted installation leaves has no name.
    owners = {(name, other.name or "nameless") for other in distributions() for name in _claims(other)}
    return [f"{name} ({other})" for name, other in sorted(owners) if other != OWNER]


def _claims(other: Distribution) -> set[str]:
    """Those of our names that it has: by `top_level.txt` where it has one, or else by the list of its files.

    `importlib.metadata.packages_distributions` says the same for all names there are, a quarter of a second long.
    """
    listed = other.read_text("top_level.txt") or other.read_text("RECORD")
    if listed is None:
        listed = "\n".join(map(str, other.files or ()))
    return set(_CLAIMED.findall(listed))


def examine(desk: Desk) -> Iterator[Finding]:
    """Run every check, cheapest first; none changes anything, each makes a call or two."""
    for name, check in _checks(desk):
        try:
            yield Finding(name, True, check())
        except (Sick, Fault) as trouble:
            yield Finding(name, False, str(trouble))


def necessities(desk: Desk) -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks of what no worker can do without; they cost nothing and may run side by side."""
    settings = desk.settings
    yield "package names", _names
    yield "policy", lambda: _policy(desk)
    for lane in LANES.values():
        yield f"queue {lane.name}", lambda lane=lane: _queue(desk, lane)  # type: ignore[misc]
    for bucket in (*settings.uploads_buckets, settings.quarantine_bucket, settings.audit_bucket):
        yield f"bucket {bucket}", lambda bucket=bucket: _bucket(desk, bucket)  # type: ignore[misc]
    for table in (settings.items_table, settings.cases_table):
        yield f"table {table}", lambda table=table: _table(desk, table)  # type: ignore[misc]
    yield "notices topic", lambda: _topic(desk, settings.notices_topic_arn)
    if (ended := settings.video_topic_arn) is not None:
        yield "video jobs topic", lambda: _topic(desk, ended)
    yield "first looks", lambda: first_looks(desk)
    yield "surfaces", lambda: edges(desk)
    yield "takedowns", lambda: _takedowns(desk)


def _checks(desk: Desk) -> Iterator[tuple[str, Callable[[], str]]]:
    yield from necessities(desk)
    for bucket in desk.settings.uploads_buckets:
        more = "" if bucket == desk.settings.uploads_bucket else f" of {bucket}"
        yield f"upload events{more}", lambda bucket=bucket: _notification(desk, bucket)  # type: ignore[misc]
    yield "audit log", lambda: audit_lock(desk)
    yield "daily caps", lambda: _caps(desk)
    yield "before surfaces", lambda: before_surfaces(desk)
    yield "older versions", lambda: older_versions(desk)
    yield "originals", lambda: _originals(desk)
    yield "images (Rekognition)", lambda: ask_rekognition(desk)
    yield "guardrail (Bedrock)", lambda: ask_guardrail(desk)
    yield "personal data (Comprehend)", lambda: ask_comprehend(desk)
    yield "console sign-in", _console


def _names() -> str:
    contested = contested_names()
    if contested:
        raise Sick(f"also owned by another distribution: {', '.join(contested)}; uninstall it or use a venv of its own")
    return "worker, tasks and config are modfleet's alone"


def _policy(desk: Desk) -> str:
    try:
        return told(desk)
    except Unfit as unfit:
        raise Sick(str(unfit)) from None


def _originals(desk: Desk) -> str:
    try:
        return originals(desk)
    except Unkept as why:
        raise Sick(str(why)) from None


def _console() -> str:
    try:
        return checkup()
    except Unready as why:
        raise Sick(str(why)) from None


def _takedowns(desk: Desk) -> str:
    """A fleet that was left in its dry run protects nobody."""
    if desk.settings.dry_run:
        raise Sick("DRY RUN (MODFLEET_DRY_RUN): all is judged and recorded, and nothing that violates is taken down")
    return "what violates is taken down"


def first_looks(desk: Desk, *, find: Callable[[str], object] = find_spec) -> str:
    """Frames are decoded by an extra, without which videos are only looked at as a whole."""
    wanted = [surface.name for surface in desk.policy.surfaces if surface.first_look == "frames"]
    if wanted and find("av") is None:
        raise Sick(f"`first_look: frames` of {', '.join(wanted)} needs the extra: pip install 'modfleet[frames]'")
    return f"at the first frames: {', '.join(wanted) or 'nowhere'}"


def _queue(desk: Desk, lane: Lane) -> str:
    url, dead_letters = desk.settings.queue_url(lane.name), desk.settings.dead_letter_url(lane.name)
    wanted = {"QueueUrl": url, "AttributeNames": ["All"]}
    attributes = call(desk.aws.store, desk.aws.sqs.get_queue_attributes, **wanted)["Attributes"]
    if int(attributes["VisibilityTimeout"]) != lane.visibility:
        raise Sick(f"VisibilityTimeout is {attributes['VisibilityTimeout']}, the lane table says {lane.visibility}")
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    if int(redrive.get("maxReceiveCount", 0)) <= lane.attempts:
        raise Sick(f"RedrivePolicy must have a maxReceiveCount above the lane's {lane.attempts} attempts")
    call(desk.aws.store, desk.aws.sqs.get_queue_attributes, QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    return f"{attributes['ApproximateNumberOfMessages']} waiting"


def _bucket(desk: Desk, bucket: str) -> str:
    call(desk.aws.store, desk.aws.s3.head_bucket, Bucket=bucket)
    answer = call(desk.aws.store, desk.aws.s3.get_bucket_versioning, Bucket=bucket)
    return f"versioning {answer.get('Status', 'off')}"


def audit_lock(desk: Desk) -> str:
    """The audit log shows what was done to it; that nothing is, and that no last lines go, is the lock's to see to."""
    bucket = desk.settings.audit_bucket
    try:
        answer = call(desk.aws.store, desk.aws.s3.get_object_lock_configuration, Bucket=bucket)
    except Gone:
        raise Sick(f"{bucket} has no Object Lock: who may delete objects may cut the log; switch it on") from None
    retention = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention")
    if not retention:
        raise Sick(f"{bucket} has Object Lock but no default retention: what is written there is not protected")
    days = retention.get("Days") or retention["Years"] * 365
    return f"{retention['Mode'].lower()}, {days} days"


def _notification(desk: Desk, bucket: str) -> str:
    answer = call(desk.aws.store, desk.aws.s3.get_bucket_notification_configuration, Bucket=bucket)
    queues = [entry["QueueArn"] for entry in answer.get("QueueConfigurations", [])]
    queue = desk.settings.queue_url("uploads").rsplit("/", 1)[1]
    if any(arn.rsplit(":", 1)[1] == queue for arn in queues):
        return f"{bucket} sends to {queue}"
    if "EventBridgeConfiguration" in answer or answer.get("TopicConfigurations"):
        return f"{bucket} sends to EventBridge or a topic; that these reach {queue} is not checked"
    raise Sick(f"{bucket} has no notification that sends s3:ObjectCreated:* to {queue}")


def _caps(desk: Desk) -> str:
    states = desk.budget.look() if desk.budget else []
    said = [f"{cap.name} {cap.spent:.4g} of {cap.limit:g} {cap.unit}" for cap in states]
    if any(cap.over for cap in states):
        refused = sum(cap.refused for cap in states)
        raise Sick(f"{', '.join(said)}; calls refused today: {refused} (MODFLEET_DAILY_CAPS)")
    return ", ".join(said) or "none is set (MODFLEET_DAILY_CAPS)"


def before_surfaces(desk: Desk) -> str:
    """The policy file's `before` keys and each bucket policy's must be the same, or uploads show unseen."""
    said: dict[str, set[str]] = {}
    for bucket in desk.settings.uploads_buckets:
        wanted = to_be_hidden(desk.policy.surfaces, bucket)
        hidden = hidden_keys(_policy_of(desk, bucket), bucket)
        if wanted != hidden:
            differ = f"the policy has {sorted(wanted)}, the bucket policy {sorted(hidden)}"
            raise Sick(f"`before` surfaces of {bucket} differ: {differ}")
        said[bucket] = wanted
    return ", ".join(sorted(set().union(*said.values()))) or "none"


def older_versions(desk: Desk) -> str:
    """An upload that was replaced before anybody looked at it lies beneath the newer one, unjudged."""
    for bucket in desk.settings.uploads_buckets:
        if readers := readers_of_versions(_policy_of(desk, bucket)):
            what = f"{', '.join(readers)} in the bucket policy of {bucket} lets the public read older versions"
            raise Sick(f"{what}, replaced uploads among them that nobody looked at: take s3:GetObjectVersion away")
    return "the public reads current versions only"


def edges(desk: Desk) -> str:
    """What is set for a surface or a bucket that there is not would leave something unpurged."""
    settings = desk.settings
    names = {*(surface.name for surface in desk.policy.surfaces), *settings.uploads_buckets}
    if unknown := sorted({*settings.distributions, *settings.public_urls} - names):
        raise Sick(f"MODFLEET_DISTRIBUTIONS or MODFLEET_PUBLIC_URLS name no surface and no uploads bucket: {unknown}")
    elsewhere = {bucket for surface in desk.policy.surfaces for bucket in surface.buckets}
    if strange := sorted(elsewhere - set(settings.uploads_buckets)):
        raise Sick(f"surfaces of buckets that are not in MODFLEET_MORE_UPLOADS_BUCKETS: {', '.join(strange)}")
    served = [settings.distribution_id, *settings.distributions.values()]
    return f"purged: {', '.join(sorted({one for one in served if one})) or 'nothing'}"


def _policy_of(desk: Desk, bucket: str) -> dict[str, Any]:
    try:
        text = call(desk.aws.store, desk.aws.s3.get_bucket_policy, Bucket=bucket)["Policy"]
    except Gone:
        return {}
    return dict(json.loads(text))


def _table(desk: Desk, table: str) -> str:
    answer = call(desk.aws.store, desk.aws.dynamodb.describe_table, TableName=table)["Table"]
    if answer["TableStatus"] not in ("ACTIVE", "UPDATING"):
        raise Sick(f"the table is {answer['TableStatus']}")
    return "active"


def _topic(desk: Desk, topic: str) -> str:
    call(desk.aws.store, desk.aws.sns.get_topic_attributes, TopicArn=topic)
    return "exists"


def ask_rekognition(desk: Desk) -> str:
    """One pixel is below Rekognition's minimum: a refusal of the picture proves the permission, at no cost."""
    try:
        call(desk.aws.detect, desk.aws.rekognition.detect_moderation_labels, Image={"Bytes": ONE_PIXEL})
    except Denied:
        raise
    except Permanent:
        return "answers"
    return "answers"


def ask_guardrail(desk: Desk) -> str:
    """One word, which is one text unit."""
    settings = desk.settings
    if settings.guardrail_checks:
        content = {"contentFilter": {"categories": [{"category": "HATE"}]}}
        said = [{"role": "user", "content": [{"text": "hello"}]}]
        call(desk.aws.detect, desk.aws.bedrock.invoke_guardrail_checks, messages=said, checks=content)
        return "the inline checks answer"
    call(
        desk.aws.detect,
        desk.aws.bedrock.apply_guardrail,
        guardrailIdentifier=settings.guardrail_id,
        guardrailVersion=settings.guardrail_version,
        source="INPUT",
        content=[{"text": {"text": "hello"}}],
    )
    return f"{settings.guardrail_id} version {settings.guardrail_version} answers"


def ask_comprehend(desk: Desk) -> str:
    """One word, which is the least that a call costs."""
    call(desk.aws.detect, desk.aws.comprehend.detect_pii_entities, Text="hello", LanguageCode="en")
    return "answers"


#: A PNG of one transparent pixel.
ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000b49444154"
    "78da636000020000050001e9fadcd80000000049454e44ae426082"
)
