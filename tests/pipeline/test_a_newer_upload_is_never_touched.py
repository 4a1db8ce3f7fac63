"""An upload that comes while an older one is judged is never removed, hidden or tagged by the older one's verdict."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, card
from interrupted import DETECTORS, Crash, Watch, at_call, crash, forgetful, later, on_bucket, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Retry, Skipped
from tasks.record.standing import Status

NEWER = b"newer, and innocent"
MAIL = b"Mail jane.doe@example.org about it"
GRAY = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})

#: Surface, the older upload, how it ends alone, and the call that takes it out of the public's way for good.
KINDS = {
    "rejected": ("feed/", b"zorblat", Status.REJECTED, "delete_object"),
    "redacted": ("feed/", MAIL, Status.REDACTED, "put_object"),
    "withheld": ("messages/", GRAY, Status.HELD, "put_object_tagging"),
}


@pytest.fixture(scope="module")
def buckets(unserved: Fleet) -> dict[str, str]:
    """A bucket of each kind."""
    return {
        "versioned": unserved.settings.uploads_bucket,
        "unversioned": unserved.plain_bucket(),
        "suspended": unserved.plain_bucket(versioning=("Enabled", "Suspended")),
    }


@pytest.fixture(params=["versioned", "unversioned", "suspended"])
def desk(request: pytest.FixtureRequest, unserved: Fleet, buckets: dict[str, str]) -> Desk:
    """A desk that moderates one kind of bucket."""
    return forgetful(on_bucket(unserved, buckets[request.param]))


@pytest.fixture
def put(desk: Desk, unserved: Fleet, unique: str) -> Callable[..., Put]:
    """Upload into the desk's bucket: `put("feed/", body)`, `put("feed/", body, name="2")`."""

    def upload(prefix: str, body: bytes, *, name: str = "", **more: str) -> Put:
        # By somebody, so that a takedown goes on to the strike.
        said = {"bucket": desk.settings.uploads_bucket, "uploader": f"{unique}-{name}", **more}
        return unserved.put(f"{prefix}{unique}/{name}", body, **said)

    return upload


