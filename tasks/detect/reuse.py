"""Look once at the same bytes: what was found before is used again, and what people have confirmed needs no look.

Bytes are recalled by a hint, their ETag and size, which an uploader can forge: two files can be made to have the same.
So what is found by the hint alone is believed only where it leads to a reject; everything else rests on the SHA-256 of
both, from S3's own checksum or by reading each through once. Of a bucket without versions nothing is remembered: what
was looked at there, and what was read, may be two things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from tasks.aws.faults import Withheld
from tasks.decide.decision import decide
from tasks.decide.policy import Surface
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.first_look import THUMBNAIL
from tasks.detect.job import Job, content_of
from tasks.detect.kind import Kind
from tasks.detect.late_rendition import late_rendition
from tasks.detect.look import look, text_chain
from tasks.detect.video import DETECTOR as WHOLE_VIDEO
from tasks.intake.digest import digest_of, open_hashed
from tasks.intake.upload import Upload, open_upload, with_body
from tasks.item import Item
from tasks.ledger import looked, note_looked
from tasks.record.known import DETECTOR as KNOWN
from tasks.record.memory import Memory, is_too_long
from tasks.record.seen import Recall
from tasks.record.seen_rows import hint_of
from tasks.record.standing import Standing

#: To be counted up when the same detectors, asked with the same settings, would now be shown something else.
LOOK = 1
#: Seconds until a message asks again whether another run has finished with the same bytes, or a video's job.
AGAIN_SECONDS, AGAIN_JOB_SECONDS = 2.0, 15.0
#: Seconds that a video's claim outlives a look at its job; looks are at most five minutes apart.
JOB_SECONDS = 900.0
#: A job has found that nobody can look at the video.
UNWATCHABLE = "unreadable/video-codec"
#: What else than the bytes can have made them unreadable: next time it may be better.
_FLEETING = ("video-job", "video-deadline", "video-expired", "image-crash", "image-time")
#: Kinds in which there is nothing to read, unless a surface wants the words in pictures read.
_WORDLESS = ("image", "picture", "video")
_LASTING = ("image-", "video-", "text-", "audio")


#: What the decision's transaction is to write beside it.
Beside = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What is known of an upload's bytes before anybody has looked at them."""

    #: What they go by; empty where nothing is remembered of them.
    name: str = ""
    memory: Memory | None = None
    #: Whether the memory is of these very bytes, by SHA-256.
    proven: bool = False
    #: ... which is known only now.
    learned: bool = False
    #: Whether this run has claimed them.
    mine: bool = False
    #: On which list people have put them.
    known: Finding | None = None


