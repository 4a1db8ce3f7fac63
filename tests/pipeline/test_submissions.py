"""What the application submits is one item: stored once, judged once, acted on once, whoever announces it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, card, said, until
from interrupted import DETECTORS, Crash, Watch, at_call, crash, forgetful, later, watched

from tasks.intake.submission import text_key
from tasks.moderation import handle
from tasks.outcome import Done, Parked, Retry, Skipped
from tasks.record.standing import Status

VIOLATION = "zorblat, all of you"


def submission(unique: str, text: str = "a fine day", *, surface: str = "feed", **more: object) -> str:
    says = {"modfleet": "submit", "content_id": unique, "surface": surface, "uploader": "u1", "text": text}
    return json.dumps(says | more)


def reference(unique: str, key: str, **more: object) -> str:
    return json.dumps({"modfleet": "submit", "content_id": unique, "uploader": "u2", "object": {"key": key}} | more)


def stored(fleet: Fleet, unique: str, *, prefix: str = "") -> list[Put]:
    """Every version that was written of a text, the newest first."""
    bucket, key = fleet.settings.uploads_bucket, text_key(prefix, unique)
    listed = fleet.aws.s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
    return [Put(bucket, key, entry["VersionId"], entry["ETag"].strip('"'), b"") for entry in listed]


def announced(fleet: Fleet, put: Put) -> str:
    """S3's event of a text, whether it is still there or not."""
    return fleet.event_of(put)


def written(fleet: Fleet, unique: str, *, prefix: str = "") -> Put:
    """The only version of a text that was ever recorded."""
    (standing,) = fleet.desk.state.versions(f"s3://{fleet.settings.uploads_bucket}/{text_key(prefix, unique)}")
    item = standing.item
    return Put(item.bucket, item.key, item.version, item.etag, b"")


def asked(watch: Watch) -> list[str]:
    """The detectors that were called."""
    return [name for name in watch.calls if name in DETECTORS]


@pytest.mark.parametrize(
    ("text", "status"), [("a fine day", Status.ALLOWED), (VIOLATION, Status.REJECTED)], ids=["fine", "violation"]
)
def test_a_text_is_judged_like_an_upload_and_its_own_event_finds_it_decided(
    unserved: Fleet, unique: str, text: str, status: Status
) -> None:
    assert handle(unserved.desk, submission(unique, text), attempt=1) == Done(status.value)
    put = written(unserved, unique)
    standing = unserved.standing(put)
    assert standing is not None
    assert (standing.content_id, standing.uploader, standing.surface) == (unique, "u1", "feed")
    watch = Watch()
    assert isinstance(handle(watched(unserved.desk, watch), announced(unserved, put), attempt=1), Skipped)
    assert asked(watch) == []
    assert (unserved.current(put) is None) == (status is Status.REJECTED)
    notices = unserved.notices(put)
    assert [notice["content_id"] for notice in notices] == [unique] * (status is Status.REJECTED)
    assert len(said(unserved.audit_lines(), put, "decided")) == 1


def test_an_event_that_comes_before_the_decision_waits_for_it_and_looks_at_nothing(
    unserved: Fleet, unique: str
) -> None:
    watch, waited = Watch(), []

    def event_first() -> None:
        (put,) = stored(unserved, unique)
        waited.append(handle(watched(unserved.desk, watch), announced(unserved, put), attempt=1))

    desk = watched(unserved.desk, at_call("apply_guardrail", event_first))
    assert handle(desk, submission(unique, f"{VIOLATION}, {unique}"), attempt=1) == Done("rejected")
    assert [type(outcome) for outcome in waited] == [Retry]
    put = written(unserved, unique)
    assert isinstance(handle(watched(unserved.desk, watch), announced(unserved, put), attempt=2), Skipped)
    assert asked(watch) == []
    assert len(unserved.notices(put)) == len(unserved.quarantined(put)) == 1


def test_a_text_whose_own_run_never_comes_back_is_judged_by_its_event(unserved: Fleet, unique: str) -> None:
    with pytest.raises(Crash):
        handle(
            watched(unserved.desk, at_call("apply_guardrail", crash)),
            submission(unique, f"{VIOLATION}, {unique}"),
            attempt=1,
        )
    (put,) = stored(unserved, unique)
    outcomes = [handle(unserved.desk, announced(unserved, put), attempt=number) for number in (1, 2, 3, 4)]
    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Retry, Done]
    standing = unserved.standing(put)
    assert standing is not None
    assert (standing.status, standing.content_id, standing.uploader) == (Status.REJECTED, unique, "u1")
    assert handle(unserved.desk, submission(unique, f"{VIOLATION}, {unique}"), attempt=2) == Skipped("already rejected")


