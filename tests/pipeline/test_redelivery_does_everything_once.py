"""Whatever a run was doing when it died, the next delivery ends the item right, each action done once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, assert_chains_hold, card, said
from interrupted import Crash, Watch, at_call, crash, forgetful, later, on_bucket, watched

from tasks.act.strike import accounts_of
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Retry, Skipped
from tasks.record.standing import Status

MAIL = "Écris-moi 😀: jane.doe@example.org".encode()
MASKED = "Écris-moi 😀: [EMAIL]".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way for an item to end, and what is then left under its key."""

    name: str
    prefix: str
    body: Callable[[SimpleNamespace], bytes]
    status: Status
    left: Callable[[Put], bytes | None]
    bucket: str = "versioned"


def weapon(media: SimpleNamespace) -> bytes:
    return bytes(media.picture("PNG", card={"labels": {"Weapons": 99.0}}))


def gray(_: SimpleNamespace) -> bytes:
    return b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})


def nothing(_: Put) -> None:
    return None


def itself(put: Put) -> bytes:
    return put.body


def masked(_: Put) -> bytes:
    return MASKED


SCENARIOS = [
    Scenario(name="rejected", prefix="feed/", body=weapon, status=Status.REJECTED, left=nothing),
    Scenario(name="redacted", prefix="feed/", body=lambda _: MAIL, status=Status.REDACTED, left=masked),
    Scenario(name="held", prefix="feed/", body=gray, status=Status.HELD, left=itself),
    Scenario(name="withheld", prefix="messages/", body=gray, status=Status.HELD, left=itself),
    Scenario(name="shown", prefix="avatars/", body=lambda _: b"a fine day", status=Status.ALLOWED, left=itself),
    Scenario(name="allowed", prefix="feed/", body=lambda _: b"a fine day", status=Status.ALLOWED, left=itself),
    *(
        Scenario(name=f"{name}-{bucket}", prefix="feed/", body=body, status=status, left=left, bucket=bucket)
        for bucket in ("unversioned", "suspended")
        for name, body, status, left in (
            ("rejected", weapon, Status.REJECTED, nothing),
            ("redacted", lambda _: MAIL, Status.REDACTED, masked),
        )
    ),
]


@pytest.fixture(scope="module")
def buckets(unserved: Fleet) -> dict[str, str]:
    """A bucket of each kind."""
    return {
        "versioned": unserved.settings.uploads_bucket,
        "unversioned": unserved.plain_bucket(),
        "suspended": unserved.plain_bucket(versioning=("Enabled", "Suspended")),
    }


@pytest.fixture(
    params=[
        pytest.param(each, id=each.name, marks=[pytest.mark.long] if each.bucket != "versioned" else [])
        for each in SCENARIOS
    ]
)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    chosen: Scenario = request.param
    return chosen


@pytest.fixture
def desk(scenario: Scenario, unserved: Fleet, buckets: dict[str, str]) -> Desk:
    """A desk that moderates the scenario's bucket."""
    return forgetful(on_bucket(unserved, buckets[scenario.bucket]))


@pytest.fixture
def upload(
    scenario: Scenario, unserved: Fleet, buckets: dict[str, str], media: SimpleNamespace, unique: str
) -> Callable[[int], Put]:
    """Upload the scenario's item once more, under a key of its own."""
    bucket, body = buckets[scenario.bucket], scenario.body(media)
    return lambda number: unserved.put(
        f"{scenario.prefix}{unique}/{number}", body, bucket=bucket, uploader=f"{unique}-{number}"
    )


def test_a_run_that_dies_after_any_of_its_writes_is_finished_by_the_next_delivery(
    scenario: Scenario, desk: Desk, upload: Callable[[int], Put], unserved: Fleet
) -> None:
    whole = Watch()
    assert isinstance(handle(watched(desk, whole), unserved.event_of(upload(-1)), attempt=1), Done)
    for point in whole.writes:
        put = upload(point)
        event = unserved.event_of(put)
        with pytest.raises(Crash):
            handle(watched(desk, Watch(at=point, then=crash, after=True)), event, attempt=1)
        assert isinstance(handle(later(desk), event, attempt=2), Done | Skipped), whole.calls[point]
        assert_done_once(scenario, put, unserved, died_after=whole.calls[point])
        again = Watch()
        assert isinstance(handle(watched(later(desk), again), event, attempt=3), Skipped)
        # A third delivery only writes its audit entries again, with the ids that they had.
        assert Counter(again.calls[n] for n in again.writes) == {"put_object": 1}
    assert_told_once(unserved)


