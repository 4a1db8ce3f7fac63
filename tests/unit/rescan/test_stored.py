"""What is on record answers to a question, segment by segment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from tasks.aws.session import Aws
from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.rescan.stored import Query, Stored, query_of
from tasks.rescan.subject import Subject, Unreadable

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
VIOLENT = Finding(
    detector="rekognition-image", detector_version="7.0", label="moderation/Violence/Weapons", confidence=97.5
)


def standing(name: str, *, status: Status = Status.ALLOWED, **more: object) -> Standing:
    item = Item(bucket="b", key=f"feed/{name}", version_id=f"v-{name}", etag="e", size=7, sequencer="", event_time=NOON)
    decided = None if status is Status.PENDING else NOON
    said = {"surface": "feed", "uploader": "ann", "policy_version": "sha256:aaaaaaaaaaaa", "decided_at": decided}
    return Standing(item=item, status=status, **(said | {"detectors": {"rekognition-image": "7.0"}} | more))  # type: ignore[arg-type]


@pytest.fixture
def stored(moto_aws: Aws, items_table: str) -> Stored:
    standings = (
        standing("plain"),
        standing("weapons", findings=(VIOLENT,)),
        standing("violent", findings=(replace(VIOLENT, label="moderation/Violence"),)),
        standing("violently", findings=(replace(VIOLENT, label="moderation/Violencery"),)),
        standing("bob's", uploader="bob"),
        standing("avatar", surface="avatars"),
        standing("new", policy_version="sha256:bbbbbbbbbbbb", decided_at=NOON + timedelta(hours=1)),
        standing("old-model", detectors={"rekognition-image": "6.1"}),
        standing("a-text", detectors={"guardrail": "7.0"}),
        standing("down", status=Status.REJECTED),
        standing("gone", status=Status.GONE),
        standing("superseded", status=Status.SUPERSEDED),
        standing("undecided", status=Status.PENDING),
    )
    for one in standings:
        moto_aws.dynamodb.put_item(TableName=items_table, Item=to_row(one))
    moto_aws.dynamodb.put_item(
        TableName=items_table, Item={"location": {"S": "s3://b/feed/plain"}, "version": {"S": "head"}}
    )
    return Stored(aws=moto_aws, table=items_table, query=Query(), segments=3)


def names(stored: Stored, **said: str) -> set[str]:
    asking = replace(stored, query=query_of(said))
    found = [subject.key for part in asking.partitions() for subject, _ in asking.read(part)]
    assert len(found) == len(set(found))
    return {key.removeprefix("feed/") for key in found}


def test_each_condition_narrows_what_is_read(stored: Stored) -> None:
    every = names(stored)
    assert every == {
        *("plain", "weapons", "violent", "violently", "bob's", "avatar", "new", "old-model", "a-text", "down")
    }
    assert names(stored, label="moderation/Violence") == {"weapons", "violent"}
    assert names(stored, uploader="bob") == {"bob's"}
    assert names(stored, surface="avatars") == {"avatar"}
    assert names(stored, policy="sha256:bbbbbbbbbbbb") == {"new"}
    assert names(stored, not_policy="sha256:aaaaaaaaaaaa") == {"new"}
    assert names(stored, since="2026-11-01T13:00:00+00:00") == {"new"}
    assert names(stored, before="2026-11-01T14:00:00+01:00") == every - {"new"}
    assert names(stored, detector="rekognition-image=6.1") == {"old-model"}
    assert names(stored, detector="guardrail") == {"a-text"}
    assert names(stored, outcome="rejected") == {"down"}
    assert names(stored, outcome="gone") == {"gone"}
    assert names(stored, label="moderation/Violence", uploader="bob") == set()


def test_reading_goes_on_behind_any_token(stored: Stored) -> None:
    for part in stored.partitions():
        whole = list(stored.read(part))
        for stop in range(1, len(whole)):
            first = list(islice(stored.read(part), stop))
            assert first + list(stored.read(part, after=first[-1][1])) == whole


def test_a_subject_is_the_version_that_was_decided(stored: Stored) -> None:
    asking = replace(stored, query=Query(uploader="bob"))
    (subject,) = [subject for part in asking.partitions() for subject, _ in asking.read(part)]
    assert subject == Subject(bucket="b", key="feed/bob's", version_id="v-bob's", etag="e", size=7, modified_at=NOON)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"color": "red"}, "no such condition on stored items: color='red'; there are label, uploader"),
        ({"uploader": 7}, "no such condition on stored items: uploader=7"),
        ({"outcome": "fine"}, "no such outcome: fine; there are pending, allowed"),
        ({"since": "yesterday"}, "since: 'yesterday' is no moment with its zone"),
        ({"before": "2026-11-01T00:00:00"}, "before: '2026-11-01T00:00:00' is no moment with its zone"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(said: dict[str, object], told: str) -> None:
    with pytest.raises(Unreadable) as raised:
        query_of(said)
    assert told in str(raised.value)