NOTHING = Met()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What there is to see in an item."""

    findings: tuple[Finding, ...]
    #: `s3://BUCKET/KEY@VERSION` of the upload that was looked at in its stead.
    reused_from: str = ""
    #: What the decision's transaction is to remember.
    beside: Beside = ()


def meet(desk: Desk, item: Item) -> tuple[Upload, Met]:
    """Open an upload, knowing what is known of its bytes.

    Raises Gone, and Withheld while another run looks at the same bytes.
    """
    if desk.settings.hash_all and item.size:
        upload = open_hashed(desk.aws, item)
        return upload, _met(desk, item, upload, recall=_recall(desk, item, upload.sha256))
    recall = _recall(desk, item)
    surface = desk.policy.surface_of(item)
    by_hint = recall.memory and _tier(desk, recall.memory, surface) is Tier.REJECT
    if recall.known or (recall.memory and not by_hint):
        upload = open_hashed(desk.aws, item)
    else:
        upload = open_upload(desk.aws, item)
    return upload, _met(desk, item, upload, recall=recall)


@contextmanager
def asking(desk: Desk, item: Item) -> Iterator[None]:
    """A run that may look at an item: where nothing comes of it, nobody waits for it any longer."""
    ended = False
    try:
        yield
        ended = True
    finally:
        if desk.seen:
            # A run that failed comes back before its claim ends, and goes on with it.
            (desk.seen.let_go if ended else desk.seen.end)(item.id)


def look_once(desk: Desk, item: Item, upload: Upload, *, met: Met, kind: Kind, surface: Surface) -> Sight | Job:
    """What there is to see in an item, without looking where that is known; or the job that is looking.

    Raises Gone or Moved when the item is not there any more, Withheld while another run looks at the same bytes.
    """
    if met.known and is_settled(desk, met):
        return Sight(findings=(met.known,), beside=(desk.seen.rows.forget(met.name),) if desk.seen and met.mine else ())
    chain = chain_of(desk, item, surface, kind=kind, upload=upload)
    said = (met.known,) if met.known else ()
    if met.memory and _serves(desk, met, met.memory, chain=chain, surface=surface):
        return _again(desk, met, met.memory, said=said)
    if met.proven and desk.seen and not desk.seen.take(met.name, holder=item.id):
        raise Withheld("another run is looking at the same bytes", retry_after=AGAIN_SECONDS)
    if kind is Kind.TEXT and item.size <= desk.settings.max_text_bytes:
        # It is read anyway: once its digest is known, what is found need not be found again when this upload is gone.
        upload = with_body(desk.aws, item, upload)
    seen = look(desk, item, upload, kind=kind, surface=surface)
    if isinstance(seen, Job):
        return seen
    beside = remember(desk, item, seen, kind=kind, chain=chain, sha256=upload.sha256)
    return Sight(findings=(*said, *seen), beside=beside)


def looked_once(desk: Desk, item: Item) -> None:
    """What was found is on record: whoever waits for it may have it."""
    if desk.seen:
        desk.seen.end(item.id)


def is_settled(desk: Desk, met: Met) -> bool:
    """Whether the policy says by itself what becomes of known content; a list that it holds is looked at as well."""
    return met.known is not None and _tier_of(desk, met.known) is not Tier.HOLD


def is_condemned(desk: Desk, met: Met) -> bool:
    """Whether it is known content that is rejected."""
    return met.known is not None and _tier_of(desk, met.known) is Tier.REJECT


def remember(desk: Desk, item: Item, findings: tuple[Finding, ...], *, kind: Kind, chain: str, sha256: str) -> Beside:
    """What the transaction of an item's decision writes about its bytes, where its detectors have just looked."""
    if desk.seen is None or not is_remembered(item):
        return ()
    name = _name_of(desk, item, sha256)
    # A thumbnail is another object, which only this upload may have named.
    findings = tuple(finding for finding in findings if finding.part != THUMBNAIL)
    detectors = _looked_at(kind, findings)
    desk.seen.newest.note(detectors)
    memory = Memory(
        name=name,
        kind=kind,
        chain=chain,
        findings=findings,
        detectors=detectors,
        source=item,
        looked_at=desk.now().timestamp(),
        sha256=sha256,
    )
    if is_too_long(memory) or not all(map(is_lasting, findings)):
        return (desk.seen.rows.forget(name),)
    return (desk.seen.rows.write(memory),)


def job_goes_on(desk: Desk, standing: Standing) -> None:
    """A video's job is looking: nobody else need start one meanwhile."""
    item = standing.item
    if desk.seen and is_remembered(item):
        desk.seen.keep(_name_of(desk, item, standing.sha256), holder=item.id, seconds=JOB_SECONDS)


def remember_video(desk: Desk, standing: Standing, findings: tuple[Finding, ...]) -> Beside:
    """As `remember`, where a job has looked; of these findings those that are of the video's own bytes."""
    own = tuple(finding for finding in findings if finding.part != "caption" and finding.detector != KNOWN)
    surface = desk.policy.surface_of(standing.item)
    chain = chain_of(desk, standing.item, surface, kind=standing.kind)
    return remember(desk, standing.item, own, kind=standing.kind, chain=chain, sha256=standing.sha256)


def chain_of(desk: Desk, item: Item, surface: Surface, *, kind: Kind, upload: Upload | None = None) -> str:
    """Names how bytes are looked at: everything that their findings depend on but the bytes and the model's version."""
    settings = desk.settings
    said: list[object] = [LOOK, kind.value, settings.floor_confidence]
    if kind is Kind.VIDEO:
        said += [surface.first_look, settings.first_look_frames]
    elif kind in _WORDLESS:
        said += [settings.image_frames, settings.image_bytes, settings.image_pixels]
    if kind not in _WORDLESS or surface.text_in_images:
        words = text_chain(desk, item, surface, part="body")
        said += [plain(replace(words, item_id="", context=upload.context if upload else ())), surface.text_paths]
    if kind not in _WORDLESS and upload:
        # It may decide in which encoding a text is read.
        said += [upload.content_type, settings.max_text_bytes]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def plain(value: object) -> object:
    """A value as something whose `repr` is the same in every process; functions say nothing of themselves."""
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, plain(getattr(value, field.name))) for field in fields(value)]
    if isinstance(value, Mapping):
        return sorted((repr(name), plain(one)) for name, one in value.items())
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return None if callable(value) else value


