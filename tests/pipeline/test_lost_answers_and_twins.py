"""An answer that is lost after the work was done costs a try and no minute; a twin of an event undoes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ConnectionClosedError
from fleet import Fleet, card
from interrupted import Crash, Watch, at_call, crash, watched

from tasks.moderation import handle
from tasks.outcome import Done, Skipped
from tasks.record.standing import Status


def lose() -> None:
    raise ConnectionClosedError(endpoint_url="http://nowhere")


@pytest.mark.parametrize("body", [b"zorblat", b"Mail jane.doe@example.org"], ids=["rejected", "redacted"])
def test_whichever_answer_is_lost_the_same_run_goes_on_to_the_end(body: bytes, unserved: Fleet, unique: str) -> None:
    def run(name: str, watch: Watch) -> str:
        put = unserved.put(f"feed/{unique}/{name}", body + f" {unique} {name}".encode() + card(note=name))
        outcome = handle(watched(unserved.desk, watch), unserved.event_of(put), attempt=1)
        assert isinstance(outcome, Done), (outcome, watch.calls)
        standing = unserved.standing(put)
        assert standing is not None
        assert [entry["event"] for entry in standing.history].count("finished") == 1
        assert len({notice["notice_id"] for notice in unserved.notices(put)}) == 1
        return outcome.summary

    calm = Watch()
    wanted = run("calm", calm)
    for number in calm.writes:
        assert run(str(number), Watch(at=number, then=lose, after=True)) == wanted


def test_a_lost_answer_to_taking_the_lease_locks_nobody_out(unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", b"zorblat " + unique.encode())
    event = unserved.event_of(put)
    with pytest.raises(Crash):
        handle(watched(unserved.desk, at_call("copy_object", crash)), event, attempt=1)
    standing = unserved.standing(put)
    assert standing is not None
    unserved.desk.state.let_go(standing.item)
    assert handle(watched(unserved.desk, at_call("update_item", lose, after=True)), event, attempt=2) == Done(
        "rejected"
    )


def test_a_twin_of_an_innocent_avatars_event_leaves_it_in_view(unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"avatars/{unique}", b"a fine day " + unique.encode())
    event = unserved.event_of(put)
    assert handle(unserved.desk, event, attempt=1) == Done("allowed")
    assert handle(unserved.desk, event, attempt=1) == Skipped("already allowed")
    assert unserved.public(put.key) == (200, put.body)


def test_a_twin_that_comes_in_between_leaves_it_in_view_too(unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"avatars/{unique}", b"a fine day " + unique.encode(), tags={"album": "summer"})
    event = unserved.event_of(put)
    twin = at_call("get_object_tagging", lambda: handle(unserved.desk, event, attempt=1))
    assert handle(watched(unserved.desk, twin), event, attempt=1) == Skipped("already allowed")
    assert unserved.public(put.key) == (200, put.body)
    assert unserved.tags(put) == {"album": "summer", "moderation": "allowed"}


def test_an_avatar_that_a_twin_takes_down_meanwhile_is_not_parked(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    body = media.picture("PNG", card={"labels": {"Weapons": 99.0}, "note": unique})
    put = unserved.put(f"avatars/{unique}", body, tags={"album": "summer"})
    event = unserved.event_of(put)
    twin = at_call("get_object_tagging", lambda: handle(unserved.desk, event, attempt=1))
    assert handle(watched(unserved.desk, twin), event, attempt=1) == Skipped("already rejected")
    standing = unserved.standing(put)
    assert standing is not None
    assert standing.status is Status.REJECTED
