"""A post comes back with all its parts, what was held is shown again, and the next upload of the same is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from counted import asked, judged
from fleet import Fleet, Put, card
from interrupted import DETECTORS, Crash, Watch, after_write, forgetful, later, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Skipped
from tasks.record.standing import Standing, Status
from tasks.restore import NotRestorable, restore
from tasks.review.case import CaseStatus
from tasks.review.rows import find_case

WHO = {"by": "alex", "why": "an appeal was right"}
GRAY = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})


class Post:
    """A post of a fine text and a picture that is taken down, and it with it."""

    def __init__(self, fleet: Fleet, media: SimpleNamespace, name: str) -> None:
        self.fleet, self.desk = fleet, forgetful(fleet.desk)
        picture = media.picture("PNG", card={"labels": {"Weapons": 99.0}, "note": name})
        self.fine = fleet.put(f"feed/{name}/fine.txt", f"a fine day {name}".encode(), tags={"mine": "yes"})
        self.bad = fleet.put(f"feed/{name}/bad.png", picture, uploader="u1")
        manifest = {"modfleet": "post", "text": "look", "media": [self.fine.key, self.bad.key], "note": name}
        self.post = fleet.put(f"feed/{name}/post.json", json.dumps(manifest).encode())
        self.all = (self.fine, self.bad, self.post)
        self.events = {put: fleet.event_of(put) for put in self.all}

    def taken_down(self) -> Standing:
        assert handle(self.desk, self.events[self.post], attempt=1) == Done("rejected")
        assert [self.fleet.current(put) for put in self.all] == [None] * 3
        return self.standing()

    def standing(self) -> Standing:
        found = self.fleet.standing(self.post)
        assert found is not None
        return found

    def back_events(self) -> dict[str, str]:
        """The event of what was put back under each key: exactly one."""
        events = {}
        for put in self.all:
            version = self.fleet.newest_of(put.key, besides={put.version})
            events[put.key] = self.fleet.event_of(Put(put.bucket, put.key, version, "", b""))
        return events

    def assert_back(self) -> None:
        assert [self.fleet.current(put) for put in self.all] == [put.body for put in self.all]
        assert [self.fleet.public(put.key)[0] for put in self.all] == [200] * 3
        assert self.fleet.tags(self.fine) == {"mine": "yes", "moderation": "allowed"}
        assert self.standing().status is Status.RESTORED
        assert self.standing().to_do == ()


@pytest.fixture
def posts(unserved: Fleet, media: SimpleNamespace, unique: str) -> Callable[[object], Post]:
    # In letters: so many digits in a row look like somebody's telephone.
    name = unique.translate(str.maketrans("0123456789", "ghijklmnop"))
    return lambda number: Post(unserved, media, f"{name}/{number}")


def test_a_post_comes_back_with_what_was_taken_down_with_it_and_before_it(posts: Callable[[object], Post]) -> None:
    post = posts("one")
    assert restore(post.desk, post.taken_down(), **WHO) == Done("restored")
    post.assert_back()
    events, watch = post.back_events(), Watch()
    desk = watched(post.desk, watch)
    assert {type(handle(desk, event, attempt=1)) for event in events.values()} == {Skipped}
    assert not DETECTORS & set(watch.calls)
    # The parts' own events, come late, find nothing to do either.
    for put in post.all:
        handle(post.desk, post.events[put], attempt=2)
    post.assert_back()


def test_killed_while_it_brings_a_post_back_the_command_goes_on_and_writes_each_part_once(
    posts: Callable[[object], Post],
) -> None:
    first, whole = posts("whole"), Watch()
    restore(watched(first.desk, whole), first.taken_down(), **WHO)
    # Of receipts, which are many and alike, some.
    writes = [whole.calls[number] for number in whole.writes]
    points = [number for number, name in enumerate(writes) if name != "update_item"]
    points += [number for number, name in enumerate(writes) if name == "update_item"][::9]
    for number in sorted(points):
        post = posts(number)
        standing = post.taken_down()
        with pytest.raises(Crash):
            # Counted in writes: how often it asks whether the public sees it again is a matter of time.
            restore(watched(post.desk, after_write(number)), standing, **WHO)
        went_on = restore(later(post.desk), post.standing(), **WHO)
        assert went_on in (Done("restored"), Skipped("already restored")), writes[number]
        post.assert_back()
        assert len(post.back_events()) == 3


def test_a_part_whose_place_was_taken_stays_as_it_is_and_the_others_come_back(posts: Callable[[object], Post]) -> None:
    post = posts("taken")
    standing = post.taken_down()
    newer = post.fleet.put(post.fine.key, b"another text")
    assert restore(post.desk, standing, **WHO) == Done("restored")
    assert post.fleet.current(newer) == b"another text"
    assert [post.fleet.current(put) for put in (post.bad, post.post)] == [post.bad.body, post.post.body]
    assert handle(post.desk, post.fleet.event_of(newer), attempt=1) == Done("allowed")


def test_a_post_is_not_begun_where_a_part_that_was_taken_down_cannot_come_back(posts: Callable[[object], Post]) -> None:
    post = posts("half")
    standing = post.taken_down()
    post.fleet.put(post.bad.key, b"another text")
    with pytest.raises(NotRestorable, match=r"its part .*bad\.png cannot: something newer is there"):
        restore(post.desk, standing, **WHO)
    assert post.standing() == standing


# ---- what was held ----


@pytest.mark.parametrize("died", [False, True], ids=["at once", "killed before its case was closed"])
def test_what_was_held_and_hidden_is_shown_again_and_its_case_is_closed(
    unserved: Fleet, unique: str, *, died: bool
) -> None:
    desk, put = forgetful(unserved.desk), unserved.put(f"messages/{unique}", GRAY, tags={"mine": "yes"})
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("held")
    assert unserved.public(put.key)[0] == 403
    if died:
        whole = Watch()
        other = unserved.put(f"messages/{unique}/other", GRAY)
        handle(desk, unserved.event_of(other), attempt=1)
        restore(watched(desk, whole), recorded(unserved, other), **WHO)
        with pytest.raises(Crash):
            restore(watched(desk, Watch(at=whole.writes[-2], after=True)), recorded(unserved, put), **WHO)
        assert case_of(desk, unserved, put).status is CaseStatus.OPEN
    restore(later(desk), recorded(unserved, put), **WHO)
    assert unserved.public(put.key) == (200, GRAY)
    assert unserved.tags(put) == {"mine": "yes", "moderation": "allowed"}
    assert recorded(unserved, put).status is Status.ALLOWED
    case = case_of(desk, unserved, put)
    assert (case.status, case.result) == (CaseStatus.CLOSED, "allowed")


def recorded(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


def case_of(desk: Desk, fleet: Fleet, put: Put) -> Any:
    return find_case(desk, recorded(fleet, put).item.id)


# ---- the next upload of the same ----


def test_the_same_bytes_are_looked_at_anew_after_a_restore_and_no_longer_once_they_are_confirmed_as_fine(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 99.0})
    first = unserved.put(f"feed/{unique}/1", body)
    assert judged(unserved, first).status is Status.REJECTED
    with asked(unserved) as made:
        assert judged(unserved, unserved.put(f"feed/{unique}/2", body)).status is Status.REJECTED
    assert not made, "it was remembered"
    assert restore(unserved.desk, recorded(unserved, first), **WHO) == Done("restored")
    with asked(unserved) as made:
        third = unserved.put(f"feed/{unique}/3", body)
        assert judged(unserved, third).status is Status.REJECTED
    assert made, "it was looked at"
    unserved.modfleet("restore", third.location, "--why", "art", "--confirm-fine")
    with asked(unserved) as made:
        assert judged(unserved, unserved.put(f"feed/{unique}/4", body)).status is Status.ALLOWED
    assert not made


def test_what_a_list_has_taken_down_comes_back_with_a_word_about_the_list(
    unserved: Fleet, picture: Callable[..., bytes], unique: str, tmp_path: Path
) -> None:
    body = picture()
    (tmp_path / "bad").write_bytes(body)
    unserved.modfleet("known", "add", "confirmed-violating", str(tmp_path / "bad"), "--reason", "an order")
    put = unserved.put(f"feed/{unique}", body)
    assert judged(unserved, put).status is Status.REJECTED
    said = unserved.modfleet("restore", put.location, "--why", "the order was lifted")
    assert "it is on the list confirmed-violating" in said.err
    again = unserved.put(f"feed/{unique}/again", body)
    assert judged(unserved, again).status is Status.REJECTED
    said = unserved.modfleet("restore", again.location, "--why", "the order was lifted", "--confirm-fine")
    assert "is on the list" not in said.err
    assert judged(unserved, unserved.put(f"feed/{unique}/once more", body)).status is Status.ALLOWED