@pytest.mark.parametrize("text", ["a fine day", VIOLATION], ids=["fine", "violation"])
@pytest.mark.parametrize("attempt", [1, 2], ids=["again", "redelivered"])
def test_the_same_text_again_is_the_same_item(unserved: Fleet, unique: str, text: str, attempt: int) -> None:
    handle(unserved.desk, submission(unique, text), attempt=1)
    watch = Watch()
    outcome = handle(watched(unserved.desk, watch), submission(unique, text), attempt=attempt)
    assert isinstance(outcome, Skipped)
    assert asked(watch) == []
    assert len(unserved.notices(written(unserved, unique))) == (text == VIOLATION)


def test_another_text_under_the_same_id_is_its_newer_version(unserved: Fleet, unique: str) -> None:
    texts = ["a fine day", "a finer day", "a fine day"]
    for text in texts:
        assert handle(unserved.desk, submission(unique, text), attempt=1) == Done("allowed")
    puts = stored(unserved, unique)
    bodies = [
        json.loads(unserved.aws.s3.get_object(Bucket=p.bucket, Key=p.key, VersionId=p.version)["Body"].read())
        for p in puts
    ]
    assert [body["text"] for body in bodies] == texts
    assert all((standing := unserved.standing(put)) and standing.status is Status.ALLOWED for put in puts)


def test_an_old_text_that_is_delivered_again_overwrites_no_newer_one(unserved: Fleet, unique: str) -> None:
    for text in ("a fine day", "a finer day"):
        handle(unserved.desk, submission(unique, text), attempt=1)
    assert isinstance(handle(unserved.desk, submission(unique, "a fine day"), attempt=2), Skipped)
    assert len(stored(unserved, unique)) == 2


def test_personal_data_is_masked_in_the_stored_text(unserved: Fleet, unique: str) -> None:
    text = 'Écris-moi 😀 "ici": jane.doe@example.org'
    assert handle(unserved.desk, submission(unique, text), attempt=1) == Done("redacted")
    put = written(unserved, unique)
    masked = json.loads(unserved.current(put) or b"")
    assert masked == {"text": 'Écris-moi 😀 "ici": [EMAIL]'}
    assert len(stored(unserved, unique)) == 1
    # Neither the original's event nor the masked copy's is judged again, and nor is the submission.
    for body in (announced(unserved, put), announced(unserved, stored(unserved, unique)[0])):
        watch = Watch()
        assert isinstance(handle(watched(unserved.desk, watch), body, attempt=1), Skipped | Done)
        assert asked(watch) == []
    assert isinstance(handle(unserved.desk, submission(unique, text), attempt=1), Skipped)
    assert json.loads(unserved.current(put) or b"") == masked


def test_a_run_that_dies_after_any_of_its_writes_is_finished_by_the_next_delivery(unserved: Fleet, unique: str) -> None:
    desk, whole = forgetful(unserved.desk), Watch()
    handle(watched(desk, whole), submission(f"{unique}-0", VIOLATION), attempt=1)
    for point in whole.writes:
        body = submission(f"{unique}-{point}", VIOLATION)
        with pytest.raises(Crash):
            handle(watched(desk, Watch(at=point, then=crash, after=True)), body, attempt=1)
        assert isinstance(handle(later(desk), body, attempt=2), Done | Skipped), whole.calls[point]
        put = written(unserved, f"{unique}-{point}")
        standing = unserved.standing(put)
        assert standing is not None
        assert (standing.status, standing.to_do) == (Status.REJECTED, ())
        assert unserved.current(put) is None
        assert len({notice["notice_id"] for notice in unserved.notices(put)}) == 1


def test_the_context_reaches_the_classifier_and_nobody_else(unserved: Fleet, unique: str) -> None:
    gray = "hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"}).decode()
    heard: list[dict[str, Any]] = []
    name = "before-parameter-build.bedrock-runtime.Converse"
    events = unserved.aws.bedrock.meta.events  # type: ignore[attr-defined]
    events.register(name, hear := lambda params, **_: heard.append(params))
    try:
        assert handle(unserved.desk, submission(unique, gray, context=[f"before {unique}"]), attempt=1) == Done("held")
    finally:
        events.unregister(name, hear)
    assert f"before {unique}" in json.dumps(heard)
    assert b"before" not in (unserved.current(written(unserved, unique)) or b"")


