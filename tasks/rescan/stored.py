"""What is on record as a source: a question to the items table, read in parallel segments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.rows import string
from tasks.aws.session import Aws
from tasks.record.standing import Status
from tasks.rescan.subject import Partition, Subject, Unreadable

#: Parts of the table that can be read at the same time; 1 MB of each is in memory.
SEGMENTS = 32
#: Nothing is there any more that could be looked at.
ENDED_UNSEEN = (Status.GONE.value, Status.SUPERSEDED.value)
_NAMES = ("location", "version", "bucket", "key", "version_id", "etag", "size", "event_time", "findings", "detectors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which items are meant: those that answer to everything that is said; what is empty says nothing."""

    #: What a finding's label begins with, as `moderation/Violence`, whole names only.
    label: str = ""
    uploader: str = ""
    surface: str = ""
    #: Decided at that moment or later, and before that one; ISO 8601 in UTC.
    since: str = ""
    before: str = ""
    #: Decided under this policy, or under any other one.
    policy: str = ""
    not_policy: str = ""
    #: `rekognition-image`, looked at by it, or `rekognition-image=7.0`, looked at by this version of it.
    detector: str = ""
    #: One of Status; without one, whatever is there to be looked at.
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Items that are on record as decided, by a question."""

    aws: Aws
    table: str
    query: Query
    segments: int = SEGMENTS
    name: str = "stored"

    @property
    def spec(self) -> dict[str, Any]:
        """As `tasks.rescan.source.source_of` reads it."""
        said = {name: value for name, value in asdict(self.query).items() if value}
        return {"source": self.name, "query": said, "segments": self.segments}

    def requests(self, items: int) -> dict[str, float]:  # noqa: ARG002  # the whole table is read for any of them
        """Nobody knows: a scan reads all rows of every kind, a megabyte each time."""
        return {}

    def partitions(self) -> Iterator[Partition]:
        """The segments of a scan."""
        for number in range(self.segments):
            yield Partition(id=f"{number:04d}", spec={"segment": number, "of": self.segments})

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        """The items of a segment, in the table's own order, which stays; tokens are their keys. Raises Fault."""
        asked = asked_of(self.table, self.query)
        segment = {"Segment": partition.spec["segment"], "TotalSegments": partition.spec["of"]}
        begin = {"ExclusiveStartKey": _key(json.loads(after))} if after else {}
        while True:
            answer = call(self.aws.store, self.aws.dynamodb.scan, **asked, **segment, **begin)
            for row in answer["Items"]:
                if answers_to(self.query, row):
                    yield _subject(row), json.dumps([row["location"]["S"], row["version"]["S"]])
            if not (last := answer.get("LastEvaluatedKey")):
                return
            begin = {"ExclusiveStartKey": last}


def query_of(said: Mapping[str, Any]) -> Query:
    """The question that JSON says. Raises Unreadable, which names what is wrong with it."""
    names = [field.name for field in fields(Query)]
    for name, value in said.items():
        if name not in names or not isinstance(value, str):
            raise Unreadable(f"no such condition on stored items: {name}={value!r}; there are {', '.join(names)}")
    query = Query(**said)
    if query.outcome and query.outcome not in set(Status):
        raise Unreadable(f"no such outcome: {query.outcome}; there are {', '.join(Status)}")
    for name, moment in (("since", query.since), ("before", query.before)):
        if moment and not _is_moment(moment):
            raise Unreadable(f"{name}: {moment!r} is no moment with its zone, as 2026-11-01T00:00:00+00:00")
    return query


def asked_of(table: str, query: Query) -> dict[str, Any]:
    """The parameters of a scan for it. Only an item's row has been decided; ISO times of one zone sort as text."""
    conditions, names = ["attribute_exists(#decided_at)"], {*_NAMES, "decided_at"}
    values: dict[str, Any] = {}
    for condition, value in _conditions(query):
        name = condition.partition("#")[2].partition(" ")[0].rstrip(",)")
        values[f":{len(values)}"] = string(value)
        conditions.append(condition.replace(":v", f":{len(values) - 1}"))
        names.add(name)
    if not query.outcome:
        names.add("status")
        values |= {":gone": string(Status.GONE.value), ":superseded": string(Status.SUPERSEDED.value)}
        conditions.append("NOT #status IN (:gone, :superseded)")
    return {
        "TableName": table,
        "ProjectionExpression": ", ".join(f"#{name}" for name in _NAMES),
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
        **({"ExpressionAttributeValues": values} if values else {}),
    }


def answers_to(query: Query, row: Mapping[str, Any]) -> bool:
    """Whether a row answers to what DynamoDB can only guess at: what stands within JSON."""
    if query.label:
        labels = [finding["label"] for finding in json.loads(row["findings"]["S"])]
        if not any(label == query.label or label.startswith(f"{query.label}/") for label in labels):
            return False
    name, _, version = query.detector.partition("=")
    detectors = json.loads(row["detectors"]["S"]) if name else {}
    return not name or (name in detectors and version in ("", detectors[name]))


def _conditions(query: Query) -> Iterator[tuple[str, str]]:
    """Each condition, in which `:v` is its value."""
    said: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("#uploader = :v", query.uploader, str),
        ("#surface = :v", query.surface, str),
        ("#decided_at >= :v", query.since, _in_utc),
        ("#decided_at < :v", query.before, _in_utc),
        ("#policy_version = :v", query.policy, str),
        ("#policy_version <> :v", query.not_policy, str),
        ("#status = :v", query.outcome, str),
        ("contains(#findings, :v)", query.label, str),
        ("contains(#detectors, :v)", query.detector.partition("=")[0], str),
    )
    return ((condition, form(value)) for condition, value, form in said if value)


def _in_utc(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat()


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _key(said: list[str]) -> dict[str, Any]:
    location, version = said
    return {"location": string(location), "version": string(version)}


def _subject(row: Mapping[str, Any]) -> Subject:
    return Subject(
        bucket=row["bucket"]["S"],
        key=row["key"]["S"],
        version_id=row["version_id"]["S"] or None,
        etag=row["etag"]["S"],
        size=int(row["size"]["N"]),
        modified_at=datetime.fromisoformat(row["event_time"]["S"]),
    )
