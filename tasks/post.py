"""A post's parts: each is judged as an item of its own first, and then they stand or fall together.

That order is what keeps a part's own event, whenever it comes, from undoing what was decided about the post: it finds
the part decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from tasks.at_once import on_their_own
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind, unreadable
from tasks.intake.post import Manifest
from tasks.intake.present import with_metadata
from tasks.intake.upload import REDACTS
from tasks.item import Item
from tasks.outcome import Outcome, Retry, Skipped
from tasks.record.standing import Standing, Status

#: The detector that vouches for a post: every part of it was looked at.
POST, VERSION = "post", "1"
#: How the judging of a part ends that is a post itself.
NESTED = Skipped("a post within a post")
#: Seconds; the longest wait before looking for a part again.
MAX_WAIT_SECONDS = 15.0
#: What a finding's part may be called that is no part of a post.
_OWN_PARTS = ("body", "caption", "image-text", "thumbnail")
#: Of these a person, or a mask, has disposed.
_MASKED = ("pii/", "term/")


class Moderate(Protocol):
    """`tasks.pipeline.moderate`, which knows that it judges a part."""

    def __call__(self, desk: Desk, item: Item, *, attempt: int) -> Outcome:
        """Judge an item, and act on the judgement."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not everything can be told yet: ask again after so many seconds."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is current under a part's key, and what is recorded of it."""

    item: Item
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was found out about parts: of one, or of all."""

    #: Those that are there, for the post's actions.
    items: tuple[Item, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: Detector -> the version that looked.
    detectors: dict[str, str] = field(default_factory=dict)


def look_at_parts(desk: Desk, post: Item, manifest: Manifest, *, moderate: Moderate) -> Parts | Later:
    """Have every part judged, at the same time, and gather what was seen in them. Raises Fault."""
    if manifest.wrong:
        return Parts(findings=(unreadable(manifest.wrong, detector=POST, detector_version=VERSION),))
    seen = on_their_own(desk, partial(look_at_part, desk, post, moderate=moderate), manifest.media)
    if waits := [one for one in seen if isinstance(one, Later)]:
        return max(waits, key=lambda wait: wait.seconds)
    return _together(one for one in seen if isinstance(one, Parts))


def look_at_part(desk: Desk, post: Item, key: str, *, moderate: Moderate) -> Parts | Later:
    """Have one part judged, unless that was done, and say what was seen in it."""
    found = _current(desk, post.bucket, key)
    if found and _to_be_judged(found):
        # What is to become of the post, where it was decided before, is not what is to become of its parts.
        alone = replace(desk, again=None)
        outcome = moderate(alone, found.item, attempt=2 if found.standing else 1)
        if outcome == NESTED:
            return _refused("post-nested", key)
        if isinstance(outcome, Retry):
            return Later(min(outcome.after, _wait(desk, post)), outcome.why)
        found = _current(desk, post.bucket, key)
    return _seen(desk, post, found) if found else _absent(desk, post, key)


def _to_be_judged(found: Found) -> bool:
    """Whether this run should see to the part: it is new, or the run that acted on it may have died."""
    if found.standing is None:
        # Without versions an upload is named by its event, which alone can have it judged.
        return found.item.version_id is not None
    return found.standing.status is Status.PENDING and found.standing.decided


def _current(desk: Desk, bucket: str, key: str) -> Found | None:
    """What is current under a part's key, if anything is."""
    if (present := with_metadata(desk, bucket, key)) is None:
        return None
    item, metadata = present
    if item.version_id:
        return Found(item, desk.state.find(item) or desk.state.masked_from(item, metadata.get(REDACTS, "")))
    latest = desk.state.decided_last(item.location)
    return Found(latest.item, latest) if latest and latest.item.etag == item.etag else Found(item, None)


def _seen(desk: Desk, post: Item, found: Found) -> Parts | Later:
    item, standing = found.item, found.standing
    if standing is None or standing.status in (Status.GONE, Status.SUPERSEDED):
        return _missing(desk, post, item.key)
    if standing.kind is Kind.POST:
        return _refused("post-nested", item.key)
    if standing.status is Status.PENDING:
        return _busy(desk, post, item.key)
    return Parts(
        items=() if standing.status is Status.REJECTED else (item,),
        findings=seen_in(standing),
        detectors=dict(standing.detectors),
    )


def seen_in(part: Standing) -> tuple[Finding, ...]:
    """What a part that is decided says in its post: its own verdict, and what was seen in it."""
    verdict = {Status.REJECTED: "rejected", Status.HELD: "held"}.get(part.status)
    return (*_verdict(verdict, part.item.key), *_context(part))


def _absent(desk: Desk, post: Item, key: str) -> Parts | Later:
    """A part that was taken down is a violation of the post; else it may still be on its way."""
    latest = desk.state.decided_last(f"s3://{post.bucket}/{key}")
    if latest and (latest.status is Status.REJECTED or latest.post_status == Status.REJECTED):
        return Parts(findings=(*_verdict("rejected", key), *_context(latest)), detectors=dict(latest.detectors))
    return _missing(desk, post, key)


def _missing(desk: Desk, post: Item, key: str) -> Parts | Later:
    if _age(desk, post) > desk.settings.post_seconds:
        return _refused("part-missing", key)
    return Later(_wait(desk, post), "a part of the post is not there yet")


def _busy(desk: Desk, post: Item, key: str) -> Parts | Later:
    """A video whose job runs, or what another run acts on."""
    if _age(desk, post) > desk.settings.post_seconds + desk.settings.video_deadline_seconds:
        return _refused("part-undecided", key)
    return Later(_wait(desk, post), "a part of the post is still being looked at")


def _age(desk: Desk, post: Item) -> float:
    return (desk.now() - post.event_time).total_seconds()


def _wait(desk: Desk, post: Item) -> float:
    """Half as long again as everybody has waited already."""
    return min(max(1.0, _age(desk, post) / 2), MAX_WAIT_SECONDS)


def _refused(reason: str, key: str) -> Parts:
    return Parts(findings=(unreadable(reason, detector=POST, detector_version=VERSION, part=part_name(key)),))


def _verdict(verdict: str | None, key: str) -> tuple[Finding, ...]:
    if verdict is None:
        return ()
    label = f"part/{verdict}"
    return (Finding(detector=POST, detector_version=VERSION, label=label, confidence=100.0, part=part_name(key)),)


def _context(standing: Standing) -> tuple[Finding, ...]:
    """What was seen in a part, as seen in the post; what a person has dismissed, or a mask has covered, is left out."""
    if standing.status is Status.RESTORED:
        return ()
    masked = _MASKED if standing.status is Status.REDACTED else ()
    name = part_name(standing.item.key)
    return tuple(
        replace(finding, part=name if finding.part == "body" else f"{name}#{finding.part}")
        for finding in standing.findings
        if not finding.label.startswith(masked)
    )


def key_of(part: str) -> str:
    """The key of a part that findings name so."""
    key = part.removeprefix("/")
    return key if part_name(key) == part else part


def part_name(key: str) -> str:
    """A part as findings name it: by its key, which must not pass for the post's own text."""
    return f"/{key}" if key.startswith("frame:") or key in _OWN_PARTS else key


def _together(parts: Iterable[Parts]) -> Parts:
    seen = tuple(parts)
    return Parts(
        items=tuple(item for one in seen for item in one.items),
        findings=tuple(finding for one in seen for finding in one.findings),
        detectors={name: version for one in seen for name, version in one.detectors.items()},
    )
