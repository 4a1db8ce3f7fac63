"""A takedown counts against its uploader once, the application is told where that leads, and a restore undoes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fleet import Fleet, Put
from interrupted import Crash, Watch, crash, forgetful, later, watched

from tasks.act.strike import accounts_of, strike
from tasks.decide.accounts import Log, Strike, changes, counting, points
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Skipped
from tasks.post import POST
from tasks.record.accounts import account_id
from tasks.record.standing import Standing, Status
from tasks.restore import restore

BODY = b"zorblat"
WHO = {"by": "alex", "why": "an appeal was right"}
THREADS, ITEMS = 50, 40


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    return forgetful(unserved.desk)


@pytest.fixture
def uploader(unique: str) -> str:
    return f"user-{unique}"


@pytest.fixture
def put(unserved: Fleet, uploader: str) -> Callable[..., Put]:
    return lambda name, body=BODY, **more: unserved.put(f"feed/{uploader}/{name}", body, uploader=uploader, **more)


def recorded(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


def log_of(desk: Desk, uploader: str) -> Log:
    return accounts_of(desk).find(uploader).log


def strikes_now(desk: Desk, uploader: str) -> int:
    return points(counting(log_of(desk, uploader), desk.now()))


def told(fleet: Fleet, uploader: str) -> list[tuple[str, str, str, int]]:
    """What the application makes of the events, which drops those that it has heard."""
    heard = {event["event_id"]: event for event in fleet.account_events(uploader)}
    return [(event["event"], event["from"], event["to"], event["strikes"]) for event in heard.values()]


def taken_down(fleet: Fleet, desk: Desk, put: Put) -> Standing:
    assert handle(desk, fleet.event_of(put), attempt=1) == Done("rejected")
    return recorded(fleet, put)


def test_violations_lead_to_a_warning_and_further_and_a_restore_lifts_that(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    standings = [taken_down(unserved, desk, put(name)) for name in "abcd"]
    warned, limited = unserved.account_events(uploader)
    assert (warned["type"], warned["event"], limited["event"]) == ("account", "warn", "limit")
    item = standings[3].item
    assert limited["item"] == {"bucket": item.bucket, "key": item.key, "version": item.version}
    assert (limited["rules"], limited["strikes"]) == (list(standings[3].rules), 4)
    assert warned["at"] < limited["at"] < warned["expires_at"]
    assert warned["event_id"] == standings[1].receipts["strike"]["event_id"]
    assert restore(desk, standings[0], **WHO) == Done("restored")
    assert told(unserved, uploader)[2:] == [("lifted", "limit", "warn", 3)]
    assert strikes_now(desk, uploader) == 3


def test_a_redelivery_and_a_restored_upload_that_comes_again_change_nothing(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    upload = put("a")
    restore(desk, taken_down(unserved, desk, upload), **WHO)
    assert handle(desk, unserved.event_of(upload), attempt=2) == Skipped("already restored")
    assert (strikes_now(desk, uploader), unserved.account_events(uploader)) == (0, [])


def test_who_dies_after_any_write_has_struck_once_and_told_of_the_warning(
    desk: Desk, unserved: Fleet, uploader: str
) -> None:
    def second(name: str) -> Put:
        """The second violation of somebody."""
        one = unserved.put(f"feed/{uploader}/{name}/1", BODY, uploader=f"{uploader}-{name}")
        taken_down(unserved, desk, one)
        return unserved.put(f"feed/{uploader}/{name}/2", BODY, uploader=f"{uploader}-{name}")

    whole, upload = Watch(), second("whole")
    handle(watched(desk, whole), unserved.event_of(upload), attempt=1)
    # Everything up to the notice is the same without an account. The strike, what it led to, and its receipt:
    told_at = whole.calls.index("publish")
    assert whole.calls[told_at + 2 : told_at + 5] == ["update_item", "publish", "update_item"]
    for point in [number for number in whole.writes if number > told_at]:
        upload, who = second(str(point)), f"{uploader}-{point}"
        dying = watched(desk, Watch(at=point, then=crash, after=True))
        event = unserved.event_of(upload)
        with pytest.raises(Crash):
            handle(dying, event, attempt=1)
        handle(later(desk), event, attempt=2)
        assert recorded(unserved, upload).status is Status.REJECTED
        assert strikes_now(desk, who) == 2, whole.calls[point]
        assert told(unserved, who) == [("warn", "none", "warn", 2)], whole.calls[point]
        assert len(unserved.account_events(who)) <= 1 + (whole.calls[point] == "publish")


def test_a_restore_that_dies_after_any_write_takes_the_strike_back_once(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    standings = [taken_down(unserved, desk, put(str(number))) for number in range(8)]
    whole = Watch()
    restore(watched(desk, whole), standings[-1], **WHO)
    for left, point in enumerate(whole.writes[-4:]):
        standing = standings[left]
        with pytest.raises(Crash):
            restore(watched(desk, Watch(at=point, then=crash, after=True)), standing, **WHO)
        restore(later(desk), recorded_again(desk, standing), **WHO)
        assert strikes_now(desk, uploader) == 6 - left, whole.calls[point]
    heard = [event for event, *_ in told(unserved, uploader)]
    assert heard == ["warn", "limit", "suspend", "lifted", "lifted"]


def recorded_again(desk: Desk, standing: Standing) -> Standing:
    found = desk.state.find(standing.item)
    assert found is not None
    return found


def test_of_many_at_once_none_is_lost_and_each_threshold_is_told_of_once(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    one = taken_down(unserved, desk, put("pattern"))
    items = [replace(one, item=replace(one.item, key=f"{one.item.key}-{number}")) for number in range(ITEMS)]
    at_once(lambda number: strike(desk, items[number % ITEMS]))
    log = log_of(desk, uploader)
    assert len(log) == strikes_now(desk, uploader) == ITEMS + 1
    assert [change.event for change in changes(log)] == ["warn", "limit", "suspend"]
    assert sorted(told(unserved, uploader)) == [
        ("limit", "warn", "limit", 4),
        ("suspend", "limit", "suspend", 8),
        ("warn", "none", "warn", 2),
    ]


def at_once(work: Callable[[int], object]) -> None:
    """Run `work` on many threads, none of which begins before all are there."""
    barrier, failed = threading.Barrier(THREADS), list[BaseException]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # a thread's failure is the test's
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("early", [False, True], ids=["judged with the post", "judged before it"])
def test_a_post_is_one_strike_and_not_one_for_each_part(
    early: bool, desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    parts = [put(f"part-{number}") for number in range(2)]
    if early:
        for part in parts:
            taken_down(unserved, desk, part)
    manifest = post_of(put, parts)
    assert handle(desk, unserved.event_of(manifest), attempt=1) == Done("rejected")
    assert all("strike" in recorded(unserved, part).plan for part in parts) is early
    assert strikes_now(desk, uploader) == 1
    lifted = [("warn", "none", "warn", 2), ("lifted", "warn", "none", 1)]
    assert told(unserved, uploader) == (lifted if early else [])


def post_of(put: Callable[..., Put], parts: Sequence[Put]) -> Put:
    keys = ", ".join(f'"{part.key}"' for part in parts)
    return put("post.json", f'{{"modfleet": "{POST}", "text": "two days", "media": [{keys}]}}'.encode())


def test_nobody_is_struck_in_a_dry_run_or_for_what_is_held_or_masked_or_by_nobody(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    rehearsing = replace(desk, settings=desk.settings.model_copy(update={"dry_run": True}))
    handle(rehearsing, unserved.event_of(put("dry")), attempt=1)
    masked = put("masked", b"Mail jane.doe@example.org about it")
    assert handle(desk, unserved.event_of(masked), attempt=1) == Done("redacted")
    assert handle(desk, unserved.event_of(put("held", b"\x00\x01")), attempt=1) == Done("held")
    nobody = unserved.put(f"feed/{uploader}/nobody", BODY)
    assert handle(desk, unserved.event_of(nobody), attempt=1) == Done("rejected")
    assert "strike" not in recorded(unserved, nobody).plan
    assert log_of(desk, uploader) == ()


def test_whose_account_it_is_stands_neither_in_keys_nor_in_the_audit_log(
    desk: Desk, put: Callable[..., Put], unserved: Fleet, uploader: str
) -> None:
    standing = taken_down(unserved, desk, unserved.put(f"feed/{account_id(uploader)}", BODY, uploader=uploader))
    key = {"location": {"S": f"account#{account_id(uploader)}"}, "version": {"S": "strikes"}}
    row: Any = unserved.aws.dynamodb.get_item(TableName=desk.settings.items_table, Key=key)["Item"]
    assert row["uploader"] == {"S": uploader}
    (mark,) = log_of(desk, uploader)
    assert isinstance(mark, Strike)
    assert (mark.location, mark.version) == (standing.item.location, standing.item.version)
    assert not [line for line in unserved.audit_lines() if uploader in str(line) and "strike" in str(line["event"])]
