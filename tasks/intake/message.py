"""The body of an SQS message becomes what it asks for. Pure: no clock, network, environment or log.

Read are S3 event notifications (plain, wrapped by SNS, or from EventBridge; several records in one
body; any 2.x schema), S3's test event, Rekognition's notices that a job has ended, submissions, and
modfleet's own video checks, rulings and rescans, and appeals and reports. Everything else is NotAMessage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote_plus

from pydantic import AliasPath, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tasks.intake.submission import Submission
from tasks.item import Item, fields_of
from tasks.rescan.batch_message import BatchAnswers, BatchLook
from tasks.rescan.chunk import Chunk, subject_of

#: S3 sequencers grow in length; the shorter is right-padded with zeros before comparing.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
SEQUENCER_DIGITS = 32
#: Characters of a body that is worth remembering for a moment: an event of a few uploads.
SMALL_BODY = 8_192
#: Characters of a Rekognition JobId, by its API's model.
MAX_JOB_ID = 64


class NotAMessage(ValueError):
    """The body is nothing that modfleet reads; the text says why, for the engineer who finds it parked."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Objects that were created: one or more, all to be done before the message is deleted."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCheck:
    """Time to look whether a video's job has finished. `job_id` is empty while no slot was free to start it."""

    item: Item
    job_id: str
    #: Counts the checks of this job, from 1.
    check: int


