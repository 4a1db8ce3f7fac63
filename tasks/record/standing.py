"""Standing: everything recorded about one version of one item, as one row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tasks.aws.rows import number, string
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item, fields_of, item_from


class Status(StrEnum):
    """Where an item stands, for people and for `modfleet item show`."""

    PENDING = "pending"
    ALLOWED = "allowed"
    REDACTED = "redacted"
    HELD = "held"
    REJECTED = "rejected"
    RESTORED = "restored"
    #: A newer upload of the same key took its place.
    SUPERSEDED = "superseded"
    #: Its owner deleted it before modfleet could look.
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One row of the items table. Times are UTC; `receipts` is action -> what was done and `at` when."""

    item: Item
    status: Status
    surface: str = ""
    kind: Kind = Kind.UNKNOWN
    uploader: str = ""
    #: The application's own name of it.
    content_id: str = ""
    #: The SHA-256 of a submitted text; empty for everything else.
    submitted: str = ""
    #: Of a post: what else its actions are about, as it was looked at.
    parts: tuple[Item, ...] = ()
    #: Of a post: `ACTION/N` (0 is the manifest) -> the receipt of one part, while the action is under way.
    progress: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Of a part: the `s3://BUCKET/KEY` of the post that was held or rejected with it, and which of both.
    post: str = ""
    post_status: str = ""
    #: Of a part: the `s3://BUCKET/KEY` of the post that had it judged, and whose notice speaks for it too.
    within: str = ""
    #: What its uploader reads (BCP 47), where the application said so.
    language: str = ""
    #: None until decided.
    tier: int | None = None
    rules: tuple[str, ...] = ()
    policy_version: str = ""
    #: Held by the brake: the rules by which it would have been taken down. Nothing everywhere else.
    braked: tuple[str, ...] = ()
    #: Detector -> the version that looked.
    detectors: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    #: Of its bytes; empty where nobody had to know.
    sha256: str = ""
    #: `s3://BUCKET/KEY@VERSION` of the upload of the same bytes that was looked at in its stead.
    reused_from: str = ""
    #: What a shadow policy made of it (`tasks.decide.shadow`); nothing where there was none.
    shadow: Mapping[str, Any] = field(default_factory=dict)
    #: The statement of reasons as it was when it was decided (`tasks.act.statement`); nothing where all stays.
    reasons: Mapping[str, Any] = field(default_factory=dict)
    #: What redaction masks: [begin, end) in code points, and the kind of thing.
    spans: tuple[tuple[int, int, str], ...] = ()
    #: The actions that the decision asks for, in order.
    plan: tuple[str, ...] = ()
    #: Decided in a dry run: the actions that it asks for as well, and that nobody does. None everywhere else.
    would: tuple[str, ...] | None = None
    receipts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    #: The day until which its original must be kept (a legal hold), as 2027-01-31; empty where it need not be.
    held_until: str = ""
    decided_at: datetime | None = None
    #: From S3's event time until the public could no longer see it.
    time_to_takedown_ms: int | None = None
    #: The video job that is looking at it.
    job_id: str = ""
    job_started_at: datetime | None = None
    #: Whoever acts on the decision holds it until then (epoch seconds).
    lease_until: float = 0.0
    #: Of the message that brought it.
    trace: str = ""
    #: The rescan that has decided about it last; empty where an upload's own run has.
    rescan: str = ""
    #: What detectors used up until it was decided, by the names of config/prices.yaml, and what that cost then.
    #: Runs that failed or came too late have spent as well: `modfleet cost` knows.
    units: Mapping[str, float] = field(default_factory=dict)
    usd: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether a decision is recorded, be it acted on or not."""
        return self.decided_at is not None

    @property
    def dry_run(self) -> bool:
        """Whether it was decided in a dry run: then its status is what it would have been."""
        return self.would is not None

    @property
    def restoring(self) -> Mapping[str, Any] | None:
        """Who had it brought back (`by`), `why` and when (`at`); None where nobody has."""
        return next((entry for entry in self.history if entry["event"] == "restoring"), None)

    @property
    def overruled(self) -> Mapping[str, Any] | None:
        """What a person made of the machine's decision last: tier and rules, `by`, `why` and when (`at`)."""
        return next((entry for entry in reversed(self.history) if entry["event"] == "overruled"), None)

    @property
    def rescanned(self) -> Mapping[str, Any] | None:
        """What a rescan made of it last: `run`, and what it `was`; None where none has decided about it again."""
        return next((entry for entry in reversed(self.history) if entry["event"] == "rescanned"), None)

    @property
    def everything(self) -> tuple[Item, ...]:
        """The item and, of a post, all its parts."""
        return (self.item, *self.parts)

    @property
    def to_do(self) -> tuple[str, ...]:
        """Planned actions without a receipt."""
        return tuple(action for action in self.plan if action not in self.receipts)

    def summary(self) -> dict[str, Any]:
        """The row as `modfleet item show --json` prints it."""
        item = self.item
        return {
            "item": {"bucket": item.bucket, "key": item.key, "version": item.version, "size": item.size},
            "status": self.status.value,
            "tier": self.tier,
            "rules": list(self.rules),
            "policy_version": self.policy_version,
            "braked": list(self.braked),
            "shadow": dict(self.shadow) or None,
            "reasons": dict(self.reasons),
            "surface": self.surface,
            "kind": self.kind.value,
            "uploader": self.uploader,
            "content_id": self.content_id,
            "parts": [{"key": part.key, "version": part.version} for part in self.parts],
            "post": {"location": self.post, "status": self.post_status} if self.post else None,
            "event_time": item.event_time.isoformat(),
            "decided_at": self.decided_at.isoformat() if self.decided_at else None,
            "time_to_takedown_ms": self.time_to_takedown_ms,
            "detectors": dict(self.detectors),
            "findings": [asdict(finding) for finding in self.findings],
            "sha256": self.sha256,
            "reused_from": self.reused_from,
            "receipts": {action: dict(receipt) for action, receipt in self.receipts.items()},
            "to_do": list(self.to_do),
            "held_until": self.held_until or None,
            "rescan": self.rescan or None,
            "dry_run": self.dry_run,
            "would": list(self.would or ()),
            "units": dict(self.units),
            "usd": self.usd,
            "history": [dict(entry) for entry in self.history],
        }