def assert_done_once(scenario: Scenario, put: Put, fleet: Fleet, *, died_after: str) -> None:
    """The item stands where it should, and nothing was done twice but the one call whose answer was lost."""
    standing = fleet.standing(put)
    assert standing is not None
    assert (standing.status, standing.to_do) == (scenario.status, ()), died_after
    assert fleet.current(put) == scenario.left(put)
    notices, copies = fleet.notices(put), fleet.quarantined(put)
    assert len({notice["notice_id"] for notice in notices}) == any(step.startswith("notify") for step in standing.plan)
    assert len(notices) <= 1 + (died_after == "publish")
    assert set(copies) == ({put.body} if "quarantine" in standing.plan else set())
    assert len(copies) <= 1 + (died_after == "copy_object")
    assert (fleet.case(put) is not None) == (scenario.status is Status.HELD)
    assert len(accounts_of(fleet.desk).find(standing.uploader).log) == (scenario.status is Status.REJECTED)
    assert_nothing_behind(scenario, put, fleet)


def assert_nothing_behind(scenario: Scenario, put: Put, fleet: Fleet) -> None:
    """No older version under the key still has what was taken down or masked."""
    listed = fleet.aws.s3.list_object_versions(Bucket=put.bucket, Prefix=put.key).get("Versions", [])
    left = scenario.left(put)
    if left != put.body:
        assert [entry["Size"] for entry in listed] == ([] if left is None else [len(left)])


def assert_told_once(fleet: Fleet) -> None:
    """The audit log says each thing once about each item, however often a run began."""
    told: dict[str, list[dict[str, object]]] = {}
    lines = fleet.audit_lines()
    assert_chains_hold(lines)
    for line in lines:
        entry = {name: value for name, value in line.items() if name not in ("writer", "line", "prev", "hash", "after")}
        entries = told.setdefault(line["entry_id"], [])
        if entry not in entries:
            entries.append(entry)
    assert [entries for entries in told.values() if len(entries) > 1] == []


def test_the_lease_of_a_run_that_died_is_waited_for(unserved: Fleet, media: SimpleNamespace, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", weapon(media))
    event = unserved.event_of(put)
    with pytest.raises(Crash):
        handle(watched(unserved.desk, at_call("transact_write_items", crash, after=True)), event, attempt=1)
    outcome = handle(unserved.desk, event, attempt=2)
    assert isinstance(outcome, Retry)
    assert 1 <= outcome.after <= 60


def test_two_threads_with_the_same_message_decide_once_and_act_once(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    put = unserved.put(f"feed/{unique}", weapon(media))
    event = unserved.event_of(put)
    both = threading.Barrier(2, timeout=20)

    def meet_before_deciding(name: str, go: Callable[[], dict[str, object]]) -> dict[str, object]:
        if name == "transact_write_items":
            both.wait()
        return go()

    desk = watched(unserved.desk, meet_before_deciding)
    with ThreadPoolExecutor(2) as pool:
        outcomes = [run.result() for run in [pool.submit(handle, desk, event, attempt=1) for _ in range(2)]]
    assert Done("rejected") in outcomes
    assert sum(isinstance(outcome, Done) for outcome in outcomes) == 1
    assert handle(later(unserved.desk), event, attempt=2) == Skipped("already rejected")
    assert len(unserved.notices(put)) == len(unserved.quarantined(put)) == 1
    assert len(said(unserved.audit_lines(), put, "decided")) == 1


@pytest.mark.parametrize("kind", ["versioned", "unversioned", "suspended"])
def test_the_same_violation_uploaded_again_is_taken_down_again(
    kind: str, unserved: Fleet, buckets: dict[str, str], media: SimpleNamespace, unique: str
) -> None:
    desk = on_bucket(unserved, buckets[kind])
    for _ in range(2):
        put = unserved.put(f"feed/{unique}", weapon(media), bucket=buckets[kind])
        handle(desk, unserved.event_of(put), attempt=1)
        assert unserved.current(put) is None