@dataclass(frozen=True, slots=True)
class VideoEnded:
    """Rekognition says that a job has ended. How, is to be asked of Rekognition: anybody may say so here."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulingGiven:
    """A person's ruling on a case is to be carried out. What it says is in the case: this may be anybody's word."""

    case_id: str
    ruling_id: str


class Named(BaseModel):
    """An upload as notices name it."""

    bucket: str = Field(min_length=3, max_length=63)
    key: str = Field(min_length=1, max_length=1024)
    version: str = Field("", max_length=1024)

    @property
    def location(self) -> str:
        """`s3://BUCKET/KEY`."""
        return f"s3://{self.bucket}/{self.key}"


class Asked(BaseModel):
    """Somebody asks, through the application, for another look at a decision, or reports what was allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modfleet: Literal["appeal", "report"]
    item: Named
    side: Literal["uploader", "reporter"] = "uploader"
    #: One of `tasks.review.appeal.CHOICES`.
    choice: str = Field("other", max_length=32)
    words: str = Field("", max_length=2_000)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A well-formed message that asks for nothing, and why (S3's test event, a deletion)."""

    why: str


Message = (
    Uploads | VideoCheck | VideoEnded | RulingGiven | Asked | Submission | Chunk | BatchLook | BatchAnswers | Nothing
)


def read_message(body: str) -> Message:
    """Say what a message body asks for. Raises NotAMessage."""
    # Read before it waits for a thread (`tasks.foresight`), and again by the run that works it.
    return _read_small(body) if len(body) <= SMALL_BODY else _read_body(body)


def _read_body(body: str) -> Message:
    try:
        return _read(_object(json.loads(body)), unwrapped=False)
    except NotAMessage:
        raise
    except ValueError as error:
        raise NotAMessage(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise NotAMessage("the body is JSON nested too deep to read") from None


_read_small = lru_cache(maxsize=256)(_read_body)


def _read(document: dict[str, Any], *, unwrapped: bool) -> Message:
    if document.get("Event") == "s3:TestEvent":
        return Nothing("s3:TestEvent, which S3 sends when a notification is configured")
    if "Records" in document:
        return _read_records(document["Records"])
    if document.get("source") == "aws.s3":
        return _read_eventbridge(document)
    if document.get("Type") == "Notification" and not unwrapped:
        return _read(_unwrap_sns(document), unwrapped=True)
    if "modfleet" in document:
        return _read_own(document)
    if "JobId" in document and "API" in document:
        return _read_job_ended(document)
    names = ", ".join(sorted(str(name) for name in document)[:8]) or "none"
    raise NotAMessage(f"neither an S3 event nor a modfleet message (its top-level names: {names})")


def write_video_check(check: VideoCheck) -> str:
    """The body that `read_message` reads back as this check."""
    return json.dumps(
        {"modfleet": "video-check", "item": fields_of(check.item), "job_id": check.job_id, "check": check.check}
    )


def write_ruling(ruling: RulingGiven) -> str:
    """The body that `read_message` reads back as this ruling."""
    return json.dumps({"modfleet": "ruling", "case_id": ruling.case_id, "ruling_id": ruling.ruling_id})


def _object(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise NotAMessage(f"the body is a JSON {type(document).__name__}, not an object")
    return document


def _unwrap_sns(envelope: dict[str, Any]) -> dict[str, Any]:
    try:
        return _object(json.loads(envelope["Message"]))
    except (KeyError, TypeError, ValueError) as error:
        raise NotAMessage(f"an SNS notification whose Message is no JSON object: {error}") from None


Sequencer = Annotated[str, BeforeValidator(lambda text: str(text).upper().ljust(SEQUENCER_DIGITS, "0") if text else "")]
ETag = Annotated[str, BeforeValidator(lambda text: str(text).strip('"'))]


Event = TypeVar("Event", bound=BaseModel)


class _Created(BaseModel):
    """What both event shapes say about a created object."""

    bucket: str = Field(min_length=3)
    key: str = Field(min_length=1)
    size: int = Field(0, ge=0)
    etag: ETag = Field(min_length=1)
    version_id: str | None = None
    sequencer: Sequencer = ""
    event_time: AwareDatetime


class _Record(_Created):
    """One record of an S3 event notification."""

    event_version: str = Field(validation_alias="eventVersion", pattern=r"^2\.\d+$")
    event_time: AwareDatetime = Field(validation_alias="eventTime")
    bucket: str = Field(validation_alias=AliasPath("s3", "bucket", "name"), min_length=3)
    key: str = Field(validation_alias=AliasPath("s3", "object", "key"), min_length=1)
    size: int = Field(0, validation_alias=AliasPath("s3", "object", "size"), ge=0)
    etag: ETag = Field(validation_alias=AliasPath("s3", "object", "eTag"), min_length=1)
    version_id: str | None = Field(None, validation_alias=AliasPath("s3", "object", "versionId"))
    sequencer: Sequencer = Field("", validation_alias=AliasPath("s3", "object", "sequencer"))


class _EventBridge(_Created):
    """An `Object Created` event of EventBridge; its key is not URL-encoded."""

    event_time: AwareDatetime = Field(validation_alias="time")
    bucket: str = Field(validation_alias=AliasPath("detail", "bucket", "name"), min_length=3)
    key: str = Field(validation_alias=AliasPath("detail", "object", "key"), min_length=1)
    size: int = Field(0, validation_alias=AliasPath("detail", "object", "size"), ge=0)
    etag: ETag = Field(validation_alias=AliasPath("detail", "object", "etag"), min_length=1)
    version_id: str | None = Field(None, validation_alias=AliasPath("detail", "object", "version-id"))
    sequencer: Sequencer = Field("", validation_alias=AliasPath("detail", "object", "sequencer"))


class _OwnRuling(BaseModel):
    """modfleet's own message about a ruling."""

    case_id: str = Field(min_length=1, max_length=64)
    ruling_id: str = Field(min_length=1, max_length=64)


class _OwnCheck(BaseModel):
    """modfleet's own message about a running video job."""

    item: _Created
    job_id: str
    check: int = Field(ge=1)


#: Key, version, ETag, size and seconds since the epoch, as `tasks.rescan.chunk` writes them.
Row = tuple[
    Annotated[str, Field(min_length=1, max_length=1024)],
    Annotated[str, Field(max_length=1024)],
    Annotated[str, Field(max_length=256)],
    Annotated[int, Field(ge=-1)],
    Annotated[float, Field(ge=0, lt=1e11)],
]


class _OwnRescan(BaseModel):
    """modfleet's own message about objects that are to be looked at again."""

    run: str = Field(pattern=r"^[0-9a-zA-Z-]{1,64}$")
    chunk: str = Field(min_length=1, max_length=128)
    redecide: bool
    bucket: str = Field(min_length=3, max_length=63)
    subjects: list[Row] = Field(min_length=1)


class _OwnBatch(BaseModel):
    """modfleet's own message about the batches of a rescan: a look, or the answers to one message's texts."""

    run: str = Field(pattern=r"^[0-9a-zA-Z-]{1,64}$")
    chain: str = Field("", max_length=64)
    look: int = Field(1, ge=1)
    chunk: str = Field("", max_length=128)
    job: str = Field("", max_length=64)


def _read_records(records: object) -> Message:
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise NotAMessage("Records is not a list of objects")
    created = [(n, record) for n, record in enumerate(records) if _is_upload(record)]
    if not created:
        names = sorted({str(record.get("eventName")) for record in records})
        return _nothing_created(names)
    return Uploads(tuple(_record_item(number, record) for number, record in created))


def _record_item(number: int, record: dict[str, Any]) -> Item:
    event = _validate(_Record, record, where=f"Records[{number}]")
    try:
        return _item(event, key=unquote_plus(event.key, errors="strict"))
    except UnicodeDecodeError:
        # Read loosely, it would name another object, and the real one would go unseen.
        raise NotAMessage(f"Records[{number}] names a key that is not URL-encoded UTF-8") from None


def _is_upload(record: dict[str, Any]) -> bool:
    return str(record.get("eventName", "")).startswith("ObjectCreated:")


def _item(event: _Created, *, key: str) -> Item:
    fields = ("bucket", "size", "etag", "version_id", "sequencer", "event_time")
    return Item(key=key, **{name: getattr(event, name) for name in fields})


def _nothing_created(names: list[str]) -> Message:
    if not names or any(not name.startswith(("Object", "s3:", "Reduced", "Lifecycle")) for name in names):
        raise NotAMessage(f"no record of an S3 event (eventName: {', '.join(names) or 'no records'})")
    return Nothing(f"no upload: {', '.join(names)}")


def _read_eventbridge(document: dict[str, Any]) -> Message:
    if document.get("detail-type") != "Object Created":
        return Nothing(f"no upload: {document.get('detail-type')}")
    event = _validate(_EventBridge, document, where="the EventBridge event")
    return Uploads((_item(event, key=event.key),))


def _read_batch(said: _OwnBatch) -> Message:
    if said.chunk:
        return BatchAnswers(run_id=said.run, chunk=said.chunk, job=said.job)
    return BatchLook(run_id=said.run, chain=said.chain, look=said.look)


def _read_own(document: dict[str, Any]) -> Message:
    if document["modfleet"] == "submit":
        return _validate(Submission, document, where="the submission", told_by="its schema says")
    if document["modfleet"] == "ruling":
        given = _validate(_OwnRuling, document, where="the ruling", told_by="modfleet writes it")
        return RulingGiven(case_id=given.case_id, ruling_id=given.ruling_id)
    if document["modfleet"] == "rescan":
        said = _validate(_OwnRescan, document, where="the rescan", told_by="modfleet writes it")
        subjects = tuple(subject_of(said.bucket, row) for row in said.subjects)
        return Chunk(run_id=said.run, id=said.chunk, subjects=subjects, redecide=said.redecide)
    if document["modfleet"] in ("rescan-batch", "rescan-answers"):
        return _read_batch(_validate(_OwnBatch, document, where="the batch", told_by="modfleet writes it"))
    if document["modfleet"] in ("appeal", "report"):
        return _validate(Asked, document, where=f"the {document['modfleet']}", told_by="modfleet reads it")
    if document["modfleet"] != "video-check":
        raise NotAMessage(f"an unknown modfleet message: {document['modfleet']!r}")
    own = _validate(_OwnCheck, document, where="the video-check")
    return VideoCheck(item=_item(own.item, key=own.item.key), job_id=own.job_id, check=own.check)


def _read_job_ended(document: dict[str, Any]) -> Message:
    """https://docs.aws.amazon.com/rekognition/latest/dg/video-notification-payload.html"""
    if document["API"] != "StartContentModeration":
        return Nothing(f"the end of another kind of job: {document['API']!r}")
    job_id = document["JobId"]
    if not isinstance(job_id, str) or not 0 < len(job_id) <= MAX_JOB_ID:
        raise NotAMessage("a notice that a job has ended, without a job's id")
    return VideoEnded(job_id)


def _validate(model: type[Event], document: dict[str, Any], *, where: str, told_by: str = "S3 writes it") -> Event:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        raise NotAMessage(f"{where} is not as {told_by}: {mistakes}") from None