#: Made once: `json.dumps` makes another one each time that it is told how to write.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
#: What a row that was written before there was such a thing says of it.
_NONE = {"S": ""}


def to_row(standing: Standing) -> dict[str, Any]:
    """The standing as a DynamoDB item in the low-level client's typed form.

    What conditions and updates touch are attributes of their own; the rest is JSON text, which is
    smaller than nested maps and ten times faster to read back by the thousand.
    """
    item = standing.item
    row: dict[str, Any] = {
        "location": string(item.location),
        "version": string(item.version),
        "bucket": string(item.bucket),
        "key": string(item.key),
        "version_id": string(item.version_id or ""),
        "etag": string(item.etag),
        "size": number(item.size),
        "sequencer": string(item.sequencer),
        "event_time": string(item.event_time.isoformat()),
        "status": string(standing.status),
        "surface": string(standing.surface),
        "kind": string(standing.kind),
        "uploader": string(standing.uploader),
        "rules": _json(list(standing.rules)),
        "policy_version": string(standing.policy_version),
        "detectors": _json(dict(standing.detectors)),
        "findings": _json([asdict(finding) for finding in standing.findings]),
        "spans": _json([list(span) for span in standing.spans]),
        "plan": _json(list(standing.plan)),
        "receipts": {"M": {action: _json(dict(receipt)) for action, receipt in standing.receipts.items()}},
        "history": {"L": [_json(dict(entry)) for entry in standing.history]},
        "job_id": string(standing.job_id),
        "lease_until": number(standing.lease_until),
        "trace": string(standing.trace),
        "units": _json(dict(standing.units)),
        "usd": number(standing.usd),
    }
    for name, moment in (("decided_at", standing.decided_at), ("job_started_at", standing.job_started_at)):
        if moment is not None:
            row[name] = string(moment.isoformat())
    return row | _rarely(standing)


