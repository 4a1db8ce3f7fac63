"""A legal hold: nothing of ours deletes a held original, and who holds it, until when and why is on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
import yaml
from fleet import Fleet, Put, said
from interrupted import Crash, at_call, crash, forgetful, watched

from deploy.local.provision import DATA
from tasks.act.quarantine import quarantine_key
from tasks.act.tag import TAG
from tasks.desk import Desk
from tasks.hold import EXPIRES, HELD, NotHoldable, hold, release
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing
from tasks.restore import restore

UNTIL = date(2031, 5, 1)
WHO = {"by": "alex", "why": "case 17 of the court"}


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    return forgetful(unserved.desk)


@pytest.fixture
def rejected(desk: Desk, unserved: Fleet, unique: str) -> Put:
    put = unserved.put(f"feed/{unique}", b"zorblat", tags={"mine": "yes"})
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("rejected")
    return put


@pytest.fixture
def recorded(unserved: Fleet, rejected: Put) -> Callable[[], Standing]:
    def look() -> Standing:
        found = unserved.standing(rejected)
        assert found is not None
        return found

    return look


def marks(desk: Desk, standing: Standing) -> dict[str, str]:
    """The tags of the copy in quarantine."""
    copy = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(standing.item)}
    return {tag["Key"]: tag["Value"] for tag in desk.aws.s3.get_object_tagging(**copy)["TagSet"]}  # type: ignore[arg-type]


def test_the_lifecycle_rule_expires_what_the_takedown_tagged_and_a_hold_takes_that_tag_away(
    desk: Desk, recorded: Callable[[], Standing]
) -> None:
    properties = yaml.load(DATA.read_text("utf-8"), Loader=_Loose)["Resources"]["QuarantineBucket"]["Properties"]
    rule, parts = properties["LifecycleConfiguration"]["Rules"]
    assert "ExpirationInDays" not in parts
    assert rule["TagFilters"] == [{"Key": TAG, "Value": EXPIRES}]
    assert marks(desk, recorded()) == {"mine": "yes", TAG: EXPIRES}
    hold(desk, recorded(), until=UNTIL, **WHO)
    assert marks(desk, recorded()) == {"mine": "yes", TAG: HELD}
    assert recorded().held_until == "2031-05-01"
    release(desk, recorded(), **WHO)
    assert marks(desk, recorded()) == {"mine": "yes", TAG: EXPIRES}
    assert recorded().held_until == ""


def test_who_held_it_until_when_and_why_is_in_the_audit_log(
    desk: Desk, recorded: Callable[[], Standing], rejected: Put, unserved: Fleet
) -> None:
    hold(desk, recorded(), until=UNTIL, **WHO)
    release(desk, recorded(), **WHO)
    lines = unserved.audit_lines()
    (added,), (released,) = said(lines, rejected, "hold-added"), said(lines, rejected, "hold-released")
    assert (added["actor"], added["reason"], added["until"]) == ("alex", "case 17 of the court", "2031-05-01")
    assert (released["actor"], released["reason"]) == ("alex", "case 17 of the court")


def test_killed_in_the_middle_it_is_protected_before_anything_says_so(
    desk: Desk, recorded: Callable[[], Standing]
) -> None:
    with pytest.raises(Crash):
        hold(watched(desk, at_call("update_item", crash)), recorded(), until=UNTIL, **WHO)
    assert marks(desk, recorded())[TAG] == HELD
    hold(desk, recorded(), until=UNTIL, **WHO)
    with pytest.raises(Crash):
        release(watched(desk, at_call("put_object_tagging", crash)), recorded(), **WHO)
    assert (recorded().held_until, marks(desk, recorded())[TAG]) == ("2031-05-01", HELD)


def test_a_restore_leaves_the_held_original_where_it_is(
    desk: Desk, recorded: Callable[[], Standing], rejected: Put, unserved: Fleet
) -> None:
    hold(desk, recorded(), until=UNTIL, **WHO)
    assert restore(desk, recorded(), **WHO) == Done("restored")
    assert set(unserved.quarantined(rejected)) == {rejected.body}
    assert marks(desk, recorded())[TAG] == HELD
    assert unserved.tags(rejected) == {"mine": "yes", TAG: "allowed"}


def test_of_a_post_the_originals_of_its_parts_are_held_with_it(desk: Desk, unserved: Fleet, unique: str) -> None:
    part = unserved.put(f"feed/{unique}/a.txt", b"a fine day")
    says = {"modfleet": "post", "text": "zorblat", "media": [part.key]}
    put = unserved.put(f"feed/{unique}/post.json", json.dumps(says).encode())
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("rejected")
    post, of_part = unserved.standing(put), unserved.standing(part)
    assert post is not None
    assert of_part is not None
    hold(desk, post, until=UNTIL, **WHO)
    assert [marks(desk, one)[TAG] for one in (post, of_part)] == [HELD, HELD]
    release(desk, replace(post, held_until=UNTIL.isoformat()), **WHO)
    assert [marks(desk, one)[TAG] for one in (post, of_part)] == [EXPIRES, EXPIRES]


def test_what_has_no_original_in_quarantine_cannot_be_held(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", b"a fine day")
    handle(desk, unserved.event_of(put), attempt=1)
    standing = unserved.standing(put)
    assert standing is not None
    with pytest.raises(NotHoldable, match="it is allowed"):
        hold(desk, standing, until=UNTIL, **WHO)
    with pytest.raises(NotHoldable, match="no hold"):
        release(desk, standing, **WHO)


def test_a_person_types_it(rejected: Put, recorded: Callable[[], Standing], unserved: Fleet) -> None:
    def type_in(*words: str) -> tuple[int, str]:
        done = unserved.modfleet("hold", words[0], rejected.location, "--why", "case 17", *words[1:])
        return done.code, done.out

    assert type_in("add", "--until", "2020-01-01")[0] == 2
    assert type_in("add", "--until", "2031-05-01") == (
        0,
        f"the original of {rejected.location} is held until 2031-05-01\n",
    )
    assert recorded().held_until == "2031-05-01"
    assert type_in("release") == (0, f"the original of {rejected.location} is no longer held\n")
    assert recorded().held_until == ""


class _Loose(yaml.SafeLoader):
    """Reads CloudFormation's own tags as nothing."""


_Loose.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
