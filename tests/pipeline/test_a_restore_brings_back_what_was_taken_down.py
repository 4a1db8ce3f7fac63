"""A restore brings the same bytes, metadata and tags back before the public, never over anything newer, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fleet import Fleet, Put, said
from interrupted import DETECTORS, Crash, Watch, at_call, forgetful, later, on_bucket, watched

from tasks.act.restore import NotServed
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Retry, Skipped
from tasks.record.standing import Standing, Status
from tasks.restore import NotRestorable, restore
from worker.restore import until_served

BODY, MAIL = b"zorblat", b"Mail jane.doe@example.org about it"
ENDS = {"rejected": BODY, "redacted": MAIL}
SAID = {"uploader": "user-7", "album": "9"}
WHO = {"by": "alex", "why": "an appeal was right"}


@pytest.fixture(scope="module")
def plain_bucket(unserved: Fleet) -> str:
    """A bucket without versions."""
    return unserved.plain_bucket()


@pytest.fixture(scope="module")
def suspended_bucket(unserved: Fleet) -> str:
    """A bucket that kept versions once."""
    return unserved.plain_bucket(versioning=("Enabled", "Suspended"))


@pytest.fixture(params=["versioned", "unversioned", "suspended"])
def desk(request: pytest.FixtureRequest, unserved: Fleet, plain_bucket: str, suspended_bucket: str) -> Desk:
    """A desk that moderates one kind of bucket; the public URL shows the one with versions."""
    if request.param == "versioned":
        return forgetful(unserved.desk)
    other = on_bucket(unserved, plain_bucket if request.param == "unversioned" else suspended_bucket)
    return forgetful(replace(other, settings=other.settings.model_copy(update={"public_url": None})))


@pytest.fixture
def put(desk: Desk, unserved: Fleet, unique: str) -> Callable[..., Put]:
    def upload(body: bytes, *, name: str = "", **more: str) -> Put:
        bucket, tags = desk.settings.uploads_bucket, {"mine": "yes"}
        return unserved.put(f"feed/{unique}/{name}", body, bucket=bucket, tags=tags, **more)

    return upload


def taken_down(fleet: Fleet, desk: Desk, put: Put, status: str) -> Standing:
    assert handle(desk, fleet.event_of(put), attempt=1) == Done(status)
    return recorded(fleet, put)


def recorded(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


def back_event(fleet: Fleet, before: set[str], put: Put) -> str:
    """The event of what was put back."""
    version = fleet.newest_of(put.key, besides=before)
    return fleet.event_of(Put(put.bucket, put.key, version, "", b""))


def head(fleet: Fleet, put: Put) -> dict[str, object]:
    found = fleet.aws.s3.head_object(Bucket=put.bucket, Key=put.key)
    return {name: found.get(name) for name in ("Metadata", "ContentType", "ContentLength", "ETag")}


@pytest.mark.parametrize("status", ENDS)
def test_bytes_metadata_and_tags_are_as_they_were_and_the_event_is_not_judged(
    status: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    upload = put(ENDS[status], **SAID)
    was = head(unserved, upload)
    standing = taken_down(unserved, desk, upload, status)
    before = set(unserved.versions_of(upload.key))
    assert restore(desk, standing, **WHO) == Done("restored")
    assert unserved.current(upload) == upload.body
    assert head(unserved, upload) == was
    assert unserved.tags(upload) == {"mine": "yes", "moderation": "allowed"}
    watch = Watch()
    event = back_event(unserved, before, upload)
    assert handle(watched(desk, watch), event, attempt=1) == Skipped("already restored")
    assert not DETECTORS & set(watch.calls)
    assert recorded(unserved, upload).status is Status.RESTORED


def test_the_public_is_served_it_again_and_the_audit_log_says_who_and_why(unserved: Fleet, unique: str) -> None:
    desk = forgetful(unserved.desk)
    upload = unserved.put(f"feed/{unique}", BODY)
    standing = taken_down(unserved, desk, upload, "rejected")
    assert unserved.public(upload.key)[0] in (403, 404)
    assert restore(desk, standing, **WHO) == Done("restored")
    assert unserved.public(upload.key) == (200, BODY)
    assert set(recorded(unserved, upload).receipts) >= {"put_back", "purge_again", "verify_back"}
    lines = unserved.audit_lines()
    (entry,) = said(lines, upload, "restore")
    assert (entry["actor"], entry["reason"], entry["status"]) == ("alex", "an appeal was right", "restored")
    assert [line["status"] for line in said(lines, upload, "ended")] == ["rejected"]


def test_a_masked_text_that_the_cdn_holds_gives_way_to_the_original(unserved: Fleet, unique: str) -> None:
    desk = forgetful(unserved.desk)
    upload = unserved.put(f"feed/{unique}", MAIL)
    standing = taken_down(unserved, desk, upload, "redacted")
    assert unserved.public(upload.key) == (200, b"Mail [EMAIL] about it")
    assert restore(desk, standing, **WHO) == Done("restored")
    assert unserved.public(upload.key) == (200, MAIL)


@pytest.mark.long  # a minute; a restore of a post that is killed is among the quick ones
@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize("resumed_by", ["the command", "the event"])
def test_killed_between_any_two_steps_it_goes_on(
    status: str, resumed_by: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    whole = Watch()
    restore(watched(desk, whole), taken_down(unserved, desk, put(ENDS[status]), status), **WHO)
    for number in whole.writes:
        upload = put(ENDS[status], name=str(number))
        standing = taken_down(unserved, desk, upload, status)
        before = set(unserved.versions_of(upload.key))
        with pytest.raises(Crash):
            restore(watched(desk, Watch(at=number, after=True)), standing, **WHO)
        if resumed_by == "the event" and set(unserved.versions_of(upload.key)) != before:
            went_on: Outcome = handle(later(desk), back_event(unserved, before, upload), attempt=1)
        else:
            went_on = restore(later(desk), recorded(unserved, upload), **WHO)
        assert went_on in (Done("restored"), Skipped("already restored")), whole.calls[number]
        assert unserved.current(upload) == upload.body
        assert recorded(unserved, upload).status is Status.RESTORED
        written = set(unserved.versions_of(upload.key)) - before
        assert len(written) == 1, whole.calls[number]
        assert len(said(unserved.audit_lines(), upload, "restore")) == 1


def test_its_event_waits_for_a_restore_that_is_under_way(desk: Desk, put: Callable[..., Put], unserved: Fleet) -> None:
    upload = put(BODY)
    standing = taken_down(unserved, desk, upload, "rejected")
    before, met = set(unserved.versions_of(upload.key)), []

    def meet() -> None:
        met.append(handle(desk, back_event(unserved, before, upload), attempt=1))

    assert restore(watched(desk, at_call("copy_object", meet, after=True)), standing, **WHO) == Done("restored")
    assert isinstance(met[0], Retry)
    assert not met[0].counts
    assert handle(desk, back_event(unserved, before, upload), attempt=2) == Skipped("already restored")


@pytest.mark.parametrize("status", ENDS)
def test_what_was_uploaded_since_stays_and_nothing_is_begun(
    status: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    standing = taken_down(unserved, desk, put(ENDS[status]), status)
    newer = put(b"a fine day")
    with pytest.raises(NotRestorable, match="newer"):
        restore(desk, standing, **WHO)
    assert unserved.current(newer) == b"a fine day"
    assert desk.state.find(standing.item) == standing


def test_an_upload_that_comes_meanwhile_is_not_written_over_and_is_judged(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    standing = taken_down(unserved, desk, put(BODY), "rejected")
    newer: list[Put] = []
    meanwhile = watched(desk, at_call("update_item", lambda: newer.append(put(BODY + b"!"))))
    assert restore(meanwhile, standing, **WHO) == Done("superseded")
    assert unserved.current(newer[0]) == BODY + b"!"
    assert handle(desk, unserved.event_of(newer[0]), attempt=1) == Done("rejected")
    assert unserved.current(newer[0]) is None


def test_the_same_bytes_uploaded_after_a_restore_are_judged_again(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    first = put(BODY)
    before = {first.version}
    assert restore(desk, taken_down(unserved, desk, first, "rejected"), **WHO) == Done("restored")
    assert back_event(unserved, before, first)
    again = put(BODY, caption="and more")
    assert handle(desk, unserved.event_of(again), attempt=1) == Done("rejected")


def test_what_was_not_taken_down_cannot_be_brought_back(desk: Desk, put: Callable[..., Put], unserved: Fleet) -> None:
    standing = taken_down(unserved, desk, put(b"a fine day"), "allowed")
    with pytest.raises(NotRestorable, match="it is allowed"):
        restore(desk, standing, **WHO)


def test_a_dry_run_brings_nothing_back(desk: Desk, put: Callable[..., Put], unserved: Fleet) -> None:
    upload = put(BODY)
    standing = taken_down(unserved, desk, upload, "rejected")
    dry = replace(desk, settings=desk.settings.model_copy(update={"dry_run": True}))
    with pytest.raises(NotRestorable, match="dry run"):
        restore(dry, standing, **WHO)
    assert unserved.current(upload) is None


def test_the_command_looks_until_its_time_is_up_and_then_the_next_one_goes_on(unserved: Fleet, unique: str) -> None:
    """A CDN may take its time: here the public's way leads elsewhere at first, where nothing is."""
    upload, desk = unserved.put(f"feed/{unique}", BODY), forgetful(unserved.desk)
    standing, waits = taken_down(unserved, desk, upload, "rejected"), list[float]()
    elsewhere = desk.settings.model_copy(update={"public_url": f"{desk.settings.public_url}nowhere"})
    with pytest.raises(NotServed):
        until_served(
            replace(desk, settings=elsewhere),
            standing,
            by="eve",
            why="an appeal",
            seconds=2,
            sleep=waits.append,
            clock=lambda: float(len(waits)),
        )
    assert waits == [1.0, 1.0]
    assert (
        until_served(desk, recorded(unserved, upload), by="eve", why="an appeal", seconds=0).status is Status.RESTORED
    )
    assert unserved.public(upload.key) == (200, BODY)


def test_a_person_types_it_and_the_public_has_it_back(unserved: Fleet, unique: str) -> None:
    upload = unserved.put(f"feed/{unique}", BODY)
    taken_down(unserved, forgetful(unserved.desk), upload, "rejected")
    words = ("restore", upload.location, "--why", "the policy was wrong")
    done = unserved.modfleet(*words)
    assert (done.code, done.out) == (0, f"{upload.location} is restored\n"), done.err
    assert unserved.public(upload.key) == (200, BODY)
    again = unserved.modfleet(*words)
    assert (again.code, again.out) == (0, done.out)
    assert len(said(unserved.audit_lines(), upload, "restore")) == 1