def from_row(row: Mapping[str, Any]) -> Standing:
    """The standing that `to_row` wrote."""
    item = _item(row)
    return Standing(
        item=item,
        status=Status(row["status"]["S"]),
        surface=row["surface"]["S"],
        kind=Kind(row["kind"]["S"]),
        uploader=row["uploader"]["S"],
        content_id=row.get("content_id", _NONE)["S"],
        submitted=row.get("submitted", _NONE)["S"],
        post=row.get("post", _NONE)["S"],
        post_status=row.get("post_status", _NONE)["S"],
        within=row.get("within", _NONE)["S"],
        language=row.get("language", _NONE)["S"],
        shadow=json.loads(row["shadow"]["S"]) if "shadow" in row else {},
        reasons=json.loads(row["reasons"]["S"]) if "reasons" in row else {},
        held_until=row.get("held_until", _NONE)["S"],
        rescan=row.get("rescan", _NONE)["S"],
        parts=tuple(map(item_from, json.loads(row["parts"]["S"]))) if "parts" in row else (),
        progress={name: json.loads(said["S"]) for name, said in row.get("progress", {"M": {}})["M"].items()},
        tier=int(row["tier"]["N"]) if "tier" in row else None,
        rules=tuple(json.loads(row["rules"]["S"])),
        policy_version=row["policy_version"]["S"],
        braked=tuple(json.loads(row["braked"]["S"])) if "braked" in row else (),
        detectors=json.loads(row["detectors"]["S"]),
        findings=tuple(finding_from(finding) for finding in json.loads(row["findings"]["S"])),
        spans=tuple((begin, end, kind) for begin, end, kind in json.loads(row["spans"]["S"])),
        plan=tuple(json.loads(row["plan"]["S"])),
        would=tuple(json.loads(row["would"]["S"])) if "would" in row else None,
        receipts={action: json.loads(receipt["S"]) for action, receipt in row["receipts"]["M"].items()},
        history=tuple(json.loads(entry["S"]) for entry in row["history"]["L"]),
        decided_at=_moment(row, "decided_at"),
        time_to_takedown_ms=int(row["time_to_takedown_ms"]["N"]) if "time_to_takedown_ms" in row else None,
        job_id=row["job_id"]["S"],
        job_started_at=_moment(row, "job_started_at"),
        lease_until=float(row["lease_until"]["N"]),
        trace=row.get("trace", _NONE)["S"],
        sha256=row.get("sha256", _NONE)["S"],
        reused_from=row.get("reused_from", _NONE)["S"],
        units=json.loads(row["units"]["S"]) if "units" in row else {},
        usd=float(row["usd"]["N"]) if "usd" in row else 0.0,
    )


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        bucket=row["bucket"]["S"],
        key=row["key"]["S"],
        version_id=row["version_id"]["S"] or None,
        etag=row["etag"]["S"],
        size=int(row["size"]["N"]),
        sequencer=row["sequencer"]["S"],
        event_time=datetime.fromisoformat(row["event_time"]["S"]),
    )


def _rarely(standing: Standing) -> dict[str, Any]:
    """What only some rows have: no other pays for it."""
    names = {
        "content_id": standing.content_id,
        "submitted": standing.submitted,
        "sha256": standing.sha256,
        "reused_from": standing.reused_from,
        "post": standing.post,
        "post_status": standing.post_status,
        "within": standing.within,
        "language": standing.language,
        "held_until": standing.held_until,
        "rescan": standing.rescan,
    }
    row: dict[str, Any] = {name: string(said) for name, said in names.items() if said}
    if standing.shadow:
        row["shadow"] = _json(dict(standing.shadow))
    if standing.reasons:
        row["reasons"] = _json(dict(standing.reasons))
    if standing.braked:
        row["braked"] = _json(list(standing.braked))
    if standing.would is not None:
        row["would"] = _json(list(standing.would))
    if standing.tier is not None:
        row["tier"] = number(int(standing.tier))
    if standing.time_to_takedown_ms is not None:
        row["time_to_takedown_ms"] = number(standing.time_to_takedown_ms)
    if standing.parts:
        row["parts"] = _json([fields_of(part) for part in standing.parts])
        row["progress"] = {"M": {name: _json(dict(receipt)) for name, receipt in standing.progress.items()}}
    return row


def _json(value: object) -> dict[str, str]:
    return {"S": _COMPACT.encode(value)}


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(row[name]["S"]) if name in row else None


def finding_from(fields: dict[str, Any]) -> Finding:
    """The finding whose `asdict` went through JSON."""
    span, time_ms = fields.pop("span"), fields.pop("time_ms")
    return Finding(
        **fields,
        span=(span[0], span[1]) if span else None,
        time_ms=(time_ms[0], time_ms[1]) if time_ms else None,
    )