@pytest.mark.parametrize("kind", KINDS)
def test_it_may_come_before_any_call_of_the_older_run(
    kind: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    prefix, body, alone, taking = KINDS[kind]
    whole = Watch()
    assert handle(watched(desk, whole), unserved.event_of(put(prefix, body)), attempt=1) == Done(alone.value)
    for moment in range(len(whole.calls)):
        older, newer = put(prefix, body, name=str(moment)), []
        arrival = Watch(at=moment, then=lambda m=moment, n=newer: n.append(put(prefix, NEWER, name=str(m))))
        handle(watched(desk, arrival), unserved.event_of(older), attempt=1)
        assert unserved.current(newer[0]) == NEWER, whole.calls[moment]
        assert "moderation" not in unserved.tags(newer[0]), whole.calls[moment]
        if taking not in arrival.calls[:moment]:
            assert_left_alone(unserved, older, alone=alone)
        assert handle(desk, unserved.event_of(newer[0]), attempt=1) == Done("allowed")
        assert unserved.current(newer[0]) == NEWER


def assert_left_alone(fleet: Fleet, older: Put, *, alone: Status) -> None:
    """What came too late to act on ended as superseded; with versions, the older one can still be held."""
    standing = fleet.standing(older)
    assert standing is not None
    with_versions = older.version == standing.item.version_id
    expected = {Status.SUPERSEDED} | ({Status.HELD} & {alone} if with_versions else set())
    assert standing.status in expected


@pytest.mark.parametrize("surface", ["feed/", "avatars/"])
def test_an_innocent_older_upload_does_not_vouch_for_a_newer_one(
    surface: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    whole = Watch()
    handle(watched(desk, whole), unserved.event_of(put(surface, b"a fine day")), attempt=1)
    for moment in range(len(whole.calls)):
        older, newer = put(surface, b"a fine day", name=str(moment)), []
        arrival = Watch(at=moment, then=lambda m=moment, n=newer: n.append(put(surface, b"zorblat", name=str(m))))
        handle(watched(desk, arrival), unserved.event_of(older), attempt=1)
        assert "moderation" not in unserved.tags(newer[0]), whole.calls[moment]
        assert handle(desk, unserved.event_of(newer[0]), attempt=1) == Done("rejected")
        assert unserved.current(newer[0]) is None


def test_an_older_event_after_a_newer_decision_ends_superseded(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    older, newer = put("feed/", b"zorblat"), put("feed/", NEWER)
    assert handle(desk, unserved.event_of(newer), attempt=1) == Done("allowed")
    assert handle(desk, unserved.event_of(older), attempt=1) == Done("superseded")
    assert_superseded(unserved, older, newer)


@pytest.mark.parametrize("call", ["apply_guardrail", "transact_write_items"])
def test_an_older_event_whose_run_is_overtaken_by_a_newer_decision_ends_superseded(
    call: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    older, newer = put("feed/", b"zorblat"), []

    def overtake() -> None:
        newer.append(put("feed/", NEWER))
        assert handle(desk, unserved.event_of(newer[0]), attempt=1) == Done("allowed")

    slow = watched(desk, at_call(call, overtake))
    assert handle(slow, unserved.event_of(older), attempt=1) == Done("superseded")
    assert_superseded(unserved, older, newer[0])


def assert_superseded(fleet: Fleet, older: Put, newer: Put) -> None:
    ends = [standing.status for put in (older, newer) if (standing := fleet.standing(put))]
    assert ends == [Status.SUPERSEDED, Status.ALLOWED]
    assert fleet.current(newer) == NEWER
    assert fleet.notices(older) == []


def test_taking_the_newest_down_brings_nothing_older_back_into_view(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    put("feed/", b"an older one, which nobody wants to see again")
    newest = put("feed/", b"zorblat")
    assert handle(desk, unserved.event_of(newest), attempt=1) == Done("rejected")
    assert unserved.current(newest) is None


def test_what_its_owner_deleted_meanwhile_is_gone_and_nobody_is_told(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    older = put("feed/", b"zorblat")
    event = unserved.event_of(older)
    which = {"Bucket": older.bucket, "Key": older.key}
    unserved.aws.s3.delete_object(**which)  # type: ignore[arg-type]
    assert handle(desk, event, attempt=1) == Done("gone")
    assert unserved.notices(older) == []


# ---- what modfleet wrote itself ----


def copy_of(fleet: Fleet, original: Put) -> Put:
    """The masked text that is now under the original's key, as an upload of its own."""
    version = fleet.newest_of(original.key, besides={original.version})
    return Put(original.bucket, original.key, version, "", b"")


def test_a_redacted_copy_is_not_judged_again(desk: Desk, put: Callable[..., Put], unserved: Fleet) -> None:
    original = put("feed/", MAIL)
    assert handle(desk, unserved.event_of(original), attempt=1) == Done("redacted")
    watch = Watch()
    event = unserved.event_of(copy_of(unserved, original))
    assert handle(watched(desk, watch), event, attempt=1) == Skipped("modfleet wrote it")
    assert not DETECTORS & set(watch.calls)


def test_a_redacted_copy_whose_event_is_faster_than_its_receipt_waits_for_it(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    original, met = put("feed/", MAIL), []

    def meet() -> None:
        met.append(handle(desk, unserved.event_of(copy_of(unserved, original)), attempt=1))

    handle(watched(desk, at_call("put_object", meet, after=True)), unserved.event_of(original), attempt=1)
    assert isinstance(met[0], Retry)
    assert handle(desk, unserved.event_of(copy_of(unserved, original)), attempt=2) == Skipped("modfleet wrote it")


def test_a_redacted_copy_that_nobody_confirms_is_judged_and_its_original_still_ends(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    original = put("feed/", MAIL)
    with pytest.raises(Crash):
        handle(watched(desk, at_call("put_object", crash, after=True)), unserved.event_of(original), attempt=1)
    assert handle(desk, unserved.event_of(copy_of(unserved, original)), attempt=4) == Done("allowed")
    assert handle(later(desk), unserved.event_of(original), attempt=2) == Done("redacted")
    assert unserved.current(original) == b"Mail [EMAIL] about it"


@pytest.mark.parametrize("claim", ["nonsense", "the original's version"])
def test_a_forged_claim_to_be_a_redacted_copy_is_judged_like_anything_else(
    claim: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    original = put("feed/", MAIL)
    handle(desk, unserved.event_of(original), attempt=1)
    claimed = {"modfleet-redacts": original.version if claim != "nonsense" else claim}
    forged = put("feed/", b"zorblat", **claimed)
    assert handle(desk, unserved.event_of(forged), attempt=1) == Done("rejected")
    assert unserved.current(forged) is None


def test_a_forged_claim_while_the_original_is_unfinished_is_only_late(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, media: SimpleNamespace
) -> None:
    original = put("feed/", MAIL)
    with pytest.raises(Crash):
        handle(watched(desk, at_call("copy_object", crash)), unserved.event_of(original), attempt=1)
    forged = put("feed/", b"zorblat", **{"modfleet-redacts": original.version})
    outcomes = [handle(desk, unserved.event_of(forged), attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Retry, Done]
    assert unserved.current(forged) is None