def _recall(desk: Desk, item: Item, sha256: str = "") -> Recall:
    if desk.seen is None or not is_remembered(item):
        return Recall()
    recall = desk.seen.recall(_name_of(desk, item, sha256), holder=item.id)
    # One job looks at the same video for everybody, where S3 vouches for its bytes (`tasks.detect.job`).
    if recall.taken and not (recall.in_job and content_of(desk, item)):
        after = AGAIN_JOB_SECONDS if recall.in_job else AGAIN_SECONDS
        raise Withheld("another run is looking at the same bytes", retry_after=after)
    return recall


def _met(desk: Desk, item: Item, upload: Upload, *, recall: Recall) -> Met:
    if not upload.is_of(item):
        return NOTHING
    memory, learned = recall.memory, False
    if memory and upload.sha256 and not memory.sha256:
        memory = replace(memory, sha256=digest_of(desk.aws, memory.source))
        learned = bool(memory.sha256)
    return Met(
        name=_name_of(desk, item, upload.sha256) if is_remembered(item) else "",
        memory=memory,
        proven=bool(memory and upload.sha256 and memory.sha256 == upload.sha256),
        learned=learned,
        mine=recall.mine,
        known=late_rendition(desk, item) or _known(desk, upload.sha256, hinted=upload.sha256 in recall.known),
    )


def _known(desk: Desk, sha256: str, *, hinted: bool) -> Finding | None:
    """The strictest of what people have said of these bytes."""
    if not sha256 or desk.known is None:
        return None
    findings = desk.known.find(sha256, lists=desk.policy.known, hinted=hinted)
    return max(findings, key=lambda finding: _tier_of(desk, finding), default=None)


def _tier_of(desk: Desk, known: Finding) -> Tier:
    rule = desk.policy.judge(known)
    return rule.tier if rule else Tier.ALLOW


def _serves(desk: Desk, met: Met, memory: Memory, *, chain: str, surface: Surface) -> bool:
    """Whether what is remembered says what a look would say now, and may be believed."""
    assert desk.seen  # nobody else remembers
    age = desk.now().timestamp() - memory.looked_at
    is_fresh = age < desk.seen.rows.keep_days * 86_400 and desk.seen.newest.is_current(memory.detectors)
    if not is_fresh or memory.chain != chain:
        return False
    return (met.proven and _is_of_the_whole(memory)) or _tier(desk, memory, surface) is Tier.REJECT


def _is_of_the_whole(memory: Memory) -> bool:
    """Whether more than a video's first frames was looked at, or can be."""
    seen = {finding.label for finding in memory.findings}
    return memory.kind is not Kind.VIDEO or WHOLE_VIDEO in memory.detectors or UNWATCHABLE in seen


def _tier(desk: Desk, memory: Memory, surface: Surface) -> Tier:
    return decide(memory.findings, desk.policy, surface).tier


def _again(desk: Desk, met: Met, memory: Memory, *, said: tuple[Finding, ...]) -> Sight:
    for detector, version in memory.detectors.items():
        note_looked(detector, version)
    # Whole and not its digest alone: between reading the row and writing it, it may have become another content's.
    beside = (desk.seen.rows.write(memory),) if desk.seen and met.proven and met.learned else ()
    source = f"{memory.source.location}@{memory.source.version}"
    return Sight(findings=(*said, *memory.findings), reused_from=source, beside=beside)


def is_remembered(item: Item) -> bool:
    """Whether what is found in the item is to be used again."""
    return item.version_id is not None and item.size > 0


def names_of(item: Item, sha256: str) -> tuple[str, ...]:
    """Every name that its bytes may go by."""
    return (hint_of(item), *([sha256] if sha256 else ())) if is_remembered(item) else ()


def _name_of(desk: Desk, item: Item, sha256: str) -> str:
    """Where every body is read anyway, its digest is a better name than its ETag, which encryption may change."""
    return sha256 if desk.settings.hash_all and sha256 else hint_of(item)


def is_lasting(finding: Finding) -> bool:
    """Whether the next look at the same bytes would find the same."""
    kind, _, reason = finding.label.partition("/")
    return kind != "unreadable" or (reason.startswith(_LASTING) and reason not in _FLEETING)


def _looked_at(kind: Kind, findings: tuple[Finding, ...]) -> dict[str, str]:
    """Detector -> version of those that have looked at the bytes; a caption beside them is another matter."""
    saw = {finding.detector for finding in findings}
    return {
        name: version
        for name, version in looked().items()
        if kind not in _WORDLESS or name in saw or name.startswith("rekognition")
    }