def test_a_surface_that_does_not_exist_is_parked_with_those_that_do(unserved: Fleet, unique: str) -> None:
    outcome = handle(unserved.desk, submission(unique, surface="fed"), attempt=1)
    assert isinstance(outcome, Parked)
    assert "'fed'" in outcome.why
    assert "avatars, feed, messages" in outcome.why
    assert stored(unserved, unique) == []


class TestAReference:
    def test_is_judged_under_the_names_that_it_brings(
        self, unserved: Fleet, unique: str, media: SimpleNamespace
    ) -> None:
        body = media.picture("PNG", card={"labels": {"Weapons": 99.0}})
        with unserved.unannounced():
            put = unserved.put(f"feed/{unique}.png", body, **{"uploader": "u1", "content-id": "x"})
        assert handle(unserved.desk, reference(unique, put.key), attempt=1) == Done("rejected")
        standing = unserved.standing(put)
        assert standing is not None
        assert (standing.content_id, standing.uploader) == (unique, "u2")
        assert [notice["content_id"] for notice in unserved.notices(put)] == [unique]

    def test_to_what_is_decided_already_only_names_it(self, unserved: Fleet, unique: str) -> None:
        put = unserved.put(f"feed/{unique}.txt", b"a fine day", uploader="u1")
        handle(unserved.desk, unserved.event_of(put), attempt=1)
        watch = Watch()
        assert handle(watched(unserved.desk, watch), reference(unique, put.key), attempt=1) == Skipped(
            "already allowed"
        )
        standing = unserved.standing(put)
        assert standing is not None
        assert (standing.content_id, standing.uploader, asked(watch)) == (unique, "u2", [])

    def test_to_another_surface_than_it_says_is_parked(self, unserved: Fleet, unique: str) -> None:
        outcome = handle(unserved.desk, reference(unique, f"avatars/{unique}", surface="feed"), attempt=1)
        assert isinstance(outcome, Parked)
        assert outcome.why == f"submitted for the surface 'feed', but 'avatars/{unique}' shows on 'avatars'"

    def test_to_nothing_is_set_aside_as_gone_with_the_reason(self, unserved: Fleet, unique: str) -> None:
        assert handle(unserved.desk, reference(unique, f"feed/{unique}"), attempt=1) == Done("gone")
        standing = unserved.desk.state.latest(f"s3://{unserved.settings.uploads_bucket}/feed/{unique}")
        assert standing is not None
        assert standing.status is Status.GONE
        assert standing.history[0]["why"] == "a submission refers to it, and it is not in the uploads bucket"

    def test_to_a_version_that_something_newer_took_the_place_of_is_superseded(
        self, unserved: Fleet, unique: str
    ) -> None:
        old, _ = (unserved.put(f"feed/{unique}.txt", body) for body in (b"one", b"two"))
        body = reference(unique, old.key, object={"key": old.key, "version_id": old.version})
        assert handle(unserved.desk, body, attempt=1) == Done("superseded")


def test_a_real_worker_takes_a_submitted_violation_down(served: Fleet, unique: str) -> None:
    url = served.settings.queue_url("uploads")
    served.aws.sqs.send_message(QueueUrl=url, MessageBody=submission(unique, VIOLATION))
    location = f"s3://{served.settings.uploads_bucket}/{text_key('', unique)}"

    def ended() -> Any:
        latest = served.desk.state.decided_last(location)
        return latest if latest and latest.status is not Status.PENDING else None

    standing = until(ended, what="the end of a submitted text")
    assert standing.status is Status.REJECTED
    assert len(served.desk.state.versions(location)) == 1
    assert served.public(text_key("", unique))[0] in {403, 404}


def test_the_command_waits_for_the_verdict_and_prints_it(served: Fleet, unique: str) -> None:
    said = served.modfleet(
        "submit", "--content-id", unique, "--surface", "feed", "--text", VIOLATION, "--wait", "--json"
    )
    assert said.code == 0, said.err
    shown = said.json
    assert (shown["status"], shown["content_id"]) == ("rejected", unique)
    again = served.modfleet("submit", "--content-id", unique, "--surface", "feed", "--text", VIOLATION, "--wait")
    assert (again.code, unique in again.out, "rejected" in again.out) == (0, True, True)
